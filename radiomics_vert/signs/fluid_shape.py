"""Is a collection of fluid linear, triangular or focal? Its shape on a sagittal picture of the vertebra.

The three words are those of the literature on the fluid sign; the rule that tells them apart is this
project's own. The picture is the sagittal plane of the vertebra's frame, of any slice of the scan, in which
the collection is largest. There three numbers are measured:

- triangularity: the second moments of a triangle are the largest of all convex shapes of its area. With
  I = 108 det(covariance) / area^2 it is the lesser of I and 1 / I: 1 for any triangle, 0.75 for any
  parallelogram, 0.68 for any ellipse;
- taper: standard deviation over mean of the thickness along the long axis. The thickness of a triangle falls
  evenly to nothing (0.58), that of a line stays (0), also where the line follows a concave endplate, whose
  triangularity may be anything;
- slenderness: length^2 / area, the length over the mean thickness.

Triangular: the moments of a triangle, and a taper. Linear: otherwise, slender. Focal: the rest. Between a
triangle and a parallelogram lie wedges that are cut off: one whose thin end has a quarter of its thick end is
still triangular, one with half is not. A collection thinner than three voxels shows no taper.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from scipy import ndimage

from radiomics_vert.signs.nouns import Frame, Mask, Points, Vertebra
from radiomics_vert.signs.surfaces import Floats

TRIANGULAR = 0.875
"""Least triangularity of a triangle [O]: half-way between a triangle and a parallelogram."""
TAPER = 0.3
"""Least taper of a triangle [O]: half-way between a triangle and a line."""
LINEAR = 3.0
"""Least slenderness of a line [O]."""
SEEN = 3.0
"""Least mean thickness, in voxels, at which a taper can be seen [O]."""
_STEP = 0.5  # mm between the points of the picture, [O] as all below
_BIN = 1.0  # mm along the long axis over which a thickness is taken
_ACROSS = 1.0  # mm between the pictures


class LateralShape(NamedTuple):
    """The shape of a collection on its sagittal picture.

    Parameters
    ----------
    slenderness : float
        Length over mean thickness.
    triangularity : float
        0 to 1; 1 for a triangle.
    taper : float
        Standard deviation over mean of the thickness along the long axis.
    thickness : float
        Mean, mm.
    """

    slenderness: float
    triangularity: float
    taper: float
    thickness: float

    def kind(self, voxel: float) -> str | None:
        """Return the word for the shape.

        Parameters
        ----------
        voxel : float
            Larger side of a voxel on the picture, mm.

        Returns
        -------
        {"linear", "triangular", "focal"} or None
            None where the voxels are too coarse to tell a triangle from a focus.
        """
        seen = self.thickness >= SEEN * voxel
        if seen and self.triangularity >= TRIANGULAR and self.taper >= TAPER:
            return "triangular"
        if self.slenderness >= LINEAR:
            return "linear"
        return "focal" if seen else None


def fluid_kind(vertebra: Vertebra, mask: Mask) -> str | None:
    """Return whether a collection is linear, triangular or focal; see :meth:`LateralShape.kind`.

    Parameters
    ----------
    vertebra : Vertebra
        With a frame.
    mask : ndarray of bool
        One component, in the box of the vertebra; not empty.

    Raises
    ------
    ValueError
        The vertebra has no frame.
    """
    if vertebra.frame is None:
        raise ValueError(f"{vertebra.case_id} has no frame")
    sides = np.linalg.norm(vertebra.frame.axes[1:] * np.array(vertebra.spacing[::-1]), axis=1)
    return shape_of(_largest_section(vertebra, vertebra.frame, mask)).kind(float(sides.max()))


def shape_of(points: Floats) -> LateralShape:
    """Return the shape of points 0.5 mm apart in a plane.

    Parameters
    ----------
    points : ndarray, shape (n, 2)
        mm; one or more.

    Examples
    --------
    >>> p, z = np.meshgrid(np.arange(0, 20, 0.5), np.arange(0, 5, 0.5))
    >>> grid = np.stack([p.ravel(), z.ravel()], axis=1)
    >>> np.round(shape_of(grid), 2).tolist()
    [4.0, 0.75, 0.0, 5.0]
    >>> wedge = grid[grid[:, 1] < 5 - grid[:, 0] / 4]
    >>> shape_of(grid).kind(1.0), shape_of(wedge).kind(1.0)
    ('linear', 'triangular')
    """
    area = len(points) * _STEP**2
    apart = points - points.mean(axis=0)
    # Each point stands for a square, as in the voxels of `components`.
    (least, most), axes = np.linalg.eigh(apart.T @ apart / len(points) + np.eye(2) * _STEP**2 / 12)
    inertia = 108 * least * most / area**2
    length = float(np.sqrt(12 * most))
    return LateralShape(
        length**2 / area, float(min(inertia, 1 / inertia)), _taper(apart @ axes[:, 1]), area / length
    )


def _taper(along: Floats) -> float:
    length = float(np.ptp(along)) + _STEP
    counts, _ = np.histogram(along, bins=max(1, round(length / _BIN)))
    return float(counts.std() / counts.mean())


def _largest_section(vertebra: Vertebra, frame: Frame, mask: Mask) -> Points:
    """Return the points (back, head) of the sagittal picture that shows most of a component."""
    local = frame.to_local(vertebra.points(mask))
    margin = float(np.linalg.norm(vertebra.spacing)) / 2
    low, high = local.min(axis=0) - margin, local.max(axis=0) + margin
    x, p, z = (np.arange(a, b, s) for a, b, s in zip(low, high, (_ACROSS, _STEP, _STEP), strict=True))
    grid = np.stack(np.meshgrid(x, p, z, indexing="ij"), axis=-1)
    corner = np.array([axis.start for axis in vertebra.box])
    index = frame.to_scan(grid.reshape(-1, 3))[:, ::-1] / np.array(vertebra.spacing) - corner
    inside = ndimage.map_coordinates(mask.astype(np.uint8), index.T, order=0, mode="constant") > 0
    pictures = inside.reshape(grid.shape[:-1])
    largest = int(pictures.sum(axis=(1, 2)).argmax())
    return np.asarray(grid[largest][pictures[largest]][:, 1:])
