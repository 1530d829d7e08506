"""Enhancement by contrast medium: how much, how even, how large the parts without any and with much."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from radiomics_vert.signs.marrow import intensities
from radiomics_vert.signs.nouns import Absent, Mask, Value, Vertebra
from radiomics_vert.signs.replacement import NO_REFERENCE, few_voxels
from radiomics_vert.signs.results import Measured
from radiomics_vert.signs.spine import Spine
from radiomics_vert.signs.surfaces import Floats
from radiomics_vert.signs.tissues import LEAST_VOXELS

NONE_BELOW = 0.10
"""Relative enhancement below which tissue does not enhance, after the specification."""
HIGH_DEVIATIONS = 3.0
"""Median absolute deviations above the references' median, after the specification."""
LEAST_ENHANCEMENT = 0.02
"""A median below it is no divisor [O]."""
BEFORE = "T1"
"""Sequence of the companion before contrast medium."""
_SIGNS = ("enh_rel", "enh_rcov", "enh_nonfrac", "enh_hifrac", "enh_bimodality")


def relative_enhancement(after: npt.ArrayLike, before: npt.ArrayLike) -> Floats:
    """Return (after - before) / before of the voxels with signal before; both images share one scale.

    Parameters
    ----------
    after, before : array-like, shape (n,)
        Intensities of the same voxels.

    Returns
    -------
    ndarray, shape (m,)
        Without the voxels whose signal before is not positive.

    Examples
    --------
    >>> relative_enhancement([150.0, 100.0, 7.0], [100.0, 100.0, 0.0]).tolist()
    [0.5, 0.0]
    """
    post, pre = np.asarray(after, np.float64), np.asarray(before, np.float64)
    seen = pre > 0
    return np.asarray((post[seen] - pre[seen]) / pre[seen])


def bimodality(values: npt.ArrayLike) -> float:
    """Return Sarle's coefficient, (skewness squared + 1) / kurtosis: 1/3 normal, 5/9 uniform, 1 two values.

    Parameters
    ----------
    values : array-like, shape (n,)
        Population moments; NaN where all are alike.

    Examples
    --------
    >>> bimodality([0, 0, 1, 1])
    1.0
    """
    apart = np.asarray(values, np.float64)
    apart = apart - apart.mean()
    second = float((apart**2).mean())
    if second == 0:
        return float("nan")
    skewness = float((apart**3).mean()) / second**1.5
    kurtosis = float((apart**4).mean()) / second**2
    return float((skewness**2 + 1) / kurtosis)


def measure(spine: Spine) -> Measured:
    """Measure the enhancement of every vertebra; the companion before contrast medium is `T1`."""
    after, before = spine.scan.image, spine.scan.companions.get(BEFORE)
    if spine.sequence != "T1_CONTRAST" or after is None:
        return {}
    if before is None:
        missing = Absent("RV339", "no T1 before contrast medium on the same grid")
        return {vertebra.label: dict.fromkeys(_SIGNS, missing) for vertebra in spine.framed()}

    def enhanced(vertebra: Vertebra) -> Floats:
        mask: Mask = spine.trabecular[vertebra.label]
        return relative_enhancement(intensities(after, vertebra, mask), intensities(before, vertebra, mask))

    values = {vertebra.label: enhanced(vertebra) for vertebra in spine.framed()}
    return {
        label: _signs(own, [values[other] for other in spine.references.get(label, ()) if other in values])
        for label, own in values.items()
    }


def _signs(own: Floats, references: list[Floats]) -> dict[str, Value]:
    if len(own) < LEAST_VOXELS:
        return dict.fromkeys(_SIGNS, few_voxels(len(own)))
    middle = float(np.median(own))
    even: Value = Absent("RV338", f"a median enhancement of {middle:.3f} is no divisor")
    if middle >= LEAST_ENHANCEMENT:
        even = float(np.median(np.abs(own - middle))) / middle
    return {
        "enh_rcov": even,
        "enh_nonfrac": float((own < NONE_BELOW).mean()),
        "enh_bimodality": bimodality(own),
        **_against(own, np.concatenate(references) if references else np.zeros(0)),
    }


def _against(own: Floats, normal: Floats) -> dict[str, Value]:
    """Return the signs that compare with unfractured vertebrae, all their voxels together."""
    if len(normal) < LEAST_VOXELS:
        return dict.fromkeys(("enh_rel", "enh_hifrac"), NO_REFERENCE)
    centre = float(np.median(normal))
    limit = centre + HIGH_DEVIATIONS * float(np.median(np.abs(normal - centre)))
    relative: Value = Absent("RV338", f"the references enhance by {centre:.3f}, which is no divisor")
    if centre >= LEAST_ENHANCEMENT:
        relative = float(np.median(own)) / centre
    return {"enh_rel": relative, "enh_hifrac": float((own > limit).mean())}
