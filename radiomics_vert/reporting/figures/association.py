"""What separates the classes: forest, volcano and strip plots."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure as Canvas

from radiomics_vert.reporting.inputs import Inputs, column, numeric
from radiomics_vert.reporting.nouns import Figure
from radiomics_vert.reporting.style import (
    INK,
    MUTED,
    NEGATIVE,
    NEGATIVE_MARKER,
    NEUTRAL,
    PAPER,
    POSITIVE,
    POSITIVE_MARKER,
    RULE,
    SERIES,
    bare,
    beside,
    draw,
)
from radiomics_vert.reporting.wording import count, interval, p_value, readable

_FOREST_ROWS = 24


def strength(features: pd.DataFrame) -> pd.Series[float]:
    """Return how far each AUC lies from 0.5, whichever class is higher; NaN sorts last."""
    return (numeric(features, "estimate") - 0.5).abs().fillna(-1.0)


def ranked(features: pd.DataFrame) -> pd.DataFrame:
    """Return the features from the clearest to the least clear; ties by name, so that order is stable."""
    order = features.assign(_s=-strength(features), _p=numeric(features, "p_value").fillna(2.0))
    return (
        order.sort_values(["_p", "_s", "feature"], kind="stable")
        .drop(columns=["_s", "_p"])
        .reset_index(drop=True)
    )


def best_per_family(features: pd.DataFrame) -> pd.DataFrame:
    """Return the best one to three features of each family, families from strong to weak."""
    order = ranked(features[numeric(features, "estimate").notna()])
    families = list(dict.fromkeys(order["family"].astype(str)))[:_FOREST_ROWS]
    each = max(1, min(3, _FOREST_ROWS // max(1, len(families))))
    parts = [order[order["family"].astype(str) == family].head(each) for family in families]
    return pd.concat(parts, ignore_index=True) if parts else order


def forest(features: pd.DataFrame, inputs: Inputs) -> Figure:
    """Draw AUC and interval of the best features of each family.

    Parameters
    ----------
    features : DataFrame
        Per-feature table of the association.
    inputs : Inputs
        Names of the classes, false discovery rate.
    """
    rows, names = best_per_family(features), inputs.names

    def paint(canvas: Canvas) -> None:
        axes = canvas.add_subplot()
        _forest_rows(axes, rows, inputs.fdr)
        _forest_frame(axes, rows, names, inputs.level)

    best = rows.iloc[0]
    return draw(
        paint,
        key="forest",
        size=(8.2, 1.1 + 0.245 * len(rows)),
        caption=(
            f"Best features of each family. AUC with {inputs.level} interval, clustered by patient; "
            "right of 0.5: higher in "
            f"{names[1]} (diamonds), left: higher in {names[0]} (circles). Filled: adjusted p (q) "
            f"below {inputs.fdr:g}."
        ),
        judge=(
            "Trust the interval, not the point: one that reaches 0.5 is compatible with no "
            "difference. Each row is the "
            "best of its family, picked after looking at all of them, so its AUC is optimistic; the model "
            "validation below is the fair test."
        ),
        alt=(
            f"Forest plot of {count(len(rows), 'feature')}. The clearest is "
            f"{readable(str(best['feature']))} with an AUC of "
            f"{interval(best['estimate'], best.get('ci_low'), best.get('ci_high'))}."
        ),
        synthetic=inputs.synthetic,
    )


def _forest_rows(axes: Axes, rows: pd.DataFrame, fdr: float) -> None:
    low, high = numeric(rows, "ci_low"), numeric(rows, "ci_high")
    adjusted = numeric(rows, "p_adjusted")
    axes.axvline(0.5, color=MUTED, lw=0.9, ls=(0, (4, 3)))
    for y, auc in enumerate(numeric(rows, "estimate")):
        up = auc >= 0.5
        colour, marker = (POSITIVE, POSITIVE_MARKER) if up else (NEGATIVE, NEGATIVE_MARKER)
        axes.plot([low[y], high[y]], [y, y], color=colour, lw=1.5, solid_capstyle="butt")
        filled = adjusted[y] < fdr
        axes.plot(
            auc, y, marker=marker, ms=5.5, mec=colour, mfc=colour if filled else PAPER, ls="none", mew=1.3
        )
        beside(axes, y, interval(auc, low[y], high[y]))
        beside(axes, y, p_value(adjusted[y]), points=100)


def _forest_frame(axes: Axes, rows: pd.DataFrame, names: tuple[str, str], level: str) -> None:
    labels = [textwrap.shorten(readable(str(name)), 66, placeholder="…") for name in rows["feature"]]
    axes.set_yticks(range(len(rows)), labels, fontsize=8)
    axes.set_ylim(len(rows) - 0.4, -0.6)
    values = np.concatenate([numeric(rows, n).dropna().to_numpy() for n in ("ci_low", "ci_high", "estimate")])
    reach = max(0.15, float(np.max(np.abs(values - 0.5), initial=0.0)) + 0.03)
    axes.set_xlim(max(-0.01, 0.5 - reach), min(1.01, 0.5 + reach))
    axes.set_xlabel(f"AUC:   ← higher in {names[0]}  |  higher in {names[1]} →", fontsize=8.5)
    axes.grid(axis="x")
    bare(axes)
    beside(axes, -0.95, f"AUC ({level} CI)", bold=True)
    beside(axes, -0.95, "q", points=100, bold=True)


def volcano(features: pd.DataFrame, inputs: Inputs) -> Figure:
    """Draw every feature: AUC against adjusted p; the ten clearest carry their rank."""
    rows, names, fdr = ranked(features), inputs.names, inputs.fdr
    auc, adjusted = numeric(rows, "estimate"), numeric(rows, "p_adjusted")
    height = adjusted.clip(lower=1e-300).map(lambda q: -np.log10(q))
    clear = adjusted < fdr
    up, down = clear & (auc >= 0.5), clear & (auc < 0.5)

    def paint(canvas: Canvas) -> None:
        axes = canvas.add_subplot()
        axes.grid()
        quiet = ~clear
        axes.plot(
            auc[quiet],
            height[quiet],
            ls="none",
            marker=".",
            ms=3.5,
            color=NEUTRAL,
            mew=0,
            label=f"q ≥ {fdr:g}",
        )
        for keep, colour, marker, name in (
            (down, NEGATIVE, NEGATIVE_MARKER, names[0]), (up, POSITIVE, POSITIVE_MARKER, names[1]),
        ):  # fmt: skip
            label = f"higher in {name} ({int(keep.sum())})"
            axes.plot(
                auc[keep],
                height[keep],
                ls="none",
                marker=marker,
                ms=3.6,
                mec=colour,
                mfc=colour,
                alpha=0.75,
                label=label,
            )
        _volcano_frame(axes, auc, height, fdr)

    return draw(
        paint,
        key="volcano",
        size=(6.4, 4.3),
        caption=(
            "Every feature at once. AUC against the adjusted p value (q, upwards is clearer) of "
            f"{count(len(rows), 'feature')}; "
            "numbers 1 to 10 are the ranks in the table of top features."
        ),
        judge=(
            f"Above the dashed line (q = {fdr:g}) about {fdr:.0%} of the findings are expected to be "
            "false. A plot that rises on both "
            "sides but stays below the line means: nothing survived correction. Hundreds of features "
            "above the line "
            "are usually a few effects measured many times, because radiomic features are correlated."
        ),
        alt=(
            f"Volcano plot of {count(len(rows), 'feature')}: {int(up.sum())} significantly higher in "
            f"{names[1]}, "
            f"{int(down.sum())} significantly higher in {names[0]}, {int((~clear).sum())} not "
            "significant after correction."
        ),
        synthetic=inputs.synthetic,
    )


def _volcano_frame(axes: Axes, auc: pd.Series[float], height: pd.Series[float], fdr: float) -> None:
    axes.axhline(-np.log10(fdr), color=MUTED, lw=0.9, ls=(0, (4, 3)))
    axes.axvline(0.5, color=MUTED, lw=0.9, ls=(0, (4, 3)))
    reach = max(0.2, float((auc - 0.5).abs().max(skipna=True) or 0.0) * 1.25)
    axes.set(xlim=(0.5 - reach, 0.5 + reach), ylim=(0, max(2.0, float(height.max(skipna=True) or 0.0) * 1.1)))
    axes.set_xlabel("AUC (0.5: no difference)")
    axes.set_ylabel("−log10 of adjusted p (q)")
    _ranks(axes, auc, height)
    axes.legend(loc="upper left", bbox_to_anchor=(0, -0.14), ncols=3, columnspacing=1.2, handletextpad=0.3)


def _ranks(axes: Axes, auc: pd.Series[float], height: pd.Series[float]) -> None:
    """Write the ranks of the ten clearest at the edge of their side, each with a line to its point."""
    (left, right), (bottom, top) = axes.get_xlim(), axes.get_ylim()
    gap, inset = 0.052 * (top - bottom), 0.02 * (right - left)
    ten = [rank for rank in range(min(10, len(auc))) if np.isfinite(auc[rank]) and np.isfinite(height[rank])]
    for edge, side in (
        (left + inset, [r for r in ten if auc[r] < 0.5]),
        (right - inset, [r for r in ten if auc[r] >= 0.5]),
    ):
        ceiling = top - gap / 2
        for rank in sorted(side, key=lambda r: (-height[r], r)):
            place = min(float(height[rank]), ceiling)
            axes.plot([edge, auc[rank]], [place, height[rank]], color=RULE, lw=0.7, zorder=1)
            axes.text(
                edge, place, str(rank + 1), fontsize=7.5, weight="bold", ha="center", va="center", color=INK,
                bbox={"facecolor": PAPER, "edgecolor": "none", "pad": 1.2},
            )  # fmt: skip
            ceiling = place - gap


def strips(values: pd.DataFrame, order: Sequence[str], inputs: Inputs) -> Figure:
    """Draw the top features by class, every unit a point, the units of one patient in one colour and linked.

    Parameters
    ----------
    values : DataFrame
        `unit, subject_id, class, feature, value`.
    order : sequence of str
        Features from the clearest on; at most six are drawn.
    inputs : Inputs
        Names of the classes, false discovery rate.
    """
    present = set(values["feature"].astype(str))
    drawn = [name for name in order if name in present][:6]
    columns = min(3, len(drawn))
    lines = -(-len(drawn) // columns)
    colours = patient_colours(values)

    def paint(canvas: Canvas) -> None:
        grid = canvas.subplots(lines, columns, squeeze=False)
        for index, axes in enumerate(grid.ravel()):
            if index < len(drawn):
                rows = values[values["feature"].astype(str) == drawn[index]]
                _strip(axes, rows, inputs.names, colours)
                axes.set_title("\n".join(textwrap.wrap(readable(drawn[index]), 30)), fontsize=8)
            else:
                axes.set_visible(False)

    patients = values["subject_id"].nunique()
    return draw(
        paint,
        key="strips",
        size=(2.55 * columns, 2.75 * lines),
        caption=(
            f"Values of leading features by class. Each point is one of the {inputs.unit[1]}; points "
            "of one patient share a colour and stand linked "
            "above each other. Bar and whiskers beside them: median and quartiles."
        ),
        judge=(
            "Look for overlap: where the two clouds overlap, this feature alone cannot tell the "
            "classes apart. A difference "
            "that rests on one or two patients (one colour, one column of points) will not repeat."
        ),
        alt=(
            f"Strip plots of {count(len(drawn), 'feature')} in {count(patients, 'patient')}: "
            f"{', '.join(map(readable, drawn))}. "
            "Medians and quartiles are in the table of top features."
        ),
        synthetic=inputs.synthetic,
    )


def is_positive(values: pd.DataFrame, names: tuple[str, str]) -> pd.Series[bool]:
    """Tell the positive class, whether the table holds its name or 1."""
    return column(values, "class").astype(str).isin([names[1], "1", "1.0", "True"])


def patient_colours(values: pd.DataFrame) -> dict[str, str]:
    """Return a colour for each patient of a table with `subject_id`; colours recur when there are many."""
    patients = sorted(values["subject_id"].astype(str).unique())
    return {patient: SERIES[index % len(SERIES)] for index, patient in enumerate(patients)}


def _strip(axes: Axes, rows: pd.DataFrame, names: tuple[str, str], colours: dict[str, str]) -> None:
    positive = is_positive(rows, names)
    for side, marker in ((0, NEGATIVE_MARKER), (1, POSITIVE_MARKER)):
        group = rows[positive == bool(side)].dropna(subset=["value"])
        patients = list(group.groupby(group["subject_id"].astype(str), sort=True))
        for place, (patient, points) in enumerate(patients):
            # Patients fan out over the width of their class in a fixed, scattered order.
            x = side + 0.62 * (((place * 0.618034) % 1.0) - 0.5)
            heights = points["value"].astype(float).sort_values()
            axes.plot(
                [x] * len(heights),
                heights,
                marker=marker,
                ms=3.8,
                lw=0.7,
                color=colours[patient],
                alpha=0.85,
                mew=0,
            )
        _quartiles(axes, side, group["value"].astype(float))
    axes.set_xticks([0, 1], [textwrap.shorten(name, 16, placeholder="…") for name in names])
    axes.set_xlim(-0.5, 1.5)
    axes.tick_params(axis="y", labelsize=7.5)
    axes.tick_params(axis="x", length=0)
    axes.grid(axis="y", color=RULE)


def _quartiles(axes: Axes, x: float, values: pd.Series[Any]) -> None:
    if values.empty:
        return
    low, middle, high = np.quantile(values, [0.25, 0.5, 0.75])
    place = x + 0.41
    axes.plot([place, place], [low, high], color=INK, lw=1.4)
    axes.plot([place - 0.06, place + 0.06], [middle, middle], color=INK, lw=2.6)
