"""Quality control of a study: measure and picture every vertebra, judge, and write the pages."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import pandas as pd

from radiomics_vert import parallel
from radiomics_vert.checks import Finding, check_cohort, check_quality, verdicts, with_outliers
from radiomics_vert.cohort import Case, Cohort, Refusal, reference_cases
from radiomics_vert.errors import RadiomicsVertError
from radiomics_vert.extraction import ExtractionParams
from radiomics_vert.extraction.engine import Volumes
from radiomics_vert.extraction.extracting import params_by_sequence, read_volumes
from radiomics_vert.extraction.quality import (
    Row,
    ScanWork,
    cases_by_scan,
    is_ct,
    quality_table,
    scan_quality,
    unreadable,
)
from radiomics_vert.imaging import Image, LabelMap
from radiomics_vert.imaging.mosaic import display_window, mosaic
from radiomics_vert.reporting.quality import Picture, QualityPages, draw_picture, write_quality_pages
from radiomics_vert.results import Result

PAGES = "qc"
# What the extraction reports again, case by case, when it has met these problems itself.
TOLD_BY_EXTRACTION = frozenset({"RV305"})
# Clinical rows and vertebrae that do not match: nothing that a picture could tell.
NOT_OF_IMAGES = frozenset({"RV109", "RV110"})


@dataclass(frozen=True)
class Quality:
    """What quality control found.

    Parameters
    ----------
    table : DataFrame
        One row per vertebra, with outlier scores.
    findings : tuple of Finding
        From the measures alone; those of :func:`radiomics_vert.check_cohort` are apart.
    verdicts : DataFrame
        One row per scan.
    pages : Path, optional
        `index.html` of the pages, when they were asked for.
    """

    table: pd.DataFrame
    findings: tuple[Finding, ...]
    verdicts: pd.DataFrame
    pages: Path | None = None

    def result(self) -> Result:
        """Return the result of kind `quality` for records and report."""
        spec = {
            "verdicts": {
                str(k): int(v) for k, v in self.verdicts["verdict"].value_counts().sort_index().items()
            },
            "pages": f"{PAGES}/{self.pages.name}" if self.pages else "",
        }
        return Result("quality", {"cases": self.table, "scans": self.verdicts}, spec)

    def beside_extraction(self) -> list[Finding]:
        """Return the findings that the extraction does not make itself."""
        return [
            finding
            for finding in self.findings
            if finding.severity != "error" and finding.code not in TOLD_BY_EXTRACTION
        ]


@dataclass(frozen=True)
class _Examined:
    """What one scan gave."""

    rows: tuple[Row, ...]
    pictures: Mapping[str, Picture] = field(default_factory=dict)


def control_quality(
    cohort: Cohort,
    measured: Cohort,
    params: Mapping[str, ExtractionParams] | None,
    *,
    title: str,
    folder: Path | None = None,
    synthetic: bool = False,
    n_jobs: int = 1,
    progress: parallel.Progress | None = None,
) -> Quality:
    """Measure every vertebra, judge what was measured, and write the pages.

    Parameters
    ----------
    cohort : Cohort
        All vertebrae in the masks: the neighbours.
    measured : Cohort
        The part of them that is measured and shown.
    params : mapping of str to ExtractionParams or None
        Per sequence; without them grey levels and clipped voxels stay unknown.
    title : str
        Of the study, or the name of the scan.
    folder : Path, optional
        Of the study's output; the pages go to `qc/` in it and replace earlier ones. Without it no page
        is written.
    synthetic : bool, default False
        The data were generated; every page says so.
    n_jobs : int, default 1
        Workers; table and pages do not depend on it.
    progress : callable, optional
        Called with (done, total) after each scan.
    """
    place = None if folder is None else folder / PAGES
    if place is not None and place.is_dir():
        shutil.rmtree(place)
    chosen = None if params is None else params_by_sequence(measured, params)
    examine = partial(_examine, params=chosen, folder=place)
    examined = parallel.run(examine, _works(cohort, measured), n_jobs=n_jobs, progress=progress)
    table = with_outliers(quality_table(measured, [row for part in examined for row in part.rows]))
    found = tuple(check_quality(table))
    of_images = [f for f in check_cohort(measured, params and list(params)) if f.code not in NOT_OF_IMAGES]
    known = (*of_images, *found)
    judged = verdicts(measured, known)
    if place is None:
        return Quality(table, found, judged)
    pictures = {name: picture for part in examined for name, picture in part.pictures.items()}
    refused = pd.DataFrame([_refused(refusal) for refusal in measured.refused])
    pages = QualityPages(title, table, judged, known, refused, pictures, synthetic)
    return Quality(table, found, judged, write_quality_pages(pages, place))


def _works(cohort: Cohort, measured: Cohort) -> list[ScanWork]:
    around, references = cases_by_scan(cohort), reference_cases(cohort)
    return [
        ScanWork(cases, around[scan_id], references.get(scan_id, ()))
        for scan_id, cases in cases_by_scan(measured).items()
    ]


def _examine(
    work: ScanWork, *, params: Mapping[str, ExtractionParams] | None, folder: Path | None
) -> _Examined:
    """Measure and draw the vertebrae of one scan; runs in a worker."""
    try:
        volumes = read_volumes(work.scan)
    except RadiomicsVertError as error:
        return _Examined(tuple(unreadable(work.wanted, error.problems[0])))
    rows = scan_quality(volumes, work, params)
    return _Examined(tuple(rows), {} if folder is None else _drawn(volumes, work.wanted, folder))


def _drawn(volumes: Volumes, cases: tuple[Case, ...], folder: Path) -> dict[str, Picture]:
    image, labels = Image(volumes.image), LabelMap(volumes.labels)
    window = display_window(image, labels, hounsfield=is_ct(cases[0].scan.sequence))
    return {
        case.case_id: draw_picture(
            mosaic(image, labels, case.label, case.box, window), case.case_id, folder, window
        )
        for case in cases
    }


def _refused(refusal: Refusal) -> dict[str, object]:
    row = refusal.row()
    return {name: row[name] for name in ("case_id", "code", "title", "expected", "found", "where", "remedy")}
