"""What resampling says about a model: instability, permutation distribution, leakage probe."""

from __future__ import annotations

from typing import Any

import pandas as pd
from matplotlib.figure import Figure as Canvas

from radiomics_vert.reporting.figures.rows import Column, Row, estimate_of, paint_rows, reach
from radiomics_vert.reporting.inputs import Inputs, numeric
from radiomics_vert.reporting.nouns import Figure
from radiomics_vert.reporting.style import (
    INK,
    MUTED,
    NEGATIVE,
    NEGATIVE_MARKER,
    NEUTRAL,
    POSITIVE,
    POSITIVE_MARKER,
    draw,
)
from radiomics_vert.reporting.wording import count, fixed, number, p_value, sentence_case

STATISTICS = {"auc": "AUC as validated", "auc_within_folds": "AUC within folds"}


def instability(units: pd.DataFrame, mape: float, inputs: Inputs) -> Figure:
    """Draw the prediction of each unit against what refitted models predict for it.

    Parameters
    ----------
    units : DataFrame
        `y, original, low, median, high`.
    mape : float
        Mean absolute distance between the predictions.
    inputs : Inputs
        Names.
    """
    names, unit = inputs.names, inputs.unit
    x, y = numeric(units, "original"), numeric(units, "y")
    low, middle, high = (numeric(units, name) for name in ("low", "median", "high"))

    def paint(canvas: Canvas) -> None:
        axes = canvas.add_subplot()
        axes.grid()
        axes.plot([0, 1], [0, 1], color=MUTED, lw=0.9, ls=(0, (4, 3)))
        for label, colour, marker in ((0, NEGATIVE, NEGATIVE_MARKER), (1, POSITIVE, POSITIVE_MARKER)):
            own = y.round() == label
            axes.vlines(x[own], low[own], high[own], color=colour, lw=0.8, alpha=0.45)
            axes.plot(
                x[own], middle[own], ls="none", marker=marker, ms=4, mew=0, color=colour, label=names[label]
            )
        axes.set(xlim=(-0.02, 1.02), ylim=(-0.02, 1.02), aspect="equal")
        axes.set_xlabel(f"Probability of {names[1]} from the model")
        axes.set_ylabel("Probability from models on resampled patients")
        axes.legend(loc="upper left", bbox_to_anchor=(-0.05, -0.13), ncols=2)

    return draw(
        paint,
        key="instability",
        size=(4.7, 5.1),
        caption=(
            f"Instability of the predictions. For each of the {unit[1]} (point: median, line: 2.5 to 97.5 %) "
            "what the model would have predicted, had it been developed on another sample of patients of the "
            f"same size. Mean distance from its actual prediction: {fixed(mape)}."
        ),
        judge=(
            "Short lines along the dashed diagonal are what one hopes for. A line that crosses the "
            "middle means "
            "that this patient's class depends on who happened to be in the training data; where most "
            "lines do, "
            "the model is not ready to tell anything about single patients."
        ),
        alt=(
            f"Instability plot of {count(len(units), *unit)}: mean absolute distance {fixed(mape)}; "
            f"median width of the range {fixed((high - low).median())}."
        ),
        synthetic=inputs.synthetic,
    )


def permutation(null: pd.DataFrame, tests: pd.DataFrame, inputs: Inputs) -> Figure:
    """Draw the AUCs under permuted labels and the observed one.

    Parameters
    ----------
    null : DataFrame
        `auc`, one row per permutation.
    tests : DataFrame
        `statistic, observed, p_value`; the row `auc` is drawn.
    inputs : Inputs
        Whether the data are synthetic.
    """
    row = tests[tests["statistic"].astype(str) == "auc"].iloc[0]
    observed, p = float(row["observed"]), p_value(row["p_value"])
    values = numeric(null, "auc").dropna()
    side, gap = ("right", -6) if observed > 0.5 else ("left", 6)

    def paint(canvas: Canvas) -> None:
        axes = canvas.add_subplot()
        left = min(0.35, float(values.min()), observed) - 0.03
        right = max(0.65, float(values.max()), observed) + 0.03
        axes.hist(values, bins=30, range=(left, right), color=NEUTRAL, edgecolor=NEUTRAL, lw=0.4)
        axes.axvline(0.5, color=MUTED, lw=0.9, ls=(0, (4, 3)))
        axes.axvline(observed, color=POSITIVE, lw=2.2)
        axes.annotate(
            f"observed {fixed(observed)}\np {p if p[0] in '<>' else f'= {p}'}", (observed, 0.97),
            fontsize=8.5, xycoords=("data", "axes fraction"), xytext=(gap, 0), color=INK,
            textcoords="offset points", ha=side, va="top",
        )  # fmt: skip
        axes.set(xlim=(left, right), xlabel="AUC of the whole pipeline", ylabel="Permutations")

    return draw(
        paint,
        key="permutation",
        size=(5.6, 3.2),
        caption=(
            f"Permutation test. AUC of the whole pipeline in {count(len(values), 'run')} with labels "
            "permuted "
            "between patients (grey) and with the true labels (line). Dashed: 0.5."
        ),
        judge=(
            "The line should stand clear to the right of all grey bars. Bars centred above 0.5 would "
            "mean that "
            "the pipeline finds something where there is nothing. A small p says that there is some "
            "relation, "
            "not that it is large or useful."
        ),
        alt=(
            f"Histogram of {count(len(values), 'permutation')} with mean AUC {fixed(values.mean())}; "
            f"the observed AUC is {fixed(observed)}, p {p}."
        ),
        synthetic=inputs.synthetic,
    )


def probe(table: pd.DataFrame, inputs: Inputs) -> Figure:
    """Draw the AUC of the pipeline where there is nothing to find.

    Parameters
    ----------
    table : DataFrame
        `probe, statistic, estimate, ci_low, ci_high, n_repeats`.
    inputs : Inputs
        Confidence level.
    """
    rows = [_probe_row(row) for _, row in table.iterrows()]

    def paint(canvas: Canvas) -> None:
        axes = canvas.add_subplot()
        axes.set_xlim(*reach(rows, 0.5, 0.15, 0.52))
        paint_rows(axes, rows, (Column(f"AUC ({inputs.level} CI)", 6), Column("runs", 110)), 0.5)
        axes.set_xlabel("Mean AUC over runs; dashed: 0.5, nothing found")

    told = "; ".join(f"{row.label}: {row.texts[0]}" for row in rows)
    return draw(
        paint,
        key="leakage-probe",
        size=(7.4, 1.0 + 0.3 * len(rows)),
        caption=(
            "Leakage probe. The same pipeline on permuted labels and on pure noise, where an honest one "
            "finds "
            "nothing."
        ),
        judge=(
            "The intervals must reach 0.5 or stay below it. One that lies entirely above 0.5 means that "
            "information about the outcome passes from test to training patients, and every other figure of "
            "the model is void until that is mended."
        ),
        alt=f"Mean AUC where nothing can be found. {told}.",
        synthetic=inputs.synthetic,
    )


def _probe_row(row: pd.Series[Any]) -> Row:
    found, statistic = estimate_of(row), str(row["statistic"])
    label = f"{sentence_case(str(row['probe']))}: {STATISTICS.get(statistic, statistic)}"
    return Row(label, *found, (str(found), number(row["n_repeats"])))
