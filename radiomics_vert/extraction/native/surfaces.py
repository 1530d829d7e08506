"""Compiled measurements of a region's surface: kinds of mesh cubes, moments, diameters."""

from __future__ import annotations

import numpy as np

from radiomics_vert.extraction.native.compiling import compiled


@compiled
def count_cubes(mask: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Count the cubes between eight voxels by which of the eight are inside.

    Parameters
    ----------
    mask : ndarray of bool, shape (z, y, x)
        The region, with a margin of one voxel.

    Returns
    -------
    counts : ndarray of int, shape (256,)
        Cubes of each kind; bit 4 a + 2 b + c stands for the voxel a, b, c further along z, y, x.
    positions : ndarray of int, shape (3, 256)
        Sums of their indices along z, y, x.
    """
    counts, positions = np.zeros(256, np.int64), np.zeros((3, 256), np.int64)
    for z in range(mask.shape[0] - 1):
        for y in range(mask.shape[1] - 1):
            near, far = mask[z, y], mask[z + 1, y]
            near_next, far_next = mask[z, y + 1], mask[z + 1, y + 1]
            # Even bits: the voxels on the left; they were the ones on the right of the cube before.
            right = near[0] * 1 + near_next[0] * 4 + far[0] * 16 + far_next[0] * 64
            for x in range(mask.shape[2] - 1):
                left = right
                right = near[x + 1] * 1 + near_next[x + 1] * 4 + far[x + 1] * 16 + far_next[x + 1] * 64
                kind = left + 2 * right
                if 0 < kind < 255:
                    counts[kind] += 1
                    positions[0, kind] += z
                    positions[1, kind] += y
                    positions[2, kind] += x
    return counts, positions


@compiled
def moments(mask: np.ndarray) -> np.ndarray:
    """Return the sums 1, z, y, x, zz, yy, xx, zy, zx, yx over the voxels of a region."""
    sums = np.zeros(10, np.int64)
    for z in range(mask.shape[0]):
        for y in range(mask.shape[1]):
            n, along, squares = 0, 0, 0
            for x in range(mask.shape[2]):
                if mask[z, y, x]:
                    n += 1
                    along += x
                    squares += x * x
            sums[0] += n
            sums[1] += n * z
            sums[2] += n * y
            sums[3] += along
            sums[4] += n * z * z
            sums[5] += n * y * y
            sums[6] += squares
            sums[7] += n * z * y
            sums[8] += along * z
            sums[9] += along * y
    return sums


@compiled
def _chain(rows: np.ndarray, ends: np.ndarray, sign: int, chain: np.ndarray) -> int:
    """Write the corners of the convex boundary on one side; return how many."""
    size = 0
    for k in range(rows.size):
        while size > 1:
            a, b = chain[size - 2], chain[size - 1]
            turn = (rows[b] - rows[a]) * (ends[k] - ends[a]) - (ends[b] - ends[a]) * (rows[k] - rows[a])
            if sign * turn < 0:
                break
            size -= 1
        chain[size] = k
        size += 1
    return size


@compiled
def planar_diameter(
    vertices: np.ndarray, axes: np.ndarray, extents: np.ndarray, spacing: np.ndarray, corners: np.ndarray
) -> float:
    """Return the largest squared distance between vertices in one plane, and count plane corners.

    Parameters
    ----------
    vertices : ndarray of int, shape (n_vertices, 3)
        Indices along z, y, x on a lattice of half voxels.
    axes : ndarray of int, shape (3,)
        Axis across the planes, axis across the rows of a plane, axis along the rows.
    extents : ndarray of int, shape (3,)
        Extent of the lattice along z, y, x.
    spacing : ndarray, shape (3,)
        Millimetres between lattice points along z, y, x.
    corners : ndarray of uint8, shape of the lattice
        Increased by one where a vertex is a corner of the convex hull of its plane.
    """
    planes, rows_count = extents[axes[0]], extents[axes[1]]
    low = np.full((planes, rows_count), 1 << 30, np.int64)
    high = np.full((planes, rows_count), -1, np.int64)
    for v in range(vertices.shape[0]):
        plane, row, along = vertices[v, axes[0]], vertices[v, axes[1]], vertices[v, axes[2]]
        low[plane, row] = min(low[plane, row], along)
        high[plane, row] = max(high[plane, row], along)
    rows, first, last = (
        np.empty(rows_count, np.int64),
        np.empty(rows_count, np.int64),
        np.empty(rows_count, np.int64),
    )
    chain = np.empty(rows_count, np.int64)
    points = np.empty((2 * rows_count, 2), np.int64)
    at = np.empty(3, np.int64)
    largest = 0.0
    for plane in range(planes):
        filled = 0
        for row in range(rows_count):
            if high[plane, row] >= 0:
                rows[filled], first[filled], last[filled] = row, low[plane, row], high[plane, row]
                filled += 1
        count = 0
        for side in range(2):
            ends = last if side else first
            size = _chain(rows[:filled], ends[:filled], 1 if side else -1, chain)
            for k in range(size):
                row, along = rows[chain[k]], ends[chain[k]]
                if side and along == first[chain[k]] and (k == 0 or k == size - 1):
                    continue  # a row of one point ends both chains
                points[count, 0], points[count, 1] = row, along
                count += 1
                at[axes[0]], at[axes[1]], at[axes[2]] = plane, row, along
                corners[at[0], at[1], at[2]] += 1
        for i in range(count):
            for j in range(i):
                across = (points[i, 0] - points[j, 0]) * spacing[axes[1]]
                along_mm = (points[i, 1] - points[j, 1]) * spacing[axes[2]]
                largest = max(largest, across * across + along_mm * along_mm)
    return largest


@compiled
def spatial_diameter(vertices: np.ndarray, corners: np.ndarray, spacing: np.ndarray) -> float:
    """Return the largest squared distance between vertices that are corners of all three of their planes.

    The corners of the convex hull in space are among them.
    """
    points = np.empty((3, vertices.shape[0]))
    count = 0
    for v in range(vertices.shape[0]):
        z, y, x = vertices[v, 0], vertices[v, 1], vertices[v, 2]
        if corners[z, y, x] == 3:
            points[0, count] = z * spacing[0]
            points[1, count] = y * spacing[1]
            points[2, count] = x * spacing[2]
            count += 1
    largest = 0.0
    for i in range(count):
        for j in range(i):
            dz, dy, dx = points[0, i] - points[0, j], points[1, i] - points[1, j], points[2, i] - points[2, j]
            largest = max(largest, dz * dz + dy * dy + dx * dx)
    return largest
