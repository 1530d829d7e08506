"""The unit of work of a validation: one outer fold, from its training rows to its test predictions."""

from __future__ import annotations

import time
import warnings
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sklearn import config_context
from sklearn.exceptions import ConvergenceWarning
from sklearn.pipeline import Pipeline
from threadpoolctl import threadpool_limits

from radiomics_vert.modeling.models import (
    GridPoint,
    ModelSpec,
    build_pipeline,
    pipeline_parameters,
)
from radiomics_vert.modeling.spec import ValidationSpec
from radiomics_vert.modeling.splits import IndexArray, grouped_folds
from radiomics_vert.modeling.tuning import choose_point, choose_threshold


@dataclass(frozen=True)
class Plan:
    """What all folds of a validation share.

    Parameters
    ----------
    X : ndarray, shape (n, p)
        Covariates, then features, as numbers; may hold NaN.
    columns : tuple of str
        Names of the columns of `X`.
    n_covariates : int
        The first columns of `X`, so many, are covariates, which always stay.
    units : tuple of str
        Names of the rows.
    y : ndarray of int, shape (n,)
        Outcome.
    groups : ndarray of str, shape (n,)
        The patient.
    model : ModelSpec
        Which model.
    validation : ValidationSpec
        How it is validated.
    """

    X: NDArray[np.float64]
    columns: tuple[str, ...]
    n_covariates: int
    units: tuple[str, ...]
    y: NDArray[np.int_]
    groups: NDArray[np.object_]
    model: ModelSpec
    validation: ValidationSpec


@dataclass(frozen=True)
class FoldTask:
    """One outer fold of one repeat; both are numbered from 1.

    Parameters
    ----------
    repeat, fold : int
        Which one.
    train, test : ndarray of int
        Row positions.
    """

    repeat: int
    fold: int
    train: IndexArray
    test: IndexArray


@dataclass(frozen=True)
class FoldOutcome:
    """What one outer fold gives.

    Parameters
    ----------
    task : FoldTask
        Which fold.
    probability : ndarray, shape (test rows,)
        Predictions of the test rows.
    threshold : float
        Chosen by the inner folds.
    point : dict
        Hyper-parameters chosen by the inner folds.
    inner_score : float
        Score of the chosen point in the inner folds, larger is better.
    coefficients : Series
        Of the standardised features in the fitted model, zeros included; index: feature.
    convergence_warnings : int
        Fits that reached the limit of iterations, on the grid and in the refit.
    seconds : float
        Duration; for the log, never for a table.
    """

    task: FoldTask
    probability: NDArray[np.float64]
    threshold: float
    point: GridPoint
    inner_score: float
    coefficients: pd.Series[float]
    convergence_warnings: int
    seconds: float


def run_fold(plan: Plan, task: FoldTask) -> FoldOutcome:
    """Tune on the training rows, refit, predict the test rows.

    The test rows are used once, to be predicted. One thread only, because the last digits of a matrix
    product depend on the number of threads and the result must not.

    Parameters
    ----------
    plan : Plan
        Data and specifications.
    task : FoldTask
        Which rows.

    Returns
    -------
    FoldOutcome
    """
    started = time.perf_counter()
    with (
        threadpool_limits(limits=1),
        config_context(assume_finite=True),
        warnings.catch_warnings(record=True) as caught,
    ):
        warnings.simplefilter("always", ConvergenceWarning)
        outcome = _tune_and_predict(plan, task)
    unconverged = 0
    for warning in caught:
        if issubclass(warning.category, ConvergenceWarning):
            unconverged += 1
        else:
            warnings.warn_explicit(warning.message, warning.category, warning.filename, warning.lineno)
    point, threshold, inner_score, fitted, probability = outcome
    return FoldOutcome(
        task,
        probability,
        threshold,
        point,
        inner_score,
        _coefficients(fitted, plan.columns),
        unconverged,
        time.perf_counter() - started,
    )


def _tune_and_predict(
    plan: Plan, task: FoldTask
) -> tuple[GridPoint, float, float, Pipeline, NDArray[np.float64]]:
    validation = plan.validation
    X, y, groups = plan.X[task.train], plan.y[task.train], plan.groups[task.train]
    splits = grouped_folds(
        y,
        groups,
        validation.inner_folds,
        (validation.seed, task.repeat, task.fold),
        where=f"inner folds of repeat {task.repeat}, outer fold {task.fold}",
    )
    pipeline = build_pipeline(plan.model, plan.n_covariates)
    points = plan.model.points(n_features=X.shape[1] - plan.n_covariates)
    choice = choose_point(pipeline, plan.model, points, X, y, splits, validation.scoring)
    threshold = choose_threshold(y, choice.probabilities, validation.threshold, validation.target_sensitivity)
    fitted = pipeline.set_params(**pipeline_parameters(plan.model, choice.point)).fit(X, y)
    probability = fitted.predict_proba(plan.X[task.test])[:, 1]
    return choice.point, threshold, choice.score, fitted, probability


def _coefficients(fitted: Pipeline, columns: tuple[str, ...]) -> pd.Series[float]:
    names = fitted[:-1].get_feature_names_out(columns)
    return pd.Series(fitted[-1].coef_[0], index=names, dtype="float64")
