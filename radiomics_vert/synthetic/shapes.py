"""The shape of one vertebra as signed distances in its own frame (x left, y posterior, z cranial).

Distances are in mm, negative inside, and exact enough within a few millimetres of the surface, where
they are used: for partial volume, for the cortical shell and for the soft-tissue rim.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from radiomics_vert.synthetic.anatomy import ANTERIOR, POSTERIOR, Endplates, endplates
from radiomics_vert.synthetic.nouns import Vertebra

Field = npt.NDArray[np.float32]

# Names of posterior parts, as the sub-region scheme spells them.
PARTS = (
    "arcus",
    "spinous_process",
    "costal_process_left",
    "costal_process_right",
    "superior_articular_left",
    "superior_articular_right",
    "inferior_articular_left",
    "inferior_articular_right",
)
CANAL_DEPTH, CANAL_WIDTH = 16.0, 22.0  # mm, adult lumbar canal [O]
_FRAGMENT = 0.4  # where the tip of a fragment is: -1 at the lower, 1 at the upper endplate [O]


class Capsule(NamedTuple):
    """A rod from `start` to `stop` with an elliptical cross-section, mm."""

    part: str
    start: tuple[float, float, float]
    stop: tuple[float, float, float]
    radii: tuple[float, float, float]


def body_distance(vertebra: Vertebra, x: Field, y: Field, z: Field) -> Field:
    """Return the signed distance to the vertebral body's surface.

    Parameters
    ----------
    vertebra : Vertebra
        Gives size, heights and deformities.
    x, y, z : ndarray of float32
        Local positions, mm; any shapes that broadcast.

    Returns
    -------
    ndarray of float32
        mm, negative inside.
    """
    top, bottom = endplate_maps(vertebra, x, y)
    wall = wall_distance(vertebra, x, y, z)
    return np.asarray(np.maximum(wall, np.maximum(z - top, bottom - z)), np.float32)


def endplate_maps(vertebra: Vertebra, x: Field, y: Field) -> tuple[Field, Field]:
    """Return the heights z of the superior and the inferior endplate over x, y, in mm."""
    plates: Endplates = endplates(vertebra)
    u = np.clip(y / vertebra.depth + 0.5, 0.0, 1.0)
    across = (2 * x / vertebra.width) ** 2
    sideways = np.maximum(0.0, 1 - across * across)
    # Row 10 of the sign table: a depression is angled (a V) or concave (a parabola).
    span = np.abs(2 * (u - 0.5) / (POSTERIOR - ANTERIOR))
    depression = (1 - (span if vertebra.angled else span**2)) * sideways
    top = _profile(plates.top, u, depression) + x * np.tan(np.radians(vertebra.lateral_angle))
    bottom = _profile(plates.bottom, u, depression)
    if vertebra.schmorl_depth:
        top = top - vertebra.schmorl_depth * np.exp(-((x - 3) ** 2 + (y - 2) ** 2) / 24.0)
    return np.maximum(top, bottom + 2.0).astype(np.float32), bottom.astype(np.float32)


def _profile(plate: tuple[float, float, float], u: Field, depression: Field) -> Field:
    front, middle, back = plate
    straight = front + (u - ANTERIOR) / (POSTERIOR - ANTERIOR) * (back - front)
    return np.asarray(straight + (middle - (front + back) / 2) * depression)


def wall_distance(vertebra: Vertebra, x: Field, y: Field, z: Field) -> Field:
    """Return the signed distance to the body's side wall alone, mm."""
    top, bottom = endplate_maps(vertebra, x, y)
    # From one endplate to the other, so that a wall follows the collapse of its body.
    level = np.clip((2 * z - top - bottom) / (top - bottom), -1.0, 1.0)
    behind = np.maximum(0.0, y / (vertebra.depth / 2))
    across = (2 * x / vertebra.width) ** 2
    # The back of a normal body is slightly hollow; 1.5 mm. [O]
    y = y + 1.5 * behind * np.maximum(0.0, 1 - across)
    if vertebra.bulge:
        y = y - vertebra.bulge * behind * np.exp(-2 * across) * (1 - level**2)
    if vertebra.retropulsion:
        # Row 16: a triangle; its tip in the upper part, where the fragment comes from. [O]
        corner = np.minimum((1 + level) / (1 + _FRAGMENT), (1 - level) / (1 - _FRAGMENT))
        y = y - vertebra.retropulsion * behind * np.exp(-3 * across) * corner
    waist = 1 - 0.07 * (1 - level**2)
    a, b = waist * vertebra.width / 2, waist * vertebra.depth / 2
    radius = (np.abs(x / a) ** 2.5 + np.abs(y / b) ** 2.5) ** 0.4
    reach = np.sqrt(x * x + y * y)
    # Distance from the axis to the wall in this direction; on the axis itself any direction will do.
    span = np.where(radius > 0.01, reach / np.maximum(radius, 0.01), b)
    return np.asarray((radius - 1) * span, np.float32)


def capsules(vertebra: Vertebra) -> list[Capsule]:
    """Return the rods that make up the posterior elements.

    Parameters
    ----------
    vertebra : Vertebra
        Gives size and level; fractures leave the posterior elements as they are.

    Returns
    -------
    list of Capsule
        Both pedicles and laminae (`arcus`), spinous, transverse and articular processes.
    """
    back, size = vertebra.depth / 2, vertebra.scale
    height = vertebra.normal_posterior
    lumbar = vertebra.level.region == "lumbar"
    aside = CANAL_WIDTH / 2 * size + (3.0 if lumbar else 2.0)
    ridge = back + (CANAL_DEPTH + 4) * size
    rods = [_spinous(ridge, height, size, lumbar)]
    for side, name in ((1.0, "left"), (-1.0, "right")):
        joint = (side * (aside + 1), back + 13 * size, 0.05 * height)
        pedicle = ((side * aside, back - 3.0, 0.22 * height), (side * aside, back + 10 * size, 0.15 * height))
        tip = (side * (vertebra.width / 2 + (13 if lumbar else 8) * size), back + 17 * size, 0.15 * height)
        rods += [
            Capsule("arcus", *pedicle, (0.10 * vertebra.width, 5.0, 0.24 * height)),
            Capsule("arcus", joint, (0.0, ridge, -0.15 * height), (4.0, 3.0, 0.26 * height)),
            Capsule(f"costal_process_{name}", joint, tip, (4.0, 3.2, 4.2)),
            Capsule(
                f"superior_articular_{name}",
                (side * (aside + 2), back + 13 * size, 0.20 * height),
                (side * (aside + 2), back + 14 * size, 0.62 * height),
                (4.2, 4.2, 4.5),
            ),
            Capsule(
                f"inferior_articular_{name}",
                (side * (aside - 3), back + 19 * size, -0.25 * height),
                (side * (aside - 3), back + 20 * size, -0.68 * height),
                (4.0, 4.0, 4.5),
            ),
        ]
    return rods


def _spinous(ridge: float, height: float, size: float, lumbar: bool) -> Capsule:
    # Lumbar processes are blades that point back; thoracic ones are thin and slope down.
    if lumbar:
        stop, radii = (0.0, ridge + 20 * size, -0.38 * height), (3.2, 6.0, 0.30 * height)
    else:
        stop, radii = (0.0, ridge + 19 * size, -0.75 * height), (2.8, 5.0, 0.19 * height)
    return Capsule("spinous_process", (0.0, ridge + 2, -0.2 * height), stop, radii)


def posterior_distance(
    vertebra: Vertebra, x: Field, y: Field, z: Field
) -> tuple[Field, npt.NDArray[np.uint8]]:
    """Return the signed distance to the posterior elements and the part that is nearest.

    Parameters
    ----------
    vertebra : Vertebra
        Gives the size.
    x, y, z : ndarray of float32
        Local positions, mm, all of one shape.

    Returns
    -------
    distance : ndarray of float32
        mm, negative inside.
    part : ndarray of uint8
        Index into :data:`PARTS`.
    """
    distance = np.full(x.shape, 99.0, np.float32)
    part = np.zeros(x.shape, np.uint8)
    for rod in capsules(vertebra):
        own = capsule_distance(rod, x, y, z)
        nearer = own < distance
        distance[nearer] = own[nearer]
        part[nearer] = PARTS.index(rod.part)
    return distance, part


def capsule_distance(rod: Capsule, x: Field, y: Field, z: Field) -> Field:
    """Return the approximate signed distance to one rod, mm."""
    start, radii = np.array(rod.start), np.array(rod.radii)
    axis = (np.array(rod.stop) - start) / radii
    length = float((axis**2).sum())
    px, py, pz = (
        (value - s) * np.float32(1 / r) for value, s, r in zip((x, y, z), start, radii, strict=True)
    )
    along = np.clip((px * axis[0] + py * axis[1] + pz * axis[2]) / length, 0, 1)
    gap = np.sqrt((px - along * axis[0]) ** 2 + (py - along * axis[1]) ** 2 + (pz - along * axis[2]) ** 2)
    return np.asarray((gap - 1) * radii.min(), np.float32)
