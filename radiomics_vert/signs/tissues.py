"""Signal of other tissues beside a vertebra: muscle, disc, cord, cerebrospinal fluid."""

from __future__ import annotations

from collections.abc import Collection

import numpy as np
import numpy.typing as npt

from radiomics_vert.cohort import Level
from radiomics_vert.signs.nouns import Absent, SignScan, Vertebra

LEAST_VOXELS = 20
"""Fewer give no stable median [O]."""
# The canal holds roots and fat as well; cerebrospinal fluid is the brighter part of it on T2 and STIR. [O]
_CSF_OF_CANAL = 75.0


def tissue_signal(scan: SignScan, vertebra: Vertebra, names: Collection[str]) -> float | Absent:
    """Return the median signal of some structures at the height of a vertebra.

    Where fewer than 20 voxels lie at its height (the cord ends above the lumbar spine), the whole scan
    counts [O].

    Parameters
    ----------
    scan : SignScan
        With its image.
    vertebra : Vertebra
        Its box gives the height.
    names : collection of str
        Names of layers, taken together; `muscle` also means `muscle_left`.
    """
    values = _voxels(scan, vertebra, names)
    if len(values) < LEAST_VOXELS:
        return Absent("RV331", f"no mask holds {' or '.join(names)} with {LEAST_VOXELS} voxels")
    return float(np.median(values))


def fluid_signal(scan: SignScan, vertebra: Vertebra) -> float | Absent:
    """Return the signal of cerebrospinal fluid: median of its mask, or upper quartile of the canal's [O].

    Parameters
    ----------
    scan : SignScan
        With its image, T2 or STIR.
    vertebra : Vertebra
        Its box gives the height.
    """
    if any(name.startswith("csf") for name in scan.layers):
        return tissue_signal(scan, vertebra, ("csf",))
    values = _voxels(scan, vertebra, ("canal",))
    if len(values) < LEAST_VOXELS:
        return Absent("RV331", f"no mask holds csf or canal with {LEAST_VOXELS} voxels")
    return float(np.percentile(values, _CSF_OF_CANAL))


def adjacent_discs(level: Level | None, above: Level | None) -> tuple[str, ...]:
    """Return the names of the disc layers next to a vertebra; a disc is named after the level above it.

    Parameters
    ----------
    level, above : Level or None
        Of the vertebra and of the next one above.
    """
    return tuple(f"disc_{each}" for each in (above, level) if each is not None)


def _voxels(scan: SignScan, vertebra: Vertebra, names: Collection[str]) -> npt.NDArray[np.float64]:
    layers = [
        layer
        for name, layer in sorted(scan.layers.items())
        if any(name == wanted or name.startswith(f"{wanted}_") for wanted in names)
    ]
    if scan.image is None or not layers:
        return np.zeros(0)
    slab = (vertebra.box[0], slice(None), slice(None))
    for box in (slab, (slice(None),) * 3):
        inside = np.logical_or.reduce([layer.mask(box) for layer in layers])
        values = scan.image[box][inside]
        if len(values) >= LEAST_VOXELS:
            break
    return np.asarray(values, np.float64)
