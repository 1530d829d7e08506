"""Elastic-net logistic regression with an intercept that has converged."""

from __future__ import annotations

from typing import Self

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.optimize import brentq
from scipy.special import expit
from sklearn.linear_model import LogisticRegression
from sklearn.utils.class_weight import compute_sample_weight

FloatArray = NDArray[np.float64]


class ElasticNetLogistic(LogisticRegression):  # type: ignore[misc]
    """`LogisticRegression` with the saga solver, whose intercept is then brought to its optimum.

    The solver stops by the change of the coefficients alone. Where the penalty holds all of them at
    zero it stops after one pass, with whatever intercept it has by then: with 2 positive cases of 40
    it predicts 0.43 instead of 0.05. Given the coefficients, the intercept is a convex problem of one
    dimension; its solution makes the mean prediction equal to the observed share. Parameters and
    attributes are those of :class:`sklearn.linear_model.LogisticRegression`.

    Examples
    --------
    >>> X, y = np.array([[-1.0], [1.0], [-1.0], [1.0]]), [0, 0, 0, 1]
    >>> model = ElasticNetLogistic(solver="saga", l1_ratio=1.0, C=0.01, random_state=0).fit(X, y)
    >>> model.predict_proba(X)[:, 1].round(6).tolist()
    [0.25, 0.25, 0.25, 0.25]
    """

    def fit(self, X: ArrayLike, y: ArrayLike, sample_weight: ArrayLike | None = None) -> Self:
        """Fit coefficients, then the intercept.

        Parameters
        ----------
        X : array-like, shape (n, p)
            Training rows, standardised.
        y : array-like, shape (n,)
            Outcome, two classes.
        sample_weight : array-like, shape (n,), optional
            Weights of the rows.
        """
        super().fit(X, y, sample_weight)
        linear = np.asarray(X, dtype=np.float64) @ self.coef_[0]
        weights = np.ones(len(linear)) if sample_weight is None else np.asarray(sample_weight)
        if self.class_weight is not None:
            weights = weights * compute_sample_weight(self.class_weight, y)
        positive = np.asarray(y) == self.classes_[1]
        self.intercept_ = np.array([_best_intercept(linear, positive, weights)])
        return self


def _best_intercept(linear: FloatArray, positive: NDArray[np.bool_], weights: FloatArray) -> float:
    """Solve sum of weights * (y - p) = 0 for the intercept."""
    share = np.average(positive, weights=weights)
    start = np.log(share / (1 - share))
    # If `linear` were constant, start - linear would solve it; so its range brackets the solution.
    low, high = start - linear.max(), start - linear.min()
    if high - low < 1e-12:
        return float(low)
    target = np.sum(weights * positive)
    return float(brentq(lambda b: np.sum(weights * expit(linear + b)) - target, low - 1e-9, high + 1e-9))
