"""What voxels are too thick to show: heights, the lateral angle and the posterior wall.

A surface that is parallel to thick voxels may lie anywhere in one. Where this alone could make an intact body
look like one with the sign, the sign has no value (RV345), whatever was read.
"""

from __future__ import annotations

import numpy as np

from radiomics_vert.signs.nouns import Absent, Frame, Plane
from radiomics_vert.signs.surfaces import nearest_step

# An intact body must not read a loss of 0.20. Both its surfaces half a slice off are a slice, the reference's
# share is a quarter of one (0.41 slices, median of four or more), and any grid errs by 0.03: 1.23 slices over
# the expected height stay below 0.17 where a slice is no more than this part of the height. [O]
LARGEST_SLICE = 0.14
# A step of one slice in an endplate gives its plane a slope of up to two slices over the width (0.85 / 0.42
# in an ellipse). Where this is 7 degrees, as metastatic vertebrae have on average (Suzuki 2017), it must
# cross more. [O]
LARGEST_STEP = 0.5 * float(np.tan(np.radians(7.0)))
LEAST_CROSSED = 2.0  # slices: a plane is then held at two steps [O]
# A wall counts as bulging from 2 to 3 mm on; any grid errs by 0.6 mm, and the voxel must not do the rest. [O]
LARGEST_DEPTH_MM = 2.4


def heights_unseen(frame: Frame, spacing: tuple[float, float, float], expected: float) -> Absent | None:
    """Return why heights, ratios and losses of a body cannot be told, None where they can.

    Parameters
    ----------
    frame : Frame
        Of the body.
    spacing : tuple of float
        Millimetres along z, y, x.
    expected : float
        Its height if it were intact, mm.
    """
    step = nearest_step(frame.axes[2], spacing)
    if step <= LARGEST_SLICE * expected:
        return None
    most = LARGEST_SLICE * expected
    return Absent(
        "RV345", f"slices of {step:.2g} mm along the axis; heights of {expected:.0f} mm need {most:.1f}"
    )


def angle_unseen(frame: Frame, spacing: tuple[float, float, float]) -> Absent | None:
    """Return why the lateral angle of a body cannot be told, None where it can.

    Parameters
    ----------
    frame : Frame
        Of the body.
    spacing : tuple of float
        Millimetres along z, y, x.
    """
    step = nearest_step(frame.axes[2], spacing)
    if step <= LARGEST_STEP * frame.width:
        return None
    least = min(slices_crossed(frame, plane, spacing) for plane in (frame.superior, frame.inferior))
    if least >= LEAST_CROSSED:
        return None
    return Absent("RV345", f"an endplate lies along slices of {step:.2g} mm and crosses {least:.1f} of them")


def slices_crossed(frame: Frame, plane: Plane, spacing: tuple[float, float, float]) -> float:
    """Return how many slices an endplate's plane crosses over the body's width and depth.

    Parameters
    ----------
    frame : Frame
        Of the body.
    plane : Plane
        One of its two.
    spacing : tuple of float
        Millimetres along z, y, x.
    """
    along = int(np.argmax(np.abs(frame.axes[2])))  # the scan's axis across the slices
    sides = np.stack([frame.axes[0] + plane.left * frame.axes[2], frame.axes[1] + plane.back * frame.axes[2]])
    rise = np.abs(sides[:, along]) @ np.array([frame.width, frame.depth])
    return float(rise / spacing[::-1][along])


def wall_unseen(frame: Frame, spacing: tuple[float, float, float]) -> Absent | None:
    """Return why the posterior wall of a body cannot be told, None where it can.

    Parameters
    ----------
    frame : Frame
        Of the body.
    spacing : tuple of float
        Millimetres along z, y, x.
    """
    depth = float(np.linalg.norm(frame.axes[1] * np.array(spacing[::-1])))
    if depth <= LARGEST_DEPTH_MM:
        return None
    return Absent(
        "RV345", f"voxels of {depth:.2g} mm along the way back; the wall needs {LARGEST_DEPTH_MM:g}"
    )
