"""Descriptions and effect sizes of many features at once; missing values are left out per feature."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.special import stdtrit
from scipy.stats import rankdata

from radiomics_vert.roc import clustered_variance, sum_by_patient
from radiomics_vert.roc.clusters import Bools, Floats


class Effect(NamedTuple):
    """An effect size per feature with confidence limits, each of shape (p,).

    Parameters
    ----------
    estimate, ci_low, ci_high : ndarray
        NaN where the effect is not defined.
    """

    estimate: Floats
    ci_low: Floats
    ci_high: Floats


def quartiles(rows: Floats) -> Floats:
    """Return first quartile, median and third quartile of each row, by linear interpolation.

    Parameters
    ----------
    rows : ndarray, shape (p, n)
        Missing values are left out.

    Returns
    -------
    ndarray, shape (3, p)
        NaN for a row without a value.
    """
    ordered = np.sort(rows, axis=1)  # missing values come last
    last = np.maximum((~np.isnan(rows)).sum(axis=1) - 1, 0)
    position = np.array([0.25, 0.5, 0.75])[:, None] * last
    below = np.floor(position).astype(int)
    above = np.minimum(below + 1, last)
    row = np.arange(len(rows))
    low, high = ordered[row, below], ordered[row, above]
    return np.asarray(low + (position - below) * (high - low))


def hedges_g(
    rows: Floats, positive: Bools, patients: NDArray[np.intp], *, confidence: float = 0.95
) -> Effect:
    """Return the standardised mean difference between the classes with cluster-robust limits.

    g = J (mean of positives - mean of negatives) / s, with the pooled standard deviation s of n - 2
    degrees of freedom and Hedges' correction J = 1 - 3 / (4 (n - 2) - 1). The variance of d = g / J
    comes from its linearisation: a positive vertebra x contributes (x - mean) / (s n_positive), a
    negative one the same with the opposite sign, and each also - d ((x - mean)^2 - v) / (2 s^2 n) for
    the estimation of s, where v is the mean square of its class. Contributions are summed within
    patient and combined as the AUC's are (:func:`radiomics_vert.roc.clustered_variance`). With one
    vertebra per patient and normal values this is the usual 1/n_positive + 1/n_negative + d^2/(2 n) in
    large samples. The limits use Student's t with (patients - 2) degrees of freedom.

    Parameters
    ----------
    rows : ndarray, shape (p, n)
        Features.
    positive : ndarray of bool, shape (n,)
        Which vertebrae are positive.
    patients : ndarray of int, shape (n,)
        Number of each vertebra's patient.
    confidence : float, default 0.95
        Confidence level of the limits.

    Returns
    -------
    Effect
        NaN where the values do not vary within the classes; the limits are also NaN where a class has
        fewer than two patients or there are fewer than three patients in all.

    References
    ----------
    Hedges LV (1981). Distribution theory for Glass's estimator of effect size and related estimators.
    Journal of Educational Statistics 6:107-128. doi:10.3102/10769986006002107

    Liang K-Y, Zeger SL (1986). Longitudinal data analysis using generalized linear models (the
    cluster-robust variance). Biometrika 73:13-22. doi:10.1093/biomet/73.1.13
    """
    valid = ~np.isnan(rows)
    members = (valid & positive, valid & ~positive)
    n = [inside.sum(axis=1, keepdims=True) for inside in members]
    total = n[0] + n[1]
    with np.errstate(divide="ignore", invalid="ignore"):
        mean = [
            np.where(inside, rows, 0.0).sum(axis=1, keepdims=True) / count
            for inside, count in zip(members, n, strict=True)
        ]
        deviation = [
            np.where(inside, rows - centre, 0.0) for inside, centre in zip(members, mean, strict=True)
        ]
        squares = [np.square(part).sum(axis=1, keepdims=True) for part in deviation]
        spread = np.sqrt((squares[0] + squares[1]) / (total - 2))
        # A spread at the level of rounding is none: dividing by it would print a huge effect.
        scale = np.maximum(np.abs(mean[0]), np.abs(mean[1]))
        spread = np.where(spread > 1e-12 * scale, spread, np.nan)
        d = (mean[0] - mean[1]) / spread
        influence = [
            sign * part / (spread * count)
            - d * np.where(inside, np.square(part) - square / count, 0.0) / (2 * spread**2 * total)
            for sign, part, count, square, inside in zip((1, -1), deviation, n, squares, members, strict=True)
        ]
        correction = 1 - 3 / (4 * (total - 2) - 1)
    present = [sum_by_patient(inside, patients) > 0 for inside in members]
    sums = [sum_by_patient(part, patients) for part in influence]
    error = np.sqrt(clustered_variance(sums[0], sums[1], present[0], present[1]))
    freedom = (present[0] | present[1]).sum(axis=1) - 2
    quantile = np.where(freedom > 0, stdtrit(np.maximum(freedom, 1), 0.5 + confidence / 2), np.nan)
    g, half = (d * correction)[:, 0], correction[:, 0] * error * quantile
    return Effect(g, g - half, g + half)


def spearman(rows: Floats, other: Floats) -> Floats:
    """Return the rank correlation of each row with one variable, over the values that both have.

    Parameters
    ----------
    rows : ndarray, shape (p, n)
        Features.
    other : ndarray, shape (n,)
        The variable, for example the volume.

    Returns
    -------
    ndarray, shape (p,)
        NaN where one of the two does not vary.
    """
    common = ~np.isnan(rows) & ~np.isnan(other)
    ranks = [
        rankdata(np.where(common, values, np.nan), axis=1, nan_policy="omit") for values in (rows, other)
    ]
    count = np.maximum(common.sum(axis=1, keepdims=True), 1)
    x, y = (np.where(common, rank - np.nansum(rank, axis=1, keepdims=True) / count, 0.0) for rank in ranks)
    with np.errstate(divide="ignore", invalid="ignore"):
        scale = np.sqrt(np.square(x).sum(axis=1) * np.square(y).sum(axis=1))
        return np.asarray((x * y).sum(axis=1) / scale)
