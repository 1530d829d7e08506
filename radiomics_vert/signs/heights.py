"""Heights of the body, their losses against the neighbours, Genant grade and type of fracture."""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np

from radiomics_vert.signs.beside import frame_of
from radiomics_vert.signs.nouns import Absent, Value
from radiomics_vert.signs.pits import LEAST_MM, deepest_pits
from radiomics_vert.signs.references import Heights, Losses
from radiomics_vert.signs.results import SCAN, Measured
from radiomics_vert.signs.spine import Spine
from radiomics_vert.signs.surfaces import nearest_step
from radiomics_vert.signs.thickness import heights_unseen

GRADES = (0.20, 0.25, 0.40)
"""Least height loss of grades 1, 2 and 3 (Genant's semiquantitative grading)."""
PLANA = 0.6  # [O]
_MIDDLE = 0.25  # of depth and width to each side: a pit there is in reach of the middle height [O]
_ALIKE = 0.10  # anterior and posterior loss of a crush differ by less [O]


def genant_grade(loss: float) -> int:
    """Return the grade, 0 to 3, of the largest height loss.

    Examples
    --------
    >>> [genant_grade(loss) for loss in (0.19, 0.20, 0.25, 0.40)]
    [0, 1, 2, 3]
    """
    return sum(loss >= least for least in GRADES)


def fracture_type(losses: Losses) -> str:
    """Return `none`, `crush`, `wedge` or `biconcave`.

    Examples
    --------
    >>> fracture_type(Losses(0.30, 0.15, 0.02)), fracture_type(Losses(0.3, 0.35, 0.28))
    ('wedge', 'crush')
    """
    if genant_grade(losses.largest) == 0:
        return "none"
    if losses.posterior >= GRADES[0] and abs(losses.anterior - losses.posterior) < _ALIKE:
        return "crush"
    return "wedge" if losses.anterior - losses.posterior >= _ALIKE else "biconcave"


def measure(spine: Spine) -> Measured:
    """Measure heights, losses, grade, type and flatness of every vertebra, and their spread over the scan."""
    found: dict[int, Mapping[str, Value]] = {}
    for label, heights in spine.heights.items():
        values = _alone(heights)
        if label in spine.losses:
            values |= _against_neighbours(spine.losses[label])
            values |= _withheld(spine, label)
            pitted = pit_instead(spine, label)
            if pitted is not None:
                values |= dict.fromkeys(_JUDGED, pitted)
        unseen = heights_unseen(frame_of(spine.vertebra(label)), spine.scan.spacing, _expected(spine, label))
        if unseen is not None:
            values |= {name: unseen for name in _MEASURED if name in values}
        found[label] = values
    ratios = [ratio for values in found.values() if isinstance(ratio := values["ratio_mp"], float)]
    found[SCAN] = _spread(ratios)
    return found


def pit_instead(spine: Spine, label: int) -> Absent | None:
    """Return why a loss of middle height alone is no fracture for certain: pits may be all of it.

    The middle height is the least one, so that a Schmorl node of a whole vertebra lowers it.
    """
    losses = spine.losses[label]
    if losses.middle < GRADES[0] or max(losses.anterior, losses.posterior) >= GRADES[0]:
        return None
    vertebra = spine.vertebra(label)
    frame, expected = frame_of(vertebra), spine.heights[label].middle / (1 - losses.middle)
    depths = [
        pit.depth
        for pit in deepest_pits(spine, vertebra)
        if pit.depth >= LEAST_MM
        and abs(float(frame.u(pit.p)) - 0.5) <= _MIDDLE
        and abs(pit.x) <= _MIDDLE * frame.width
    ]
    if losses.middle - sum(depths) / expected >= GRADES[0]:
        return None
    told = " and ".join(f"{depth:.1f} mm" for depth in depths)
    return Absent("RV338", f"a pit of {told} may be all of the middle loss of {losses.middle:.2f}")


_JUDGED = ("genant_grade", "type_wedge", "type_biconcave", "type_crush")
_MEASURED = (
    "ha_mm",
    "hm_mm",
    "hp_mm",
    "ratio_ap",
    "ratio_mp",
    "loss_a",
    "loss_m",
    "loss_p",
    "loss_max",
    "flatness",
)
"""What thick slices take away; grade, type and plana stay where all that they leave open agrees."""


def _expected(spine: Spine, label: int) -> float:
    """Return the height that an intact body would have here, mm: the median of what references let expect.

    Without references it is the largest of its own, which a deformity leaves.
    """
    heights = np.array(spine.heights[label])
    if label not in spine.losses:
        return float(heights.max())
    return float(np.median(heights / (1 - np.array(spine.losses[label]))))


def _alone(heights: Heights) -> dict[str, Value]:
    return {
        "ha_mm": heights.anterior,
        "hm_mm": heights.middle,
        "hp_mm": heights.posterior,
        "ratio_ap": heights.anterior / heights.posterior,
        "ratio_mp": heights.middle / heights.posterior,
    }


def _against_neighbours(losses: Losses) -> dict[str, Value]:
    kind = fracture_type(losses)
    return {
        "loss_a": losses.anterior,
        "loss_m": losses.middle,
        "loss_p": losses.posterior,
        "loss_max": losses.largest,
        "genant_grade": float(genant_grade(losses.largest)),
        "type_wedge": float(kind == "wedge"),
        "type_biconcave": float(kind == "biconcave"),
        "type_crush": float(kind == "crush"),
        "flatness": 1 - losses.largest,
        "plana": float(min(losses) >= PLANA),
    }


def _withheld(spine: Spine, label: int) -> dict[str, Value]:
    """Return reasons in the place of a grade, a type and a plana that the slices are too coarse to tell.

    An endplate parallel to the slices may lie anywhere in one, so that a height is uncertain by 0.41 slices
    (two uniform distributions). Where this is more of the expected height than half the width of grade 1, a
    grade must be the same one such uncertainty up and down.
    """
    step = nearest_step(frame_of(spine.vertebra(label)).axes[2], spine.scan.spacing)
    loss, height = max(zip(spine.losses[label], spine.heights[label], strict=True))
    unsure = step / math.sqrt(6) * (1 - loss) / height
    if unsure <= (GRADES[1] - GRADES[0]) / 2:
        return {}
    found: dict[str, Value] = {}
    low, high = genant_grade(loss - unsure), genant_grade(loss + unsure)
    if low != high:
        reason = f"slices of {step:.2g} mm leave grades {low} to {high} open for a loss of {loss:.2f}"
        found |= dict.fromkeys(_JUDGED if low == 0 else ("genant_grade",), Absent("RV345", reason))
    least = min(spine.losses[label])
    if abs(least - PLANA) < unsure:
        reason = f"slices of {step:.2g} mm leave open whether a loss of {least:.2f} is {PLANA:g}"
        found["plana"] = Absent("RV345", reason)
    return found


def _spread(ratios: list[float]) -> dict[str, Value]:
    if len(ratios) < 3:
        few = Absent("RV338", f"{len(ratios)} of the three levels that a spread needs")
        return {"cv_levels": few, "hm_hp_median": few}
    return {
        "cv_levels": float(np.std(ratios, ddof=1) / np.mean(ratios)),
        "hm_hp_median": float(np.median(ratios)),
    }
