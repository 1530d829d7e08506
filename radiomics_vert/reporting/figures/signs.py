"""The imaging signs of one family: values by class, and AUC with the side that the seeds expect."""

from __future__ import annotations

import textwrap
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure as Canvas

from radiomics_vert.reporting.figures.association import patient_colours
from radiomics_vert.reporting.inputs import Inputs, numeric, words
from radiomics_vert.reporting.nouns import Figure
from radiomics_vert.reporting.style import (
    INK,
    MUTED,
    NEGATIVE_MARKER,
    NEUTRAL,
    PAPER,
    POSITIVE_MARKER,
    RULE,
    SERIES,
    bare,
    draw,
)
from radiomics_vert.reporting.wording import count, interval

MOST_POINTS = 300
"""Values of a sign above which their density is drawn instead of each of them."""
_WIDTH, _ROW, _TOP, _BOTTOM = 8.2, 0.82, 0.62, 0.55
_MARKS = {
    "agrees": (SERIES[2], "o", True),
    "disagrees": (SERIES[1], "X", True),
    "not shown": (NEUTRAL, "o", False),
    "not tested": (NEUTRAL, "o", False),
    "no expectation": (INK, "s", False),
}
_SIDES = {0: NEGATIVE_MARKER, 1: POSITIVE_MARKER}


def family_figure(
    family: str, title: str, signs: pd.DataFrame, values: pd.DataFrame, inputs: Inputs
) -> Figure:
    """Draw the signs of one family, one row each.

    Parameters
    ----------
    family, title : str
        Key of the family, and its name for a reader.
    signs : DataFrame
        Rows of the table `signs` of the result.
    values : DataFrame
        The single values: `subject_id, y, sign, sequence, value`.
    inputs : Inputs
        Names of the classes.
    """
    rows = signs.reset_index(drop=True)
    height = _TOP + _ROW * len(rows) + _BOTTOM
    colours = patient_colours(values)

    def paint(canvas: Canvas) -> None:
        canvas.set_layout_engine("none")
        for place, row in enumerate(rows.to_dict("records")):
            bottom = (_BOTTOM + _ROW * (len(rows) - 1 - place) + 0.24) / height
            lane = canvas.add_axes((0.24, bottom, 0.33, (_ROW - 0.3) / height))
            _lanes(lane, _values_of(values, row), inputs.names, colours)
            _labels(canvas, row, bottom + (_ROW - 0.3) / height / 2)
        forest = canvas.add_axes((0.615, _BOTTOM / height, 0.2, _ROW * len(rows) / height))
        _forest(forest, rows, inputs)

    shown = {name: int((rows["agreement"] == name).sum()) for name in _MARKS}
    told = ", ".join(f"{tally} {name}" for name, tally in shown.items() if tally)
    return draw(
        paint,
        key=f"signs-{family}",
        size=(_WIDTH, height),
        caption=(
            f"{title}: values by class and AUC. Left: every vertebra, {inputs.negative} below (circles), "
            f"{inputs.positive} above (diamonds), colours by patient, bars from the first to the third "
            f"quartile with the median. Right: AUC with {inputs.level} interval, clustered by patient; right "
            f"of 0.5: higher in {inputs.positive}. The grey half is the side that the seeds expect; green: "
            "agrees, orange cross: disagrees, hollow: not shown, square: no expectation, no mark: not tested."
        ),
        judge=(
            "A sign agrees only when its whole interval lies in the grey half, and disagrees only when all "
            "of it lies outside; anything that reaches the line is not shown, whatever the point says. Lanes "
            "that overlap cannot be told apart by this sign alone; a difference of one colour is one patient."
        ),
        alt=f"{count(len(rows), 'sign')} of the family {title}: {told}. Numbers are in the table of signs.",
        synthetic=inputs.synthetic,
    )


def _values_of(values: pd.DataFrame, row: Any) -> pd.DataFrame:
    """Return the values of one sign in one sequence."""
    same = (words(values, "sign") == str(row["name"])) & (
        words(values, "sequence") == _text(row.get("sequence"))
    )
    return values[same]


def _text(cell: Any) -> str:
    return "" if cell is None or pd.isna(cell) else str(cell)


def _labels(canvas: Canvas, row: Any, middle: float) -> None:
    sequence = f" ({row['sequence']})" if _text(row.get("sequence")) else ""
    unit = f"{_text(row['unit'])}{', size' if _text(row.get('sided')) else ''}"
    name = "\n".join(textwrap.wrap(f"{row['label']}{sequence}", 24))
    canvas.text(0.012, middle, f"{name}\n{unit}", fontsize=8, va="center", linespacing=1.25)
    told = f"{interval(row['auc'], row['ci_low'], row['ci_high'])}\n{row['agreement']}"
    canvas.text(0.835, middle, told, fontsize=8, va="center", linespacing=1.25)


def _lanes(axes: Axes, values: pd.DataFrame, names: tuple[str, str], colours: dict[str, str]) -> None:
    """Draw the values of both classes, one lane each."""
    bare(axes)
    axes.grid(axis="x", color=RULE)
    axes.set(ylim=(-0.55, 1.55), yticks=[])
    axes.tick_params(axis="x", labelsize=7, pad=1.5)
    axes.locator_params(axis="x", nbins=5)
    for side, marker in _SIDES.items():
        group = values[numeric(values, "y") == side].sort_values(["subject_id", "value"], kind="stable")
        found = numeric(group, "value").to_numpy()
        if len(values) > MOST_POINTS:
            _density(axes, found, side)
        else:
            _points(axes, group, found, side, marker, colours)
        if len(found):
            low, middle, high = np.quantile(found, [0.25, 0.5, 0.75])
            axes.plot([low, high], [side - 0.42] * 2, color=INK, lw=1.3, solid_capstyle="butt")
            axes.plot([middle] * 2, [side - 0.5, side - 0.34], color=INK, lw=2.0)


def _points(
    axes: Axes, group: pd.DataFrame, found: Any, side: int, marker: str, colours: dict[str, str]
) -> None:
    patients = {name: place for place, name in enumerate(dict.fromkeys(words(group, "subject_id")))}
    # Patients fan out over the height of their lane in a fixed, scattered order.
    height = [
        side + 0.62 * (((patients[name] * 0.618034) % 1.0) - 0.42) for name in words(group, "subject_id")
    ]
    shades = [colours[name] for name in words(group, "subject_id")]
    axes.scatter(found, height, s=9, c=shades, marker=marker, linewidths=0, alpha=0.85)


def _density(axes: Axes, found: Any, side: int) -> None:
    """Draw a histogram of many values as a symmetric band."""
    if not len(found):
        return
    tally, edges = np.histogram(found, bins=min(40, max(8, int(np.sqrt(len(found))))))
    half = 0.34 * np.repeat(tally / max(tally.max(), 1), 2)
    place = np.repeat(edges, 2)[1:-1]
    axes.fill_between(place, side + 0.02 - half, side + 0.02 + half, color=NEUTRAL, alpha=0.55, lw=0)


def _forest(axes: Axes, rows: pd.DataFrame, inputs: Inputs) -> None:
    auc, low, high = (numeric(rows, name) for name in ("auc", "ci_low", "ci_high"))
    axes.set(xlim=(0, 1), ylim=(len(rows) - 0.5, -0.5), yticks=[])
    for y, row in enumerate(rows.to_dict("records")):
        if _text(row["expected"]):
            start = 0.5 if str(row["expected"]) == inputs.positive else 0.0
            axes.fill_between([start, start + 0.5], y - 0.42, y + 0.42, color=RULE, alpha=0.6, lw=0)
        colour, marker, filled = _MARKS[str(row["agreement"])]
        if np.isfinite(auc[y]):
            axes.plot([low[y], high[y]], [y, y], color=colour, lw=1.6, solid_capstyle="butt")
            axes.plot(
                auc[y], y, marker=marker, ms=5.5, mec=colour, mfc=colour if filled else PAPER, ls="none"
            )
    axes.axvline(0.5, color=MUTED, lw=0.9, ls=(0, (4, 3)))
    axes.set_xticks([0, 0.25, 0.5, 0.75, 1], ["0", "", "0.5", "", "1"], fontsize=7.5)
    axes.set_xlabel("AUC", fontsize=8.5)
    bare(axes)
    axes.set_title(f"AUC ({inputs.level} CI)", fontsize=8.5)
