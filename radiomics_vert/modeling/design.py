"""From a dataset to what the folds of a validation need, with everything refused that cannot be right."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from radiomics_vert.dataset.covariates import covariate_columns
from radiomics_vert.dataset.nouns import Dataset
from radiomics_vert.errors import AnalysisError, Problem
from radiomics_vert.modeling.baselines import TAKIGAWA_SIGNS
from radiomics_vert.modeling.folds import FoldTask, Plan, inner_folds
from radiomics_vert.modeling.harmonisation import dataset_sites, harmonisation_columns
from radiomics_vert.modeling.models import ModelSpec
from radiomics_vert.modeling.repeats import Repeats, stacked_repeats
from radiomics_vert.modeling.spec import ValidationSpec
from radiomics_vert.modeling.splits import Split, grouped_folds, require_patient_groups, site_folds

logger = logging.getLogger("radiomics_vert.modeling")


@dataclass(frozen=True)
class Design:
    """What a validation does: which models, on which rows, in which folds.

    Parameters
    ----------
    plans : tuple of Plan
        One per model, sharing the data.
    tasks : tuple of FoldTask
        All outer folds of all repeats.
    tested_sites : tuple of str
        With leave-one-site-out the site that each fold tests, in the order of the folds; else empty.
    left_out : tuple of str
        Sites with one class only, whose rows take no part.
    """

    plans: tuple[Plan, ...]
    tasks: tuple[FoldTask, ...]
    tested_sites: tuple[str, ...] = ()
    left_out: tuple[str, ...] = ()


def make_design(
    dataset: Dataset,
    models: Sequence[ModelSpec],
    validation: ValidationSpec,
    *,
    features: Sequence[str] | None = None,
    with_covariates: bool = False,
    repeats: Repeats | None = None,
) -> Design:
    """Check a dataset and lay out the folds of a validation.

    Parameters and errors are those of
    :func:`~radiomics_vert.modeling.validation.cross_validate_many`.

    Returns
    -------
    Design
    """
    require_patient_groups(dataset)
    _require_usable_list(models)
    left_out: tuple[str, ...] = ()
    if validation.scheme == "leave_one_site_out":
        left_out = _one_class_sites(dataset)
        dataset = _without_sites(dataset, left_out)
    shared = _shared_plan(dataset, models[0], validation, features, with_covariates)
    plans = tuple(_for_model(shared, model, dataset, repeats) for model in models)
    tasks = tuple(_tasks(shared, dataset))
    tested: tuple[str, ...] = ()
    if validation.scheme == "leave_one_site_out":
        tested = tuple(sorted(set(dataset_sites(dataset))))
        _require_rule_for_new_sites(models)
    return Design(plans, tasks, tested, left_out)


def require_folds(dataset: Dataset, validation: ValidationSpec) -> None:
    """Lay out every outer and inner fold of a validation and fit nothing, so that errors come early.

    Parameters
    ----------
    dataset : Dataset
        Outcome, patients, sites; features are not looked at.
    validation : ValidationSpec
        Folds, repeats, seed, scheme.

    Raises
    ------
    AnalysisError
        RV405, RV501: groups missing, or finer than patients. RV502: too few patients per class, in all or
        in the training part of an outer fold. RV105, RV507: sites missing, or fewer than two to test.
    """
    require_patient_groups(dataset)
    if validation.scheme == "leave_one_site_out":
        dataset = _without_sites(dataset, _one_class_sites(dataset))
    plan = _plan(dataset.X.iloc[:, :0], 0, dataset, ModelSpec(), validation)
    for task in _tasks(plan, dataset):
        inner_folds(plan, task)


def _tasks(plan: Plan, dataset: Dataset) -> Iterator[FoldTask]:
    for repeat in range(1, plan.validation.repeats + 1):
        for fold, split in enumerate(_outer_folds(plan, dataset, repeat), start=1):
            yield FoldTask(repeat, fold, *split)


def _shared_plan(
    dataset: Dataset,
    model: ModelSpec,
    validation: ValidationSpec,
    features: Sequence[str] | None,
    with_covariates: bool,
) -> Plan:
    X = dataset.X if features is None else dataset.X[_known(dataset, features)]
    covariates = covariate_columns(dataset.covariates) if with_covariates else dataset.X.iloc[:, :0]
    # Covariates first, where the pipeline looks for the columns that it must keep.
    table = pd.concat([covariates, X.astype("float64")], axis=1, verify_integrity=True)
    _require_usable(table)
    return _plan(table, covariates.shape[1], dataset, model, validation)


def _plan(
    table: pd.DataFrame, n_covariates: int, dataset: Dataset, model: ModelSpec, validation: ValidationSpec
) -> Plan:
    return Plan(
        np.ascontiguousarray(table.to_numpy()),
        tuple(map(str, table.columns)),
        n_covariates,
        tuple(map(str, table.index)),
        np.asarray(dataset.y, dtype=np.int_),
        dataset.groups.astype(str).to_numpy(dtype=object),
        model,
        validation,
    )


def _for_model(shared: Plan, model: ModelSpec, dataset: Dataset, repeats: Repeats | None) -> Plan:
    """Add what the preparation of one model asks for."""
    plan, preparation = replace(shared, model=model), model.preparation
    if model.family.fixed:
        _require_complete_signs(plan)
        return plan
    if preparation.harmonise is not None:
        sites, covariates = harmonisation_columns(dataset, preparation.harmonise_covariates)
        plan = replace(plan, sites=sites, site_covariates=covariates)
    if preparation.min_icc is not None:
        features = plan.columns[plan.n_covariates :]
        plan = replace(plan, repeats=stacked_repeats(repeats, plan.units, features))
    return plan


def _outer_folds(plan: Plan, dataset: Dataset, repeat: int) -> list[Split]:
    validation = plan.validation
    if validation.scheme == "leave_one_site_out":
        return site_folds(plan.y, plan.groups, dataset_sites(dataset))[0]
    return grouped_folds(
        plan.y,
        plan.groups,
        validation.outer_folds,
        (validation.seed, repeat, 0),
        where=f"outer folds of repeat {repeat}",
    )


def _one_class_sites(dataset: Dataset) -> tuple[str, ...]:
    sites = dataset_sites(dataset)
    _, left_out = site_folds(dataset.y, dataset.groups.astype(str), sites)
    for name in left_out:
        logger.warning(
            "RV507 site %s is left out: its %d vertebrae have one class only",
            name,
            int((sites == name).sum()),
        )
    return tuple(left_out)


def _without_sites(dataset: Dataset, left_out: Sequence[str]) -> Dataset:
    kept = dataset.X.index[~np.isin(dataset_sites(dataset), left_out)]
    parts = ("X", "y", "groups", "covariates", "info")
    return replace(dataset, **{name: getattr(dataset, name).loc[kept] for name in parts})


def _require_usable_list(models: Sequence[ModelSpec]) -> None:
    if not models:
        raise ValueError("at least one model is needed")
    names = [model.name for model in models]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise AnalysisError(
            Problem(
                "RV407",
                "each model once",
                f"{', '.join(twice)} more than once",
                "models to validate",
                "validate variants of a model in separate calls, under different feature set names",
            )
        )


def _require_rule_for_new_sites(models: Sequence[ModelSpec]) -> None:
    refusing = [m.name for m in models if m.preparation.harmonise and m.preparation.unseen_site == "refuse"]
    if refusing:
        raise AnalysisError(
            Problem(
                "RV506",
                "the rule 'reference' for unknown sites: leave-one-site-out tests nothing else",
                "the rule 'refuse'",
                f"preparation of {', '.join(refusing)}",
                "set unseen_site to reference, or leave harmonisation out",
            )
        )


def _require_complete_signs(plan: Plan) -> None:
    """Refuse a published rule on columns that are not its signs."""
    if plan.model.name == "published":
        expected = "one column of probabilities, 0 to 1 for every vertebra"
        fits = len(plan.columns) == 1 and bool(((plan.X >= 0) & (plan.X <= 1)).all())
    else:
        expected = f"the columns {', '.join(TAKIGAWA_SIGNS)}, in this order, 0 or 1 for every vertebra"
        fits = plan.columns == TAKIGAWA_SIGNS and bool(np.isin(plan.X, (0.0, 1.0)).all())
    if not fits:
        raise AnalysisError(
            Problem(
                "RV503",
                expected,
                f"{len(plan.columns)} columns ({', '.join(plan.columns[:4])}), "
                f"{int(np.isnan(plan.X).sum())} missing values",
                f"features to validate with {plan.model.name}",
                "name the signs, or leave this model out (baseline_sets says when it can be used)",
            )
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
