"""The clinical table: outcome and covariates, by vertebra or by subject."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from radiomics_vert.cohort.cells import duplicated_row, missing_columns, missing_value, rows_of
from radiomics_vert.cohort.levels import Level
from radiomics_vert.cohort.nouns import Case
from radiomics_vert.cohort.pseudonyms import pseudonym
from radiomics_vert.errors import CohortError, Problem, raise_all
from radiomics_vert.storage import read_table

KEYS = ("subject_id", "session", "level", "label")
_WHOLE = re.compile(r"^(\d+)(\.0+)?$")


def read_clinical(path: str | Path, secret: bytes = b"") -> pd.DataFrame:
    """Read a clinical table.

    Parameters
    ----------
    path : str or Path
        CSV, TSV, XLSX or Parquet with `subject_id[, session][, level][, label], <outcome>, ...`. A row
        without level and label applies to the subject. `label` is for masks of unnamed instances.
    secret : bytes
        Replaces subject ids by pseudonyms when it is not empty, see :func:`read_secret`.

    Returns
    -------
    DataFrame
        All cells as text, levels in their standard spelling, line numbers in the index.

    Raises
    ------
    TableError
        The table cannot be read.
    CohortError
        RV103 no `subject_id`, RV104 repeated rows, RV105 a row without subject, RV106 unknown levels; all at
        once, each with its line.
    """
    path = Path(path)
    frame = read_table(path, text=True)
    raise_all(CohortError, missing_columns(frame, ("subject_id",), path))
    problems: list[Problem] = []
    seen: dict[tuple[str, ...], int] = {}
    keys = [name for name in KEYS if name in frame.columns]
    cleaned: dict[str, list[str]] = {name: [] for name in keys}
    for line, written in rows_of(frame):
        cells = written
        if secret:
            cells = {**written, "subject_id": pseudonym(written["subject_id"], secret)}
        key = _clean_keys(cells, keys, f"{path}, line {line}", problems)
        for name, value in zip(keys, key, strict=True):
            cleaned[name].append(value)
        if key in seen:
            remedy = "keep one of the rows, or tell them apart by the column level or session"
            problems.append(duplicated_row(" ".join(filter(None, key)), line, seen[key], path, remedy))
        elif key[0]:
            seen[key] = line
    raise_all(CohortError, problems)
    return frame.assign(
        **{name: pd.Series(values, frame.index, dtype=object) for name, values in cleaned.items()}
    )


def _clean_keys(
    cells: dict[str, str], keys: Sequence[str], where: str, problems: list[Problem]
) -> tuple[str, ...]:
    cleaned = dict(cells)
    if not cells["subject_id"]:
        problems.append(missing_value("subject_id", where))
    if cells.get("level"):
        try:
            cleaned["level"] = str(Level.parse(cells["level"]))
        except ValueError:
            expected = "a vertebral level, C1 to COCCYX, such as T12, Th12 or L1"
            remedy = "correct the level; leave the cell empty for a row about the whole subject"
            problems.append(
                Problem("RV106", expected, repr(cells["level"]), f"{where}, column level", remedy)
            )
    if cells.get("label"):
        match = _WHOLE.match(cells["label"])
        cleaned["label"] = str(int(match[1])) if match else cells["label"]
        if not match:
            expected, remedy = (
                "a label value of the mask, a whole number",
                "write the number of the vertebra in the mask",
            )
            problems.append(
                Problem("RV106", expected, repr(cells["label"]), f"{where}, column label", remedy)
            )
    return tuple(cleaned[name] for name in keys)


def match_clinical(cases: Sequence[Case], clinical: pd.DataFrame) -> tuple[pd.DataFrame, tuple[str, ...]]:
    """Return the clinical rows without a vertebra, and the vertebrae without a row of their own.

    Parameters
    ----------
    cases : sequence of Case
        The vertebrae of the cohort.
    clinical : DataFrame
        As :func:`read_clinical` returns it.

    Returns
    -------
    unmatched : DataFrame
        Rows that match no case, with the column `line`.
    unlabelled : tuple of str
        Ids of cases that no row names by level or label; empty when no row has a level or label.
    """
    by_subject: dict[str, list[Case]] = defaultdict(list)
    for case in cases:
        by_subject[case.scan.subject_id].append(case)
    lines: list[int] = []
    named: set[str] = set()
    local = False
    for line, cells in rows_of(clinical):
        matched = [case for case in by_subject[cells["subject_id"]] if _applies(cells, case)]
        if not matched:
            lines.append(line)
        if cells.get("level") or cells.get("label"):
            local = True
            named.update(case.case_id for case in matched)
    unmatched = clinical.loc[lines].assign(line=lines)
    return unmatched, tuple(case.case_id for case in cases if local and case.case_id not in named)


def _applies(cells: dict[str, str], case: Case) -> bool:
    truth = {"session": case.scan.session, "level": str(case.level), "label": str(case.label)}
    return all(cells.get(name, "") in ("", value) for name, value in truth.items())
