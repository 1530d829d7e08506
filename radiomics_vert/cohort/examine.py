"""From one scan to its vertebrae: what the mask holds, and whether it can be measured."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from radiomics_vert.cohort.acquisition import read_facts
from radiomics_vert.cohort.label_ranges import describe_labels
from radiomics_vert.cohort.levels import Level
from radiomics_vert.cohort.loading import Vertebrae, read_vertebrae, shortened, without_folders
from radiomics_vert.cohort.nouns import Case, Refusal, Scan
from radiomics_vert.errors import CohortError, ImageError, Problem
from radiomics_vert.imaging import (
    Geometry,
    Region,
    file_digest,
    label_regions,
    read_geometry,
    require_complete,
    require_finite,
    require_same_geometry,
)

RELEASE = 1
"""Raised when the examination of the same files finds something else: what is cached is found again."""


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
        The scan when it cannot be used; or single vertebrae without a voxel, or whose outlines cannot be
        placed.
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


def _examine(scan: Scan) -> tuple[tuple[Case, ...], tuple[Refusal, ...]]:
    _require_common_grid(scan)
    require_complete(scan.image, series=scan.series)
    require_finite(scan.image, series=scan.series)
    found = read_vertebrae(scan)
    facts, remarks = read_facts(scan, found.labels.geometry)
    known = replace(
        scan,
        facts=facts,
        image_digest=file_digest(scan.image, series=scan.series),
        remarks=shortened(scan, (*found.remarks, *remarks)),
    )
    regions = label_regions(found.labels, found.named)
    _require_anatomical_order(known, found, regions)
    cases, lost = [], []
    for label, (level, _) in found.named.items():
        if label in regions:
            cases.append(_case(known, level, regions[label]))
        else:
            lost.append(_lost(known, level, label, found.failed.get(label)))
    return tuple(cases), tuple(lost)


def _require_common_grid(scan: Scan) -> None:
    image = read_geometry(scan.image, series=scan.series)
    if scan.subregions is not None:
        where = f"{scan.image}, {scan.subregions}"
        require_same_geometry(image, read_geometry(scan.subregions), where)


def _require_anatomical_order(scan: Scan, found: Vertebrae, regions: dict[int, Region]) -> None:
    """Refuse levels that run upwards: a scheme of the opposite direction gives plausible wrong levels.

    Judged only where the vertebrae are lined up along the head-feet axis of the header: stacks without a
    true orientation (made from screenshots, say) may have right labels.
    """
    named, grid = found.named, found.labels.geometry
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


def _lost(scan: Scan, level: Level | None, label: int, reason: Problem | None) -> Refusal:
    case = Case(_case_id(scan, level, label), scan, level, label, 0, (0, 0, 0, 0, 0, 0), "")
    problem = reason or _nothing_left(scan, label)
    return Refusal.of_case(case, replace(problem, where=_place(scan, problem.where)))


def _nothing_left(scan: Scan, label: int) -> Problem:
    if scan.region != "body" or scan.scheme.region == "body":
        found, remedy = "none", "outline the vertebra, or remove the empty segment"
        return Problem("RV207", f"voxels of the segment {label}", found, str(scan.mask), remedy)
    return Problem(
        "RV207",
        f"body voxels (sub-region labels {describe_labels(scan.scheme.body)}) within label {label}",
        "none",
        str(scan.subregions),
        "complete the sub-region mask at this level",
    )


def _place(scan: Scan, where: str) -> str:
    line = f" (line {scan.row} of the image table)" if scan.row else ""
    return f"scan {scan.scan_id}{line}: {without_folders(scan, where)}"
