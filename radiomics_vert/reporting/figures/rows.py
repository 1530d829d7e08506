"""Estimates with intervals, one per line: what every forest plot of the report is made of."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.ticker import FixedLocator, NullLocator

from radiomics_vert.reporting.models import Estimate
from radiomics_vert.reporting.style import INK, MUTED, PAPER, bare, beside

WIDEST_LABEL = 62
_TICKS = (0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 50)


class Row(NamedTuple):
    """One line of a forest plot.

    Parameters
    ----------
    label : str
        On the left.
    estimate, low, high : float
        NaN draws nothing.
    texts : tuple of str
        Cells on the right, one per column.
    heading : bool
        A line of its own that names the rows below it.
    """

    label: str
    estimate: float = float("nan")
    low: float = float("nan")
    high: float = float("nan")
    texts: tuple[str, ...] = ()
    heading: bool = False


class Column(NamedTuple):
    """A column of text beside the rows.

    Parameters
    ----------
    head : str
        Above the first row.
    points : float
        Distance from the axes.
    """

    head: str
    points: float


def estimate_of(
    row: pd.Series[Any], names: tuple[str, str, str] = ("estimate", "ci_low", "ci_high")
) -> Estimate:
    """Return estimate and limits of a table row; NaN where absent."""
    values = pd.to_numeric(row.reindex(list(names)), errors="coerce").astype(float)
    return Estimate(*values.tolist())


def paint_rows(axes: Axes, rows: Sequence[Row], columns: Sequence[Column], reference: float) -> None:
    """Draw the rows from top to bottom, and a dashed line where there is no effect.

    Parameters
    ----------
    axes : Axes
        Its x limits must be set already: what reaches beyond them ends in an arrow.
    rows : sequence of Row
        From top to bottom.
    columns : sequence of Column
        Text to the right of the axes.
    reference : float
        Where the dashed line stands.
    """
    axes.axvline(reference, color=MUTED, lw=0.9, ls=(0, (4, 3)))
    for y, row in enumerate(rows):
        whisker(axes, y, row)
        for column, text in zip(columns, row.texts, strict=False):
            beside(axes, y, text, points=column.points)
    for column in columns:
        beside(axes, -0.95, column.head, points=column.points, bold=True)
    frame_rows(axes, [row.label for row in rows], [row.heading for row in rows])


def whisker(
    axes: Axes, y: float, row: Row, *, colour: str = INK, marker: str = "s", fill: bool = True
) -> None:
    """Draw one estimate with its interval; an arrow where the interval leaves the axes."""
    left, right = axes.get_xlim()
    if np.isfinite(row.low) and np.isfinite(row.high):
        ends = float(np.clip(row.low, left, right)), float(np.clip(row.high, left, right))
        axes.plot(ends, [y, y], color=colour, lw=1.4, solid_capstyle="butt", clip_on=False)
        for outside, place, arrow in ((row.low < left, left, "<"), (row.high > right, right, ">")):
            if outside:
                axes.plot(place, y, marker=arrow, color=colour, ms=4.5, mew=0, clip_on=False)
    if left <= row.estimate <= right:
        face = colour if fill else PAPER
        axes.plot(row.estimate, y, marker=marker, ms=5, mec=colour, mfc=face, mew=1.2, ls="none")


def frame_rows(axes: Axes, labels: Sequence[str], headings: Sequence[bool] = ()) -> None:
    """Write the labels of the rows, headings in bold, and leave room above the first."""
    short = [textwrap.shorten(label, WIDEST_LABEL, placeholder="…") for label in labels]
    axes.set_yticks(range(len(short)), short, fontsize=8)
    for tick, heading in zip(axes.get_yticklabels(), headings, strict=False):
        tick.set_fontweight("bold" if heading else "normal")
    axes.set_ylim(len(short) - 0.4, -0.6)
    axes.grid(axis="x")
    bare(axes)


def reach(rows: Sequence[Row], reference: float, least: float, most: float) -> tuple[float, float]:
    """Return x limits around the reference that hold the rows, within `least` and `most` of distance."""
    ends = np.array([value for row in rows for value in (row.estimate, row.low, row.high)])
    ends = ends[np.isfinite(ends)]
    far = float(np.abs(ends - reference).max(initial=0.0)) * 1.05
    distance = min(max(far, least), most)
    return reference - distance, reference + distance


def ratio_axis(axes: Axes, rows: Sequence[Row]) -> None:
    """Set a logarithmic axis around 1 for odds ratios, at most 1/50 to 50."""
    ends = np.array([value for row in rows for value in (row.estimate, row.low, row.high)])
    ends = np.abs(np.log(ends[np.isfinite(ends) & (ends > 0)]))
    far = float(np.clip(np.exp(ends.max(initial=0.0) * 1.05), 2.2, 50.0))
    axes.set_xscale("log")
    axes.set_xlim(1 / far, far)
    shown = [tick for tick in _TICKS if 1 / far <= tick <= far]
    axes.xaxis.set_major_locator(FixedLocator(shown))
    axes.xaxis.set_minor_locator(NullLocator())
    axes.set_xticklabels([f"{tick:g}" for tick in shown])
