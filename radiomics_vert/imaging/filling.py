"""A volume that is filled some slices at a time, so that its voxels are in memory once."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import SimpleITK as sitk

_PIXELS: dict[np.dtype[Any], int] = {
    np.dtype(name): pixel
    for name, pixel in (
        ("i1", sitk.sitkInt8),
        ("u1", sitk.sitkUInt8),
        ("i2", sitk.sitkInt16),
        ("u2", sitk.sitkUInt16),
        ("i4", sitk.sitkInt32),
        ("u4", sitk.sitkUInt32),
        ("i8", sitk.sitkInt64),
        ("f4", sitk.sitkFloat32),
        ("f8", sitk.sitkFloat64),
    )
}


def pixel_type(kind: Any) -> int:
    """Return the name that SimpleITK has for a number type."""
    return _PIXELS[np.dtype(kind)]


class Filling:
    """A volume in the first of some number types that holds everything it is given.

    Parameters
    ----------
    size : sequence of int
        Voxels along x, y, z.
    kinds : sequence of dtype
        From narrow to wide; the last one is taken when no other holds the numbers.

    Examples
    --------
    >>> filling = Filling((2, 1, 2), ("u1", "u2"))
    >>> filling.add(np.array([[[1, 2]]]))
    >>> filling.add(np.array([[[3, 300]]]))
    >>> filling.full, filling.volume.GetPixelIDTypeAsString(), sitk.GetArrayFromImage(filling.volume).tolist()
    (True, '16-bit unsigned integer', [[[1, 2]], [[3, 300]]])
    """

    def __init__(self, size: Sequence[int], kinds: Sequence[Any]) -> None:
        self._kinds = [np.dtype(kind) for kind in kinds]
        self._low, self._high = np.inf, -np.inf
        self._filled = 0
        self.volume = sitk.Image(list(size), pixel_type(self._kinds[0]))

    @property
    def full(self) -> bool:
        """Whether every slice is there."""
        return bool(self._filled == self.volume.GetDepth())

    def add(self, slices: np.ndarray) -> None:
        """Fill the next slices, shape (z, y, x)."""
        if len(self._kinds) > 1:
            self._low, self._high = min(self._low, slices.min()), max(self._high, slices.max())
        while len(self._kinds) > 1 and not self._holds(self._kinds[0]):
            del self._kinds[0]
        pixel, end = pixel_type(self._kinds[0]), self._filled + len(slices)
        if self.volume.GetPixelID() != pixel:
            self.volume = sitk.Cast(self.volume, pixel)
        part = sitk.GetImageFromArray(slices.astype(self._kinds[0], copy=False))
        self.volume[:, :, self._filled : end] = part
        self._filled = end

    def _holds(self, kind: np.dtype[Any]) -> bool:
        limits = np.iinfo(kind)
        return bool(limits.min <= self._low and self._high <= limits.max)
