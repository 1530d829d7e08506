"""From the mask of a scan to the label map that is measured."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import reduce
from pathlib import Path

import numpy as np
import SimpleITK as sitk

from radiomics_vert.cohort.levels import Level
from radiomics_vert.cohort.manifest import body_problem, unseparated
from radiomics_vert.cohort.nouns import Scan
from radiomics_vert.cohort.segment_names import Selection, select_vertebrae
from radiomics_vert.errors import CohortError, ImageError, Problem
from radiomics_vert.imaging import (
    Geometry,
    LabelMap,
    Overlap,
    Remark,
    Segmentation,
    image_reference,
    merge_masks,
    read_geometry,
    read_label_map,
    read_segmentation,
    require_same_geometry,
    used_box,
)
from radiomics_vert.storage import sha256_file

# [O] Outlines of neighbours that touch share a rim of voxels; beyond this share of the smaller vertebra one
# of the two is not what its name says.
LARGEST_OVERLAP = 0.05


@dataclass(frozen=True)
class Vertebrae:
    """The vertebrae of one mask.

    Parameters
    ----------
    labels : LabelMap
        The label of each case, 0 elsewhere.
    named : dict of int to (Level or None, tuple of int)
        Case label -> level and numbers in the mask, from the head down.
    failed : dict of int to Problem
        Vertebrae of `named` whose voxels cannot be read, and why.
    remarks : tuple of Remark
        What the readers decided.
    """

    labels: LabelMap
    named: dict[int, tuple[Level | None, tuple[int, ...]]]
    failed: dict[int, Problem]
    remarks: tuple[Remark, ...]


def load_vertebrae(scan: Scan) -> LabelMap:
    """Return the map that is measured: the label of each case, 0 elsewhere.

    Label values that mean the same vertebra are merged to its first; with the region `body`, voxels
    outside the vertebral bodies become background. Voxels that two vertebrae claim belong to the upper.

    Parameters
    ----------
    scan : Scan
        Image and mask; of the image, the geometry is read.

    Returns
    -------
    LabelMap
        On the grid of a label map, else on that of the image.

    Raises
    ------
    ImageError
        The mask or the sub-region mask cannot be read (RV2xx), or they do not share one grid (RV201).
    CohortError
        RV108 no vertebra of the scheme; RV105 or RV107 the region `body` cannot be had; RV228 a level twice
        or an ambiguous name; RV231 vertebrae overlap; RV235 names and numbers disagree.
    """
    return read_vertebrae(scan).labels


def open_mask(scan: Scan) -> Segmentation:
    """Return the segments of a scan's mask, placed on the grid of its image.

    Parameters
    ----------
    scan : Scan
        Image and mask; of the image, the geometry is read.

    Raises
    ------
    ImageError
        RV2xx, as :func:`radiomics_vert.imaging.read_segmentation`.
    """
    return read_segmentation(
        scan.mask,
        read_geometry(scan.image, series=scan.series),
        further=scan.further_masks,
        threshold=scan.threshold,
        reference=image_reference(scan.image, scan.mask, scan.series),
        where=f"{scan.image}, {scan.mask}",
    )


def read_vertebrae(scan: Scan) -> Vertebrae:
    """Return the vertebrae of a scan with everything that was noticed; raises as :func:`load_vertebrae`."""
    if not scan.scheme.separates_vertebrae:
        raise CohortError(unseparated(scan.scheme, scan.scan_id))
    mask = open_mask(scan)
    if not mask.segments:
        expected, remedy = "labels above 0", "segment the scan, or name the right mask file"
        raise ImageError(Problem("RV206", expected, "0 in every voxel", mask.source, remedy))
    problem = body_problem(scan.scheme, scan.region, scan.subregions is not None, scan.scan_id)
    selection = select_vertebrae(scan.scheme, mask)
    if problem:
        raise CohortError(problem)
    array, failed, remarks = (
        _merged(mask, selection) if mask.label_map is None else _renumbered(mask.label_map, selection)
    )
    grid, source, remarks = mask.geometry, mask.source, (*mask.remarks, *selection.remarks, *remarks)
    del mask  # its voxels are as many as those of the result
    if scan.region == "body" and scan.scheme.region != "body" and scan.subregions is not None:
        array[~_body(scan, scan.subregions, grid)] = 0
    return Vertebrae(as_label_map(array, grid, source), selection.vertebrae, failed, remarks)


Merged = tuple[np.ndarray, dict[int, Problem], tuple[Remark, ...]]


def _renumbered(labels: LabelMap, selection: Selection) -> Merged:
    array = labels.array()
    table = np.zeros(int(array.max()) + 1, dtype=array.dtype)
    for label, (_, values) in selection.vertebrae.items():
        table[list(values)] = label
    small = table.astype(np.min_scalar_type(table.max()))
    renumbered = np.zeros(array.shape, dtype=small.dtype)
    used = used_box(array)
    # Slice by slice: an index takes eight bytes per voxel.
    for source, target in zip(array[used], renumbered[used], strict=True):
        target[...] = small[source]
    return renumbered, {}, ()


def _merged(mask: Segmentation, selection: Selection) -> Merged:
    failed: dict[int, Problem] = {}
    remarks: list[Remark] = []

    def found() -> Iterator[tuple[int, np.ndarray]]:
        # One vertebra after the other: each can be as large as the whole scan.
        for label, (_, numbers) in selection.vertebrae.items():
            try:
                parts = [mask.mask(number) for number in numbers]
            except ImageError as error:
                failed[label] = error.problems[0]
                continue
            remarks.extend(remark for part in parts for remark in part.remarks)
            yield label, reduce(np.logical_or, (part.voxels for part in parts))

    array, overlaps = merge_masks(found(), mask.geometry.size[::-1])
    if len(failed) == len(selection.vertebrae):
        raise ImageError(next(iter(failed.values())))
    names = {label: mask.segment(numbers[0]).name for label, (_, numbers) in selection.vertebrae.items()}
    remarks.extend(_judged(overlap, names, mask.source) for overlap in overlaps)
    return array, failed, tuple(remarks)


def _judged(overlap: Overlap, names: dict[int, str], where: str) -> Remark:
    first, second = names[overlap.first], names[overlap.second]
    found = (
        f"{overlap.voxels} voxels in {first!r} and in {second!r}, {100 * overlap.share:.2g} % of the smaller"
    )
    if overlap.share > LARGEST_OVERLAP:
        raise CohortError(
            Problem(
                "RV231",
                f"vertebrae that share no more than {100 * LARGEST_OVERLAP:g} % of the smaller one",
                found,
                where,
                "correct the two outlines; one vertebra may be outlined twice under two names",
            )
        )
    return Remark("RV231", f"{found}; they belong to {first!r} now")


def _body(scan: Scan, path: Path, grid: Geometry) -> np.ndarray:
    subregions = read_label_map(path)
    require_same_geometry(grid, subregions.geometry, f"{scan.mask}, {path}")
    array = subregions.array()
    table = np.zeros(max(int(array.max()), *scan.scheme.body) + 1, dtype=bool)
    table[list(scan.scheme.body)] = True
    return np.asarray(table[array])


def as_label_map(array: np.ndarray, grid: Geometry, source: str) -> LabelMap:
    """Put labels of shape (z, y, x) on a grid."""
    volume = sitk.GetImageFromArray(array)
    volume.SetSpacing(grid.spacing)
    volume.SetOrigin(grid.origin)
    volume.SetDirection(grid.direction)
    return LabelMap(volume, source)


def mask_digest(scan: Scan) -> str:
    """Return the sha256 of the mask's bytes: of one file, of all files of a folder, or of those listed.

    Raises
    ------
    OSError
        A file cannot be read.
    """
    if scan.mask.is_file() and not scan.further_masks:
        return sha256_file(scan.mask)
    files = sorted(scan.mask.iterdir()) if scan.mask.is_dir() else [scan.mask]
    parts = [f"{file.name} {sha256_file(file)}" for file in (*files, *scan.further_masks) if file.is_file()]
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()


def without_folders(scan: Scan, text: str) -> str:
    """Name files without their folders: reports must not depend on the machine."""
    paths = (scan.image, scan.mask, scan.subregions, *scan.further_masks)
    for path in sorted(filter(None, paths), key=lambda path: -len(str(path))):
        text = text.replace(str(path), path.name)
        if scan.pseudonymous:
            # File names often hold the id that the pseudonym hides.
            text = text.replace(path.name, "the image" if path == scan.image else "the mask")
    return text


def shortened(scan: Scan, remarks: tuple[Remark, ...]) -> tuple[Remark, ...]:
    """Return remarks without folders, each once."""
    found = (replace(remark, text=without_folders(scan, remark.text)) for remark in remarks)
    return tuple(dict.fromkeys(found))
