"""Which of the leading features say the same: a heat map in the order of a cluster analysis."""

from __future__ import annotations

import textwrap

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure as Canvas
from matplotlib.patches import PathPatch
from matplotlib.path import Path
from numpy.typing import NDArray
from scipy.cluster.hierarchy import leaves_list, linkage
from scipy.spatial.distance import squareform

from radiomics_vert.reporting.inputs import Inputs, numeric
from radiomics_vert.reporting.nouns import Figure
from radiomics_vert.reporting.style import SERIES, draw
from radiomics_vert.reporting.wording import count, readable

TOGETHER = 0.8
_MOST = 30
_STEPS, _FAINT = 10, 2
# Weak correlations are transparent, so that the picture reads the same on a light and on a dark page.
_SQUARE = np.array([[0.04, 0.04], [0.96, 0.04], [0.96, 0.96], [0.04, 0.96], [0.04, 0.04]])
_DIAMOND = np.array([[0.5, 0.0], [1.0, 0.5], [0.5, 1.0], [0.0, 0.5], [0.5, 0.0]])
_SIDES = {1: (SERIES[2], _SQUARE, "s"), -1: (SERIES[3], _DIAMOND, "D")}


def heat_map(pairs: pd.DataFrame, inputs: Inputs) -> Figure:
    """Draw the rank correlations of the leading features.

    Parameters
    ----------
    pairs : DataFrame
        `feature_a, feature_b, rho`, all pairs, in the order from the clearest feature on.
    inputs : Inputs
        Whether the data are synthetic.
    """
    matrix = square(pairs)
    ordered = clustered(matrix)
    rho = ordered.to_numpy()
    labels = [textwrap.shorten(readable(str(name)), 46, placeholder="…") for name in ordered.index]

    def paint(canvas: Canvas) -> None:
        axes = canvas.add_subplot()
        _cells(axes, rho)
        n = len(labels)
        # To the right, so that the names on the left have room.
        axes.set(xlim=(0, n), ylim=(n, 0), aspect="equal", anchor="E")
        axes.set_yticks(np.arange(n) + 0.5, labels, fontsize=7)
        axes.set_xticks(np.arange(n) + 0.5, [str(i) for i in range(1, n + 1)], fontsize=6)
        axes.tick_params(length=0, pad=2)
        axes.spines[["left", "bottom"]].set_visible(False)
        _legend(axes)

    off = np.abs(rho[np.triu_indices(len(rho), 1)])
    many = int((off > TOGETHER).sum())
    return draw(
        paint,
        key="correlation",
        size=(8.2, 1.3 + 0.17 * max(8, len(labels))),
        caption=(
            f"Correlation of the {len(labels)} leading features. Spearman's ρ between the units; "
            "features that "
            "behave alike stand together (average linkage on 1 − |ρ|); columns in the order of the rows. "
            "Squares: positive, diamonds: negative; the fuller the colour, the stronger; "
            "below 0.15 nothing is drawn."
        ),
        judge=(
            "Each block along the diagonal is one finding measured several times, not several findings. "
            "Count "
            "blocks, not features, when you judge how much separates the classes."
        ),
        alt=(
            f"Heat map of the correlations between {count(len(labels), 'feature')}: {many} of {len(off)} "
            "pairs "
            f"correlate beyond ±{TOGETHER:g}."
        ),
        synthetic=inputs.synthetic,
    )


def _cells(axes: Axes, rho: NDArray[np.float64]) -> None:
    """Draw all cells of one sign and strength as one path: a few shapes instead of hundreds."""
    level = np.rint(np.abs(rho) * _STEPS).astype(int)
    for sign, (colour, shape, _) in _SIDES.items():
        for step in range(_FAINT, _STEPS + 1):
            places = np.argwhere((np.sign(rho) == sign) & (level == step))
            if len(places):
                paths = [Path(shape + place[::-1], closed=True) for place in places]
                path = Path.make_compound_path(*paths)
                axes.add_patch(PathPatch(path, facecolor=colour, edgecolor="none", lw=0, alpha=step / _STEPS))


def _legend(axes: Axes) -> None:
    handles = [
        axes.plot(
            [], [], ls="none", marker=marker, ms=7, mew=0, color=colour, alpha=size, label=f"{mark}{size:g}"
        )[0]
        for mark, (colour, _, marker) in zip("+−", _SIDES.values(), strict=True)
        for size in (1.0, 0.5)
    ]
    axes.legend(handles=handles, title="ρ", loc="upper left", bbox_to_anchor=(0, -0.07), ncols=4)


def square(pairs: pd.DataFrame) -> pd.DataFrame:
    """Return the correlations as a symmetric matrix; a missing pair counts as 0.

    Parameters
    ----------
    pairs : DataFrame
        `feature_a, feature_b, rho`; either or both of (a, b) and (b, a).
    """
    names = list(dict.fromkeys([*pairs["feature_a"].astype(str), *pairs["feature_b"].astype(str)]))[:_MOST]
    keys = [pairs[side].astype(str) for side in ("feature_a", "feature_b")]
    place = {name: position for position, name in enumerate(names)}
    both = np.eye(len(names))
    for a, b, rho in zip(*keys, numeric(pairs, "rho").fillna(0.0), strict=True):
        if a in place and b in place and a != b:
            both[place[a], place[b]] = both[place[b], place[a]] = rho
    return pd.DataFrame(both, index=names, columns=names)


def clustered(matrix: pd.DataFrame) -> pd.DataFrame:
    """Return the matrix with features that correlate, in either direction, side by side."""
    if len(matrix) < 3:
        return matrix
    distance = 1 - np.abs(matrix.to_numpy())
    condensed = squareform(np.clip((distance + distance.T) / 2, 0.0, None), checks=False)
    order = leaves_list(linkage(condensed, "average", optimal_ordering=True))
    ordered: pd.DataFrame = matrix.iloc[order, order]
    return ordered
