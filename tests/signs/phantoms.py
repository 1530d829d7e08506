"""Vertebrae with known shape, drawn on any grid: the truth that the geometric signs are tested against.

A body is a prism over a squarish outline with straight, parabolic or angled endplates; pedicles, laminae
and a spinous process stand behind it around a canal. Bodies stack into a column along a curve. Every number
that a test compares with is a parameter here or follows from one by elementary geometry.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import product

import numpy as np

from radiomics_vert.cohort import Level
from radiomics_vert.signs.nouns import SignScan

OUTLINE = 6.0  # exponent of the outline: the mid-third of the posterior wall is flat within 0.01 mm
LEVELS = tuple(level for level in Level if Level.T7 <= level <= Level.L5 and level is not Level.T13)


@dataclass(frozen=True)
class Body:
    """One vertebra; lengths in mm, angles in degrees. Heights are at u = 0.05, 0.5 and 0.95."""

    width: float = 44.0
    depth: float = 32.0
    heights: tuple[float, float, float] = (26.0, 26.0, 26.0)
    normal: float = 26.0
    superior_share: float = 1.0
    angled: bool = False
    lateral_deg: float = 0.0
    bulge: float = 0.0
    bulge_kind: str = "arc"
    bulge_at: float = 0.5
    moved_back: float = 0.0
    pit: float = 0.0
    arch: bool = True

    def plates(self, x: np.ndarray, u: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Heights of the superior and inferior endplate."""
        share = self.superior_share
        top = [self.normal / 2 - share * (self.normal - h) for h in self.heights]
        bottom = [-self.normal / 2 + (1 - share) * (self.normal - h) for h in self.heights]
        across = np.maximum(0, 1 - (2 * x / self.width) ** 4)
        span = (u - 0.5) / 0.45
        dip = (1 - np.abs(span) if self.angled else 1 - span**2) * across
        superior, inferior = (
            a + (u - 0.05) / 0.9 * (c - a) + (m - (a + c) / 2) * dip for a, m, c in (top, bottom)
        )
        superior = superior + x * np.tan(np.radians(self.lateral_deg))
        if self.pit:
            superior = superior - self.pit * (np.hypot(x - 6, (u - 0.55) * self.depth) < 4)
        return superior, inferior

    def wall(self, t: np.ndarray) -> np.ndarray:
        """Distance of the posterior wall behind its chord; t from 0 (lower) to 1 (upper corner)."""
        if self.bulge_kind == "arc":
            return self.bulge * (1 - (2 * t - 1) ** 2)
        peak = self.bulge_at
        return self.bulge * np.clip(np.minimum(t / peak, (1 - t) / (1 - peak)), 0, 1)

    def inside(self, x: np.ndarray, p: np.ndarray, z: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Which positions lie in the body, and which in the posterior elements."""
        p = p - self.moved_back
        u = p / self.depth + 0.5
        superior, inferior = self.plates(x, u)
        last = self.plates(np.zeros(1), np.ones(1))
        t = (z - last[1]) / (last[0] - last[1])
        fade = np.clip(2 - np.abs(x) / (self.width / 6) / 1.25, 0, 1)
        behind = self.wall(np.clip(t, 0, 1)) * fade * (p > 0)
        across, along = 2 * np.abs(x) / self.width, np.abs(2 * (p - behind) / self.depth)
        outline = across**OUTLINE + along**OUTLINE <= 1
        body = outline & (z <= superior) & (z >= inferior)
        arch = self._arch(x, p + self.moved_back, z) & ~body if self.arch else np.zeros_like(body)
        return body, arch

    def _arch(self, x: np.ndarray, p: np.ndarray, z: np.ndarray) -> np.ndarray:
        """Pedicles, laminae, transverse processes and spinous process as boxes (start, stop per axis)."""
        back, h, side = p - self.depth / 2, z / self.normal, np.abs(x)
        boxes = (
            ((10, 18), (-1, 16), (0.02, 0.40)),  # pedicles
            ((0, 18), (16, 22), (-0.45, 0.35)),  # laminae
            ((18, 38), (6, 14), (0.05, 0.35)),  # transverse processes
            ((0, 3), (22, 45), (-0.6, 0.05)),  # spinous process
        )
        found = np.zeros(np.broadcast(x, p, z).shape, bool)
        for (a, b), (c, d), (e, f) in boxes:
            found |= (side >= a) & (side <= b) & (back >= c) & (back <= d) & (h >= e) & (h <= f)
        return found


@dataclass(frozen=True)
class Column:
    """A stack of bodies from the head down; angles between neighbours in degrees."""

    bodies: tuple[Body, ...]
    levels: tuple[Level | None, ...]
    disc: float = 8.0
    lordosis: tuple[float, ...] = ()
    scoliosis: tuple[float, ...] = ()
    rotation: float = 0.0  # of every vertebra about its own axis
    tilt: float = 0.0  # of the whole column, forwards
    poses: list[tuple[np.ndarray, np.ndarray]] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "poses", self._stack())

    def _stack(self) -> list[tuple[np.ndarray, np.ndarray]]:
        """Centres and axes (rows left, back, up), with the middle vertebra upright in the scan."""
        n = len(self.bodies)
        sagittal = np.concatenate([[0], np.cumsum(self.lordosis or [0.0] * (n - 1))])
        coronal = np.concatenate([[0], np.cumsum(self.scoliosis or [0.0] * (n - 1))])
        sagittal = np.radians(sagittal - sagittal.mean() + self.tilt)
        coronal = np.radians(coronal - coronal.mean())
        axes = [rotation(a, b, np.radians(self.rotation)) for a, b in zip(sagittal, coronal, strict=True)]
        centres = [np.zeros(3)]
        for k in range(1, n):
            upper, lower = self.bodies[k - 1].normal / 2, self.bodies[k].normal / 2
            between = axes[k - 1][2] + axes[k][2]
            between /= np.linalg.norm(between)
            step = axes[k - 1][2] * upper + between * self.disc + axes[k][2] * lower
            centres.append(centres[-1] - step)
        return list(zip(centres, axes, strict=True))

    def scan(
        self,
        spacing: tuple[float, float, float] = (1.0, 1.0, 1.0),
        *,
        shift: tuple[float, float, float] = (0.0, 0.0, 0.0),
        region: str = "vertebra",
        give_body: bool = False,
        samples: int = 1,
        margin: float = 12.0,
    ) -> SignScan:
        """Draw the column on a grid with spacing (z, y, x); `samples` per axis decide partial volume."""
        low, high = self._reach(margin)
        step = np.array(spacing)
        shape = tuple(np.ceil((high - low)[::-1] / step).astype(int))
        labels = np.zeros(shape, np.uint8)
        bodies = np.zeros(shape, bool)
        origin = low + np.array(shift)[::-1] * step[::-1]
        for number, (body, (centre, axes)) in enumerate(zip(self.bodies, self.poses, strict=True), 1):
            box = _box(body, centre, axes, origin, step, shape)
            body_share, arch_share = _coverage(body, centre, axes, origin, step, box, samples)
            own = body_share >= 0.5
            whole = own | (body_share + arch_share >= 0.5)
            if region == "body":
                whole = own
            labels[box][whole] = number
            bodies[box] |= own
        levels = dict(enumerate(self.levels, 1))
        return SignScan("phantom", labels, spacing, levels, region, body=bodies if give_body else None)

    def _reach(self, margin: float) -> tuple[np.ndarray, np.ndarray]:
        corners = np.concatenate(
            [
                _corners(body) @ axes + centre
                for body, (centre, axes) in zip(self.bodies, self.poses, strict=True)
            ]
        )
        return corners.min(axis=0) - margin, corners.max(axis=0) + margin


def rotation(sagittal: float, coronal: float, axial: float) -> np.ndarray:
    """Axes (rows left, back, up) tilted backwards, to the left, and turned about the own axis; radians."""
    up = np.array([np.sin(coronal), np.sin(sagittal), np.cos(sagittal) * np.cos(coronal)])
    up /= np.linalg.norm(up)
    left = np.array([1.0, 0.0, 0.0]) - up[0] * up
    left /= np.linalg.norm(left)
    back = np.cross(up, left)
    turned = np.cos(axial) * left + np.sin(axial) * back
    return np.stack([turned, np.cross(up, turned), up])


def _corners(body: Body) -> np.ndarray:
    tall = body.normal * 0.75 + 8
    x, front, back = (40.0, -body.depth / 2 - 4, body.depth / 2 + 47) if body.arch else (30.0, -24.0, 26.0)
    return np.array(list(product((-x, x), (front, back), (-tall, tall))))


def _box(body, centre, axes, origin, step, shape):
    points = (_corners(body) @ axes + centre - origin)[:, ::-1] / step
    low = np.clip(np.floor(points.min(axis=0)).astype(int), 0, shape)
    high = np.clip(np.ceil(points.max(axis=0)).astype(int) + 1, 0, shape)
    return tuple(slice(a, b) for a, b in zip(low, high, strict=True))


def _coverage(body, centre, axes, origin, step, box, samples):
    offsets = (np.arange(samples) + 0.5) / samples - 0.5
    shares = [np.zeros([axis.stop - axis.start for axis in box], np.float32) for _ in range(2)]
    for dz, dy, dx in product(offsets, repeat=3):
        k, j, i = np.ogrid[box]
        scan = ((i + dx) * step[2], (j + dy) * step[1], (k + dz) * step[0])
        local = [sum(axis[c] * (scan[c] + origin[c] - centre[c]) for c in range(3)) for axis in axes]
        for share, inside in zip(shares, body.inside(*local), strict=True):
            share += inside
    return [share / samples**3 for share in shares]


def straight(*bodies: Body, **more) -> Column:
    """A column that ends at L5."""
    levels: Sequence[Level] = LEVELS[-len(bodies) :]
    return Column(tuple(bodies), tuple(levels), **more)


def amid(body: Body, plain: Body | None = None, neighbours: int = 3, **more) -> Column:
    """A column with one special body between plain ones on both sides."""
    plain = plain or Body(width=body.width, depth=body.depth, arch=body.arch)
    return straight(*[plain] * neighbours, body, *[plain] * neighbours, **more)
