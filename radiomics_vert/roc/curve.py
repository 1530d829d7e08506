"""The ROC and the precision-recall curve, with bands by drawing patients."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from radiomics_vert.roc.clusters import Bools, Floats, binomial_limits, check_labels, patient_draws


def roc_points(y: ArrayLike, scores: ArrayLike) -> pd.DataFrame:
    """Return the corners of the empirical ROC curve, from (0, 0) to (1, 1).

    Parameters
    ----------
    y : array_like, shape (n,)
        1 for the positive class, 0 for the negative.
    scores : array_like, shape (n,)
        Higher means more likely positive.

    Returns
    -------
    DataFrame
        `threshold, fpr, tpr`; a vertebra is called positive when its score is at least `threshold`,
        which falls from infinity. Tied scores share one point, so that the area under the straight
        lines between the points is the Mann-Whitney AUC.

    Raises
    ------
    DatasetError
        RV401, RV402: `y` is unusable.
    AnalysisError
        RV503: lengths differ.
    """
    values = np.asarray(scores, dtype=np.float64)
    positive, _ = check_labels(y, np.arange(values.size), values.size)
    curve = _Curve(positive, values)
    fpr, tpr = curve.rates(np.ones((1, values.size)))
    thresholds = np.concatenate([[np.inf], curve.thresholds])
    return pd.DataFrame({"threshold": thresholds, "fpr": fpr[0], "tpr": tpr[0]})


def roc_band(
    y: ArrayLike,
    scores: ArrayLike,
    groups: ArrayLike,
    *,
    seed: int,
    n_boot: int = 1000,
    grid: Sequence[float] | Floats | None = None,
    confidence: float = 0.95,
) -> pd.DataFrame:
    """Return the sensitivity with a pointwise interval over a grid of 1 - specificity.

    Patients are drawn with replacement, with all their vertebrae, separately among those with positive
    vertebrae only, negative only, and both, so that every draw holds both classes; the limits are
    percentiles of the sensitivity. Where the sensitivity is 0 or 1, all draws may agree; there the
    limits reach at least to the exact binomial ones of as many trials as patients with a positive
    vertebra (see :func:`clustered_proportion`).

    Parameters
    ----------
    y, scores, groups : array_like, shape (n,)
        As in :func:`clustered_auc`.
    seed : int
        Seed of the draws.
    n_boot : int, default 1000
        Number of draws.
    grid : sequence of float, optional
        Values of 1 - specificity, within 0 to 1; by default 0, 0.01, ..., 1.
    confidence : float, default 0.95
        Confidence level at each point of the grid (not of the whole curve at once).

    Returns
    -------
    DataFrame
        `fpr, tpr, tpr_low, tpr_high`.

    Raises
    ------
    DatasetError
        RV401, RV402, RV405: `y` or `groups` are unusable.
    AnalysisError
        RV503: lengths differ.

    References
    ----------
    Rutter CM (2000). Bootstrap estimation of diagnostic accuracy with patient-clustered data.
    Academic Radiology 7:413-419. doi:10.1016/S1076-6332(00)80381-5
    """
    values = np.asarray(scores, dtype=np.float64)
    positive, patients = check_labels(y, groups, values.size)
    points = np.linspace(0, 1, 101) if grid is None else np.asarray(grid, dtype=np.float64)
    curve = _Curve(positive, values)
    tpr = _sensitivity_at(points, *curve.rates(np.ones((1, values.size))))[0]
    weights = patient_draws(positive, patients, n_boot, np.random.default_rng(seed))
    draws = _sensitivity_at(points, *curve.rates(weights[:, patients]))
    low, high = np.quantile(draws, [(1 - confidence) / 2, (1 + confidence) / 2], axis=0)
    cases = np.full(len(points), len(np.unique(patients[positive])))
    exact_low, exact_high = binomial_limits(tpr, cases, confidence)
    # At fpr = 1 the sensitivity is 1 whatever the data.
    low = np.where((tpr == 1) & (points < 1), np.minimum(low, exact_low), low)
    high = np.where(tpr == 0, np.maximum(high, exact_high), high)
    return pd.DataFrame({"fpr": points, "tpr": tpr, "tpr_low": low, "tpr_high": high})


def precision_recall_band(
    y: ArrayLike,
    scores: ArrayLike,
    groups: ArrayLike,
    *,
    seed: int,
    n_boot: int = 1000,
    grid: Sequence[float] | Floats | None = None,
    confidence: float = 0.95,
) -> pd.DataFrame:
    """Return the precision with a pointwise interval over a grid of recall.

    At each recall stands the precision of the highest threshold that reaches it: the curve is a step
    function, because straight lines between its points would promise what no threshold gives. Patients
    are drawn as in :func:`roc_band`; the limits are percentiles of the precision. A model that guesses
    has the prevalence as its precision throughout, not one half.

    Parameters
    ----------
    y, scores, groups : array_like, shape (n,)
        As in :func:`clustered_auc`.
    seed : int
        Seed of the draws.
    n_boot : int, default 1000
        Number of draws.
    grid : sequence of float, optional
        Values of the recall, within 0 to 1; by default 0, 0.01, ..., 1.
    confidence : float, default 0.95
        Confidence level at each point of the grid.

    Returns
    -------
    DataFrame
        `recall, precision, low, high`.

    Raises
    ------
    DatasetError
        RV401, RV402, RV405: `y` or `groups` are unusable.
    AnalysisError
        RV503: lengths differ.

    References
    ----------
    Davis J, Goadrich M (2006). The relationship between Precision-Recall and ROC curves. Proceedings
    of the 23rd International Conference on Machine Learning, 233-240. doi:10.1145/1143844.1143874
    """
    values = np.asarray(scores, dtype=np.float64)
    positive, patients = check_labels(y, groups, values.size)
    points = np.linspace(0, 1, 101) if grid is None else np.asarray(grid, dtype=np.float64)
    curve = _Curve(positive, values)
    precision = _precision_at(points, *curve.counts(np.ones((1, values.size))))[0]
    weights = patient_draws(positive, patients, n_boot, np.random.default_rng(seed))
    draws = _precision_at(points, *curve.counts(weights[:, patients]))
    low, high = np.quantile(draws, [(1 - confidence) / 2, (1 + confidence) / 2], axis=0)
    return pd.DataFrame({"recall": points, "precision": precision, "low": low, "high": high})


class _Curve:
    """Vertebrae in falling order of score, ready to be counted with any weights."""

    def __init__(self, positive: Bools, scores: Floats) -> None:
        self._order = np.argsort(-scores, kind="stable")
        ordered = scores[self._order]
        self._positive = positive[self._order]
        self._ends = np.flatnonzero(np.append(ordered[1:] != ordered[:-1], True))
        self.thresholds = ordered[self._ends]

    def rates(self, weights: Floats) -> tuple[Floats, Floats]:
        """Return false and true positive rates, (draws, thresholds + 1), of weights (draws, n)."""
        ordered = weights[:, self._order]
        return self._rate(ordered, ~self._positive), self._rate(ordered, self._positive)

    def counts(self, weights: Floats) -> tuple[Floats, Floats]:
        """Return vertebrae called positive, and rightly so, (draws, thresholds), of weights (draws, n)."""
        ordered = weights[:, self._order]
        called = np.cumsum(ordered, axis=1)[:, self._ends]
        return called, np.cumsum(ordered * self._positive, axis=1)[:, self._ends]

    def _rate(self, weights: Floats, members: Bools) -> Floats:
        counts = np.cumsum(weights * members, axis=1)[:, self._ends]
        return np.pad(counts, ((0, 0), (1, 0))) / counts[:, -1:]


def _precision_at(points: Floats, calls: Floats, hits: Floats) -> Floats:
    """Precision at the highest threshold that reaches each recall, (draws, points)."""
    out = np.empty((len(hits), len(points)))
    for draw, (called, found) in enumerate(zip(calls, hits, strict=True)):
        called, found = called[called > 0], found[called > 0]
        reached = np.searchsorted(found / found[-1], points - 1e-12)
        out[draw] = found[reached] / called[reached]
    return out


def _sensitivity_at(points: Floats, fpr: Floats, tpr: Floats) -> Floats:
    """Sensitivity at each grid point, (draws, points): the highest where the curve is vertical."""
    out = np.empty((len(fpr), len(points)))
    for draw, (x, height) in enumerate(zip(fpr, tpr, strict=True)):
        left = np.searchsorted(x, points + 1e-12, side="right") - 1
        right = np.minimum(left + 1, len(x) - 1)
        width = np.where(right > left, x[right] - x[left], 1.0)
        part = np.clip((points - x[left]) / width, 0.0, 1.0)
        out[draw] = height[left] + part * (height[right] - height[left])
    return out
