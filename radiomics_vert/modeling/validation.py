"""Honest validation: nested cross-validation by patient, repeated, or leaving out one site."""

from __future__ import annotations

import logging
import time
from collections.abc import Sequence
from functools import partial

import numpy as np
import pandas as pd
from threadpoolctl import threadpool_limits

from radiomics_vert import parallel
from radiomics_vert.dataset.nouns import Dataset
from radiomics_vert.errors import AnalysisError, Problem
from radiomics_vert.modeling.design import Design, make_design
from radiomics_vert.modeling.folds import FoldOutcome, Plan, run_shared_fold
from radiomics_vert.modeling.models import ModelSpec
from radiomics_vert.modeling.repeats import Repeats
from radiomics_vert.modeling.spec import ValidationSpec
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
    repeats: Repeats | None = None,
    n_jobs: int = 1,
    progress: parallel.Progress | None = None,
) -> Result:
    """Validate a model by nested cross-validation; see :func:`cross_validate_many`.

    Parameters
    ----------
    dataset : Dataset
        Features, outcome, patients.
    model : ModelSpec, optional
        Which model; by default the elastic net.
    validation, features, feature_set, with_covariates, repeats, n_jobs, progress
        As in :func:`cross_validate_many`.

    Returns
    -------
    Result
        As in :func:`cross_validate_many`, for one model.
    """
    return cross_validate_many(
        dataset,
        [model or ModelSpec()],
        validation,
        features=features,
        feature_set=feature_set,
        with_covariates=with_covariates,
        repeats=repeats,
        n_jobs=n_jobs,
        progress=progress,
    )


def cross_validate_many(
    dataset: Dataset,
    models: Sequence[ModelSpec],
    validation: ValidationSpec | None = None,
    *,
    features: Sequence[str] | None = None,
    feature_set: str = "all features",
    with_covariates: bool = False,
    repeats: Repeats | None = None,
    n_jobs: int = 1,
    progress: parallel.Progress | None = None,
) -> Result:
    """Validate several models on one set of features by nested cross-validation, on the same folds.

    All vertebrae of a patient are in the same fold, outer and inner. Imputation, filters,
    harmonisation, selection, scaling and the models are fitted on training rows only; hyper-parameters
    and the decision threshold come from the inner folds of the training rows. What models prepare
    alike is prepared once per fold, so that a list costs less than its models one by one; the results
    are the same.

    Parameters
    ----------
    dataset : Dataset
        Features, outcome, patients.
    models : sequence of ModelSpec
        Which models, with different names.
    validation : ValidationSpec, optional
        Folds, repeats, rules.
    features : sequence of str, optional
        Columns of `dataset.X` to use; all by default; `()` with `with_covariates` for a model of the
        covariates only.
    feature_set : str, default "all features"
        Name of this choice of features in tables and reports.
    with_covariates : bool, default False
        Add the covariates; they bypass filters and selection.
    repeats : sequence of DataFrame, optional
        Each holds the features once more for the same vertebrae (index and columns of `dataset.X`),
        from :func:`~radiomics_vert.modeling.repeats.repeated_measurements`; missing rows and values
        count as not measured. Used by models with `min_icc`.
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
        patients at hand, not from the choice of a new training set. With leave-one-site-out the table
        `folds` says which `site` was tested, and `spec["runs"][i]["sites_left_out"]` lists sites with
        one class only, whose vertebrae take no part.

    Raises
    ------
    AnalysisError
        RV405, RV501: groups missing, or finer than patients. RV502: too few patients per class. RV503:
        no feature to use, or no repeated measurements. RV103: a feature that the dataset does not
        have. RV309: an infinite value. RV407: a model named twice. RV506: harmonisation with the
        outcome as covariate, or one site. RV507: leave-one-site-out without two usable sites.

    References
    ----------
    Varma S, Simon R (2006). Bias in error estimation when using cross-validation for model selection.
    BMC Bioinformatics 7:91. doi:10.1186/1471-2105-7-91
    """
    started = time.perf_counter()
    design = make_design(
        dataset,
        models,
        validation or ValidationSpec(),
        features=features,
        with_covariates=with_covariates,
        repeats=repeats,
    )
    by_fold = parallel.run(
        partial(run_shared_fold, design.plans), design.tasks, n_jobs=n_jobs, progress=progress
    )
    folds_done = time.perf_counter()
    outcomes = [list(of_model) for of_model in zip(*by_fold, strict=True)]
    tables = parallel.run(
        partial(_tables, design.tested_sites, feature_set),
        zip(design.plans, outcomes, strict=True),
        n_jobs=n_jobs,
    )
    results = [
        Result(KIND, own, {"runs": [_spec(plan, design, dataset, feature_set)]}, _provenance(dataset))
        for plan, own in zip(design.plans, tables, strict=True)
    ]
    _log(design.plans, outcomes, feature_set, folds_done - started, time.perf_counter() - folds_done)
    return combine(results)


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


def _tables(
    tested_sites: Sequence[str], feature_set: str, model: tuple[Plan, Sequence[FoldOutcome]]
) -> dict[str, pd.DataFrame]:
    plan, outcomes = model
    with threadpool_limits(limits=1):
        tables = validation_tables(plan, outcomes, feature_set)
    if tested_sites:
        place = list(tables["folds"].columns).index("fold") + 1
        tables["folds"].insert(place, "site", [tested_sites[one.task.fold - 1] for one in outcomes])
    return tables


def _spec(plan: Plan, design: Design, dataset: Dataset, feature_set: str) -> dict[str, object]:
    return {
        "feature_set": feature_set,
        "n_features": plan.X.shape[1] - plan.n_covariates,
        "covariates": list(plan.columns[: plan.n_covariates]),
        "model": plan.model.as_dict(),
        "validation": plan.validation.as_dict(),
        "outcome": dataset.outcome,
        "positive": dataset.positive,
        "negative": dataset.negative,
        "n": len(plan.y),
        "n_subjects": len(np.unique(plan.groups)),
        "sites": list(design.tested_sites),
        "sites_left_out": list(design.left_out),
        "summary": "median over repeats of the estimate and of each confidence limit",
    }


def _provenance(dataset: Dataset) -> Provenance:
    return Provenance({**dataset.provenance.reproducible, "versions": versions()})


def _log(
    plans: Sequence[Plan],
    outcomes: Sequence[Sequence[FoldOutcome]],
    feature_set: str,
    seconds_folds: float,
    seconds_tables: float,
) -> None:
    """Tell the time of each stage; those of the folds are summed over folds, whatever the workers."""
    shared = sum(one.notes.preparation for one in outcomes[0])
    logger.info(
        "%s: %d outer folds in %.1f s, tables in %.1f s; preparation %.1f s, shared by %d models",
        feature_set,
        len(outcomes[0]),
        seconds_folds,
        seconds_tables,
        shared,
        len(plans),
    )
    for plan, own in zip(plans, outcomes, strict=True):
        logger.info(
            "%s, %s: tuning %.1f s, refitting %.1f s",
            feature_set,
            plan.model.name,
            sum(one.notes.tuning for one in own),
            sum(one.notes.refitting for one in own),
        )
        unconverged = sum(one.convergence_warnings for one in own)
        if unconverged:
            logger.warning(
                "RV504 %s, %s: %d fits reached the limit of iterations (see table folds)",
                feature_set,
                plan.model.name,
                unconverged,
            )
