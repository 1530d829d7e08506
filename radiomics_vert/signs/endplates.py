"""Signs of the endplates: lateral angle, depth and shape of a depression, local pits."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from radiomics_vert.signs.nouns import Absent, Frame, Value
from radiomics_vert.signs.outline import NEAR_BACK, NEAR_FRONT, Outline, U
from radiomics_vert.signs.pits import deepest_pits, holds_disc
from radiomics_vert.signs.results import Measured
from radiomics_vert.signs.shapes import UNSHAPED, angularity
from radiomics_vert.signs.spine import Spine
from radiomics_vert.signs.surfaces import Floats, nearest_step
from radiomics_vert.signs.thickness import angle_unseen

DEPRESSED_MM = 1.0  # less is a normal endplate or digitisation [O]


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


def endplate_angularity(frame: Frame, outline: Outline, side: str, voxel: float) -> float | None:
    """Return the shape of an endplate's profile in the middle third: -1 concave, +1 angled, None unseen.

    Parameters
    ----------
    frame, outline : Frame, Outline
        Of the body.
    side : {"superior", "inferior"}
        Which endplate.
    voxel : float
        Size of a voxel along that of its edges which is nearest to the axis, mm.
    """
    upper = side == "superior"
    points = outline.superior_points if upper else outline.inferior_points
    band = points[np.abs(points[:, 0]) <= frame.width / 6]
    plate = frame.superior if upper else frame.inferior
    u = frame.u(band[:, 1])
    inner = (u >= U[NEAR_FRONT]) & (u <= U[NEAR_BACK])
    span = U[NEAR_BACK] - U[NEAR_FRONT]
    # Without its slope to the side: rows of voxels then cross the plate at all phases, and all say the same.
    height = band[inner, 2] - plate.left * band[inner, 0]
    return angularity((u[inner] - U[NEAR_FRONT]) / span, height, voxel)


def measure(spine: Spine) -> Measured:
    """Measure lateral angle, endplate depression and its shape, and pits, of every vertebra."""
    found: dict[int, dict[str, Value]] = {}
    for vertebra in spine.framed():
        frame, outline = vertebra.frame, spine.outlines[vertebra.label]
        if frame is None:
            continue
        deepest = depression(outline)
        shape: Value = Absent("RV338", f"no endplate is depressed by {DEPRESSED_MM:g} mm")
        if deepest.depth >= DEPRESSED_MM:
            step = nearest_step(frame.axes[2], vertebra.spacing)
            angular = endplate_angularity(frame, outline, deepest.side, step)
            shape = UNSHAPED if angular is None else angular
        pit = max(deepest_pits(spine, vertebra), key=lambda found: found.depth)
        found[vertebra.label] = {
            "lat_angle": angle_unseen(frame, vertebra.spacing) or lateral_angle(frame),
            "ep_depth_mm": deepest.depth,
            "ep_angularity": shape,
            "schmorl_depth": pit.depth,
            "schmorl_open": holds_disc(spine, vertebra, pit),
        }
    return found
