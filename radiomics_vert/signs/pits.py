"""Pits of the endplates (intraspongious herniations): the deepest one, and whether disc fills it."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from scipy import ndimage

from radiomics_vert.signs.beside import frame_of, voxel_index
from radiomics_vert.signs.frame import CORE
from radiomics_vert.signs.nouns import Absent, Frame, Mask, Points, Value, Vertebra
from radiomics_vert.signs.spine import Spine
from radiomics_vert.signs.surfaces import Floats, robust_fit
from radiomics_vert.signs.tissues import LEAST_VOXELS

LEAST_MM = 2.0
"""A shallower pit is none that disc could fill visibly [O]."""
_PIT_CELL = 2.0  # mm [O]
_STEP_MM = 0.5
_TO_DISC_MM = 4.0  # from the smooth endplate to the disc: both masks leave the cartilage out [O]
_FILLED = 0.5  # share of the pit's depth that looks like disc [O]


class Pit(NamedTuple):
    """The deepest local pit of an endplate.

    Parameters
    ----------
    depth : float
        Below the smooth surface, mm.
    sign : float
        1 in a superior, -1 in an inferior endplate.
    x, p, z : float
        Where it is on the smooth surface, mm in the frame.
    """

    depth: float
    sign: float
    x: float
    p: float
    z: float


def deepest_pit(frame: Frame, points: Floats, sign: float, voxel: tuple[float, float, float]) -> Pit:
    """Return the deepest local pit below the smooth surface of an endplate.

    A pit is surrounded by endplate [O]: what falls off to the edge is the outer side of the body, or the
    shelf of an osteophyte below it.

    Parameters
    ----------
    frame : Frame
        Of the body.
    points : ndarray, shape (n, 3)
        Surface points of the endplate (x, p, z).
    sign : float
        1 for a superior, -1 for an inferior endplate.
    voxel : tuple of float
        Width of a voxel along x, p, z of the frame, mm.

    Returns
    -------
    Pit
        Depth 0 where there is none, NaN where too few points are left.
    """
    inner = (2 * points[:, 0] / frame.width) ** 2 + (2 * frame.u(points[:, 1]) - 1) ** 2 <= CORE
    x, p, z = points[inner].T
    if len(x) < 30:
        return Pit(float("nan"), sign, 0.0, 0.0, 0.0)
    a, b = x / frame.width, p / frame.depth
    # Second order follows a tilt and a concavity; a node is narrower, and the robust fit ignores it.
    design = np.column_stack([np.ones_like(a), a, b, a * a, a * b, b * b])
    smooth = design @ robust_fit(design, z, voxel[2])
    below = sign * (smooth - z)
    rows, columns = (
        np.floor((part - part.min()) / max(_PIT_CELL, width)).astype(np.int64) + 1
        for part, width in ((x, voxel[0]), (p, voxel[1]))
    )
    shape = (int(rows.max()) + 2, int(columns.max()) + 2)
    place = np.ravel_multi_index((rows, columns), shape)
    tally = np.bincount(place, minlength=shape[0] * shape[1]).reshape(shape)
    total = np.bincount(place, weights=below, minlength=shape[0] * shape[1]).reshape(shape)
    depths = np.divide(total, tally, out=np.full(shape, -np.inf), where=tally > 0)
    depth, cell = _deepest_enclosed(depths, ndimage.binary_closing(tally > 0))
    if depth <= 0:
        return Pit(0.0, sign, 0.0, 0.0, 0.0)
    here = place == cell
    return Pit(depth, sign, float(x[here].mean()), float(p[here].mean()), float(smooth[here].mean()))


def deepest_pits(spine: Spine, vertebra: Vertebra) -> tuple[Pit, Pit]:
    """Return the deepest pit of the superior and of the inferior endplate of a body that has a frame."""
    frame, outline = frame_of(vertebra), spine.outlines[vertebra.label]
    x, p, z = map(float, np.abs(frame.axes) @ np.array(vertebra.spacing[::-1]))
    return (
        deepest_pit(frame, outline.superior_points, 1.0, (x, p, z)),
        deepest_pit(frame, outline.inferior_points, -1.0, (x, p, z)),
    )


def _deepest_enclosed(depths: Floats, plate: Mask) -> tuple[float, int]:
    """Return the deepest place of a grid whose surroundings, down to half of it, do not reach the edge."""
    depths, plate = depths.copy(), plate.copy()
    while depths.max() > 0:
        deepest = float(depths.max())
        parts, _ = ndimage.label(depths >= deepest / 2, np.ones((3, 3)))
        pit = parts == parts.flat[int(depths.argmax())]
        if not (ndimage.binary_dilation(pit) & ~plate).any():
            return deepest, int(depths.argmax())
        # What falls off is edge itself: its upper slope, less than half as deep, is no pit either.
        depths[pit], plate[pit] = -np.inf, False
    return 0.0, 0


def holds_disc(spine: Spine, vertebra: Vertebra, pit: Pit) -> Value:
    """Return 1 where a pit holds tissue with the disc's intensity and opens into the disc, 0 where not.

    Disc-like is nearer to the median of the adjacent disc than to that of the trabecular bone [O]. Open means
    that no bone of the mask lies between the pit and the disc.

    Parameters
    ----------
    spine, vertebra : Spine, Vertebra
        With an image and a frame; discs are layers named after the level above them.
    pit : Pit
        Of the vertebra. One shallower than 2 mm is not open.
    """
    scan, frame = spine.scan, vertebra.frame
    if scan.image is None or frame is None:
        return Absent("RV339", "no image was given")
    if not pit.depth >= LEAST_MM:
        return 0.0
    name = _disc_beside(spine, vertebra, pit.sign)
    disc = None if name is None else scan.structure(name)
    if disc is None or np.count_nonzero(disc) < LEAST_VOXELS:
        return Absent("RV331", "no mask holds the disc beside the pit")
    bone = scan.image[vertebra.box][spine.trabecular[vertebra.label]]
    if len(bone) < LEAST_VOXELS:
        return Absent("RV338", f"{len(bone)} trabecular voxels")
    depths = np.arange(-_TO_DISC_MM, pit.depth, _STEP_MM)
    line = np.column_stack(
        [np.full_like(depths, pit.x), np.full_like(depths, pit.p), pit.z - pit.sign * depths]
    )
    at = _voxels(spine, frame, line)
    within = depths > 0
    signal = scan.image[at][within].astype(np.float64)
    like_disc = np.abs(signal - np.median(scan.image[disc])) < np.abs(signal - np.median(bone))
    free = (scan.labels[at] == 0) | disc[at]
    reached = bool(disc[at].any()) and bool(free[depths < pit.depth / 2].all())
    return float(reached and like_disc.mean() >= _FILLED)


def _disc_beside(spine: Spine, vertebra: Vertebra, sign: float) -> str | None:
    """Return the layer of the disc above (1) or below (-1) a vertebra."""
    if sign < 0:
        return None if vertebra.level is None else f"disc_{vertebra.level}"
    place = spine.vertebrae.index(vertebra)
    above = spine.vertebrae[place - 1].level if place else None
    return None if above is None else f"disc_{above}"


def _voxels(spine: Spine, frame: Frame, line: Points) -> tuple[np.ndarray, ...]:
    index = np.rint(voxel_index(spine.scan, frame, line)).astype(int)
    return tuple(np.clip(index, 0, np.array(spine.scan.labels.shape) - 1).T)
