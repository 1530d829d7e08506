"""Connected components of a mask with their sizes and shapes: foci, clefts, plates."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from radiomics_vert.signs.nouns import Mask, Points

Floats = npt.NDArray[np.float64]

FOCUS_MM3 = 50.0
"""Least volume of a focus of abnormal marrow, after the specification; below it lies noise."""
CORTEX_MM = 2.0
"""Areas that reach no deeper into the trabecular body are cortex of an outline drawn too wide [O]."""


@dataclass(frozen=True, eq=False)
class Components:
    """The connected components of a mask, the largest first; arrays of n components.

    Parameters
    ----------
    labels : ndarray of int, shape of the mask
        1 to n, 0 outside.
    mm3 : ndarray, shape (n,)
        Volumes.
    centroids : ndarray, shape (n, 3)
        Millimetres along x, y, z from the first voxel of the array.
    variances : ndarray, shape (n, 3)
        Along the principal axes, mm2, from the longest to the shortest; with the extent of the voxels
        themselves, so that a component of one voxel has its own size.
    directions : ndarray, shape (n, 3, 3)
        Unit vectors (x, y, z) of these axes, as rows.
    """

    labels: npt.NDArray[np.int32]
    mm3: Floats
    centroids: Points
    variances: Floats
    directions: Floats

    def __len__(self) -> int:
        """Return how many components there are."""
        return len(self.mm3)

    @property
    def mask(self) -> Mask:
        """Where any component is."""
        return np.asarray(self.labels > 0)

    @property
    def lengths(self) -> Floats:
        """Extents along the principal axes, shape (n, 3), mm: those of boxes of the same variances."""
        return np.asarray(np.sqrt(12 * self.variances))

    @property
    def linearity(self) -> Floats:
        """1 minus the second over the first extent: 0 for a ball or a disc, towards 1 for a rod."""
        return np.asarray(1 - np.sqrt(self.variances[:, 1] / self.variances[:, 0]))

    @property
    def planarity(self) -> Floats:
        """1 minus the least over the second extent: 0 for a ball or a rod, towards 1 for a plate."""
        return np.asarray(1 - np.sqrt(self.variances[:, 2] / self.variances[:, 1]))

    @property
    def elongation(self) -> Floats:
        """Largest over least extent: 1 for a ball, large for plates and rods alike."""
        return np.asarray(np.sqrt(self.variances[:, 0] / self.variances[:, 2]))


def connected(
    mask: Mask, spacing: Sequence[float], *, least_mm3: float = 0.0, neighbours: int = 26
) -> Components:
    """Return the connected components of a mask.

    Parameters
    ----------
    mask : ndarray of bool, shape (z, y, x)
        Any region.
    spacing : sequence of float
        Millimetres along z, y, x.
    least_mm3 : float, default 0
        Smaller components are left out.
    neighbours : {6, 18, 26}, default 26
        Voxels that touch by faces; also by edges; also by corners.

    Returns
    -------
    Components
        Sorted by volume, then by place in the array.

    Examples
    --------
    >>> mask = np.zeros((4, 5, 9), dtype=bool)
    >>> mask[0, 0, :8] = mask[3, 3:, 3] = True
    >>> found = connected(mask, (2.0, 1.0, 1.0))
    >>> found.mm3.tolist(), found.lengths[0].round(1).tolist()
    ([16.0, 4.0], [8.0, 2.0, 1.0])
    """
    structure = ndimage.generate_binary_structure(3, {6: 1, 18: 2, 26: 3}[neighbours])
    named, count = ndimage.label(mask, structure, output=np.int32)
    index = np.argwhere(named)
    own = named[tuple(index.T)] - 1
    step = np.array([float(size) for size in spacing])
    voxels = np.bincount(own, minlength=count)
    mm3: Floats = voxels.astype(np.float64) * float(np.prod(step))
    order = np.argsort(-mm3, kind="stable")
    order = order[mm3[order] >= least_mm3]
    renamed = np.zeros(count + 1, np.int32)
    renamed[order + 1] = np.arange(1, len(order) + 1)
    centroids, variances, directions = _moments(own, (index * step)[:, ::-1], voxels, step[::-1])
    return Components(renamed[named], mm3[order], centroids[order], variances[order], directions[order])


def _moments(
    own: npt.NDArray[np.int32], points: Points, voxels: npt.NDArray[np.intp], size: Floats
) -> tuple[Floats, Floats, Floats]:
    """Return centroids, variances (falling) and principal directions of numbered points."""
    count = len(voxels)

    def mean(values: Floats) -> Floats:
        return np.asarray(np.bincount(own, values, minlength=count) / voxels)

    centroids = np.stack([mean(points[:, axis]) for axis in range(3)], axis=1)
    apart = points - centroids[own]
    covariance = np.zeros((count, 3, 3))
    for row in range(3):
        for column in range(row, 3):
            covariance[:, row, column] = mean(apart[:, row] * apart[:, column])
            covariance[:, column, row] = covariance[:, row, column]
    # A voxel is a box, no point.
    covariance += np.diag(size**2 / 12)
    variances, vectors = np.linalg.eigh(covariance)
    return centroids, variances[:, ::-1], vectors.transpose(0, 2, 1)[:, ::-1]


def foci(mask: Mask, spacing: Sequence[float]) -> Components:
    """Return the components of 50 mm3 or more of a mask of abnormal voxels.

    Voxels must share a face [O]: the few per cent that noise alone puts beyond two deviations touch each
    other by corners often.

    Parameters
    ----------
    mask : ndarray of bool, shape (z, y, x)
        Abnormal voxels.
    spacing : sequence of float
        Millimetres along z, y, x.
    """
    return connected(mask, spacing, least_mm3=FOCUS_MM3, neighbours=6)


def reaching(areas: Components, deep: Mask) -> Mask:
    """Return the areas that have a voxel in a region; all, where that region is empty.

    Areas that lie along the surface of the marrow alone are cortex of an outline drawn too wide.

    Parameters
    ----------
    areas : Components
        Of abnormal voxels.
    deep : ndarray of bool, shape of the areas' labels
        The region.
    """
    if not deep.any():
        return areas.mask
    kept = np.unique(areas.labels[deep])
    return np.asarray(areas.mask & np.isin(areas.labels, kept))
