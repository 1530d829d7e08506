"""How a grid lies in the patient: which voxel axis runs which way, and how oblique it stands."""

from __future__ import annotations

from itertools import permutations

import numpy as np

from radiomics_vert.imaging.geometry import Geometry

# LPS, the convention of DICOM and ITK: the first number grows to the left, the second to the back, the
# third to the head. NIfTI stores RAS; ITK turns it when it reads.
LETTERS = (("R", "L"), ("A", "P"), ("F", "H"))
PLANES = ("sagittal", "coronal", "axial")
"""The plane that stands across each patient axis (left-right, front-back, feet-head)."""
# [O] A second letter is written where an axis leans by more than this towards another patient axis.
LEANING = np.sin(np.radians(15.0))


def patient_axes(geometry: Geometry) -> tuple[tuple[int, int], ...]:
    """Return for each patient axis the voxel axis that runs along it, and in which sense.

    Parameters
    ----------
    geometry : Geometry
        The grid; oblique ones are assigned to the nearest axes, each voxel axis once.

    Returns
    -------
    tuple of (int, int)
        For left-right, front-back, feet-head: the voxel axis (0, 1, 2 for x, y, z) and +1 where its index
        grows towards left, back, head; -1 where it grows the other way.

    Examples
    --------
    >>> patient_axes(Geometry((4, 4, 4), (1, 1, 1), (0, 0, 0), (0, 0, -1, 1, 0, 0, 0, -1, 0)))
    ((2, -1), (0, 1), (1, -1))
    """
    matrix = np.array(geometry.direction).reshape(3, 3)
    chosen = max(permutations(range(3)), key=lambda order: sum(abs(matrix[k, order[k]]) for k in range(3)))
    return tuple((axis, 1 if matrix[k, axis] >= 0 else -1) for k, axis in enumerate(chosen))


def obliquity(geometry: Geometry) -> float:
    """Return the largest angle between a voxel axis and the patient axis it follows, in degrees.

    Examples
    --------
    >>> obliquity(Geometry((4, 4, 4), (1, 1, 1), (0, 0, 0), (0.8, -0.6, 0, 0.6, 0.8, 0, 0, 0, 1)))
    36.87
    """
    matrix = np.array(geometry.direction).reshape(3, 3)
    cosines = [abs(matrix[k, axis]) for k, (axis, _) in enumerate(patient_axes(geometry))]
    return round(float(np.degrees(np.arccos(min(1.0, *cosines)))), 2) + 0.0


def plane_across(geometry: Geometry, axis: int) -> str:
    """Return the name of the plane that stands across a voxel axis: `sagittal`, `coronal` or `axial`."""
    along = next(k for k, (voxel_axis, _) in enumerate(patient_axes(geometry)) if voxel_axis == axis)
    return PLANES[along]


def end_letters(geometry: Geometry, patient_axis: int) -> tuple[str, str]:
    """Return the letters at the two ends of the voxel axis along a patient axis.

    Parameters
    ----------
    geometry : Geometry
        The grid.
    patient_axis : int
        0, 1, 2 for left-right, front-back, feet-head.

    Returns
    -------
    tuple of str
        At the right, front or feet end, and at the opposite one; oblique axes get further letters, the
        strongest first, as on a workstation (`AR`: to the front and a little to the right).
    """
    axis, sense = patient_axes(geometry)[patient_axis]
    along = np.array(geometry.direction).reshape(3, 3)[:, axis] * sense
    order = sorted(range(3), key=lambda k: (k != patient_axis, -abs(along[k])))
    used = [k for k in order if k == patient_axis or abs(along[k]) > LEANING]
    far = "".join(LETTERS[k][int(along[k] > 0)] for k in used)
    near = "".join(LETTERS[k][int(along[k] < 0)] for k in used)
    return near, far
