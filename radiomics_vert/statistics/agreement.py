"""How far measurements of the same targets lie apart: concordance, Bland-Altman limits, repeatability."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from scipy.special import chdtri, ndtri, stdtrit

from radiomics_vert.roc.clusters import Floats
from radiomics_vert.statistics.effects import Effect
from radiomics_vert.statistics.icc import complete, mean_squares

# The normal quantile of limits that hold 95 % of the differences, as Bland and Altman draw them.
WIDTH = float(ndtri(0.975))


class BlandAltman(NamedTuple):
    """Bias and limits of agreement of two measurements, each of shape (p,), in units of the feature.

    Parameters
    ----------
    n : ndarray
        Targets with both measurements.
    bias, bias_low, bias_high : ndarray
        Mean of (second - first) with its interval.
    loa_low, loa_low_low, loa_low_high : ndarray
        Lower limit of agreement with its interval.
    loa_high, loa_high_low, loa_high_high : ndarray
        Upper limit of agreement with its interval.
    """

    n: Floats
    bias: Floats
    bias_low: Floats
    bias_high: Floats
    loa_low: Floats
    loa_low_low: Floats
    loa_low_high: Floats
    loa_high: Floats
    loa_high_low: Floats
    loa_high_high: Floats


class Repeatability(NamedTuple):
    """Variation of repeated measurements of one target, each of shape (p,).

    Parameters
    ----------
    within_sd : ndarray
        Standard deviation within targets, in units of the feature; the raters' offsets count.
    coefficient, coefficient_low, coefficient_high : ndarray
        Repeatability coefficient 1.96 sqrt(2) within_sd with its interval: two measurements of one
        target differ by less in 95 % of the cases.
    within_cv : ndarray
        Within-subject coefficient of variation (root mean square over targets); NaN where a target
        has the mean 0 or targets differ in sign, because then a ratio to the mean has no sense.
    """

    within_sd: Floats
    coefficient: Floats
    coefficient_low: Floats
    coefficient_high: Floats
    within_cv: Floats


def concordance(values: Floats, *, confidence: float = 0.95) -> Effect:
    """Return Lin's concordance correlation; for more than two raters, the overall one.

    It is 1 only when the measurements lie on the line of equality: both scatter and offset lower it.
    The overall coefficient (Barnhart) is the mean over pairs of raters, weighted by what each pair
    would differ by if it were unrelated; for two raters it is Lin's. Variances have the divisor n, as
    Lin has them. The limits, for two raters only, use Fisher's z transform and assume independent
    targets and normal values.

    Parameters
    ----------
    values : ndarray, shape (n, k, p)
        Targets x raters x features; incomplete targets are left out.
    confidence : float, default 0.95
        Confidence level.

    Returns
    -------
    Effect
        NaN where nothing varies or fewer than two targets are complete. Limits are NaN for more than
        two raters, for fewer than three targets, and where the correlation is 0.

    References
    ----------
    Lin LI-K (1989). A concordance correlation coefficient to evaluate reproducibility.
    Biometrics 45:255-268. doi:10.2307/2532051

    Barnhart HX, Haber M, Song J (2002). Overall concordance correlation coefficient for evaluating
    agreement among multiple observers. Biometrics 58:1020-1027. doi:10.1111/j.0006-341X.2002.01020.x
    """
    squares = mean_squares(values)
    n, k = squares.n, squares.k
    # Per target, from the analysis of variance: the covariance and the variance about rater means.
    covariance = (n - 1) / n * (squares.targets - squares.error) / k
    variance = (n - 1) / n * (squares.targets + (k - 1) * squares.error) / k
    offset = (k - 1) * squares.raters / n
    with np.errstate(divide="ignore", invalid="ignore"):
        estimate = (k - 1) * covariance / ((k - 1) * variance + offset)
    if k > 2:
        undefined = np.full_like(estimate, np.nan)
        return Effect(estimate, undefined, undefined)
    return Effect(estimate, *_concordance_limits(values, estimate, n, confidence))


def _concordance_limits(
    values: Floats, estimate: Floats, n: Floats, confidence: float
) -> tuple[Floats, Floats]:
    inside = complete(values)
    pair = np.where(inside[:, None, :], values, 0.0)
    with np.errstate(divide="ignore", invalid="ignore"):
        mean = pair.sum(axis=0) / n
        deviation = np.where(inside[:, None, :], pair - mean, 0.0)
        variance = np.square(deviation).sum(axis=0) / n
        scale = np.sqrt(variance[0] * variance[1])
        r = (deviation[:, 0] * deviation[:, 1]).sum(axis=0) / n / scale
        shift = np.square(mean[1] - mean[0]) / scale
        ratio = estimate / r
        rest = 1 - np.square(estimate)
        error = (
            (1 - np.square(r)) * np.square(ratio) / rest
            + 2 * np.square(estimate) * ratio * (1 - estimate) * shift / rest**2
            - np.square(estimate * ratio * shift) / (2 * rest**2)
        ) / (n - 2)
        half = ndtri(0.5 + confidence / 2) * np.sqrt(error)
        centre = np.arctanh(np.clip(estimate, -1.0, 1.0))
        perfect = estimate >= 1.0
        low, high = (np.where(perfect, 1.0, np.tanh(centre + sign * half)) for sign in (-1, 1))
    usable = n >= 3
    return np.where(usable, low, np.nan), np.where(usable, high, np.nan)


def bland_altman(first: Floats, second: Floats, *, confidence: float = 0.95) -> BlandAltman:
    """Return bias and 95 % limits of agreement of two measurements, with intervals.

    Parameters
    ----------
    first, second : ndarray, shape (n, p)
        Targets x features; a target with one measurement only is left out.
    confidence : float, default 0.95
        Confidence level of the intervals. The limits themselves always hold 95 % of the differences.

    Returns
    -------
    BlandAltman
        NaN with fewer than two targets. The intervals assume independent targets and normal
        differences; those of the limits are Bland and Altman's approximation, with the standard error
        s sqrt(1 / n + 1.96^2 / (2 (n - 1))).

    References
    ----------
    Bland JM, Altman DG (1999). Measuring agreement in method comparison studies. Statistical Methods
    in Medical Research 8:135-160. doi:10.1177/096228029900800204
    """
    difference = second - first
    inside = np.isfinite(difference)
    n = inside.sum(axis=0).astype(np.float64)
    with np.errstate(divide="ignore", invalid="ignore"):
        bias = np.where(inside, difference, 0.0).sum(axis=0) / n
        deviation = np.where(inside, difference - bias, 0.0)
        sd = np.sqrt(np.square(deviation).sum(axis=0) / (n - 1))
        quantile = stdtrit(np.maximum(n - 1, 1), 0.5 + confidence / 2)
        around_bias = quantile * sd / np.sqrt(n)
        around_limit = quantile * sd * np.sqrt(1 / n + WIDTH**2 / (2 * (n - 1)))
    centres = ((bias, around_bias), (bias - WIDTH * sd, around_limit), (bias + WIDTH * sd, around_limit))
    numbers = [number for centre, half in centres for number in (centre, centre - half, centre + half)]
    return BlandAltman(n, *(np.where(n >= 2, number, np.nan) for number in numbers))


def repeatability(values: Floats, *, confidence: float = 0.95) -> Repeatability:
    """Return how much repeated measurements of one target vary.

    Parameters
    ----------
    values : ndarray, shape (n, k, p)
        Targets x repeats x features; incomplete targets are left out.
    confidence : float, default 0.95
        Confidence level. The interval is that of a variance with n (k - 1) degrees of freedom.

    Returns
    -------
    Repeatability
        NaN with fewer than two complete targets.

    References
    ----------
    Raunig DL et al. (2015). Quantitative imaging biomarkers: a review of statistical methods for
    technical performance assessment. Statistical Methods in Medical Research 24:27-67.
    doi:10.1177/0962280214537344
    """
    squares = mean_squares(values)
    within, freedom = squares.within, squares.n * (squares.k - 1)
    tails = (0.5 - confidence / 2, 0.5 + confidence / 2)
    low, high = (
        np.sqrt(freedom * within / chdtri(np.maximum(freedom, 1), tail)) * WIDTH * np.sqrt(2)
        for tail in tails
    )
    sd = np.sqrt(within)
    return Repeatability(sd, WIDTH * np.sqrt(2) * sd, low, high, _within_cv(values))


def _within_cv(values: Floats) -> Floats:
    inside = complete(values)
    kept = np.where(inside[:, None, :], values, np.nan)
    mean, variance = kept.mean(axis=1), kept.var(axis=1, ddof=1)
    with np.errstate(divide="ignore", invalid="ignore"):
        squared = np.where(inside, variance / np.square(mean), 0.0).sum(axis=0) / inside.sum(axis=0)
    one_sign = ((mean > 0) | ~inside).all(axis=0) | ((mean < 0) | ~inside).all(axis=0)
    return np.where(one_sign & (inside.sum(axis=0) >= 2), np.sqrt(squared), np.nan)
