"""From one scan to its vertebrae: what the mask holds, and whether it can be measured."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import SimpleITK as sitk

from radiomics_vert.cohort.label_ranges import describe_labels
from radiomics_vert.cohort.levels import Level
from radiomics_vert.cohort.manifest import body_problem, unseparated
from radiomics_vert.cohort.nouns import Case, Refusal, Scan
from radiomics_vert.cohort.schemes import scheme_candidates
from radiomics_vert.errors import CohortError, ImageError, Problem
from radiomics_vert.imaging import (
    Geometry,
    LabelMap,
    Region,
    file_digest,
    label_regions,
    present_labels,
    read_geometry,
    read_label_map,
    require_complete,
    require_finite,
    require_same_geometry,
)

Vertebrae = dict[int, tuple[Level | None, tuple[int, ...]]]
"""Case label -> level and label values in the mask, as `LabelScheme.split` returns it."""


def examine_scan(scan: Scan) -> tuple[tuple[Case, ...], tuple[Refusal, ...]]:
    """Return the vertebrae of a scan, or why it cannot be used.

    Parameters
    ----------
    scan : Scan
        A row of the manifest; its files may be missing or faulty.

    Returns
    -------
    cases : tuple of Case
        From the head down; each holds the scan with its image digest.
    refused : tuple of Refusal
        The scan when it cannot be used; or single vertebrae without a body voxel when the region is `body`.
    """
    try:
        return _examine(scan)
    except (ImageError, CohortError) as error:
        problem = error.problems[0]
    except OSError as error:
        reason = error.strerror or type(error).__name__
        remedy = "check that the file can be opened, its permissions and the disk"
        problem = Problem("RV202", "a readable file", reason, str(error.filename), remedy)
    return (), (Refusal.of_scan(scan, replace(problem, where=_place(scan, problem.where))),)


def load_vertebrae(scan: Scan) -> LabelMap:
    """Return the map that is measured: the label of each case, 0 elsewhere.

    Label values that mean the same vertebra are merged to its first; with the region `body`, voxels
    outside the vertebral bodies become background.

    Parameters
    ----------
    scan : Scan
        Image and mask; the geometry of the image is not read here.

    Returns
    -------
    LabelMap
        On the grid of the mask.

    Raises
    ------
    ImageError
        The mask or the sub-region mask cannot be read (RV2xx), or they do not share one grid (RV201).
    CohortError
        RV108 no vertebra of the scheme; RV105 or RV107 the region `body` cannot be had.
    """
    return _load(scan)[0]


def _examine(scan: Scan) -> tuple[tuple[Case, ...], tuple[Refusal, ...]]:
    _require_common_grid(scan)
    require_complete(scan.image)
    require_finite(scan.image)
    known = replace(scan, image_digest=file_digest(scan.image))
    vertebrae, named = _load(scan)
    regions = label_regions(vertebrae, named)
    _require_anatomical_order(known, named, regions, vertebrae.geometry)
    cases = tuple(
        _case(known, level, regions[label]) for label, (level, _) in named.items() if label in regions
    )
    lost = [_lost(known, level, label) for label, (level, _) in named.items() if label not in regions]
    return cases, tuple(lost)


def _require_common_grid(scan: Scan) -> None:
    image = read_geometry(scan.image)
    for path in filter(None, (scan.mask, scan.subregions)):
        require_same_geometry(image, read_geometry(path), f"{scan.image}, {path}")


def _load(scan: Scan) -> tuple[LabelMap, Vertebrae]:
    mask = read_label_map(scan.mask)
    named = _vertebrae(scan, mask)
    problem = body_problem(scan.scheme, scan.region, scan.subregions is not None, scan.scan_id)
    if problem:
        raise CohortError(problem)
    array = mask.array()
    table = np.zeros(int(array.max()) + 1, dtype=array.dtype)
    for label, (_, values) in named.items():
        table[list(values)] = label
    merged = table[array]
    if scan.region == "body" and scan.scheme.region != "body" and scan.subregions is not None:
        merged[~_body(scan, scan.subregions, mask.geometry)] = 0
    volume = sitk.GetImageFromArray(merged)
    volume.CopyInformation(mask.volume)
    return LabelMap(volume, mask.source), named


def _vertebrae(scan: Scan, mask: LabelMap) -> Vertebrae:
    if not scan.scheme.separates_vertebrae:
        raise CohortError(unseparated(scan.scheme, scan.scan_id))
    present = present_labels(mask)
    if not present:
        expected, remedy = "labels above 0", "segment the scan, or name the right mask file"
        raise ImageError(Problem("RV206", expected, "0 in every voxel", mask.source, remedy))
    named = scan.scheme.split(present)
    if not named:
        raise CohortError(_no_vertebra(scan, present, mask.source))
    return named


def _no_vertebra(scan: Scan, present: list[int], where: str) -> Problem:
    wanted = describe_labels(label for labels in scan.scheme.vertebrae.values() for label in labels)
    others = scheme_candidates(present)
    hint = f"; schemes that know all labels of this mask: {', '.join(others)}" if others else ""
    return Problem(
        "RV108",
        f"vertebra labels of the scheme {scan.scheme.name!r}: {wanted or 'any that is not a structure'}",
        f"the labels {describe_labels(present)}",
        where,
        f"name the scheme of the tool that made the mask{hint}",
    )


def _body(scan: Scan, path: Path, grid: Geometry) -> np.ndarray:
    subregions = read_label_map(path)
    require_same_geometry(grid, subregions.geometry, f"{scan.mask}, {path}")
    array = subregions.array()
    table = np.zeros(max(int(array.max()), *scan.scheme.body) + 1, dtype=bool)
    table[list(scan.scheme.body)] = True
    return np.asarray(table[array])


def _require_anatomical_order(
    scan: Scan, named: Vertebrae, regions: dict[int, Region], grid: Geometry
) -> None:
    """Refuse levels that run upwards: a scheme of the opposite direction gives plausible wrong levels.

    Judged only where the vertebrae are lined up along the head-feet axis of the header: stacks without a
    true orientation (made from screenshots, say) may have right labels.
    """
    chosen = [(level, regions[label]) for label, (level, _) in named.items() if level and label in regions]
    if len(chosen) < 2:
        return
    centres = np.array([_centre(region, grid) for _, region in chosen])
    if np.ptp(centres, axis=0).argmax() != 2:
        return
    upward = int((np.diff(centres[:, 2]) > 0).sum())
    if upward * 2 <= len(chosen) - 1:
        return
    levels = ", ".join(str(level) for level, _ in chosen)
    raise CohortError(
        Problem(
            "RV111",
            f"levels in anatomical order from head to feet under the scheme {scan.scheme.name!r}",
            f"{levels} one above the other, the last at the top",
            str(scan.mask),
            "name the scheme of the tool that made the mask, or correct a header that stands upside down",
        )
    )


def _centre(region: Region, grid: Geometry) -> np.ndarray:
    """Return the centre of a bounding box in millimetres (LPS: the third number grows to the head)."""
    middle = (np.array(region.box[::2]) + np.array(region.box[1::2]) - 1) / 2
    matrix = np.array(grid.direction).reshape(3, 3) * np.array(grid.spacing)
    return np.asarray(matrix @ middle + np.array(grid.origin))


def _case_id(scan: Scan, level: Level | None, label: int) -> str:
    return f"{scan.scan_id}_{level or f'label{label}'}"


def _case(scan: Scan, level: Level | None, region: Region) -> Case:
    return Case(
        case_id=_case_id(scan, level, region.label),
        scan=scan,
        level=level,
        label=region.label,
        voxels=region.voxels,
        box=region.box,
        mask_digest=region.digest,
        components=region.components,
        touches_border=region.touches_border,
    )


def _lost(scan: Scan, level: Level | None, label: int) -> Refusal:
    case = Case(_case_id(scan, level, label), scan, level, label, 0, (0, 0, 0, 0, 0, 0), "")
    problem = Problem(
        "RV207",
        f"body voxels (sub-region labels {describe_labels(scan.scheme.body)}) within label {label}",
        "none",
        _place(scan, str(scan.subregions)),
        "complete the sub-region mask at this level",
    )
    return Refusal.of_case(case, problem)


def _place(scan: Scan, where: str) -> str:
    """Name files without their folders: reports must not depend on the machine."""
    for path in filter(None, (scan.image, scan.mask, scan.subregions)):
        where = where.replace(str(path), path.name)
    return f"scan {scan.scan_id} (line {scan.row} of the image table): {where}"
