"""Published rules that a new model must beat: nothing in them is learned."""

from __future__ import annotations

from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import expit
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.utils.validation import check_is_fitted, validate_data

FloatArray = NDArray[np.float64]

TAKIGAWA_SIGNS = ("diffuse_posterior_protrusion", "pedicle", "posterior_elements", "band")
"""The signs of the rule, 1 present and 0 absent, in the order in which it takes them: diffuse
protrusion of the posterior wall, involvement of the pedicle, involvement of the posterior elements,
low-signal band."""

_COEFFICIENTS = np.array([3.88, 3.05, 3.02, -3.05])
_INTERCEPT = -5.00


class TakigawaLogit(ClassifierMixin, BaseEstimator):  # type: ignore[misc]
    """Probability of malignancy from four signs, with the coefficients published in 2017.

    With `x = 5.00 - 3.88 diffuse_posterior_protrusion - 3.05 pedicle - 3.02 posterior_elements +
    3.05 band`, the probability is `1 / (1 + exp(x))`. The positive class of the study must be the
    malignant one. `fit` learns nothing.

    Attributes
    ----------
    classes_ : ndarray, shape (2,)
        The classes of the outcome.
    coef_ : ndarray, shape (1, 4)
        The published coefficients of the log odds, in the order of :data:`TAKIGAWA_SIGNS`.

    References
    ----------
    Takigawa et al. (2017), as quoted in the evidence table of this project.

    Examples
    --------
    >>> rule = TakigawaLogit().fit(np.zeros((2, 4)), [0, 1])
    >>> signs = [[0, 0, 0, 0], [1, 0, 0, 0], [1, 1, 0, 0], [1, 1, 1, 0], [0, 0, 0, 1]]
    >>> rule.predict_proba(signs)[:, 1].round(4).tolist()
    [0.0067, 0.246, 0.8732, 0.993, 0.0003]
    """

    def fit(self, X: ArrayLike, y: ArrayLike) -> Self:
        """Check the shape and note the classes.

        Parameters
        ----------
        X : array-like, shape (n, 4)
            The signs, in the order of :data:`TAKIGAWA_SIGNS`.
        y : array-like, shape (n,)
            Outcome.

        Raises
        ------
        ValueError
            When there are not four columns.
        """
        values = validate_data(self, X, dtype=np.float64)
        if values.shape[1] != len(TAKIGAWA_SIGNS):
            raise ValueError(f"the rule takes {len(TAKIGAWA_SIGNS)} signs, not {values.shape[1]} columns")
        self.classes_ = np.unique(np.asarray(y))
        self.coef_ = _COEFFICIENTS[None, :].copy()
        return self

    def predict_proba(self, X: ArrayLike) -> FloatArray:
        """Return the probability of each class, shape (n, 2)."""
        check_is_fitted(self, "classes_")
        values = validate_data(self, X, dtype=np.float64, reset=False)
        positive = expit(values @ _COEFFICIENTS + _INTERCEPT)
        return np.column_stack([1 - positive, positive])

    def predict(self, X: ArrayLike) -> NDArray[Any]:
        """Return the likelier class of each row."""
        return np.asarray(self.classes_[(self.predict_proba(X)[:, 1] >= 0.5).astype(int)])


class PublishedProbability(ClassifierMixin, BaseEstimator):  # type: ignore[misc]
    """A probability that was computed before, such as a published score from measured signs.

    `fit` learns nothing. The positive class of the study must be the one whose probability it is.

    Attributes
    ----------
    classes_ : ndarray, shape (2,)
        The classes of the outcome.

    Examples
    --------
    >>> rule = PublishedProbability().fit(np.array([[0.2], [0.9]]), [0, 1])
    >>> rule.predict_proba(np.array([[0.3]]))[0].tolist()
    [0.7, 0.3]
    """

    def fit(self, X: ArrayLike, y: ArrayLike) -> Self:
        """Check that there is one column of probabilities, and note the classes.

        Raises
        ------
        ValueError
            Several columns, or values outside 0 to 1.
        """
        values = validate_data(self, X, dtype=np.float64)
        if values.shape[1] != 1 or values.min() < 0 or values.max() > 1:
            raise ValueError("one column of probabilities from 0 to 1 is needed")
        self.classes_ = np.unique(np.asarray(y))
        return self

    def predict_proba(self, X: ArrayLike) -> FloatArray:
        """Return the probability of each class, shape (n, 2)."""
        check_is_fitted(self, "classes_")
        positive = validate_data(self, X, dtype=np.float64, reset=False)[:, 0]
        return np.column_stack([1 - positive, positive])

    def predict(self, X: ArrayLike) -> NDArray[Any]:
        """Return the likelier class of each row."""
        return np.asarray(self.classes_[(self.predict_proba(X)[:, 1] >= 0.5).astype(int)])
