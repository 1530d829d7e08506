"""Odds ratios with and without adjustment for covariates."""

from __future__ import annotations

from typing import Any

import pandas as pd
from matplotlib.figure import Figure as Canvas

from radiomics_vert.reporting.figures.rows import Row, estimate_of, frame_rows, ratio_axis, whisker
from radiomics_vert.reporting.inputs import Inputs, numeric
from radiomics_vert.reporting.nouns import Figure
from radiomics_vert.reporting.style import MUTED, beside, draw
from radiomics_vert.reporting.wording import count, interval, readable

MOST = 20


def odds_ratios(adjusted: pd.DataFrame, unadjusted: pd.DataFrame, inputs: Inputs) -> Figure:
    """Draw the adjusted odds ratio of each feature, and above it the unadjusted one where it is known.

    Parameters
    ----------
    adjusted, unadjusted : DataFrame
        `feature, estimate, ci_low, ci_high`, one row per feature; the second may be empty.
    inputs : Inputs
        Names of the classes.
    """
    rows = [_row(row) for _, row in adjusted.head(MOST).iterrows()]
    plain = {str(row["feature"]): _row(row) for _, row in unadjusted.iterrows()}
    before = [plain.get(str(name)) for name in adjusted["feature"].head(MOST)]
    drawn = [row for row in (*rows, *before) if row is not None]

    def paint(canvas: Canvas) -> None:
        axes = canvas.add_subplot()
        ratio_axis(axes, drawn)
        axes.axvline(1.0, color=MUTED, lw=0.9, ls=(0, (4, 3)))
        for y, (row, other) in enumerate(zip(rows, before, strict=True)):
            if other is not None:
                whisker(axes, y - 0.2, other, colour=MUTED, marker="o", fill=False)
            whisker(axes, y + (0.0 if other is None else 0.16), row)
            beside(axes, y, interval(row.estimate, row.low, row.high))
        beside(axes, -0.95, f"Adjusted ({inputs.level} CI)", bold=True)
        frame_rows(axes, [row.label for row in rows])
        axes.set_xlabel(f"Odds ratio of {inputs.positive} per standard deviation (logarithmic)")

    known = sum(row is not None for row in before)
    pairs = (
        " Squares: adjusted; circles above them: without any covariate." if known else " Squares: adjusted."
    )
    defined = int(numeric(adjusted, "estimate").notna().sum())
    return draw(
        paint,
        key="adjusted",
        size=(8.2, 1.1 + 0.29 * len(rows)),
        caption=(
            f"Odds ratios after adjustment for covariates. With {inputs.level} intervals, clustered by "
            f"patient.{pairs} Dashed: no association; arrows: the interval goes on."
        ),
        judge=(
            "A feature that keeps its odds ratio carries something that the covariates do not explain. One "
            "that moves to the dashed line separated the classes because of them. An interval that widens "
            "without moving means that feature and covariates can hardly be told apart in this many patients."
        ),
        alt=(
            f"Forest plot of the adjusted odds ratios of {count(len(rows), 'feature')}, {defined} of them "
            f"estimable; {known} with the unadjusted odds ratio beside it. The numbers are in the table."
        ),
        synthetic=inputs.synthetic,
    )


def _row(row: pd.Series[Any]) -> Row:
    return Row(readable(str(row["feature"])), *estimate_of(row))
