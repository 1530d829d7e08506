"""Honest validation: repeated nested cross-validation by patient."""

from __future__ import annotations

import logging
import time
from collections.abc import Sequence
from functools import partial

import numpy as np
import pandas as pd

from radiomics_vert import parallel
from radiomics_vert.dataset.covariates import covariate_columns
from radiomics_vert.dataset.nouns import Dataset
from radiomics_vert.errors import AnalysisError, Problem
from radiomics_vert.modeling.folds import FoldOutcome, FoldTask, Plan, run_fold
from radiomics_vert.modeling.models import ModelSpec
from radiomics_vert.modeling.spec import ValidationSpec
from radiomics_vert.modeling.splits import grouped_folds, require_patient_groups
from radiomics_vert.modeling.tables import validation_tables
from radiomics_vert.provenance import Provenance, versions
from radiomics_vert.results import Result

KIND = "validation"

logger = logging.getLogger("radiomics_vert.modeling")


def cross_validate(
    dataset: Dataset,
    model: ModelSpec | None = None,
    validation: ValidationSpec | None = None,
    *,
    features: Sequence[str] | None = None,
    feature_set: str = "all features",
    with_covariates: bool = False,
    n_jobs: int = 1,
    progress: parallel.Progress | None = None,
) -> Result:
    """Validate a model by repeated nested cross-validation.

    All vertebrae of a patient are in the same fold, outer and inner. Imputation, filters, selection,
    scaling and the model are fitted on training rows only; hyper-parameters and the decision threshold
    come from the inner folds of the training rows.

    Parameters
    ----------
    dataset : Dataset
        Features, outcome, patients.
    model : ModelSpec, optional
        Which model; by default the elastic net.
    validation : ValidationSpec, optional
        Folds, repeats, rules.
    features : sequence of str, optional
        Columns of `dataset.X` to use; all by default; `()` with `with_covariates` for a model of the
        covariates only.
    feature_set : str, default "all features"
        Name of this choice of features in tables and reports.
    with_covariates : bool, default False
        Add the covariates; they bypass filters and selection.
    n_jobs : int, default 1
        Workers; results do not depend on it.
    progress : callable, optional
        Called with (done, total) after each outer fold.

    Returns
    -------
    Result
        Kind `validation`. Tables `metrics` (main), `predictions`, `roc`, `calibration`, `folds`,
        `selection`, each with `feature_set` and `model`. Metrics are computed on the out-of-fold
        predictions of each repeat, with intervals clustered by patient; the estimate and each limit in
        the table are their medians over the repeats. The interval describes the uncertainty from the
        patients at hand, not from the choice of a new training set.

    Raises
    ------
    AnalysisError
        RV501: groups finer than patients. RV502: too few patients per class. RV503: no feature to
        use. RV103: a feature that the dataset does not have. RV309: an infinite value.

    References
    ----------
    Varma S, Simon R (2006). Bias in error estimation when using cross-validation for model selection.
    BMC Bioinformatics 7:91. doi:10.1186/1471-2105-7-91
    """
    started = time.perf_counter()
    plan = _plan(dataset, model or ModelSpec(), validation or ValidationSpec(), features, with_covariates)
    outcomes = parallel.run(partial(run_fold, plan), _tasks(plan), n_jobs=n_jobs, progress=progress)
    folds_done = time.perf_counter()
    tables = validation_tables(plan, outcomes, feature_set)
    _log(plan, outcomes, feature_set, folds_done - started, time.perf_counter() - folds_done)
    return Result(KIND, tables, {"runs": [_spec(plan, dataset, feature_set)]}, _provenance(dataset))


def combine(results: Sequence[Result]) -> Result:
    """Stack the validations of several feature sets or models into one result.

    Parameters
    ----------
    results : sequence of Result
        From :func:`cross_validate`, in the order of the report.

    Returns
    -------
    Result
        Same tables, rows one after another; `spec["runs"]` holds the specification of each.

    Raises
    ------
    AnalysisError
        RV407 when a feature set and model appear twice.
    """
    if not results:
        raise ValueError("combine needs at least one result")
    if {result.kind for result in results} != {KIND}:
        raise ValueError("combine takes results of cross_validate only")
    runs = [run for result in results for run in result.spec["runs"]]
    names = [(run["feature_set"], run["model"]["name"]) for run in runs]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise AnalysisError(
            Problem(
                "RV407",
                "each pair of feature set and model once",
                f"{twice[0][0]!r} with {twice[0][1]!r} more than once",
                "validations to combine",
                "give the feature sets different names",
            )
        )
    tables = {
        name: pd.concat([result.tables[name] for result in results], ignore_index=True)
        for name in results[0].tables
    }
    return Result(KIND, tables, {"runs": runs}, results[0].provenance)


def _plan(
    dataset: Dataset,
    model: ModelSpec,
    validation: ValidationSpec,
    features: Sequence[str] | None,
    with_covariates: bool,
) -> Plan:
    require_patient_groups(dataset)
    X = dataset.X if features is None else dataset.X[_known(dataset, features)]
    covariates = covariate_columns(dataset.covariates) if with_covariates else dataset.X.iloc[:, :0]
    # Covariates first, where the pipeline looks for the columns that it must keep.
    table = pd.concat([covariates, X.astype("float64")], axis=1, verify_integrity=True)
    _require_usable(table)
    return Plan(
        np.ascontiguousarray(table.to_numpy()),
        tuple(map(str, table.columns)),
        covariates.shape[1],
        tuple(map(str, table.index)),
        np.asarray(dataset.y, dtype=np.int_),
        dataset.groups.astype(str).to_numpy(dtype=object),
        model,
        validation,
    )


def _known(dataset: Dataset, features: Sequence[str]) -> list[str]:
    unknown = [name for name in features if name not in dataset.X.columns]
    if unknown:
        raise AnalysisError(
            Problem(
                "RV103",
                "features of the dataset",
                f"{len(unknown)} of {len(features)} unknown, for example {unknown[0]!r}",
                "features to validate",
                "correct the names",
            )
        )
    return list(features)


def _require_usable(table: pd.DataFrame) -> None:
    if table.shape[1] == 0:
        raise AnalysisError(
            Problem(
                "RV503",
                "at least one feature or covariate",
                "none",
                "features to validate",
                "name features, or state covariates and ask for them",
            )
        )
    infinite = np.isinf(table.to_numpy()).any(axis=0)
    if infinite.any():
        raise AnalysisError(
            Problem(
                "RV309",
                "finite or missing values",
                f"infinite values in {int(infinite.sum())} features",
                f"for example {table.columns[infinite][0]}",
                "leave the feature out, or make the values missing",
            )
        )


def _tasks(plan: Plan) -> list[FoldTask]:
    validation = plan.validation
    tasks = []
    for repeat in range(1, validation.repeats + 1):
        splits = grouped_folds(
            plan.y,
            plan.groups,
            validation.outer_folds,
            (validation.seed, repeat, 0),
            where=f"outer folds of repeat {repeat}",
        )
        tasks += [FoldTask(repeat, fold, *split) for fold, split in enumerate(splits, start=1)]
    return tasks


def _spec(plan: Plan, dataset: Dataset, feature_set: str) -> dict[str, object]:
    return {
        "feature_set": feature_set,
        "n_features": plan.X.shape[1] - plan.n_covariates,
        "covariates": list(plan.columns[: plan.n_covariates]),
        "model": plan.model.as_dict(),
        "validation": plan.validation.as_dict(),
        "outcome": dataset.outcome,
        "positive": dataset.positive,
        "negative": dataset.negative,
        "n": len(dataset),
        "n_subjects": dataset.n_subjects,
        "summary": "median over repeats of the estimate and of each confidence limit",
    }


def _provenance(dataset: Dataset) -> Provenance:
    return Provenance({**dataset.provenance.reproducible, "versions": versions()})


def _log(
    plan: Plan,
    outcomes: Sequence[FoldOutcome],
    feature_set: str,
    seconds_folds: float,
    seconds_tables: float,
) -> None:
    mean = float(np.mean([outcome.seconds for outcome in outcomes]))
    logger.info(
        "%s, %s: %d outer folds in %.1f s (%.2f s each), tables in %.1f s",
        feature_set,
        plan.model.name,
        len(outcomes),
        seconds_folds,
        mean,
        seconds_tables,
    )
    unconverged = sum(outcome.convergence_warnings for outcome in outcomes)
    if unconverged:
        logger.warning(
            "RV504 %s, %s: %d fits reached the limit of iterations (see table folds)",
            feature_set,
            plan.model.name,
            unconverged,
        )
