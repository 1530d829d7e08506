"""Trabecular voxels of each vertebra, and what they would measure in an unfractured one at its level."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from radiomics_vert.imaging.preprocessing import Spread, level_trend, slice_axis
from radiomics_vert.signs.nouns import Mask, SignScan, Vertebra

EROSION_CT_MM = 3.0
"""From the body's surface inwards, in all directions [O]: cortex and its partial volume stay out."""
EROSION_MR_MM = 2.0
"""Likewise within the slices of an MR scan [O]; across thick slices nothing would be left."""
LEAST_ACROSS = 5
"""Where so many slices or more lie in a row, the outermost two hold cortex and what is beside it [O]."""


def trabecular_mask(vertebra: Vertebra, sequence: str) -> Mask:
    """Return the body without its outer layer, in the box of the vertebra.

    Parameters
    ----------
    vertebra : Vertebra
        With its body.
    sequence : str
        `CT` is eroded by 3 mm in three dimensions; anything else by 2 mm within its slices and by one voxel
        across them where five or more lie in a row, or in three dimensions where no slice axis stands out.

    Returns
    -------
    ndarray of bool
        Of the shape of the box; it may be empty for a thin vertebra.
    """
    if sequence == "CT":
        return eroded(vertebra.body, vertebra.spacing, EROSION_CT_MM)
    across = slice_axis(vertebra.spacing)
    within = eroded(vertebra.body, vertebra.spacing, EROSION_MR_MM, across)
    return within if across is None else within & _without_ends(vertebra.body, across)


def _without_ends(mask: Mask, axis: int) -> Mask:
    """Return a mask without the ends of its rows along an axis, where they are long enough."""
    row = np.expand_dims(np.ones(3, bool), [other for other in range(3) if other != axis])
    # As in `eroded`, the edge of the array is no surface.
    inner = ndimage.binary_erosion(mask, row, border_value=1)
    return np.asarray(inner | (mask.sum(axis=axis, keepdims=True) < LEAST_ACROSS))


def eroded(mask: Mask, spacing: Sequence[float], depth: float, across: int | None = None) -> Mask:
    """Return the voxels of a mask that are deeper than so many millimetres below its surface.

    Parameters
    ----------
    mask : ndarray of bool
        The surface is half a voxel outside the outermost voxel centres. The edge of the array is no surface:
        there the image ends, not the bone.
    spacing : sequence of float
        Millimetres along the axes of the array.
    depth : float
        Millimetres.
    across : int, optional
        An axis along which nothing is removed.

    Examples
    --------
    >>> row = np.zeros((1, 1, 9), dtype=bool)
    >>> row[..., 1:8] = True
    >>> eroded(row, (1, 1, 1), 1.0)[0, 0].astype(int).tolist()
    [0, 0, 1, 1, 1, 1, 1, 0, 0]
    """
    # Where an axis is kept, its background is as far away as can be: the distance is that within slices.
    steps = [1e6 if axis == across else float(step) for axis, step in enumerate(spacing)]
    if not mask.any():
        return mask.copy()
    depths, nearest = ndimage.distance_transform_edt(mask, sampling=steps, return_indices=True)
    places = np.indices(mask.shape, sparse=True)
    apart = [(nearest[axis] - places[axis]) * float(step) for axis, step in enumerate(spacing)]
    # Half a voxel in the direction of the nearest outside voxel: across thick slices that is half a slice.
    half = np.sqrt(sum((part * step / 2) ** 2 for part, step in zip(apart, spacing, strict=True)))
    return np.asarray(depths - half / np.maximum(depths, 1e-9) > depth)


def expected_marrow(
    scan: SignScan,
    vertebrae: Sequence[Vertebra],
    masks: Mapping[int, Mask],
    references: Mapping[int, Sequence[int]],
    places: Mapping[int, int],
) -> dict[int, Spread]:
    """Return centre and width of the intensities that each vertebra's marrow should have.

    Parameters
    ----------
    scan : SignScan
        With its image.
    vertebrae : sequence of Vertebra
        Of the scan.
    masks : mapping of int to ndarray of bool
        Trabecular voxels by label.
    references, places : mapping
        As of :class:`~radiomics_vert.signs.spine.Spine`: each vertebra's unfractured neighbours within three
        levels, and places in the row of levels.

    Returns
    -------
    dict of int to Spread
        By label: the references' median followed to the level (Theil-Sen), and 1.4826 times their median
        absolute residual. Labels without a reference voxel are absent.
    """
    if scan.image is None:
        return {}
    voxels = {v.label: intensities(scan.image, v, masks[v.label]) for v in vertebrae if v.label in masks}
    found = {}
    for label, others in references.items():
        usable = [other for other in others if other in voxels and len(voxels[other])]
        if usable and label in places:
            trend = level_trend([places[other] for other in usable], [voxels[other] for other in usable])
            found[label] = trend.at(places[label], reach=0)
    return found


def intensities(image: npt.NDArray[np.floating], vertebra: Vertebra, mask: Mask) -> npt.NDArray[np.float64]:
    """Return the intensities of a mask in the box of a vertebra, shape (n,)."""
    return np.asarray(image[vertebra.box][mask], dtype=np.float64)
