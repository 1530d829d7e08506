"""Where the intensities of a tissue lie, how far they spread, and the map that standardises them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import SimpleITK as sitk

# For normally distributed values, the standard deviation is this multiple of the median absolute
# deviation: 1 / (75th percentile of the standard normal distribution), 1.4826.
MAD_TO_SD = 1.482602218505602


@dataclass(frozen=True)
class Spread:
    """Centre and width of a set of intensities, in the units of the image.

    Parameters
    ----------
    centre : float
        Median or mean.
    width : float
        1.4826 times the median absolute deviation, or the standard deviation.
    voxels : int
        How many voxels they come from.
    """

    centre: float
    width: float
    voxels: int

    @property
    def usable(self) -> bool:
        """Whether something can be divided by the width."""
        return bool(np.isfinite(self.centre) and np.isfinite(self.width) and self.width > 0)


@dataclass(frozen=True)
class AffineMap:
    """z = (I - centre) / width.

    Parameters
    ----------
    centre, width : float
        In the units of the image; z has no unit.

    Examples
    --------
    >>> AffineMap(300.0, 50.0).values(np.array([200, 300, 450])).tolist()
    [-2.0, 0.0, 3.0]
    """

    centre: float
    width: float

    def values(self, voxels: np.ndarray) -> np.ndarray:
        """Return mapped voxels as 64-bit floats."""
        return (np.asarray(voxels, dtype=np.float64) - self.centre) / self.width

    def apply(self, volume: sitk.Image) -> sitk.Image:
        """Return a mapped image as 32-bit floats on the same grid."""
        mapped = sitk.GetImageFromArray(self.values(sitk.GetArrayViewFromImage(volume)).astype(np.float32))
        mapped.CopyInformation(volume)
        return mapped


def robust_spread(voxels: np.ndarray) -> Spread:
    """Return median and scaled median absolute deviation; a minority of odd voxels moves neither far.

    Parameters
    ----------
    voxels : ndarray
        Intensities of a region, any shape.

    Examples
    --------
    >>> robust_spread(np.array([1.0, 2.0, 3.0, 4.0, 1000.0]))
    Spread(centre=3.0, width=1.482602218505602, voxels=5)
    """
    if not voxels.size:
        return Spread(float("nan"), float("nan"), 0)
    centre = float(np.median(voxels))
    apart = np.abs(np.asarray(voxels, dtype=np.float64) - centre)
    return Spread(centre, MAD_TO_SD * float(np.median(apart)), int(voxels.size))


def standard_spread(voxels: np.ndarray) -> Spread:
    """Return mean and standard deviation (divisor n): what a z-score within a mask divides by.

    Parameters
    ----------
    voxels : ndarray
        Intensities of a region, any shape.
    """
    if not voxels.size:
        return Spread(float("nan"), float("nan"), 0)
    values = np.asarray(voxels, dtype=np.float64)
    return Spread(float(values.mean()), float(values.std()), int(voxels.size))
