"""Signs of the posterior wall: bulge, its place and shape, retropulsion.

The wall is measured from the line through its own corners, less what the unfractured neighbours show at the
same height: a normal wall is hollow by 1 to 3 mm. Retropulsion is measured from where the walls above and
below let one expect an unmoved wall, and sees a body that has moved back as a whole.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from radiomics_vert.signs.beside import frame_of
from radiomics_vert.signs.frame import start_axes
from radiomics_vert.signs.nouns import Absent, Value
from radiomics_vert.signs.outline import Outline, T
from radiomics_vert.signs.results import Measured
from radiomics_vert.signs.shapes import UNSHAPED, angularity
from radiomics_vert.signs.spine import Spine
from radiomics_vert.signs.surfaces import Floats, nearest_step
from radiomics_vert.signs.thickness import wall_unseen

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
    for label, outline in spine.outlines.items():
        unseen = wall_unseen(frame_of(spine.vertebra(label)), spine.scan.spacing)
        if unseen is not None:
            found[label] = dict.fromkeys((*_BULGE, *_SHAPE, "retropulsion_mm"), unseen)
            continue
        own = outline.bulge()
        if own is None:
            too_little = Absent("RV338", "too little of the posterior wall is seen")
            found[label] = dict.fromkeys((*_BULGE, *_SHAPE), too_little)
            continue
        values: dict[str, Value] = {"pw_bulge_raw_mm": describe(own).largest}
        usual = usual_profile([spine.outlines[other] for other in spine.references.get(label, ())])
        if usual is not None:
            values |= _bulge_values(outline, own, usual, _voxel(spine, label))
        values["retropulsion_mm"] = _retropulsion(spine, label)
        found[label] = values
    return found


_BULGE, _SHAPE = ("pw_bulge_mm", "pw_bulge_raw_mm", "pw_mean_mm"), ("pw_pos", "pw_angularity")


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


def _retropulsion(spine: Spine, label: int) -> Value:
    around = spine.neighbours(label)
    if around is None:
        return Absent("RV333", "the vertebrae above and below were not both measured")
    # Up and back are the neighbours': a body that was drawn on one side only is turned, and would seem moved.
    up, back = (sum(frame_of(spine.vertebra(other)).axes[k] for other in around) for k in (2, 1))
    axes = start_axes(up, back)
    above, own, below = (_corners(spine, other, axes) for other in (around[0], label, around[1]))
    bulge = spine.outlines[label].bulge()
    if above is None or own is None or below is None or bulge is None:
        return Absent("RV338", "too little of the posterior wall is seen here, above or below")
    lower, upper = own[:, 0] - expected_corners(above, below, own[:, 1])
    return float((lower + T * (upper - lower) + bulge)[_INNER].max())


def expected_corners(above: Floats, below: Floats, z: Floats) -> Floats:
    """Return where the corners of a wall stand that has not moved against its neighbours.

    A spine bends in its discs: seen along the bisector of the two walls at a disc, unmoved bodies make no
    step there. That this holds at both discs gives place and slope of the wall between them. In kyphosis it
    stands behind the line through the neighbours' corners, in lordosis in front of it.

    Parameters
    ----------
    above, below : ndarray, shape (2, 2)
        (p, z) of the lower and the upper corner of the walls above and below, mm.
    z : ndarray, shape (2,)
        Heights of the lower and the upper corner between them, mm.

    Returns
    -------
    ndarray, shape (2,)
        p of the lower and the upper corner, mm.

    Examples
    --------
    >>> above, below = np.array([[0.0, 34.0], [0.0, 60.0]]), np.array([[0.0, -34.0], [0.0, -8.0]])
    >>> expected_corners(above, below, np.array([0.0, 26.0])).tolist()
    [0.0, 0.0]
    """
    (run_above, rise_above), (run_below, rise_below) = above[1] - above[0], below[1] - below[0]
    slope_above, slope_below = run_above / rise_above, run_below / rise_below
    gap_above, gap_below = max(above[0, 1] - z[1], 0.0), max(z[0] - below[1, 1], 0.0)
    rise = above[0, 0] - below[1, 0] - (gap_above * slope_above + gap_below * slope_below) / 2
    slope = rise / (z[1] - z[0] + (gap_above + gap_below) / 2)
    lower = below[1, 0] + gap_below * (slope_below + slope) / 2
    upper = above[0, 0] - gap_above * (slope_above + slope) / 2
    return np.array([lower, upper])


def _corners(spine: Spine, label: int, axes: Floats) -> Floats | None:
    """Return (p, z) of the lower and the upper posterior corner along given axes, shape (2, 2), mm."""
    frame, outline = frame_of(spine.vertebra(label)), spine.outlines[label]
    if outline.wall is None:
        return None
    ends = [[0.0, outline.wall.lower, outline.wall_z[0]], [0.0, outline.wall.upper, outline.wall_z[-1]]]
    return np.asarray(frame.to_scan(np.array(ends)) @ axes[1:].T)
