"""Compiled labelling of zones: connected voxels of one grey level."""

from __future__ import annotations

from functools import cache

import numpy as np

from radiomics_vert.extraction.native.compiling import compiled
from radiomics_vert.extraction.native.counting import bit_numbers


@compiled
def _root(parents: np.ndarray, label: int) -> int:
    """Return the lowest label of a zone, and shorten the way to it."""
    while parents[label] != label:
        parents[label] = parents[parents[label]]
        label = parents[label]
    return label


def representatives(steps: np.ndarray) -> np.ndarray:
    """Return which neighbours suffice to join a voxel to the zones of all its equal neighbours.

    Neighbours that are neighbours of each other, and equal, were joined before.

    Parameters
    ----------
    steps : ndarray of int, shape (n_steps, 3)
        Directions, at most 16.

    Returns
    -------
    ndarray of uint16, shape (2 ** n_steps,)
        By the bits of all equal neighbours: one bit of each group of them that are joined to each other.
    """
    return _representatives(tuple(map(tuple, steps.tolist())))


@cache
def _representatives(steps: tuple[tuple[int, ...], ...]) -> np.ndarray:
    return one_of_each(np.array(steps, dtype=np.int64).reshape(-1, 3))


@compiled
def one_of_each(steps: np.ndarray) -> np.ndarray:
    """Compute what :func:`representatives` returns."""
    n = steps.shape[0]
    near = np.zeros(n, np.int64)
    for a in range(n):
        for b in range(n):
            for c in range(2 * n):  # joined only along a direction that counts, forwards or backwards
                sign, same = 1 - 2 * (c & 1), 0
                for axis in range(3):
                    same += steps[a, axis] - steps[b, axis] == sign * steps[c >> 1, axis]
                if same == 3:
                    near[a] |= 1 << b
    table = np.zeros(1 << n, np.uint16)
    for bits in range(1, 1 << n):
        left, kept = bits, 0
        while left:
            group, grown = 0, left & -left
            kept |= grown
            while grown != group:
                group = grown
                for a in range(n):
                    if group >> a & 1:
                        grown |= near[a] & bits
            left &= ~group
        table[bits] = kept
    return table


@compiled
def count_zones(
    numbered: np.ndarray,
    equals: np.ndarray,
    rows: np.ndarray,
    offsets: np.ndarray,
    kept: np.ndarray,
    levels: int,
) -> tuple[np.ndarray, np.ndarray]:
    """Count zones by grey level and size.

    Parameters
    ----------
    numbered : ndarray of uint16, flat
        Padded volume; 0 outside the region.
    equals : ndarray of uint16, flat
        From :func:`.counting.find_equals`.
    rows : ndarray of int, shape (n_rows, 2)
        First voxel and length of each row.
    offsets : ndarray of int
        One of each two opposite directions.
    kept : ndarray of uint16
        From :func:`representatives`.
    levels : int
        Number of grey levels.

    Returns
    -------
    zones : ndarray of float, shape (levels, n_sizes)
        Zones by grey level and size.
    sizes : ndarray of float
        The sizes that occur, ascending.
    """
    voxels = 0
    for r in range(rows.shape[0]):
        voxels += rows[r, 1]
    labels = np.empty(numbered.size, np.int32)
    parents, level_of, size_of = (
        np.empty(voxels, np.int32),
        np.empty(voxels, np.int32),
        np.zeros(voxels, np.int32),
    )
    numbers, count = bit_numbers(), 0
    for r in range(rows.shape[0]):
        for i in range(rows[r, 0], rows[r, 0] + rows[r, 1]):
            bits = np.int64(kept[equals[i]])
            if bits == 0:
                parents[count], level_of[count], size_of[count] = count, numbered[i], 1
                labels[i] = count
                count += 1
                continue
            bit = bits & -bits
            bits ^= bit
            own = labels[i - offsets[numbers[bit % 19]]]
            if bits:
                own = _root(parents, own)
            while bits:
                bit = bits & -bits
                bits ^= bit
                other = _root(parents, labels[i - offsets[numbers[bit % 19]]])
                parents[max(own, other)] = min(own, other)
                own = min(own, other)
            labels[i] = own
            size_of[own] += 1
    largest = 0
    for label in range(count - 1, -1, -1):  # a parent has a lower label
        if parents[label] == label:
            largest = max(largest, size_of[label])
        else:
            size_of[parents[label]] += size_of[label]
    column = np.zeros(largest + 1, np.int64)
    for label in range(count):
        if parents[label] == label:
            column[size_of[label]] = 1
    sizes = np.flatnonzero(column)
    for k in range(sizes.size):
        column[sizes[k]] = k
    table = np.zeros((levels, sizes.size))
    for label in range(count):
        if parents[label] == label:
            table[level_of[label] - 1, column[size_of[label]]] += 1
    return table, sizes.astype(np.float64)
