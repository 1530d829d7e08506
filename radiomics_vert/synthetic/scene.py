"""The voxel grid of a scan, and the patient as it lies in it: vertebrae, their poses, what surrounds them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product

import numpy as np
import numpy.typing as npt

from radiomics_vert.synthetic.anatomy import Pose
from radiomics_vert.synthetic.nouns import Vertebra
from radiomics_vert.synthetic.shapes import CANAL_DEPTH, CANAL_WIDTH, Field, capsules
from radiomics_vert.synthetic.tissue import Fields

FAT, MUSCLE, VESSEL, CSF, CORD, DISC, SOFT, AIR, NECROSIS = range(9)
TISSUES = 9
Tissue = npt.NDArray[np.uint8]
Box = tuple[slice, slice, slice]


@dataclass(frozen=True)
class Grid:
    """A voxel grid; arrays on it have the axes (k, j, i), k across the slices.

    Parameters
    ----------
    size : tuple of int
        Voxels along i, j, k.
    spacing : tuple of float
        mm along i, j, k.
    direction : ndarray, shape (3, 3)
        Columns are the world directions (LPS) of i, j, k.
    origin : ndarray, shape (3,)
        World position of the first voxel's centre, mm.
    """

    size: tuple[int, int, int]
    spacing: tuple[float, float, float]
    direction: np.ndarray
    origin: np.ndarray

    @property
    def shape(self) -> tuple[int, int, int]:
        """Shape of arrays, (k, j, i)."""
        return self.size[2], self.size[1], self.size[0]

    def refined(self, factor: int) -> Grid:
        """Return the grid with `factor` times as many, thinner slices in the same place."""
        step = self.spacing[2] / factor
        start = self.origin - self.direction[:, 2] * step * (factor - 1) / 2
        size = (self.size[0], self.size[1], self.size[2] * factor)
        return Grid(size, (self.spacing[0], self.spacing[1], step), self.direction, start)

    def positions(self, box: Box, pose: Pose) -> list[Field]:
        """Return the local coordinates x, y, z (mm) of the voxels of a box, each shaped like the box."""
        matrix = pose.axes.T @ self.direction * np.array(self.spacing)
        offset = pose.axes.T @ (self.origin - pose.centre)
        k, j, i = np.ogrid[box]
        return [
            (row[0] * i + row[1] * j + (row[2] * k + start)).astype(np.float32)
            for row, start in zip(matrix, offset, strict=True)
        ]

    def box(self, points: np.ndarray) -> Box:
        """Return the box of voxels around world points, shape (n, 3), clipped to the grid."""
        index = (points - self.origin) @ self.direction / np.array(self.spacing)
        low = np.clip(np.floor(index.min(axis=0)), 0, self.size).astype(int)
        high = np.clip(np.ceil(index.max(axis=0)) + 1, 0, self.size).astype(int)
        spans = [slice(int(a), int(b)) for a, b in zip(low, high, strict=True)]
        return spans[2], spans[1], spans[0]


WORLD = Pose(np.zeros(3), np.eye(3))


@dataclass(frozen=True)
class Scene:
    """One patient in space.

    Parameters
    ----------
    vertebrae : sequence of Vertebra
        From the head down.
    poses : sequence of Pose
        One per vertebra.
    fields : sequence of Fields
        One per vertebra.
    """

    vertebrae: Sequence[Vertebra]
    poses: Sequence[Pose]
    fields: Sequence[Fields]

    def extent(self) -> np.ndarray:
        """Return world points, shape (n, 3), that a scan has to hold: all bone and a rim of tissue."""
        points = [
            pose.to_world(
                np.vstack([body_corners(v, 1.0), rod_ends(v), [0, -v.depth / 2 - max(12, v.rim), 0]])
            )
            for v, pose in zip(self.vertebrae, self.poses, strict=True)
        ]
        return np.vstack(points)


def body_corners(vertebra: Vertebra, margin: float) -> np.ndarray:
    """Return the corners, shape (8, 3), of a box around the body, in its own frame, mm."""
    deep = max(vertebra.bulge, vertebra.retropulsion)
    tilt = vertebra.width / 2 * np.tan(np.radians(abs(vertebra.lateral_angle)))
    height = max(vertebra.normal_heights) / 2 + tilt + margin
    x, y = vertebra.width / 2 + margin, vertebra.depth / 2 + margin
    return np.array(list(product((-x, x), (-y, y + deep), (-height, height))))


def rod_ends(vertebra: Vertebra) -> np.ndarray:
    """Return points, shape (n, 3), that enclose the posterior elements, in the vertebra's frame, mm."""
    corners = np.array(list(product((-1.0, 1.0), repeat=3)))
    ends = [
        np.array(end) + corners * (np.array(rod.radii) + 0.5)
        for rod in capsules(vertebra)
        for end in (rod.start, rod.stop)
    ]
    return np.vstack(ends)


class Surroundings:
    """The soft tissue around a spine, following its curve.

    Parameters
    ----------
    scene : Scene
        The spine.
    half_body : tuple of float, optional
        Half axes of an elliptical trunk (left-right, front-back) in mm, with air outside it.
    """

    _STEP = 0.5  # mm between the rows of the table of curves

    def __init__(self, scene: Scene, half_body: tuple[float, float] | None = None) -> None:
        self._half_body = half_body
        bodies, canals, sizes = [], [], []
        for vertebra, pose in zip(scene.vertebrae, scene.poses, strict=True):
            behind = vertebra.depth / 2 + CANAL_DEPTH * vertebra.scale / 2
            bodies.append(pose.centre)
            canals.append(pose.to_world(np.array([[0.0, behind, 0.0]]))[0])
            lumbar = vertebra.level.region == "lumbar"
            sizes.append((vertebra.width / 2, vertebra.depth / 2, 1.0 if lumbar else 0.35))
        self._low = float(min(body[2] for body in bodies)) - 80
        heights = np.arange(self._low, max(body[2] for body in bodies) + 80, self._STEP)
        self._body = _curve(heights, np.array(bodies))
        self._canal = _curve(heights, np.array(canals))
        self._sizes = np.column_stack(
            [np.interp(heights, [b[2] for b in bodies[::-1]], column[::-1]) for column in np.array(sizes).T]
        ).astype(np.float32)
        # The cord ends at L1 or L2; below it the sac holds roots in fluid.
        cord = [b[2] for b, v in zip(bodies, scene.vertebrae, strict=True) if str(v.level) in ("T12", "L1")]
        self._conus = min(cord) - 5 if cord else (np.inf if str(scene.vertebrae[0].level) > "L" else -np.inf)

    def tissue(self, grid: Grid, box: Box) -> tuple[Tissue, npt.NDArray[np.bool_]]:
        """Return the tissue of every voxel of a box, and where the canal is."""
        x, y, z = grid.positions(box, WORLD)
        row = np.clip((z - self._low) / self._STEP, 0, len(self._body) - 1).astype(np.int32)
        dx, dy = x - self._body[:, 0][row], y - self._body[:, 1][row]
        half_width, half_depth, lumbar = (column[row] for column in self._sizes.T)
        tissue = np.full(x.shape, FAT, np.uint8)
        side = np.abs(dx)
        # Psoas, erector spinae, aorta, vena cava: sizes in mm [O].
        tissue[_ellipse(side - half_width - 10 * lumbar, dy - 2, 12 * lumbar + 2, 16 * lumbar + 2)] = MUSCLE
        tissue[_ellipse(side - 22, dy - half_depth - 32, 19, 17)] = MUSCLE
        tissue[_ellipse(dx - 7, dy + half_depth + 11, 9, 9)] = VESSEL
        tissue[_ellipse(dx + 14, dy + half_depth + 9, 10, 7)] = VESSEL
        cx, cy = x - self._canal[:, 0][row], y - self._canal[:, 1][row]
        canal = _ellipse(cx, cy, CANAL_WIDTH / 2 - 0.5, CANAL_DEPTH / 2 - 0.5)
        tissue[canal] = CSF
        tissue[_ellipse(cx, cy, 5.5, 4.5) & (z > self._conus)] = CORD
        if self._half_body:
            tissue[~_ellipse(x, y, *self._half_body)] = AIR
        return tissue, canal


def _curve(heights: np.ndarray, points: np.ndarray) -> Field:
    """Interpolate x and y of points over z, straight on beyond the ends."""
    points = points[::-1]
    below = points[0] + (points[0] - points[1]) * 80 / max(points[1][2] - points[0][2], 1.0)
    above = points[-1] + (points[-1] - points[-2]) * 80 / max(points[-1][2] - points[-2][2], 1.0)
    path = np.vstack([below, points, above])
    return np.column_stack([np.interp(heights, path[:, 2], path[:, c]) for c in (0, 1)]).astype(np.float32)


def _ellipse(x: Field, y: Field, a: float | Field, b: float | Field) -> npt.NDArray[np.bool_]:
    return np.asarray((x / a) ** 2 + (y / b) ** 2 < 1)
