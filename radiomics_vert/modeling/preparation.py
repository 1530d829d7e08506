"""Preparation that learns from data: filters that live inside the pipeline.

Every class here is a scikit-learn transformer that learns in `fit` from the rows it is given and from
nothing else. They are put together by :func:`radiomics_vert.modeling.models.build_pipeline` and
refitted in every training fold; no function of this package fits one of them on all rows.
"""

from __future__ import annotations

from typing import Any, ClassVar, Literal, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.stats import rankdata
from sklearn.base import BaseEstimator
from sklearn.feature_selection import SelectorMixin
from sklearn.utils.validation import check_is_fitted, validate_data

from radiomics_vert.errors import AnalysisError, Problem

FloatArray = NDArray[np.float64]
BoolArray = NDArray[np.bool_]
CorrelationMethod = Literal["spearman", "pearson"]

MIN_REPEATED = 5
"""Rows measured again that an ICC needs."""

_BLOCK = 64


def auc_distance(X: FloatArray, y: BoolArray) -> FloatArray:
    """Return how far the AUC of each feature is from 0.5; ties count one half.

    Parameters
    ----------
    X : ndarray, shape (n, p)
        Features without missing values.
    y : ndarray of bool, shape (n,)
        True for the positive class; both classes present.

    Returns
    -------
    ndarray, shape (p,)
        `|AUC - 0.5|`, between 0 and 0.5.

    Examples
    --------
    >>> X = np.array([[1.0, 5.0], [2.0, 5.0], [3.0, 5.0], [4.0, 5.0]])
    >>> auc_distance(X, np.array([False, False, True, True])).tolist()
    [0.5, 0.0]
    """
    ranks = _ranks(X)
    n_positive = int(y.sum())
    n_pairs = n_positive * (len(y) - n_positive)
    u = ranks[:, y].sum(axis=1) - n_positive * (n_positive + 1) / 2
    return np.asarray(np.abs(u / n_pairs - 0.5))


class _TrainingFilter(SelectorMixin, BaseEstimator):  # type: ignore[misc]
    """Shared part of the filters: `support_` decides; the first `n_protected` columns always stay."""

    n_protected: int
    support_: BoolArray

    def _protected_mask(self) -> BoolArray:
        return np.asarray(np.arange(self.n_features_in_) < self.n_protected)

    def _get_support_mask(self) -> BoolArray:
        check_is_fitted(self, "support_")
        return self.support_


class SupervisedFilter(_TrainingFilter):
    """Shared part of the filters that look at the outcome, which must have two classes."""

    def _validate(self, X: ArrayLike, y: ArrayLike) -> tuple[FloatArray, BoolArray]:
        values, labels = validate_data(self, X, y, dtype=np.float64, ensure_min_samples=2)
        classes = np.unique(labels)
        if len(classes) != 2:
            raise ValueError(f"Only binary classification is supported; y has {len(classes)} classes")
        return values, labels == classes[1]

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.target_tags.required = True
        return tags


class NearConstantFilter(_TrainingFilter):
    """Drop features that hardly vary in the training rows.

    A feature is dropped when its most frequent value fills more than `max_share` of the rows, or when
    its range is below `1e-9` of its largest magnitude (numerical noise around one value).

    Parameters
    ----------
    max_share : float, default 0.95
        Largest share of rows that may carry one and the same value.
    n_protected : int, default 0
        The first columns, so many, are never dropped (covariates of the study).

    Attributes
    ----------
    support_ : ndarray of bool, shape (p,)
        Which features stay.

    Examples
    --------
    >>> X = [[1.0, 0.0], [2.0, 0.0], [3.0, 0.0]]
    >>> NearConstantFilter().fit(X).get_feature_names_out(["volume", "flag"]).tolist()
    ['volume']
    """

    def __init__(self, max_share: float = 0.95, n_protected: int = 0) -> None:
        self.max_share = max_share
        self.n_protected = n_protected

    def fit(self, X: ArrayLike, y: ArrayLike | None = None) -> Self:
        """Learn which features vary.

        Parameters
        ----------
        X : array-like, shape (n, p)
            Training rows.
        y : ignored

        Raises
        ------
        AnalysisError
            RV503 when no feature is left.
        """
        values = validate_data(self, X, dtype=np.float64, ensure_min_samples=2)
        ordered = np.sort(values.T, axis=1)
        spread = ordered[:, -1] - ordered[:, 0]
        magnitude = np.maximum(np.abs(ordered[:, 0]), np.abs(ordered[:, -1]))
        varies = (spread > 1e-9 * magnitude) & (_largest_share(ordered) <= self.max_share)
        self.support_ = varies | self._protected_mask()
        if not self.support_.any():
            raise AnalysisError(_nothing_left(values.shape, self.max_share))
        return self


class CorrelationFilter(SupervisedFilter):
    """Of features that say the same, keep the one that is more related to the outcome.

    Features are visited in the order of their univariate relation to the outcome in the training rows
    (:func:`auc_distance`, largest first; equal ones in column order). A feature stays when its absolute
    correlation with every feature that stayed before it is at most `threshold`.

    Parameters
    ----------
    threshold : float, default 0.9
        Largest absolute correlation between two features that both stay.
    method : {"spearman", "pearson"}, default "spearman"
        Rank correlation, or linear correlation.
    n_protected : int, default 0
        The first columns, so many, take no part: never dropped, and no reason to drop another.

    Attributes
    ----------
    support_ : ndarray of bool, shape (p,)
        Which features stay.

    Examples
    --------
    >>> X = [[1.0, 2.0, 1.0], [2.0, 4.0, -1.0], [4.0, 8.0, 1.0], [3.0, 6.0, -1.0]]
    >>> CorrelationFilter().fit(X, [0, 0, 1, 1]).get_support().tolist()
    [True, False, True]
    """

    def __init__(
        self,
        threshold: float = 0.9,
        method: CorrelationMethod = "spearman",
        n_protected: int = 0,
    ) -> None:
        self.threshold = threshold
        self.method = method
        self.n_protected = n_protected

    def fit(self, X: ArrayLike, y: ArrayLike) -> Self:
        """Learn which features stay.

        Parameters
        ----------
        X : array-like, shape (n, p)
            Training rows without missing values.
        y : array-like, shape (n,)
            Outcome of the training rows, two classes.
        """
        values, positive = self._validate(X, y)
        protected = self._protected_mask()
        free = np.flatnonzero(~protected)
        candidates = values[:, free]
        order = np.argsort(-auc_distance(candidates, positive), kind="stable")
        unit = unit_rows(_ranks(candidates) if self.method == "spearman" else candidates.T)
        self.support_ = protected
        self.support_[free[_keep_uncorrelated(unit, order, self.threshold)]] = True
        return self


class ReliabilityFilter(_TrainingFilter):
    """Keep features that come out alike when the same vertebra is measured again.

    The agreement is ICC(2,1) (two-way random effects, absolute agreement, single measurement) between
    the value in `X` and the repeated measurements, over the training rows that have all of them.

    Parameters
    ----------
    min_icc : float, default 0.75
        Smallest ICC of a feature that stays.
    n_protected : int, default 0
        The first columns, so many, are never dropped and have no repeated measurement.

    Attributes
    ----------
    icc_ : ndarray, shape (p - n_protected,)
        NaN where fewer than :data:`MIN_REPEATED` rows were measured again.
    support_ : ndarray of bool, shape (p,)
        Which features stay.

    References
    ----------
    Shrout PE, Fleiss JL (1979). Intraclass correlations: uses in assessing rater reliability. Psychol
    Bull 86:420-428. doi:10.1037/0033-2909.86.2.420
    """

    __metadata_request__fit: ClassVar[dict[str, bool]] = {"repeats": True}

    def __init__(self, min_icc: float = 0.75, n_protected: int = 0) -> None:
        self.min_icc = min_icc
        self.n_protected = n_protected

    def fit(self, X: ArrayLike, y: ArrayLike | None = None, repeats: ArrayLike | None = None) -> Self:
        """Learn which features are reliable.

        Parameters
        ----------
        X : array-like, shape (n, p)
            Training rows; may hold NaN.
        y : ignored
        repeats : array-like, shape (n, m, p - n_protected)
            The features measured `m` times more; NaN where not.

        Raises
        ------
        AnalysisError
            RV503 without repeated measurements, or when no feature is reliable enough.
        """
        values = validate_data(self, X, dtype=np.float64, ensure_all_finite="allow-nan")
        if repeats is None:
            raise AnalysisError(_no_repeats(len(values)))
        first = values[:, None, self.n_protected :]
        self.icc_ = icc_agreement(np.concatenate([first, np.asarray(repeats, dtype=np.float64)], axis=1))
        self.support_ = self._protected_mask()
        self.support_[self.n_protected :] = self.icc_ >= self.min_icc
        if len(self.icc_) and not (self.icc_ >= self.min_icc).any():
            raise AnalysisError(_unreliable(self.icc_, self.min_icc))
        return self

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.allow_nan = True
        return tags


def icc_agreement(measured: FloatArray) -> FloatArray:
    """Return ICC(2,1) of every feature from its complete rows.

    Parameters
    ----------
    measured : ndarray, shape (n, m, p)
        `m` measurements of `p` features of `n` vertebrae; a row counts for a feature when none of its
        measurements is missing.

    Returns
    -------
    ndarray, shape (p,)
        NaN where fewer than :data:`MIN_REPEATED` rows are complete, or nothing varies.

    Examples
    --------
    >>> first = np.arange(6.0)
    >>> icc_agreement(np.stack([first, first + 1], axis=1)[:, :, None]).round(3).tolist()
    [0.875]
    """
    k = measured.shape[1]
    complete = np.asarray(~np.isnan(measured).any(axis=1))
    n = complete.sum(axis=0)
    usable = n >= MIN_REPEATED
    counts = np.where(usable, n, 2)
    kept = np.where(complete[:, None, :], measured, 0.0)
    # A large common offset would cost digits in the sums of squares.
    grand = kept.sum(axis=(0, 1)) / (counts * k)
    kept = np.where(complete[:, None, :], kept - grand, 0.0)
    rows = k * (kept.mean(axis=1) ** 2).sum(axis=0)
    columns = (kept.sum(axis=0) ** 2).sum(axis=0) / counts
    error = (kept**2).sum(axis=(0, 1)) - rows - columns
    ms_rows, ms_columns = rows / (counts - 1), columns / (k - 1)
    ms_error = np.maximum(error, 0.0) / ((counts - 1) * (k - 1))
    below = ms_rows + (k - 1) * ms_error + k * (ms_columns - ms_error) / counts
    icc = np.full(len(n), np.nan)
    return np.asarray(np.divide(ms_rows - ms_error, below, out=icc, where=usable & (below > 0)))


def _ranks(X: FloatArray) -> FloatArray:
    """Return the average ranks of every column, one row per feature (p, n)."""
    rows = np.ascontiguousarray(X.T)
    order = np.argsort(rows, axis=1)
    ordered = np.take_along_axis(rows, order, axis=1)
    ranks = np.empty_like(rows)
    np.put_along_axis(ranks, order, np.arange(1.0, rows.shape[1] + 1)[None, :], axis=1)
    # Most texture features have no ties; averaging ranks everywhere would take ten times as long.
    tied = (ordered[:, 1:] == ordered[:, :-1]).any(axis=1)
    if tied.any():
        ranks[tied] = rankdata(rows[tied], axis=1)
    return ranks


def unit_rows(rows: FloatArray) -> FloatArray:
    """Centre every row and scale it to length one, so that products are correlations.

    Parameters
    ----------
    rows : ndarray, shape (p, n)
        One feature per row.

    Returns
    -------
    ndarray, shape (p, n)
        Zeros where a feature is constant.
    """
    centred = rows - rows.mean(axis=1, keepdims=True)
    length = np.sqrt((centred**2).sum(axis=1, keepdims=True))
    return np.asarray(np.divide(centred, length, out=np.zeros_like(centred), where=length > 0))


def _keep_uncorrelated(unit: FloatArray, order: NDArray[np.intp], threshold: float) -> NDArray[np.intp]:
    """Visit features in `order`; keep each one that correlates with no kept one.

    Blocks of candidates keep the work in matrix products: only the correlations of kept features with
    those still in question are ever computed, not the whole p x p matrix.
    """
    kept: list[NDArray[np.intp]] = []
    waiting = order
    while len(waiting):
        block, waiting = waiting[:_BLOCK], waiting[_BLOCK:]
        close = np.abs(unit[block] @ unit[block].T) > threshold
        stays: list[int] = []
        for position in range(len(block)):
            if not close[position, stays].any():
                stays.append(position)
        kept.append(block[stays])
        near = np.abs(unit[waiting] @ unit[block[stays]].T) > threshold
        waiting = waiting[~near.any(axis=1)]
    return np.concatenate(kept) if kept else order


def _largest_share(ordered: FloatArray) -> FloatArray:
    """Return, per sorted row, the share that its most frequent value takes."""
    p, n = ordered.shape
    starts = np.ones((p, n), dtype=bool)
    starts[:, 1:] = ordered[:, 1:] != ordered[:, :-1]
    first = np.maximum.accumulate(np.where(starts, np.arange(n), 0), axis=1)
    longest = (np.arange(n) - first).max(axis=1) + 1
    return np.asarray(longest / n, dtype=np.float64)


def _nothing_left(shape: tuple[int, int], max_share: float) -> Problem:
    return Problem(
        "RV503",
        f"at least one feature whose commonest value fills at most {max_share:.0%} of the training rows",
        f"none among {shape[1]} features in {shape[0]} training rows",
        "near-constant filter of a training fold",
        "add features, or leave this feature set out",
    )


def _no_repeats(n: int) -> Problem:
    return Problem(
        "RV503",
        "repeated measurements of the training rows",
        f"none for {n} rows",
        "reliability filter",
        "give the features of a second rater, a second scan or perturbed masks (repeats=...), or leave "
        "min_icc out",
    )


def _unreliable(icc: FloatArray, min_icc: float) -> Problem:
    known = icc[~np.isnan(icc)]
    best = (
        f"the largest is {known.max():.2f}"
        if len(known)
        else f"fewer than {MIN_REPEATED} rows measured again"
    )
    return Problem(
        "RV503",
        f"at least one feature with an ICC of {min_icc:g} in the training rows",
        f"none among {len(icc)}: {best}",
        "reliability filter of a training fold",
        "lower min_icc, or find out why repeated measurements differ",
    )
