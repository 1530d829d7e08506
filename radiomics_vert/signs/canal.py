"""Signs of the vertebral canal: loss of its cross-section, and from where it is narrowed.

Cross-sections lie in the plane of the frame, each averaged over 3 mm of height (or one voxel, where that is
more). The area of a vertebra is the smallest between 10 and 90 % of its posterior height [O]: a fragment or a
mass rarely lies half-way. The canal is everything that masks name in it, so cord and fluid belong to it; a
cord alone is no canal.

What narrows it is found from its anterior border: own and expected section (the mean of the neighbours' at
the same height) are laid on each other at their posterior border, which nothing that comes from the body
moves, and the anterior borders are compared column by column [O].
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from radiomics_vert.signs.beside import (
    box_around,
    frame_of,
    in_image,
    local_points,
    share_beyond,
    voxel_reach,
)
from radiomics_vert.signs.nouns import Absent, Box, Points, SignScan, Value, Vertebra
from radiomics_vert.signs.results import Measured
from radiomics_vert.signs.spine import Spine
from radiomics_vert.signs.surfaces import Floats

HEIGHTS = np.linspace(0.1, 0.9, 17)
"""Where sections are taken, 0 at the lower and 1 at the upper posterior corner."""
SLAB_MM = 3.0
"""Over which a section is averaged [O]."""
NARROWED = 0.10
"""Least share of the expected section taken from the front that has a side and a direction [O]."""
COARSE_MM = 2.5
"""Depth of voxels above which the anterior border is not placed well enough to be compared [O]."""
_HALF_MM = 25.0  # half of the width in which the canal is looked for [O]
_BEHIND_MM = 40.0  # behind the wall, likewise
_BEYOND_MM = 15.0  # above and below: where an occluded canal goes on [O]
_MIDDLE_MM = 8.0  # half of the width in which posterior borders are aligned [O]
_LEAST_DEPTH = 0.5  # mm; a column with less is closed
_LEAST_MM, _LEAST_VOXELS = 1.0, 0.5  # less is no loss: digital borders differ by as much [O]
_LEAST_OFFSET = 0.5  # mm between the middle of what is lost and of the section: less has no direction [O]
_PARTS = ("canal", "cord", "csf")


@dataclass(frozen=True, eq=False)
class Section:
    """One cross-section of a canal in columns from right to left.

    Parameters
    ----------
    x : ndarray, shape (n,)
        Middle of the columns, mm.
    width : float
        Of a column, mm.
    depth : ndarray, shape (n,)
        From the anterior to the posterior border, mm; 0 where there is no canal.
    middle : ndarray, shape (n,)
        Half-way between the borders, p in mm; 0 where there is no canal.
    """

    x: Floats
    width: float
    depth: Floats
    middle: Floats

    @property
    def open(self) -> Floats:
        """1 where the column holds canal, else 0."""
        return (self.depth > _LEAST_DEPTH).astype(np.float64)

    @property
    def front(self) -> Floats:
        """The anterior border, p in mm."""
        return np.asarray(self.middle - self.depth / 2)

    @property
    def back(self) -> Floats:
        """The posterior border, p in mm."""
        return np.asarray(self.middle + self.depth / 2)


@dataclass(frozen=True, eq=False)
class Canal:
    """The canal behind one vertebra.

    Parameters
    ----------
    points : ndarray, shape (n, 3)
        Its voxels in the frame, mm, between a little above and a little below the vertebra.
    heights : ndarray, shape (17,)
        z of the sections at :data:`HEIGHTS`.
    areas : ndarray, shape (17,)
        Their areas, mm2.
    reach : ndarray, shape (3,)
        Width of a voxel along x, p, z of the frame, mm.
    voxel : float
        Its volume, mm3.
    """

    points: Points
    heights: Floats
    areas: Floats
    reach: Floats
    voxel: float

    def section(self, height: int, columns: float) -> Section:
        """Return the cross-section at one of :data:`HEIGHTS`, in columns of a width in mm."""
        count = int(np.ceil(_HALF_MM / columns))
        edges = np.arange(-count, count + 1) * columns
        share = _slab_share(self.points[:, 2], float(self.heights[height]), float(self.reach[2]))
        near = share > 0
        x, p, share = self.points[near, 0], self.points[near, 1], share[near]
        # Each voxel is spread over its width: else columns finer than a tilted grid would count unevenly.
        spread = (np.arange(5) - 2) / 5 * self.reach[0]
        places = (x[:, None] + spread).ravel()
        weights = np.repeat(share * self.voxel / 5, 5)
        volume = np.histogram(places, edges, weights=weights)[0]
        moment = np.histogram(places, edges, weights=weights * np.repeat(p, 5))[0]
        depth = volume / (columns * _slab(float(self.reach[2])))
        middle = np.divide(moment, volume, out=np.zeros_like(moment), where=volume > 0)
        return Section((edges[1:] + edges[:-1]) / 2, columns, depth, middle)


def _slab(reach: float) -> float:
    return max(SLAB_MM, reach)


def _slab_share(z: Floats, height: float, reach: float) -> Floats:
    half = _slab(reach) / 2
    return np.asarray(share_beyond(z - height + half, reach) - share_beyond(z - height - half, reach))


def trace_canal(spine: Spine, vertebra: Vertebra) -> Canal | Absent:
    """Return the canal behind a vertebra with a frame.

    Parameters
    ----------
    spine : Spine
        With a layer whose name begins with `canal`.
    vertebra : Vertebra
        One of its vertebrae, with a frame.

    Returns
    -------
    Canal or Absent
        RV331 where the mask ends behind this vertebra, RV334 where the image does. Sections without canal
        between two parts of it are closed: their area is 0.
    """
    scan, frame = spine.scan, frame_of(vertebra)
    wall_z = spine.outlines[vertebra.label].wall_z
    low, high = float(wall_z[0]), float(wall_z[-1])
    wall = frame.front + frame.depth
    behind = np.array([[0.0, wall + 20, low], [0.0, wall + 20, high]])
    if not in_image(scan, frame, behind).all():
        return Absent("RV334", "the image ends behind the vertebra")
    box = box_around(
        scan, frame, (-_HALF_MM, _HALF_MM), (wall - frame.depth / 2, wall + _BEHIND_MM),
        (low - _BEYOND_MM, high + _BEYOND_MM),
    )  # fmt: skip
    if box is None:
        return Absent("RV334", "the image ends behind the vertebra")
    points = _canal_points(scan, vertebra, box)
    level = (points[:, 2] >= low) & (points[:, 2] <= high)
    reach = voxel_reach(vertebra)
    if not _whole(scan, frame.to_scan(points[level])):
        return Absent("RV334", "the image ends within the canal")
    heights = low + HEIGHTS * (high - low)
    voxel = float(np.prod(vertebra.spacing))
    areas = np.array(
        [_slab_share(points[:, 2], height, float(reach[2])).sum() * voxel for height in heights]
    ) / _slab(float(reach[2]))
    above, below = (points[:, 2] > heights[-1]).any(), (points[:, 2] < heights[0]).any()
    if not areas.all() and not (above and below):
        return Absent("RV331", "the canal's mask ends behind this vertebra")
    return Canal(points, heights, areas, reach, voxel)


def _canal_points(scan: SignScan, vertebra: Vertebra, box: Box) -> Points:
    layers = [layer for name, layer in sorted(scan.layers.items()) if name.startswith(_PARTS)]
    inside = np.logical_or.reduce([layer.mask(box) for layer in layers])
    frame = frame_of(vertebra)
    points = local_points(scan, frame, inside, box)
    return np.asarray(points[(np.abs(points[:, 0]) <= _HALF_MM) & (points[:, 1] > frame.front)])


def _whole(scan: SignScan, points: Points) -> bool:
    """Tell whether no voxel lies at the image's left, right, front or back edge."""
    if not len(points):
        return True
    index = np.rint(points[:, :2] / np.array(scan.spacing[:0:-1]))
    return bool((index > 0).all() and (index < np.array(scan.labels.shape[:0:-1]) - 1).all())


def measure(spine: Spine) -> Measured:
    """Measure the canal behind every vertebra with two measured neighbours."""
    if not any(name.startswith("canal") for name in spine.scan.layers):
        return {}
    canals = {vertebra.label: trace_canal(spine, vertebra) for vertebra in spine.framed()}
    found: dict[int, dict[str, Value]] = {}
    for label, own in canals.items():
        around = spine.neighbours(label)
        if around is None:
            continue
        beside = [canals[other] for other in around]
        missing = [canal for canal in (own, *beside) if isinstance(canal, Absent)]
        if missing or isinstance(own, Absent):
            found[label] = dict.fromkeys(("canal_loss", *_SIDES), missing[0])
            continue
        whole = [canal for canal in beside if isinstance(canal, Canal)]
        usual = float(np.mean([canal.areas.min() for canal in whole]))
        closed = Absent("RV333", "the canal of both neighbours is closed")
        loss: Value = 1 - float(own.areas.min()) / usual if usual > 0 else closed
        found[label] = {"canal_loss": loss, **_encroachment(own, whole)}
    return found


_SIDES = ("epi_lateral", "epi_angle_deg")


def _encroachment(own: Canal, beside: list[Canal]) -> dict[str, Value]:
    """Return imbalance and direction of what the canal lacks at its anterior border."""
    if own.reach[1] > COARSE_MM:
        return dict.fromkeys(_SIDES, Absent("RV338", f"voxels are deeper than {COARSE_MM:g} mm"))
    height = int(own.areas.argmin())
    columns = max(1.0, float(own.reach[0]))
    section = own.section(height, columns)
    usual = _mean_section([canal.section(height, columns) for canal in beside])
    shift = _shift(section, usual)
    border = usual.front + shift
    lost = np.where(section.open > 0, np.clip(section.front - border, 0, usual.depth), usual.depth)
    lost[lost < max(_LEAST_MM, _LEAST_VOXELS * float(own.reach[1]))] = 0
    expected = float(usual.depth.sum())
    if expected <= 0 or lost.sum() < NARROWED * expected:
        share = f"the canal is not narrowed from the front by {NARROWED:.0%}"
        return dict.fromkeys(_SIDES, Absent("RV338", share))
    middle_x = float((usual.x * usual.depth).sum() / expected)
    middle_p = float(((usual.middle + shift) * usual.depth).sum() / expected)
    left = share_beyond(usual.x - middle_x, columns)
    total = float(lost.sum())
    aside = float((lost * usual.x).sum() / total) - middle_x
    ahead = middle_p - float((lost * (border + lost / 2)).sum() / total)
    angle: Value = Absent("RV338", "the canal is closed from all sides")
    if np.hypot(aside, ahead) >= _LEAST_OFFSET:
        angle = float(np.degrees(np.arctan2(abs(aside), ahead)))
    imbalance = abs(float((lost * (2 * left - 1)).sum())) / total
    return {"epi_lateral": imbalance, "epi_angle_deg": angle}


def _mean_section(sections: list[Section]) -> Section:
    """Return the mean of some sections in the same columns, laid on each other at the posterior border."""
    first = sections[0]
    middles = [section.middle + _shift(first, section) * section.open for section in sections]
    depth = np.mean([section.depth for section in sections], axis=0)
    weights = np.array([section.open for section in sections])
    total = weights.sum(axis=0)
    middle = np.divide((weights * middles).sum(axis=0), total, out=np.zeros_like(depth), where=total > 0)
    return Section(first.x, first.width, depth, middle)


def _shift(section: Section, usual: Section) -> float:
    """Return how far the posterior border of one section lies behind that of another, mm."""
    both = (section.open > 0) & (usual.open > 0)
    central = both & (np.abs(section.x) <= max(_MIDDLE_MM, section.width))
    used = central if central.any() else both
    return float(np.median((section.back - usual.back)[used])) if used.any() else 0.0
