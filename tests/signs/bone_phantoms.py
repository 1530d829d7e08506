"""CT vertebrae with known truth: marrow, cortex and what is drawn into them, with partial volume and noise.

The geometry is that of `phantoms`. Intensities are averaged over samples within each voxel, so that a thin
structure weighs what it covers.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from itertools import product

import numpy as np
from phantoms import OUTLINE, Body, Column
from scipy import ndimage

from radiomics_vert.signs.nouns import SignScan

SOFT, MARROW, SHELL_HU, SHELL_MM = 40.0, 150.0, 700.0, 2.0

Paint = Callable[[np.ndarray, np.ndarray, np.ndarray, np.ndarray, np.ndarray], np.ndarray]
"""From local x, p, z, distance to the wall (mm, positive inside) and HU to HU."""


def ellipsoid(
    centre: tuple[float, float, float], half: tuple[float, float, float], hu: float, tilt: float = 0
):
    """An ellipsoid with half axes along x, p, z; tilted about x by degrees (its back end goes up)."""

    def paint(x, p, z, inside, image):
        c, s = np.cos(np.radians(tilt)), np.sin(np.radians(tilt))
        dp, dz = p - centre[1], z - centre[2]
        a, b = c * dp + s * dz, -s * dp + c * dz
        found = ((x - centre[0]) / half[0]) ** 2 + (a / half[1]) ** 2 + (b / half[2]) ** 2 <= 1
        return np.where(found, hu, image)

    return paint


def wall_gap(
    where: Callable[[np.ndarray, np.ndarray, np.ndarray], np.ndarray], hu: float = SOFT, deep: float = 4
):
    """Replace the wall and what lies `deep` mm below it where `where(x, p, z)` holds."""

    def paint(x, p, z, inside, image):
        return np.where(where(x, p, z) & (inside < deep) & (inside > -0.01), hu, image)

    return paint


def in_wall(side: str, where: Callable[[np.ndarray, np.ndarray], np.ndarray]):
    """Choose places on one flat side of the wall: `where(along the wall, height)`."""

    axis, sign = {"anterior": (1, -1), "posterior": (1, 1), "left": (0, 1), "right": (0, -1)}[side]
    half = (Body().width / 2, Body().depth / 2)

    def chosen(x, p, z):
        across, along = (x, p)[axis], (p, x)[axis]
        own = sign * across / half[axis] > np.abs(along) / half[1 - axis]
        return own & where(along, z)

    return chosen


def striation(period: float, amplitude: float, axis: int, turned: float = 0.0):
    """Plates of varying density, `period` mm apart along local axis 0 (x), 1 (p) or 2 (z)."""

    def paint(x, p, z, inside, image):
        c, s = np.cos(np.radians(turned)), np.sin(np.radians(turned))
        along = (x, c * p + s * z, -s * p + c * z)[axis]
        return image + amplitude * np.sin(2 * np.pi * along / period) * (inside > SHELL_MM)

    return paint


def plate(height: float, half: float, hu: float, edge: float = 0.0, tilt: float = 0.0, reach: float = 14.0):
    """A fracture line: a layer of HU at a height, 2 * half thick, with edges of a sigmoid of scale `edge`."""

    def paint(x, p, z, inside, image):
        away = np.abs(z - height - p * np.tan(np.radians(tilt))) - half
        share = 1 / (1 + np.exp(np.clip(away / max(edge, 1e-3), -50, 50)))
        return image + (hu - image) * share * (np.abs(x) < reach) * (inside > SHELL_MM)

    return paint


def marrow(hu: float):
    """Give the marrow another density; cortex and endplates stay."""

    def paint(x, p, z, inside, image):
        return np.where(image == MARROW, hu, image)

    return paint


def flank(beyond: float, change: float):
    """Change the marrow more than so many mm to the left of the middle by so many HU."""

    def paint(x, p, z, inside, image):
        return np.where((image == MARROW) & (x > beyond), image + change, image)

    return paint


@dataclass(frozen=True)
class Drawing:
    """How a column becomes a CT."""

    spacing: tuple[float, float, float] = (1.0, 1.0, 1.0)
    shift: tuple[float, float, float] = (0.0, 0.0, 0.0)
    samples: int = 3
    noise: float = 0.0
    marrow: float = MARROW
    shell: float = SHELL_HU
    region: str = "body"
    holes: bool = False


def bone_scan(column: Column, paints: Mapping[int, tuple[Paint, ...]], how: Drawing = Drawing()) -> SignScan:
    """Draw a column as CT; `paints` by label (1 is the uppermost)."""
    scan = column.scan(how.spacing, shift=how.shift, region=how.region, give_body=how.region == "vertebra")
    low, _ = column._reach(12.0)
    origin = low + np.array(how.shift)[::-1] * np.array(how.spacing)[::-1]
    image = np.full(scan.labels.shape, SOFT)
    for number, (body, (centre, axes)) in enumerate(zip(column.bodies, column.poses, strict=True), 1):
        near = ndimage.binary_dilation(scan.labels == number, iterations=3)
        box = ndimage.find_objects(near.astype(np.int8))[0]
        image[box] += _averaged(body, centre - origin, axes, box, how, paints.get(number, ()))
    if how.noise:
        image += np.random.default_rng(7).normal(0, how.noise, image.shape)
    labels = scan.labels.copy()
    if how.holes:
        labels[image < -200] = 0
    return replace(scan, image=image.astype(np.float32), labels=labels)


def _averaged(body: Body, centre, axes, box, how: Drawing, paints) -> np.ndarray:
    """HU above soft tissue in a box, averaged over samples of each voxel."""
    offsets = (np.arange(how.samples) + 0.5) / how.samples - 0.5
    total = np.zeros([axis.stop - axis.start for axis in box])
    k, j, i = np.ogrid[box]
    for dz, dy, dx in product(offsets, repeat=3):
        at = ((i + dx) * how.spacing[2], (j + dy) * how.spacing[1], (k + dz) * how.spacing[0])
        x, p, z = (sum(axis[c] * (at[c] - centre[c]) for c in range(3)) for axis in axes)
        inside, arch = body.inside(x, p, z)
        depth = depth_below_wall(body, x, p)
        superior, inferior = body.plates(x, p / body.depth + 0.5)
        shell = (depth < SHELL_MM) | (z > superior - 1) | (z < inferior + 1)
        hu = np.where(inside, np.where(shell, how.shell, how.marrow), SOFT)
        hu = np.where(arch, how.shell / 2, hu)
        for paint in paints:
            hu = np.where(inside, paint(x, p, z, depth, hu), hu)
        total += hu - SOFT
    return total / how.samples**3


def depth_below_wall(body: Body, x: np.ndarray, p: np.ndarray) -> np.ndarray:
    """Distance to the outline seen from above, mm, to first order."""
    across, along = 2 * np.abs(x) / body.width, 2 * np.abs(p) / body.depth
    ring = np.maximum((across**OUTLINE + along**OUTLINE) ** (1 / OUTLINE), 1e-3)
    slope = np.hypot(across ** (OUTLINE - 1) * 2 / body.width, along ** (OUTLINE - 1) * 2 / body.depth)
    return (1 - ring) / np.maximum(slope / ring ** (OUTLINE - 1), 1e-3)
