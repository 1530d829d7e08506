"""Image and mask must share one grid; when they do not, say in which way and what to do."""

from __future__ import annotations

import numpy as np

from radiomics_vert.errors import ImageError, Problem
from radiomics_vert.imaging.geometry import TOLERANCE_VOXELS, Geometry

_AXES = "xyz"


def require_same_geometry(
    image: Geometry, mask: Geometry, where: str, tolerance: float = TOLERANCE_VOXELS
) -> None:
    """Refuse a mask that does not lie on the grid of its image.

    Parameters
    ----------
    image, mask : Geometry
        The two grids.
    where : str
        Which scan, for the message.
    tolerance : float, default 0.01
        Largest distance between the corners of the grids, in voxels (of the shortest edge).

    Raises
    ------
    ImageError
        RV201: both geometries, the likely cause, and the remedy.
    """
    if image.matches(mask, tolerance):
        return
    cause, remedy = _diagnosis(image, mask)
    raise ImageError(
        Problem(
            "RV201",
            f"the mask on the grid of its image, within {tolerance:g} voxel: {image}",
            f"{mask}. Likely cause: {cause}",
            where,
            remedy,
        )
    )


def _diagnosis(image: Geometry, mask: Geometry) -> tuple[str, str]:
    resample = (
        "put the mask on the image's grid with nearest-neighbour interpolation (3D Slicer: Resample Scalar "
        "Volume with the image as reference), or outline on this image"
    )
    if image.size != mask.size:
        return _size_cause(image, mask), resample
    if not np.allclose(image.spacing, mask.spacing, rtol=1e-3, atol=0):
        return "different voxel sizes; the header of one file was changed or rounded", resample
    if _relative_direction(image, mask).round(3).tolist() != np.eye(3).tolist():
        return _direction_cause(image, mask), resample
    return _origin_cause(image, mask)


def _size_cause(image: Geometry, mask: Geometry) -> str:
    differing = [axis for axis in range(3) if image.size[axis] != mask.size[axis]]
    if sorted(image.size) == sorted(mask.size):
        return "the axes are in another order; one of the two files was re-oriented"
    respaced = not np.allclose(image.spacing, mask.spacing, rtol=1e-3, atol=0)
    if respaced and np.allclose(_extent(image), _extent(mask), rtol=0.02):
        return "the same field of view with other voxel sizes; the mask was drawn on a resampled image"
    if len(differing) == 1:
        axis = differing[0]
        change = mask.size[axis] - image.size[axis]
        return (
            f"the slice count along {_AXES[axis]} differs, {mask.size[axis]} in the mask and "
            f"{image.size[axis]} in the image ({change:+d}); slices were lost or added, or the mask belongs "
            "to another series"
        )
    return "the mask was drawn on another series, or on a cropped image"


def _extent(grid: Geometry) -> np.ndarray:
    return np.sort(np.array(grid.size) * np.array(grid.spacing))


def _matrix(grid: Geometry) -> np.ndarray:
    return np.array(grid.direction).reshape(3, 3)


def _relative_direction(image: Geometry, mask: Geometry) -> np.ndarray:
    """Return the axes of the mask (columns) along the axes of the image (rows)."""
    return np.asarray(_matrix(image).T @ _matrix(mask))


def _direction_cause(image: Geometry, mask: Geometry) -> str:
    relative = _relative_direction(image, mask).round(3)
    if np.abs(relative).round().tolist() == np.abs(relative).tolist():
        flipped = [_AXES[axis] for axis in range(3) if relative[axis, axis] == -1]
        if np.count_nonzero(np.diag(relative)) == 3:
            plural = "axes" if len(flipped) > 1 else "axis"
            return f"flipped {plural} {' and '.join(flipped)}; the directions point the opposite way"
        return "the axes are in another order; one of the two files was re-oriented"
    angle = np.degrees(np.arccos(np.clip((np.trace(relative) - 1) / 2, -1, 1)))
    return f"the grids are turned against each other by {angle:.2f} degrees; one header lost its obliquity"


def _origin_cause(image: Geometry, mask: Geometry) -> tuple[str, str]:
    apart = np.array(mask.origin) - np.array(image.origin)
    shift = _matrix(image).T @ apart / np.array(image.spacing)
    moved = ", ".join(f"{round(step, 2) + 0.0:+.2f}" for step in shift)
    text = f"the mask is shifted by ({moved}) voxels along x, y, z"
    same_file = "copy the image's header to the mask if they overlay voxel by voxel in a viewer"
    steps = np.abs(shift[np.abs(shift) > 0.02])
    if steps.size and np.allclose(steps, 0.5, atol=0.02):
        return f"{text}: half a voxel, one program counts from the voxel's corner", same_file
    mirrored = np.array(image.origin) * (-1, -1, 1)
    if np.allclose(mirrored, mask.origin, atol=0.1 * min(image.spacing)):
        return f"{text}: the origin has the signs of RAS instead of LPS", same_file
    return f"{text}; the origin was lost, or the mask belongs to another series", (
        f"{same_file}; otherwise use the mask that belongs to this image"
    )
