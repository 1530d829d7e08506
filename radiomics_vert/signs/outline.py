"""The outline of a body in its middle third: endplate profiles and the posterior wall, finer than a voxel."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from radiomics_vert.signs.nouns import Frame, Mask, Vertebra
from radiomics_vert.signs.surfaces import (
    Surface,
    column_ids,
    outermost,
    robust_fit,
    smooth_profile,
    voxel_faces,
)

Floats = npt.NDArray[np.float64]

U = np.linspace(0.0, 1.0, 41)
"""Antero-posterior positions of the endplate profiles, 0 at the front."""
NEAR_FRONT, MIDDLE, NEAR_BACK = 2, slice(14, 27), 38
"""Where in :data:`U` heights are taken: u = 0.05, 0.35 to 0.65, 0.95."""
T = np.linspace(0.0, 1.0, 41)
"""Positions along the posterior wall, 0 at the lower corner."""

# Rims are rounded in every mask: profiles are fitted inside them and continued straight. [O]
_RIM = 0.05
# Bending length of an endplate profile, in steps of 1/40 of it and in voxels. It goes on straight, so that a
# lip or spur of the rim does not make the corner; between the corners it bends more easily, so that the floor
# of an angled depression is not filled up. From one to the other it passes between these places. [O]
_STIFFNESS, _SUPPLE, _VOXELS = 3.0, 1.5, 1.0
_PASSAGE = (0.1, 0.25)
# A wall between pedicles that were cut off here is known in the canal's width only, mm. [O]
_CANAL_HALF = 6.0
# A fragment's edge is sharper than an endplate; the corners carry the whole line, and the steps of the voxels
# must not move them. [O]
_WALL_STIFFNESS, _CORNER_STIFFNESS = 2.5, 6.0
_LEAST_POINTS = 5  # different heights, of the wall
_AHEAD = 1.5  # voxels in front of all the wall: the end of a slice that an endplate cuts short [O]
_REAR = 0.7  # of the depth: what faces back further in front is a step of an endplate [O]


class Wall(NamedTuple):
    """The posterior wall in the middle third, p in mm.

    Parameters
    ----------
    profile : ndarray, shape (41,)
        At :data:`T`.
    lower, upper : float
        Its corners, from a stiffer curve.
    """

    profile: Floats
    lower: float
    upper: float


@dataclass(frozen=True, eq=False)
class Outline:
    """Profiles of one body in its middle third (|x| <= W/6), in the local axes of its frame, mm.

    Parameters
    ----------
    superior, inferior : ndarray, shape (41,)
        Heights z of the endplates at :data:`U`.
    wall : Wall or None
        None where too little of it is seen.
    wall_z : ndarray, shape (41,)
        Heights z at :data:`T`: from the lower to the upper posterior corner.
    wall_points : tuple of two ndarray, shape (n,)
        Surface points of the wall: t between 0 and 1, and p in mm, less its slope to the side.
    superior_points, inferior_points : ndarray, shape (n, 3)
        Surface points (x, p, z) of both endplates, over the whole width.
    """

    superior: Floats
    inferior: Floats
    wall: Wall | None
    wall_z: Floats
    wall_points: tuple[Floats, Floats]
    superior_points: Floats
    inferior_points: Floats

    def heights(self) -> Floats:
        """Return the distance between the endplates at :data:`U`, mm."""
        return self.superior - self.inferior

    def bulge(self) -> Floats | None:
        """Return how far the wall stands behind the line through its corners, at :data:`T`, mm."""
        if self.wall is None:
            return None
        chord = self.wall.lower + T * (self.wall.upper - self.wall.lower)
        return np.asarray(self.wall.profile - chord)


def trace_outline(vertebra: Vertebra) -> Outline:
    """Return the outline of a vertebra that has a frame.

    Parameters
    ----------
    vertebra : Vertebra
        With a frame.

    Raises
    ------
    ValueError
        It has none.
    """
    frame = vertebra.frame
    if frame is None:
        raise ValueError(f"{vertebra.case_id} has no frame")
    surface = voxel_faces(vertebra.body, vertebra.box, vertebra.spacing)
    local = frame.to_local(surface.points)
    size = np.array(vertebra.spacing[::-1])
    plates = [_plate_points(frame, surface, local, size, sign) for sign in (1.0, -1.0)]
    superior, inferior = (_plate_profile(frame, points, size) for points in plates)
    wall_z = inferior[-1] + T * (superior[-1] - inferior[-1])
    known = frame.width / 6
    if vertebra.body_source == "separated":
        known = min(known, _CANAL_HALF)
    depth = float(np.abs(frame.axes[1]) @ size)
    t, p, step = _wall_points(frame, surface, local, size, wall_z, max(known, 0.75 * size[0]))
    enough = len(np.unique(np.round(t, 2))) >= _LEAST_POINTS
    wall = _wall(t, p, step, depth) if enough else None
    return Outline(superior, inferior, wall, wall_z, (t, p), plates[0], plates[1])


def _plate_points(frame: Frame, surface: Surface, local: Floats, size: Floats, sign: float) -> Floats:
    """Return the outermost points of one endplate: sign 1 superior, -1 inferior."""
    reach = np.abs(frame.axes) @ size
    facing = sign * (surface.normals @ frame.axes[2]) > 0.5
    u = frame.u(local[:, 1])
    found = local[facing & (u >= 0) & (u <= 1) & (np.abs(local[:, 0]) <= frame.width / 2)]
    columns = column_ids(found[:, 0], found[:, 1], (reach[0], reach[1]))
    top = outermost(columns, sign * found[:, 2], 0.5 * reach[2] + 0.5)
    return np.asarray(found[top])


def _plate_profile(frame: Frame, points: Floats, size: Floats) -> Floats:
    reach = np.abs(frame.axes) @ size
    band = np.abs(points[:, 0]) <= max(frame.width / 6, 0.75 * float(reach[0]))
    u = frame.u(points[:, 1])
    used = band & (u >= _RIM) & (u <= 1 - _RIM)
    step = float(reach[1]) / frame.depth / (U[1] - U[0])
    stiff, supple = (
        smooth_profile(u[used], points[used, 2], U, max(bend, _VOXELS * step), float(reach[2]), 2)
        for bend in (_STIFFNESS, _SUPPLE)
    )
    inner = np.clip((np.minimum(U, 1 - U) - _PASSAGE[0]) / (_PASSAGE[1] - _PASSAGE[0]), 0, 1)
    return np.asarray(stiff + inner * (supple - stiff))


def _wall(t: Floats, p: Floats, step: float, depth: float) -> Wall:
    """Return the wall's profile and its corners."""
    profile = smooth_profile(t, p, T, max(_WALL_STIFFNESS, step), depth)
    stiff = smooth_profile(t, p, T, max(_CORNER_STIFFNESS, step), depth)
    return Wall(profile, float(stiff[0]), float(stiff[-1]))


def _wall_points(
    frame: Frame, surface: Surface, local: Floats, size: Floats, wall_z: Floats, half: float
) -> tuple[Floats, Floats, float]:
    """Return t and p of the rearmost points of the middle third, and the voxel's size along t in steps."""
    reach = np.abs(frame.axes) @ size
    height = max(float(wall_z[-1] - wall_z[0]), 1.0)
    t = (local[:, 2] - wall_z[0]) / height
    near = (np.abs(local[:, 0]) <= half) & (t >= _RIM / 2) & (t <= 1 - _RIM / 2)
    rear = (surface.normals @ frame.axes[1] > 0.5) & near & (frame.u(local[:, 1]) > _REAR)
    x, p, z = local[rear].T
    last = outermost(column_ids(x, z, (reach[0], reach[2])), p, 0.5 * reach[1] + 0.5)
    x, t, p = x[last], t[rear][last], p[last]
    voxel = float(reach[2]) / height
    wall = ~_beyond_corner(t, p, voxel, float(reach[1]))
    x, t, p = x[wall], t[wall], p[wall]
    return t, p - _sideways(x, t, p, float(reach[1])) * x, voxel / (T[1] - T[0])


def _beyond_corner(t: Floats, p: Floats, voxel: float, depth: float) -> Mask:
    """Return which points are the end of a slice that an endplate cut short, and no wall.

    The outermost slice of a body ends where a tilted endplate crosses it. Only slices thicker than the rim
    that is left out reach into the wall. Their ends stand in front of the whole wall between them, as neither
    a hollow wall nor one with a fragment at its corner does.
    """
    between = (t > voxel) & (t < 1 - voxel)
    if voxel <= _RIM or not between.any():
        return np.zeros(len(t), bool)
    return np.asarray(~between & (p < p[between].min() - _AHEAD * depth))


def _sideways(x: Floats, t: Floats, p: Floats, depth: float) -> float:
    """Return the slope of a wall to the side: of a body turned about its axis."""
    if len(np.unique(np.round(x, 1))) < 3 or len(x) < 2 * _LEAST_POINTS:
        return 0.0
    level = np.round(t * 20)
    # Deviations from the row's mean, so that the shape of the wall is no slope.
    _, row = np.unique(level, return_inverse=True)
    count = np.bincount(row)
    sides, backs = (values - (np.bincount(row, values) / count)[row] for values in (x, p))
    return float(robust_fit(sides[:, None], backs, depth)[0])
