"""The outline of a body in its middle third: endplate profiles and the posterior wall, finer than a voxel."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from radiomics_vert.signs.nouns import Frame, Vertebra
from radiomics_vert.signs.surfaces import (
    Surface,
    column_ids,
    outermost,
    smooth_profile,
    voxel_faces,
)

Floats = npt.NDArray[np.float64]

U = np.linspace(0.0, 1.0, 41)
"""Antero-posterior positions of the endplate profiles, 0 at the front."""
T = np.linspace(0.0, 1.0, 41)
"""Positions along the posterior wall, 0 at the lower corner."""

# Rims are rounded in every mask: profiles are fitted inside them and continued straight. [O]
_RIM = 0.05
_STIFFNESS = 4.0  # a tenth of the profile, in steps of 1/40 [O]
# A wall between pedicles that were cut off here is known in the canal's width only, mm. [O]
_CANAL_HALF = 6.0
_LEAST_POINTS = 8


@dataclass(frozen=True, eq=False)
class Outline:
    """Profiles of one body in its middle third (|x| <= W/6), in the local axes of its frame, mm.

    Parameters
    ----------
    superior, inferior : ndarray, shape (41,)
        Heights z of the endplates at :data:`U`.
    wall : ndarray, shape (41,), or None
        Posterior position p of the posterior wall at :data:`T`; None where too little of it is seen.
    wall_z : ndarray, shape (41,)
        Heights z at :data:`T`: from the lower to the upper posterior corner.
    superior_points, inferior_points : ndarray, shape (n, 3)
        Surface points (x, p, z) of both endplates, over the whole width.
    """

    superior: Floats
    inferior: Floats
    wall: Floats | None
    wall_z: Floats
    superior_points: Floats
    inferior_points: Floats

    def heights(self) -> Floats:
        """Return the distance between the endplates at :data:`U`, mm."""
        return self.superior - self.inferior

    def bulge(self) -> Floats | None:
        """Return how far the wall stands behind the line through its corners, at :data:`T`, mm."""
        if self.wall is None:
            return None
        return np.asarray(self.wall - (self.wall[0] + T * (self.wall[-1] - self.wall[0])))


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
    wall = _wall(frame, surface, local, size, wall_z, max(known, 0.75 * size[0]))
    return Outline(superior, inferior, wall, wall_z, plates[0], plates[1])


def _plate_points(frame: Frame, surface: Surface, local: Floats, size: Floats, sign: float) -> Floats:
    """Return the outermost points of one endplate: sign 1 superior, -1 inferior."""
    reach = np.abs(frame.axes) @ size
    facing = sign * (surface.normals @ frame.axes[2]) > 0.5
    u = frame.u(local[:, 1])
    found = local[facing & (u >= 0) & (u <= 1) & (np.abs(local[:, 0]) <= frame.width / 2)]
    cell = float(max(1.0, reach[0], reach[1]))
    top = outermost(column_ids(found[:, 0], found[:, 1], cell), sign * found[:, 2], 0.5 * reach[2] + 0.5)
    return np.asarray(found[top])


def _plate_profile(frame: Frame, points: Floats, size: Floats) -> Floats:
    reach = np.abs(frame.axes) @ size
    band = np.abs(points[:, 0]) <= max(frame.width / 6, 0.75 * float(reach[0]))
    u = frame.u(points[:, 1])
    used = band & (u >= _RIM) & (u <= 1 - _RIM)
    step = float(reach[1]) / frame.depth / (U[1] - U[0])
    return smooth_profile(u[used], points[used, 2], U, max(_STIFFNESS, 1.5 * step))


def _wall(
    frame: Frame, surface: Surface, local: Floats, size: Floats, wall_z: Floats, half: float
) -> Floats | None:
    reach = np.abs(frame.axes) @ size
    height = wall_z[-1] - wall_z[0]
    if height <= 2.0:
        return None
    facing = surface.normals @ frame.axes[1] > 0.5
    t = (local[:, 2] - wall_z[0]) / height
    near = (np.abs(local[:, 0]) <= half) & (t >= _RIM / 2) & (t <= 1 - _RIM / 2)
    rear = facing & near & (frame.u(local[:, 1]) > 0.5)
    x, p, z = local[rear].T
    cell = float(max(1.0, reach[0], reach[2]))
    last = outermost(column_ids(x, z, cell), p, 0.5 * reach[1] + 0.5)
    if last.sum() < _LEAST_POINTS:
        return None
    step = float(reach[2]) / height / (T[1] - T[0])
    return smooth_profile((z[last] - wall_z[0]) / height, p[last], T, max(_STIFFNESS, 1.5 * step))
