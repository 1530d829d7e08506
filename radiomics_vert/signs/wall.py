"""Signs of the posterior wall: bulge, its place and shape, retropulsion.

The wall is measured from the line through its own corners, less what the unfractured neighbours show at the
same height: a normal wall is hollow by 1 to 3 mm. Retropulsion is measured from the line through the corners
of the vertebrae above and below, and sees a body that has moved back as a whole.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from radiomics_vert.signs.beside import frame_of
from radiomics_vert.signs.nouns import Absent, Value
from radiomics_vert.signs.outline import Outline, T
from radiomics_vert.signs.results import Measured
from radiomics_vert.signs.shapes import UNSHAPED, angularity
from radiomics_vert.signs.spine import Spine
from radiomics_vert.signs.surfaces import Floats, nearest_step

BULGING_MM = 1.0  # least bulge that has a place and a shape [O]
_INNER = slice(2, 39)  # between 5 and 95 % of the wall: the corners define the line


class Bulge(NamedTuple):
    """How a wall stands behind the line through its corners.

    Parameters
    ----------
    largest, mean : float
        mm; negative for a hollow wall.
    place : float
        Height of the largest, 0 at the lower corner, 1 at the upper.
    """

    largest: float
    mean: float
    place: float


def describe(distance: Floats) -> Bulge:
    """Return largest and mean distance of a wall profile (at :data:`T`), and where the largest is."""
    inner = distance[_INNER]
    return Bulge(float(inner.max()), float(inner.mean()), float(T[_INNER][int(inner.argmax())]))


def usual_profile(outlines: list[Outline]) -> Floats | None:
    """Return the median wall profile of some vertebrae, at :data:`T`, mm; None without any."""
    profiles = [profile for outline in outlines if (profile := outline.bulge()) is not None]
    return np.median(profiles, axis=0) if profiles else None


def measure(spine: Spine) -> Measured:
    """Measure the posterior wall of every vertebra."""
    found: dict[int, dict[str, Value]] = {}
    displaced = _displacements(spine)
    for label, outline in spine.outlines.items():
        own = outline.bulge()
        if own is None:
            unseen = Absent("RV338", "too little of the posterior wall is seen")
            found[label] = dict.fromkeys(("pw_bulge_mm", "pw_bulge_raw_mm", "pw_mean_mm", *_SHAPE), unseen)
            continue
        values: dict[str, Value] = {"pw_bulge_raw_mm": describe(own).largest}
        usual = usual_profile([spine.outlines[other] for other in spine.references.get(label, ())])
        if usual is not None:
            values |= _bulge_values(outline, own, usual, _voxel(spine, label))
        if label in displaced:
            values["retropulsion_mm"] = _less_usual(label, displaced, spine)
        found[label] = values
    return found


_SHAPE = ("pw_pos", "pw_angularity")


def _bulge_values(outline: Outline, own: Floats, usual: Floats, voxel: float) -> dict[str, Value]:
    bulge = describe(own - usual)
    values: dict[str, Value] = {"pw_bulge_mm": bulge.largest, "pw_mean_mm": bulge.mean}
    if bulge.largest < BULGING_MM:
        flat = Absent("RV338", f"the wall does not bulge by {BULGING_MM:g} mm")
        return values | dict.fromkeys(_SHAPE, flat)
    t, p = outline.wall_points
    values["pw_pos"] = bulge.place
    shape = angularity(t, p - np.interp(t, T, usual), voxel)
    values["pw_angularity"] = UNSHAPED if shape is None else shape
    return values


def _voxel(spine: Spine, label: int) -> float:
    """Return the size of a voxel along that of its edges which is nearest to the way back, mm."""
    return nearest_step(frame_of(spine.vertebra(label)).axes[1], spine.scan.spacing)


def _displacements(spine: Spine) -> dict[int, float]:
    """Return how far each wall stands behind the line through its neighbours' corners, mm."""
    found = {}
    for vertebra in spine.framed():
        around = spine.neighbours(vertebra.label)
        outline = spine.outlines[vertebra.label]
        if around is None or outline.wall is None or vertebra.frame is None:
            continue
        corners = [_corner(spine, label, end) for label, end in zip(around, (0, -1), strict=True)]
        if corners[0] is None or corners[1] is None:
            continue
        upper, lower = vertebra.frame.to_local(np.array(corners))
        share = (outline.wall_z - lower[2]) / (upper[2] - lower[2])
        line = lower[1] + share * (upper[1] - lower[1])
        found[vertebra.label] = float((outline.wall.profile - line)[_INNER].max())
    return found


def _corner(spine: Spine, label: int, end: int) -> Floats | None:
    """Return a posterior corner of a vertebra in the scan's axes: 0 the lower, -1 the upper one."""
    frame, outline = spine.vertebra(label).frame, spine.outlines[label]
    if frame is None or outline.wall is None:
        return None
    p = outline.wall.upper if end else outline.wall.lower
    return np.asarray(frame.to_scan(np.array([[0.0, p, outline.wall_z[end]]]))[0])


def _less_usual(label: int, displaced: dict[int, float], spine: Spine) -> Value:
    # A wall that stands back displaces the line of its own neighbours, so these say nothing about it.
    beside = spine.neighbours(label) or ()
    references = set(spine.references.get(label, ())) - set(beside)
    usual = [displaced[other] for other in sorted(references) if other in displaced]
    if not usual:
        return Absent("RV333", "no unfractured vertebra two or three levels away has two neighbours")
    return displaced[label] - float(np.median(usual))
