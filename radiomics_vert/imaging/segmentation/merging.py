"""Several vertebrae into one label map: who gets the voxels that two of them claim."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from scipy import ndimage


@dataclass(frozen=True)
class Overlap:
    """Voxels that two segments claim.

    Parameters
    ----------
    first, second : int
        Labels; the first keeps the voxels.
    voxels : int
        How many.
    share : float
        Of the smaller of the two segments.
    """

    first: int
    second: int
    voxels: int
    share: float


def merge_masks(
    masks: Iterable[tuple[int, np.ndarray]], shape: tuple[int, ...]
) -> tuple[np.ndarray, tuple[Overlap, ...]]:
    """Lay masks into one array; where two overlap, the one that comes first keeps the voxels.

    Parameters
    ----------
    masks : iterable of (int, ndarray of bool)
        Label and voxels of shape (z, y, x), one after the other: only the bounding box of each is kept.
    shape : tuple of int
        (z, y, x).

    Returns
    -------
    labels : ndarray of unsigned int
        Of the smallest type that holds the labels.
    overlaps : tuple of Overlap
        Every pair that shares a voxel, measured on the masks as they came.

    Examples
    --------
    >>> a, b = np.array([[[1, 1, 0]]], bool), np.array([[[0, 1, 1]]], bool)
    >>> merge_masks([(4, a), (2, b)], (1, 1, 3))[0].tolist()
    [[[4, 4, 2]]]
    """
    kept: list[tuple[int, tuple[slice, ...], np.ndarray, int]] = []
    for label, mask in masks:
        boxes = ndimage.find_objects(mask.view(np.uint8))
        if boxes:
            inside = mask[boxes[0]].copy()
            kept.append((label, boxes[0], inside, int(np.count_nonzero(inside))))
    largest = max((label for label, *_ in kept), default=0)
    out = np.zeros(shape, dtype=np.min_scalar_type(largest))
    overlaps = []
    for position, (label, box, inside, voxels) in enumerate(kept):
        for other, there, claimed, size in kept[:position]:
            shared = _shared(box, inside, there, claimed)
            if shared:
                overlaps.append(Overlap(other, label, shared, shared / min(voxels, size)))
        target = out[box]
        target[inside & (target == 0)] = label
    return out, tuple(overlaps)


def _shared(box: tuple[slice, ...], inside: np.ndarray, there: tuple[slice, ...], claimed: np.ndarray) -> int:
    common = [(max(a.start, b.start), min(a.stop, b.stop)) for a, b in zip(box, there, strict=True)]
    if any(stop <= start for start, stop in common):
        return 0
    mine = tuple(slice(start - a.start, stop - a.start) for (start, stop), a in zip(common, box, strict=True))
    theirs = tuple(
        slice(start - b.start, stop - b.start) for (start, stop), b in zip(common, there, strict=True)
    )
    return int(np.count_nonzero(inside[mine] & claimed[theirs]))
