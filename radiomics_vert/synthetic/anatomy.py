"""Sizes of vertebrae by level, and how vertebrae stack into a spine."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from radiomics_vert.cohort.levels import Level
from radiomics_vert.synthetic.nouns import Vertebra

# Where along the depth of the body (0 anterior, 1 posterior) the three heights are taken, as the
# height measurements of this project take them.
ANTERIOR, MIDDLE, POSTERIOR = 0.05, 0.5, 0.95


class LevelSize(NamedTuple):
    """Size of a vertebral body in mm: width, depth, anterior and posterior height."""

    width: float
    depth: float
    anterior: float
    posterior: float


# Growing from T1 to L5, thoracic bodies a little lower in front and L5 behind. Rounded from common
# anatomical knowledge, not from one data set [O].
LEVEL_SIZES: dict[Level, LevelSize] = {
    Level.T1: LevelSize(29.0, 17.0, 16.0, 16.5),
    Level.T2: LevelSize(28.0, 18.5, 17.0, 17.5),
    Level.T3: LevelSize(27.0, 20.0, 17.5, 18.3),
    Level.T4: LevelSize(27.0, 21.5, 18.0, 19.0),
    Level.T5: LevelSize(27.5, 23.0, 18.5, 19.5),
    Level.T6: LevelSize(28.0, 24.5, 18.8, 20.2),
    Level.T7: LevelSize(29.0, 26.0, 19.2, 20.8),
    Level.T8: LevelSize(30.0, 27.0, 19.8, 21.2),
    Level.T9: LevelSize(31.0, 27.5, 20.5, 21.8),
    Level.T10: LevelSize(32.5, 28.0, 21.5, 22.8),
    Level.T11: LevelSize(35.0, 28.5, 22.5, 24.2),
    Level.T12: LevelSize(38.0, 29.0, 24.0, 25.8),
    Level.L1: LevelSize(40.5, 30.0, 25.8, 27.0),
    Level.L2: LevelSize(42.0, 31.0, 27.0, 27.6),
    Level.L3: LevelSize(44.0, 32.0, 27.8, 27.6),
    Level.L4: LevelSize(46.0, 33.0, 28.0, 26.8),
    Level.L5: LevelSize(48.5, 33.5, 28.4, 24.6),
}
# A normal body is a little lower in its middle than at its rims. [O]
MIDDLE_HEIGHT = 0.94


class DiscSize(NamedTuple):
    """The disc below a vertebra: height in mm, lordotic angle in degrees."""

    height: float
    lordosis: float


# Rounded from common anatomical knowledge, not from one data set [O].
DISCS: dict[Level, DiscSize] = {
    **{level: DiscSize(4.0, -1.0) for level in Level if Level.T1 <= level <= Level.T8},
    Level.T9: DiscSize(4.5, -0.5),
    Level.T10: DiscSize(5.0, 0.0),
    Level.T11: DiscSize(6.0, 1.0),
    Level.T12: DiscSize(7.0, 3.0),
    Level.L1: DiscSize(8.0, 6.0),
    Level.L2: DiscSize(9.0, 7.0),
    Level.L3: DiscSize(10.0, 9.0),
    Level.L4: DiscSize(10.5, 12.0),
    Level.L5: DiscSize(9.0, 14.0),
}


def intact(level: Level, scale: float, anterior: float = 1.0) -> Vertebra:
    """Return a vertebra of normal shape.

    Parameters
    ----------
    level : Level
        T1 to L5.
    scale : float
        Stature relative to the table of sizes.
    anterior : float, default 1.0
        Further factor on the anterior height, for the slight wedging that is still normal.

    Returns
    -------
    Vertebra
        Not fractured.
    """
    size = LEVEL_SIZES[level]
    front, back = size.anterior * scale * anterior, size.posterior * scale
    middle = MIDDLE_HEIGHT * (front + back) / 2
    return Vertebra(
        level, scale, size.width * scale, size.depth * scale, front, middle, back, front, middle, back
    )


class Endplates(NamedTuple):
    """Heights of both endplates over the body's middle, in mm, at the three places along the depth."""

    top: tuple[float, float, float]
    bottom: tuple[float, float, float]


def endplates(vertebra: Vertebra) -> Endplates:
    """Share the height loss out between the two endplates.

    Parameters
    ----------
    vertebra : Vertebra
        Its true and normal heights, and the share that the superior endplate gave in.

    Returns
    -------
    Endplates
        `top - bottom` is the height at each place.
    """
    share = vertebra.superior_share
    normal, actual = vertebra.normal_heights, vertebra.heights
    top = [n / 2 - share * (n - h) for n, h in zip(normal, actual, strict=True)]
    bottom = [-n / 2 + (1 - share) * (n - h) for n, h in zip(normal, actual, strict=True)]
    return Endplates((top[0], top[1], top[2]), (bottom[0], bottom[1], bottom[2]))


@dataclass(frozen=True)
class Pose:
    """Where a vertebra is: world (LPS, mm) = centre + axes @ local.

    Parameters
    ----------
    centre : ndarray, shape (3,)
        Centre of the vertebral body.
    axes : ndarray, shape (3, 3)
        Columns are the vertebra's left, posterior and cranial directions.
    """

    centre: np.ndarray
    axes: np.ndarray

    def to_world(self, local: np.ndarray) -> np.ndarray:
        """Return world positions, shape (n, 3), of local ones, shape (n, 3)."""
        return np.asarray(local @ self.axes.T + self.centre)


def stack(vertebrae: Sequence[Vertebra], origin: np.ndarray, lateral: Sequence[float]) -> list[Pose]:
    """Place vertebrae on one another along a curved spine.

    Parameters
    ----------
    vertebrae : sequence of Vertebra
        From the head down.
    origin : ndarray, shape (3,)
        World position of the lowest body's centre, mm.
    lateral : sequence of float
        Coronal tilt of each vertebra, degrees (a slight scoliosis).

    Returns
    -------
    list of Pose
        In the order of `vertebrae`.
    """
    tilts = _sagittal_tilts(vertebrae)
    axes = [_axes(sagittal, coronal) for sagittal, coronal in zip(tilts, np.radians(lateral), strict=True)]
    centres = [np.asarray(origin, float)]
    for k in range(len(vertebrae) - 2, -1, -1):
        up = axes[k + 1][:, 2] * _middle(endplates(vertebrae[k + 1]).top)
        disc = _axes((tilts[k] + tilts[k + 1]) / 2, 0.0)[:, 2] * DISCS[vertebrae[k].level].height
        down = axes[k][:, 2] * _middle(endplates(vertebrae[k]).bottom)
        centres.insert(0, centres[0] + up + disc * vertebrae[k].scale - down)
    return [Pose(centre, frame) for centre, frame in zip(centres, axes, strict=True)]


def _middle(plate: tuple[float, float, float]) -> float:
    return (plate[0] + plate[2]) / 2


def _slope(plate: tuple[float, float, float], depth: float) -> float:
    return (plate[0] - plate[2]) / ((POSTERIOR - ANTERIOR) * depth)


def _sagittal_tilts(vertebrae: Sequence[Vertebra]) -> list[float]:
    """Posterior tilt of every cranial axis in radians; the mean is zero, as the patient lies flat."""
    tilts = [0.0]
    for upper, lower in zip(vertebrae[-2::-1], vertebrae[:0:-1], strict=True):
        wedge = _slope(endplates(lower).top, lower.depth) - _slope(endplates(upper).bottom, upper.depth)
        # Discs and neighbours take up part of a collapse, so that kyphosis grows by less. [O]
        tilts.insert(0, tilts[0] + 0.7 * wedge + np.radians(DISCS[upper.level].lordosis))
    return [tilt - float(np.mean(tilts)) for tilt in tilts]


def _axes(sagittal: float, coronal: float) -> np.ndarray:
    up = np.array([np.sin(coronal), np.sin(sagittal), np.cos(sagittal) * np.cos(coronal)])
    up /= np.sqrt((up**2).sum())
    left = np.array([1.0, 0.0, 0.0]) - up[0] * up
    left /= np.sqrt((left**2).sum())
    return np.column_stack([left, np.cross(up, left), up])
