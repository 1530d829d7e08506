"""Surface, volume and diameters of a region, equal to pyradiomics' C code without its quadratic search."""

from __future__ import annotations

from functools import lru_cache
from itertools import product

import numpy as np
from radiomics import cShape
from scipy.spatial import ConvexHull

_CORNERS = tuple(product((0, 1), repeat=3))


def surface_and_volume(mask: np.ndarray, spacing: np.ndarray) -> tuple[float, float]:
    """Return area and volume of the surface mesh.

    The mesh is made cube by cube (marching cubes, doi:10.1145/37402.37422), and a cube with given
    corners always adds the same. So cubes are counted, and pyradiomics' own C code is asked once for
    each of the 256 kinds.

    Parameters
    ----------
    mask : ndarray of bool, shape (z, y, x)
        The region, with a margin of at least one voxel.
    spacing : ndarray, shape (3,)
        Millimetres along z, y, x.

    Returns
    -------
    area, volume : float
        In square and cubic millimetres.
    """
    kinds = np.zeros([extent - 1 for extent in mask.shape], dtype=np.uint8)
    for bit, offsets in enumerate(_CORNERS):
        corner = tuple(slice(o, o + n) for o, n in zip(offsets, kinds.shape, strict=True))
        kinds |= mask[corner].astype(np.uint8) << bit
    position = np.nonzero((kinds != 0) & (kinds != 255))
    present = kinds[position]
    volumes, shifts = cube_volumes()
    volume = volumes[present].sum()
    for axis in range(3):
        volume += (position[axis] * shifts[axis][present]).sum()
    area = cube_areas(tuple(spacing.tolist()))[present].sum()
    return float(area), float(volume * spacing.prod())


def _cube(kind: int) -> np.ndarray:
    return np.array([kind >> bit & 1 for bit in range(8)], dtype=bool).reshape(2, 2, 2)


@lru_cache(maxsize=64)
def cube_areas(spacing: tuple[float, ...]) -> np.ndarray:
    """Return the mesh area in each of the 256 kinds of cubes; spacing along z, y, x."""
    millimetres = np.array(spacing)
    return np.array([cShape.calculate_coefficients(_cube(k), millimetres)[0] for k in range(256)])


@lru_cache(maxsize=1)
def cube_volumes() -> tuple[np.ndarray, np.ndarray]:
    """Return what each kind of cube adds at the origin, and what it adds more per voxel away from it.

    The volume is a sum of tetrahedra between the mesh and the origin, so a cube's share depends on
    where it is, and linearly so. A cube is moved by putting another one in front of it.
    """
    unit = np.ones(3)
    at_origin = np.array([cShape.calculate_coefficients(_cube(k), unit)[1] for k in range(256)])
    shifts = np.zeros((3, 256))
    for axis, kind in product(range(3), range(256)):
        cube = _cube(kind)
        face = cube.take([0], axis)
        before = np.concatenate([face, face], axis)
        both = cShape.calculate_coefficients(np.concatenate([face, cube], axis), unit)[1]
        shifts[axis, kind] = both - at_origin[kind] - cShape.calculate_coefficients(before, unit)[1]
    return at_origin, shifts


def diameters(mask: np.ndarray, spacing: np.ndarray) -> tuple[float, float, float, float]:
    """Return the largest distances between mesh vertices within planes of equal z, y, x, and in 3-D.

    The two ends of the largest distance in a plane are the first or last of their rows, so only rows
    are compared; in three dimensions, only corners of the convex hull.

    Parameters
    ----------
    mask : ndarray of bool, shape (z, y, x)
        The region, with a margin of at least one voxel.
    spacing : ndarray, shape (3,)
        Millimetres along z, y, x.

    Returns
    -------
    tuple of float
        Millimetres: same z, same y, same x, anywhere.
    """
    vertices = _vertices(mask)
    z, y, x = (float(value) / 2 for value in spacing)
    return (
        _planar(vertices, y, x),
        _planar(vertices.transpose(1, 0, 2), z, x),
        _planar(vertices.transpose(2, 0, 1), z, y),
        _spatial(vertices, spacing / 2),
    )


def _vertices(mask: np.ndarray) -> np.ndarray:
    """Mark the mesh vertices, which lie halfway between a voxel inside and a neighbour outside.

    Returns
    -------
    ndarray of bool
        On a lattice of half voxels: voxel k is at 2 k.
    """
    found = np.zeros([2 * extent - 1 for extent in mask.shape], dtype=bool)
    for axis in range(3):
        between = tuple(slice(1, None, 2) if a == axis else slice(None, None, 2) for a in range(3))
        found[between] = np.diff(mask, axis=axis)
    return found


def _planar(lattice: np.ndarray, between: float, along: float) -> float:
    """Return the largest in-plane distance; planes, rows and points of a row are the lattice's axes."""
    filled = np.asarray(lattice.any(axis=2))
    first = lattice.argmax(axis=2)
    last = lattice.shape[2] - 1 - lattice[:, :, ::-1].argmax(axis=2)
    largest = 0.0
    for plane in np.flatnonzero(filled.any(axis=1)):
        rows = np.flatnonzero(filled[plane])
        low, high = first[plane, rows], last[plane, rows]
        apart = (rows[-1] - rows[0]) * between, (high.max() - low.min()) * along
        if apart[0] ** 2 + apart[1] ** 2 <= largest:
            continue  # not even the corners of the bounding box are further apart
        # A negative reach belongs to the other order of the same two rows, where it is larger.
        reach = np.maximum(np.subtract.outer(high, low), 0) * along
        rise = np.subtract.outer(rows, rows) * between
        largest = max(largest, float((rise * rise + reach * reach).max()))
    return float(np.sqrt(largest))


def _spatial(lattice: np.ndarray, spacing: np.ndarray) -> float:
    points = _row_ends(lattice)
    millimetres = points[ConvexHull(points).vertices] * spacing
    squared = ((point - millimetres) ** 2 for point in millimetres)
    return float(np.sqrt(max(float(distances.sum(axis=1).max()) for distances in squared)))


def _row_ends(lattice: np.ndarray) -> np.ndarray:
    """Return index triples of the first and last point of every row along x."""
    z, y = np.nonzero(lattice.any(axis=2))
    rows = lattice[z, y]
    first = rows.argmax(axis=1)
    last = lattice.shape[2] - 1 - rows[:, ::-1].argmax(axis=1)
    return np.concatenate([np.stack([z, y, first], axis=1), np.stack([z, y, last], axis=1)])
