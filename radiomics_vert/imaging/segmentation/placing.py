"""Put voxels that cover a part of an image's grid where they belong, by position."""

from __future__ import annotations

import numpy as np

from radiomics_vert.errors import ImageError, Problem
from radiomics_vert.imaging.comparison import require_same_geometry
from radiomics_vert.imaging.geometry import TOLERANCE_VOXELS, Geometry


def index_matrix(grid: Geometry) -> np.ndarray:
    """Return the matrix that turns millimetres (LPS) into steps along x, y, z of a grid, shape (3, 3)."""
    axes = np.array(grid.direction).reshape(3, 3) * np.array(grid.spacing)
    return np.asarray(np.linalg.inv(axes))


def to_index(points: np.ndarray, grid: Geometry) -> np.ndarray:
    """Return continuous voxel indices of positions.

    Parameters
    ----------
    points : ndarray of float, shape (n, 3)
        Millimetres, LPS.
    grid : Geometry
        Where index (0, 0, 0) is the centre of the first voxel.

    Returns
    -------
    ndarray of float, shape (n, 3)
        Along x, y, z.
    """
    return np.asarray((points - np.array(grid.origin)) @ index_matrix(grid).T)


def offset_on(part: Geometry, grid: Geometry, where: str) -> tuple[int, int, int]:
    """Return the voxel of `grid` at which the first voxel of `part` lies.

    Parameters
    ----------
    part, grid : Geometry
        `part` may be smaller or larger than `grid`, and may reach beyond it.
    where : str
        For the message.

    Raises
    ------
    ImageError
        RV201: other spacing or direction, or an offset that is no whole number of voxels.
    """
    origin = to_index(np.array([part.origin]), grid)[0]
    offset = np.rint(origin)
    axes = np.array(grid.direction).reshape(3, 3) * np.array(grid.spacing)
    shifted = Geometry(part.size, grid.spacing, tuple(np.array(grid.origin) + axes @ offset), grid.direction)
    if not shifted.matches(part):
        require_same_geometry(grid, part, where)
        raise off_grid(grid, f"{part}, {np.round(origin, 2).tolist()} voxels from the image's first", where)
    return int(offset[0]), int(offset[1]), int(offset[2])


def place(
    part: np.ndarray, offset: tuple[int, int, int], grid: Geometry, where: str, name: str
) -> np.ndarray:
    """Return a mask on the whole grid.

    Parameters
    ----------
    part : ndarray of bool, shape (z, y, x)
        Voxels of one segment.
    offset : tuple of int
        What :func:`offset_on` returned, along x, y, z.
    grid : Geometry
        The image's.
    where, name : str
        File and segment, for the message.

    Raises
    ------
    ImageError
        RV201: the segment has voxels outside of the image.
    """
    shape = grid.size[::-1]
    starts = offset[::-1]
    target = tuple(
        slice(max(0, start), max(0, min(extent, start + length)))
        for start, extent, length in zip(starts, shape, part.shape, strict=True)
    )
    source = tuple(
        slice(inside.start - start, max(inside.start, inside.stop) - start)
        for inside, start in zip(target, starts, strict=True)
    )
    out = np.zeros(shape, dtype=bool)
    if all(inside.stop > inside.start for inside in target):
        out[target] = part[source]
    lost = int(np.count_nonzero(part)) - int(np.count_nonzero(out))
    if lost:
        raise off_grid(grid, f"{lost} voxels of the segment {name!r} outside of the image", where)
    return out


def off_grid(grid: Geometry, found: str, where: str) -> ImageError:
    """Return the error of a mask that cannot be laid on the grid of its image."""
    return ImageError(
        Problem(
            "RV201",
            f"the mask on the grid of its image, within {TOLERANCE_VOXELS:g} voxel: {grid}",
            found,
            where,
            "use the mask that was drawn on this image, or resample it to this image "
            "with nearest-neighbour interpolation",
        )
    )
