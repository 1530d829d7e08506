"""What all clustered statistics share: checked labels, the variance between patients, limits."""

from __future__ import annotations

from typing import Any, NamedTuple, TypeAlias

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray
from scipy.special import betaincinv, expit, logit, ndtri
from scipy.stats import rankdata

from radiomics_vert.errors import AnalysisError, DatasetError, Problem

Floats: TypeAlias = NDArray[np.float64]
Bools: TypeAlias = NDArray[np.bool_]


class ProportionEstimate(NamedTuple):
    """A proportion of vertebrae with confidence limits that respect patients.

    Parameters
    ----------
    estimate, ci_low, ci_high : float
        Between 0 and 1.
    """

    estimate: float
    ci_low: float
    ci_high: float


def check_labels(y: ArrayLike, groups: ArrayLike, n: int) -> tuple[Bools, NDArray[np.intp]]:
    """Check outcome and patients of `n` vertebrae.

    Parameters
    ----------
    y : array_like, shape (n,)
        1 for the positive class, 0 for the negative.
    groups : array_like, shape (n,)
        The patient of each vertebra.
    n : int
        Number of vertebrae.

    Returns
    -------
    positive : ndarray of bool, shape (n,)
        Where `y` is 1.
    patients : ndarray of int, shape (n,)
        Number of the patient, in the alphabetical order of their ids.

    Raises
    ------
    DatasetError
        RV401 `y` holds something else than 0 and 1, RV402 one class only, RV405 a missing patient.
    AnalysisError
        RV503: lengths differ.
    """
    labels, ids = np.asarray(y), np.asarray(groups, dtype=object)
    if labels.shape != (n,) or ids.shape != (n,):
        raise AnalysisError(
            Problem(
                "RV503",
                f"one label and one patient for each of {n} values",
                f"labels of shape {labels.shape}, patients of shape {ids.shape}",
                "y and groups",
                "pass y, scores and groups of the same vertebrae in the same order",
            )
        )
    if not np.isin(labels, (0, 1)).all():
        raise DatasetError(_bad_labels("RV401", labels))
    if len(np.unique(labels)) < 2:
        raise DatasetError(_bad_labels("RV402", labels))
    if pd.isna(ids).any():
        raise DatasetError(
            Problem(
                "RV405",
                "a patient for every vertebra",
                f"{int(pd.isna(ids).sum())} vertebrae without one",
                "groups",
                "fill in the patient id of every row",
            )
        )
    return labels == 1, np.unique(ids.astype(str), return_inverse=True)[1]


def _bad_labels(code: str, labels: NDArray[Any]) -> Problem:
    found = ", ".join(sorted({str(value) for value in labels.tolist()})[:5]) or "no value"
    return Problem(
        code,
        "1 for the positive and 0 for the negative class, both present",
        f"only: {found}",
        "y",
        "state which outcome value is positive, and keep vertebrae of both classes",
    )


def sum_by_patient(cells: NDArray[Any], patients: NDArray[np.intp]) -> Floats:
    """Sum the vertebrae of each patient.

    Parameters
    ----------
    cells : ndarray, shape (..., n)
        One value per vertebra.
    patients : ndarray of int, shape (n,)
        Numbers of the patients, as :func:`check_labels` gives them.

    Returns
    -------
    ndarray, shape (..., patients)
    """
    order = np.argsort(patients, kind="stable")
    starts = np.flatnonzero(np.diff(patients[order], prepend=-1))
    return np.asarray(np.add.reduceat(cells[..., order], starts, axis=-1, dtype=np.float64))


def placements(rows: Floats, positive: Bools) -> Floats:
    """Return twice the number of vertebrae of the other class below each one, ties counted once.

    Parameters
    ----------
    rows : ndarray, shape (p, n)
        Scores, one row each; NaN where missing.
    positive : ndarray of bool, shape (n,)
        Class of each vertebra.

    Returns
    -------
    ndarray, shape (p, n)
        Whole numbers, so that what is equal in all patients stays exactly equal.
    """
    placed = rankdata(rows, axis=1, nan_policy="omit")
    for members in (positive, ~positive):
        placed[:, members] -= rankdata(rows[:, members], axis=1, nan_policy="omit")
    return np.asarray(2.0 * placed)


def patient_draws(
    positive: Bools,
    patients: NDArray[np.intp],
    n_boot: int,
    rng: np.random.Generator,
    *,
    within_kinds: bool = True,
) -> Floats:
    """Draw patients with replacement and return how often each one is drawn.

    Parameters
    ----------
    positive : ndarray of bool, shape (n,)
        Class of each vertebra.
    patients : ndarray of int, shape (n,)
        Numbers of the patients, as :func:`check_labels` gives them.
    n_boot : int
        Number of draws.
    rng : Generator
        Source of the randomness.
    within_kinds : bool, default True
        Draw separately among patients with positive vertebrae only, negative only, and both, so that
        every draw holds both classes; otherwise among all, so that the prevalence varies as well.

    Returns
    -------
    ndarray, shape (draws, patients)
        Whole numbers; index with `[:, patients]` for the weight of each vertebra.
    """
    has_positive = np.bincount(patients, weights=positive) > 0
    has_negative = np.bincount(patients, weights=~positive) > 0
    kind = (has_positive + 2 * has_negative) if within_kinds else np.zeros(len(has_positive), dtype=int)
    weights = np.zeros((n_boot, len(kind)))
    for value in np.unique(kind):
        members = np.flatnonzero(kind == value)
        share = np.full(len(members), 1 / len(members))
        weights[:, members] = rng.multinomial(len(members), share, size=n_boot)
    return weights


def clustered_variance(
    positive: Floats, negative: Floats, has_positive: Bools, has_negative: Bools
) -> Floats:
    """Return the variance of a two-class statistic from its patients' contributions.

    Obuchowski's form: squares of the contributions of each class, each with the factor k / (k - 1) of
    its own number of patients, plus the cross term of patients with both classes.

    Parameters
    ----------
    positive, negative : ndarray, shape (..., patients)
        Sum over a patient's vertebrae of one class of their influence on the statistic; each sums to
        zero over patients, and is zero where a patient has no vertebra of the class.
    has_positive, has_negative : ndarray of bool, shape (..., patients)
        Where a patient has a vertebra of the class.

    Returns
    -------
    ndarray, shape (...)
        NaN where a class has fewer than two patients.
    """
    with np.errstate(divide="ignore", invalid="ignore"):
        inside = _finite_sample(has_positive) * np.square(positive).sum(axis=-1)
        inside = inside + _finite_sample(has_negative) * np.square(negative).sum(axis=-1)
        both = _finite_sample(has_positive | has_negative) * (positive * negative).sum(axis=-1)
        return np.asarray(np.maximum(inside + 2 * both, 0.0))  # rounding may leave -1e-20 where it is zero


def _finite_sample(member: Bools) -> Floats:
    """Return k / (k - 1) for k patients; NaN below two."""
    count = member.sum(axis=-1).astype(np.float64)
    return np.where(count > 1, count / (count - 1), np.nan)


def logit_limits(estimate: Floats, error: Floats, confidence: float) -> tuple[Floats, Floats]:
    """Return Wald limits that are symmetric on the logit scale.

    Parameters
    ----------
    estimate, error : ndarray
        Proportions strictly between 0 and 1, and their standard errors.
    confidence : float
        Confidence level.

    Returns
    -------
    low, high : ndarray
        NaN or meaningless where the standard error is zero.
    """
    with np.errstate(divide="ignore", invalid="ignore"):
        centre = logit(estimate)
        half = ndtri(0.5 + confidence / 2) * error / (estimate * (1 - estimate))
        return np.asarray(expit(centre - half)), np.asarray(expit(centre + half))


def binomial_limits(share: Floats, trials: NDArray[Any], confidence: float) -> tuple[Floats, Floats]:
    """Return exact binomial limits (Clopper-Pearson); `share * trials` need not be whole.

    Parameters
    ----------
    share, trials : ndarray
        Observed proportion, and the number of independent trials that it is worth.
    confidence : float
        Confidence level.

    Returns
    -------
    low, high : ndarray
        0 for no success at all, 1 for nothing but successes.
    """
    hits = share * trials
    tail = (1 - confidence) / 2
    some, most = np.maximum(hits, 1e-300), np.maximum(trials - hits, 1e-300)
    low = np.where(hits > 0, betaincinv(some, trials - hits + 1, tail), 0.0)
    high = np.where(hits < trials, betaincinv(hits + 1, most, 1 - tail), 1.0)
    return low, high


def clustered_proportion(
    successes: ArrayLike, groups: ArrayLike, confidence: float = 0.95
) -> ProportionEstimate:
    """Return the share of vertebrae with a success, with limits that respect patients.

    For sensitivity, pass the positive vertebrae only; for specificity, the negative ones. The estimate
    is the ratio of successes to vertebrae; its variance is that of a ratio estimator over I patients
    with `s_i` successes among `n_i` vertebrae: I / (I - 1) * sum (s_i - p n_i)^2 / (sum n_i)^2. The
    limits are symmetric on the logit scale.

    Parameters
    ----------
    successes : array_like of bool, shape (n,)
        Whether each vertebra was classified correctly (or has whatever is counted).
    groups : array_like, shape (n,)
        The patient of each vertebra.
    confidence : float, default 0.95
        Confidence level of the interval.

    Returns
    -------
    ProportionEstimate
        `estimate, ci_low, ci_high`. At 0 or 1, with one patient, or where all patients have the same
        share, the variance is zero and the limits are the exact binomial ones (Clopper-Pearson) of as
        many trials as there are patients: for 1 the lower limit is (alpha / 2)^(1 / I).

    Raises
    ------
    AnalysisError
        RV503: no vertebra, or lengths differ.

    References
    ----------
    Rao JNK, Scott AJ (1992). A simple method for the analysis of clustered binary data.
    Biometrics 48:577-585. doi:10.2307/2532311

    Examples
    --------
    >>> low_of_all = clustered_proportion([True] * 20, list(range(20))).ci_low
    >>> round(low_of_all, 3)
    0.832
    """
    hits = np.asarray(successes, dtype=bool).astype(np.float64)
    ids = np.asarray(groups, dtype=object)
    if hits.ndim != 1 or hits.shape != ids.shape or hits.size == 0:
        raise AnalysisError(
            Problem(
                "RV503",
                "one success or failure and one patient for at least one vertebra",
                f"successes of shape {hits.shape}, patients of shape {ids.shape}",
                "clustered proportion",
                "pass the successes and patients of the same vertebrae",
            )
        )
    patients = np.unique(ids.astype(str), return_inverse=True)[1]
    sizes, sums = np.bincount(patients), np.bincount(patients, weights=hits)
    share, count = hits.mean(), len(sizes)
    # Whole numbers, so that equal shares in all patients give exactly zero.
    deviations = hits.size * sums - hits.sum() * sizes
    if not deviations.any():
        low, high = binomial_limits(np.array([share]), np.array([count]), confidence)
    else:
        error = np.sqrt(count / (count - 1) * np.square(deviations).sum()) / hits.size**2
        low, high = logit_limits(np.array([share]), np.array([error]), confidence)
    return ProportionEstimate(float(share), float(low[0]), float(high[0]))


def too_few_patients(positive: float, negative: float, where: str) -> Problem:
    """Return the problem RV406: a variance between patients needs two patients in each class.

    Parameters
    ----------
    positive, negative : float
        Patients with a positive and with a negative vertebra.
    where : str
        What was to be computed.
    """
    return Problem(
        "RV406",
        "two patients or more with a positive and with a negative vertebra",
        f"{int(positive)} with a positive, {int(negative)} with a negative vertebra",
        where,
        "add patients: with one patient in a class, the variation between patients is unknown",
    )
