"""`Segmentation`: the named segments of one mask, whatever file format they came in."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from radiomics_vert.imaging.geometry import Geometry
from radiomics_vert.imaging.volumes import LabelMap


@dataclass(frozen=True)
class Code:
    """One coded term of DICOM or Slicer terminology.

    Parameters
    ----------
    scheme, value, meaning : str
        Such as `SCT`, `421060004`, `Spine`.
    """

    scheme: str
    value: str
    meaning: str


@dataclass(frozen=True)
class Segment:
    """One entry of a mask file.

    Parameters
    ----------
    number : int
        Unique in the file, from 1 up: the label value, segment number, or position (see
        `Segmentation.numbered`).
    name : str
        As the file spells it; empty in a plain label map.
    codes : tuple of Code
        What the file says that the segment is, type first, then its modifiers.
    layer : int
        Layers may overlap; segments of one layer do not.
    """

    number: int
    name: str = ""
    codes: tuple[Code, ...] = ()
    layer: int = 0


@dataclass(frozen=True)
class Remark:
    """Something that a reader decided and the user should know.

    Parameters
    ----------
    code : str
        A key of `radiomics_vert.errors.CODES`.
    text : str
        What was found and done.
    """

    code: str
    text: str


@dataclass(frozen=True)
class SegmentMask:
    """The voxels of one segment.

    Parameters
    ----------
    voxels : ndarray of bool, shape (z, y, x)
        On the grid of the segmentation.
    remarks : tuple of Remark
        Contours moved to a slice, and the like; empty for most.
    """

    voxels: np.ndarray
    remarks: tuple[Remark, ...] = ()


@dataclass(frozen=True)
class Segmentation:
    """The segments of one mask. Voxels are decoded when they are asked for, segment by segment.

    Parameters
    ----------
    kind : {"label map", "DICOM-SEG", "RTSTRUCT", "Slicer segmentation", "files"}
        What was read.
    source : str
        The file or folder, for messages.
    geometry : Geometry
        The grid that the voxels lie on.
    segments : tuple of Segment
        In the order of the file.
    numbered : bool
        The numbers come from the file, so that a scheme of numbers may give them a meaning. False where
        they are positions only (contours, one file per segment).
    fetch : callable
        Number of a segment -> `SegmentMask`.
    label_map : LabelMap, optional
        All segments at once, where the file is a label map.
    remarks : tuple of Remark
        About the file as a whole.
    """

    kind: str
    source: str
    geometry: Geometry
    segments: tuple[Segment, ...]
    numbered: bool
    fetch: Callable[[int], SegmentMask]
    label_map: LabelMap | None = None
    remarks: tuple[Remark, ...] = ()

    @property
    def named(self) -> bool:
        """Whether the file names its segments."""
        return any(segment.name or segment.codes for segment in self.segments)

    def segment(self, number: int) -> Segment:
        """Return the segment of this number.

        Raises
        ------
        KeyError
            The file has none.
        """
        for segment in self.segments:
            if segment.number == number:
                return segment
        raise KeyError(number)

    def mask(self, number: int) -> SegmentMask:
        """Return the voxels of one segment.

        Parameters
        ----------
        number : int
            As in :attr:`segments`.

        Raises
        ------
        KeyError
            The file has no such segment.
        ImageError
            Its voxels cannot be read or placed on the grid.
        """
        self.segment(number)
        return self.fetch(number)
