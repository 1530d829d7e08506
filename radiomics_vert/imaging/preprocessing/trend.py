"""The intensity that an unfractured vertebra of this scan would have at a given level."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from radiomics_vert.imaging.preprocessing.intensity import MAD_TO_SD, Spread

TREND_FROM = 3
"""Vertebrae from which a slope is fitted [our own default]; fewer give a flat line."""


@dataclass(frozen=True)
class LevelTrend:
    """A line through the medians of reference vertebrae, and the spread of their voxels about it.

    Parameters
    ----------
    intercept : float
        Intensity at position 0.
    slope : float
        Change of intensity per level towards the feet.
    width : float
        1.4826 times the median absolute residual of all reference voxels, each about the line at its level.
    first, last : float
        Positions of the uppermost and the lowest reference vertebra.
    vertebrae, voxels : int
        What the line comes from.
    """

    intercept: float
    slope: float
    width: float
    first: float
    last: float
    vertebrae: int
    voxels: int

    def at(self, position: float | None, reach: float) -> Spread:
        """Return the expected centre and width at a level.

        Parameters
        ----------
        position : float or None
            Of the level; None (a vertebra without a name) takes the middle of the reference vertebrae.
        reach : float
            The line is followed this many levels beyond the outermost reference vertebra, and is flat from
            there on: a slope of a few levels says nothing about the other end of the spine.
        """
        middle = (self.first + self.last) / 2
        place = middle if position is None else min(max(position, self.first - reach), self.last + reach)
        return Spread(self.intercept + self.slope * place, self.width, self.voxels)


def level_trend(positions: Sequence[float | None], voxels: Sequence[np.ndarray]) -> LevelTrend:
    """Fit the line: Theil-Sen, the median of the slopes of all pairs of vertebrae at different levels.

    Up to 29 of 100 vertebrae may be odd (an overlooked fracture, a haemangioma) before the slope breaks
    down (Sen 1968, J Am Stat Assoc 63:1379).

    Parameters
    ----------
    positions : sequence of float or None
        Of each reference vertebra, in levels from the head down. With None among them, or with fewer than
        :data:`TREND_FROM` vertebrae, there is no trend: the slope is 0.
    voxels : sequence of ndarray
        Intensities of each, not empty.

    Returns
    -------
    LevelTrend

    Examples
    --------
    >>> trend = level_trend([1, 2, 4], [np.array([9.0, 10.0, 11.0]), np.full(3, 12.0), np.full(3, 16.0)])
    >>> trend.slope, trend.at(3, reach=3).centre
    (2.0, 14.0)
    """
    named = all(position is not None for position in positions)
    places = np.array([position or 0 for position in positions] if named else [0] * len(positions), float)
    medians = np.array([np.median(part) for part in voxels], dtype=np.float64)
    first, second = np.triu_indices(len(places), k=1)
    run = places[second] - places[first]
    slopes = (medians[second] - medians[first])[run != 0] / run[run != 0]
    slope = float(np.median(slopes)) if slopes.size and len(places) >= TREND_FROM else 0.0
    intercept = float(np.median(medians - slope * places))
    expected = intercept + slope * places
    apart = np.concatenate(
        [np.abs(part.astype(np.float64).ravel() - line) for part, line in zip(voxels, expected, strict=True)]
    )
    return LevelTrend(
        intercept,
        slope,
        MAD_TO_SD * float(np.median(apart)),
        float(places.min()),
        float(places.max()),
        len(places),
        int(apart.size),
    )
