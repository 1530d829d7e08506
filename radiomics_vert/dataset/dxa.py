"""T-scores of bone density, from DXA columns of the clinical table.

A T-score compares an areal density with that of young adults measured by the same technique. It is never made
from an image here: HU and mg/cm3 have norms of their own, and MRI has no density at all.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import pandas as pd

from radiomics_vert.errors import DatasetError, Problem, raise_all
from radiomics_vert.phrases import did_you_mean
from radiomics_vert.signs.baselines import t_score, t_score_class, z_score_reason

T_SCORE_COLUMNS = ("t_score", "t_score_class")
"""What is made: the number, and its class. Both may be named as covariates."""
ABSENT = "t_score_absent"
"""Column of a dataset's `info` that says why a vertebra's patient has no T-score."""
T_RANGE = (-10.0, 10.0)
"""A T-score beyond is a slip [O]."""
DXA_RANGE = (0.1, 2.5)
"""Densities of DXA, g/cm2; beyond is another unit [O]."""
_TRUTH = {
    **dict.fromkeys(("1", "1.0", "yes", "y", "true"), True),
    **dict.fromkeys(("0", "0.0", "no", "n", "false"), False),
}
_SEXES = {"f": "F", "female": "F", "m": "M", "male": "M"}
_OTHER_UNIT = (
    "name the column of a measurement by DXA and correct slips; HU and mg/cm3 of CT give no T-score, and MRI "
    "gives no density at all"
)
_SHOWN = 3  # cells that a message quotes
_ROLES = ("t_score", "bmd", "age", "sex", "postmenopausal", "fragility")


@dataclass(frozen=True)
class DxaColumns:
    """Which clinical columns hold a measurement by DXA, and what its T-score needs.

    Parameters
    ----------
    t_score : str, optional
        Column with the T-score as reported.
    bmd : str, optional
        Column with the density in g/cm2 instead; needs `young_mean` and `young_sd`.
    young_mean, young_sd : float, optional
        Of the young adults of the reference, g/cm2.
    age, sex : str
        Columns with years, and with F or M.
    postmenopausal : str, optional
        Column with yes or no.
    postmenopausal_from : float, optional
        Age in years from which a woman of unknown status counts as post-menopausal.
    fragility : str, optional
        Column that says yes where the patient has a fragility fracture: makes osteoporosis severe.

    Raises
    ------
    ValueError
        Neither or both measurements are named, or a density has no reference.
    """

    t_score: str | None = None
    bmd: str | None = None
    young_mean: float | None = None
    young_sd: float | None = None
    age: str = "age"
    sex: str = "sex"
    postmenopausal: str | None = None
    postmenopausal_from: float | None = None
    fragility: str | None = None

    def __post_init__(self) -> None:
        if (self.t_score is None) == (self.bmd is None):
            raise ValueError("name the column of the T-score or that of the density (bmd), one of both")
        if self.bmd is not None and (self.young_mean is None or self.young_sd is None):
            raise ValueError("a density needs young_mean and young_sd of its reference")
        if self.young_sd is not None and self.young_sd <= 0:
            raise ValueError("young_sd must be positive")

    @property
    def columns(self) -> dict[str, str]:
        """Columns of the clinical table by what they are, those that are named."""
        named = {role: getattr(self, role) for role in _ROLES}
        return {role: name for role, name in named.items() if name is not None}


def t_scores(rows: pd.DataFrame, dxa: DxaColumns) -> pd.DataFrame:
    """Return the T-score of each row, its class, and why there is none.

    Parameters
    ----------
    rows : DataFrame
        Clinical columns, one row per vertebra or patient.
    dxa : DxaColumns
        Which of them to read.

    Returns
    -------
    DataFrame
        `t_score` and `t_score_class`, both missing where there is none, and `t_score_absent`, the reason,
        else empty; same index.

    Raises
    ------
    DatasetError
        RV103 a column is missing, RV409 a column of the table has the name of one that is made, RV416 a
        value that is none of DXA, or is unreadable; all at once.

    Examples
    --------
    >>> rows = pd.DataFrame({"dxa": ["-2.5", "-1.0"], "age": ["71", "44"], "sex": ["M", "M"]})
    >>> t_scores(rows, DxaColumns(t_score="dxa")).loc[1, "t_score_absent"]
    'a man below 50: use the Z-score'
    """
    _require_columns(rows, dxa)
    reader = _Reader(dxa)
    found = [reader.read(str(unit), row) for unit, row in rows.iterrows()]
    reader.refuse()
    made = pd.DataFrame(found, rows.index, [*T_SCORE_COLUMNS, ABSENT])
    return made.astype({"t_score": float, "t_score_class": object, ABSENT: object})


def _require_columns(rows: pd.DataFrame, dxa: DxaColumns) -> None:
    known = list(map(str, rows.columns))
    problems = [
        Problem(
            "RV103",
            f"the column {name!r}, named as dxa.{role}",
            f"the columns {', '.join(known)}",
            "clinical table",
            did_you_mean(name, known) or f"correct dxa.{role}, or add the column",
        )
        for role, name in dxa.columns.items()
        if name not in known
    ]
    taken = [name for name in T_SCORE_COLUMNS if name in known and name != dxa.t_score]
    problems += [
        Problem(
            "RV409",
            f"no other column {name!r}: it is made from dxa",
            "the clinical table has one",
            "clinical table",
            "name it as dxa.t_score if it is the reported T-score, otherwise rename it",
        )
        for name in taken
    ]
    raise_all(DatasetError, problems)


class _Reader:
    """Reads rows, and collects the cells that cannot be used."""

    def __init__(self, dxa: DxaColumns) -> None:
        self._dxa = dxa
        self._unit = ""
        self._cells: dict[str, str] = {}
        self._unusable: dict[tuple[str, str, str], list[str]] = {}

    def read(self, unit: str, row: pd.Series[str]) -> tuple[float, str | None, str]:
        """Return T-score, class, and the reason where there is none."""
        self._unit = unit
        self._cells = {role: _text(row[name]) for role, name in self._dxa.columns.items()}
        value, fragility = self._measured(), self._truth("fragility")
        sex, age = _SEXES.get(self._cells["sex"].lower(), ""), self._number("age")
        status = self._status(age)
        if value is None:
            return math.nan, None, "no measurement by DXA"
        reason = z_score_reason(sex=sex, age=age, postmenopausal=status)
        if reason:
            return math.nan, None, reason
        severe, years = bool(fragility), math.nan if age is None else age
        named = t_score_class(value, sex=sex, age=years, postmenopausal=bool(status), fragility=severe)
        return value, named, ""

    def refuse(self) -> None:
        """Raise everything that was not usable, one problem for each column and kind."""
        raise_all(
            DatasetError,
            [
                Problem("RV416", expected, _few(found), f"clinical table, column {column}", remedy)
                for (expected, column, remedy), found in self._unusable.items()
            ],
        )

    def _measured(self) -> float | None:
        """Return the T-score as reported, or that of the density."""
        dxa = self._dxa
        role, what, (low, high) = (
            ("t_score", "a T-score", T_RANGE)
            if dxa.bmd is None
            else ("bmd", "a density in g/cm2 of DXA", DXA_RANGE)
        )
        value = self._number(role)
        if value is None:
            return None
        if not low <= value <= high:
            self._note(f"{what}, {low:g} to {high:g}", role, _OTHER_UNIT)
            return None
        if dxa.young_mean is None or dxa.young_sd is None:
            return value
        # A rounding error of the division must not move a score across the boundary of its class.
        return round(t_score(value, dxa.young_mean, dxa.young_sd), 9)

    def _status(self, age: float | None) -> bool | None:
        known, limit = self._truth("postmenopausal"), self._dxa.postmenopausal_from
        if known is None and limit is not None and age is not None and age >= limit:
            return True
        return known

    def _number(self, role: str) -> float | None:
        text = self._cells[role]
        if not text:
            return None
        value = float(pd.to_numeric(text, errors="coerce"))
        if not math.isfinite(value):
            self._note("a number", role, "write a decimal point and no unit")
            return None
        return value

    def _truth(self, role: str) -> bool | None:
        text = self._cells.get(role, "").lower()
        if text and text not in _TRUTH:
            self._note("yes or no", role, "write yes, no, 1 or 0")
        return _TRUTH.get(text)

    def _note(self, expected: str, role: str, remedy: str) -> None:
        found = f"{self._cells[role]!r} ({self._unit})"
        self._unusable.setdefault((expected, self._dxa.columns[role], remedy), []).append(found)


def _few(found: list[str]) -> str:
    more = f" and {len(found) - _SHOWN} more" if len(found) > _SHOWN else ""
    return ", ".join(found[:_SHOWN]) + more


def _text(cell: object) -> str:
    return "" if cell is None or cell != cell else str(cell).strip()
