"""The model that leaves the building: chosen and fitted once on all development rows, then locked."""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
from sklearn import config_context
from sklearn.pipeline import Pipeline
from threadpoolctl import threadpool_limits

from radiomics_vert.dataset import Dataset, parse_feature
from radiomics_vert.modeling.design import make_design
from radiomics_vert.modeling.fitted import (
    UNKNOWN_UNIT,
    Development,
    FittedModel,
    Harmonisation,
    Input,
    feature_unit,
)
from radiomics_vert.modeling.folds import Plan
from radiomics_vert.modeling.models import ModelSpec, build_pipeline, pipeline_parameters
from radiomics_vert.modeling.overlap import patient_key, row_fingerprints, salted, telling_fingerprints
from radiomics_vert.modeling.repeats import Repeats
from radiomics_vert.modeling.rows import fit_pipeline
from radiomics_vert.modeling.sharing import Ledger
from radiomics_vert.modeling.spec import ValidationSpec
from radiomics_vert.modeling.splits import grouped_folds
from radiomics_vert.modeling.tuning import Contender, choose_points, choose_threshold
from radiomics_vert.provenance import versions
from radiomics_vert.storage import digest

logger = logging.getLogger("radiomics_vert.modeling")

_INDICATOR = "missingindicator_"


def fit_final(
    dataset: Dataset,
    model: ModelSpec | None = None,
    validation: ValidationSpec | None = None,
    *,
    features: Sequence[str] | None = None,
    with_covariates: bool = False,
    repeats: Repeats | None = None,
) -> FittedModel:
    """Choose and fit the model on all rows, once, after it was validated.

    Hyper-parameters and threshold come from grouped folds of all rows (the inner folds of the
    validation), then the pipeline is fitted on all rows. How well the result fits these rows is never
    reported: that number is too good. What is known about its performance is the result of
    :func:`~radiomics_vert.modeling.validation.cross_validate` with the same arguments, and of
    :func:`~radiomics_vert.modeling.external.validate_external`.

    Parameters
    ----------
    dataset : Dataset
        The development data.
    model, validation : ModelSpec, ValidationSpec, optional
        As they were validated; of the validation the inner folds, the scoring, the threshold rule and
        the seed are used.
    features, with_covariates, repeats
        As in :func:`~radiomics_vert.modeling.validation.cross_validate`.

    Returns
    -------
    FittedModel

    Raises
    ------
    AnalysisError
        As in :func:`~radiomics_vert.modeling.validation.cross_validate`.
    """
    spec, rules = model or ModelSpec(), validation or ValidationSpec()
    # One cheap repeat: of the design only the checked rows are needed, none is left out or held back.
    layout = replace(rules, scheme="repeated_kfold", outer_folds=2, repeats=1)
    plan = make_design(
        dataset, [spec], layout, features=features, with_covariates=with_covariates, repeats=repeats
    ).plans[0]
    pipeline, point, threshold = _choose_and_fit(plan, rules)
    return FittedModel(
        pipeline,
        _inputs(dataset, plan, pipeline),
        threshold,
        point,
        spec.as_dict(),
        rules.as_dict(),
        _development(dataset, plan),
        versions(),
        harmonisation=_harmonisation(dataset, spec, pipeline),
    )


def dataset_parameters(dataset: Dataset, features: Iterable[str]) -> dict[str, tuple[str, ...]]:
    """Return the digests of the extraction parameters behind some features, per sequence.

    Parameters
    ----------
    dataset : Dataset
        Whose provenance tells how the features were measured.
    features : iterable of str
        Names; where they hold a sequence, only sequences that occur are returned.

    Returns
    -------
    dict of str to tuple of str
        Empty for a table that was made elsewhere.
    """
    found: dict[str, set[str]] = {}
    for table in dataset.provenance.reproducible.get("features", ()):
        for sequence, used in table.get("parameters", {}).items():
            found.setdefault(str(sequence), set()).add(str(used["digest"]))
    named = {parse_feature(name).sequence for name in features} - {""}
    return {key: tuple(sorted(own)) for key, own in sorted(found.items()) if not named or key in named}


def dataset_images(dataset: Dataset) -> tuple[str, ...]:
    """Return the digests of the images behind a dataset: `images` in its provenance, if it is there."""
    return tuple(sorted({str(one) for one in dataset.provenance.reproducible.get("images", ())}))


def _choose_and_fit(plan: Plan, rules: ValidationSpec) -> tuple[Pipeline, dict[str, Any], float]:
    # Repeat 0 does not occur in a validation: these folds are shuffles of their own.
    splits = grouped_folds(
        plan.y, plan.groups, rules.inner_folds, (rules.seed, 0, 0), where="folds of the final model"
    )
    points = plan.model.points(n_features=plan.X.shape[1] - plan.n_covariates)
    contender = Contender(plan.model, build_pipeline(plan.model, plan.n_covariates), points)
    ledger = Ledger()
    with threadpool_limits(limits=1), config_context(assume_finite=True):
        choice = choose_points([contender], plan.X, plan.y, splits, rules.scoring, plan.rows, ledger)[0]
        pipeline = build_pipeline(plan.model, plan.n_covariates)
        pipeline.set_params(**pipeline_parameters(plan.model, choice.point))
        with ledger.stage("final"):
            fit_pipeline(pipeline, plan.X, plan.y, plan.rows)
    if ledger.unconverged["final"]:
        logger.warning("RV504 the final model reached the limit of iterations")
    threshold = choose_threshold(plan.y, choice.probabilities, rules.threshold, rules.target_sensitivity)
    return pipeline, choice.point, threshold


def _inputs(dataset: Dataset, plan: Plan, pipeline: Pipeline) -> tuple[Input, ...]:
    reached = _reaching(pipeline, plan.columns)
    sequences = list(dataset_parameters(dataset, plan.columns))
    sequence = sequences[0] if len(sequences) == 1 else ""
    table = pd.DataFrame(plan.X, columns=list(plan.columns))
    covariates = [_covariate(dataset, name, plan, reached) for name in dataset.covariates.columns]
    numbers = [
        _number(name, feature_unit(name, sequence), name in reached, table[name])
        for name in plan.columns[plan.n_covariates :]
    ]
    return tuple([one for one in covariates if one is not None] + numbers)


def _covariate(dataset: Dataset, name: str, plan: Plan, reached: frozenset[str]) -> Input | None:
    """Describe a covariate; None where it gave no column (not asked for, or one value only)."""
    own = plan.columns[: plan.n_covariates]
    column = dataset.covariates[name]
    if name in own:
        return replace(_number(name, UNKNOWN_UNIT, name in reached, column.astype("float64")), covariate=True)
    values = tuple(sorted(column.dropna().astype("string").unique()))
    columns = [f"{name}={value}" for value in values[1:]]
    if not columns or not set(columns) <= set(own):
        return None
    used = bool(reached & set(columns))
    missing = float(column.isna().mean())
    return Input(str(name), "none", used, tuple(map(str, values)), None, None, None, None, missing, True)


def _number(name: str, unit: str, used: bool, column: pd.Series[float]) -> Input:
    values = column.to_numpy(dtype=np.float64)
    present = values[~np.isnan(values)]
    if len(present) == 0:
        return Input(str(name), unit, used, (), None, None, None, None, 1.0)
    p01, p99 = np.percentile(present, [1, 99])
    missing = 1 - len(present) / len(values)
    return Input(
        str(name), unit, used, (), float(present.min()), float(p01), float(p99), float(present.max()), missing
    )


def _harmonisation(dataset: Dataset, spec: ModelSpec, pipeline: Pipeline) -> Harmonisation | None:
    preparation = spec.preparation
    if preparation.harmonise is None:
        return None
    covariates = tuple(
        one
        for name in preparation.harmonise_covariates
        if (one := _kept(dataset.covariates[name])) is not None
    )
    return Harmonisation(pipeline["harmonise"].sites_, preparation.unseen_site, covariates)


def _kept(column: pd.Series[Any]) -> Input | None:
    """Describe a covariate of harmonisation; None where it gives no column (text with one value)."""
    name = str(column.name)
    if pd.api.types.is_bool_dtype(column) or pd.api.types.is_numeric_dtype(column):
        return replace(_number(name, UNKNOWN_UNIT, True, column.astype("float64")), covariate=True)
    values = tuple(map(str, sorted(column.dropna().astype("string").unique())))
    if len(values) < 2:
        return None
    missing = float(column.isna().mean())
    return Input(name, "none", True, values, None, None, None, None, missing, True)


def _reaching(pipeline: Pipeline, columns: tuple[str, ...]) -> frozenset[str]:
    """Return the columns that reach the classifier, themselves or as a flag that they are missing."""
    if len(pipeline) == 1:
        return frozenset(columns)
    names = [str(name) for name in pipeline[:-1].get_feature_names_out(list(columns))]
    return frozenset(name if name in columns else name.removeprefix(_INDICATOR) for name in names)


def _development(dataset: Dataset, plan: Plan) -> Development:
    content = {
        "units": plan.units,
        "columns": plan.columns,
        "values": hashlib.sha256(np.ascontiguousarray(plan.X).tobytes()).hexdigest(),
        "outcome": plan.y.tolist(),
        "patients": plan.groups.tolist(),
    }
    data = digest(content)
    # From the data itself, so that equal data give equal bundles and nobody else can know it before.
    salt = digest({"salt of": data})
    # Groups may be coarser than patients (a family, a shared scanner); either name counts as known.
    names = {str(one) for one in (*plan.groups, *dataset.info.get("subject_id", pd.Series(dtype=str)))}
    features = list(plan.columns[plan.n_covariates :])
    table = pd.DataFrame(plan.X[:, plan.n_covariates :], columns=features)
    vertebrae = telling_fingerprints(row_fingerprints(table, features), plan.groups)
    return Development(
        n=len(plan.y),
        n_subjects=len(np.unique(plan.groups)),
        prevalence=float(plan.y.mean()),
        outcome=dataset.outcome,
        positive=dataset.positive,
        negative=dataset.negative,
        parameters=dataset_parameters(dataset, plan.columns),
        data=data,
        salt=salt,
        patients=tuple(sorted({salted(salt, patient_key(one)) for one in names})),
        images=tuple(sorted(salted(salt, one) for one in dataset_images(dataset))),
        spellings=tuple(sorted(salted(salt, one) for one in names)),
        vertebrae=tuple(sorted(salted(salt, one) for one in vertebrae)),
    )
