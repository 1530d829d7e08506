"""Reliability: how the intraclass correlation is spread in each family, and Bland-Altman plots."""

from __future__ import annotations

import textwrap
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure as Canvas

from radiomics_vert.reporting.figures.rows import estimate_of
from radiomics_vert.reporting.inputs import Inputs, column, numeric, words
from radiomics_vert.reporting.nouns import Figure
from radiomics_vert.reporting.style import INK, MUTED, NEUTRAL, SERIES, SERIES_MARKERS, bare, beside, draw
from radiomics_vert.reporting.wording import count, family_name, fixed, percent, readable

_PANELS, _WIDTHS = 6, {1: 5.0, 2: 6.8, 3: 8.6}
_GOLDEN = 0.618034


def icc_overview(features: pd.DataFrame, threshold: float, inputs: Inputs) -> Figure:
    """Draw every feature's ICC by family, median and quartiles over them, and the threshold.

    Parameters
    ----------
    features : DataFrame
        `family, sequence, estimate, ci_low`.
    threshold : float
        From which on a feature is called reliable.
    inputs : Inputs
        Whether the data are synthetic.
    """
    groups = _by_family(features)

    def paint(canvas: Canvas) -> None:
        axes = canvas.add_subplot()
        axes.axvline(threshold, color=MUTED, lw=1.0, ls=(0, (4, 3)))
        for y, values in enumerate(groups.values()):
            _family(axes, y, values)
            share = percent(int((values >= threshold).sum()), len(values))
            beside(axes, y, f"{share} of {len(values)}")
        beside(axes, -0.95, f"at or above {threshold:g}", bold=True)
        axes.set_yticks(range(len(groups)), list(groups), fontsize=8)
        lowest = min((float(values.min()) for values in groups.values() if len(values.dropna())), default=0.0)
        axes.set(ylim=(len(groups) - 0.4, -0.6), xlim=(max(-1.02, min(-0.02, lowest - 0.03)), 1.02))
        axes.set_xlabel(f"Intraclass correlation, {inputs.spec('reliability').get('form', 'ICC')}")
        axes.grid(axis="x")
        bare(axes)

    estimates = numeric(features, "estimate")
    above = int((estimates >= threshold).sum())
    return draw(
        paint,
        key="icc",
        size=(8.0, 1.0 + 0.3 * max(1, len(groups))),
        caption=(
            "Reliability of all features by family. Each point is one feature; bar and line: quartiles and "
            f"median; dashed: {threshold:g}."
        ),
        judge=(
            "Families that lie right of the dashed line survive another reader, session or contour; "
            "points far "
            "to the left change with it more than between vertebrae, and what they seem to show cannot be "
            "repeated. Judge single features by the lower limit of the interval, not by the point."
        ),
        alt=(
            f"Intraclass correlation of {count(len(features), 'feature')} in "
            f"{count(len(groups), 'family', 'families')}: "
            f"{above} reach {threshold:g}; the median is {fixed(estimates.median())}."
        ),
        synthetic=inputs.synthetic,
    )


def _by_family(features: pd.DataFrame) -> dict[str, pd.Series[float]]:
    """Return the ICCs of each family and sequence, families with the highest median first."""
    sequence = words(features, "sequence")
    several = len(sequence.unique()) > 1
    names = column(features, "family").astype(str).map(family_name)
    keys = names + (", " + sequence if several else "")
    groups = dict(list(numeric(features, "estimate").groupby(keys, sort=True)))
    return dict(
        sorted(groups.items(), key=lambda pair: (-np.nan_to_num(pair[1].median(), nan=-9.0), pair[0]))
    )


def _family(axes: Axes, y: int, values: pd.Series[float]) -> None:
    known = values.dropna().sort_values().to_numpy()
    if not len(known):
        return
    # Points fan out over the height of their row in a fixed, scattered order.
    heights = y + 0.5 * (((np.arange(len(known)) * _GOLDEN) % 1.0) - 0.5)
    axes.plot(known, heights, ls="none", marker="o", ms=3.2, mew=0, color=NEUTRAL, alpha=0.7)
    low, middle, high = np.quantile(known, [0.25, 0.5, 0.75])
    axes.plot([low, high], [y, y], color=INK, lw=1.6, solid_capstyle="butt")
    axes.plot([middle, middle], [y - 0.3, y + 0.3], color=INK, lw=2.4)


def bland_altman(pairs: pd.DataFrame, inputs: Inputs) -> Figure:
    """Draw difference against mean of two measurements for up to six features.

    Parameters
    ----------
    pairs : DataFrame
        `feature, first, second, mean, difference`.
    inputs : Inputs
        Reliability of the features: bias and limits of agreement of their widest pair.
    """
    names = list(dict.fromkeys(pairs["feature"].astype(str)))[:_PANELS]
    wide = min(3, len(names))
    lines = -(-len(names) // wide)
    couples = (pairs["second"].astype(str) + " − " + pairs["first"].astype(str)).rename("couple")
    order = list(dict.fromkeys(couples))
    features = inputs.table("reliability", "features")
    limits = {str(row["feature"]): row for _, row in features.iterrows()}

    def paint(canvas: Canvas) -> None:
        grid = canvas.subplots(lines, wide, squeeze=False)
        for index, axes in enumerate(grid.ravel()):
            if index >= len(names):
                axes.set_visible(False)
                continue
            own = pairs["feature"].astype(str) == names[index]
            _agreement(axes, pairs[own], couples[own], order)
            if names[index] in limits:
                _limits(axes, limits[names[index]])
            axes.set_title("\n".join(textwrap.wrap(readable(names[index]), 30)), fontsize=8)
        handles, labels = grid.ravel()[0].get_legend_handles_labels()
        canvas.legend(handles, labels, loc="outside lower center", ncols=min(3, len(labels)))

    return draw(
        paint,
        key="bland-altman",
        size=(_WIDTHS[wide], 2.9 * lines + 0.5),
        caption=(
            "Bland-Altman plots. Difference of two measurements against their mean, in the unit of the "
            "feature; solid and dashed: bias and limits of agreement of the pair that agrees least."
        ),
        judge=(
            "Good agreement is a flat, narrow cloud around zero. A cloud beside zero is a systematic "
            "difference, a slope or a funnel one that grows with the value; a few points far outside the "
            "dashed lines are worth opening in a viewer."
        ),
        alt=(
            f"Bland-Altman plots of {count(len(names), 'feature')}, {count(len(order), 'pair')} of "
            "measurements: "
            f"{', '.join(map(readable, names))}. Bias and limits are in the table of reliability."
        ),
        synthetic=inputs.synthetic,
    )


def _agreement(axes: Axes, rows: pd.DataFrame, couples: pd.Series[str], order: list[str]) -> None:
    axes.grid()
    axes.axhline(0, color=MUTED, lw=0.8)
    for number, couple in enumerate(order):
        own = rows[couples == couple]
        place = number % len(SERIES)
        axes.plot(
            numeric(own, "mean"), numeric(own, "difference"), ls="none", ms=3.4, mew=0, alpha=0.75,
            label=couple, marker=SERIES_MARKERS[place], color=SERIES[place],
        )  # fmt: skip
    axes.tick_params(labelsize=7.5)
    axes.set_xlabel("Mean", fontsize=8)
    axes.set_ylabel("Difference", fontsize=8)


def _limits(axes: Axes, row: pd.Series[Any]) -> None:
    found = estimate_of(row, ("bias", "loa_low", "loa_high"))
    for value, style in zip(found, ("-", (0, (4, 3)), (0, (4, 3))), strict=True):
        if np.isfinite(value):
            axes.axhline(value, color=INK, lw=1.0, ls=style)
