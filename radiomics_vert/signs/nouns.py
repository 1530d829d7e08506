"""The nouns of the sign room: `SignScan`, `Plane`, `FrameQuality`, `Frame`, `Vertebra`, `Absent`.

All positions are millimetres in the scan's own axes, in the order x (to the patient's left), y (to the
back), z (to the head); arrays have the axes (z, y, x). A scan is brought into this orientation by
permuting and flipping its axes, so no voxel is interpolated; what remains of an oblique acquisition is
taken up by the frame of each vertebra.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from radiomics_vert.cohort import Level

Mask: TypeAlias = npt.NDArray[np.bool_]
Points: TypeAlias = npt.NDArray[np.float64]
Box: TypeAlias = tuple[slice, slice, slice]


@dataclass(frozen=True)
class Absent:
    """Why a sign has no value.

    Parameters
    ----------
    code : str
        A key of :data:`radiomics_vert.errors.CODES`, RV331 to RV349.
    detail : str
        What is missing here, in a few words.
    """

    code: str
    detail: str


Value: TypeAlias = float | Absent


@dataclass(frozen=True)
class Layer:
    """A named structure: some values of one label array.

    Parameters
    ----------
    labels : ndarray of int, shape (z, y, x)
        On the grid of the scan.
    values : tuple of int
        Which of them are the structure.
    """

    labels: npt.NDArray[np.integer]
    values: tuple[int, ...]

    def mask(self, box: Box | None = None) -> Mask:
        """Return where the structure is, within a box or everywhere."""
        return np.isin(self.labels if box is None else self.labels[box], self.values)


@dataclass(frozen=True, eq=False)
class SignScan:
    """One image and its masks, with all vertebrae, in the orientation of the sign room.

    Parameters
    ----------
    scan_id : str
        Name of the scan, for messages and case ids.
    labels : ndarray of int, shape (z, y, x)
        One label per vertebra, 0 elsewhere.
    spacing : tuple of float
        Millimetres between voxels along z, y, x.
    levels : mapping of int to Level or None
        The vertebrae, from the head down; None where the scheme names no levels.
    region : {"vertebra", "body"}
        What a label covers.
    image : ndarray, shape (z, y, x), optional
        Intensities; signs of shape do without.
    body : ndarray of bool, shape (z, y, x), optional
        Vertebral bodies, where a sub-region mask gives them.
    layers : mapping of str to Layer
        Further structures: `canal`, `cord`, `iliopsoas_left`, ..., and `disc_<level>` for the disc below
        a level.
    case_ids : mapping of int to str
        By label; `<scan_id>_<level>` where it is not given.
    companions : mapping of str to ndarray, shape (z, y, x)
        By sequence, further images on the same grid (`T1` before contrast, `IN_PHASE`, ...).
    tables : mapping of str to mapping of str to float
        Numbers that some signs need: `calibration` (slope and intercept from HU to mg/cm3), `norm` (mean HU
        of the patient's age and sex).
    fractured : frozenset of int
        Labels that are known to be fractured: never a reference, whatever their shape.
    """

    scan_id: str
    labels: npt.NDArray[np.integer]
    spacing: tuple[float, float, float]
    levels: Mapping[int, Level | None]
    region: str = "vertebra"
    image: npt.NDArray[np.floating] | None = None
    body: Mask | None = None
    layers: Mapping[str, Layer] = field(default_factory=dict)
    case_ids: Mapping[int, str] = field(default_factory=dict)
    companions: Mapping[str, npt.NDArray[np.floating]] = field(default_factory=dict)
    tables: Mapping[str, Mapping[str, float]] = field(default_factory=dict)
    fractured: frozenset[int] = frozenset()

    def case_id(self, label: int) -> str:
        """Return the case id of a vertebra."""
        level = self.levels[label]
        return self.case_ids.get(label, f"{self.scan_id}_{level or f'label{label}'}")

    def structure(self, name: str, box: Box | None = None) -> Mask | None:
        """Return where a named structure is; None when the masks do not know it."""
        layer = self.layers.get(name)
        return None if layer is None else layer.mask(box)


@dataclass(frozen=True)
class Plane:
    """A surface of first order over the frame: z = offset + left * x + back * p, in mm.

    Parameters
    ----------
    offset, left, back : float
        Height on the axis of the frame; slope to the left; slope to the back.
    residual : float
        1.4826 times the median absolute distance of the surface points, mm.
    points : int
        Number of surface points.
    """

    offset: float
    left: float
    back: float
    residual: float
    points: int

    def height(self, x: npt.ArrayLike, p: npt.ArrayLike) -> npt.NDArray[np.float64]:
        """Return z over positions of the frame."""
        return np.asarray(self.offset + self.left * np.asarray(x) + self.back * np.asarray(p))


@dataclass(frozen=True)
class FrameQuality:
    """How far a frame can be trusted.

    Parameters
    ----------
    superior_mm, inferior_mm : float
        Residuals of the two endplate planes; a deformed or concave endplate has a larger one.
    tilt_deg : float
        Angle between the axis and the line through the neighbouring bodies; NaN without neighbours.
    turn_deg : float
        Angle by which the last iteration still turned the axis.
    visible : float
        Share of the columns through the body's core in which both endplates lie inside the image.
    flags : tuple of str
        What is doubtful, in a few words each; empty for a good frame.
    """

    superior_mm: float
    inferior_mm: float
    tilt_deg: float
    turn_deg: float
    visible: float
    flags: tuple[str, ...] = ()

    @property
    def good(self) -> bool:
        """Nothing is doubtful."""
        return not self.flags


@dataclass(frozen=True, eq=False)
class Frame:
    """The axes of one vertebral body, aligned with its endplates.

    Local positions are (x, p, z): mm to the left, to the back, to the head, from the centre.

    Parameters
    ----------
    centre : ndarray, shape (3,)
        Centroid of the body in the scan's axes, mm.
    axes : ndarray, shape (3, 3)
        Rows are the unit vectors to the left, to the back and to the head.
    width : float
        W: 2-98 percentile of x over the body's outline seen from above, mm.
    front, depth : float
        p of the anterior edge (u = 0) and L, the distance to the posterior edge (u = 1), in the mid-third.
    superior, inferior : Plane
        Robust planes through the endplates.
    quality : FrameQuality
        How far to trust it.
    """

    centre: npt.NDArray[np.float64]
    axes: npt.NDArray[np.float64]
    width: float
    front: float
    depth: float
    superior: Plane
    inferior: Plane
    quality: FrameQuality

    def to_local(self, points: Points) -> Points:
        """Return local positions, shape (n, 3), of positions in the scan's axes, shape (n, 3)."""
        return np.asarray((points - self.centre) @ self.axes.T)

    def to_scan(self, local: Points) -> Points:
        """Return positions in the scan's axes, shape (n, 3), of local ones, shape (n, 3)."""
        return np.asarray(local @ self.axes + self.centre)

    def u(self, p: npt.ArrayLike) -> npt.NDArray[np.float64]:
        """Return the antero-posterior position: 0 at the front, 1 at the back of the body."""
        return np.asarray((np.asarray(p) - self.front) / self.depth)


@dataclass(frozen=True, eq=False)
class Vertebra:
    """One vertebra of a scan: its masks within a box, and its frame.

    Parameters
    ----------
    label : int
        Its value in the label map of the scan.
    case_id : str
        Its case.
    level : Level or None
        None where the scheme names no levels.
    box : tuple of slice
        Where the masks lie in the scan, (z, y, x), with a margin.
    spacing : tuple of float
        Millimetres along z, y, x.
    mask, body, posterior : ndarray of bool
        The whole label, its vertebral body, and the rest; all of the shape of the box.
    body_source : {"mask", "scheme", "separated", "whole"}
        Where the body comes from: a sub-region mask; a scheme of bodies; separated here by geometry;
        or the whole label, because no arch was found behind it.
    frame : Frame or None
        None where there is a problem.
    problem : Absent or None
        Why there is no frame.
    """

    label: int
    case_id: str
    level: Level | None
    box: Box
    spacing: tuple[float, float, float]
    mask: Mask
    body: Mask
    posterior: Mask
    body_source: str
    frame: Frame | None = None
    problem: Absent | None = None

    @property
    def name(self) -> str:
        """Level, or the label number where levels are unknown."""
        return str(self.level) if self.level else f"label {self.label}"

    def points(self, mask: Mask) -> Points:
        """Return the centres of a mask's voxels, shape (n, 3), in the scan's axes (x, y, z), mm."""
        index = np.argwhere(mask) + np.array([axis.start for axis in self.box])
        return np.asarray((index * np.array(self.spacing))[:, ::-1])

    def local_grid(self) -> tuple[Points, Points, Points]:
        """Return local x, p, z of every voxel of the box, each of the box's shape.

        Raises
        ------
        ValueError
            The vertebra has no frame.
        """
        if self.frame is None:
            raise ValueError(f"{self.case_id} has no frame")
        axes, centre = self.frame.axes, self.frame.centre
        k, j, i = np.ogrid[self.box]
        scan = [i * self.spacing[2] - centre[0], j * self.spacing[1] - centre[1]]
        scan.append(k * self.spacing[0] - centre[2])
        x, p, z = (row[0] * scan[0] + row[1] * scan[1] + row[2] * scan[2] for row in axes)
        return x, p, z
