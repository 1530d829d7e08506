"""Voxels that are no bone: cement and metal above it, gas below it. Distances in millimetres."""

from __future__ import annotations

import numpy as np
from scipy import ndimage


def bright_voxels(
    voxels: np.ndarray, spacing: tuple[float, ...], above: float, margin_mm: float
) -> np.ndarray:
    """Return the voxels above a value and all whose centres lie within a margin of one of them.

    Parameters
    ----------
    voxels : ndarray, shape (z, y, x)
        Intensities. To be complete for a region, the block must reach `margin_mm` beyond it.
    spacing : tuple of float
        Millimetres along x, y, z.
    above : float
        Voxels above this value are cement or metal; on CT in Hounsfield units.
    margin_mm : float
        Partial volume and blooming reach this far, measured along the line between voxel centres.

    Returns
    -------
    ndarray of bool, shape (z, y, x)
    """
    bright = voxels > above
    if not bright.any() or margin_mm <= 0:
        return np.asarray(bright)
    distance = ndimage.distance_transform_edt(~bright, sampling=spacing[::-1])
    # A voxel exactly at the margin belongs to it, whatever the last digit of its distance.
    return np.asarray(distance <= margin_mm * (1 + 1e-9))


def gas_volume_ml(
    voxels: np.ndarray, region: np.ndarray, spacing: tuple[float, ...], below: float, erosion_mm: float
) -> float:
    """Return how much gas a vertebra holds (intravertebral vacuum cleft), in millilitres.

    Gas is a finding of its own: it is measured before low values are left out of texture.

    Parameters
    ----------
    voxels : ndarray, shape (z, y, x)
        Intensities; on CT in Hounsfield units.
    region : ndarray of bool, shape (z, y, x)
        The vertebra. What lies beyond the block counts as outside.
    spacing : tuple of float
        Millimetres along x, y, z.
    below : float
        Voxels below this value are gas.
    erosion_mm : float
        Voxels whose centre lies within this distance of a voxel outside are not counted: air or fat beside
        an outline that is drawn too wide is no cleft.
    """
    low = region & (voxels < below)
    if not low.any():
        return 0.0
    # Layers of background stand for what lies beyond the block.
    framed = np.pad(region, 1)
    distance = ndimage.distance_transform_edt(framed, sampling=spacing[::-1])[1:-1, 1:-1, 1:-1]
    inside = distance > erosion_mm * (1 + 1e-9)
    return float(np.count_nonzero(inside & low) * np.prod(spacing) / 1000)
