"""Edema and fluid on STIR and T2: how much marrow is bright, how bright, and is there a cleft of fluid."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import numpy.typing as npt

from radiomics_vert.imaging.preprocessing import Spread
from radiomics_vert.signs.components import Components, connected, foci
from radiomics_vert.signs.depths import plate_depths
from radiomics_vert.signs.fluid_shape import fluid_kind
from radiomics_vert.signs.marrow import expected_marrow, intensities
from radiomics_vert.signs.nouns import Absent, Mask, Value, Vertebra
from radiomics_vert.signs.replacement import DEVIATIONS, NO_REFERENCE, few_voxels, signal_ratio
from radiomics_vert.signs.results import Measured
from radiomics_vert.signs.spine import Spine
from radiomics_vert.signs.tissues import LEAST_VOXELS, fluid_signal, tissue_signal

Image = npt.NDArray[np.floating]

FLUID_SHARE = 0.8
"""Least signal of fluid, of the cerebrospinal fluid's, after the specification."""
FLUID_DEPTH_MM = 5.0
"""Fluid reaches so near to an endplate, after the specification."""
FLUID_MM3 = 50.0
"""Least volume of a collection of fluid [O]."""
_EDEMA = ("edema_frac", "stir_ratio", "edema_cr")
_KINDS = ("linear", "triangular", "focal")
_SHAPE = tuple(f"fluid_{kind}" for kind in _KINDS)
_FLUID = ("fluid_score", *_SHAPE)


def measure(spine: Spine) -> Measured:
    """Measure edema and fluid of every vertebra on STIR or T2."""
    image = spine.scan.image
    if spine.sequence not in ("STIR", "T2") or image is None:
        return {}
    on_t1 = _expected_on_t1(spine)
    found: dict[int, dict[str, Value]] = {}
    for vertebra in spine.framed():
        mask = spine.trabecular[vertebra.label]
        voxels = int(mask.sum())
        if voxels < LEAST_VOXELS:
            found[vertebra.label] = dict.fromkeys((*_EDEMA, *_FLUID), few_voxels(voxels))
            continue
        own = _edema(spine, vertebra, image, mask)
        dark = _dark_on_t1(spine, vertebra, on_t1)
        found[vertebra.label] = own | _fluid(spine, vertebra, image, mask, dark)
    return found


def _edema(spine: Spine, vertebra: Vertebra, image: Image, mask: Mask) -> dict[str, Value]:
    expected = spine.expected.get(vertebra.label)
    if expected is None:
        return dict.fromkeys(_EDEMA, NO_REFERENCE)
    bright = mask & (image[vertebra.box] > expected.centre + DEVIATIONS * expected.width)
    pieces = foci(bright, vertebra.spacing).mask
    # Noise alone is brighter than two deviations in 2 % of the voxels: the bright part is made of foci. [O]
    signal = float(np.median(intensities(image, vertebra, pieces if pieces.any() else mask)))
    cord = tissue_signal(spine.scan, vertebra, ("cord",))
    return {
        "edema_frac": float(bright.sum() / mask.sum()),
        "stir_ratio": signal_ratio(signal, expected.centre),
        "edema_cr": cord if isinstance(cord, Absent) else contrast_ratio(signal, cord),
    }


def contrast_ratio(signal: float, cord: float) -> Value:
    """Return (signal - cord) / (signal + cord); absent (RV344) unless both are positive.

    Examples
    --------
    >>> contrast_ratio(90.0, 110.0)
    -0.1
    """
    if min(signal, cord) <= 0:
        return Absent("RV344", f"signals of {signal:.4g} and {cord:.4g}: a contrast needs both positive")
    return (signal - cord) / (signal + cord)


def _fluid(
    spine: Spine, vertebra: Vertebra, image: Image, mask: Mask, dark: Mask | Absent
) -> dict[str, Value]:
    csf = fluid_signal(spine.scan, vertebra)
    problem = next((each for each in (csf, dark) if isinstance(each, Absent)), None)
    if isinstance(csf, Absent) or isinstance(dark, Absent):
        return dict.fromkeys(_FLUID, problem or Absent("RV338", "no fluid signal"))
    bright = mask & dark & (image[vertebra.box] >= FLUID_SHARE * csf)
    pieces = connected(bright, vertebra.spacing, least_mm3=FLUID_MM3)
    near = _near_endplates(spine, vertebra, pieces)
    if not near.any():
        none = Absent("RV338", "no fluid within 5 mm of an endplate")
        return {"fluid_score": 0.0, **dict.fromkeys(_SHAPE, none)}
    score = float((pieces.mm3 * pieces.elongation)[near].sum())
    largest = pieces.labels == 1 + int(near.argmax())
    return {"fluid_score": score, **shape_flags(fluid_kind(vertebra, largest))}


def shape_flags(kind: str | None) -> dict[str, Value]:
    """Return the three signs of a shape: one is 1, the others are 0.

    Where the voxels do not tell a triangle from a focus, it is not linear, and these two are absent (RV338).

    Examples
    --------
    >>> shape_flags("focal")
    {'fluid_linear': 0.0, 'fluid_triangular': 0.0, 'fluid_focal': 1.0}
    """
    if kind is None:
        unseen = Absent("RV338", "fluid thinner than three voxels: a triangle or a focus, too coarse to tell")
        return {"fluid_linear": 0.0, "fluid_triangular": unseen, "fluid_focal": unseen}
    return {f"fluid_{each}": float(each == kind) for each in _KINDS}


def _near_endplates(spine: Spine, vertebra: Vertebra, pieces: Components) -> npt.NDArray[np.bool_]:
    """Return which components come within 5 mm of an endplate."""
    depths = plate_depths(vertebra, spine.outlines[vertebra.label], pieces.mask).nearer
    least = np.full(len(pieces), np.inf)
    np.minimum.at(least, pieces.labels[pieces.mask] - 1, depths)
    return np.asarray(least <= FLUID_DEPTH_MM)


def _expected_on_t1(spine: Spine) -> dict[int, Spread]:
    """Return what the marrow of each vertebra should measure on T1, where a T1 image is given."""
    if "T1" not in spine.scan.companions:
        return {}
    scan = replace(spine.scan, image=spine.scan.companions["T1"])
    return expected_marrow(scan, spine.vertebrae, spine.trabecular, spine.references, spine.places)


def _dark_on_t1(spine: Spine, vertebra: Vertebra, on_t1: dict[int, Spread]) -> Mask | Absent:
    """Return where T1 lies below the references; everywhere on STIR without T1, as STIR shows no fat [O]."""
    first = spine.scan.companions.get("T1")
    if first is None:
        if spine.sequence == "STIR":
            return np.ones_like(vertebra.body)
        return Absent("RV339", "fat is bright on T2, and no T1 on the same grid tells it from fluid")
    if vertebra.label not in on_t1:
        return Absent("RV333", "no reference vertebra says what is dark on T1")
    return np.asarray(first[vertebra.box] < on_t1[vertebra.label].centre)
