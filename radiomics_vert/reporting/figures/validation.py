"""Model validation: ROC with band, calibration with histogram, selection frequency, models side by side."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure as Canvas
from matplotlib.ticker import MaxNLocator

from radiomics_vert.reporting.inputs import Inputs, numeric
from radiomics_vert.reporting.models import Estimate, Model, estimate, of_model
from radiomics_vert.reporting.nouns import Figure
from radiomics_vert.reporting.style import (
    INK,
    MUTED,
    NEGATIVE,
    NEGATIVE_MARKER,
    PAPER,
    POSITIVE,
    POSITIVE_MARKER,
    SERIES,
    SERIES_LINES,
    SERIES_MARKERS,
    bare,
    beside,
    draw,
)
from radiomics_vert.reporting.wording import count, readable

_CURVES = 5
_BARS = 15


def roc(curves: pd.DataFrame, aucs: dict[Model, Estimate], inputs: Inputs) -> Figure:
    """Draw the ROC curves of up to five models, each with its band.

    Parameters
    ----------
    curves : DataFrame
        `feature_set, model, fpr, tpr, tpr_low, tpr_high`.
    aucs : dict of Model to Estimate
        In the order of drawing.
    inputs : Inputs
        Confidence level.
    """
    drawn = {model: auc for model, auc in aucs.items() if len(of_model(curves, model))}
    drawn = dict(list(drawn.items())[:_CURVES])

    def paint(canvas: Canvas) -> None:
        axes = canvas.add_subplot()
        axes.grid()
        axes.plot([0, 1], [0, 1], color=MUTED, lw=0.9, ls=(0, (4, 3)))
        for index, (model, auc) in enumerate(drawn.items()):
            _roc_curve(axes, of_model(curves, model), index, f"{model.label}: {auc}")
        axes.set(xlim=(-0.01, 1.01), ylim=(-0.01, 1.01), aspect="equal")
        axes.set_xlabel("1 − specificity (false positive rate)")
        axes.set_ylabel("Sensitivity (true positive rate)")
        axes.legend(
            loc="upper left",
            bbox_to_anchor=(-0.05, -0.15),
            title=f"AUC ({inputs.level} CI)",
            alignment="left",
        )

    return draw(
        paint,
        key="roc",
        size=(4.6, 4.9 + 0.17 * len(drawn)),
        caption=(
            f"ROC curves from predictions on patients the model had not seen. Shaded: {inputs.level} "
            "band, clustered by "
            "patient; dashed diagonal: guessing."
        ),
        judge=(
            "A useful curve bows to the upper left and keeps its whole band off the diagonal. A wide "
            "band means few "
            "patients. Curves whose bands overlap should not be ranked."
        ),
        alt="ROC curves. " + "; ".join(f"{model.label}: AUC {auc}" for model, auc in drawn.items()) + ".",
        synthetic=inputs.synthetic,
    )


def _roc_curve(axes: Axes, rows: pd.DataFrame, index: int, label: str) -> None:
    rows = rows.sort_values(["fpr", "tpr"], kind="stable")
    fpr, colour = numeric(rows, "fpr"), SERIES[index]
    low, high = numeric(rows, "tpr_low"), numeric(rows, "tpr_high")
    if low.notna().any():
        axes.fill_between(fpr, low, high, color=colour, alpha=0.16 if index == 0 else 0.08, lw=0)
    axes.plot(
        fpr, numeric(rows, "tpr"), color=colour, ls=SERIES_LINES[index], lw=1.9, label=label,
        marker=SERIES_MARKERS[index], markevery=0.2, ms=4,
    )  # fmt: skip


def calibration(points: pd.DataFrame, predictions: pd.DataFrame, model: Model, inputs: Inputs) -> Figure:
    """Draw observed against predicted, and below it how the predictions are spread in each class.

    Parameters
    ----------
    points : DataFrame
        `predicted_mean, observed, ci_low, ci_high, n` of one model.
    predictions : DataFrame
        `unit, y, probability` of the same model, any number of repeats.
    model : Model
        Its name.
    inputs : Inputs
        Names of classes and units, calibration slope.
    """
    names, unit = inputs.names, inputs.unit[1]
    slope, intercept = (estimate(inputs, model, f"calibration_{part}") for part in ("slope", "intercept"))
    smooth = of_model(inputs.table("validation", "calibration_curve"), model)
    line = f" blue: smooth curve with {inputs.level} band;" if len(smooth) else ""

    def paint(canvas: Canvas) -> None:
        top, below = canvas.subplots(2, 1, height_ratios=[3.2, 1], sharex=True)
        _calibration_frame(top)
        paint_smooth(top, smooth)
        paint_bins(top, points, joined=smooth.empty)
        top.set_ylabel(f"Observed share of {names[1]}")
        if not predictions.empty:
            _histogram(below, predictions, names)
        below.set_xlabel(f"Predicted probability of {names[1]}")
        below.set_ylabel(unit.capitalize())

    return draw(
        paint,
        key="calibration",
        size=(4.6, 5.4),
        caption=(
            f"Calibration, {model.label}. Points: groups of {unit} with similar predictions, with "
            f"{inputs.level} "
            f"intervals;{line} dashed: perfect agreement. Below: predictions of {names[1]} (upwards) and "
            f"{names[0]} (downwards). "
            f"Slope {slope}, intercept {intercept}."
        ),
        judge=(
            "Good predictions lie on the dashed line: of those given 30 %, about 30 % should be "
            "positive. A flatter "
            "course means predictions that are too extreme. Judge only where the histogram shows "
            "enough cases."
        ),
        alt=(
            f"Calibration plot with {count(len(points), 'group')}; calibration slope {slope}. "
            "Histogram of predicted "
            "probabilities by class below."
        ),
        synthetic=inputs.synthetic,
    )


def _calibration_frame(axes: Axes) -> None:
    axes.grid()
    axes.plot([0, 1], [0, 1], color=MUTED, lw=0.9, ls=(0, (4, 3)))
    axes.set(xlim=(-0.02, 1.02), ylim=(-0.02, 1.02))
    axes.tick_params(axis="x", labelbottom=False)


def paint_bins(axes: Axes, points: pd.DataFrame, *, joined: bool = False) -> None:
    """Draw groups of similar predictions: `predicted_mean, observed, ci_low, ci_high`."""
    x, y = numeric(points, "predicted_mean"), numeric(points, "observed")
    axes.vlines(x, numeric(points, "ci_low"), numeric(points, "ci_high"), color=INK, lw=1.1)
    axes.plot(x, y, color=INK, marker="s", ms=5, mfc=PAPER, mew=1.3, lw=0.8 if joined else 0.0)


def paint_smooth(axes: Axes, rows: pd.DataFrame) -> None:
    """Draw the smooth calibration curve with its band: `predicted, observed, low, high`."""
    if rows.empty:
        return
    x = numeric(rows, "predicted")
    axes.fill_between(x, numeric(rows, "low"), numeric(rows, "high"), color=SERIES[0], alpha=0.16, lw=0)
    axes.plot(x, numeric(rows, "observed"), color=SERIES[0], lw=1.8)


def _histogram(axes: Axes, predictions: pd.DataFrame, names: tuple[str, str]) -> None:
    mean = predictions.groupby(predictions["unit"].astype(str), sort=True)[["y", "probability"]].mean()
    edges = np.linspace(0, 1, 21)
    centres, width = (edges[:-1] + edges[1:]) / 2, 0.043
    tallest = 1
    for label, sign, colour, hatch in ((1, 1, POSITIVE, ""), (0, -1, NEGATIVE, "////")):
        heights, _ = np.histogram(mean.loc[mean["y"].round() == label, "probability"], edges)
        tallest = max(tallest, int(heights.max()))
        axes.bar(
            centres,
            sign * heights,
            width,
            color=colour if not hatch else PAPER,
            edgecolor=colour,
            hatch=hatch,
            lw=0.6,
        )
        place, align = (0.98, "top") if sign > 0 else (0.02, "bottom")
        axes.text(0.5, place, names[label], transform=axes.transAxes, fontsize=7.5, ha="center", va=align)
    axes.axhline(0, color=MUTED, lw=0.8)
    axes.set_ylim(-1.35 * tallest, 1.35 * tallest)
    axes.yaxis.set_major_formatter(lambda value, _: f"{abs(value):.0f}")
    axes.yaxis.set_major_locator(MaxNLocator(nbins=5, integer=True))


def selection(rows: pd.DataFrame, model: Model, inputs: Inputs) -> Figure:
    """Draw how often the folds chose each feature; diamonds and circles tell the sign of its coefficient."""
    top = (
        rows.assign(_f=-numeric(rows, "frequency")).sort_values(["_f", "feature"], kind="stable").head(_BARS)
    )
    top = top.drop(columns="_f").reset_index(drop=True)
    frequency, coefficient = numeric(top, "frequency"), numeric(top, "mean_coefficient")

    def paint(canvas: Canvas) -> None:
        axes = canvas.add_subplot()
        axes.grid(axis="x")
        for y, share in enumerate(frequency):
            up = not coefficient[y] < 0
            colour, marker = (POSITIVE, POSITIVE_MARKER) if up else (NEGATIVE, NEGATIVE_MARKER)
            axes.plot([0, share], [y, y], color=colour, lw=1.8, solid_capstyle="butt")
            axes.plot(share, y, color=colour, marker=marker, ms=5.5, ls="none")
        labels = [textwrap.shorten(readable(str(name)), 62, placeholder="…") for name in top["feature"]]
        axes.set_yticks(range(len(top)), labels, fontsize=8)
        axes.set(ylim=(len(top) - 0.4, -0.6), xlim=(0, 1.04))
        axes.set_xlabel("Share of folds that selected the feature")
        bare(axes)

    often = int((numeric(rows, "frequency") >= 0.8).sum())
    return draw(
        paint,
        key="selection",
        size=(7.0, 0.9 + 0.25 * max(1, len(top))),
        caption=(
            f"Features that the folds chose, {model.label}. Diamonds raise, circles lower the predicted "
            f"probability of {inputs.positive}."
        ),
        judge=(
            "Features chosen in nearly every fold carry the model; a long list of rarely chosen ones "
            "means that many features "
            "say the same and the particular choice is unstable. A selected feature is not thereby a cause."
        ),
        alt=(
            f"Selection frequency of the {len(top)} most often selected of {len(rows)} features; "
            f"{count(often, 'feature')} selected in at least 80 % of folds."
        ),
        synthetic=inputs.synthetic,
    )


def comparison(aucs: dict[Model, Estimate], inputs: Inputs) -> Figure:
    """Draw the AUC of every feature set and model side by side."""
    rows: Sequence[tuple[Model, Estimate]] = list(aucs.items())

    def paint(canvas: Canvas) -> None:
        axes = canvas.add_subplot()
        axes.grid(axis="x")
        axes.axvline(0.5, color=MUTED, lw=0.9, ls=(0, (4, 3)))
        for y, (_, auc) in enumerate(rows):
            axes.plot([auc.low, auc.high], [y, y], color=INK, lw=1.5, solid_capstyle="butt")
            axes.plot(auc.estimate, y, color=INK, marker="s", ms=5, ls="none")
            beside(axes, y, str(auc))
        axes.set_yticks(range(len(rows)), [model.label for model, _ in rows], fontsize=8.5)
        lows: list[Any] = [auc.low for _, auc in rows] + [auc.estimate for _, auc in rows]
        axes.set(ylim=(len(rows) - 0.4, -0.6), xlim=(min(0.4, np.nanmin(lows) - 0.03), 1.01))
        axes.set_xlabel(f"AUC ({inputs.level} CI), patients not seen in training; dashed: guessing")
        bare(axes)

    best = max(rows, key=lambda row: np.nan_to_num(row[1].estimate, nan=-1.0))
    return draw(
        paint,
        key="comparison",
        size=(7.0, 0.9 + 0.3 * len(rows)),
        caption=f"Feature sets and models side by side. AUC with {inputs.level} interval, clustered "
        "by patient.",
        judge=(
            "Ask what radiomics adds: compare with covariates alone, when they were run. Overlapping "
            "intervals are not a test of the "
            "difference, and the best of several is optimistic."
        ),
        alt=f"AUC of {count(len(rows), 'model')}; the highest is {best[0].label} with {best[1]}.",
        synthetic=inputs.synthetic,
    )
