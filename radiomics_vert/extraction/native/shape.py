"""3-D shape features by pyradiomics' names, by compiled kernels."""

from __future__ import annotations

import numpy as np

from radiomics_vert.extraction.mesh import cube_areas, cube_volumes
from radiomics_vert.extraction.native import surfaces
from radiomics_vert.extraction.native.texture import feature_names


def shape_features(mask: np.ndarray, spacing: np.ndarray, features: tuple[str, ...]) -> dict[str, float]:
    """Compute 3-D shape features.

    Parameters
    ----------
    mask : ndarray of bool, shape (z, y, x)
        The region, cropped.
    spacing : ndarray, shape (3,)
        Millimetres along x, y, z.
    features : tuple of str
        Names; empty for all.
    """
    padded = np.pad(mask, 1)
    millimetres = np.asarray(spacing, dtype=float)[::-1]
    area, volume = surface_and_volume(padded, millimetres)
    slice_, column, row, anywhere = diameters(padded, millimetres)
    voxels, least, minor, major = principal_variances(padded, millimetres)
    unit_sphere = (36 * np.pi * volume**2) ** (1 / 3)
    found = {
        "MeshVolume": volume,
        "VoxelVolume": voxels * millimetres.prod(),
        "SurfaceArea": area,
        "SurfaceVolumeRatio": area / volume,
        "Sphericity": unit_sphere / area,
        "Compactness1": volume / (area**1.5 * np.sqrt(np.pi)),
        "Compactness2": 36 * np.pi * volume**2 / area**3,
        "SphericalDisproportion": area / unit_sphere,
        "Maximum3DDiameter": anywhere,
        "Maximum2DDiameterSlice": slice_,
        "Maximum2DDiameterColumn": column,
        "Maximum2DDiameterRow": row,
        "MajorAxisLength": 4 * np.sqrt(major),
        "MinorAxisLength": 4 * np.sqrt(minor),
        "LeastAxisLength": 4 * np.sqrt(least),
        "Elongation": np.sqrt(np.float64(minor) / major),
        "Flatness": np.sqrt(np.float64(least) / major),
    }
    wanted = feature_names("shape", features)
    return {f"original_shape_{name}": float(found[name]) for name in wanted}


def surface_and_volume(padded: np.ndarray, spacing: np.ndarray) -> tuple[float, float]:
    """Return area and volume of the surface mesh.

    Parameters
    ----------
    padded : ndarray of bool, shape (z, y, x)
        The region, with a margin of one voxel.
    spacing : ndarray, shape (3,)
        Millimetres along z, y, x.
    """
    counts, positions = surfaces.count_cubes(padded)
    at_origin, shifts = cube_volumes()
    volume = counts @ at_origin + (positions * shifts).sum()
    return float(counts @ cube_areas(tuple(spacing.tolist()))), float(volume * spacing.prod())


def diameters(padded: np.ndarray, spacing: np.ndarray) -> tuple[float, float, float, float]:
    """Return the largest distances between mesh vertices within planes of equal z, y, x, and in 3-D.

    Parameters
    ----------
    padded : ndarray of bool, shape (z, y, x)
        The region, with a margin of one voxel.
    spacing : ndarray, shape (3,)
        Millimetres along z, y, x.
    """
    vertices = mesh_vertices(padded)
    extents = 2 * np.array(padded.shape) - 1
    corners = np.zeros(extents, np.uint8)
    squared = [
        surfaces.planar_diameter(vertices, np.array(axes), extents, spacing / 2, corners)
        for axes in ((0, 1, 2), (1, 0, 2), (2, 0, 1))
    ]
    squared.append(surfaces.spatial_diameter(vertices, corners, spacing / 2))
    slice_, column, row, anywhere = (float(np.sqrt(value)) for value in squared)
    return slice_, column, row, anywhere


def mesh_vertices(padded: np.ndarray) -> np.ndarray:
    """Return the mesh vertices, halfway between a voxel inside and a neighbour outside.

    Returns
    -------
    ndarray of int, shape (n_vertices, 3)
        Indices along z, y, x on a lattice of half voxels: voxel k is at 2 k.
    """
    found = []
    for axis in range(3):
        ahead = tuple(slice(1, None) if a == axis else slice(None) for a in range(3))
        behind = tuple(slice(None, -1) if a == axis else slice(None) for a in range(3))
        changes = padded[ahead] != padded[behind]
        at = 2 * np.stack(np.unravel_index(np.flatnonzero(changes), changes.shape), axis=1)
        at[:, axis] += 1
        found.append(at)
    return np.concatenate(found)


def principal_variances(padded: np.ndarray, spacing: np.ndarray) -> tuple[int, float, float, float]:
    """Return voxels, and the variances of their positions along the region's own axes, ascending."""
    sums = [int(value) for value in surfaces.moments(padded)]
    n, first, second = sums[0], sums[1:4], sums[4:]

    # Whole numbers of any size: no digit is lost where the region is flat.
    def covariance(product: int, a: int, b: int) -> float:
        return float((n * product - first[a] * first[b]) / (n * n) * spacing[a] * spacing[b])

    zz, yy, xx, zy, zx, yx = (
        covariance(product, a, b)
        for product, (a, b) in zip(second, ((0, 0), (1, 1), (2, 2), (0, 1), (0, 2), (1, 2)), strict=True)
    )
    values = np.linalg.eigvalsh(np.array([[zz, zy, zx], [zy, yy, yx], [zx, yx, xx]]))
    least, minor, major = np.maximum(values, 0).tolist()  # rounding makes a zero slightly negative
    return n, least, minor, major
