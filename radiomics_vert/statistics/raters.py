"""Each rater against the others: offsets, ratios, and probable unit errors."""

from __future__ import annotations

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from radiomics_vert.roc.clusters import Floats
from radiomics_vert.statistics.icc import sorted_quantile
from radiomics_vert.statistics.measurements import Measurements

RATER_COLUMNS = (
    *("rater", "feature", "sequence", "n_targets"),
    *("median_ratio", "ratio_p10", "ratio_p90", "median_bias", "power_of_ten", "note"),
)

# A unit error multiplies every target by one power of ten. 80 % of the ratios within 10 % of it: true
# differences between segmentations or programs either are smaller or vary more between targets.
UNIT_TOLERANCE = float(np.log10(1.1))
UNIT_SHARE = (0.1, 0.5, 0.9)


def compare_raters(measured: Measurements) -> pd.DataFrame:
    """Compare each rater with the median of the others, target by target.

    Parameters
    ----------
    measured : Measurements
        One sequence.

    Returns
    -------
    DataFrame
        Columns :data:`RATER_COLUMNS`, one row per rater and feature that he and another one measured.
        `median_ratio` and `median_bias` are medians over targets of value / and value - median of the
        others; `power_of_ten` is -3 where a rater's values are 1/1000 of the others' in nearly all
        targets (ml instead of mm3), 0 where there is no sign of a unit error.
    """
    others = median_of_others(measured.values)
    with np.errstate(divide="ignore", invalid="ignore"):
        ratio = np.where(others == 0, np.nan, measured.values / others)
    bias = measured.values - others
    counts = np.isfinite(bias).sum(axis=0)
    low, middle, high = (_quantiles(ratio, level) for level in UNIT_SHARE)
    power = _powers_of_ten(low, middle, high)
    rater, feature = np.nonzero(counts)
    names = np.array(measured.raters, dtype=object), np.array(measured.features, dtype=object)
    table = pd.DataFrame(
        {
            "rater": names[0][rater],
            "feature": names[1][feature],
            "sequence": measured.sequence,
            "n_targets": counts[rater, feature],
            "median_ratio": middle[rater, feature],
            "ratio_p10": low[rater, feature],
            "ratio_p90": high[rater, feature],
            "median_bias": _quantiles(bias, 0.5)[rater, feature],
            "power_of_ten": power[rater, feature],
        }
    )
    present = np.isfinite(measured.values).any(axis=0).sum(axis=0)
    alone = present[feature] == 2
    table["note"] = [_note(int(p), bool(two)) for p, two in zip(table["power_of_ten"], alone, strict=True)]
    return table[list(RATER_COLUMNS)]


def median_of_others(values: Floats) -> Floats:
    """Return, for each measurement, the median of the other raters' values of the same target.

    Parameters
    ----------
    values : ndarray, shape (n, k, p)
        Targets x raters x features.

    Returns
    -------
    ndarray, shape (n, k, p)
        NaN where the rater himself or everyone else has no value.

    Examples
    --------
    >>> median_of_others(np.array([[[1.0], [2.0], [30.0]]]))[0, :, 0]
    array([16. , 15.5,  1.5])
    """
    finite = np.where(np.isfinite(values), values, np.nan)
    order = np.argsort(finite, axis=1, kind="stable")  # missing values come last
    rank = np.argsort(order, axis=1, kind="stable")
    ordered = np.take_along_axis(finite, order, axis=1)
    left = (~np.isnan(finite)).sum(axis=1, keepdims=True) - 1
    halves = [np.broadcast_to(np.maximum(position, 0) // 2, rank.shape) for position in (left - 1, left)]
    # Without the value at `rank`, everything behind it moves up by one.
    moved = [np.minimum(half + (half >= rank), values.shape[1] - 1) for half in halves]
    middle = sum(np.take_along_axis(ordered, place, axis=1) for place in moved) / 2
    return np.where((left < 1) | np.isnan(finite), np.nan, middle)


def _quantiles(cells: Floats, level: float) -> Floats:
    """Return a quantile over targets for each rater and feature; NaN where there is none."""
    flat = np.where(np.isfinite(cells), cells, np.nan).reshape(len(cells), -1)
    size = (~np.isnan(flat)).sum(axis=0)
    found = sorted_quantile(np.sort(flat, axis=0), np.maximum(size, 1), level)
    return found.reshape(cells.shape[1:])


def _powers_of_ten(low: Floats, middle: Floats, high: Floats) -> NDArray[np.intp]:
    with np.errstate(divide="ignore", invalid="ignore"):
        logs = np.log10(np.stack([low, middle, high]))
    usable = np.isfinite(logs).all(axis=0)
    logs = np.where(usable, logs, 0.0)
    power = np.rint(logs[1])
    near = (np.abs(logs - power) <= UNIT_TOLERANCE).all(axis=0)
    return np.where(usable & near, power, 0).astype(np.intp)


def _note(power: int, two: bool) -> str:
    if power == 0:
        return ""
    factor = f"{10**power} times" if power > 0 else f"1/{10**-power} of"
    note = f"probable unit error: {factor} the other raters' values"
    return f"{note}; with two raters it cannot be told whose" if two else note
