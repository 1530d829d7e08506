"""Is a depression or a bulge rounded or angled? One index for endplates and posterior walls."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from radiomics_vert.signs.nouns import Absent
from radiomics_vert.signs.surfaces import Floats

UNSHAPED = Absent("RV338", "the voxels are too coarse to tell an arc from an angle")

# Where the apex of an angle may lie along the profile, and how far from that of the parabola. [O]
_APEX, _APART = np.linspace(0.2, 0.8, 25), 0.126
_BINS = 20  # parts of the profile that weigh alike, however many points they have [O]
_LEAST_PLACES = 5  # different positions
# Weight of deviations within the voxel: decides among curves that pass through all voxels alike. [O]
_WITHIN = 0.01
# Deviations count no more than this many half voxels: a spur is not the shape. [O]
_FARTHEST = 4.0
# Mean squared deviation beyond the voxel, in half voxels, that one of the shapes must have at least. [O]
_SEEN = 0.001
_ROUNDS = 15


def angularity(position: Floats, value: Floats, voxel: float) -> float | None:
    """Return whether a profile is a parabola (-1) or two straight lines (+1).

    (SSE of the parabola - SSE of the lines) / (their sum). A point of a voxel's surface lies within half a
    voxel of the true one, so that only deviations beyond that count [O]: the steps of the voxels would drown
    the shape otherwise. The apex of the lines lies near that of the parabola, so that neither shape is freer
    to follow the steps than the other.

    Parameters
    ----------
    position : ndarray, shape (n,)
        0 to 1.
    value : ndarray, shape (n,)
        mm.
    voxel : float
        Size of a voxel along the values, mm.

    Returns
    -------
    float or None
        None where the voxels are too coarse to tell: fewer than five different positions, or both shapes
        pass through all voxels.

    Examples
    --------
    >>> t = np.linspace(0, 1, 200)
    >>> angularity(t, 4 * t * (1 - t), 0.1) < -0.9 and angularity(t, 4 - abs(8 * t - 4), 0.1) > 0.9
    True
    >>> angularity(t, t * (1 - t), 2.0) is None
    True
    """
    if len(np.unique(np.round(position, 2))) < _LEAST_PLACES:
        return None
    bins = np.minimum((position * _BINS).astype(np.int64), _BINS - 1)
    weights = 1 / np.bincount(bins)[bins]
    weights /= weights.sum()
    scaled = (value - value.mean()) / (voxel / 2)
    parabola, curve = _fit(np.vander(position, 3), scaled, weights)
    tip = -curve[1] / (2 * curve[0]) if curve[0] else 0.5
    near = _APEX[np.abs(_APEX - np.clip(tip, _APEX[5], _APEX[-6])) <= _APART]
    ones = np.ones_like(position)
    angles = [
        _fit(np.column_stack([ones, position, np.maximum(position - apex, 0)]), scaled, weights)[0]
        for apex in near
    ]
    lines = min(angles, key=lambda found: found.total)
    total = parabola.total + lines.total
    if max(parabola.beyond, lines.beyond) < _SEEN:
        return None
    return (parabola.total - lines.total) / total


class _Misfit(NamedTuple):
    """Mean squared deviation beyond half a voxel, and with the small part of what lies within it."""

    beyond: float
    total: float


def _fit(design: Floats, y: Floats, weights: Floats) -> tuple[_Misfit, Floats]:
    """Fit a shape to values in half voxels by least squares of what lies beyond them."""
    pull, target = weights, y
    coefficients: Floats = np.zeros(design.shape[1])
    for _ in range(_ROUNDS):
        weighted = design * pull[:, None]
        gram = weighted.T @ design
        gram[np.diag_indices_from(gram)] += 1e-9
        coefficients = np.asarray(np.linalg.solve(gram, weighted.T @ target), float)
        residuals = y - design @ coefficients
        out = np.abs(residuals) > 1
        # Minimum of (|r| - 1)^2 + within r^2, as least squares towards a moved target.
        pull = np.where(out, weights * (1 + _WITHIN), weights * _WITHIN)
        target = np.where(out, y - np.sign(residuals) / (1 + _WITHIN), y)
    size = np.minimum(np.abs(y - design @ coefficients), _FARTHEST)
    beyond = float((weights * np.maximum(size - 1, 0) ** 2).sum())
    return _Misfit(beyond, beyond + _WITHIN * float((weights * size**2).sum())), coefficients
