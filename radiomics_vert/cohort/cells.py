"""What manifest and clinical table have in common: cells as text, missing columns, usable identifiers."""

from __future__ import annotations

import difflib
import re
from collections.abc import Collection, Iterator
from pathlib import Path
from sys import intern

import pandas as pd

from radiomics_vert.errors import Problem

# Letters that every file system accepts; no "__", which separates the sequence in feature names.
_IDENTIFIER = re.compile(r"^[A-Za-z0-9](?:[A-Za-z0-9.+-]|_(?!_))*(?<![._])$")


def rows_of(frame: pd.DataFrame) -> Iterator[tuple[int, dict[str, str]]]:
    """Yield line number and cells of each row; a missing cell is empty text, equal ones are one object."""
    names = [str(column) for column in frame.columns]
    for line, *cells in frame.itertuples(name=None):
        texts = ("" if pd.isna(cell) else intern(str(cell).strip()) for cell in cells)
        yield int(line), dict(zip(names, texts, strict=True))


def missing_columns(frame: pd.DataFrame, required: Collection[str], path: Path) -> list[Problem]:
    """Return one problem for each required column that the table lacks."""
    columns = [str(column) for column in frame.columns]
    problems = []
    for name in required:
        if name in columns:
            continue
        plain = {column.lower().replace(" ", "_"): column for column in columns}
        near = difflib.get_close_matches(name, list(plain), n=1, cutoff=0.6)
        remedy = f"rename {plain[near[0]]!r} to {name!r}" if near else f"add the column {name!r}"
        problems.append(
            Problem(
                "RV103", f"a column {name!r}", f"the columns {', '.join(columns)}", f"{path}, header", remedy
            )
        )
    return problems


def missing_value(column: str, where: str) -> Problem:
    """Return the problem of an empty cell that must not be empty."""
    return Problem("RV105", f"a value in the column {column!r}", "an empty cell", where, "fill in the cell")


def identifier_problem(column: str, value: str, where: str) -> Problem | None:
    """Return why a value cannot be part of a case id, None when it can."""
    if _IDENTIFIER.match(value):
        return None
    suggestion = re.sub(r"_{2,}", "_", re.sub(r"[^A-Za-z0-9.+-]", "_", value)).strip("_.+-") or "P001"
    return Problem(
        "RV116",
        f"{column} of letters A-Z, a-z, digits and single . + - _, with a letter or digit first",
        repr(value),
        where,
        f"write it as {suggestion!r}, in all tables alike",
    )


def duplicated_row(key: str, line: int, first: int, path: Path, remedy: str) -> Problem:
    """Return the problem of a row that repeats an earlier one."""
    return Problem(
        "RV104", "every row once", f"{key} again, first in line {first}", f"{path}, line {line}", remedy
    )
