"""The outcome column as 0 and 1, with every value that does not fit accounted for."""

from __future__ import annotations

import pandas as pd

from radiomics_vert.dataset.audit import Audit
from radiomics_vert.errors import DatasetError, Problem


def binary_outcome(
    column: pd.Series, positive: str, negative: str | None, info: pd.DataFrame, audit: Audit
) -> tuple[pd.Series[int], str]:
    """Return the outcome of the usable units and the name of the negative class.

    Parameters
    ----------
    column : Series
        Outcome of every unit; missing where unknown.
    positive, negative : str
        Names of the classes; `negative=None` takes the only other value.
    info : DataFrame
        `subject_id` and `level` of every unit, for the audit.
    audit : Audit
        Receives the units that are left out.

    Returns
    -------
    y : Series of int
        1 for the positive class, 0 for the negative.
    negative : str
        Name of the negative class.

    Raises
    ------
    DatasetError
        RV401 the positive class does not occur or there are several other classes, RV402 one class.
    """
    text = column.map(_canonical, na_action="ignore")
    wanted = _canonical(positive)
    counts = text.value_counts()
    others = sorted(set(counts.index) - {wanted})
    if wanted not in counts.index:
        raise DatasetError(_absent("positive", positive, counts, str(column.name)))
    if negative is None and len(others) > 1:
        raise DatasetError(_several(others, str(column.name)))
    if not others:
        raise DatasetError(_one_class(positive, counts, str(column.name)))
    chosen = others[0] if negative is None else _canonical(negative)
    if chosen not in counts.index:
        raise DatasetError(_absent("negative", str(negative), counts, str(column.name)))
    audit.units(text.index[text.isna()], info, "RV110", f"no value of {column.name} in the clinical table")
    other = text.notna() & ~text.isin([wanted, chosen])
    for value in sorted(set(text[other])):
        audit.units(text.index[text == value], info, "RV403", f"{column.name} is {value!r}")
    usable = text[text.isin([wanted, chosen])]
    return (usable == wanted).astype(int), chosen if negative is None else negative


def _canonical(value: object) -> str:
    """Spell 1, 1.0, "1" and True alike, so that a class is found whatever its type in the file."""
    text = str(value).strip()
    if text in ("True", "False"):
        return str(int(text == "True"))
    try:
        number = float(text)
    except ValueError:
        return text
    return str(int(number)) if number.is_integer() else str(number)


def _listing(counts: pd.Series[int]) -> str:
    return ", ".join(f"{value!r} ({number})" for value, number in sorted(counts.items())) or "no value at all"


def _absent(role: str, name: str, counts: pd.Series[int], column: str) -> Problem:
    return Problem(
        "RV401",
        f"the {role} class {name!r}",
        f"the values {_listing(counts)}" if len(counts) else "no value at all",
        f"outcome column {column!r}, over the vertebrae that were measured",
        f"set `{role}` to one of the values, spelled as in the table",
    )


def _several(others: list[str], column: str) -> Problem:
    return Problem(
        "RV401",
        "two classes, or the negative class named",
        f"{len(others)} classes beside the positive one: {', '.join(map(repr, others))}",
        f"outcome column {column!r}",
        "name the negative class (negative: ...); rows of further classes are then left out and listed",
    )


def _one_class(positive: str, counts: pd.Series[int], column: str) -> Problem:
    return Problem(
        "RV402",
        "two classes",
        f"only {positive!r} ({int(counts.iloc[0])} vertebrae)",
        f"outcome column {column!r}, over the vertebrae that were measured",
        "add vertebrae of the other class; a single class cannot be compared",
    )
