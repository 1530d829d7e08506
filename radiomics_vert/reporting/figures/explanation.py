"""What a model looks at: grouped permutation importance beside the frequency of selection."""

from __future__ import annotations

import pandas as pd
from matplotlib.figure import Figure as Canvas

from radiomics_vert.reporting.figures.rows import Row, frame_rows, whisker
from radiomics_vert.reporting.inputs import Inputs, numeric
from radiomics_vert.reporting.nouns import Figure
from radiomics_vert.reporting.style import INK, MUTED, NEUTRAL, draw
from radiomics_vert.reporting.wording import count, fixed, readable

_BARS = 15


def importance(table: pd.DataFrame, label: str, inputs: Inputs) -> Figure:
    """Draw the loss of AUC when a feature is shuffled, and how often the folds chose it.

    Parameters
    ----------
    table : DataFrame
        `feature, importance, ci_low, ci_high, frequency`, most important first.
    label : str
        Name of the model.
    inputs : Inputs
        Confidence level.
    """
    top = table.head(_BARS).reset_index(drop=True)
    names = [str(name) for name in top["feature"]]
    values = [numeric(top, name) for name in ("importance", "ci_low", "ci_high")]
    rows = [Row(readable(name), *numbers) for name, *numbers in zip(names, *values, strict=True)]
    frequency = numeric(top, "frequency")

    def paint(canvas: Canvas) -> None:
        left, right = canvas.subplots(1, 2, sharey=True, width_ratios=[2.2, 1])
        ends = [value for row in rows for value in (row.estimate, row.low, row.high) if value == value]
        left.set_xlim(min([-0.02, *ends]) - 0.01, max([0.05, *ends]) + 0.01)
        left.axvline(0, color=MUTED, lw=0.9, ls=(0, (4, 3)))
        right.barh(range(len(rows)), frequency, height=0.55, color=NEUTRAL)
        right.set(xlim=(0, 1.02), xlabel="Share of folds that use it")
        for y, row in enumerate(rows):
            whisker(left, y, row, colour=INK)
        left.set_xlabel(f"Loss of AUC when shuffled ({inputs.level} CI)")
        frame_rows(right, [""] * len(rows))
        frame_rows(left, [row.label for row in rows])

    best = rows[0]
    return draw(
        paint,
        key="importance",
        size=(8.2, 0.95 + 0.26 * max(2, len(rows))),
        caption=(
            f"What the model looks at, {label}. Left: loss of AUC on unseen patients when a feature is "
            "shuffled "
            "together with those that correlate with it; right: share of folds whose model uses it."
        ),
        judge=(
            "Trust features that matter and that nearly every fold uses. One that matters in few folds "
            "stands for a group whose members replace each other; an interval across zero is no importance "
            "at all. None of this says that the feature causes or is caused by the disease."
        ),
        alt=(
            f"Importance of the first {len(rows)} of {count(len(table), 'feature')}; the largest is "
            f"{best.label} "
            f"with a loss of AUC of {fixed(best.estimate, 3)}, used in {100 * frequency[0]:.0f} % of folds."
        ),
        synthetic=inputs.synthetic,
    )
