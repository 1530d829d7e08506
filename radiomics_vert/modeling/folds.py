"""The unit of work of a validation: one outer fold, from its training rows to its test predictions."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sklearn import config_context
from sklearn.pipeline import Pipeline
from threadpoolctl import threadpool_limits

from radiomics_vert.modeling.models import GridPoint, ModelSpec, build_pipeline
from radiomics_vert.modeling.rows import Rows
from radiomics_vert.modeling.sharing import PREPARATION, Ledger, TrainTest, fit_candidates
from radiomics_vert.modeling.spec import ValidationSpec
from radiomics_vert.modeling.splits import IndexArray, Split, grouped_folds
from radiomics_vert.modeling.tuning import Choice, Contender, choose_points, choose_threshold


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
    sites : ndarray of str, shape (n,), optional
        The site; needed by harmonisation and leave-one-site-out.
    site_covariates : ndarray, shape (n, q), optional
        What harmonisation must not remove.
    repeats : ndarray, shape (n, m, p - n_covariates), optional
        Repeated measurements of the features, for the reliability filter.
    """

    X: NDArray[np.float64]
    columns: tuple[str, ...]
    n_covariates: int
    units: tuple[str, ...]
    y: NDArray[np.int_]
    groups: NDArray[np.object_]
    model: ModelSpec
    validation: ValidationSpec
    sites: NDArray[np.object_] | None = None
    site_covariates: NDArray[np.float64] | None = None
    repeats: NDArray[np.float64] | None = None

    @property
    def rows(self) -> Rows:
        """What steps may ask about the rows."""
        return Rows(self.groups, self.sites, self.site_covariates, self.repeats)


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
class Notes:
    """What a fold took for one model.

    Parameters
    ----------
    preparation : float
        Seconds before the models, shared by all models of the list.
    tuning, refitting : float
        Seconds in fits and predictions of this model.
    unconverged : int
        Fits that reached the limit of iterations, shared preparation included.
    """

    preparation: float
    tuning: float
    refitting: float
    unconverged: int

    @classmethod
    def of(cls, number: int, tuning: Ledger, refit: Ledger) -> Self:
        """Read the entries of one model."""
        name = str(number)
        return cls(
            tuning.seconds[PREPARATION] + refit.seconds[PREPARATION],
            tuning.seconds[name],
            refit.seconds[name],
            sum(ledger.unconverged[key] for ledger in (tuning, refit) for key in (PREPARATION, name)),
        )


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
        Of the standardised features in the fitted model, zeros included, NaN for a model without
        coefficients; index: the features that reach the model.
    convergence_warnings : int
        Fits that reached the limit of iterations, on the grid and in the refit.
    notes : Notes
        Durations; for the log, never for a table.
    """

    task: FoldTask
    probability: NDArray[np.float64]
    threshold: float
    point: GridPoint
    inner_score: float
    coefficients: pd.Series[float]
    convergence_warnings: int
    notes: Notes


def run_fold(plan: Plan, task: FoldTask) -> FoldOutcome:
    """Tune one model on the training rows, refit, predict the test rows; see :func:`run_shared_fold`."""
    return run_shared_fold((plan,), task)[0]


def run_shared_fold(plans: Sequence[Plan], task: FoldTask) -> list[FoldOutcome]:
    """Tune several models on the training rows of one fold, refit them, predict the test rows.

    The test rows are used once per model, to be predicted. All models see the same inner folds, and
    what they prepare alike is prepared once. One thread only, because the last digits of a matrix
    product depend on the number of threads and the result must not.

    Parameters
    ----------
    plans : sequence of Plan
        The same data and validation, one model each.
    task : FoldTask
        Which rows.

    Returns
    -------
    list of FoldOutcome
        One per plan.
    """
    first = plans[0]
    X, y, rows = first.X[task.train], first.y[task.train], first.rows.take(task.train)
    contenders = [
        Contender(
            plan.model,
            build_pipeline(plan.model, plan.n_covariates),
            plan.model.points(n_features=X.shape[1] - plan.n_covariates),
        )
        for plan in plans
    ]
    tuning, refit = Ledger(), Ledger()
    with threadpool_limits(limits=1), config_context(assume_finite=True):
        choices = choose_points(
            contenders, X, y, inner_folds(first, task), first.validation.scoring, rows, tuning
        )
        chosen = [
            candidate
            for number, (one, choice) in enumerate(zip(contenders, choices, strict=True))
            for candidate in one.candidates(number, [choice.point])
        ]
        parts = TrainTest(X, y, first.X[task.test], rows, first.rows.take(task.test))
        fitted = {
            one.model: (probability, _coefficients(pipeline, first.columns))
            for one, pipeline, probability in fit_candidates(chosen, parts, refit)
        }
    return [
        _outcome(task, first.validation, y, choice, fitted[number], Notes.of(number, tuning, refit))
        for number, choice in enumerate(choices)
    ]


def inner_folds(plan: Plan, task: FoldTask) -> list[Split]:
    """Split the training rows of an outer fold by patient.

    Parameters
    ----------
    plan : Plan
        Outcome, patients, rules.
    task : FoldTask
        The outer fold.

    Returns
    -------
    list of (train, test)
        Positions among the training rows.

    Raises
    ------
    AnalysisError
        RV502 too few patients per class are left.
    """
    return grouped_folds(
        plan.y[task.train],
        plan.groups[task.train],
        plan.validation.inner_folds,
        (plan.validation.seed, task.repeat, task.fold),
        where=f"inner folds of repeat {task.repeat}, outer fold {task.fold}",
    )


def _outcome(
    task: FoldTask,
    validation: ValidationSpec,
    y: NDArray[np.int_],
    choice: Choice,
    fitted: tuple[NDArray[np.float64], pd.Series[float]],
    notes: Notes,
) -> FoldOutcome:
    probability, coefficients = fitted
    threshold = choose_threshold(y, choice.probabilities, validation.threshold, validation.target_sensitivity)
    return FoldOutcome(
        task, probability, threshold, choice.point, choice.score, coefficients, notes.unconverged, notes
    )


def _coefficients(fitted: Pipeline, columns: tuple[str, ...]) -> pd.Series[float]:
    """Return a coefficient per feature that reaches the model; NaN where the model has none."""
    names = fitted[:-1].get_feature_names_out(columns) if len(fitted) > 1 else np.asarray(columns)
    values = getattr(fitted[-1], "coef_", np.full((1, len(names)), np.nan))
    return pd.Series(values[0], index=names, dtype="float64")
