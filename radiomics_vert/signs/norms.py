"""Numbers from outside the image that some signs need: calibration of HU, norms of age and sex.

Neither is built in: both depend on scanner and population, and a wrong one is worse than none.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TypeAlias

import pandas as pd

from radiomics_vert.errors import Problem, TableError, raise_all
from radiomics_vert.signs.bone import HuNorm, norm_of
from radiomics_vert.storage import read_table

Tables: TypeAlias = Mapping[str, Mapping[str, float]]
"""Of one patient: `calibration` (slope, intercept) and `norm` (hu), where they are known."""

_COLUMNS = HuNorm._fields


def read_norm(path: Path) -> tuple[HuNorm, ...]:
    """Read a norm table.

    Parameters
    ----------
    path : Path
        Table with `sex` (F or M), `age_from`, `age_to` (years; the second is not included) and `hu`, the mean
        trabecular HU of healthy people.

    Raises
    ------
    TableError
        RV101, RV102: no such file, unreadable. RV103: a column is missing. RV602: a cell is not usable.
    """
    frame = read_table(path)
    missing = [name for name in _COLUMNS if name not in frame]
    if missing:
        expected, found = ", ".join(_COLUMNS), ", ".join(map(str, frame.columns))
        raise TableError(Problem("RV103", expected, found, path.name, "name the columns of the norm so"))
    numbers = frame[list(_COLUMNS[1:])].apply(pd.to_numeric, errors="coerce")
    bad = numbers.isna().any(axis=1) | ~frame["sex"].isin(["F", "M"]) | (numbers["hu"] <= 0)
    bad |= numbers["age_from"] >= numbers["age_to"]
    remedy = "correct the row"
    raise_all(
        TableError,
        [
            Problem("RV602", "F or M, age_from below age_to, HU above 0", str(row), path.name, remedy)
            for row in frame.loc[bad, list(_COLUMNS)].to_dict("records")
        ],
    )
    return tuple(
        HuNorm(str(sex), float(row.age_from), float(row.age_to), float(row.hu))
        for sex, row in zip(frame["sex"], numbers.itertuples(index=False), strict=True)
    )


def patient_tables(
    clinical: pd.DataFrame,
    *,
    calibration: Mapping[str, float] | None = None,
    norm: tuple[HuNorm, ...] = (),
) -> dict[str, Tables]:
    """Return, by subject id, what the signs of bone density need.

    Parameters
    ----------
    clinical : DataFrame
        With `subject_id`, and `age` and `sex` for a norm; several rows of one patient must agree.
    calibration : mapping, optional
        `slope` and `intercept` from HU to mg/cm3, the same for all patients.
    norm : tuple of HuNorm
        Of :func:`read_norm`.

    Returns
    -------
    dict of str to Tables
        A patient whose age or sex is missing, contradictory or outside the norm has no `norm`, so the sign
        is absent with its reason.

    Examples
    --------
    >>> clinical = pd.DataFrame({"subject_id": ["A"], "age": [66], "sex": ["F"]})
    >>> patient_tables(clinical, norm=(HuNorm("F", 60, 70, 140.0),))
    {'A': {'norm': {'hu': 140.0}}}
    """
    found: dict[str, Tables] = {}
    for subject, rows in clinical.groupby("subject_id", sort=True):
        tables: dict[str, Mapping[str, float]] = {}
        if calibration is not None:
            tables["calibration"] = dict(calibration)
        own = rows[["age", "sex"]].drop_duplicates() if {"age", "sex"} <= set(rows) else rows.iloc[:0]
        if norm and len(own) == 1 and own.notna().all(axis=None):
            mean = norm_of(norm, float(own["age"].iloc[0]), str(own["sex"].iloc[0]))
            tables |= {"norm": mean} if mean else {}
        found[str(subject)] = tables
    return found
