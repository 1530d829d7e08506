"""RTSTRUCT: outlines of regions, rasterised in the geometry of the image.

Standard: DICOM PS3.3, C.8.8.6. Outlines must lie in planes parallel to the slices. An outline beside a
slice is moved to the nearest one, and the user is told.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pydicom

from radiomics_vert.errors import ImageError, Problem
from radiomics_vert.imaging.geometry import TOLERANCE_VOXELS, Geometry
from radiomics_vert.imaging.segmentation.nouns import Code, Remark, Segment, Segmentation, SegmentMask
from radiomics_vert.imaging.segmentation.placing import off_grid, to_index
from radiomics_vert.imaging.segmentation.rasterising import combine, rasterise

_CLOSED = ("CLOSED_PLANAR", "CLOSEDPLANAR_XOR")
# [O] Corners of one outline may differ by this many slices and still lie in one plane.
_PLANAR = 0.1
# [O] An outline this close to the middle between two slices belongs to neither.
_MIDDLE = 0.01


@dataclass(frozen=True)
class Contour:
    """One outline.

    Parameters
    ----------
    kind : str
        ContourGeometricType.
    points : ndarray of float, shape (n, 3)
        Corners in voxels of the image, along x, y, z.
    """

    kind: str
    points: np.ndarray


def read_rtstruct(path: Path, grid: Geometry) -> Segmentation:
    """Read a structure set; a region is rasterised when its voxels are asked for.

    Parameters
    ----------
    path : Path
        The file.
    grid : Geometry
        The image's.

    Raises
    ------
    ImageError
        RV226 not a usable structure set, RV228 a name or number twice. From `Segmentation.mask`: RV230
        outlines that cannot be placed, RV201 outlines outside of the image.
    """
    dataset = pydicom.dcmread(path)
    regions = dataset.get("StructureSetROISequence") or []
    if not regions:
        raise _faulty("regions in StructureSetROISequence", "none", path)
    numbers = [int(region.ROINumber) for region in regions]
    names = [str(region.get("ROIName", "")).strip() for region in regions]
    _require_distinct(numbers, names, path)
    contours: dict[int, list[Any]] = defaultdict(list)
    for item in dataset.get("ROIContourSequence") or []:
        contours[int(item.ReferencedROINumber)].extend(item.get("ContourSequence") or [])
    codes = _codes(dataset)
    segments = tuple(
        Segment(position, name, codes.get(number, ()))
        for position, (number, name) in enumerate(zip(numbers, names, strict=True), 1)
    )

    def fetch(number: int) -> SegmentMask:
        where = f"{path}, region {names[number - 1]!r}"
        return _mask(_contours(contours[numbers[number - 1]], grid, where), grid, where)

    return Segmentation("RTSTRUCT", str(path), grid, segments, False, fetch)


def _require_distinct(numbers: list[int], names: list[str], path: Path) -> None:
    keys = {"number": [str(number) for number in numbers], "name": [name.casefold() for name in names]}
    for what, values in keys.items():
        twice = [value for value in values if values.count(value) > 1]
        if twice:
            found = f"the {what} {twice[0]!r} {values.count(twice[0])} times"
            remedy = "rename or merge the regions, and export the structure set again"
            raise ImageError(Problem("RV228", f"every region {what} once", found, str(path), remedy))


def _codes(dataset: Any) -> dict[int, tuple[Code, ...]]:
    found: dict[int, tuple[Code, ...]] = {}
    for item in dataset.get("RTROIObservationsSequence") or []:
        terms = item.get("RTROIIdentificationCodeSequence") or []
        found[int(item.ReferencedROINumber)] = tuple(
            Code(
                str(term.get("CodingSchemeDesignator", "")),
                str(term.get("CodeValue", "")),
                str(term.get("CodeMeaning", "")),
            )
            for term in terms
        )
    return found


def _contours(items: list[Any], grid: Geometry, where: str) -> list[Contour]:
    found = []
    for position, item in enumerate(items, 1):
        data = item.get("ContourData")
        values = np.array([float(value) for value in ([] if data is None else data)])
        if len(values) % 3 or not np.isfinite(values).all():
            raise _unplaced(
                "three finite numbers for each corner", f"{len(values)} in outline {position}", where
            )
        said = item.get("NumberOfContourPoints")
        if said is not None and int(said) * 3 != len(values):
            shown = f"{said} announced, {len(values) // 3} stored in outline {position}"
            raise _unplaced("as many corners as announced", shown, where)
        points = to_index(values.reshape(-1, 3), grid) if len(values) else np.empty((0, 3))
        found.append(Contour(str(item.get("ContourGeometricType", "")), points))
    return found


def _mask(contours: list[Contour], grid: Geometry, where: str) -> SegmentMask:
    remarks: list[Remark] = []
    other = sorted({contour.kind for contour in contours if contour.kind not in _CLOSED})
    if other:
        raise _unplaced("closed planar outlines", f"outlines of type {', '.join(other)}", where)
    closed = [contour for contour in contours if len(contour.points) >= 3]
    if len(closed) < len(contours) and closed:
        text = f"{where}: {len(contours) - len(closed)} outlines of fewer than 3 corners enclose nothing"
        remarks.append(Remark("RV234", text))
    if contours and not closed:
        raise _unplaced("outlines of 3 corners or more", "outlines of fewer corners only", where)
    out = np.zeros(grid.size[::-1], dtype=bool)
    if not closed:
        return SegmentMask(out)
    axis = _slice_axis(closed, where)
    slices = _by_slice(closed, axis, grid, where)
    remarks.extend(_moved(slices, axis, where))
    remarks.extend(_gaps(sorted(slices), where))
    for index, members in slices.items():
        _draw(out, index, axis, members, where)
    return SegmentMask(out, tuple(remarks))


def _slice_axis(contours: list[Contour], where: str) -> int:
    """Return the axis that the outlines do not run along; 2 where several would do."""
    extent = np.max([np.ptp(contour.points, axis=0) for contour in contours], axis=0)
    axis = 2 if extent[2] <= _PLANAR else int(np.argmin(extent))
    if extent[axis] > _PLANAR:
        found = f"an outline that runs through {extent[axis]:.2f} slices"
        raise _unplaced("outlines in planes parallel to the slices", found, where)
    return axis


def _by_slice(contours: list[Contour], axis: int, grid: Geometry, where: str) -> dict[int, list[Contour]]:
    slices: dict[int, list[Contour]] = defaultdict(list)
    heights: dict[int, float] = {}
    for contour in contours:
        height = float(contour.points[:, axis].mean())
        index = int(np.rint(height))
        limits = np.array(grid.size) - 0.5 + TOLERANCE_VOXELS
        low, high = contour.points.min(axis=0), contour.points.max(axis=0)
        if (low < -0.5 - TOLERANCE_VOXELS).any() or (high > limits).any() or not 0 <= index < grid.size[axis]:
            box = ", ".join(f"{name} {a:.1f} to {b:.1f}" for name, a, b in zip("xyz", low, high, strict=True))
            raise off_grid(grid, f"an outline that leaves the image: voxels {box}", where)
        if abs(abs(height - index) - 0.5) < _MIDDLE:
            found = f"an outline half way between slices, at {height:.2f}"
            raise _unplaced("outlines within half a slice of one slice", found, where)
        known = heights.setdefault(index, height)
        if abs(known - height) > _PLANAR:
            found = f"outlines at {known:.2f} and {height:.2f}, both nearest to slice {index}"
            raise _unplaced("outlines of one plane in each slice", found, where)
        slices[index].append(contour)
    return slices


def _moved(slices: dict[int, list[Contour]], axis: int, where: str) -> Iterator[Remark]:
    apart = [
        abs(float(contour.points[:, axis].mean()) - index)
        for index, members in slices.items()
        for contour in members
    ]
    moved = [distance for distance in apart if distance > TOLERANCE_VOXELS]
    if moved:
        text = f"{len(moved)} of {len(apart)} outlines lie up to {max(moved):.2f} slices beside their slice"
        yield Remark("RV234", f"{where}: {text}; moved to the nearest one")


def _gaps(indices: list[int], where: str) -> Iterator[Remark]:
    lacking = indices[-1] - indices[0] + 1 - len(indices)
    if lacking:
        text = f"{lacking} slices between the first and the last outline have none and stay empty"
        yield Remark("RV234", f"{where}: {text}")


def _draw(out: np.ndarray, index: int, axis: int, contours: list[Contour], where: str) -> None:
    plane = [number for number in range(3) if number != axis]
    target = np.moveaxis(out, 2 - axis, 0)[index]
    shape = (target.shape[0], target.shape[1])
    rasters = [rasterise(contour.points[:, plane], shape) for contour in contours]
    exclusive = all(contour.kind == "CLOSEDPLANAR_XOR" for contour in contours)
    combined = combine(rasters, exclusive=exclusive)
    if combined is None:
        found = f"outlines that cross each other, or one outline twice, in slice {index}"
        raise _unplaced("outlines apart from each other or one inside the other", found, where)
    target[:] = combined


def _unplaced(expected: str, found: str, where: str) -> ImageError:
    remedy = "mend the region in the program that drew it and export it again, or bring a label map"
    return ImageError(Problem("RV230", expected, found, where, remedy))


def _faulty(expected: str, found: str, path: Path) -> ImageError:
    remedy = "export the structure set again from the program that made it"
    return ImageError(Problem("RV226", expected, found, str(path), remedy))
