"""Signs of bone density: HU of the trabecular body, its spread and trend, VBQ, losses against a norm."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from radiomics_vert.cohort import Level
from radiomics_vert.imaging.preprocessing import slice_axis
from radiomics_vert.signs.marrow import EROSION_MR_MM, eroded, intensities
from radiomics_vert.signs.nouns import Absent, Box, Mask, Value, Vertebra
from radiomics_vert.signs.references import WINDOW
from radiomics_vert.signs.results import SCAN, Measured
from radiomics_vert.signs.spine import Spine
from radiomics_vert.signs.trabeculae import measure_striation

LEAST_VOXELS = 30
"""Of a trabecular body whose values describe it [O]."""
LEAST_LEVELS = 3  # of a spread over levels, and of L1 to L4 for VBQ [O]
_CANAL_MM = 45.0  # how far behind the box of a body the canal can reach [O]
_HU = frozenset({"CT"})

Floats = npt.NDArray[np.float64]


class HuNorm(NamedTuple):
    """One row of a norm table.

    Parameters
    ----------
    sex : str
        `F` or `M`.
    age_from, age_to : float
        Years; the row holds from the first up to, not including, the second.
    hu : float
        Mean trabecular HU of healthy people of this age and sex.
    """

    sex: str
    age_from: float
    age_to: float
    hu: float


def norm_of(rows: Iterable[HuNorm], age: float, sex: str) -> dict[str, float]:
    """Return what a scan's `tables["norm"]` holds for a patient; empty where no row applies.

    No norm is built in: means depend on scanner and population.

    Parameters
    ----------
    rows : iterable of HuNorm
        The norm table.
    age : float
        Years.
    sex : str
        `F` or `M`.

    Examples
    --------
    >>> norm_of([HuNorm("F", 60, 70, 140.0), HuNorm("F", 70, 80, 115.0)], 70, "F")
    {'hu': 115.0}
    """
    found = [row.hu for row in rows if row.sex == sex and row.age_from <= age < row.age_to]
    return {"hu": found[0]} if found else {}


def intact_labels(spine: Spine) -> tuple[int, ...]:
    """Return the unfractured vertebrae of a scan, from the head down: all that are someone's reference."""
    known = {label for labels in spine.references.values() for label in labels}
    return tuple(vertebra.label for vertebra in spine.vertebrae if vertebra.label in known)


def skewness(values: Floats) -> float:
    """Return the third central moment over the cube of the standard deviation; NaN where all are alike.

    Examples
    --------
    >>> skewness(np.array([0.0, 0.0, 0.0, 4.0])) > 1.1
    True
    """
    apart = values - values.mean()
    variance = float((apart**2).mean())
    return float((apart**3).mean() / variance**1.5) if variance > 0 else float("nan")


def measure(spine: Spine) -> Measured:
    """Measure density and texture of the trabecular bodies, and what the whole scan shows of them.

    HU are given for CT only, whatever the image holds: MRI cannot give a bone density (S2 l.7).
    """
    image = spine.scan.image
    if image is None:
        return {}
    voxels = {v.label: intensities(image, v, spine.trabecular[v.label]) for v in spine.framed()}
    found: dict[int, Mapping[str, Value]] = {}
    for vertebra in spine.framed():
        own = voxels[vertebra.label]
        if len(own) < LEAST_VOXELS:
            few = Absent("RV338", f"{len(own)} trabecular voxels")
            found[vertebra.label] = dict.fromkeys((*_OF_VERTEBRA, "gst_vert", "grad_ratio"), few)
            continue
        values: dict[str, Value] = {"skewness_tb": skewness(own)}
        if spine.sequence in _HU:
            values |= _density(spine, own) | measure_striation(spine, vertebra)
        found[vertebra.label] = values
    medians = {label: float(np.median(own)) for label, own in voxels.items() if len(own) >= LEAST_VOXELS}
    found[SCAN] = _density_of_scan(spine, medians) if spine.sequence in _HU else {}
    if spine.sequence == "T1":
        found[SCAN] = {"vbq": _vbq(spine, medians)}
    return found


_OF_VERTEBRA = ("hu_tb", "hu_iqr_tb", "vbmd", "loss_vs_norm", "skewness_tb")


def _density(spine: Spine, own: Floats) -> dict[str, Value]:
    low, middle, high = (float(value) for value in np.quantile(own, (0.25, 0.5, 0.75)))
    values: dict[str, Value] = {"hu_tb": middle, "hu_iqr_tb": high - low}
    line = spine.scan.tables.get("calibration")
    if line is not None:
        values["vbmd"] = line["intercept"] + line["slope"] * middle
    norm = spine.scan.tables.get("norm", {}).get("hu")
    if norm is not None:
        positive = norm > 0
        values["loss_vs_norm"] = (
            1 - middle / norm if positive else Absent("RV338", f"a norm of {norm:g} HU is not positive")
        )
    return values


def _density_of_scan(spine: Spine, medians: Mapping[int, float]) -> dict[str, Value]:
    intact = [label for label in intact_labels(spine) if label in medians]
    levels = [medians[label] for label in intact]
    spread: Value = Absent("RV338", f"{len(levels)} of the {LEAST_LEVELS} unfractured levels of a spread")
    if len(levels) >= LEAST_LEVELS:
        mean = float(np.mean(levels))
        spread = Absent("RV338", "the mean HU is not positive")
        if mean > 0:
            spread = float(np.std(levels, ddof=1)) / mean
    return {"hu_tb_l1": _at_l1(spine, intact, medians), "hu_cv_levels": spread}


def _at_l1(spine: Spine, intact: list[int], medians: Mapping[int, float]) -> Value:
    row = [level for level in Level if level is not Level.T13]
    named = {label: level for label in intact if (level := spine.scan.levels[label]) in row}
    far = {label: abs(row.index(level) - row.index(Level.L1)) for label, level in named.items() if level}
    near = [label for label in intact if far.get(label, WINDOW + 1) <= WINDOW]
    if not near:
        return Absent("RV333", f"no level within {WINDOW} of L1 is known to be unfractured")
    # Of two equally near levels the upper one, which comes first.
    return medians[min(near, key=lambda label: far[label])]


def _vbq(spine: Spine, medians: Mapping[int, float]) -> Value:
    """Return the median signal of L1 to L4 over that of cerebrospinal fluid at L3."""
    levels = spine.scan.levels
    bone = [
        medians[label]
        for label in intact_labels(spine)
        if levels[label] in (Level.L1, Level.L2, Level.L3, Level.L4) and label in medians
    ]
    if len(bone) < LEAST_LEVELS:
        return Absent("RV338", f"{len(bone)} unfractured levels of L1 to L4, {LEAST_LEVELS} are needed")
    third = next((v for v in spine.framed() if v.level is Level.L3), None)
    if third is None:
        return Absent("RV338", "L3 was not measured")
    fluid = _fluid(spine, third)
    if len(fluid) < LEAST_VOXELS:
        return Absent("RV338", f"{len(fluid)} voxels of cerebrospinal fluid at L3")
    signal = float(np.median(fluid))
    return float(np.median(bone)) / signal if signal > 0 else Absent("RV338", "the fluid has no signal")


def _fluid(spine: Spine, vertebra: Vertebra) -> Floats:
    """Return the intensities of cerebrospinal fluid between the endplates of a vertebra.

    Of a mask of the canal, its inside without the cord [O]: 2 mm within the slices are left out, where fat
    and ligaments share the voxels. Roots of the cauda equina stay in.
    """
    scan, frame = spine.scan, vertebra.frame
    if scan.image is None or frame is None:
        return np.zeros(0)
    box = _backwards(vertebra, scan.labels.shape)
    fluid = scan.structure("csf", box)
    if fluid is None:
        fluid = _inside_canal(spine, box)
    if fluid is None:
        return np.zeros(0)
    index = np.argwhere(fluid)
    start = np.array([axis.start for axis in box])
    local = frame.to_local(((index + start) * np.array(scan.spacing))[:, ::-1])
    level = (local[:, 2] < frame.superior.height(0, 0)) & (local[:, 2] > frame.inferior.height(0, 0))
    return np.asarray(scan.image[box][tuple(index[level].T)], dtype=np.float64)


def _inside_canal(spine: Spine, box: Box) -> Mask | None:
    scan = spine.scan
    canal = scan.structure("canal", box)
    if canal is None:
        return None
    across = slice_axis(scan.spacing)
    inner = eroded(canal, scan.spacing, EROSION_MR_MM, across)
    cord = scan.structure("cord", box)
    return inner if cord is None else np.asarray(inner & ~cord)


def _backwards(vertebra: Vertebra, shape: tuple[int, ...]) -> Box:
    z, y, x = vertebra.box
    return z, slice(y.start, min(shape[1], y.stop + round(_CANAL_MM / vertebra.spacing[1]))), x
