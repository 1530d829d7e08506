"""The statistics of a study, whatever its dataset came from: measured here or read from a table."""

from __future__ import annotations

from collections.abc import Callable

from radiomics_vert.checks import check_dataset, findings_result
from radiomics_vert.dataset import Dataset
from radiomics_vert.modeling import ModelSpec, ValidationSpec, combine, cross_validate
from radiomics_vert.parallel import Progress
from radiomics_vert.results import Result
from radiomics_vert.statistics import associate, table_one
from radiomics_vert.study.records import values_result

Watch = Callable[[str], Progress | None]
"""Given the name of a piece of work, returns what to call after each finished item."""


def unwatched(_: str) -> None:
    """Watch nothing."""
    return


def renamed(result: Result, kind: str) -> Result:
    """Return the result under another kind."""
    return Result(kind, result.tables, result.spec, result.provenance)


def describe(dataset: Dataset, confidence: float, outer_folds: int) -> list[Result]:
    """Return Table 1, the findings on the dataset, the association of every feature, and top values."""
    association = associate(dataset, confidence=confidence)
    return [
        renamed(findings_result(check_dataset(dataset, outer_folds)), "checks_dataset"),
        table_one(dataset),
        association,
        values_result(dataset, association),
    ]


def validate_models(
    dataset: Dataset,
    models: list[ModelSpec],
    validation: ValidationSpec,
    n_jobs: int,
    watch: Watch = unwatched,
) -> Result:
    """Cross-validate every model on the features, the covariates alone, and both together.

    The features must beat the covariates to be worth measuring; without covariates there is one
    feature set.

    Parameters
    ----------
    dataset : Dataset
        Features, outcome, patients, covariates.
    models : list of ModelSpec
        Which models.
    validation : ValidationSpec
        Folds, repeats, rules.
    n_jobs : int
        Parallel workers.
    watch : callable, optional
        Makes a progress callback for each piece of work.

    Returns
    -------
    Result
        Kind `validation`, all feature sets and models stacked.
    """
    # The report tells about the model that was named first, not about the one that came out best.
    primary = {"primary": ["features", models[0].name]}
    sets: list[tuple[str, tuple[str, ...] | None, bool]] = [("features", None, False)]
    if dataset.covariates.shape[1]:
        sets += [("covariates", (), True), ("features + covariates", None, True)]
    joined = combine(
        [
            cross_validate(
                dataset,
                model,
                validation,
                features=features,
                feature_set=name,
                with_covariates=with_covariates,
                n_jobs=n_jobs,
                progress=watch(f"validating {model.name}: {name}"),
            )
            for model in models
            for name, features, with_covariates in sets
        ]
    )
    return Result(joined.kind, joined.tables, {**joined.spec, **primary}, joined.provenance)
