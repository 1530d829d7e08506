"""Selection of features inside the pipeline: each selector ranks them in the training rows.

Every selector is fitted in the training rows of a fold only. `fit` ranks; how many of the ranked
features stay (`k`) is looked at afterwards, so that one ranking serves all sizes of a grid and all
models of a list.
"""

from __future__ import annotations

from typing import ClassVar, Literal, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.linear_model import lars_path
from sklearn.utils.validation import check_is_fitted

from radiomics_vert.errors import AnalysisError, Problem
from radiomics_vert.modeling.preparation import (
    BoolArray,
    FloatArray,
    SupervisedFilter,
    auc_distance,
    unit_rows,
)

IndexArray = NDArray[np.intp]
SelectionMethod = Literal["univariate", "mrmr", "stability", "l1"]


class RankedSelector(SupervisedFilter):
    """Shared part of the selectors: `_rank` orders features, the first `k` stay.

    Parameters
    ----------
    k : int, default 10
        Number of features that stay; all ranked ones when there are fewer.
    n_protected : int, default 0
        The first columns, so many, stay besides the `k` and are not ranked (covariates).

    Attributes
    ----------
    ranking_ : ndarray of int
        Columns, best first; a selector may leave out columns.
    """

    unused_in_fit: ClassVar[tuple[str, ...]] = ("k",)
    """Parameters that may change after `fit`."""

    def __init__(self, k: int = 10, n_protected: int = 0) -> None:
        self.k = k
        self.n_protected = n_protected

    def fit(self, X: ArrayLike, y: ArrayLike) -> Self:
        """Rank the features.

        Parameters
        ----------
        X : array-like, shape (n, p)
            Training rows without missing values.
        y : array-like, shape (n,)
            Outcome of the training rows, two classes.
        """
        values, positive = self._validate(X, y)
        free = np.flatnonzero(~self._protected_mask())
        self.ranking_ = free[self._rank(values[:, free], positive)] if len(free) else free
        return self

    def _rank(self, X: FloatArray, positive: BoolArray) -> IndexArray:
        raise NotImplementedError

    def _get_support_mask(self) -> BoolArray:
        check_is_fitted(self, "ranking_")
        support = self._protected_mask()
        support[self.ranking_[: self.k]] = True
        return support


class UnivariateSelector(RankedSelector):
    """Rank by the strength of the univariate relation to the outcome.

    The relation is :func:`~radiomics_vert.modeling.preparation.auc_distance` in the training rows;
    equal ones count in column order. Parameters and attributes as in :class:`RankedSelector`.

    Examples
    --------
    >>> X = [[1.0, 1.0], [2.0, 2.0], [2.0, 3.0], [1.0, 4.0]]
    >>> UnivariateSelector(k=1).fit(X, [0, 0, 1, 1]).get_support().tolist()
    [False, True]
    """

    def _rank(self, X: FloatArray, positive: BoolArray) -> IndexArray:
        return np.argsort(-auc_distance(X, positive), kind="stable")


class MrmrSelector(RankedSelector):
    """Rank by much relevance for the outcome and little redundancy among the features (mRMR).

    The first feature has the largest F statistic between the classes. Each next one has the largest
    quotient of its F statistic and its mean absolute Pearson correlation with the features chosen
    before (the F-test correlation quotient, FCQ, of the source; correlations below 0.001 count as
    0.001). At most half as many features as training rows are ranked. Parameters and attributes as in
    :class:`RankedSelector`.

    References
    ----------
    Ding C, Peng H (2005). Minimum redundancy feature selection from microarray gene expression data.
    J Bioinform Comput Biol 3:185-205. doi:10.1142/S0219720005001004

    Examples
    --------
    >>> a, b = [0.0, 1.0, 4.0, 5.0], [0.0, 2.0, 1.0, 2.0]
    >>> X = np.column_stack([b, a, np.array(a) * 2 + [0.1, 0.0, 0.0, 0.0]])
    >>> MrmrSelector(k=2).fit(X, [0, 0, 1, 1]).ranking_.tolist()
    [2, 1]
    """

    def _rank(self, X: FloatArray, positive: BoolArray) -> IndexArray:
        unit = unit_rows(np.ascontiguousarray(X.T))
        relevance = _f_statistic(unit, positive)
        chosen = [int(np.argmax(relevance))]
        redundancy = np.zeros(len(unit))
        waiting = np.ones(len(unit), dtype=bool)
        while len(chosen) < _most_features(X):
            waiting[chosen[-1]] = False
            redundancy += np.abs(unit @ unit[chosen[-1]])
            score = relevance / np.maximum(redundancy / len(chosen), 0.001)
            chosen.append(int(np.argmax(np.where(waiting, score, -1.0))))
        return np.array(chosen, dtype=np.intp)


class L1Selector(RankedSelector):
    """Rank by the order in which features enter the lasso path.

    The path is that of the least-squares fit of the 0/1 outcome on the standardised features, from the
    strongest penalty downwards; it is exact (LARS) and needs no penalty to be chosen: `k` takes its
    place. Features that have not entered when half as many as training rows have are left out.
    Parameters and attributes as in :class:`RankedSelector`.

    References
    ----------
    Efron B, Hastie T, Johnstone I, Tibshirani R (2004). Least angle regression. Ann Statist 32:407-499.
    doi:10.1214/009053604000000067
    """

    def _rank(self, X: FloatArray, positive: BoolArray) -> IndexArray:
        return lasso_order(X, positive, _most_features(X))


class StabilitySelector(RankedSelector):
    """Stability selection: keep features that the lasso picks in most subsamples of patients.

    Each of `n_subsamples` draws takes half of the patients of either kind (with, without a positive
    vertebra) with all their vertebrae, and notes the first `q` features of the lasso path. Features
    noted in at least the share `threshold` of the draws are ranked by that share, then by
    :func:`~radiomics_vert.modeling.preparation.auc_distance`; if none reaches it, the one noted most
    often stays. `q` follows from the bound of the source on the expected number of false selections,
    `q^2 / ((2 threshold - 1) p)`, set to `false_selections`; the bound assumes exchangeable noise.

    Parameters
    ----------
    k : int, default 10
        At most so many stay.
    n_protected : int, default 0
        The first columns, so many, stay besides and are not ranked.
    n_subsamples : int, default 50
        Draws of patients.
    threshold : float, default 0.6
        Share of draws, above 0.5 and at most 1.
    false_selections : float, default 1.0
        Expected number of falsely selected features that is tolerated.
    random_state : int, default 0
        Seed of the draws.

    Attributes
    ----------
    probability_ : ndarray, shape (ranked columns before the threshold,)
        Share of draws that noted each unprotected column.
    ranking_ : ndarray of int
        Columns that reach the threshold, best first.

    References
    ----------
    Meinshausen N, Buehlmann P (2010). Stability selection. J R Stat Soc B 72:417-473.
    doi:10.1111/j.1467-9868.2010.00740.x
    """

    __metadata_request__fit: ClassVar[dict[str, bool]] = {"groups": True}

    def __init__(
        self,
        k: int = 10,
        n_protected: int = 0,
        n_subsamples: int = 50,
        threshold: float = 0.6,
        false_selections: float = 1.0,
        random_state: int = 0,
    ) -> None:
        super().__init__(k, n_protected)
        self.n_subsamples = n_subsamples
        self.threshold = threshold
        self.false_selections = false_selections
        self.random_state = random_state

    def fit(self, X: ArrayLike, y: ArrayLike, groups: ArrayLike | None = None) -> Self:
        """Rank the features.

        Parameters
        ----------
        X : array-like, shape (n, p)
            Training rows without missing values.
        y : array-like, shape (n,)
            Outcome of the training rows, two classes.
        groups : array-like, shape (n,)
            The patient of each training row.

        Raises
        ------
        AnalysisError
            RV405 without groups: subsamples of vertebrae would make patients look like repetitions.
        """
        self._groups = require_groups(groups, "stability selection")
        super().fit(X, y)
        del self._groups
        return self

    def _rank(self, X: FloatArray, positive: BoolArray) -> IndexArray:
        wanted = np.sqrt(self.false_selections * (2 * self.threshold - 1) * X.shape[1])
        q = max(1, min(int(wanted), X.shape[1]))
        counts = np.zeros(X.shape[1])
        for rows in self._subsamples(positive):
            counts[lasso_order(X[rows], positive[rows], q)] += 1
        self.probability_ = counts / self.n_subsamples
        order = np.lexsort((-auc_distance(X, positive), -self.probability_))
        stable = int((self.probability_ >= self.threshold).sum())
        return np.asarray(order[: max(stable, 1)])

    def _subsamples(self, positive: BoolArray) -> list[IndexArray]:
        rng = np.random.default_rng(self.random_state)
        names, patient = np.unique(self._groups, return_inverse=True)
        affected = np.bincount(patient, weights=positive, minlength=len(names)) > 0
        kinds = [np.flatnonzero(affected), np.flatnonzero(~affected)]
        drawn: list[IndexArray] = []
        while len(drawn) < self.n_subsamples:
            half = [rng.permutation(kind)[: (len(kind) + 1) // 2] for kind in kinds]
            rows = np.flatnonzero(np.isin(patient, np.concatenate(half)))
            # Where patients have vertebrae of both classes, a draw may by chance hold one class only.
            if positive[rows].any() and not positive[rows].all():
                drawn.append(rows)
        return drawn


SELECTORS: dict[SelectionMethod, type[RankedSelector]] = {
    "univariate": UnivariateSelector,
    "mrmr": MrmrSelector,
    "stability": StabilitySelector,
    "l1": L1Selector,
}
"""The selections that :class:`~radiomics_vert.modeling.models.Preparation` can name."""


def lasso_order(X: FloatArray, positive: BoolArray, n_features: int) -> IndexArray:
    """Return the first features to enter the lasso path of the 0/1 outcome, in the order of entry.

    Parameters
    ----------
    X : ndarray, shape (n, p)
        Features; standardised here.
    positive : ndarray of bool, shape (n,)
        Outcome.
    n_features : int
        How many are wanted; fewer come when the path ends before.

    Returns
    -------
    ndarray of int, shape (at most n_features,)

    Examples
    --------
    >>> X = np.array([[0.0, 1.0], [1.0, 1.0], [2.0, 0.0], [3.0, 2.0]])
    >>> lasso_order(X, np.array([False, False, True, True]), 1).tolist()
    [0]
    """
    unit = np.asfortranarray(unit_rows(np.ascontiguousarray(X.T)).T)
    centred = positive - positive.mean()
    # A feature may leave the path again, which takes a step: hence more steps than features.
    _, _, path = lars_path(unit, centred, method="lasso", max_iter=2 * n_features)
    entered = path != 0
    order = np.argsort(np.where(entered.any(axis=1), entered.argmax(axis=1), path.shape[1]), kind="stable")
    return order[: min(n_features, int(entered.any(axis=1).sum()))]


def require_groups(groups: ArrayLike | None, step: str) -> NDArray[np.object_]:
    """Return the patients as an array, or refuse to go on without them.

    Raises
    ------
    AnalysisError
        RV405.
    """
    if groups is None:
        raise AnalysisError(
            Problem(
                "RV405",
                "the patient of each training row",
                "none",
                step,
                "fit with groups (fit_pipeline does), so that vertebrae of one patient stay together",
            )
        )
    return np.asarray(groups)


def _most_features(X: FloatArray) -> int:
    return int(max(1, min(X.shape[1], len(X) // 2)))


def _f_statistic(unit: FloatArray, positive: BoolArray) -> FloatArray:
    """Return the F statistic of one-way analysis of variance, from the correlation with the class."""
    centred = positive - positive.mean()
    squared = (unit @ (centred / np.linalg.norm(centred))) ** 2
    return np.asarray((len(positive) - 2) * squared / np.maximum(1 - squared, 1e-12))
