"""A locked model on other cohorts: ROC curves together, calibration and decision curves per cohort."""

from __future__ import annotations

import textwrap
from collections.abc import Callable

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure as Canvas

from radiomics_vert.reporting.figures.curves import Curve, legend_below, paint_curve
from radiomics_vert.reporting.figures.validation import paint_bins, paint_smooth
from radiomics_vert.reporting.inputs import Inputs, numeric
from radiomics_vert.reporting.nouns import Figure
from radiomics_vert.reporting.style import INK, MUTED, draw
from radiomics_vert.reporting.wording import count, percent

_Panel = Callable[[Axes, str], None]
_MOST = 6
_ACROSS = 3
_WIDTHS = {1: 4.4, 2: 6.6, 3: 8.4}


def external_roc(curves: list[Curve], inputs: Inputs) -> Figure:
    """Draw one ROC curve per cohort.

    Parameters
    ----------
    curves : list of Curve
        Points `fpr, tpr, tpr_low, tpr_high`; labels with the AUC.
    inputs : Inputs
        Confidence level.
    """
    drawn = curves[:_MOST]

    def paint(canvas: Canvas) -> None:
        axes = canvas.add_subplot()
        axes.grid()
        axes.plot([0, 1], [0, 1], color=MUTED, lw=0.9, ls=(0, (4, 3)))
        for index, curve in enumerate(drawn):
            paint_curve(axes, curve, index, ("fpr", "tpr", "tpr_low", "tpr_high"))
        axes.set(xlim=(-0.01, 1.01), ylim=(-0.01, 1.01), aspect="equal")
        axes.set_xlabel("1 − specificity (false positive rate)")
        axes.set_ylabel("Sensitivity (true positive rate)")
        legend_below(axes, f"AUC ({inputs.level_of('external')} CI)")

    return draw(
        paint,
        key="external-roc",
        size=(4.6, 4.9 + 0.17 * len(drawn)),
        caption=(
            "ROC curves of the locked model in other cohorts. Nothing was fitted on these patients; shaded: "
            f"{inputs.level_of('external')} band, clustered by patient."
        ),
        judge=(
            "Compare with the ROC curve of the internal validation: a curve that falls well below it "
            "means that "
            "the model learned something that holds only where it was made. Overlapping bands of small "
            "cohorts "
            "neither show nor exclude this."
        ),
        alt="External ROC curves. " + "; ".join(curve.label for curve in drawn) + ".",
        synthetic=inputs.synthetic,
    )


def external_calibration(
    bins: pd.DataFrame, smooth: pd.DataFrame, names: list[str], inputs: Inputs
) -> Figure:
    """Draw the calibration of the locked model, a panel per cohort.

    Parameters
    ----------
    bins : DataFrame
        `cohort, predicted_mean, observed, ci_low, ci_high`.
    smooth : DataFrame
        `cohort, predicted, observed, low, high`; may be empty.
    names : list of str
        Cohorts in order.
    inputs : Inputs
        Names of the classes.
    """

    def panel(axes: Axes, name: str) -> None:
        axes.grid()
        axes.plot([0, 1], [0, 1], color=MUTED, lw=0.9, ls=(0, (4, 3)))
        paint_smooth(axes, of_cohort(smooth, name))
        paint_bins(axes, of_cohort(bins, name))
        axes.set(xlim=(-0.02, 1.02), ylim=(-0.02, 1.02), aspect="equal")
        axes.set_xlabel("Predicted", fontsize=8.5)
        axes.set_ylabel(f"Observed share of {inputs.positive}", fontsize=8.5)

    return _panels(
        panel,
        names[:_MOST],
        key="external-calibration",
        caption=(
            "Calibration of the locked model in other cohorts. Points: groups of similar predictions with "
            "intervals; blue: smooth curve with band; dashed: perfect agreement."
        ),
        judge=(
            "A curve that runs parallel to the dashed line but above or below it needs a new intercept "
            "(the class is more or less frequent there); one that is flatter needs a new slope as well. "
            "The table of recalibration says how much each would change."
        ),
        alt=f"Calibration plots of the locked model in {count(len(names), 'cohort')}: {', '.join(names)}.",
        inputs=inputs,
    )


def external_precision_recall(curves: pd.DataFrame, shares: dict[str, float], inputs: Inputs) -> Figure:
    """Draw precision against recall of the locked model, a panel per cohort.

    Parameters
    ----------
    curves : DataFrame
        `cohort, recall, precision, low, high`.
    shares : dict of str to float
        Cohorts in order, with their share of positive units: the precision of guessing.
    inputs : Inputs
        Names of the classes, confidence level.
    """

    def panel(axes: Axes, name: str) -> None:
        axes.grid()
        axes.axhline(shares[name], color=MUTED, lw=0.9, ls=(0, (4, 3)))
        paint_curve(axes, Curve(name, of_cohort(curves, name)), 0, ("recall", "precision", "low", "high"))
        axes.set(xlim=(-0.01, 1.01), ylim=(-0.01, 1.02))
        axes.set_xlabel(f"Recall (share of {inputs.positive} found)", fontsize=8.5)
        axes.set_ylabel("Precision", fontsize=8.5)

    names = list(shares)
    guessing = ", ".join(f"{name} {percent(share, 1.0)}" for name, share in shares.items())
    return _panels(
        panel,
        names[:_MOST],
        key="external-pr",
        caption=(
            "Precision and recall of the locked model in other cohorts. Shaded: "
            f"{inputs.level_of('external')} band, clustered by patient; dashed: guessing."
        ),
        judge=(
            "Compare each curve with its own dashed line, not with another cohort: precision rises and falls "
            "with how frequent the positive class is there."
        ),
        alt=f"Precision-recall curves in {count(len(names), 'cohort')}; guessing: {guessing}.",
        inputs=inputs,
    )


def external_decision(curves: pd.DataFrame, names: list[str], inputs: Inputs) -> Figure:
    """Draw the decision curve of the locked model, a panel per cohort.

    Parameters
    ----------
    curves : DataFrame
        `cohort, threshold, net_benefit, low, high, all`.
    names : list of str
        Cohorts in order.
    inputs : Inputs
        Names of the classes.
    """

    def panel(axes: Axes, name: str) -> None:
        rows = of_cohort(curves, name).sort_values("threshold", kind="stable")
        axes.grid()
        axes.plot(numeric(rows, "threshold"), numeric(rows, "all"), color=MUTED, lw=1.1, ls=(0, (4, 3)))
        axes.axhline(0, color=INK, lw=1.0)
        paint_curve(axes, Curve(name, rows), 0, ("threshold", "net_benefit", "low", "high"))
        best = max(0.05, float(numeric(rows, "high").max()), float(numeric(rows, "net_benefit").max()))
        axes.set(xlim=(0, 1), ylim=(-0.25 * best, 1.08 * best))
        axes.set_xlabel("Threshold", fontsize=8.5)
        axes.set_ylabel("Net benefit", fontsize=8.5)

    return _panels(
        panel,
        names[:_MOST],
        key="external-decision",
        caption=(
            "Decision curves of the locked model in other cohorts. Blue with band: the model; dashed: "
            "call all "
            f"{inputs.positive}; solid line at zero: call none."
        ),
        judge=(
            "The model does good there only at thresholds where the blue curve lies above both others, "
            "with the "
            "band clear of them. A curve below zero means harm: more false alarms than the right calls "
            "are worth."
        ),
        alt=f"Decision curves of the locked model in {count(len(names), 'cohort')}: {', '.join(names)}.",
        inputs=inputs,
    )


def of_cohort(frame: pd.DataFrame, name: str) -> pd.DataFrame:
    """Return the rows of one cohort."""
    if frame.empty:
        return frame
    return frame[frame["cohort"].astype(str) == name].reset_index(drop=True)


def _panels(
    panel: _Panel, names: list[str], *, key: str, caption: str, judge: str, alt: str, inputs: Inputs
) -> Figure:
    across = min(_ACROSS, len(names))
    lines = -(-len(names) // across)

    def paint(canvas: Canvas) -> None:
        grid = canvas.subplots(lines, across, squeeze=False)
        for index, axes in enumerate(grid.ravel()):
            axes.set_visible(index < len(names))
            if index < len(names):
                panel(axes, names[index])
                axes.set_title("\n".join(textwrap.wrap(names[index], 32)), fontsize=8.5)
                axes.tick_params(labelsize=7.5)

    size = (_WIDTHS[across], 2.9 * lines + 0.2)
    return draw(paint, key=key, size=size, caption=caption, judge=judge, alt=alt, synthetic=inputs.synthetic)
