"""Coefficients of cubic B-splines with the bits of ITK, many lines at once and no more than are needed.

ITK filters every line of a block along every axis, one line after the other. Most of the block is margin, in
which the filter forgets the cut: along an axis that comes later, only lines through the wanted voxels matter.
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

Box = tuple[slice, slice, slice]


def coefficients(image: sitk.Image, kept: Box) -> sitk.Image:
    """Return the coefficients of the cubic spline through the voxels of an image.

    Parameters
    ----------
    image : SimpleITK.Image
        Three-dimensional, of any real number type.
    kept : tuple of slice
        Along z, y, x: where coefficients are wanted.

    Returns
    -------
    SimpleITK.Image
        64-bit floating point, on the grid of `image`; outside `kept` they are not the coefficients. For the
        interpolator `sitkBSplineResamplerOrder3`.
    """
    voxels = sitk.GetArrayViewFromImage(image)
    z, y, x = kept
    lines = np.ascontiguousarray(voxels.transpose(2, 0, 1)).astype(np.float64)  # x, z, y
    _filter(lines)
    lines = np.ascontiguousarray(lines[x].transpose(2, 1, 0))  # y, z, x
    _filter(lines)
    lines = np.ascontiguousarray(lines[y].transpose(1, 0, 2))  # z, y, x
    _filter(lines)
    whole = np.zeros(voxels.shape)
    whole[kept] = lines[z]
    found: sitk.Image = sitk.GetImageFromArray(whole)
    found.CopyInformation(image)
    return found


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
    image = sitk.GetImageFromArray(voxels.astype(np.float64))
    ours = coefficients(image, (slice(0, 9), slice(0, 14), slice(0, 30)))
    stock = sitk.BSplineDecomposition(image, 3)
    return np.array_equal(sitk.GetArrayViewFromImage(ours), sitk.GetArrayViewFromImage(stock))
