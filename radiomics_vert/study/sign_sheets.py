"""The sign sheets of a cohort: draw every vertebra with a frame, scan by scan, and write the pages."""

from __future__ import annotations

import logging
import shutil
from collections.abc import Mapping
from functools import partial
from pathlib import Path

import pandas as pd

from radiomics_vert import parallel
from radiomics_vert.cohort import Cohort
from radiomics_vert.errors import RadiomicsVertError
from radiomics_vert.reporting.sheets import (
    ScanSheet,
    SheetPicture,
    SignSheets,
    draw_sheet,
    write_sign_sheets,
)
from radiomics_vert.signs import ScanSigns, SignTable, Spine, load_sign_scan, prepare_spine
from radiomics_vert.signs.drawing import display_range, draw_vertebra
from radiomics_vert.signs.table import PREFIX, Work, scan_works

logger = logging.getLogger("radiomics_vert.signs")

SHEETS = "sheets"
"""Folder of the sheets inside that of the signs."""


def write_study_sheets(
    cohort: Cohort,
    table: SignTable,
    folder: Path,
    *,
    title: str,
    sequences: Mapping[str, str] | None = None,
    fractured: set[str] | None = None,
    synthetic: bool = False,
    quality: str = "",
    n_jobs: int = 1,
    progress: parallel.Progress | None = None,
) -> Path:
    """Draw and write the sign sheets of a cohort.

    Parameters
    ----------
    cohort : Cohort
        As it was given to :func:`radiomics_vert.measure_signs`, with all vertebrae of each mask.
    table : SignTable
        What was measured, or the part of it that is studied: the vertebrae that get a sheet.
    folder : Path
        Of the signs; the pages go to `sheets/` in it and replace earlier ones.
    title : str
        Of the study.
    sequences, fractured
        As they were given to :func:`radiomics_vert.measure_signs`.
    synthetic : bool, default False
        The data were generated; every page says so.
    quality : str, default ""
        Address of the pages of quality control, seen from the folder of the sheets, such as `../../qc`.
    n_jobs : int, default 1
        Workers; the pages do not depend on it.
    progress : callable, optional
        Called with (done, total) after each scan.

    Returns
    -------
    Path
        `index.html`.
    """
    place = folder / SHEETS
    shutil.rmtree(place, ignore_errors=True)
    facts = table.features.diagnostics
    wanted = set(facts["case_id"].astype(str)) if len(facts) else set()
    works = [
        work
        for work in scan_works(cohort, sequences, fractured)
        if wanted & {case.case_id for case in work.cases}
    ]
    drawn = parallel.run(
        partial(_draw_work, wanted=wanted, folder=place), works, n_jobs=n_jobs, progress=progress
    )
    values = table.features.values.rename(columns=lambda name: str(name).removeprefix(PREFIX))
    sheets = tuple(
        _of_scan(work, pictures, values, table.absences, facts)
        for work, pictures in zip(works, drawn, strict=True)
    )
    return write_sign_sheets(SignSheets(title, sheets, synthetic, quality), place)


def scan_sheet(spine: Spine, signs: ScanSigns, folder: Path) -> ScanSheet:
    """Draw one measured scan.

    Parameters
    ----------
    spine : Spine
        The scan.
    signs : ScanSigns
        What was measured on it.
    folder : Path
        Of the sheets.
    """
    pictures = _pictures(spine, {v.case_id for v in spine.vertebrae}, folder)
    name = spine.scan.scan_id
    return ScanSheet(name, spine.sequence, signs.values, signs.absences, signs.facts, pictures)


def _of_scan(
    work: Work,
    pictures: Mapping[str, SheetPicture],
    values: pd.DataFrame,
    absences: pd.DataFrame,
    facts: pd.DataFrame,
) -> ScanSheet:
    names = [case.case_id for case in work.cases]
    found, absent, about = (frame[frame["case_id"].isin(names)] for frame in (values, absences, facts))
    return ScanSheet(work.cases[0].scan.scan_id, work.sequence, found, absent, about, pictures)


def _draw_work(work: Work, *, wanted: set[str], folder: Path) -> dict[str, SheetPicture]:
    """Draw the vertebrae of one scan; runs in a worker. A scan that cannot be read is a failure already."""
    try:
        scan = load_sign_scan(work.cases, work.companions, fractured=work.fractured)
    except (RadiomicsVertError, OSError) as error:
        logger.warning("%s: no sign sheet: %s", work.cases[0].scan.scan_id, type(error).__name__)
        return {}
    return _pictures(prepare_spine(scan, work.sequence), wanted, folder)


def _pictures(spine: Spine, wanted: set[str], folder: Path) -> dict[str, SheetPicture]:
    window = display_range(spine)
    return {
        vertebra.case_id: draw_sheet(draw_vertebra(spine, vertebra), vertebra.case_id, folder, window)
        for vertebra in spine.framed()
        if vertebra.case_id in wanted
    }
