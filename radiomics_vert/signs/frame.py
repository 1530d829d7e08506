"""The vertebral frame: axes that follow the endplates.

The line through neighbouring bodies alone is not good enough: in a lordotic spine it leans against the
endplates, and a straight posterior wall then seems to bulge by more than a centimetre. So the axis starts
there, robust planes are fitted to both endplates, the axis is turned to the bisector of their normals, and
this is repeated.
"""

from __future__ import annotations

from dataclasses import replace
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from radiomics_vert.signs.nouns import Absent, Frame, FrameQuality, Mask, Plane, Points
from radiomics_vert.signs.surfaces import (
    Surface,
    column_ids,
    outermost,
    robust_plane,
    smeared_quantile,
)

ITERATIONS = 4
Axes = npt.NDArray[np.float64]

# All [O]. A lumbar body has 30 to 60 ml; T1 about 8 ml; a plana of T5 still more than 2 ml.
LEAST_VOLUME_MM3 = 1500.0
LEAST_HEIGHT_MM = 2.0
LEAST_POINTS = 12
LEAST_VISIBLE, FULLY_VISIBLE = 0.75, 0.97
LARGEST_TILT_DEG = 35.0
LARGEST_TURN_DEG = 1.5
LARGEST_WEDGE_DEG = 40.0
LARGEST_RESIDUAL_MM = 4.0
CORE = 0.7  # squared radius, relative to the outline's ellipse, of the endplates' part without rims


_SAMPLE = 12000  # voxels that describe an outline well enough [O]
_SLAB = 0.12  # of the height: next to an endplate [O]


class Extent(NamedTuple):
    """The body's outline seen along its axis, mm in local axes."""

    middle: float
    width: float
    front: float
    depth: float


def start_axes(up: npt.ArrayLike, back: npt.ArrayLike = (0.0, 1.0, 0.0)) -> Axes:
    """Return axes from an approximate direction to the head and to the back.

    Parameters
    ----------
    up, back : array-like, shape (3,)
        In the scan's axes (x, y, z); need neither be of unit length nor at right angles.

    Returns
    -------
    ndarray, shape (3, 3)
        Rows: left, back, up; orthonormal and right-handed.

    Examples
    --------
    >>> start_axes([0, 0, 2]).round(1).tolist()
    [[1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0]]
    """
    z = np.asarray(up, float)
    z = z / np.linalg.norm(z)
    p = np.asarray(back, float) - np.dot(back, z) * z
    p = p / np.linalg.norm(p)
    return np.stack([np.cross(p, z), p, z])


def fit_frame(
    surface: Surface,
    voxels: Points,
    axes: Axes,
    voxel: tuple[float, float, float],
    *,
    tangent: Axes | None = None,
    iterations: int = ITERATIONS,
) -> Frame | Absent:
    """Fit the frame of one vertebral body.

    Parameters
    ----------
    surface : Surface
        Of the body.
    voxels : ndarray, shape (n, 3)
        Centres of its voxels in the scan's axes, mm.
    axes : ndarray, shape (3, 3)
        Where to start, from :func:`start_axes`.
    voxel : tuple of float
        Size of a voxel along x, y, z, mm.
    tangent : ndarray, shape (3,), optional
        Direction through the neighbouring bodies, for the quality measure.
    iterations : int, default 4
        How often planes are fitted and the axis is turned; up to twice as often until it settles.

    Returns
    -------
    Frame or Absent
        RV334 when the endplates are not inside the image, RV335 when no frame can be found.
    """
    volume = len(voxels) * float(np.prod(voxel))
    if volume < LEAST_VOLUME_MM3:
        return Absent("RV335", f"a body of {volume / 1000:.2f} ml is a fragment")
    size = np.array(voxel)
    centre = voxels.mean(axis=0)
    sample = voxels[:: max(1, len(voxels) // _SAMPLE)]
    turn = 0.0
    for done in range(2 * iterations):
        # As often as asked for, and up to twice as often while the axis still turns.
        if done >= iterations and turn <= LARGEST_TURN_DEG:
            break
        found = _endplates(surface, sample, centre, axes, size)
        if isinstance(found, Absent):
            return found
        normal = _normal(found.superior) + _normal(found.inferior)
        turned = start_axes(normal @ axes, axes[1])
        turn = _angle(axes[2], turned[2])
        axes = turned
    found = _endplates(surface, sample, centre, axes, size)
    if isinstance(found, Absent):
        return found
    quality = _quality(found, turn, axes[2], tangent)
    extent = _rim_extent((sample - centre) @ axes.T, axes, size, found)
    # The middle of the outline is the axis, so that left and right are alike.
    shift = extent.middle
    superior, inferior = (
        replace(plane, offset=plane.offset + plane.left * shift) for plane in (found.superior, found.inferior)
    )
    return Frame(
        centre + shift * axes[0], axes, extent.width, extent.front, extent.depth, superior, inferior, quality
    )


def outline_extent(local: Points, axes: Axes, size: npt.NDArray[np.float64]) -> Extent:
    """Return width and depth of a body's outline, seen along its axis.

    Parameters
    ----------
    local : ndarray, shape (n, 3)
        Voxel centres in local axes, mm.
    axes : ndarray, shape (3, 3)
        The local axes, as rows.
    size : ndarray, shape (3,)
        Size of a voxel along x, y, z of the scan, mm.
    """
    reach = np.abs(axes) @ size  # width of a voxel along each local axis
    # Each column counts once, so that a wedge's high side weighs no more than its low one.
    _, first = np.unique(column_ids(local[:, 0], local[:, 1], (reach[0], reach[1])), return_index=True)
    outline = local[first]
    left, right = smeared_quantile(outline[:, 0], float(reach[0]), (0.02, 0.98))
    middle, width = (left + right) / 2, right - left
    band = np.abs(outline[:, 0] - middle) <= max(width / 6, 0.75 * reach[0])
    front, back = smeared_quantile(outline[band, 1], float(reach[1]), (0.02, 0.98))
    # In the middle third the outline is a rectangle, so 2 and 98 % lie 2 % of its depth inside the edges.
    margin = 0.02 * (back - front) / 0.96
    return Extent(float(middle), float(width), float(front - margin), float(back - front + 2 * margin))


def _rim_extent(local: Points, axes: Axes, size: npt.NDArray[np.float64], found: _Endplates) -> Extent:
    """Return the extent with front and depth taken next to the endplates, where the corners are.

    Half-way between them a bulging wall would lengthen the body, and a waist would shorten it.
    """
    x, p, z = local.T
    superior, inferior = found.superior.height(x, p), found.inferior.height(x, p)
    slab = np.maximum(_SLAB * (superior - inferior), float(np.abs(axes[2]) @ size))
    extents = [
        outline_extent(local[near], axes, size)
        for near in (z >= superior - slab, z <= inferior + slab)
        if near.sum() >= LEAST_POINTS
    ]
    if len(extents) < 2:
        return found.extent
    front = float(np.mean([extent.front for extent in extents]))
    back = float(np.mean([extent.front + extent.depth for extent in extents]))
    return found.extent._replace(front=front, depth=back - front)


class _Endplates(NamedTuple):
    superior: Plane
    inferior: Plane
    extent: Extent
    visible: float


def _endplates(
    surface: Surface, sample: Points, centre: Points, axes: Axes, size: npt.NDArray[np.float64]
) -> _Endplates | Absent:
    """Fit both endplate planes in given axes."""
    inside = (sample - centre) @ axes.T
    extent = outline_extent(inside, axes, size)
    local = (surface.points - centre) @ axes.T
    facing = surface.normals @ axes[2]
    across = np.abs(axes[:2]) @ size
    cell = (float(across[0]), float(across[1]))
    step = float(np.abs(axes[2]) @ size)
    planes = []
    visible = _visible(surface, inside, centre, axes, extent, cell)
    if visible < LEAST_VISIBLE:
        return Absent("RV334", f"an endplate lies outside the image in {1 - visible:.0%} of the body's core")
    for sign in (1.0, -1.0):
        x, p, z = local[(sign * facing > 0.5) & _core(local, extent)].T
        top = outermost(column_ids(x, p, cell), sign * z, 0.5 * step + 0.5)
        if top.sum() < LEAST_POINTS:
            return Absent("RV335", f"an endplate has {int(top.sum())} surface points")
        planes.append(robust_plane(x[top], p[top], z[top], step))
    superior, inferior = planes
    x = np.array([extent.middle])
    p = np.array([extent.front + extent.depth / 2])
    height = float((superior.height(x, p) - inferior.height(x, p))[0])
    if height < LEAST_HEIGHT_MM:
        return Absent("RV335", f"the endplates are {height:.1f} mm apart")
    wedge = _angle(_normal(superior), _normal(inferior))
    if wedge > LARGEST_WEDGE_DEG:
        return Absent("RV335", f"the endplates stand at {wedge:.0f} degrees: a sacrum, or a merged mask")
    return _Endplates(superior, inferior, extent, visible)


def _visible(
    surface: Surface,
    inside: Points,
    centre: npt.NDArray[np.float64],
    axes: Axes,
    extent: Extent,
    cell: tuple[float, float],
) -> float:
    """Return the share of the core's columns that the edge of the image does not cut off."""
    if not len(surface.cut):
        return 1.0
    steep = np.abs(surface.cut_normals @ axes[2]) > 0.3
    lost = (surface.cut[steep] - centre) @ axes.T
    gone, core = (
        np.unique(column_ids(points[:, 0], points[:, 1], cell))
        for points in (lost[_core(lost, extent)], inside[_core(inside, extent)])
    )
    return 1.0 - len(np.intersect1d(gone, core)) / max(1, len(core))


def _core(local: Points, extent: Extent) -> Mask:
    across = 2 * (local[:, 0] - extent.middle) / extent.width
    along = 2 * (local[:, 1] - extent.front) / extent.depth - 1
    return np.asarray(across**2 + along**2 <= CORE)


def _normal(plane: Plane) -> Axes:
    normal = np.array([-plane.left, -plane.back, 1.0])
    return np.asarray(normal / np.linalg.norm(normal))


def _angle(a: Axes, b: Axes) -> float:
    """Return the angle between two unit vectors in degrees."""
    return float(np.degrees(np.arccos(np.clip(np.dot(a, b), -1, 1))))


def _quality(found: _Endplates, turn: float, up: Axes, tangent: Axes | None) -> FrameQuality:
    superior, inferior = found.superior, found.inferior
    tilt = float("nan") if tangent is None else _angle(up, tangent / np.linalg.norm(tangent))
    tests = (
        (max(superior.residual, inferior.residual) > LARGEST_RESIDUAL_MM, "endplates are uneven"),
        (tilt > LARGEST_TILT_DEG, "axis leans against the neighbours"),
        (turn > LARGEST_TURN_DEG, "axis has not settled"),
        (found.visible < FULLY_VISIBLE, "endplates are partly unseen"),
    )
    flags = tuple(text for wrong, text in tests if wrong)
    return FrameQuality(superior.residual, inferior.residual, tilt, turn, found.visible, flags)
