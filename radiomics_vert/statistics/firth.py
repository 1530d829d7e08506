"""Firth-penalised logistic regression with profile likelihood limits, for separated and sparse data."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from scipy.optimize import brentq
from scipy.special import expit, log_expit
from scipy.stats import chi2

from radiomics_vert.roc.clusters import Bools, Floats

_ITERATIONS = 200
_LONGEST_STEP = 5.0  # on the logit scale: a longer Newton step overshoots where data are separated
_TOLERANCE = 1e-16  # expected gain of the penalised log-likelihood by the next step
_FARTHEST = 60.0  # log odds; a limit beyond it is no limit


class FirthEstimate(NamedTuple):
    """One coefficient of a Firth-penalised logistic regression.

    Parameters
    ----------
    log_odds, ci_low, ci_high : float
        Coefficient and profile likelihood limits; NaN where the search did not succeed.
    standard_error : float
        From the inverse Fisher information; the limits do not use it.
    statistic, p_value : float
        Signed root of the penalised likelihood ratio for a coefficient of zero, and its p value.
    """

    log_odds: float
    ci_low: float
    ci_high: float
    standard_error: float
    statistic: float
    p_value: float


def firth_logistic(
    design: Floats, y: Floats, column: int, *, weights: Floats | None = None, confidence: float = 0.95
) -> FirthEstimate:
    """Return one coefficient of a logistic regression penalised with the Jeffreys prior.

    The log-likelihood gains half the logarithm of the determinant of the Fisher information, which
    keeps every coefficient finite, also where a covariate separates the classes. The limits are those
    values of the coefficient at which the penalised likelihood, maximised over the other coefficients
    with the penalty of the full model, falls by half the chi-squared quantile. For a single binary
    covariate all this equals the analysis of the 2x2 table with 1/2 added to each cell.

    Parameters
    ----------
    design : ndarray, shape (n, p)
        With a column of ones for the intercept; full column rank.
    y : ndarray, shape (n,)
        0 or 1.
    column : int
        Which coefficient.
    weights : ndarray, shape (n,), optional
        How many observations each row is worth; ones by default. One over the design effect of
        clustering makes the limits those of as many independent vertebrae as the data are worth.
    confidence : float, default 0.95
        Confidence level of the limits.

    Returns
    -------
    FirthEstimate

    References
    ----------
    Firth D (1993). Bias reduction of maximum likelihood estimates. Biometrika 80:27-38.
    doi:10.1093/biomet/80.1.27

    Heinze G, Schemper M (2002). A solution to the problem of separation in logistic regression.
    Statistics in Medicine 21:2409-2419. doi:10.1002/sim.1047

    Examples
    --------
    A sign in 3 of 4 positive and 0 of 4 negative vertebrae: (3.5 * 4.5) / (1.5 * 0.5) = 21.

    >>> sign = np.array([1, 1, 1, 0, 0, 0, 0, 0])
    >>> design = np.column_stack([np.ones(8), sign])
    >>> fit = firth_logistic(design, np.array([1, 1, 1, 1, 0, 0, 0, 0.0]), 1)
    >>> round(float(np.exp(fit.log_odds)), 3)
    21.0
    """
    model = _Penalised(design, y, np.ones(len(y)) if weights is None else weights)
    everything = np.ones(design.shape[1], dtype=bool)
    best = model.maximise(np.zeros(design.shape[1]), everything)
    if not best.converged:
        return FirthEstimate(*[np.nan] * 6)
    error = float(np.sqrt(model.covariance(best.params)[column, column]))
    estimate = float(best.params[column])
    drop = float(chi2.ppf(confidence, 1))
    low, high = (_limit(_Profile(model, column, best), estimate, sign * error, drop) for sign in (-1, 1))
    ratio = _Profile(model, column, best)(0.0)
    root = float(np.sign(estimate) * np.sqrt(max(ratio, 0.0)))
    return FirthEstimate(estimate, low, high, error, root, float(chi2.sf(ratio, 1)))


class _Maximum(NamedTuple):
    params: Floats
    likelihood: float
    converged: bool


@dataclass(frozen=True)
class _Penalised:
    """The penalised likelihood of one data set."""

    design: Floats
    y: Floats
    weights: Floats

    def likelihood(self, params: Floats) -> float:
        linear = self.design @ params
        fit = self.weights @ np.where(self.y == 1, log_expit(linear), log_expit(-linear))
        sign, determinant = np.linalg.slogdet(self._information(linear))
        return float(fit + determinant / 2) if sign > 0 else -np.inf

    def covariance(self, params: Floats) -> Floats:
        return np.asarray(np.linalg.inv(self._information(self.design @ params)))

    def _information(self, linear: Floats) -> Floats:
        curvature = self.weights * expit(linear) * expit(-linear)
        return np.asarray((self.design * curvature[:, None]).T @ self.design)

    def step(self, params: Floats, free: Bools) -> tuple[Floats, Floats]:
        """Return the Newton step of the free coefficients, and their penalised score."""
        linear = self.design @ params
        share = expit(linear)
        curvature = self.weights * share * expit(-linear)
        information = (self.design * curvature[:, None]).T @ self.design
        leverage = curvature * np.einsum("ij,ji->i", self.design, np.linalg.solve(information, self.design.T))
        score = self.design.T @ (self.weights * (self.y - share) + leverage * (0.5 - share))
        # The penalty acts as half a success and half a failure per unit of leverage, which add to the
        # curvature; without them the steps of a small weighted sample overshoot and zigzag.
        curvature = (self.weights + leverage) * share * expit(-linear)
        columns = self.design[:, free]
        step = np.zeros_like(params)
        step[free] = np.linalg.solve((columns * curvature[:, None]).T @ columns, score[free])
        return step, score[free]

    def maximise(self, start: Floats, free: Bools) -> _Maximum:
        """Newton's method with halved steps; coefficients that are not free keep their value."""
        params, value = start.copy(), self.likelihood(start)
        if not free.any():
            return _Maximum(params, value, bool(np.isfinite(value)))
        gain = np.inf
        for _ in range(_ITERATIONS if np.isfinite(value) else 0):
            step, score = self.step(params, free)
            gain = float(score @ step[free]) / 2
            if gain < _TOLERANCE:
                return _Maximum(params, value, True)
            step *= min(1.0, _LONGEST_STEP / np.abs(step).max())
            params, value, moved = self._uphill(params, value, step)
            if not moved:  # the likelihood has no more digits to tell steps apart
                break
        return _Maximum(params, value, bool(np.isfinite(value)) and gain < np.sqrt(_TOLERANCE))

    def _uphill(self, params: Floats, value: float, step: Floats) -> tuple[Floats, float, bool]:
        for _ in range(30):
            trial = self.likelihood(params + step)
            if trial > value:
                return params + step, trial, True
            step = step / 2
        return params, value, False


@dataclass
class _Profile:
    """Twice the fall of the penalised likelihood with one coefficient held; follows a path."""

    model: _Penalised
    column: int
    best: _Maximum

    def __post_init__(self) -> None:
        self.last = self.best.params

    def __call__(self, value: float) -> float:
        """Return the loss at `value`; NaN where the other coefficients find no maximum."""
        covariance = self.model.covariance(self.last)[:, self.column]
        # The others move along with the held one: the last maximum alone can lie far from the next.
        start = self.last + covariance / covariance[self.column] * (value - self.last[self.column])
        start[self.column] = value
        if not np.isfinite(self.model.likelihood(start)):
            return np.nan
        held = self.model.maximise(start, np.arange(len(start)) != self.column)
        if not held.converged:
            return np.nan
        self.last = held.params
        return 2 * (self.best.likelihood - held.likelihood)


def _limit(loss: Callable[[float], float], estimate: float, step: float, drop: float) -> float:
    """Return where the loss reaches `drop`, walking from the estimate in the direction of `step`."""
    inner, outer = estimate, estimate + 2 * step
    while abs(outer - estimate) < _FARTHEST:
        fallen = loss(outer)
        if np.isnan(fallen):
            return np.nan
        if fallen > drop:
            return float(brentq(lambda value: loss(value) - drop, inner, outer, xtol=1e-8))
        inner, outer = outer, estimate + 2 * (outer - estimate)
    return np.nan
