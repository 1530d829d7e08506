"""What lies beside a body: boxes around parts of its frame, shares of voxels, averages within a structure."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import product

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from radiomics_vert.signs.nouns import Box, Frame, Mask, Points, SignScan, Vertebra
from radiomics_vert.signs.surfaces import Floats

Span = tuple[float, float]


def frame_of(vertebra: Vertebra) -> Frame:
    """Return the frame of a vertebra.

    Raises
    ------
    ValueError
        It has none.
    """
    if vertebra.frame is None:
        raise ValueError(f"{vertebra.case_id} has no frame")
    return vertebra.frame


def voxel_reach(vertebra: Vertebra) -> Floats:
    """Return the width of a voxel along x, p and z of the frame, mm, shape (3,)."""
    return np.asarray(np.abs(frame_of(vertebra).axes) @ np.array(vertebra.spacing[::-1]))


def box_around(scan: SignScan, frame: Frame, x: Span, p: Span, z: Span) -> Box | None:
    """Return the part of the scan that holds a cuboid of the frame; None where it lies outside the image.

    Parameters
    ----------
    scan : SignScan
        Its shape and spacing count.
    frame : Frame
        Of one vertebra.
    x, p, z : tuple of float
        From and to, mm in the frame.
    """
    corners = frame.to_scan(np.array(list(product(x, p, z))))[:, ::-1] / np.array(scan.spacing)
    low = np.floor(corners.min(axis=0)).astype(int)
    high = np.ceil(corners.max(axis=0)).astype(int) + 1
    found = [
        slice(max(0, int(a)), min(size, int(b)))
        for a, b, size in zip(low, high, scan.labels.shape, strict=True)
    ]
    if any(axis.start >= axis.stop for axis in found):
        return None
    return found[0], found[1], found[2]


def local_points(scan: SignScan, frame: Frame, mask: Mask, box: Box) -> Points:
    """Return the voxel centres of a mask in a box of the scan, in the frame, shape (n, 3), mm."""
    index = np.argwhere(mask) + np.array([axis.start for axis in box])
    return frame.to_local((index * np.array(scan.spacing))[:, ::-1])


def voxel_index(scan: SignScan, frame: Frame, local: Points) -> Floats:
    """Return the fractional index (z, y, x) in the scan of positions of the frame, shape (n, 3)."""
    return np.asarray(frame.to_scan(local)[:, ::-1] / np.array(scan.spacing))


def in_image(scan: SignScan, frame: Frame, local: Points) -> Mask:
    """Return which positions of the frame, shape (n, 3), lie in the image."""
    index = voxel_index(scan, frame, local)
    return np.asarray(((index > -0.5) & (index < np.array(scan.labels.shape) - 0.5)).all(axis=1))


def share_beyond(distance: npt.ArrayLike, reach: float) -> Floats:
    """Return which share of voxels lies beyond a plane.

    A voxel that the plane crosses counts for its part, so that thick slices move no boundary by half a slice.

    Parameters
    ----------
    distance : array-like
        Of the voxel centres from the plane, positive beyond it, mm.
    reach : float
        Width of a voxel across the plane, mm.

    Examples
    --------
    >>> share_beyond([-1.0, 0.0, 0.25, 3.0], 1.0).tolist()
    [0.0, 0.5, 0.75, 1.0]
    """
    return np.asarray(np.clip(np.asarray(distance, np.float64) / reach + 0.5, 0.0, 1.0))


def local_mean(
    image: npt.NDArray[np.floating], mask: Mask, spacing: Sequence[float], sigma: float
) -> npt.NDArray[np.float64]:
    """Return the average around each voxel of a mask, of voxels of the mask only, shape (n,).

    Parameters
    ----------
    image : ndarray, shape (z, y, x)
        Intensities.
    mask : ndarray of bool, shape (z, y, x)
        The structure.
    spacing : sequence of float
        Millimetres along z, y, x.
    sigma : float
        Of the Gaussian weights, mm.
    """
    if not mask.any():
        return np.zeros(0)
    part = ndimage.find_objects(mask.view(np.int8))[0]
    inside = mask[part].astype(np.float64)
    steps = [sigma / float(step) for step in spacing]
    total, weight = (
        ndimage.gaussian_filter(values, steps, mode="constant", truncate=3.0)
        for values in (np.where(mask[part], image[part], 0.0), inside)
    )
    return np.asarray(total[mask[part]] / weight[mask[part]])
