"""What a model is worth in use: precision-recall curve and decision curve."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure as Canvas

from radiomics_vert.reporting.inputs import Inputs, numeric
from radiomics_vert.reporting.nouns import Figure
from radiomics_vert.reporting.style import INK, MUTED, SERIES, SERIES_LINES, SERIES_MARKERS, draw
from radiomics_vert.reporting.wording import count, percent

_CURVES = 5


class Curve(NamedTuple):
    """One line with its band.

    Parameters
    ----------
    label : str
        In the legend.
    rows : DataFrame
        The points.
    """

    label: str
    rows: pd.DataFrame


def precision_recall(curves: list[Curve], share: float, inputs: Inputs) -> Figure:
    """Draw precision against recall for up to five models.

    Parameters
    ----------
    curves : list of Curve
        Points `recall, precision, low, high`.
    share : float
        Share of positive units: the precision of guessing. NaN when unknown.
    inputs : Inputs
        Names, confidence level.
    """
    drawn = curves[:_CURVES]

    def paint(canvas: Canvas) -> None:
        axes = canvas.add_subplot()
        axes.grid()
        if share == share:
            axes.axhline(share, color=MUTED, lw=0.9, ls=(0, (4, 3)))
        for index, curve in enumerate(drawn):
            paint_curve(axes, curve, index, ("recall", "precision", "low", "high"))
        axes.set(xlim=(-0.01, 1.01), ylim=(-0.01, 1.02))
        axes.set_xlabel(f"Recall (share of {inputs.positive} found)")
        axes.set_ylabel("Precision (share of positive calls that are right)")
        legend_below(axes, f"PR-AUC ({inputs.level} CI)")

    known = f" Dashed: guessing, {percent(share, 1.0)}." if share == share else ""
    return draw(
        paint,
        key="precision-recall",
        size=(4.6, 4.3 + 0.19 * len(drawn)),
        caption=(
            f"Precision and recall on patients the model had not seen. Shaded: {inputs.level} band, "
            f"clustered by patient.{known}"
        ),
        judge=(
            "Read it from right to left: how often a positive call is right when nearly all positive cases "
            "are to be found. Precision depends on how frequent the positive class is here; where it is "
            "rarer, the whole curve sinks."
        ),
        alt="Precision-recall curves. " + "; ".join(curve.label for curve in drawn) + "." + known,
        synthetic=inputs.synthetic,
    )


def decision(curves: list[Curve], inputs: Inputs) -> Figure:
    """Draw the net benefit of up to five models, of treating all and of treating none.

    Parameters
    ----------
    curves : list of Curve
        Points `threshold, net_benefit, low, high, all, none`.
    inputs : Inputs
        Names, confidence level.
    """
    drawn = curves[:_CURVES]

    def paint(canvas: Canvas) -> None:
        axes = canvas.add_subplot()
        axes.grid()
        _act_on_all(axes, drawn, inputs.positive)
        axes.axhline(0, color=INK, lw=1.0, label=f"none called {inputs.positive}")
        for index, curve in enumerate(drawn):
            paint_curve(axes, curve, index, ("threshold", "net_benefit", "low", "high"))
        axes.set(xlim=(0, 1), ylim=_benefit_limits(drawn))
        axes.set_xlabel(f"Threshold: probability of {inputs.positive} from which on one acts")
        axes.set_ylabel("Net benefit (true positives per unit)")
        legend_below(axes, "")

    gains = [_range_of_gain(curve.rows) for curve in drawn]
    told = "; ".join(f"{curve.label}: {gain}" for curve, gain in zip(drawn, gains, strict=True))
    return draw(
        paint,
        key="decision",
        size=(4.9, 4.4 + 0.19 * (len(drawn) + 2)),
        caption=(
            f"Decision curves. Net benefit weighs right positive calls against false alarms at each "
            f"threshold; shaded: {inputs.level} band, patients drawn anew. A model is worth using only "
            "where its curve lies above both reference lines."
        ),
        judge=(
            "First decide which thresholds make sense in the clinic, before looking; then compare the curves "
            "there only. A model that is above the reference lines nowhere in that range does no good, "
            "however "
            "high its AUC. The height depends on how frequent the positive class is in this study."
        ),
        alt=f"Decision curves of {count(len(drawn), 'model')}; net benefit above both references: {told}.",
        synthetic=inputs.synthetic,
    )


def paint_curve(axes: Axes, curve: Curve, index: int, names: tuple[str, str, str, str]) -> None:
    """Draw one line with its band.

    Parameters
    ----------
    axes : Axes
        Where to draw.
    curve : Curve
        What to draw.
    index : int
        Its place among the curves: colour, line and marker.
    names : tuple of str
        Columns for x, y, and the two edges of the band.
    """
    rows = curve.rows.sort_values(names[0], kind="stable")
    x, y, low, high = (numeric(rows, name) for name in names)
    colour = SERIES[index % len(SERIES)]
    if low.notna().any():
        axes.fill_between(x, low, high, color=colour, alpha=0.16 if index == 0 else 0.08, lw=0)
    axes.plot(
        x, y, color=colour, ls=SERIES_LINES[index % len(SERIES_LINES)], lw=1.9, label=curve.label,
        marker=SERIES_MARKERS[index % len(SERIES_MARKERS)], markevery=0.2, ms=4,
    )  # fmt: skip


def legend_below(axes: Axes, title: str) -> None:
    """Write the legend below the axes, where it hides nothing."""
    axes.legend(loc="upper left", bbox_to_anchor=(-0.05, -0.15), title=title, alignment="left")


def _act_on_all(axes: Axes, drawn: list[Curve], positive: str) -> None:
    rows = drawn[0].rows.sort_values("threshold", kind="stable")
    axes.plot(
        numeric(rows, "threshold"),
        numeric(rows, "all"),
        color=MUTED,
        lw=1.1,
        ls=(0, (4, 3)),
        label=f"all called {positive}",
    )


def _benefit_limits(drawn: list[Curve]) -> tuple[float, float]:
    """Show all that is positive, and a little of the loss below zero."""
    best = max(
        float(np.nanmax([*numeric(c.rows, "high"), *numeric(c.rows, "net_benefit"), 0.05])) for c in drawn
    )
    return -0.25 * best, 1.08 * best


def _range_of_gain(rows: pd.DataFrame) -> str:
    """Say between which thresholds the curve lies above both references."""
    benefit = numeric(rows, "net_benefit")
    above = rows[(benefit > numeric(rows, "all")) & (benefit > numeric(rows, "none"))]
    if above.empty:
        return "nowhere"
    return f"within {numeric(above, 'threshold').min():.2f} to {numeric(above, 'threshold').max():.2f}"
