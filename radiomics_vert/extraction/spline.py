"""Coefficients of cubic B-splines with the bits of ITK, many lines at once and no more than are needed.

ITK filters every line of a block along every axis, one line after the other. Most of the block is margin, in
which the filter forgets the cut: along an axis that comes later, only lines through the wanted voxels matter.
What is not wanted is dropped slab by slab: all lines of a block are never there as floating-point numbers.
Source: M. Unser, Splines: a perfect fit for signal and image processing, IEEE Signal Process. Mag. 1999,
boxes 1 and 2, as ITK's `BSplineDecompositionImageFilter` computes them (mirrored borders, tolerance 1e-10).
"""

from __future__ import annotations

import math
from functools import cache

import numpy as np
import SimpleITK as sitk

POLE = math.sqrt(3.0) - 2.0
_TOLERANCE = 1e-10
_HORIZON = math.ceil(math.log(_TOLERANCE) / math.log(abs(POLE)))

_SLAB_VOXELS = 500_000
"""Filtered together along x and y: 4 MB as floating-point numbers."""

Box = tuple[slice, slice, slice]


def coefficients(voxels: np.ndarray, kept: Box) -> np.ndarray:
    """Return the coefficients of the cubic spline through voxels.

    Parameters
    ----------
    voxels : ndarray, shape (z, y, x)
        Of any real number type.
    kept : tuple of slice
        Along z, y, x: where coefficients are wanted.

    Returns
    -------
    ndarray of float64
        Those of `kept`. As an image, for the interpolator `sitkBSplineResamplerOrder3`.
    """
    z, y, x = kept
    lines = np.empty((len(voxels), *voxels[0, y, x].shape))
    slab = max(1, _SLAB_VOXELS // voxels[0].size)
    for first in range(0, len(voxels), slab):
        part = slice(first, first + slab)
        rows = np.ascontiguousarray(voxels[part].transpose(2, 0, 1)).astype(np.float64)  # x, z, y
        _filter(rows)
        columns = np.ascontiguousarray(rows[x].transpose(2, 1, 0))  # y, z, x
        _filter(columns)
        lines[part] = columns[y].transpose(1, 0, 2)
    _filter(lines)
    return np.asarray(lines[z])


def _filter(lines: np.ndarray) -> None:
    """Turn values along the first axis into coefficients, in place."""
    if len(lines) == 1:
        return
    lines *= (1.0 - POLE) * (1.0 - 1.0 / POLE)
    lines[0] = _first(lines)
    term = np.empty_like(lines[0])
    for k in range(1, len(lines)):
        np.multiply(lines[k - 1], POLE, out=term)
        lines[k] += term
    lines[-1] = (POLE / (POLE * POLE - 1.0)) * (POLE * lines[-2] + lines[-1])
    for k in range(len(lines) - 2, -1, -1):
        np.subtract(lines[k + 1], lines[k], out=lines[k])
        lines[k] *= POLE


def _first(lines: np.ndarray) -> np.ndarray:
    """Return where the recursion starts: the values beyond the first are its mirror image."""
    power, count = POLE, len(lines)
    if count > _HORIZON:
        total = lines[0].copy()
        for k in range(1, _HORIZON):
            total += power * lines[k]
            power *= POLE
        return np.asarray(total)
    back = POLE ** (count - 1)
    total = lines[0] + back * lines[-1]
    back *= back * (1.0 / POLE)
    for k in range(1, count - 1):
        total += (power + back) * lines[k]
        power *= POLE
        back *= 1.0 / POLE
    return np.asarray(total / (1.0 - power * power))


@cache
def same_bits() -> bool:
    """Tell whether the coefficients have the bits of ITK on this machine, by an example.

    A library that was compiled to fuse multiplications with additions rounds differently.
    """
    grids = np.indices((9, 14, 30))
    voxels = (grids[0] * 7919 + grids[1] * 104729 + grids[2] * 1299709) % 1009
    ours = coefficients(voxels, (slice(None), slice(None), slice(None)))
    stock = sitk.BSplineDecomposition(sitk.GetImageFromArray(voxels.astype(np.float64)), 3)
    return np.array_equal(ours, sitk.GetArrayViewFromImage(stock))
