"""Table 1: who the patients and vertebrae are, by class."""

from __future__ import annotations

import pandas as pd

from radiomics_vert.reporting.cells import missing, printable
from radiomics_vert.reporting.inputs import Inputs, numeric
from radiomics_vert.reporting.nouns import Section, Table, Text
from radiomics_vert.reporting.wording import count, fixed, is_absent, listing, sentence_case

_SMD = (
    "Standardised difference: the difference of the classes in units of their standard deviation; "
    "beyond ±0.2 the classes differ noticeably and the variable may confound what follows."
)
_T_SCORE = (
    "T-score: measured by DXA, not from these images. Normal from -1.0 on, osteoporosis from -2.5 down, "
    "osteopenia between; for post-menopausal women and men from 50 on, others count as missing."
)
_WHY = (
    "Without it a reader cannot see whether the classes differ in age, sex or level, which alone "
    "could explain a difference."
)


def section(inputs: Inputs) -> Section:
    """Return the section."""
    frame = inputs.table("table_one")
    title = "Table 1: characteristics by class"
    if frame.empty:
        return Section("table-one", title, (missing("the table of characteristics", _WHY),))
    heads = {
        "variable": "Variable",
        "category": "Category",
        "overall": "Overall",
        "negative": inputs.negative,
        "positive": inputs.positive,
        "standardized_difference": "Std. difference",
        "missing": "Missing",
        "statistic": "Statistic",
        "unit": "Unit",
    }
    shown = printable(
        frame,
        heads,
        {"standardized_difference": fixed, "variable": sentence_case, "category": _category, "unit": str},
    )
    table = Table("table-one", "Characteristics by class.", shown, data=frame, note=_balance(frame))
    terms = (_SMD, *_t_scores(inputs, frame))
    return Section("table-one", title, (table, Text(terms, "terms")))


def _t_scores(inputs: Inputs, frame: pd.DataFrame) -> tuple[str, ...]:
    if not frame["variable"].astype(str).str.startswith("t_score").any():
        return ()
    reference = inputs.spec("study").get("dxa_reference")
    compared = f" Reference: {reference}." if reference else ""
    return (f"{_T_SCORE}{compared}",)


def _category(value: object) -> str:
    return "" if is_absent(value) else sentence_case(str(value))


def _balance(table: pd.DataFrame) -> str:
    large = table[numeric(table, "standardized_difference").abs() > 0.2]
    names = list(dict.fromkeys(map(sentence_case, large["variable"].astype(str)))) if len(large) else []
    if not names:
        return "No variable differs by more than 0.2 standard deviations."
    return (
        f"{count(len(names), 'variable differs', 'variables differ')} by more than 0.2 standard "
        f"deviations: {listing(names)}."
    )
