"""Compiled labelling of zones: connected voxels of one grey level."""

from __future__ import annotations

import numpy as np

from radiomics_vert.extraction.native.compiling import compiled


@compiled
def count_zones(
    numbered: np.ndarray, rows: np.ndarray, offsets: np.ndarray, levels: int
) -> tuple[np.ndarray, np.ndarray]:
    """Count zones by grey level and size.

    Parameters
    ----------
    numbered : ndarray of uint16, flat
        Padded volume; 0 outside the region.
    rows : ndarray of int, shape (n_rows, 2)
        First voxel and length of each row.
    offsets : ndarray of int
        One of each two opposite directions.
    levels : int
        Number of grey levels.

    Returns
    -------
    zones : ndarray of float, shape (levels, n_sizes)
        Zones by grey level and size.
    sizes : ndarray of float
        The sizes that occur, ascending.
    """
    left = numbered.copy()
    voxels = rows[:, 1].sum()
    stack = np.empty(voxels, np.int64)
    level_of, size_of = np.empty(voxels, np.int64), np.empty(voxels, np.int64)
    zones = 0
    for r in range(rows.shape[0]):
        for i in range(rows[r, 0], rows[r, 0] + rows[r, 1]):
            level = left[i]
            if level == 0:
                continue
            left[i] = 0
            stack[0], top, size = i, 1, 0
            while top > 0:
                top -= 1
                centre = stack[top]
                size += 1
                for a in range(offsets.size):
                    for neighbour in (centre + offsets[a], centre - offsets[a]):
                        if left[neighbour] == level:
                            left[neighbour] = 0
                            stack[top] = neighbour
                            top += 1
            level_of[zones], size_of[zones] = level, size
            zones += 1
    column = np.zeros(voxels + 1, np.int64)
    for zone in range(zones):
        column[size_of[zone]] = 1
    sizes = np.flatnonzero(column)
    column[sizes] = np.arange(sizes.size)
    table = np.zeros((levels, sizes.size))
    for zone in range(zones):
        table[level_of[zone] - 1, column[size_of[zone]]] += 1
    return table, sizes.astype(np.float64)
