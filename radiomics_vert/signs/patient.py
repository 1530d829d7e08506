"""Patterns over the whole scan: how many fractures, where, and how they alternate with normal levels."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from radiomics_vert.cohort import Level
from radiomics_vert.signs.heights import genant_grade, pit_instead
from radiomics_vert.signs.nouns import Absent, Value
from radiomics_vert.signs.results import SCAN, Measured
from radiomics_vert.signs.spine import Spine


def transitions(fractured: Sequence[bool]) -> int:
    """Return how often fractured and normal change from one to the next."""
    return int(np.count_nonzero(np.diff(np.asarray(fractured, int))))


def alternation(fractured: Sequence[bool]) -> float:
    """Return transitions over steps; NaN for fewer than two levels.

    Examples
    --------
    >>> alternation([True, False, True, False]), alternation([True, True, False, False, False])
    (1.0, 0.25)
    """
    return transitions(fractured) / (len(fractured) - 1) if len(fractured) > 1 else float("nan")


def runs_z(fractured: Sequence[bool]) -> float:
    """Return the normal deviate of the Wald-Wolfowitz runs test: positive when levels alternate.

    Parameters
    ----------
    fractured : sequence of bool
        From the head down.

    Returns
    -------
    float
        NaN where all are fractured, none is, or there are too few for a variance.

    Examples
    --------
    >>> round(runs_z([True, False] * 5), 3)
    2.683
    """
    n = len(fractured)
    yes = int(sum(fractured))
    pairs = 2 * yes * (n - yes)
    if pairs == 0:
        return float("nan")
    expected = pairs / n + 1
    variance = pairs * (pairs - n) / (n**2 * (n - 1))
    return (
        (transitions(fractured) + 1 - expected) / float(np.sqrt(variance)) if variance > 0 else float("nan")
    )


def measure(spine: Spine) -> Measured:
    """Count fractured vertebrae (grade 1 or more) and describe how they lie."""
    known = [label for label in spine.losses if pit_instead(spine, label) is None]
    known.sort(key=lambda label: spine.places[label])
    fractured = [genant_grade(spine.losses[label].largest) >= 1 for label in known]
    if not known:
        nothing = Absent("RV333", "no vertebra can be compared with an unfractured one")
        return {SCAN: dict.fromkeys(("n_fx", "alternation", "runs_z", "frac_t12_l4"), nothing)}
    levels = [spine.scan.levels[label] for label, broken in zip(known, fractured, strict=True) if broken]
    alone = Absent("RV338", "fewer than two levels were compared")
    same = Absent("RV338", "no fractured and normal levels side by side")
    values: dict[str, Value] = {
        "n_fx": float(sum(fractured)),
        "alternation": alternation(fractured) if len(fractured) > 1 else alone,
        "runs_z": z if np.isfinite(z := runs_z(fractured)) else same,
        "frac_t12_l4": _share_t12_l4(levels),
    }
    return {SCAN: values}


def _share_t12_l4(levels: Sequence[Level | None]) -> Value:
    if not levels:
        return Absent("RV338", "no vertebra is fractured")
    if any(level is None for level in levels):
        return Absent("RV337", "the label scheme names no levels")
    return float(np.mean([level is not None and Level.T12 <= level <= Level.L4 for level in levels]))
