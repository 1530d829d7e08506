"""Paired differences of AUC between models."""

from __future__ import annotations

from typing import Any

import pandas as pd
from matplotlib.figure import Figure as Canvas

from radiomics_vert.reporting.figures.rows import Column, Row, estimate_of, paint_rows, reach
from radiomics_vert.reporting.inputs import Inputs
from radiomics_vert.reporting.nouns import Figure
from radiomics_vert.reporting.style import draw
from radiomics_vert.reporting.wording import count, p_value

_MOST = 15


def differences(table: pd.DataFrame, names: dict[str, str], inputs: Inputs) -> Figure:
    """Draw the difference of AUC of each pair.

    Parameters
    ----------
    table : DataFrame
        `a, b, estimate, ci_low, ci_high, p_value`.
    names : dict of str to str
        Names of the models for a reader.
    inputs : Inputs
        Confidence level.
    """
    rows = [_row(row, names) for _, row in table.head(_MOST).iterrows()]

    def paint(canvas: Canvas) -> None:
        axes = canvas.add_subplot()
        axes.set_xlim(*reach(rows, 0.0, 0.08, 1.02))
        columns = (Column(f"Difference ({inputs.level} CI)", 6), Column("p", 128))
        paint_rows(axes, rows, columns, 0.0)
        axes.set_xlabel("← second is better  |  difference of AUC  |  first is better →")

    clear = sum(row.low > 0 or row.high < 0 for row in rows)
    return draw(
        paint,
        key="differences",
        size=(8.2, 1.1 + 0.28 * len(rows)),
        caption=(
            "Differences of AUC on the same patients. First minus second, with intervals that respect the "
            "pairing and the clustering by patient; p values are not adjusted for the number of pairs."
        ),
        judge=(
            "An interval across zero means: no difference was shown. It does not mean that the two are "
            "equal; "
            "look how large a difference the interval still allows. What counts is whether texture adds "
            "something to what is known without it."
        ),
        alt=(
            f"Forest plot of {count(len(rows), 'difference')} of AUC; {clear} with an interval that excludes "
            "zero. " + "; ".join(f"{row.label}: {row.texts[0]}" for row in rows[:6]) + "."
        ),
        synthetic=inputs.synthetic,
    )


def _row(row: pd.Series[Any], names: dict[str, str]) -> Row:
    found = estimate_of(row)
    first, second = (names.get(str(row[side]), str(row[side])) for side in ("a", "b"))
    return Row(f"{first} − {second}", *found, (str(found), p_value(row.get("p_value"))))
