"""Dark plates in the marrow: fracture lines, found by the second derivatives of a smoothed image."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from radiomics_vert.imaging.preprocessing import slice_axis
from radiomics_vert.signs.components import FOCUS_MM3, Components, connected
from radiomics_vert.signs.nouns import Mask

Floats = npt.NDArray[np.float64]

SCALES_MM = (1.5, 2.5)
"""Standard deviations of the Gaussians [O]: lines 2 to 6 mm thick; never below the voxel in the plane."""
TILT_DEG = 30.0
"""Largest angle between a plate and the endplate, after the specification."""
CONTRAST = 0.08
"""Least second derivative times the squared scale, over the median of the marrow [O]: a line 3 mm thick and
a sixth darker than its surroundings."""
_SIDES = 2.0  # scales
_FLAT = 0.5  # the other second derivatives stay below so much of the largest [O]


def dark_plates(
    image: npt.NDArray[np.floating],
    inside: Mask,
    normals: npt.ArrayLike,
    spacing: tuple[float, float, float],
) -> list[Components]:
    """Return the dark plates along given surfaces, for each scale.

    A voxel belongs to a plate when the largest eigenvalue of the Hessian exceeds the limit, the others stay
    below half of it, and its eigenvector lies within 30 degrees of one of the normals. The image must also be
    brighter by the limit at two scales to both sides [O]: beside the border of a dark or a bright area, the
    second derivative is large as well, and only one side is brighter.

    Parameters
    ----------
    image : ndarray, shape (z, y, x)
        Intensities; positive in the marrow.
    inside : ndarray of bool, shape (z, y, x)
        Marrow. Outside it, the image is continued with the nearest value, so that cortex and disc leave no
        trace.
    normals : array-like, shape (k, 3)
        Unit vectors (x, y, z).
    spacing : tuple of float
        Millimetres along z, y, x.

    Returns
    -------
    list of Components
        Of 50 mm3 or more, in the bounding box of the marrow.
    """
    tight = ndimage.find_objects(inside.view(np.int8))[0]
    region = np.pad(inside[tight], 2)
    filled = continued(np.pad(image[tight].astype(np.float64), 2, mode="edge"), region, spacing)
    across = slice_axis(spacing)
    finest = max(step for axis, step in enumerate(spacing) if axis != across)
    limit = CONTRAST * float(np.median(image[inside]))
    towards = np.asarray(normals, float)[:, ::-1]
    return [
        connected(_plate_voxels(filled, region, towards, scale, limit, spacing), spacing, least_mm3=FOCUS_MM3)
        for scale in sorted({max(scale, finest) for scale in SCALES_MM})
    ]


def continued(image: Floats, inside: Mask, spacing: Sequence[float]) -> Floats:
    """Return an image in which each voxel outside a mask has the value of the nearest one inside.

    Parameters
    ----------
    image : ndarray, shape (z, y, x)
        Intensities.
    inside : ndarray of bool, shape (z, y, x)
        Not empty.
    spacing : sequence of float
        Millimetres along z, y, x.
    """
    index = ndimage.distance_transform_edt(
        ~inside, sampling=spacing, return_distances=False, return_indices=True
    )
    return np.asarray(image[tuple(index)])


def _plate_voxels(
    image: Floats, inside: Mask, normals: Floats, scale: float, limit: float, spacing: Sequence[float]
) -> Mask:
    """Return the voxels of plates; normals along z, y, x."""
    smooth = ndimage.gaussian_filter(image, [scale / step for step in spacing])
    hessian = _hessian(smooth, spacing, inside) * scale**2
    cosine = float(np.cos(np.radians(TILT_DEG)))
    # n'Hn is at least this share of the largest eigenvalue where all conditions hold: most voxels fail it.
    share = cosine**2 - _FLAT * (1 - cosine**2)
    along = np.einsum("ki,nij,kj->nk", normals, hessian, normals).max(axis=1, initial=-np.inf)
    likely = np.flatnonzero(along >= share * limit)
    values, vectors = np.linalg.eigh(hessian[likely])
    steepest, across = values[:, 2], vectors[:, :, 2]
    flat = np.abs(values[:, :2]).max(axis=1, initial=0) <= _FLAT * steepest
    parallel = np.abs(across @ normals.T).max(axis=1, initial=0) >= cosine
    index = np.argwhere(inside)[likely]
    sides = [
        ndimage.map_coordinates(smooth, (index + sign * move).T, order=1, mode="nearest")
        for move in [_SIDES * scale * across / np.array(spacing)]
        for sign in (-1, 1)
    ]
    line = np.minimum(*sides) - smooth[tuple(index.T)] >= limit
    found = np.zeros(inside.shape, bool)
    found[tuple(index[(steepest >= limit) & flat & parallel & line].T)] = True
    return found


def _hessian(image: Floats, spacing: Sequence[float], inside: Mask) -> Floats:
    """Return second differences per mm2 at the voxels of a mask, shape (n, 3, 3)."""
    at = np.argwhere(inside)
    steps = np.eye(3, dtype=np.intp)

    def value(*moves: npt.NDArray[np.intp]) -> Floats:
        return np.asarray(image[tuple((at + sum(moves)).T)])

    centre = image[inside]
    found = np.empty((len(at), 3, 3))
    for row in range(3):
        one = steps[row]
        found[:, row, row] = (value(one) - 2 * centre + value(-one)) / spacing[row] ** 2
        for column in range(row + 1, 3):
            other = steps[column]
            mixed = value(one, other) - value(one, -other) - value(-one, other) + value(-one, -other)
            found[:, row, column] = mixed / (4 * spacing[row] * spacing[column])
            found[:, column, row] = found[:, row, column]
    return found
