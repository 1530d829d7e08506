"""Intraclass correlation of many features at once: six forms with F intervals, and their bootstrap."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.special import fdtrc, ndtr, ndtri
from scipy.stats import f as f_distribution

from radiomics_vert.errors import AnalysisError, Problem
from radiomics_vert.roc.clusters import Floats

FORMS = ("ICC(1,1)", "ICC(2,1)", "ICC(3,1)", "ICC(1,k)", "ICC(2,k)", "ICC(3,k)")
"""Shrout and Fleiss' names: model 1 random raters per target, 2 random raters, 3 these raters only."""

# Sums of squares at the level of rounding are none: their ratio would print an arbitrary ICC.
ROUNDING = 1e-20


class MeanSquares(NamedTuple):
    """The two-way analysis of variance of targets x raters, for many features.

    Parameters
    ----------
    targets, raters, error : ndarray, shape (..., p)
        Mean squares between targets, between raters, and of the residual.
    within : ndarray, shape (..., p)
        Mean square within targets: raters and residual together.
    n : ndarray, shape (..., p)
        Number of complete targets.
    k : int
        Number of raters.
    """

    targets: Floats
    raters: Floats
    error: Floats
    within: Floats
    n: Floats
    k: int


class IccEstimate(NamedTuple):
    """One form of the intraclass correlation, for many features; each array has the shape (p,).

    Parameters
    ----------
    estimate, ci_low, ci_high : ndarray
        NaN where the coefficient is not defined. The single forms lie between -1 / (k - 1) and 1; the
        averaged forms have no lower bound.
    statistic : ndarray
        F statistic of the hypothesis that the coefficient is 0; infinite under perfect agreement.
    p_value : ndarray
        Of that statistic.
    """

    estimate: Floats
    ci_low: Floats
    ci_high: Floats
    statistic: Floats
    p_value: Floats


def require_form(form: str) -> None:
    """Refuse a form that does not exist (RV503)."""
    if form not in FORMS:
        raise AnalysisError(
            Problem(
                "RV503",
                f"one of {', '.join(FORMS)}",
                repr(form),
                "form of the intraclass correlation",
                "use ICC(2,1) for agreement of single measurements by raters who stand for others",
            )
        )


def complete(values: Floats) -> NDArray[np.bool_]:
    """Tell which targets have a finite value of every rater.

    Parameters
    ----------
    values : ndarray, shape (n, k, p)
        Targets x raters x features.

    Returns
    -------
    ndarray of bool, shape (n, p)
    """
    return np.asarray(np.isfinite(values).all(axis=1))


def mean_squares(values: Floats, weights: Floats | None = None) -> MeanSquares:
    """Return the mean squares of targets x raters, over the complete targets of each feature.

    Parameters
    ----------
    values : ndarray, shape (n, k, p)
        Targets x raters x features.
    weights : ndarray, shape (b, n), optional
        How often each target is counted, in each of b samples (bootstrap, jackknife). Every target
        once by default, and then the results have the shape (p,) instead of (b, p).

    Returns
    -------
    MeanSquares
        NaN where fewer than two targets are complete.

    Raises
    ------
    AnalysisError
        RV503: `values` has not three dimensions, or fewer than two raters.
    """
    _require_measurements(values)
    inside = complete(values)
    centred = _centred(values, inside)
    k = values.shape[1]
    counts = np.ones((1, len(values))) if weights is None else weights
    n = counts @ inside
    with np.errstate(divide="ignore", invalid="ignore"):
        grand = counts @ centred.sum(axis=1)
        correction = np.square(grand) / (n * k)
        total = counts @ np.square(centred).sum(axis=1) - correction
        between = counts @ np.square(centred.sum(axis=1)) / k - correction
        by_rater = sum((np.square(counts @ centred[:, j]) for j in range(k)), np.zeros(n.shape))
        raters = by_rater / n - correction
        scale = ROUNDING * _scale(values, inside) * n * k
        between, raters = (np.where(part > scale, part, 0.0) for part in (between, raters))
        error = total - between - raters
        error = np.where(error > np.maximum(scale, 1e-14 * total), error, 0.0)
        freedom = n - 1, k - 1
        parts = (
            between / freedom[0],
            raters / freedom[1],
            error / (freedom[0] * freedom[1]),
            (raters + error) / (n * freedom[1]),
        )
    whole = slice(None) if weights is not None else 0
    targets, by_raters, residual, within = (np.where(n >= 2, part, np.nan)[whole] for part in parts)
    return MeanSquares(targets, by_raters, residual, within, np.asarray(n[whole], dtype=np.float64), k)


def _require_measurements(values: Floats) -> None:
    if values.ndim != 3 or values.shape[1] < 2:
        raise AnalysisError(
            Problem(
                "RV503",
                "targets x raters x features with at least two raters",
                f"an array of shape {values.shape}",
                "measurements",
                "measure each target at least twice: two raters, two sessions or a perturbed mask",
            )
        )


def _centred(values: Floats, inside: NDArray[np.bool_]) -> Floats:
    """Subtract each feature's mean, so that sums of squares keep their digits; leave the incomplete out."""
    kept = np.where(inside[:, None, :], values, 0.0)
    count = np.maximum(inside.sum(axis=0) * values.shape[1], 1)
    return np.where(inside[:, None, :], kept - kept.sum(axis=(0, 1)) / count, 0.0)


def _scale(values: Floats, inside: NDArray[np.bool_]) -> Floats:
    kept = np.where(inside[:, None, :], np.abs(values), 0.0)
    return np.asarray(np.square(kept.max(axis=(0, 1), initial=0.0)))


def icc_estimate(squares: MeanSquares, form: str) -> Floats:
    """Return one form of the coefficient from mean squares.

    Parameters
    ----------
    squares : MeanSquares
        Of any shape.
    form : str
        One of :data:`FORMS`.

    Returns
    -------
    ndarray
        NaN where nothing varies.
    """
    require_form(form)
    targets, raters, error, within, n, k = squares
    # The mean square of disagreement, and the excess of the raters over it per target.
    noise, excess = {
        "1": (within, np.zeros_like(within)),
        "2": (error, (raters - error) / np.maximum(n, 1)),
        "3": (error, np.zeros_like(error)),
    }[form[4]]
    single = form.endswith(",1)")
    with np.errstate(divide="ignore", invalid="ignore"):
        whole = targets + (k - 1) * noise + k * excess if single else targets + excess
        return np.asarray((targets - noise) / whole)


def icc(values: Floats, *, confidence: float = 0.95) -> dict[str, IccEstimate]:
    """Return the six intraclass correlations of Shrout and Fleiss with F intervals.

    Which one: ICC(2,1) when the raters stand for others and their offsets count as errors (the usual
    question of a radiomics study); ICC(3,1) when only these raters matter and offsets do not count;
    ICC(1,1) when each target had its own raters. The k forms concern the mean of all k measurements.

    The intervals assume independent targets and normal effects. Vertebrae of one patient are not
    independent, which makes the intervals too narrow; :func:`icc_bootstrap` resamples patients instead.

    Parameters
    ----------
    values : ndarray, shape (n, k, p)
        Targets x raters x features. A target with a missing value of a feature is left out for it.
    confidence : float, default 0.95
        Confidence level.

    Returns
    -------
    dict of str to IccEstimate
        By the names of :data:`FORMS`. NaN where fewer than two targets are complete or nothing varies.
        Perfect agreement has both limits at 1.

    Raises
    ------
    AnalysisError
        RV503: not three dimensions, or fewer than two raters.

    References
    ----------
    Shrout PE, Fleiss JL (1979). Intraclass correlations: uses in assessing rater reliability.
    Psychological Bulletin 86:420-428. doi:10.1037/0033-2909.86.2.420

    McGraw KO, Wong SP (1996). Forming inferences about some intraclass correlation coefficients.
    Psychological Methods 1:30-46. doi:10.1037/1082-989X.1.1.30

    Examples
    --------
    >>> ratings = [[9, 2, 5, 8], [6, 1, 3, 2], [8, 4, 6, 8], [7, 1, 2, 6], [10, 5, 6, 9], [6, 2, 4, 7]]
    >>> found = icc(np.array(ratings, dtype=float)[:, :, None])
    >>> [round(float(found[form].estimate[0]), 2) for form in FORMS[:3]]
    [0.17, 0.29, 0.71]
    """
    squares = mean_squares(values)
    return {form: _with_limits(squares, form, confidence) for form in FORMS}


def _with_limits(squares: MeanSquares, form: str, confidence: float) -> IccEstimate:
    estimate = icc_estimate(squares, form)
    n, k = squares.n, squares.k
    df1 = np.maximum(n - 1, 1)
    df2 = np.maximum(n, 1) * (k - 1) if form[4] == "1" else df1 * (k - 1)
    noise = squares.within if form[4] == "1" else squares.error
    with np.errstate(divide="ignore", invalid="ignore"):
        statistic = squares.targets / noise
        p_value = np.where(np.isnan(statistic), np.nan, fdtrc(df1, df2, statistic))
        if form[4] == "2":
            low, high = _limits_of_agreement(squares, confidence)
        else:
            tail = 0.5 + confidence / 2
            low, high = (
                (ratio - 1) / (ratio + k - 1)
                for ratio in (
                    statistic / f_distribution.ppf(tail, df1, df2),
                    statistic * f_distribution.ppf(tail, df2, df1),
                )
            )
        if form.endswith(",k)"):
            low, high = (_of_the_mean(limit, k) for limit in (low, high))
    perfect = estimate == 1.0
    low, high = (np.where(perfect, 1.0, np.where(np.isnan(estimate), np.nan, x)) for x in (low, high))
    return IccEstimate(estimate, low, high, statistic, np.where(perfect, 0.0, p_value))


def _of_the_mean(limit: Floats, k: int) -> Floats:
    """Step a limit up from one measurement to the mean of k; below -1 / (k - 1) there is no mean form."""
    divisor = 1 + limit * (k - 1)
    return np.asarray(np.where(divisor > 0, limit * k / divisor, -np.inf))


def _limits_of_agreement(squares: MeanSquares, confidence: float) -> tuple[Floats, Floats]:
    """Return the limits of ICC(2,1), by Satterthwaite's degrees of freedom of the raters' and error terms."""
    targets, raters, error, _, n, k = squares
    rho = icc_estimate(squares, "ICC(2,1)")
    spread = n * (1 + (k - 1) * rho) - k * rho
    # Multiplied through by the error mean square, which may be zero.
    top = (k - 1) * (n - 1) * np.square(k * rho * raters + spread * error)
    bottom = (n - 1) * np.square(k * rho * raters) + np.square(spread * error)
    freedom = top / bottom
    tail = 0.5 + confidence / 2
    upper = f_distribution.ppf(tail, n - 1, freedom)
    lower = f_distribution.ppf(tail, freedom, n - 1)
    noise = k * raters + (k * n - k - n) * error
    low = n * (targets - upper * error) / (upper * noise + n * targets)
    high = n * (lower * targets - error) / (noise + n * lower * targets)
    return low, high


def icc_bootstrap(
    values: Floats,
    patients: NDArray[np.intp],
    form: str,
    *,
    confidence: float = 0.95,
    n_bootstrap: int = 1000,
    seed: int = 0,
) -> tuple[Floats, Floats]:
    """Return limits of one form from resampled patients (bias-corrected and accelerated).

    Whole patients are drawn with replacement, with all their vertebrae, so the limits need neither
    independent vertebrae nor normal values. The correction matters: resampled coefficients lie below
    the estimate, because repeated patients shrink the variation between targets. The acceleration
    comes from leaving out one patient at a time.

    Parameters
    ----------
    values : ndarray, shape (n, k, p)
        Targets x raters x features.
    patients : ndarray of int, shape (n,)
        Number of each target's patient, 0, 1, ...
    form : str
        One of :data:`FORMS`.
    confidence : float, default 0.95
        Confidence level.
    n_bootstrap : int, default 1000
        Samples.
    seed : int, default 0
        Of the draws; all features share them.

    Returns
    -------
    low, high : ndarray, shape (p,)
        NaN with fewer than three patients or where the coefficient is not defined.

    References
    ----------
    Efron B (1987). Better bootstrap confidence intervals. Journal of the American Statistical
    Association 82:171-185. doi:10.1080/01621459.1987.10478410
    """
    estimate = icc_estimate(mean_squares(values), form)
    count = int(patients.max()) + 1
    if count < 3:
        return np.full_like(estimate, np.nan), np.full_like(estimate, np.nan)
    rng = np.random.default_rng(seed)
    draws = rng.multinomial(count, np.full(count, 1 / count), size=n_bootstrap).astype(np.float64)
    left_out = 1.0 - np.eye(count)
    low, high = np.empty_like(estimate), np.empty_like(estimate)
    step = max(1, 4_000_000 // n_bootstrap)  # features at a time: some 100 MB of working memory
    for start in range(0, values.shape[2], step):
        part = slice(start, start + step)
        resampled, jackknife = (
            icc_estimate(mean_squares(values[:, :, part], weights[:, patients]), form)
            for weights in (draws, left_out)
        )
        low[part], high[part] = _bca(estimate[part], resampled, jackknife, confidence)
    return low, high


def _bca(estimate: Floats, resampled: Floats, jackknife: Floats, confidence: float) -> tuple[Floats, Floats]:
    """Return bias-corrected and accelerated limits; samples and left-out patients are rows."""
    ordered = np.sort(resampled, axis=0)  # undefined samples come last
    defined = (~np.isnan(ordered)).sum(axis=0)
    size = np.maximum(defined, 1)
    below = ((ordered < estimate).sum(axis=0) + 0.5 * (ordered == estimate).sum(axis=0)) / size
    bias = ndtri(np.clip(below, 0.5 / size, 1 - 0.5 / size))
    usable = ~np.isnan(jackknife)
    centre = np.where(usable, jackknife, 0.0).sum(axis=0) / np.maximum(usable.sum(axis=0), 1)
    deviation = np.where(usable, centre - jackknife, 0.0)
    with np.errstate(divide="ignore", invalid="ignore"):
        skew = (deviation**3).sum(axis=0) / (6 * np.square(deviation).sum(axis=0) ** 1.5)
    acceleration = np.where(np.isfinite(skew), skew, 0.0)
    limits = []
    for tail in (0.5 - confidence / 2, 0.5 + confidence / 2):
        shifted = bias + ndtri(tail)
        level = ndtr(bias + shifted / (1 - acceleration * shifted))
        limits.append(np.where(np.isnan(estimate), np.nan, sorted_quantile(ordered, size, level)))
    return limits[0], limits[1]


def sorted_quantile(ordered: Floats, size: NDArray[np.intp], level: Floats | float) -> Floats:
    """Return a quantile of each column, by linear interpolation.

    Parameters
    ----------
    ordered : ndarray, shape (m, p)
        Ascending along the first axis, missing values last.
    size : ndarray of int, shape (p,)
        How many values of each column to use, at least one.
    level : float or ndarray, shape (p,)
        Between 0 and 1.

    Returns
    -------
    ndarray, shape (p,)
    """
    position = level * (size - 1)
    below = np.floor(position).astype(int)
    above = np.minimum(below + 1, size - 1)
    column = np.arange(ordered.shape[1])
    low, high = ordered[below, column], ordered[above, column]
    return np.asarray(low + (position - below) * (high - low))
