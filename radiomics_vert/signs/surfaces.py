"""Surfaces of binary masks, finer than a voxel, and the robust fits that all geometric signs share.

The partial-volume rule of this room: a voxel belongs to a mask when its centre lies inside, so the surface
passes between the centres of an inside and an outside voxel, and half-way is its expectation. Every such
face gives one surface point. A single point is off by up to half a voxel along its axis; a surface that is
not parallel to the grid crosses the voxels at all phases, so that fits through many points are not biased.
An endplate that *is* parallel to thick slices stays uncertain by half a slice.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from radiomics_vert.signs.nouns import Box, Mask, Plane, Points

Floats = npt.NDArray[np.float64]

# Least scale of residuals in a robust fit: below this they are digitisation (of uniform spread). [O]
_FLOOR_MM, _FLOOR_VOXELS = 0.3, 0.3
_TUKEY = 4.685  # 95 % efficiency for normal residuals [K]


@dataclass(frozen=True, eq=False)
class Surface:
    """Points half-way between inside and outside voxels.

    Parameters
    ----------
    points : ndarray, shape (n, 3)
        In the scan's axes (x, y, z), mm.
    normals : ndarray, shape (n, 3)
        Unit vectors along the grid, pointing outwards.
    cut, cut_normals : ndarray, shape (m, 3)
        The same where the region reaches the edge of the image, so that its surface is not seen.
    """

    points: Points
    normals: Points
    cut: Points
    cut_normals: Points


def voxel_faces(mask: Mask, box: Box, spacing: tuple[float, float, float]) -> Surface:
    """Return the surface of a mask.

    Parameters
    ----------
    mask : ndarray of bool, shape of the box
        The region. The box is wider than the region except at the edge of the image.
    box : tuple of slice
        Where the array lies in the scan, (z, y, x).
    spacing : tuple of float
        Millimetres along z, y, x.
    """
    if not mask.any():
        none = np.zeros((0, 3))
        return Surface(none, none, none, none)
    tight = ndimage.find_objects(mask.view(np.int8))[0]
    padded = np.pad(mask[tight], 1).view(np.int8)
    inner = np.array([axis.start for axis in tight])
    starts = np.array([axis.start for axis in box]) + inner - 1
    points, normals, edges = [], [], []
    for axis in range(3):
        step = np.diff(padded, axis=axis)
        index = np.argwhere(step)
        normal = np.zeros((len(index), 3))
        normal[:, 2 - axis] = -step[tuple(index.T)]
        place = index[:, axis] + inner[axis]
        edges.append((place == 0) | (place == mask.shape[axis]))
        at = (index + starts).astype(np.float64)
        at[:, axis] += 0.5
        points.append((at * np.array(spacing))[:, ::-1])
        normals.append(normal)
    places, facing, cut = np.concatenate(points), np.concatenate(normals), np.concatenate(edges)
    return Surface(places[~cut], facing[~cut], places[cut], facing[cut])


def smeared_quantile(values: Floats, width: float, levels: tuple[float, ...]) -> Floats:
    """Return quantiles of voxels rather than of voxel centres: each value is spread over its width.

    Parameters
    ----------
    values : ndarray, shape (n,)
        Positions of voxel centres along a direction, mm.
    width : float
        Width of a voxel in that direction, mm.
    levels : tuple of float
        Between 0 and 1.
    """
    spread = np.linspace(-0.4, 0.4, 5) * width
    return np.asarray(np.quantile((values[:, None] + spread).ravel(), levels))


def outermost(columns: npt.NDArray[np.int64], height: Floats, tolerance: float) -> Mask:
    """Return which points are the highest of their column, up to a tolerance.

    Parameters
    ----------
    columns : ndarray of int, shape (n,)
        Column of each point.
    height : ndarray, shape (n,)
        Height of each point, mm.
    tolerance : float
        How far below the highest point another one still counts, mm.
    """
    if not len(columns):
        return np.zeros(0, bool)
    names, position = np.unique(columns, return_inverse=True)
    top = np.full(len(names), -np.inf)
    np.maximum.at(top, position, height)
    return np.asarray(height >= top[position] - tolerance)


def column_ids(first: Floats, second: Floats, reach: tuple[float, float]) -> npt.NDArray[np.int64]:
    """Return one number per rectangular column of points.

    Parameters
    ----------
    first, second : ndarray, shape (n,)
        The two coordinates across the columns, mm.
    reach : tuple of float
        Width of a voxel along both, mm; a column is as wide, and at least 1 mm.
    """
    row, column = (
        np.floor(values / max(1.0, width)).astype(np.int64) + 4096
        for values, width in zip((first, second), reach, strict=True)
    )
    return np.asarray(row * 8192 + column)


def nearest_step(direction: Floats, spacing: tuple[float, float, float]) -> float:
    """Return the size of a voxel along that of its edges which is nearest to a direction, mm.

    Parameters
    ----------
    direction : ndarray, shape (3,)
        Unit vector (x, y, z).
    spacing : tuple of float
        Millimetres along z, y, x.

    Examples
    --------
    >>> nearest_step(np.array([0.0, 0.6, 0.8]), (4.0, 1.0, 0.5))
    4.0
    """
    return float(spacing[::-1][int(np.argmax(np.abs(direction)))])


def tukey_weights(residuals: Floats, voxel: float) -> Floats:
    """Return Tukey's biweights of residuals in mm, for surface points of voxels of this size in mm."""
    scale = max(1.4826 * float(np.median(np.abs(residuals))), _FLOOR_MM, _FLOOR_VOXELS * voxel)
    ratio = np.clip(np.abs(residuals) / (_TUKEY * scale), 0, 1)
    return np.asarray((1 - ratio**2) ** 2)


def robust_fit(design: Floats, target: Floats, voxel: float, rounds: int = 8) -> Floats:
    """Return coefficients of a linear model by iteratively reweighted least squares (Tukey's biweight).

    Parameters
    ----------
    design : ndarray, shape (n, k)
        Columns of the model.
    target : ndarray, shape (n,)
        Values, mm.
    voxel : float
        Size of a voxel along the target, mm.
    rounds : int, default 8
        Reweightings.
    """
    weights = np.ones(len(target))
    coefficients: Floats = np.zeros(design.shape[1])
    for _ in range(rounds):
        # Normal equations: the designs here have few, well-scaled columns, and this is called often.
        weighted = design * weights[:, None]
        gram = weighted.T @ design
        gram[np.diag_indices_from(gram)] *= 1 + 1e-10
        coefficients = np.asarray(np.linalg.solve(gram, weighted.T @ target), float)
        weights = tukey_weights(target - design @ coefficients, voxel)
    return np.asarray(coefficients)


def robust_plane(x: Floats, p: Floats, z: Floats, voxel: float) -> Plane:
    """Fit z = offset + left x + back p through surface points, all shape (n,), of voxels of a height; mm."""
    offset, left, back = robust_fit(np.column_stack([np.ones_like(x), x, p]), z, voxel)
    residuals = z - (offset + left * x + back * p)
    spread = 1.4826 * float(np.median(np.abs(residuals)))
    return Plane(float(offset), float(left), float(back), spread, len(z))


def smooth_profile(
    position: Floats, value: Floats, grid: Floats, stiffness: float, voxel: float, order: int = 3
) -> Floats:
    """Return a robust smooth curve through scattered points, continued beyond them.

    Penalised least squares on differences (Whittaker), reweighted with Tukey's biweight.

    Parameters
    ----------
    position, value : ndarray, shape (n,)
        The points.
    grid : ndarray, shape (k,)
        Evenly spaced positions at which the curve is wanted; points outside are left out.
    stiffness : float
        Length over which the curve may bend, in units of the grid's step.
    voxel : float
        Size of a voxel along the values, mm.
    order : {2, 3}
        3 leaves a parabola as it is, and goes on as one beyond the points; 2 goes on straight, which a lip at
        the end of the profile moves less.

    Returns
    -------
    ndarray, shape (k,)
    """
    step = grid[1] - grid[0]
    place = (position - grid[0]) / step
    inside = (place >= 0) & (place <= len(grid) - 1)
    place, value = place[inside], value[inside]
    low = np.minimum(place.astype(np.int64), len(grid) - 2)
    part = place - low
    basis = np.zeros((len(place), len(grid)))
    rows = np.arange(len(place))
    basis[rows, low], basis[rows, low + 1] = 1 - part, part
    bend = np.diff(np.eye(len(grid)), order, axis=0)
    # Each grid step should weigh alike, however many points it has.
    density = np.maximum(basis.sum(axis=0), 1e-9)
    share = basis @ (1 / density)
    penalty = stiffness ** (2 * order) * bend.T @ bend
    curve, weights = np.zeros(len(grid)), np.ones(len(place))
    for _ in range(6):
        weighted = basis * (weights * share)[:, None]
        ridge = 1e-9 * np.eye(len(grid))
        curve = np.linalg.solve(weighted.T @ basis + penalty + ridge, weighted.T @ value)
        weights = tukey_weights(value - basis @ curve, voxel)
    return np.asarray(curve)
