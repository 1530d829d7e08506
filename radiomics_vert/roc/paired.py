"""Difference of two AUCs on the same vertebrae, with several vertebrae per patient."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import ndtr, ndtri

from radiomics_vert.errors import AnalysisError, DatasetError, Problem
from radiomics_vert.roc.clusters import (
    Bools,
    Floats,
    check_labels,
    clustered_variance,
    placements,
    sum_by_patient,
    too_few_patients,
)


@dataclass(frozen=True)
class AucDifference:
    """Difference of two AUCs with an interval that respects patients and the pairing.

    Parameters
    ----------
    estimate : float
        AUC of the first score minus AUC of the second.
    ci_low, ci_high : float
        Confidence limits, symmetric around the estimate.
    standard_error : float
        0 where no patient contributes differently to the two AUCs.
    statistic, p_value : float
        Wald z and its two-sided p value for no difference.
    n, n_subjects : int
        Vertebrae and patients.
    """

    estimate: float
    ci_low: float
    ci_high: float
    standard_error: float
    statistic: float
    p_value: float
    n: int
    n_subjects: int


def clustered_auc_difference(
    y: ArrayLike, first: ArrayLike, second: ArrayLike, groups: ArrayLike, *, confidence: float = 0.95
) -> AucDifference:
    """Return the difference of two AUCs measured on the same vertebrae.

    Parameters
    ----------
    y : array_like, shape (n,)
        1 for the positive class, 0 for the negative.
    first, second : array_like, shape (n,)
        The two scores, higher means more likely positive; no missing value.
    groups : array_like, shape (n,)
        The patient of each vertebra.
    confidence : float, default 0.95
        Confidence level of the interval.

    Returns
    -------
    AucDifference
        AUC of `first` minus AUC of `second`, with a Wald interval. Where no patient contributes
        differently to the two AUCs the standard error is 0: p is 1 and the limits are 0 for two scores
        that rank the vertebrae alike; for an estimate other than 0 (one score separates perfectly, the
        other is constant) limits and p are NaN, because nothing then tells how patients vary.

    Raises
    ------
    DatasetError
        RV401, RV402, RV405: `y` or `groups` are unusable. RV406: a class has fewer than two patients.
    AnalysisError
        RV503: lengths differ, or a score is missing.

    Notes
    -----
    In the formula of :func:`clustered_auc` each contribution of a patient is replaced by the difference
    of its contributions to the two AUCs; this is var(A) + var(B) - 2 cov(A, B) with the covariance of
    Obuchowski. With one vertebra per patient it is the paired test of DeLong exactly.

    References
    ----------
    Obuchowski NA (1997). Nonparametric analysis of clustered ROC curve data. Biometrics 53:567-578.
    doi:10.2307/2533958

    DeLong ER, DeLong DM, Clarke-Pearson DL (1988). Biometrics 44:837-845. doi:10.2307/2531595

    Examples
    --------
    >>> y, groups = [1, 1, 1, 0, 0, 0], ["a", "a", "b", "c", "d", "d"]
    >>> found = clustered_auc_difference(y, [4, 5, 2, 1, 3, 0], [1, 5, 2, 4, 3, 0], groups)
    >>> round(found.estimate, 3), found.n_subjects
    (0.333, 4)
    """
    scores = _paired(first, second)
    positive, patients = check_labels(y, groups, scores.shape[1])
    auc, a, b = _contributions(scores, positive, patients)
    m, n = sum_by_patient(positive, patients) > 0, sum_by_patient(~positive, patients) > 0
    if min(m.sum(), n.sum()) < 2:
        raise DatasetError(too_few_patients(m.sum(), n.sum(), "difference of clustered AUCs"))
    estimate = float(auc[0] - auc[1])
    error = float(np.sqrt(clustered_variance(a[0] - a[1], b[0] - b[1], m, n)))
    counts = (scores.shape[1], len(m))
    if error == 0:
        # The contributions are fractions of whole numbers, so that "no difference" is exactly zero.
        low, z, p = (0.0, 0.0, 1.0) if estimate == 0 else (np.nan, np.nan, np.nan)
        return AucDifference(estimate, low, low, error, z, p, *counts)
    half, z = float(ndtri(0.5 + confidence / 2)) * error, estimate / error
    p = float(2 * ndtr(-abs(z)))
    return AucDifference(estimate, estimate - half, estimate + half, error, z, p, *counts)


def _paired(first: ArrayLike, second: ArrayLike) -> Floats:
    """Both scores as rows (2, n), complete."""
    rows = [np.asarray(one, dtype=np.float64) for one in (first, second)]
    if rows[0].shape != rows[1].shape or rows[0].ndim != 1 or np.isnan(rows).any():
        missing = sum(int(np.isnan(row).sum()) for row in rows)
        raise AnalysisError(
            Problem(
                "RV503",
                "two scores of the same vertebrae, none missing",
                f"shapes {rows[0].shape} and {rows[1].shape} with {missing} missing values",
                "scores of the difference of AUCs",
                "keep the vertebrae that have both scores",
            )
        )
    return np.stack(rows)


def _contributions(
    scores: Floats, positive: Bools, patients: NDArray[np.intp]
) -> tuple[Floats, Floats, Floats]:
    """AUCs (2,), and what each patient's positive and negative vertebrae add to them, (2, patients)."""
    placed = placements(scores, positive)
    m, n = sum_by_patient(positive, patients), sum_by_patient(~positive, patients)
    total_m, total_n = m.sum(), n.sum()
    wins = sum_by_patient(placed * positive, patients)
    losses = 2 * total_m * n - sum_by_patient(placed * ~positive, patients)
    total = wins.sum(axis=1, keepdims=True)
    a = (total_m * wins - m * total) / (2 * total_m**2 * total_n)
    b = (total_n * losses - n * total) / (2 * total_m * total_n**2)
    return (total / (2 * total_m * total_n))[:, 0], a, b
