"""Directions in which neighbours are looked for, in pyradiomics' order, and their weights."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from itertools import product

import numpy as np


def directions(shape: Sequence[int], distances: Sequence[int], flat_axis: int | None) -> np.ndarray:
    """Return one of each two opposite directions.

    Parameters
    ----------
    shape : sequence of int
        Extent of the image along z, y, x; no step is longer than the image.
    distances : sequence of int
        Chebyshev lengths of the steps.
    flat_axis : int, optional
        The axis (of z, y, x) along which no step goes, for features per slice.

    Returns
    -------
    ndarray of int, shape (n_directions, 3)
        Steps along z, y, x.

    Examples
    --------
    >>> directions((1, 9, 9), [1], None).tolist()
    [[0, 1, 1], [0, 1, 0], [0, 1, -1], [0, 0, 1]]
    """
    furthest = max(distances)
    # What lies further away than the longest step makes no difference.
    reach = tuple(min(int(extent), furthest + 1) for extent in shape)
    return _directions(reach, tuple(distances), flat_axis).copy()


@cache
def _directions(shape: tuple[int, ...], distances: tuple[int, ...], flat_axis: int | None) -> np.ndarray:
    furthest = max(distances)
    steps = range(furthest, -furthest - 1, -1)
    found = [
        step
        for step in product(steps, repeat=3)
        if max(map(abs, step)) in distances
        and all(abs(s) < n for s, n in zip(step, shape, strict=True))
        and (flat_axis is None or step[flat_axis] == 0)
    ]
    # The second half mirrors the first.
    return np.array(found[: len(found) // 2], dtype=np.int64).reshape(-1, 3)


def squared_lengths(steps: np.ndarray, spacing: np.ndarray, norm: str) -> np.ndarray:
    """Return the squared lengths of the steps in millimetres, rounded as pyradiomics rounds them.

    Parameters
    ----------
    steps : ndarray of int, shape (n_directions, 3)
        Steps along z, y, x.
    spacing : ndarray, shape (3,)
        Millimetres along z, y, x.
    norm : str
        `manhattan`, `euclidean` or `infinity`.
    """
    apart = np.abs(steps) * spacing
    if norm == "infinity":
        return np.asarray(apart.max(axis=1) ** 2)
    if norm == "euclidean":
        return np.asarray((apart**2).sum(axis=1))
    return np.asarray(apart.sum(axis=1) ** 2)
