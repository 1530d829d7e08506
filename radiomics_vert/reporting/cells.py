"""From result tables to printable tables, and to CSV files that no spreadsheet will execute."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import pandas as pd

from radiomics_vert.reporting.inputs import column, truth
from radiomics_vert.reporting.nouns import Table, Text
from radiomics_vert.reporting.wording import (
    ABSENT,
    cell,
    interval,
    is_absent,
    plain,
    sentence_case,
    without_paths,
)

_FORMULA = ("=", "+", "-", "@", "\t", "\r")


def printable(
    frame: pd.DataFrame,
    columns: Mapping[str, str] | None = None,
    formats: Mapping[str, Callable[[Any], str]] | None = None,
    most: int | None = None,
) -> pd.DataFrame:
    """Return the cells of a table as text.

    Parameters
    ----------
    frame : DataFrame
        Any result table.
    columns : mapping, optional
        Columns to show and their heads; default all, heads made readable. Absent columns are skipped.
    formats : mapping, optional
        Formatter per column; default :func:`~radiomics_vert.reporting.wording.cell`.
    most : int, optional
        Show the first rows only.
    """
    heads = columns or {str(name): sentence_case(str(name)) for name in frame.columns}
    shown = frame if most is None else frame.head(most)
    formats = formats or {}
    cells = {
        head: [formats.get(name, cell)(value) for value in shown[name]]
        for name, head in heads.items()
        if name in frame
    }
    return pd.DataFrame(cells, columns=list(cells), dtype=object)


def listing_table(
    frame: pd.DataFrame, key: str, caption: str, columns: Mapping[str, str] | None = None, most: int = 60
) -> Table:
    """Return a table of rows that are shown as they are, cut at `most` with a pointer to the CSV."""
    note = f"The first {most} of {len(frame)} rows are shown; the file has all." if len(frame) > most else ""
    return Table(key, caption, printable(frame, columns, most=most), data=frame, note=note)


def facts(key: str, caption: str, pairs: Mapping[str, Any], note: str = "") -> Table:
    """Return a short list of names and values."""
    shown = pd.DataFrame(
        {"Item": list(map(str, pairs)), "Value": [plain(value) for value in pairs.values()]}, dtype=object
    )
    return Table(key, caption, shown, note=note, facts=True)


def missing(what: str, why: str) -> Text:
    """Say what the run did not give, and why a reader should care."""
    return Text((f"Not in this run: {what}. {why}",), "missing")


def for_spreadsheets(frame: pd.DataFrame) -> pd.DataFrame:
    """Return a copy in which no text cell starts a formula and no cell holds an absolute path.

    A cell of user text that begins with `=`, `+`, `-`, `@`, tab or carriage return gets a leading
    apostrophe, which spreadsheets show as text. Numbers stay numbers, negative ones too.

    Examples
    --------
    >>> for_spreadsheets(pd.DataFrame({"a": ["=1+1", "-0.5", "ok"]}))["a"].tolist()
    ["'=1+1", '-0.5', 'ok']
    """
    safe = frame.copy()
    for position in range(frame.shape[1]):
        cells = frame.iloc[:, position]
        if not pd.api.types.is_numeric_dtype(cells):
            safe.isetitem(position, [_safe(value) for value in cells])
    safe.columns = pd.Index([_safe(name) for name in frame.columns])
    return safe


def _safe(value: Any) -> Any:
    if isinstance(value, dict | list | tuple):
        value = plain(value)
    if not isinstance(value, str):
        return value
    text = without_paths(value)
    return f"'{text}" if text.startswith(_FORMULA) and not _is_number(text) else text


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return "_" not in text  # Python reads 1_000, a spreadsheet does not


def distinct(frame: pd.DataFrame, name: str) -> list[str]:
    """Return the distinct values of a column as text, in order of appearance."""
    return list(dict.fromkeys(str(value) for value in column(frame, name) if not is_absent(value)))


def with_interval(
    frame: pd.DataFrame,
    names: tuple[str, str, str] = ("estimate", "ci_low", "ci_high"),
    absent: str = ABSENT,
    decimals: int = 2,
) -> list[str]:
    """Return estimate and limits of each row as one cell, `absent` where there is no estimate."""
    values = [column(frame, name) for name in names]
    return [
        absent if is_absent(estimate) else interval(estimate, low, high, decimals)
        for estimate, low, high in zip(*values, strict=True)
    ]


def flagged_first(frame: pd.DataFrame, name: str = "flagged") -> pd.DataFrame:
    """Return the rows with those that are flagged before the others, each part in its order."""
    return frame.assign(_f=~truth(frame, name)).sort_values("_f", kind="stable").drop(columns="_f")


def cells_of(frame: pd.DataFrame, name: str, form: Callable[[Any], str] = cell) -> list[str]:
    """Return a column as printed; absent values, and absent columns, as dashes."""
    return [form(value) for value in column(frame, name)]


def without_empty(shown: pd.DataFrame) -> pd.DataFrame:
    """Leave out printed columns without a single entry (a note that no row needs)."""
    return shown.loc[:, [not shown[head].isin(["", ABSENT]).all() for head in shown.columns]]
