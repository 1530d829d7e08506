"""The outer folds of a validation, fitted once more with what the inner folds had chosen."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pandas as pd
from sklearn.pipeline import Pipeline

from radiomics_vert.errors import AnalysisError, Problem
from radiomics_vert.modeling.folds import FoldTask, Plan
from radiomics_vert.modeling.models import GridPoint, build_pipeline, pipeline_parameters
from radiomics_vert.modeling.rows import fit_pipeline
from radiomics_vert.results import Result


def validated_folds(
    plan: Plan, tasks: Sequence[FoldTask], result: Result, feature_set: str
) -> list[tuple[FoldTask, GridPoint]]:
    """Return each outer fold with the hyper-parameters that its inner folds chose.

    Parameters
    ----------
    plan : Plan
        Data and model, laid out as for the validation.
    tasks : sequence of FoldTask
        All outer folds.
    result : Result
        The validation; other feature sets and models may be in it too.
    feature_set : str
        Name of the feature set.

    Returns
    -------
    list of (FoldTask, dict)

    Raises
    ------
    AnalysisError
        RV503: the result does not hold this feature set and model, or comes from other folds.
    """
    own = {name: own_rows(result, name, feature_set, plan.model.name) for name in ("folds", "predictions")}
    _require_same_folds(plan, tasks, own["predictions"])
    points = _chosen_points(plan, own["folds"])
    return [(task, points[task.repeat, task.fold]) for task in tasks]


def refit_fold(plan: Plan, task: FoldTask, point: GridPoint) -> Pipeline:
    """Fit the pipeline of one outer fold on its training rows."""
    pipeline = build_pipeline(plan.model, plan.n_covariates)
    pipeline.set_params(**pipeline_parameters(plan.model, point))
    return fit_pipeline(pipeline, plan.X[task.train], plan.y[task.train], plan.rows.take(task.train))


def own_rows(result: Result, table: str, feature_set: str, model: str) -> pd.DataFrame:
    """Return the rows of a validation's table that belong to one feature set and model.

    Raises
    ------
    AnalysisError
        RV503: there are none.
    """
    frame = result.frame(table)
    own = frame[(frame["feature_set"] == feature_set) & (frame["model"] == model)]
    if own.empty:
        known = frame[["feature_set", "model"]].drop_duplicates().agg(", ".join, axis=1)
        raise AnalysisError(_other_validation(f"{feature_set}, {model}", "; ".join(known)))
    return own


def _chosen_points(plan: Plan, folds: pd.DataFrame) -> dict[tuple[int, int], GridPoint]:
    """Return the grid point of each fold, looked up in the grid because a table on disk has no types."""
    points = plan.model.points(n_features=plan.X.shape[1] - plan.n_covariates)
    chosen: dict[tuple[int, int], GridPoint] = {}
    for row in folds.to_dict("records"):
        agreeing = [point for point in points if all(_same(row.get(k), v) for k, v in point.items())]
        if not agreeing:
            raise AnalysisError(_other_validation("hyper-parameters of the grid", "others in the folds"))
        chosen[int(row["repeat"]), int(row["fold"])] = agreeing[0]
    return chosen


def _same(found: Any, wanted: Any) -> bool:
    if isinstance(wanted, int | float) and isinstance(found, int | float):
        return abs(found - wanted) <= 1e-9 * max(1.0, abs(wanted))
    return str(found) == str(wanted)


def _require_same_folds(plan: Plan, tasks: Sequence[FoldTask], predictions: pd.DataFrame) -> None:
    validated = {key: set(rows["unit"]) for key, rows in predictions.groupby(["repeat", "fold"])}
    now = {(task.repeat, task.fold): {plan.units[row] for row in task.test} for task in tasks}
    if validated != now:
        raise AnalysisError(
            _other_validation("the folds of this dataset, model and validation", "other test vertebrae")
        )


def _other_validation(expected: str, found: str) -> Problem:
    return Problem(
        "RV503", expected, found, "validation to explain", "pass the arguments that made the validation"
    )
