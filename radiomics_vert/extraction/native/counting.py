"""Compiled sweeps over the voxels of a region that fill the texture matrices.

All work on a padded volume, flat, in which a voxel outside the region has the number 0: no sweep asks
whether a neighbour exists. A region is given as its rows: stretches of voxels along x.

Bits stand for directions: bit a of a voxel belongs to the neighbour `offsets[a]` before it. What is done to
many voxels at once is done to whole vectors of them, which may go on behind the end of a row: bits are then
right there, too, or not all set yet, and a row that lies there sets the rest when it is its turn.
"""

from __future__ import annotations

import numpy as np

from radiomics_vert.extraction.native.compiling import compiled

VECTOR = 16
"""Rows are worked on up to a multiple of so many voxels; the volumes are longer by as many."""


@compiled
def bin_voxels(mask: np.ndarray, inside: np.ndarray, edges: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Assign numbers to the grey levels inside a region: how many bin edges lie below or at each.

    Parameters
    ----------
    mask : ndarray of bool, shape (z, y, x)
        The region.
    inside : ndarray of float
        The intensities inside, in the order of `mask`.
    edges : ndarray of float
        Ascending and about equally far apart.

    Returns
    -------
    levels : ndarray of uint16, shape (z, y, x)
        0 outside the region.
    voxels : ndarray of int
        Voxels of each level.
    """
    levels = np.zeros(mask.shape, np.uint16)
    voxels = np.zeros(edges.size + 1, np.int64)
    flat, flat_mask = levels.ravel(), mask.ravel()
    first, width, taken = edges[0], edges[1] - edges[0], 0
    for i in range(flat.size):
        if flat_mask[i]:
            value = inside[taken]
            taken += 1
            # A guess by division, put right by comparison: the edges decide, as in numpy's digitize.
            level = min(max(int((value - first) / width) + 1, 0), edges.size)
            while level > 0 and value < edges[level - 1]:
                level -= 1
            while level < edges.size and value >= edges[level]:
                level += 1
            flat[i] = level
            voxels[level] += 1
    return levels, voxels


@compiled
def pad_levels(
    levels: np.ndarray, pad: np.ndarray, lookup: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Copy grey levels into a padded volume and find the rows of the region.

    Parameters
    ----------
    levels : ndarray of uint16, shape (z, y, x)
        Grey levels, 0 outside the region.
    pad : ndarray of int, shape (3,)
        Voxels to add on each side along z, y, x.
    lookup : ndarray of uint16, shape (highest level + 1,)
        The number to write for each level, 0 for 0.

    Returns
    -------
    padded : ndarray of uint16, flat
        Grey levels, and :data:`VECTOR` zeros.
    numbered : ndarray of uint16, flat
        The numbers of `lookup` in place of levels.
    rows : ndarray of int, shape (n_rows, 2)
        First voxel in the padded volume and length.
    """
    nz, ny, nx = levels.shape
    py, px = ny + 2 * pad[1], nx + 2 * pad[2]
    padded = np.zeros((nz + 2 * pad[0]) * py * px + VECTOR, np.uint16)
    numbered = np.zeros(padded.size, np.uint16)
    rows = np.empty((nz * ny * ((nx + 1) // 2), 2), np.int64)
    count = 0
    for z in range(nz):
        for y in range(ny):
            start = ((z + pad[0]) * py + y + pad[1]) * px + pad[2]
            inside = False
            for x in range(nx):
                level = levels[z, y, x]
                padded[start + x] = level
                numbered[start + x] = lookup[level]
                if level > 0 and not inside:
                    rows[count, 0] = start + x
                elif level == 0 and inside:
                    rows[count, 1] = start + x - rows[count, 0]
                    count += 1
                inside = level > 0
            if inside:
                rows[count, 1] = start + nx - rows[count, 0]
                count += 1
    return padded, numbered, rows[:count].copy()


@compiled
def count_pairs(numbered: np.ndarray, rows: np.ndarray, offsets: np.ndarray, levels: int) -> np.ndarray:
    """Count neighbours by their grey levels.

    Returns
    -------
    ndarray of int, shape (n_offsets, levels + 1, levels + 1)
        Grey-level co-occurrence; row and column 0 belong to voxels outside the region.
    """
    pairs = np.zeros((offsets.size, levels + 1, levels + 1), np.int32)
    for r in range(rows.shape[0]):
        start, length = rows[r, 0], rows[r, 1]
        own = numbered[start : start + length]
        for a in range(offsets.size):
            table, other = pairs[a], numbered[start + offsets[a] : start + offsets[a] + length]
            for k in range(length):
                table[own[k], other[k]] += 1
    return pairs


@compiled
def find_equals(numbered: np.ndarray, rows: np.ndarray, offsets: np.ndarray) -> np.ndarray:
    """Compare each voxel with its neighbours on one side, many voxels at once.

    Parameters
    ----------
    numbered : ndarray of uint16, flat
        Padded volume; 0 outside the region.
    rows : ndarray of int, shape (n_rows, 2)
        First voxel and length of each row.
    offsets : ndarray of int
        At most 16, all positive.

    Returns
    -------
    ndarray of uint16, flat
        Bit a is set where a voxel of the region has the number of the voxel `offsets[a]` before it.
    """
    equals = np.zeros(numbered.size, np.uint16)
    for r in range(rows.shape[0]):
        start, length = rows[r, 0], (rows[r, 1] + VECTOR - 1) & -VECTOR
        own, bits = numbered[start : start + length], equals[start : start + length]
        for a in range(offsets.size):
            other = numbered[start - offsets[a] : start - offsets[a] + length]
            bit = np.uint16(1 << a)
            for k in range(length):
                bits[k] |= bit if (own[k] == other[k]) & (own[k] > 0) else np.uint16(0)
    return equals


@compiled
def bit_numbers() -> np.ndarray:
    """Return the number of a single bit, by its remainder on division by 19."""
    numbers = np.zeros(19, np.int64)
    for a in range(16):
        numbers[(1 << a) % 19] = a
    return numbers


@compiled
def _go_on(equals: np.ndarray, before: np.ndarray, rows: np.ndarray, offsets: np.ndarray) -> np.ndarray:
    """Return the bits of `equals` that are set in `before`, too, at the neighbour they stand for."""
    found = np.zeros(equals.size, np.uint16)
    for r in range(rows.shape[0]):
        start, length = rows[r, 0], (rows[r, 1] + VECTOR - 1) & -VECTOR
        own, bits = equals[start : start + length], found[start : start + length]
        for a in range(offsets.size):
            other = before[start - offsets[a] : start - offsets[a] + length]
            bit = np.uint16(1 << a)
            for k in range(length):
                bits[k] |= own[k] & other[k] & bit
    return found


@compiled
def _begin(reached: np.ndarray, rows: np.ndarray, offsets: np.ndarray) -> np.ndarray:
    """Return the bits that are not set at the neighbour they stand for."""
    found = reached.copy()
    for r in range(rows.shape[0]):
        start, length = rows[r, 0], (rows[r, 1] + VECTOR - 1) & -VECTOR
        bits = found[start : start + length]
        for a in range(offsets.size):
            other = reached[start - offsets[a] : start - offsets[a] + length]
            bit = np.uint16(1 << a)
            for k in range(length):
                bits[k] &= ~(other[k] & bit)
    return found


@compiled
def _tally_bits(numbered: np.ndarray, bits: np.ndarray, rows: np.ndarray, levels: int) -> np.ndarray:
    """Return how many voxels of a grey level have a bit, shape (levels + 1, 16).

    Eight counters of a byte each are increased by one addition, and emptied before they overflow.
    """
    spread = np.zeros(256, np.uint64)
    for value in range(256):
        for a in range(8):
            spread[value] |= np.uint64(value >> a & 1) << np.uint64(8 * a)
    tally = np.zeros((levels + 1, 16), np.int32)
    counters, taken = np.zeros((levels + 1, 2), np.uint64), np.zeros(levels + 1, np.int32)
    for r in range(rows.shape[0]):
        for i in range(rows[r, 0], rows[r, 0] + rows[r, 1]):
            level = numbered[i]
            counters[level, 0] += spread[bits[i] & 255]
            counters[level, 1] += spread[bits[i] >> 8]
            taken[level] += 1
            if taken[level] == 255:
                _empty(counters[level], tally[level])
                taken[level] = 0
    for level in range(levels + 1):
        _empty(counters[level], tally[level])
    return tally


@compiled
def _empty(counters: np.ndarray, tally: np.ndarray) -> None:
    for a in range(16):
        tally[a] += np.int32(counters[a >> 3] >> np.uint64(8 * (a & 7)) & np.uint64(255))
    counters[:] = 0


@compiled
def count_runs(
    numbered: np.ndarray, equals: np.ndarray, rows: np.ndarray, offsets: np.ndarray, levels: int, longest: int
) -> np.ndarray:
    """Count runs of equal grey levels.

    Most runs are short. So only runs of four voxels and more are followed one by one; how many shorter ones
    there are follows from how many voxels have an equal one before them, and how many two.

    Parameters
    ----------
    numbered : ndarray of uint16, flat
        Padded volume.
    equals : ndarray of uint16, flat
        From :func:`find_equals`.
    rows, offsets : ndarray of int
        Rows of the region; directions.
    levels, longest : int
        Number of grey levels; length of the longest run that fits.

    Returns
    -------
    ndarray of int, shape (n_offsets, levels + 1, longest + 1)
        Runs by offset, grey level and length.
    """
    third = _go_on(equals, equals, rows, offsets)
    fourth = _begin(_go_on(equals, third, rows, offsets), rows, offsets)
    seconds, thirds = (
        _tally_bits(numbered, equals, rows, levels),
        _tally_bits(numbered, third, rows, levels),
    )
    voxels = np.zeros(levels + 1, np.int32)
    runs = np.zeros((offsets.size, levels + 1, max(longest, 3) + 1), np.int32)
    numbers = bit_numbers()
    for r in range(rows.shape[0]):
        for i in range(rows[r, 0], rows[r, 0] + rows[r, 1]):
            level, bits = numbered[i], np.int64(fourth[i])
            voxels[level] += 1
            while bits:
                bit = bits & -bits
                bits ^= bit
                a = numbers[bit % 19]
                length, j = 4, i + offsets[a]
                while equals[j] & bit:
                    length += 1
                    j += offsets[a]
                runs[a, level, length] += 1
    for a in range(offsets.size):
        for level in range(1, levels + 1):
            table = runs[a, level]
            # Voxels of shorter runs that are the first or later, the second or later, the third.
            first, second, last = voxels[level], seconds[level, a], thirds[level, a]
            for length in range(4, longest + 1):
                first -= length * table[length]
                second -= (length - 1) * table[length]
                last -= (length - 2) * table[length]
            table[3] = last
            table[2] = second - 2 * last
            table[1] = first - 2 * table[2] - 3 * last
    return runs[:, :, : longest + 1]


@compiled
def lines_meet(numbered: np.ndarray, rows: np.ndarray, steps: np.ndarray, shape: np.ndarray) -> np.ndarray:
    """Tell for each direction whether any straight line along it meets the region more than once.

    Parameters
    ----------
    numbered : ndarray, flat
        Padded volume.
    rows : ndarray of int
        Rows of the region.
    steps : ndarray of int, shape (n_steps, 3)
        Directions.
    shape : ndarray of int, shape (3,)
        Extent of the padded volume along z, y, x.
    """
    met = np.zeros(steps.shape[0], np.bool_)
    for a in range(steps.shape[0]):
        for r in range(rows.shape[0]):
            for i in range(rows[r, 0], rows[r, 0] + rows[r, 1]):
                z, rest = divmod(i, shape[1] * shape[2])
                y, x = divmod(rest, shape[2])
                while not met[a]:
                    z, y, x = z + steps[a, 0], y + steps[a, 1], x + steps[a, 2]
                    if not (0 <= z < shape[0] and 0 <= y < shape[1] and 0 <= x < shape[2]):
                        break
                    met[a] = numbered[(z * shape[1] + y) * shape[2] + x] > 0
            if met[a]:
                break
    return met


@compiled
def count_neighbourhoods(
    padded: np.ndarray, rows: np.ndarray, offsets: np.ndarray, highest: int, alike: int
) -> tuple[np.ndarray, np.ndarray]:
    """Compare each voxel with all its neighbours.

    Parameters
    ----------
    padded : ndarray of uint16, flat
        Grey levels.
    rows : ndarray of int
        Rows of the region.
    offsets : ndarray of int
        One of each two opposite directions.
    highest : int
        The highest grey level.
    alike : int
        Largest difference of grey levels between voxels that depend on one another.

    Returns
    -------
    dependences : ndarray of int, shape (highest + 1, 2 n_offsets + 1)
        Voxels by grey level and number of dependent neighbours.
    contrast : ndarray of float, shape (highest + 1,)
        Sum of absolute differences between voxels of a grey level and the mean of their neighbours.
    """
    dependences = np.zeros((highest + 1, 2 * offsets.size + 1), np.int32)
    contrast = np.zeros(highest + 1)
    block = VECTOR
    for r in range(rows.shape[0]):
        block = max(block, rows[r, 1] + VECTOR)
    total, count, alikes = np.empty(block, np.int32), np.empty(block, np.int32), np.empty(block, np.int32)
    apart = np.empty(block)
    for r in range(rows.shape[0]):
        start, length = rows[r, 0], (rows[r, 1] + VECTOR - 1) & -VECTOR
        own = padded[start : start + length]
        total[:length] = 0
        count[:length] = 0
        alikes[:length] = 0
        for a in range(offsets.size):
            ahead = padded[start + offsets[a] : start + offsets[a] + length]
            behind = padded[start - offsets[a] : start - offsets[a] + length]
            for k in range(length):
                level, one, other = np.int32(own[k]), np.int32(ahead[k]), np.int32(behind[k])
                total[k] += one + other
                count[k] += one > 0
                count[k] += other > 0
                alikes[k] += (one > 0) & (abs(level - one) <= alike)
                alikes[k] += (other > 0) & (abs(level - other) <= alike)
        for k in range(length):
            apart[k] = abs(own[k] - total[k] / count[k]) if count[k] > 0 else 0.0
        for k in range(rows[r, 1]):
            dependences[own[k], alikes[k]] += 1
            contrast[own[k]] += apart[k]
    return dependences, contrast
