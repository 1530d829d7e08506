"""Discrimination within subgroups, as a forest plot."""

from __future__ import annotations

from typing import Any

import pandas as pd
from matplotlib.figure import Figure as Canvas

from radiomics_vert.reporting.figures.rows import Column, Row, estimate_of, paint_rows, reach
from radiomics_vert.reporting.inputs import Inputs, numeric
from radiomics_vert.reporting.nouns import Figure
from radiomics_vert.reporting.style import draw
from radiomics_vert.reporting.wording import count, number, sentence_case


def subgroup_forest(table: pd.DataFrame, overall: Row, label: str, inputs: Inputs) -> Figure:
    """Draw the AUC in each subgroup; rows without a claim stay empty.

    Parameters
    ----------
    table : DataFrame
        `variable, subgroup, n, n_positive, n_subjects, estimate, ci_low, ci_high` of one model.
    overall : Row
        All units together.
    label : str
        Name of the model.
    inputs : Inputs
        Names, confidence level.
    """
    rows = [overall, *_grouped(table)]

    def paint(canvas: Canvas) -> None:
        axes = canvas.add_subplot()
        low, high = reach(rows, 0.5, 0.3, 0.52)
        axes.set_xlim(max(low, -0.02), min(high, 1.02))
        columns = (
            Column(f"n ({inputs.positive})", 6),
            Column("patients", 88),
            Column(f"AUC ({inputs.level} CI)", 140),
        )
        paint_rows(axes, rows, columns, 0.5)
        axes.set_xlabel("AUC on patients not seen in training; dashed: guessing")

    silent = int(numeric(table, "estimate").isna().sum())
    told = "; ".join(
        f"{row['variable']} {row['subgroup']}: {_auc(row)}" for _, row in table.head(12).iterrows()
    )
    return draw(
        paint,
        key="subgroups",
        size=(8.2, 1.1 + 0.25 * len(rows)),
        caption=(
            f"AUC within subgroups, {label}. The predictions of the validation, scored within each subgroup; "
            f"intervals clustered by patient. No claim is made for {count(silent, 'subgroup')} with too few "
            "cases."
        ),
        judge=(
            "Look whether any interval excludes what the model reaches overall. Wide intervals that "
            "overlap say "
            "neither that the model works alike everywhere nor that it does not. Subgroups without a "
            "number are "
            "a gap in the evidence, not a good sign."
        ),
        alt=f"Forest plot of {count(len(table), 'subgroup')}. {told}.",
        synthetic=inputs.synthetic,
    )


def _grouped(table: pd.DataFrame) -> list[Row]:
    rows: list[Row] = []
    for variable, members in table.groupby(table["variable"].astype(str), sort=False):
        rows.append(Row(sentence_case(str(variable)), heading=True))
        rows += [_row(row) for _, row in members.iterrows()]
    return rows


def _row(row: pd.Series[Any]) -> Row:
    cells = (f"{number(row['n'])} ({number(row['n_positive'])})", number(row["n_subjects"]), _auc(row))
    return Row(str(row["subgroup"]), *estimate_of(row), cells)


def _auc(row: pd.Series[Any]) -> str:
    found = estimate_of(row)
    return str(found) if found.estimate == found.estimate else "no claim"
