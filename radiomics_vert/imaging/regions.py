"""Where each label of a mask lies, found in one pass over the voxels."""

from __future__ import annotations

import hashlib
import struct
from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy import ndimage

from radiomics_vert.imaging.geometry import Geometry
from radiomics_vert.imaging.volumes import LabelMap

_ALL_NEIGHBOURS = np.ones((3, 3, 3), dtype=bool)


@dataclass(frozen=True)
class Region:
    """One label of a mask.

    Parameters
    ----------
    label : int
        Its value.
    voxels : int
        Number of voxels.
    box : tuple of int
        Bounding box in voxels, (x0, x1, y0, y1, z0, z1), upper ends excluded.
    digest : str
        sha256 of the geometry, the box and the voxels of this label alone.
    components : int
        Connected components; voxels that share a face, an edge or a corner (26) are connected.
    touches_border : bool
        The label reaches the first or last voxel along an axis.
    """

    label: int
    voxels: int
    box: tuple[int, int, int, int, int, int]
    digest: str
    components: int
    touches_border: bool


def label_regions(label_map: LabelMap, labels: Collection[int] | None = None) -> dict[int, Region]:
    """Return the regions of a mask, by label in ascending order.

    Parameters
    ----------
    label_map : LabelMap
        The mask.
    labels : collection of int, optional
        Restrict to these; a label without a voxel has no region. All labels by default.

    Returns
    -------
    dict of int to Region
    """
    array, geometry = label_map.array(), label_map.geometry
    boxes = label_boxes(array)
    wanted = boxes if labels is None else boxes.keys() & set(labels)
    return {label: _region(label, array, boxes[label], geometry) for label in sorted(wanted)}


def present_labels(label_map: LabelMap) -> list[int]:
    """Return the label values that occur in a mask, ascending, without the background."""
    return list(label_boxes(label_map.array()))


def used_box(array: np.ndarray) -> tuple[slice, slice, slice]:
    """Return the bounding box of all voxels that are not 0.

    Most of a scan lies outside its spine; what looks at labels need not look there.

    Parameters
    ----------
    array : ndarray, shape (z, y, x)
        Labels.

    Returns
    -------
    tuple of slice
        Along z, y, x; empty ones when every voxel is 0.

    Examples
    --------
    >>> labels = np.zeros((4, 5, 6), np.uint8)
    >>> labels[1:3, 2, 4:] = 7
    >>> used_box(labels)
    (slice(1, 3, None), slice(2, 3, None), slice(4, 6, None))
    """
    planes = _span(np.any(array, axis=(1, 2)))
    shadow: np.ndarray = np.any(array[planes], axis=0)
    return planes, _span(np.any(shadow, axis=1)), _span(np.any(shadow, axis=0))


def _span(used: Any) -> slice:
    places = np.flatnonzero(used)
    return slice(int(places[0]), int(places[-1]) + 1) if len(places) else slice(0, 0)


def label_boxes(array: np.ndarray) -> dict[int, tuple[slice, ...]]:
    """Return the bounding box of every label.

    Parameters
    ----------
    array : ndarray, shape (z, y, x)
        Labels.

    Returns
    -------
    dict of int to tuple of slice
        By label in ascending order, without the background.
    """
    used = used_box(array)
    return {
        label: tuple(slice(o.start + i.start, o.start + i.stop) for o, i in zip(used, box, strict=True))
        for label, box in _inner_boxes(array[used]).items()
    }


def _inner_boxes(array: np.ndarray) -> dict[int, tuple[slice, ...]]:
    if not array.size:
        return {}
    if array.dtype == np.uint32:
        # find_objects keeps a list as long as the largest label, so large labels are renumbered.
        labels, array = np.unique(array, return_inverse=True)
        names = {position: int(label) for position, label in enumerate(labels) if label}
        array = array + 1
        return {names[i - 1]: box for i, box in enumerate(ndimage.find_objects(array), 1) if i - 1 in names}
    return {label: box for label, box in enumerate(ndimage.find_objects(array), 1) if box is not None}


def _region(label: int, array: np.ndarray, box: tuple[slice, ...], geometry: Geometry) -> Region:
    inside = array[box] == label
    z, y, x = box
    bounds = (x.start, x.stop, y.start, y.stop, z.start, z.stop)
    edges = zip(box, array.shape, strict=True)
    return Region(
        label=label,
        voxels=int(np.count_nonzero(inside)),
        box=bounds,
        digest=_digest(geometry, bounds, inside),
        components=int(ndimage.label(inside, structure=_ALL_NEIGHBOURS)[1]),
        touches_border=any(axis.start == 0 or axis.stop == extent for axis, extent in edges),
    )


def _digest(geometry: Geometry, bounds: tuple[int, ...], inside: np.ndarray) -> str:
    # Adding 0.0 turns -0.0 into 0.0: equal grids, equal digests.
    floats = [value + 0.0 for value in (*geometry.spacing, *geometry.origin, *geometry.direction)]
    hasher = hashlib.sha256(struct.pack("<9q", *geometry.size, *bounds))
    hasher.update(struct.pack(f"<{len(floats)}d", *floats))
    hasher.update(np.packbits(inside).tobytes())
    return hasher.hexdigest()
