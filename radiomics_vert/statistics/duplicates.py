"""Vertebrae of different patients whose features are nearly the same, as of one patient under two ids."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from radiomics_vert.dataset.nouns import Dataset
from radiomics_vert.roc.clusters import Floats

COLUMNS = ("unit_a", "unit_b", "subject_a", "subject_b", "distance", "n_features", "identical", "remark")
NEAR = 0.05  # root mean square difference, in robust standard deviations
MIN_FEATURES = 10
_CLIP = 5.0
_BLOCK = 1000


def near_duplicates(dataset: Dataset) -> pd.DataFrame:
    """Return the pairs of vertebrae of different patients with nearly the same features.

    Each feature is centred at its median, divided by its interquartile range / 1.349 (by its standard
    deviation where that range is zero), and clipped at 5, so that no outlier makes all others alike.
    The distance of two vertebrae is the root mean square difference over the features that both have.

    Parameters
    ----------
    dataset : Dataset
        Features and patients.

    Returns
    -------
    DataFrame
        :data:`COLUMNS`, nearest first: pairs nearer than 0.05 over 10 varying features or more.
        `identical` marks pairs whose features agree to the last digit. Fewer features agree by
        chance; the table is then empty.
    """
    values = dataset.X.to_numpy(dtype=np.float64, na_value=np.nan)
    scaled = _scaled(np.where(np.isinf(values), np.nan, values))
    subjects = dataset.groups.to_numpy()
    rows = []
    for first in range(0, len(scaled) if scaled.shape[1] >= MIN_FEATURES else 0, _BLOCK):
        for a, b in _candidates(scaled, first):
            if subjects[a] != subjects[b]:
                rows.append(_pair(dataset, scaled, int(a), int(b)))
    table = pd.DataFrame([row for row in rows if row["distance"] < NEAR], columns=list(COLUMNS))
    return table.sort_values(["distance", "unit_a", "unit_b"], ignore_index=True)


def _scaled(values: Floats) -> Floats:
    """Return the varying features, centred, scaled and clipped."""
    filled = values[:, np.isfinite(values).any(axis=0)]
    filled = filled[:, np.nanmax(filled, axis=0) > np.nanmin(filled, axis=0)] if filled.size else filled
    if not filled.size:
        return np.empty((len(values), 0))
    low, centre, high = np.nanquantile(filled, [0.25, 0.5, 0.75], axis=0)
    spread = np.where(high > low, (high - low) / 1.349, np.nanstd(filled, axis=0))
    return np.asarray(np.clip((filled - centre) / spread, -_CLIP, _CLIP))


def _candidates(scaled: Floats, first: int) -> NDArray[np.intp]:
    """Return pairs (a, b), a < b, a in one block of rows, that are near by the expanded square."""
    known = (~np.isnan(scaled)).astype(np.float64)
    filled = np.nan_to_num(scaled)
    block = slice(first, first + _BLOCK)
    common = known[block] @ known.T
    squares = np.square(filled)[block] @ known.T + known[block] @ np.square(filled).T
    squares -= 2 * filled[block] @ filled.T
    # The expansion loses digits, so that this is a sieve only; the distance is computed anew.
    near = (common >= MIN_FEATURES) & (squares < 2 * NEAR**2 * common)
    near &= np.arange(len(scaled)) > np.arange(len(scaled))[block, None]
    return np.asarray(np.argwhere(near) + np.array([first, 0]))


def _pair(dataset: Dataset, scaled: Floats, a: int, b: int) -> dict[str, Any]:
    difference = scaled[a] - scaled[b]
    common = ~np.isnan(difference)
    raw = dataset.X.iloc[[a, b]].to_numpy(dtype=np.float64, na_value=np.nan)
    identical = bool(np.array_equal(raw[0], raw[1], equal_nan=True))
    return {
        "unit_a": dataset.X.index[a],
        "unit_b": dataset.X.index[b],
        "subject_a": dataset.groups.iloc[a],
        "subject_b": dataset.groups.iloc[b],
        "distance": float(np.sqrt(np.square(difference[common]).mean())),
        "n_features": int(common.sum()),
        "identical": identical,
        "remark": "the same vertebra under two ids"
        if identical
        else "perhaps the same vertebra measured twice",
    }
