"""Quality control of a study: measure and picture every vertebra, judge, and write the pages."""

from __future__ import annotations

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
from radiomics_vert.extraction.extracting import params_by_sequence
from radiomics_vert.extraction.preparing import read_volumes
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
from radiomics_vert.reporting.quality import (
    IMAGES,
    Picture,
    QualityPages,
    draw_picture,
    write_quality_pages,
)
from radiomics_vert.results import Result
from radiomics_vert.study.quality_cache import Pictures, QualityCache

PAGES = "qc"
SHEET_PAGES = "signs/sheets/scans"
"""Where the stage of the signs puts its pages, in the study's output."""
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
    references: Mapping[str, tuple[Case, ...]] | None = None,
    cache: Path | None = None,
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
    references : mapping of str to tuple of Case, optional
        Reference vertebrae by scan id; by default :func:`radiomics_vert.cohort.reference_cases` of `cohort`.
    cache : Path, optional
        Folder of measures by content: a scan that was measured and drawn before is neither again.
    n_jobs : int, default 1
        Workers; table and pages do not depend on it.
    progress : callable, optional
        Called with (done, total) after each scan.
    """
    place = None if folder is None else folder / PAGES
    chosen = None if params is None else params_by_sequence(measured, params)
    known_before = None if cache is None else QualityCache.at(cache)
    examine = partial(_examine, params=chosen, folder=place, cache=known_before)
    works = _works(cohort, measured, reference_cases(cohort) if references is None else references)
    examined = parallel.run(examine, works, n_jobs=n_jobs, progress=progress)
    table = with_outliers(quality_table(measured, [row for part in examined for row in part.rows]))
    found = tuple(check_quality(table))
    of_images = [f for f in check_cohort(measured, params and list(params)) if f.code not in NOT_OF_IMAGES]
    known = (*of_images, *found)
    judged = verdicts(measured, known)
    if place is None:
        return Quality(table, found, judged)
    pictures = {name: picture for part in examined for name, picture in part.pictures.items()}
    refused = pd.DataFrame([_refused(refusal) for refusal in measured.refused])
    _remove_pictures(place, {picture.file for picture in pictures.values()})
    sheets = _sheets(folder, table) if folder is not None else {}
    pages = QualityPages(title, table, judged, known, refused, pictures, synthetic, sheets)
    return Quality(table, found, judged, write_quality_pages(pages, place))


def _sheets(output: Path, table: pd.DataFrame) -> dict[str, str]:
    """Return the addresses of the sign sheets that stand beside the pages, seen from the page of a scan."""
    pages = {str(scan): f"{SHEET_PAGES}/{scan}.html" for scan in table["scan_id"]}
    return {scan: f"../../{page}" for scan, page in pages.items() if (output / page).is_file()}


def _works(cohort: Cohort, measured: Cohort, references: Mapping[str, tuple[Case, ...]]) -> list[ScanWork]:
    around = cases_by_scan(cohort)
    return [
        ScanWork(cases, around[scan_id], references.get(scan_id, ()))
        for scan_id, cases in cases_by_scan(measured).items()
    ]


def _examine(
    work: ScanWork,
    *,
    params: Mapping[str, ExtractionParams] | None,
    folder: Path | None,
    cache: QualityCache | None,
) -> _Examined:
    """Measure and draw the vertebrae of one scan, where that was not done before; runs in a worker."""
    rows = cache.rows(work, params) if cache else None
    pictures: Pictures | None = {} if folder is None else cache.pictures(work, folder) if cache else None
    if rows is not None and pictures is not None:
        return _Examined(rows, pictures)
    try:
        held = [read_volumes(work.scan)]
    except RadiomicsVertError as error:
        return _Examined(tuple(unreadable(work.wanted, error.problems[0])))
    if pictures is None and folder is not None:
        pictures = _drawn(held[0], work.wanted, folder)
        if cache:
            cache.keep_pictures(work, folder, pictures)
    if rows is None:
        rows = tuple(scan_quality(held.pop(), work, params))  # not kept here, so that nothing is copied
        if cache:
            cache.keep_rows(work, params, rows)
    return _Examined(rows, pictures or {})


def _drawn(volumes: Volumes, cases: tuple[Case, ...], folder: Path) -> dict[str, Picture]:
    image, labels = Image(volumes.image), LabelMap(volumes.labels)
    window = display_window(image.array(), labels.array(), hounsfield=is_ct(cases[0].scan.sequence))
    return {
        case.case_id: draw_picture(
            mosaic(image, labels, case.label, case.box, window), case.case_id, folder, window
        )
        for case in cases
    }


def _remove_pictures(folder: Path, kept: set[str]) -> None:
    """Remove the pictures of vertebrae that are no longer shown."""
    for path in sorted((folder / IMAGES).glob("*")):
        if f"{IMAGES}/{path.name}" not in kept:
            path.unlink()


def _refused(refusal: Refusal) -> dict[str, object]:
    row = refusal.row()
    return {name: row[name] for name in ("case_id", "code", "title", "expected", "found", "where", "remedy")}
