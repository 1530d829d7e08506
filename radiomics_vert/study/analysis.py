"""The statistics of a study, whatever its dataset came from: measured here or read from a table."""

from __future__ import annotations

from collections.abc import Callable

import pandas as pd

from radiomics_vert.checks import check_confounding, check_dataset, findings_result
from radiomics_vert.dataset import T_SCORE_COLUMNS, Dataset
from radiomics_vert.parallel import Progress
from radiomics_vert.results import Result
from radiomics_vert.statistics import adjust, associate, audit_confounding, sample_size_check, table_one
from radiomics_vert.study.records import values_result

Watch = Callable[[str], Progress | None]
"""Given the name of a piece of work, returns what to call after each finished item."""


def unwatched(_: str) -> None:
    """Watch nothing."""
    return


def renamed(result: Result, kind: str) -> Result:
    """Return the result under another kind."""
    return Result(kind, result.tables, result.spec, result.provenance)


def describe(
    dataset: Dataset, confidence: float, outer_folds: int | None, agreement: Result | None = None
) -> list[Result]:
    """Return Table 1, the findings on the dataset, the association of every feature, and top values.

    Parameters
    ----------
    dataset : Dataset
        The vertebrae.
    confidence : float
        Level of all intervals.
    outer_folds : int or None
        Folds of the planned validation, as :func:`radiomics_vert.check_dataset` takes them.
    agreement : Result, optional
        Kind `reliability`: the ICC of each feature stands beside its association.
    """
    association = associate(dataset, confidence=confidence, agreement=agreement)
    return [
        renamed(findings_result(check_dataset(dataset, outer_folds)), "checks_dataset"),
        table_one(dataset, _described(dataset)),
        association,
        values_result(dataset, association),
    ]


def _described(dataset: Dataset) -> pd.DataFrame:
    """Return the covariates, and the T-scores where there are some."""
    made = [name for name in T_SCORE_COLUMNS if name in dataset.info and name not in dataset.covariates]
    return dataset.covariates.join(dataset.info[made])


def examine(
    dataset: Dataset,
    association: Result,
    info: pd.DataFrame | None,
    adjust_features: int,
    n_jobs: int,
    watch: Watch = unwatched,
) -> list[Result]:
    """Return what else could explain the differences: adjusted associations, confounding, sample size.

    Parameters
    ----------
    dataset : Dataset
        The vertebrae.
    association : Result
        What :func:`describe` found; its smallest p values choose the features to adjust.
    info : DataFrame, optional
        Acquisition facts per vertebra.
    adjust_features : int
        How many features to adjust.
    n_jobs : int
        Parallel workers.
    watch : callable, optional
        Makes a progress callback for each piece of work.
    """
    audit = audit_confounding(dataset, info)
    results = [audit, renamed(findings_result(check_confounding(audit)), "checks_confounding")]
    features = association.frame("features").dropna(subset=["p_value"])
    chosen = list(features.sort_values("p_value", kind="stable")["feature"].head(adjust_features))
    if chosen and dataset.covariates.shape[1]:
        adjusted = adjust(dataset, features=chosen, n_jobs=n_jobs, progress=watch("adjusting for covariates"))
        alone = adjust(dataset, features=chosen, covariates=[], correlation=("independence",), n_jobs=n_jobs)
        tables = {**adjusted.tables, "unadjusted": alone.frame("gee")}
        results.append(Result(adjusted.kind, tables, adjusted.spec, adjusted.provenance))
    counts = dataset.counts()
    check = sample_size_check(
        len(dataset),
        counts[dataset.positive],
        dataset.X.shape[1],
        vertebrae_per_patient=len(dataset) / dataset.n_subjects,
        icc=1.0,  # the cautious end: all fractures of a patient have one cause
    )
    return [*results, check]
