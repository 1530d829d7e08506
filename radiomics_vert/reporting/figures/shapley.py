"""Shapley values of single vertebrae as a beeswarm."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.figure import Figure as Canvas
from numpy.typing import NDArray

from radiomics_vert.reporting.figures.rows import frame_rows
from radiomics_vert.reporting.inputs import Inputs, numeric
from radiomics_vert.reporting.nouns import Figure
from radiomics_vert.reporting.style import MUTED, NEGATIVE, POSITIVE, RULE, draw
from radiomics_vert.reporting.wording import count, fixed, readable

_ROWS = 12
_BINS = 60
_HALF = 0.38


def beeswarm(values: pd.DataFrame, label: str, inputs: Inputs) -> Figure:
    """Draw one dot per vertebra and feature: how far it moves the log odds, coloured by its value.

    Parameters
    ----------
    values : DataFrame
        `unit, feature, value, shapley`, features in order of importance.
    label : str
        Name of the model.
    inputs : Inputs
        Names of the classes.
    """
    names = list(dict.fromkeys(values["feature"].astype(str)))[:_ROWS]
    parts = [values[values["feature"].astype(str) == name] for name in names]
    colours = LinearSegmentedColormap.from_list("value", [NEGATIVE, RULE, POSITIVE])

    def paint(canvas: Canvas) -> None:
        axes = canvas.add_subplot()
        axes.axvline(0, color=MUTED, lw=0.9, ls=(0, (4, 3)))
        for y, part in enumerate(parts):
            moves = numeric(part, "shapley").to_numpy()
            order = numeric(part, "value").rank(pct=True).fillna(0.5).to_numpy()
            # One picture for all dots: thousands of them as vectors would make the page slow.
            axes.scatter(moves, y + spread(moves), c=colours(order), s=7, lw=0, alpha=0.85, rasterized=True)
        axes.set_xlabel(f"Shapley value, log odds of {inputs.positive}")
        frame_rows(axes, [readable(name) for name in names])

    moved = [float(numeric(part, "shapley").abs().mean()) for part in parts]
    return draw(
        paint,
        key="beeswarm",
        size=(8.2, 1.1 + 0.36 * max(2, len(names))),
        caption=(
            f"What each feature adds to the prediction of each vertebra, {label}. One dot is one vertebra, "
            f"explained by a model that had not seen its patient; dots right of 0 speak for "
            f"{inputs.positive}, "
            f"left for {inputs.negative}. Orange: high values of the feature, blue: low values (by rank)."
        ),
        judge=(
            "Colours that separate cleanly at 0 mean one direction throughout; mixed colours mean that the "
            "feature acts together with others or that the folds disagree. Single dots far out are vertebrae "
            "that one feature decides: look at their images. Correlated features share the credit between "
            "them. The values explain the model, not the disease, and are not causal."
        ),
        alt=(
            f"Shapley values of {count(len(names), 'feature')} in {count(len(parts[0]), *inputs.unit)}; the "
            f"largest mean size is {fixed(moved[0], 2)} for {readable(names[0])}."
        ),
        synthetic=inputs.synthetic,
    )


def spread(moves: NDArray[np.floating[Any]]) -> NDArray[np.float64]:
    """Return vertical offsets that keep dots of nearly equal value apart, without any random number.

    Parameters
    ----------
    moves : ndarray, shape (n,)
        Positions along the axis.

    Returns
    -------
    ndarray, shape (n,)
        Between -0.38 and 0.38; 0 for the first dot of each place.

    Examples
    --------
    >>> spread(np.array([0.0, 1.0, 1.0, 1.0])).round(2).tolist()
    [0.0, 0.0, 0.38, -0.38]
    """
    width = float(np.ptp(moves)) or 1.0
    place = np.floor((moves - moves.min()) / width * _BINS).astype(int)
    rank = pd.Series(place).groupby(place).cumcount().to_numpy()
    side = np.where(rank % 2 == 1, 1, -1) * ((rank + 1) // 2)
    return np.asarray(_HALF * side / max(1, int(np.abs(side).max())), dtype=np.float64)
