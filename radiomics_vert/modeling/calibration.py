"""Smooth calibration: the curve of observed against predicted shares, and its distance from the diagonal."""

from __future__ import annotations

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from radiomics_vert.roc import check_labels, patient_draws

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int_]

SPAN = 2 / 3
"""Share of the vertebrae in each local fit, as in R's `lowess`."""
_DELTA = 0.01
_POINTS = 50


def lowess(x: FloatArray, y: FloatArray, points: FloatArray, span: float = SPAN) -> FloatArray:
    """Return the locally weighted linear regression of y on x at given points.

    At each point a straight line is fitted to the `span` nearest share of the rows with tricube
    weights; without robustness iterations, which have no meaning for an outcome of 0 and 1.

    Parameters
    ----------
    x, y : ndarray, shape (n,)
        Predictor and outcome.
    points : ndarray, shape (m,)
        Where to fit.
    span : float, default 2/3
        Share of the rows in each fit.

    Returns
    -------
    ndarray, shape (m,)

    References
    ----------
    Cleveland WS (1979). Robust locally weighted regression and smoothing scatterplots. Journal of the
    American Statistical Association 74:829-836. doi:10.1080/01621459.1979.10481038

    Examples
    --------
    >>> x = np.arange(10.0)
    >>> lowess(x, 2 * x + 1, np.array([2.0, 4.5])).round(9).tolist()
    [5.0, 10.0]
    """
    neighbours = max(2, min(len(x), int(span * len(x) + 1e-7)))
    distance = np.abs(points[:, None] - x[None, :])
    reach = np.partition(distance, neighbours - 1, axis=1)[:, neighbours - 1 :][:, :1]
    relative = np.divide(distance, reach, out=(distance > 0).astype(np.float64), where=reach > 0)
    weight = np.where(relative <= 0.999, (1 - np.minimum(relative, 1.0) ** 3) ** 3, 0.0)
    weight[relative <= 0.001] = 1.0
    # Tied predictions can put every neighbour at the edge of the window: they then count alike.
    alone = weight.sum(axis=1) == 0
    weight[alone] = relative[alone] <= 1.0
    weight /= weight.sum(axis=1, keepdims=True)
    centre = weight @ x
    away = x[None, :] - centre[:, None]
    variance = (weight * away**2).sum(axis=1)
    # Where the neighbours hardly differ a slope cannot be told: their mean stands alone.
    sloped = np.sqrt(variance) > 0.001 * (x.max() - x.min())
    lift = np.divide(points - centre, variance, out=np.zeros_like(centre), where=sloped)
    return np.asarray((weight * (1 + lift[:, None] * away)) @ y)


def calibrated(y: IntArray, probability: FloatArray) -> FloatArray:
    """Return the smoothed observed share at each prediction.

    As R's `lowess` does by default, the fit is made at predictions at least 1 % of their range apart
    and joined by straight lines. Kept within 0 to 1.

    Parameters
    ----------
    y, probability : ndarray, shape (n,)
        Outcome and prediction.

    Returns
    -------
    ndarray, shape (n,)
    """
    order = np.argsort(probability, kind="stable")
    x = probability[order]
    knots = x[_knots(x)]
    smooth = lowess(x, y[order].astype(np.float64), knots)
    return np.clip(np.interp(probability, knots, smooth), 0.0, 1.0)


def integrated_calibration_index(y: IntArray, probability: FloatArray) -> float:
    """Return the mean absolute distance between prediction and smoothed observed share.

    0 is right; 0.05 means that predictions are off by 5 percentage points on average. Random scatter
    alone makes it positive, the more the fewer the vertebrae.

    Parameters
    ----------
    y, probability : ndarray, shape (n,)
        Outcome and prediction.

    References
    ----------
    Austin PC, Steyerberg EW (2019). The Integrated Calibration Index (ICI) and related metrics for
    quantifying the calibration of logistic regression models. Statistics in Medicine 38:4051-4065.
    doi:10.1002/sim.8281. The smoother here is :func:`lowess`, as in `Eavg` of `val.prob` (R, rms).
    """
    return float(np.mean(np.abs(probability - calibrated(y, probability))))


def calibration_curve(
    y: IntArray,
    probability: FloatArray,
    groups: NDArray[np.object_],
    *,
    seed: int,
    n_boot: int,
    confidence: float = 0.95,
) -> pd.DataFrame:
    """Return the smooth calibration curve with a pointwise band from drawing patients.

    Parameters
    ----------
    y, probability, groups : ndarray, shape (n,)
        Outcome, prediction and patient of each vertebra.
    seed : int
        Seed of the draws.
    n_boot : int
        Number of draws, among all patients, so that the prevalence varies as well.
    confidence : float, default 0.95
        Level of the band at each point.

    Returns
    -------
    DataFrame
        `predicted, observed, low, high` at 50 points from the lowest to the highest prediction; one
        point where all predictions are equal.
    """
    positive, patients = check_labels(y, groups, len(y))
    points = np.unique(np.linspace(probability.min(), probability.max(), _POINTS))
    outcome = y.astype(np.float64)
    drawn = patient_draws(positive, patients, n_boot, np.random.default_rng(seed), within_kinds=False)
    curves = np.empty((n_boot, len(points)))
    for draw, weights in enumerate(drawn):
        rows = np.repeat(np.arange(len(y)), weights[patients].astype(int))
        curves[draw] = lowess(probability[rows], outcome[rows], points)
    low, high = np.quantile(np.clip(curves, 0, 1), [(1 - confidence) / 2, (1 + confidence) / 2], axis=0)
    observed = np.clip(lowess(probability, outcome, points), 0.0, 1.0)
    return pd.DataFrame({"predicted": points, "observed": observed, "low": low, "high": high})


def _knots(x: FloatArray) -> list[int]:
    """Positions in the sorted x at which to fit: the steps that R's `lowess` takes."""
    delta = _DELTA * (x[-1] - x[0])
    found = [0]
    while True:
        last = int(np.searchsorted(x, x[found[-1]], side="right")) - 1
        if last >= len(x) - 1:
            return found
        beyond = int(np.searchsorted(x, x[last] + delta, side="right"))
        found.append(max(last + 1, beyond - 1))
