"""Area under the ROC curve with several vertebrae per patient, for one score or for many features."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray
from scipy.special import betainc, logit, ndtr, ndtri

from radiomics_vert.errors import AnalysisError, DatasetError, Problem
from radiomics_vert.roc.clusters import (
    Bools,
    Floats,
    binomial_limits,
    check_labels,
    clustered_variance,
    logit_limits,
    placements,
    sum_by_patient,
    too_few_patients,
)

_BLOCK = 250_000  # cells ranked at once: keeps the working arrays in a few tens of megabytes


@dataclass(frozen=True)
class AucEstimate:
    """Area under the ROC curve with an interval that respects patients.

    Parameters
    ----------
    estimate : float
        Probability that a positive vertebra scores higher than a negative one, ties one half.
    ci_low, ci_high : float
        Confidence limits.
    standard_error : float
        On the scale of the AUC; 0 where the data show no variation between patients.
    statistic, p_value : float
        Wald z on the logit scale and its two-sided p value for AUC = 0.5.
    n_positive, n_negative : int
        Vertebrae per class.
    n_subjects : int
        Patients.
    """

    estimate: float
    ci_low: float
    ci_high: float
    standard_error: float
    statistic: float
    p_value: float
    n_positive: int
    n_negative: int
    n_subjects: int


def clustered_auc(
    y: ArrayLike, scores: ArrayLike, groups: ArrayLike, *, confidence: float = 0.95
) -> AucEstimate:
    """Return the Mann-Whitney AUC with the clustered variance of Obuchowski.

    With `V10` the share of negative vertebrae that a positive one exceeds (ties one half), `V01` the
    share of positive vertebrae that exceed a negative one, both summed within patient i over its
    `m_i` positive and `n_i` negative vertebrae, M and N vertebrae in all, I10 patients with a positive
    vertebra, I01 with a negative one and I in all, the variance of the AUC A is ::

        S10 = I10 / ((I10 - 1) M) * sum (V10_i - m_i A)^2
        S01 = I01 / ((I01 - 1) N) * sum (V01_i - n_i A)^2
        S11 = I   / (I - 1)       * sum (V10_i - m_i A) (V01_i - n_i A)
        var = S10 / M + S01 / N + 2 S11 / (M N)

    With one vertebra per patient I10 = M, I01 = N and S11 = 0, so that the variance is that of DeLong
    exactly. It is never negative, because I/(I-1) is at most I10/(I10-1) and I01/(I01-1).

    Parameters
    ----------
    y : array_like, shape (n,)
        1 for the positive class, 0 for the negative.
    scores : array_like, shape (n,)
        Higher means more likely positive; no missing value.
    groups : array_like, shape (n,)
        The patient of each vertebra.
    confidence : float, default 0.95
        Confidence level of the interval.

    Returns
    -------
    AucEstimate
        The interval is symmetric on the logit scale, and `statistic` is the Wald z of logit(AUC) = 0,
        so that p < 1 - confidence exactly when the interval leaves out 0.5.

    Raises
    ------
    DatasetError
        RV401, RV402, RV405: `y` or `groups` are unusable. RV406: a class has fewer than two patients,
        and a variance between patients needs two.
    AnalysisError
        RV503: lengths differ, or a score is missing.

    Notes
    -----
    Where the variance is zero (perfect separation, a constant score) the logit interval does not
    exist. Then k pairs of a positive and a negative vertebra from 2 k different patients are
    independent trials, each concordant with probability AUC, and the exact binomial interval
    (Clopper-Pearson) for k A concordant pairs of k is given, with k = min(I10, I01, I // 2) the
    largest number of such pairs; the p value is the one that this interval inverts. For A = 1 the
    lower limit is (alpha / 2)^(1 / k). It is wider than needed, never narrower.

    References
    ----------
    Obuchowski NA (1997). Nonparametric analysis of clustered ROC curve data. Biometrics 53:567-578.
    doi:10.2307/2533958

    DeLong ER, DeLong DM, Clarke-Pearson DL (1988). Biometrics 44:837-845. doi:10.2307/2531595

    Examples
    --------
    >>> auc = clustered_auc([1, 1, 1, 0, 0, 0], [4, 5, 2, 1, 3, 0], ["a", "a", "b", "c", "d", "d"])
    >>> round(auc.estimate, 3), auc.n_subjects
    (0.889, 4)
    """
    values = np.asarray(scores, dtype=np.float64)
    if values.ndim != 1 or np.isnan(values).any():
        missing = int(np.isnan(values).sum())
        raise AnalysisError(
            Problem(
                "RV503",
                "one score per vertebra, none missing",
                f"an array of shape {values.shape} with {missing} missing values",
                "scores of the AUC",
                "leave the vertebrae without a score out of y, scores and groups alike",
            )
        )
    row = clustered_auc_screen(y, values[:, None], groups, confidence=confidence).iloc[0]
    if np.isnan(row["estimate"]):
        raise DatasetError(
            too_few_patients(row["subjects_positive"], row["subjects_negative"], "clustered AUC")
        )
    estimate, low, high, error, z, p = (float(row[name]) for name in _INFERENCE)
    positive, negative, subjects = (int(row[name]) for name in ("n_positive", "n_negative", "n_subjects"))
    return AucEstimate(estimate, low, high, error, z, p, positive, negative, subjects)


def clustered_auc_screen(
    y: ArrayLike, X: ArrayLike | pd.DataFrame, groups: ArrayLike, *, confidence: float = 0.95
) -> pd.DataFrame:
    """Return :func:`clustered_auc` of every column of `X` at once.

    Parameters
    ----------
    y : array_like, shape (n,)
        1 for the positive class, 0 for the negative.
    X : array_like or DataFrame, shape (n, p)
        Features. A missing value (NaN) leaves its vertebra out for that feature only.
    groups : array_like, shape (n,)
        The patient of each vertebra.
    confidence : float, default 0.95
        Confidence level of the intervals.

    Returns
    -------
    DataFrame, one row per column of X
        `feature, n, n_positive, n_negative, n_subjects, subjects_positive, subjects_negative,
        estimate, ci_low, ci_high, standard_error, statistic, p_value`. The last six are NaN where a
        class has fewer than two patients with a value.

    Raises
    ------
    DatasetError
        RV401, RV402, RV405: `y` or `groups` are unusable.
    AnalysisError
        RV503: lengths differ.

    Examples
    --------
    >>> table = clustered_auc_screen([1, 1, 0, 0], [[3, 1], [4, 2], [1, 2], [2, 1]], list("abcd"))
    >>> table["estimate"].tolist()
    [1.0, 0.5]
    """
    names = list(X.columns) if isinstance(X, pd.DataFrame) else None
    values = _float_matrix(X)
    positive, patients = check_labels(y, groups, len(values))
    rows = np.ascontiguousarray(values.T)
    step = max(1, _BLOCK // max(1, rows.shape[1]))
    blocks = [
        _auc_block(rows[first : first + step], positive, patients, confidence)
        for first in range(0, len(rows), step)
    ]
    table = pd.concat(blocks, ignore_index=True) if blocks else pd.DataFrame(columns=_SCREEN[1:])
    table.insert(0, "feature", names if names is not None else list(range(len(table))))
    return table


_INFERENCE = ("estimate", "ci_low", "ci_high", "standard_error", "statistic", "p_value")
_SCREEN = (
    "feature",
    "n",
    "n_positive",
    "n_negative",
    "n_subjects",
    "subjects_positive",
    "subjects_negative",
    *_INFERENCE,
)


def _float_matrix(X: ArrayLike | pd.DataFrame) -> Floats:
    if isinstance(X, pd.DataFrame):
        return X.to_numpy(dtype=np.float64, na_value=np.nan)
    values = np.asarray(X, dtype=np.float64)
    if values.ndim != 2:
        raise AnalysisError(
            Problem(
                "RV503",
                "features as a table of vertebrae by features",
                f"an array of shape {values.shape}",
                "X of the AUC screen",
                "pass one column per feature",
            )
        )
    return values


def _auc_block(rows: Floats, positive: Bools, patients: NDArray[np.intp], confidence: float) -> pd.DataFrame:
    """Return the screen's columns, without the names, for features (p, n)."""
    valid = ~np.isnan(rows)
    placed = np.where(valid, placements(rows, positive), 0.0)

    def by_patient(cells: NDArray[Any]) -> Floats:
        return sum_by_patient(cells, patients)

    m, n = by_patient(valid & positive), by_patient(valid & ~positive)
    total_m, total_n = m.sum(axis=1, keepdims=True), n.sum(axis=1, keepdims=True)
    wins = by_patient(placed * positive)
    total = wins.sum(axis=1, keepdims=True)
    # Below a negative vertebra lie the positive ones that lose against it; the others win.
    losses = 2 * total_m * n - by_patient(placed * ~positive)
    with np.errstate(divide="ignore", invalid="ignore"):
        # The numerators are whole numbers, so that no variation between patients is exactly zero.
        a = (total_m * wins - m * total) / (2 * total_m**2 * total_n)
        b = (total_n * losses - n * total) / (2 * total_m * total_n**2)
        estimate = (total / (2 * total_m * total_n))[:, 0]
    variance = clustered_variance(a, b, m > 0, n > 0)
    subjects = np.stack([(m > 0).sum(axis=1), (n > 0).sum(axis=1), (m + n > 0).sum(axis=1)])
    estimate = np.where(np.isnan(variance), np.nan, estimate)
    pairs = np.minimum(subjects[:2].min(axis=0), subjects[2] // 2)
    inference = _auc_inference(estimate, variance, pairs, confidence)
    counts = (total_m + total_n, total_m, total_n)
    columns = [*(count[:, 0].astype(int) for count in counts), subjects[2], subjects[0], subjects[1]]
    return pd.DataFrame(dict(zip(_SCREEN[1:], [*columns, estimate, *inference], strict=True)))


def _auc_inference(
    estimate: Floats, variance: Floats, pairs: NDArray[np.int_], confidence: float
) -> tuple[Floats, Floats, Floats, Floats, Floats]:
    """Limits, standard error, z and p of AUCs: logit scale, exact binomial where that fails."""
    error = np.sqrt(variance)
    low, high = logit_limits(estimate, error, confidence)
    with np.errstate(divide="ignore", invalid="ignore"):
        z = logit(estimate) * estimate * (1 - estimate) / error
    flat = variance == 0
    exact_low, exact_high = binomial_limits(estimate[flat], pairs[flat], confidence)
    low[flat], high[flat] = exact_low, exact_high
    exact_p = _binomial_p(estimate[flat], pairs[flat])
    z[flat] = np.sign(estimate[flat] - 0.5) * np.abs(ndtri(exact_p / 2))
    p = 2 * ndtr(-np.abs(z))
    p[flat] = exact_p
    return low, high, error, z, p


def _binomial_p(share: Floats, trials: NDArray[Any]) -> Floats:
    """Two-sided p of share = 0.5 that :func:`binomial_limits` inverts."""
    away = np.abs(share - 0.5) + 0.5
    hits = away * trials
    return np.asarray(np.minimum(1.0, 2 * betainc(hits, trials - hits + 1, 0.5)))
