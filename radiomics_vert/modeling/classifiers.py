"""Classifiers that keep the vertebrae of a patient together while they learn."""

from __future__ import annotations

from typing import Any, ClassVar, Literal, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.base import BaseEstimator, ClassifierMixin, clone
from sklearn.calibration import CalibratedClassifierCV
from sklearn.svm import SVC
from sklearn.utils.validation import check_is_fitted

from radiomics_vert.errors import AnalysisError, Problem
from radiomics_vert.modeling.selection import require_groups
from radiomics_vert.modeling.splits import Split, patients_per_class

FloatArray = NDArray[np.float64]


class CalibratedSVC(ClassifierMixin, BaseEstimator):  # type: ignore[misc]
    """Support vector machine whose scores become probabilities inside the training rows.

    Folds by patient give out-of-fold scores of the training rows; a logistic curve through them
    (Platt) maps the scores of the machine that is fitted on all training rows.

    Parameters
    ----------
    kernel : {"linear", "rbf"}, default "linear"
        Kernel.
    C : float, default 1.0
        Inverse strength of the penalty.
    gamma : float or {"scale"}, default "scale"
        Width of the RBF kernel; `scale` is 1 / (features x variance).
    class_weight : {None, "balanced"}, default None
        Weights of the classes in the machine.
    n_folds : int, default 5
        Folds of the calibration; fewer where a class has fewer patients.

    Attributes
    ----------
    classes_ : ndarray, shape (2,)
        The classes.
    coef_ : ndarray, shape (1, p)
        Of the linear kernel only.

    References
    ----------
    Platt J (1999). Probabilistic outputs for support vector machines and comparisons to regularized
    likelihood methods. Advances in Large Margin Classifiers, 61-74.
    """

    __metadata_request__fit: ClassVar[dict[str, bool]] = {"groups": True}

    def __init__(
        self,
        kernel: Literal["linear", "rbf"] = "linear",
        C: float = 1.0,
        gamma: float | Literal["scale"] = "scale",
        class_weight: Literal["balanced"] | None = None,
        n_folds: int = 5,
    ) -> None:
        self.kernel = kernel
        self.C = C
        self.gamma = gamma
        self.class_weight = class_weight
        self.n_folds = n_folds

    def fit(self, X: ArrayLike, y: ArrayLike, groups: ArrayLike | None = None) -> Self:
        """Fit the machine and its calibration.

        Parameters
        ----------
        X : array-like, shape (n, p)
            Training rows, standardised.
        y : array-like of int, shape (n,)
            Outcome, 1 for the positive class.
        groups : array-like, shape (n,)
            The patient of each row.

        Raises
        ------
        AnalysisError
            RV405 without groups; RV502 when a class has fewer than two patients.
        """
        patients = require_groups(groups, "calibration of the support vector machine")
        machine = SVC(kernel=self.kernel, C=self.C, gamma=self.gamma, class_weight=self.class_weight)
        calibrated = CalibratedClassifierCV(
            machine, method="sigmoid", ensemble=False, cv=_calibration_folds(y, patients, self.n_folds)
        )
        self.calibrated_ = calibrated.fit(np.asarray(X), np.asarray(y))
        self.classes_ = self.calibrated_.classes_
        return self

    def predict_proba(self, X: ArrayLike) -> FloatArray:
        """Return the calibrated probability of each class, shape (n, 2)."""
        check_is_fitted(self, "calibrated_")
        return np.asarray(self.calibrated_.predict_proba(X))

    def predict(self, X: ArrayLike) -> NDArray[Any]:
        """Return the likelier class of each row."""
        return np.asarray(self.classes_[np.argmax(self.predict_proba(X), axis=1)])

    @property
    def coef_(self) -> FloatArray:
        """Coefficients of the linear kernel."""
        return np.asarray(self.calibrated_.calibrated_classifiers_[0].estimator.coef_)


class PatientOversampler(ClassifierMixin, BaseEstimator):  # type: ignore[misc]
    """Fit a classifier on training rows in which the rarer class is repeated, patient by patient.

    Patients with rows of the rarer class are drawn with replacement, and all their rows of that class
    are added, until both classes have about the same number of rows (the last draw may overshoot).
    Only training rows are ever repeated. The probabilities are then no longer calibrated to the
    prevalence of the study.

    Parameters
    ----------
    estimator : classifier
        What is fitted; it is cloned.
    random_state : int, default 0
        Seed of the draws.

    Attributes
    ----------
    estimator_ : classifier
        The fitted one.
    classes_ : ndarray, shape (2,)
        The classes.
    """

    __metadata_request__fit: ClassVar[dict[str, bool]] = {"groups": True}

    def __init__(self, estimator: ClassifierMixin, random_state: int = 0) -> None:
        self.estimator = estimator
        self.random_state = random_state

    def fit(self, X: ArrayLike, y: ArrayLike, groups: ArrayLike | None = None) -> Self:
        """Repeat rows, then fit.

        Parameters
        ----------
        X : array-like, shape (n, p)
            Training rows.
        y : array-like of int, shape (n,)
            Outcome, two classes.
        groups : array-like, shape (n,)
            The patient of each row.

        Raises
        ------
        AnalysisError
            RV405 without groups.
        """
        patients, labels = require_groups(groups, "oversampling"), np.asarray(y)
        rows = balanced_rows(labels, patients, self.random_state)
        self.estimator_ = clone(self.estimator)
        further = {"groups": patients[rows]} if isinstance(self.estimator, CalibratedSVC) else {}
        self.estimator_.fit(np.asarray(X)[rows], labels[rows], **further)
        self.classes_ = self.estimator_.classes_
        return self

    def predict_proba(self, X: ArrayLike) -> FloatArray:
        """Return the probability of each class, shape (n, 2)."""
        check_is_fitted(self, "estimator_")
        return np.asarray(self.estimator_.predict_proba(X))

    def predict(self, X: ArrayLike) -> NDArray[Any]:
        """Return the likelier class of each row."""
        check_is_fitted(self, "estimator_")
        return np.asarray(self.estimator_.predict(X))

    @property
    def coef_(self) -> FloatArray:
        """Coefficients, where the classifier has them."""
        return np.asarray(self.estimator_.coef_)


def balanced_rows(y: ArrayLike, groups: ArrayLike, seed: int) -> NDArray[np.intp]:
    """Return row positions in which the rarer class is repeated by drawing its patients.

    Parameters
    ----------
    y : array-like of int, shape (n,)
        Outcome, two classes.
    groups : array-like, shape (n,)
        The patient of each row.
    seed : int
        Seed of the draws.

    Returns
    -------
    ndarray of int
        Every row once, in order, then the repetitions.

    Examples
    --------
    >>> balanced_rows([0, 0, 0, 0, 1, 1], ["a", "b", "c", "d", "e", "e"], seed=0).tolist()
    [0, 1, 2, 3, 4, 5, 4, 5]
    """
    labels, patients = np.asarray(y), np.asarray(groups)
    classes, counts = np.unique(labels, return_counts=True)
    rare = np.flatnonzero(labels == classes[np.argmin(counts)])
    lacking = int(counts.max() - counts.min())
    of_patient = [rare[patients[rare] == name] for name in np.unique(patients[rare])]
    rng, added = np.random.default_rng(seed), [np.arange(len(labels))]
    while lacking > 0:
        drawn = of_patient[int(rng.integers(len(of_patient)))]
        added.append(drawn)
        lacking -= len(drawn)
    return np.concatenate(added)


def _calibration_folds(y: ArrayLike, groups: NDArray[np.object_], n_folds: int) -> list[Split]:
    """Deal the patients of either kind (with, without a positive row) out to folds, in their order.

    The folds of a validation are searched among shuffles; these are dealt, because they are needed at
    every grid point, and a test part may hold one class.
    """
    labels = np.asarray(y)
    positive = labels == labels.max()
    names, patient = np.unique(groups, return_inverse=True)
    affected = np.bincount(patient, weights=positive, minlength=len(names)) > 0
    fewest = min(patients_per_class(positive.astype(int), groups))
    fold = np.empty(len(names), dtype=np.intp)
    for kind in (affected, ~affected):
        fold[kind] = np.arange(int(kind.sum())) % max(2, min(n_folds, fewest))
    splits = [
        (np.flatnonzero(fold[patient] != number), np.flatnonzero(fold[patient] == number))
        for number in np.unique(fold)
    ]
    if any(positive[train].all() or not positive[train].any() for train, _ in splits):
        raise AnalysisError(_too_few_patients(positive, groups))
    return splits


def _too_few_patients(positive: NDArray[np.bool_], groups: NDArray[np.object_]) -> Problem:
    negative, affected = patients_per_class(positive.astype(int), groups)
    return Problem(
        "RV502",
        "at least two patients of either class in the training rows",
        f"{affected} patients with the positive class, {negative} with the negative class",
        "calibration of the support vector machine",
        "use fewer folds, add patients, or leave the support vector machines out",
    )
