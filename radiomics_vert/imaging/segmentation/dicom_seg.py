"""DICOM-SEG: binary, fractional and label-map segmentations, opened and decoded by highdicom.

Frames are placed by the position that each of them states, never by their number: many files hold only
slices with voxels, in any order. Standard: DICOM PS3.3, A.51 and C.8.20. The functional groups are looked
through before highdicom sees them, so that a fault is named instead of raised from within; and the frames
are placed here, because highdicom's own volumes ask for even steps between the stored slices, which a
sparse segmentation need not have.
"""

from __future__ import annotations

import re
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pydicom

from radiomics_vert.errors import ImageError, Problem
from radiomics_vert.imaging.comparison import require_same_geometry
from radiomics_vert.imaging.geometry import TOLERANCE_VOXELS, Geometry
from radiomics_vert.imaging.segmentation.nouns import Code, Remark, Segment, Segmentation, SegmentMask
from radiomics_vert.imaging.segmentation.placing import index_matrix, off_grid, to_index
from radiomics_vert.imaging.streams import damaged

_TYPES = ("BINARY", "FRACTIONAL", "LABELMAP")
_REMEDY = "export the segmentation again from the program that made it"


@dataclass(frozen=True)
class Frame:
    """One slice of one segment, or of all segments in a label map.

    Parameters
    ----------
    index : int
        Which frame of the pixel data.
    segment : int
        Segment number; 0 in a label map.
    position : ndarray of float, shape (3,)
        Centre of its first pixel, millimetres (LPS).
    """

    index: int
    segment: int
    position: np.ndarray


@dataclass(frozen=True)
class Plane:
    """How the frames of a file lie in space.

    Parameters
    ----------
    shape : tuple of int
        Rows, columns.
    along_columns, along_rows : ndarray of float, shape (3,)
        Step to the next column and to the next row, millimetres (LPS).
    """

    shape: tuple[int, int]
    along_columns: np.ndarray
    along_rows: np.ndarray


def read_dicom_seg(path: Path, grid: Geometry, where: str, threshold: float) -> Segmentation:
    """Read a DICOM segmentation object.

    Parameters
    ----------
    path : Path
        The file.
    grid : Geometry
        The image's.
    where : str
        Image and mask, for the message of a mismatch.
    threshold : float
        Fractional values of at least this share of the largest possible value are inside.

    Raises
    ------
    ImageError
        RV226 not a usable segmentation object, RV228 a segment number twice, RV201 frames beside the
        grid of the image, RV202 damaged pixel data.
    """
    dataset = pydicom.dcmread(path)
    kind = str(dataset.get("SegmentationType", ""))
    if kind not in _TYPES:
        raise _faulty(f"SegmentationType {', '.join(_TYPES)}", kind or "none", path)
    numbers = _numbers(dataset, path)
    frames = _frames(dataset, kind, set(numbers), path)
    limit, remarks = _limit(dataset, kind, threshold, path)
    plane = _plane(dataset, path)
    _require_plane(plane, frames, grid, where)
    by_segment = _by_segment(frames, path)
    opened = _opened(dataset, path)
    segments = tuple(_segment(opened.get_segment_description(number)) for number in numbers)
    pixels = _pixels(opened, len(frames), path)

    def fetch(number: int) -> SegmentMask:
        chosen = by_segment[0 if kind == "LABELMAP" else number]
        out = np.zeros(grid.size[::-1], dtype=bool)
        for frame in chosen:
            pixel = pixels[frame.index]
            inside = pixel == number if kind == "LABELMAP" else pixel >= limit
            _paint(out, inside, frame, plane, grid, where)
        return SegmentMask(out)

    return Segmentation("DICOM-SEG", str(path), grid, segments, True, fetch, remarks=remarks)


def _numbers(dataset: Any, path: Path) -> list[int]:
    """Return the segment numbers in the order of the file, without the background of a label map."""
    numbers = [int(item.SegmentNumber) for item in dataset.get("SegmentSequence") or []]
    twice = [number for index, number in enumerate(numbers) if number in numbers[:index]]
    if twice:
        found = f"number {twice[0]} twice"
        raise ImageError(Problem("RV228", "every segment number once", found, str(path), _REMEDY))
    if not any(numbers):
        raise _faulty("segments in SegmentSequence", "none", path)
    return [number for number in numbers if number != 0]


def _opened(dataset: Any, path: Path) -> Any:
    """Return the segmentation object as highdicom reads it; the data set itself is changed by it."""
    from highdicom.seg import Segmentation as HighdicomSegmentation  # 0.3 s that most runs never need

    try:
        return HighdicomSegmentation.from_dataset(dataset, copy=False)
    except Exception as error:  # the package raises many kinds; its words may quote values of the file
        raise _faulty("a segmentation object that highdicom can open", _refused(error), path) from error


def _refused(error: Exception) -> str:
    """Return why highdicom did not open a file: the absent element, which holds no value, or the kind."""
    required = re.search(r'attribute[^"\']*["\'](\w+)["\']', str(error))
    if isinstance(error, AttributeError) and required:
        return f"no element {required[1]}"
    return _kind_of(error)


def _segment(described: Any) -> Segment:
    concepts = [described.segmented_property_type, *described.anatomic_regions]
    codes = tuple(Code(concept.scheme_designator, concept.value, concept.meaning) for concept in concepts)
    return Segment(described.segment_number, described.segment_label.strip(), codes)


def _frames(dataset: Any, kind: str, numbers: set[int], path: Path) -> list[Frame]:
    groups = dataset.get("PerFrameFunctionalGroupsSequence") or []
    if not groups:
        raise _faulty("a functional group for each frame", "none", path)
    shared = (dataset.get("SharedFunctionalGroupsSequence") or [None])[0]
    frames = []
    for index, group in enumerate(groups):
        place = _first(group, shared, "PlanePositionSequence")
        position = None if place is None else place.get("ImagePositionPatient")
        if position is None or len(position) != 3:
            raise _faulty("ImagePositionPatient in every frame", f"none in frame {index + 1}", path)
        number = 0
        if kind != "LABELMAP":
            identity = _first(group, shared, "SegmentIdentificationSequence")
            number = -1 if identity is None else int(identity.get("ReferencedSegmentNumber", -1))
            if number not in numbers:
                found = (
                    f"number {number} in frame {index + 1}" if number >= 0 else f"none in frame {index + 1}"
                )
                raise _faulty("a described segment number in every frame", found, path)
        frames.append(Frame(index, number, np.array([float(value) for value in position])))
    return frames


def _by_segment(frames: list[Frame], path: Path) -> dict[int, list[Frame]]:
    found: dict[int, list[Frame]] = defaultdict(list)
    places: dict[tuple[int, bytes], int] = {}
    for frame in frames:
        first = places.setdefault((frame.segment, frame.position.round(4).tobytes()), frame.index)
        if first != frame.index:
            shown = f"frames {first + 1} and {frame.index + 1} of the same segment at the same position"
            raise _faulty("every slice of a segment once", shown, path)
        found[frame.segment].append(frame)
    return found


def _first(group: Any, shared: Any, name: str) -> Any:
    for owner in (group, shared):
        sequence = None if owner is None else owner.get(name)
        if sequence:
            return sequence[0]
    return None


def _pixels(opened: Any, count: int, path: Path) -> np.ndarray:
    if opened.number_of_frames != count:
        raise _faulty(f"{count} frames, as the functional groups say", str(opened.number_of_frames), path)
    try:
        return np.asarray(opened.get_stored_frames())
    except Exception as error:  # each decoder raises its own kind
        raise damaged("pixel data that can be decoded", _kind_of(error), path) from error


def _limit(dataset: Any, kind: str, threshold: float, path: Path) -> tuple[float, tuple[Remark, ...]]:
    if kind != "FRACTIONAL":
        return 1.0, ()
    largest = int(dataset.get("MaximumFractionalValue") or 0)
    if largest < 1:
        raise _faulty("MaximumFractionalValue above 0", str(largest), path)
    limit = threshold * largest
    what = str(dataset.get("SegmentationFractionalType", "fractions")).lower()
    text = f"fractional mask ({what}) cut at {threshold:g}: values from {limit:g} of {largest} up are inside"
    return limit, (Remark("RV233", text),)


def _plane(dataset: Any, path: Path) -> Plane:
    shared = (dataset.get("SharedFunctionalGroupsSequence") or [None])[0]
    found = set()
    for group in dataset.PerFrameFunctionalGroupsSequence:
        measures = _first(group, shared, "PixelMeasuresSequence")
        turned = _first(group, shared, "PlaneOrientationSequence")
        if measures is None or turned is None or not measures.get("PixelSpacing"):
            raise _faulty("pixel spacing and orientation of every frame", "none", path)
        spacing = tuple(float(value) for value in measures.PixelSpacing)
        found.add((spacing, tuple(float(value) for value in turned.ImageOrientationPatient)))
    if len(found) != 1:
        raise _faulty("one pixel spacing and orientation for all frames", f"{len(found)} different", path)
    (between_rows, between_columns), cosines = found.pop()
    return Plane(
        (int(dataset.Rows), int(dataset.Columns)),
        np.array(cosines[:3]) * between_columns,
        np.array(cosines[3:]) * between_rows,
    )


def _require_plane(plane: Plane, frames: list[Frame], grid: Geometry, where: str) -> None:
    """Refuse frames whose pixels do not fall on voxel centres, with the usual diagnosis."""
    rows, columns = plane.shape
    span = np.array([[0, 0], [0, columns - 1], [rows - 1, 0]])
    steps = span[:, :1] * plane.along_rows + span[:, 1:] * plane.along_columns
    positions = np.array([frame.position for frame in frames])
    corners = to_index((positions[:, np.newaxis] + steps).reshape(-1, 3), grid)
    axes = index_matrix(grid) @ np.stack([plane.along_columns, plane.along_rows], axis=1)
    beside = np.abs(corners - np.rint(corners))
    on_centres = (beside * np.array(grid.spacing)).max() <= TOLERANCE_VOXELS * min(grid.spacing)
    # Corners may fall on centres by chance; a step must also lead to the next voxel along one axis.
    if (
        on_centres
        and (np.abs(axes).round().sum(axis=0) == 1).all()
        and np.allclose(axes, axes.round(), atol=0.1)
    ):
        return
    require_same_geometry(grid, _geometry(plane, positions, grid), where)
    raise off_grid(grid, f"frames up to {beside.max():.2f} voxels beside the voxel centres", where)


def _geometry(plane: Plane, positions: np.ndarray, grid: Geometry) -> Geometry:
    """Return the grid that the frames span; as many slices as the image where only some are stored."""
    spacing = np.array([np.linalg.norm(plane.along_columns), np.linalg.norm(plane.along_rows)])
    column, row = plane.along_columns / spacing[0], plane.along_rows / spacing[1]
    normal = np.cross(column, row)
    heights = np.unique(np.round(positions @ normal, 4))
    gaps = np.diff(heights)
    slices = float(gaps.min()) if len(gaps) else grid.spacing[2]
    first = positions[np.argmin(positions @ normal)]
    # Files of some slices begin anywhere; compared is the grid of which they are slices.
    first = first + normal * slices * np.rint((np.array(grid.origin) - first) @ normal / slices)
    direction = np.stack([column, row, normal], axis=1)
    return Geometry(
        (plane.shape[1], plane.shape[0], grid.size[2]),
        (float(spacing[0]), float(spacing[1]), slices),
        tuple(float(value) for value in first),
        tuple(float(value) for value in direction.ravel()),
    )


def _paint(
    out: np.ndarray, inside: np.ndarray, frame: Frame, plane: Plane, grid: Geometry, where: str
) -> None:
    """Set the voxels under the pixels of one frame; pixels outside of the image must be empty."""
    pixels = np.argwhere(inside)
    if not len(pixels):
        return
    matrix = index_matrix(grid)
    steps = np.rint(matrix @ np.stack([plane.along_rows, plane.along_columns], axis=1)).astype(np.int64)
    start = np.rint(to_index(frame.position[np.newaxis], grid)[0]).astype(np.int64)
    voxels = start + pixels @ steps.T
    outside = ((voxels < 0) | (voxels >= np.array(grid.size))).any(axis=1)
    if outside.any():
        raise off_grid(grid, f"{int(outside.sum())} pixels of frame {frame.index + 1} outside of it", where)
    x, y, z = voxels.T
    out[z, y, x] = True


def _kind_of(error: Exception) -> str:
    name = getattr(error, "name", None)
    return f"no element {name}" if isinstance(error, AttributeError) and name else type(error).__name__


def _faulty(expected: str, found: str, path: Path) -> ImageError:
    return ImageError(Problem("RV226", expected, found, str(path), _REMEDY))
