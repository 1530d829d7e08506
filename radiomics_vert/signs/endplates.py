"""Signs of the endplates: lateral angle, depth and shape of a depression, local pits."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from scipy import ndimage

from radiomics_vert.signs.frame import CORE
from radiomics_vert.signs.nouns import Absent, Frame, Mask, Value
from radiomics_vert.signs.outline import NEAR_BACK, NEAR_FRONT, Outline, U
from radiomics_vert.signs.results import Measured
from radiomics_vert.signs.shapes import angularity
from radiomics_vert.signs.spine import Spine
from radiomics_vert.signs.surfaces import Floats, robust_fit

DEPRESSED_MM = 1.0  # less is a normal endplate or digitisation [O]
_PIT_CELL = 2.0  # mm [O]


class Depression(NamedTuple):
    """The more depressed endplate of a body.

    Parameters
    ----------
    side : {"superior", "inferior"}
        Which one it is.
    depth : float
        Below the line through its corners, mm.
    lead : float
        How much deeper than the other one, mm.
    """

    side: str
    depth: float
    lead: float


def lateral_angle(frame: Frame) -> float:
    """Return the angle between both endplates in the coronal plane, degrees."""
    return float(abs(np.degrees(np.arctan(frame.superior.left) - np.arctan(frame.inferior.left))))


def depression(outline: Outline) -> Depression:
    """Return which endplate is the more depressed in the middle third, and by how much."""
    depths = {
        "superior": _depth(outline.superior),
        "inferior": _depth(-outline.inferior),
    }
    side = max(depths, key=lambda name: depths[name])
    return Depression(side, depths[side], depths[side] - min(depths.values()))


def _depth(profile: Floats) -> float:
    inner = slice(NEAR_FRONT, NEAR_BACK + 1)
    u, z = U[inner], profile[inner]
    chord = z[0] + (u - u[0]) / (u[-1] - u[0]) * (z[-1] - z[0])
    return float((chord - z).max())


def endplate_angularity(frame: Frame, outline: Outline, side: str, voxel: float) -> float:
    """Return the shape of an endplate's profile in the middle third: -1 concave, +1 angled.

    Parameters
    ----------
    frame, outline : Frame, Outline
        Of the body.
    side : {"superior", "inferior"}
        Which endplate.
    voxel : float
        Height of a voxel along the axis, mm.
    """
    points = outline.superior_points if side == "superior" else outline.inferior_points
    band = points[np.abs(points[:, 0]) <= frame.width / 6]
    u = frame.u(band[:, 1])
    inner = (u >= U[NEAR_FRONT]) & (u <= U[NEAR_BACK])
    span = U[NEAR_BACK] - U[NEAR_FRONT]
    return angularity((u[inner] - U[NEAR_FRONT]) / span, band[inner, 2], voxel)


def pit_depth(frame: Frame, points: Floats, sign: float, voxel: tuple[float, float, float]) -> float:
    """Return the depth of the deepest local pit below the smooth surface of an endplate, mm.

    A pit is surrounded by endplate [O]: what falls off to the edge is the outer side of the body, or the
    shelf of an osteophyte below it.

    Parameters
    ----------
    frame : Frame
        Of the body.
    points : ndarray, shape (n, 3)
        Surface points of the endplate (x, p, z).
    sign : float
        1 for a superior, -1 for an inferior endplate.
    voxel : tuple of float
        Width of a voxel along x, p, z of the frame, mm.
    """
    inner = (2 * points[:, 0] / frame.width) ** 2 + (2 * frame.u(points[:, 1]) - 1) ** 2 <= CORE
    x, p, z = points[inner].T
    if len(x) < 30:
        return float("nan")
    a, b = x / frame.width, p / frame.depth
    # Second order follows a tilt and a concavity; a node is narrower, and the robust fit ignores it.
    design = np.column_stack([np.ones_like(a), a, b, a * a, a * b, b * b])
    below = sign * (design @ robust_fit(design, z, voxel[2]) - z)
    rows, columns = (
        np.floor((part - part.min()) / max(_PIT_CELL, width)).astype(np.int64) + 1
        for part, width in ((x, voxel[0]), (p, voxel[1]))
    )
    shape = (int(rows.max()) + 2, int(columns.max()) + 2)
    place = np.ravel_multi_index((rows, columns), shape)
    tally = np.bincount(place, minlength=shape[0] * shape[1]).reshape(shape)
    total = np.bincount(place, weights=below, minlength=shape[0] * shape[1]).reshape(shape)
    depths = np.divide(total, tally, out=np.full(shape, -np.inf), where=tally > 0)
    return _deepest_enclosed(depths, ndimage.binary_closing(tally > 0))


def _deepest_enclosed(depths: Floats, plate: Mask) -> float:
    """Return the deepest place of a grid whose surroundings, down to half of it, do not reach the edge."""
    depths, plate = depths.copy(), plate.copy()
    while depths.max() > 0:
        deepest = float(depths.max())
        parts, _ = ndimage.label(depths >= deepest / 2, np.ones((3, 3)))
        pit = parts == parts.flat[int(depths.argmax())]
        if not (ndimage.binary_dilation(pit) & ~plate).any():
            return deepest
        # What falls off is edge itself: its upper slope, less than half as deep, is no pit either.
        depths[pit], plate[pit] = -np.inf, False
    return 0.0


def measure(spine: Spine) -> Measured:
    """Measure lateral angle, endplate depression and its shape, and pits, of every vertebra."""
    found: dict[int, dict[str, Value]] = {}
    for vertebra in spine.framed():
        frame, outline = vertebra.frame, spine.outlines[vertebra.label]
        if frame is None:
            continue
        x, p, voxel = map(float, np.abs(frame.axes) @ np.array(vertebra.spacing[::-1]))
        deepest = depression(outline)
        shape: Value = Absent("RV338", f"no endplate is depressed by {DEPRESSED_MM:g} mm")
        if deepest.depth >= DEPRESSED_MM:
            shape = endplate_angularity(frame, outline, deepest.side, voxel)
        found[vertebra.label] = {
            "lat_angle": lateral_angle(frame),
            "ep_depth_mm": deepest.depth,
            "ep_angularity": shape,
            "schmorl_depth": max(
                pit_depth(frame, outline.superior_points, 1.0, (x, p, voxel)),
                pit_depth(frame, outline.inferior_points, -1.0, (x, p, voxel)),
            ),
        }
    return found
