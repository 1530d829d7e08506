"""Replaced marrow on T1: how much, where, in how many foci, with what margin; and bands of low signal.

Replaced voxels lie below the references' median by more than two robust standard deviations. Noise alone puts
2 % of normal marrow there, so that the signs of place and shape use foci of 50 mm3 or more that are not
confined to the outermost 2 mm [O], and the signs of amount all voxels.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from radiomics_vert.imaging.preprocessing import Spread, slice_axis
from radiomics_vert.signs.beside import frame_of
from radiomics_vert.signs.borders import margin_width
from radiomics_vert.signs.components import CORTEX_MM, Components, foci, reaching
from radiomics_vert.signs.depths import Depths, plate_depths
from radiomics_vert.signs.endplates import DEPRESSED_MM, depression
from radiomics_vert.signs.marrow import eroded, intensities
from radiomics_vert.signs.nouns import Absent, Frame, Mask, Plane, Points, Value, Vertebra
from radiomics_vert.signs.outline import Outline
from radiomics_vert.signs.plates import dark_plates
from radiomics_vert.signs.results import Measured
from radiomics_vert.signs.spine import Spine
from radiomics_vert.signs.surfaces import Floats, nearest_step
from radiomics_vert.signs.tissues import LEAST_VOXELS, adjacent_discs, tissue_signal

Image = npt.NDArray[np.floating]

DEVIATIONS = 2.0
"""Robust standard deviations beyond which marrow is abnormal, after the specification."""
COMPLETE = 0.95
"""Share of the trabecular body from which on no margin exists, after the specification."""
NO_REFERENCE = Absent("RV333", "no reference has trabecular voxels")
"""Why a comparison fails where reference vertebrae are too thin to have marrow."""
_OF_REFERENCES = (
    "t1_rep_frac", "t1_spared_frac", "trom", "endplate_localisation", "n_foci", "largest_share",
    "margin_width_mm", "margin_absent",
)  # fmt: skip


class Marrow(NamedTuple):
    """The trabecular voxels of a vertebra.

    Parameters
    ----------
    mask : ndarray of bool
        In the box of the vertebra.
    values : ndarray, shape (n,)
        Their intensities.
    """

    mask: Mask
    values: Floats


def measure(spine: Spine) -> Measured:
    """Measure the signs of replacement on T1, and the band on T1 and T2, of every vertebra."""
    if spine.sequence not in ("T1", "T2") or spine.scan.image is None:
        return {}
    return {vertebra.label: _measure_one(spine, vertebra) for vertebra in spine.framed()}


def _measure_one(spine: Spine, vertebra: Vertebra) -> dict[str, Value]:
    image = spine.scan.image
    frame = vertebra.frame
    if image is None or frame is None:
        return {}
    mask = spine.trabecular[vertebra.label]
    marrow = Marrow(mask, intensities(image, vertebra, mask))
    names = ("band_score",) if spine.sequence == "T2" else ("band_score", "t1_muscle", "t1_disc")
    if len(marrow.values) < LEAST_VOXELS:
        return dict.fromkeys((*names, *_OF_REFERENCES), few_voxels(len(marrow.values)))
    found: dict[str, Value] = {"band_score": band_score(image[vertebra.box], marrow, frame, vertebra.spacing)}
    if spine.sequence == "T1":
        found |= _against_tissues(spine, vertebra, float(np.median(marrow.values)))
        found |= _against_references(spine, vertebra, marrow)
    return found


def few_voxels(count: int) -> Absent:
    """Return the absence of a sign in a vertebra whose trabecular body has too few voxels."""
    return Absent("RV338", f"{count} trabecular voxels of the {LEAST_VOXELS} that a median needs")


def signal_ratio(signal: float, other: float | Absent) -> Value:
    """Return signal over another tissue's; absent (RV344) where that is not positive."""
    if isinstance(other, Absent):
        return other
    if other <= 0:
        return Absent("RV344", f"a median of {other:.4g}: intensities with a shifted zero have no ratios")
    return signal / other


def _against_tissues(spine: Spine, vertebra: Vertebra, signal: float) -> dict[str, Value]:
    place = spine.places.get(vertebra.label)
    above = next((v.level for v in spine.vertebrae if spine.places.get(v.label) == (place or 0) - 1), None)
    others = {
        "t1_muscle": ("muscle", "iliopsoas", "autochthon"),
        "t1_disc": adjacent_discs(vertebra.level, above if place is not None else None),
    }
    return {
        name: signal_ratio(signal, tissue_signal(spine.scan, vertebra, tissue))
        for name, tissue in others.items()
    }


def _against_references(spine: Spine, vertebra: Vertebra, marrow: Marrow) -> dict[str, Value]:
    image, expected = spine.scan.image, spine.expected.get(vertebra.label)
    if image is None or expected is None:
        return dict.fromkeys(_OF_REFERENCES, NO_REFERENCE)
    replaced = below(image[vertebra.box], marrow.mask, expected)
    share = float(replaced.sum() / marrow.mask.sum())
    pieces = _pieces(replaced, marrow.mask, vertebra.spacing)
    found: dict[str, Value] = {
        "t1_rep_frac": share,
        "t1_spared_frac": 1 - share,
        "trom": signal_ratio(float(np.median(marrow.values)), expected.centre),
        "n_foci": float(len(pieces)),
        "margin_absent": float(share >= COMPLETE),
    }
    shapes = ("endplate_localisation", "largest_share", "margin_width_mm")
    if not len(pieces):
        return found | dict.fromkeys(shapes, Absent("RV338", "nothing is replaced in one piece of 50 mm3"))
    depths = plate_depths(vertebra, spine.outlines[vertebra.label], pieces.mask)
    width: Value = Absent("RV338", f"{share:.0%} is replaced, so that there is no border")
    if share < COMPLETE:
        width = margin_width(image[vertebra.box], pieces.mask, marrow.mask, vertebra.spacing)
    return found | {
        "endplate_localisation": endplate_localisation(
            depths, spine.outlines[vertebra.label], nearest_step(frame_of(vertebra).axes[2], vertebra.spacing)
        ),
        "largest_share": float(pieces.mm3[0] / pieces.mm3.sum()),
        "margin_width_mm": width,
    }


def _pieces(replaced: Mask, inside: Mask, spacing: tuple[float, float, float]) -> Components:
    """Return the foci that reach deeper than 2 mm: on T1 the cortex beside the marrow is dark as well."""
    deep = eroded(inside, spacing, CORTEX_MM, slice_axis(spacing))
    return foci(reaching(foci(replaced, spacing), deep), spacing)


def below(image: Image, inside: Mask, expected: Spread) -> Mask:
    """Return the voxels that are darker than expected by more than two robust standard deviations.

    Parameters
    ----------
    image : ndarray
        In the box of the vertebra.
    inside : ndarray of bool
        Its marrow.
    expected : Spread
        Of the references.
    """
    return np.asarray(inside & (image < expected.centre - DEVIATIONS * expected.width))


def endplate_localisation(depths: Depths, outline: Outline, step: float = 0.0) -> float:
    """Return where voxels lie: +1 under the depressed endplate, 0 uniform, -1 under the opposite one.

    Mean of 1 - 2 min(1, depth / height), depth from the more depressed endplate. In a wedge or a crush
    neither endplate need be depressed below the line through its corners; where neither is by 1 mm and by one
    voxel, which the steps of a flat endplate reach, the endplate nearer to the voxels is taken, so that the
    value is not negative [O].

    Parameters
    ----------
    depths : Depths
        Of the voxels.
    outline : Outline
        Of the body.
    step : float, default 0.0
        Size of a voxel along the body's axis, mm.
    """
    height = np.maximum(depths.height, 1e-6)
    under = [
        float(np.mean(1 - 2 * np.clip(each / height, 0, 1))) for each in (depths.superior, depths.inferior)
    ]
    deepest = depression(outline)
    if deepest.depth < max(DEPRESSED_MM, step):
        return max(under)
    return under[0] if deepest.side == "superior" else under[1]


def band_score(image: Image, marrow: Marrow, frame: Frame, spacing: tuple[float, float, float]) -> Value:
    """Return the largest length / W x planarity of the dark plates along the endplates; 0 without any.

    Length is the longest extent of the plate, planarity 1 minus thickness over its second extent [O].
    The vein that leaves the middle of the posterior wall is a dark plate as well.

    Parameters
    ----------
    image : ndarray
        In the box of the vertebra.
    marrow : Marrow
        Of the vertebra.
    frame : Frame
        For its width and the directions of its endplates.
    spacing : tuple of float
        Millimetres along z, y, x.
    """
    if np.median(marrow.values) <= 0:
        return signal_ratio(0.0, float(np.median(marrow.values)))
    normals = plate_normals(frame)
    scores = [
        float((plates.lengths[:, 0] / frame.width * plates.planarity).max(initial=0.0))
        for plates in dark_plates(image, marrow.mask, normals, spacing)
    ]
    return max(scores)


def plate_normals(frame: Frame) -> Points:
    """Return the unit normals of the superior and the inferior endplate, shape (2, 3), along x, y, z."""

    def normal(plane: Plane) -> Floats:
        local = np.array([-plane.left, -plane.back, 1.0])
        return np.asarray(local / np.linalg.norm(local) @ frame.axes)

    return np.stack([normal(frame.superior), normal(frame.inferior)])
