"""Outlines to voxels, by our own rule, so that every voxel can be explained.

A voxel belongs to an outline when its centre lies inside by the even-odd rule. A centre exactly on the
outline belongs to it on the side of the smaller index and not on the other, so that two outlines that
share an edge share no voxel.
"""

from __future__ import annotations

import numpy as np

# Positions are stored as decimal text: this far below a voxel, differences are rounding, and a corner
# that was meant to lie on a voxel centre must not fall to either side of it by chance.
_DECIMALS = 6


def rasterise(outline: np.ndarray, shape: tuple[int, int]) -> np.ndarray:
    """Return the pixels whose centres lie inside one closed outline.

    Parameters
    ----------
    outline : ndarray of float, shape (n, 2)
        Corners as (column, row) in pixels; pixel centres are whole numbers. The last corner is joined to
        the first. A keyhole (an outline that runs in and back along one line to cut out a hole) is
        resolved by the even-odd rule.
    shape : tuple of int
        Rows, columns; what lies outside is left out.

    Returns
    -------
    ndarray of bool, shape (rows, columns)

    Examples
    --------
    >>> square = np.array([[0.5, 0.5], [2.5, 0.5], [2.5, 2.5], [0.5, 2.5]])
    >>> rasterise(square, (4, 4)).sum()
    np.int64(4)
    """
    corners = np.round(np.asarray(outline, dtype=float), _DECIMALS)
    u0, v0 = corners.T
    u1, v1 = np.roll(corners, -1, axis=0).T
    # An edge meets the rows from its upper end, included, to its lower end, excluded.
    first = np.ceil(np.minimum(v0, v1)).astype(np.int64)
    stop = np.ceil(np.maximum(v0, v1)).astype(np.int64)
    first, stop = np.maximum(first, 0), np.minimum(stop, shape[0])
    counts = np.maximum(stop - first, 0)
    edge = np.repeat(np.arange(len(corners)), counts)
    row = np.arange(counts.sum()) - np.repeat(np.cumsum(counts) - counts, counts) + first[edge]
    slope = np.zeros(len(corners))
    np.divide(u1 - u0, v1 - v0, out=slope, where=v1 != v0)
    meets = np.round(u0[edge] + (row - v0[edge]) * slope[edge], _DECIMALS)
    column = np.clip(np.ceil(meets), 0, shape[1]).astype(np.int64)
    crossings = np.zeros((shape[0], shape[1] + 1), dtype=np.int64)
    np.add.at(crossings, (row, column), 1)
    return np.asarray(np.cumsum(crossings, axis=1)[:, :-1] % 2 == 1)


def combine(rasters: list[np.ndarray], *, exclusive: bool = False) -> np.ndarray | None:
    """Return the region that several outlines of one slice enclose: an outline inside another is a hole.

    Parameters
    ----------
    rasters : list of ndarray of bool
        One per outline, of equal shape.
    exclusive : bool, default False
        The file asks for the exclusive or of all outlines, however they overlap.

    Returns
    -------
    ndarray of bool, or None
        None when two outlines cross or are the same: what is meant cannot be told.
    """
    out = np.zeros_like(rasters[0])
    for position, raster in enumerate(rasters):
        for other in () if exclusive else rasters[:position]:
            shared = int(np.count_nonzero(raster & other))
            sizes = int(np.count_nonzero(raster)), int(np.count_nonzero(other))
            if shared and (shared < min(sizes) or sizes[0] == sizes[1]):
                return None
        out ^= raster
    return out
