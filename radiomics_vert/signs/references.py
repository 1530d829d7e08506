"""Which vertebrae serve as reference, and what height they let one expect.

A reference is unfractured and within three levels. Unfractured is found out from the heights themselves:
every vertebra is compared with a robust trend of log height over level through the others; the one with
the largest loss is taken out while that loss exceeds 15 %, and the comparison is repeated.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import combinations
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from radiomics_vert.cohort import Level
from radiomics_vert.signs.nouns import Vertebra

WINDOW = 3  # levels
UNFRACTURED = 0.15  # largest loss of a reference


class Heights(NamedTuple):
    """Distances between the endplates, mm: at u = 0.05, the least of 0.35-0.65, at u = 0.95."""

    anterior: float
    middle: float
    posterior: float


class Losses(NamedTuple):
    """1 minus height over expected height, at the same three places."""

    anterior: float
    middle: float
    posterior: float

    @property
    def largest(self) -> float:
        """The largest of the three."""
        return max(self)


def theil_sen(x: npt.ArrayLike, y: npt.ArrayLike, at: float) -> float:
    """Return the value at a place of the line with the median slope through some points.

    With fewer than three points no slope is trusted, and their median is returned.

    Parameters
    ----------
    x, y : array-like, shape (n,)
        The points, n at least 1.
    at : float
        Where the value is wanted.

    Examples
    --------
    >>> theil_sen([0, 1, 2, 3], [0, 1, 2, 30], 4)
    4.0
    """
    xs, ys = np.asarray(x, float), np.asarray(y, float)
    if len(xs) < 3:
        return float(np.median(ys))
    slopes = [(ys[j] - ys[i]) / (xs[j] - xs[i]) for i, j in combinations(range(len(xs)), 2) if xs[i] != xs[j]]
    slope = float(np.median(slopes)) if slopes else 0.0
    return float(np.median(ys - slope * xs) + slope * at)


def positions(vertebrae: Sequence[Vertebra]) -> dict[int, int]:
    """Return the place of each vertebra in the row of levels, by label; differences count levels.

    T13 counts only where it is present. Without levels the order from the head down is taken, and a gap
    of about two steps counts as two.

    Parameters
    ----------
    vertebrae : sequence of Vertebra
        From the head down.
    """
    if all(vertebra.level is None for vertebra in vertebrae):
        return _positions_by_distance(vertebrae)
    named = {vertebra.level for vertebra in vertebrae}
    row = [level for level in Level if level is not Level.T13 or level in named]
    return {v.label: row.index(v.level) for v in vertebrae if v.level is not None}


def _positions_by_distance(vertebrae: Sequence[Vertebra]) -> dict[int, int]:
    centres = np.array([v.points(v.mask).mean(axis=0) for v in vertebrae]).reshape(-1, 3)
    steps = np.sqrt((np.diff(centres, axis=0) ** 2).sum(axis=1))
    usual = float(np.median(steps)) if len(steps) else 1.0
    places = np.concatenate([[0], np.cumsum(np.maximum(1, np.rint(steps / usual).astype(int)))])
    return {v.label: int(place) for v, place in zip(vertebrae, places, strict=True)}


def losses_against(
    label: int, candidates: Sequence[int], places: Mapping[int, int], heights: Mapping[int, Heights]
) -> Losses | None:
    """Return the height losses of a vertebra against some others; None when none is within three levels."""
    near = within_window(label, candidates, places)
    if not near:
        return None
    found = []
    for part in range(3):
        logs = [np.log(heights[other][part]) for other in near]
        expected = theil_sen([places[other] for other in near], logs, places[label])
        found.append(1 - heights[label][part] / float(np.exp(expected)))
    return Losses(*found)


def within_window(label: int, candidates: Sequence[int], places: Mapping[int, int]) -> tuple[int, ...]:
    """Return the candidates within three levels of a vertebra, itself left out."""
    return tuple(
        other for other in candidates if other != label and abs(places[other] - places[label]) <= WINDOW
    )


def choose_references(
    trusted: Sequence[int], places: Mapping[int, int], heights: Mapping[int, Heights]
) -> tuple[int, ...]:
    """Return the vertebrae that are not fractured.

    Parameters
    ----------
    trusted : sequence of int
        Labels whose frames are good.
    places : mapping of int to int
        From :func:`positions`.
    heights : mapping of int to Heights
        By label.
    """
    kept = [label for label in trusted if label in heights and label in places]
    while len(kept) > 1:
        found = {label: losses_against(label, kept, places, heights) for label in kept}
        worst = max(kept, key=lambda label: losses.largest if (losses := found[label]) else -np.inf)
        losses = found[worst]
        if losses is None or losses.largest <= UNFRACTURED:
            break
        kept.remove(worst)
    return tuple(kept)
