"""Which features compete in a study: named sets, baselines, and the control that must fail."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from radiomics_vert import parallel
from radiomics_vert.dataset.naming import SIGN, parse_feature
from radiomics_vert.dataset.nouns import Dataset
from radiomics_vert.errors import AnalysisError, Problem
from radiomics_vert.modeling.baselines import TAKIGAWA_SIGNS
from radiomics_vert.modeling.models import ModelSpec
from radiomics_vert.modeling.repeats import Repeats
from radiomics_vert.modeling.spec import ValidationSpec
from radiomics_vert.modeling.validation import combine, cross_validate_many
from radiomics_vert.results import Result

VOLUME_FEATURES = ("MeshVolume", "VoxelVolume")
NEGATIVE_CONTROL = "negative control"


@dataclass(frozen=True)
class FeatureSet:
    """Columns that enter a model together.

    Parameters
    ----------
    features : tuple of str
        Columns of `dataset.X`.
    with_covariates : bool
        Whether the covariates of the study enter too.
    """

    features: tuple[str, ...]
    with_covariates: bool


@dataclass(frozen=True)
class Baseline:
    """A simple rule that a model must beat, or the reason why it cannot be had.

    Parameters
    ----------
    features : tuple of str
        Columns of `dataset.X`.
    model : ModelSpec or None
        None when the rule is absent.
    reason : str
        Why it is absent; else empty.
    """

    features: tuple[str, ...]
    model: ModelSpec | None
    reason: str = ""


def feature_sets(dataset: Dataset, signs: Sequence[str] = ()) -> dict[str, FeatureSet]:
    """Return the sets that every study compares, as far as its dataset has them.

    Parameters
    ----------
    dataset : Dataset
        Features and covariates.
    signs : sequence of str, default ()
        Columns of `dataset.X` that are measured imaging signs; the others are texture (all features of
        pyradiomics, shape and first order among them).

    Returns
    -------
    dict of str to FeatureSet
        `covariates`, `signs`, `texture`, `combined`, in this order. Those without a column are absent,
        and so is `combined` when only one of the others exists.

    Raises
    ------
    AnalysisError
        RV103 for a sign that the dataset does not have.
    """
    columns = [str(name) for name in dataset.X.columns]
    unknown = [name for name in signs if name not in columns]
    if unknown:
        raise AnalysisError(_unknown_sign(unknown, len(signs)))
    chosen = tuple(name for name in columns if name in set(signs))
    rest = tuple(name for name in columns if name not in set(signs))
    covariates = dataset.covariates.shape[1] > 0
    found: dict[str, FeatureSet] = {}
    if covariates:
        found["covariates"] = FeatureSet((), True)
    if chosen:
        found["signs"] = FeatureSet(chosen, False)
    if rest:
        found["texture"] = FeatureSet(rest, False)
    if len(found) > 1:
        found["combined"] = FeatureSet((*chosen, *rest), covariates)
    return found


def baseline_sets(dataset: Dataset) -> dict[str, Baseline]:
    """Return the simple rules that a model must beat.

    Parameters
    ----------
    dataset : Dataset
        The four signs of :data:`~radiomics_vert.modeling.baselines.TAKIGAWA_SIGNS` must stand in `X`
        under these names, 0 or 1 for every vertebra, for the published rule.

    Returns
    -------
    dict of str to Baseline
        `takigawa` (published, nothing learned; from four signs that were read, or from the measured score),
        `best single sign` and `best single feature` (chosen in the training rows of each fold) and `volume`
        (a logistic regression on the first volume feature). An absent one has `model=None` and a reason.
    """
    volume = [name for name in map(str, dataset.X.columns) if parse_feature(name).feature in VOLUME_FEATURES]
    signs = tuple(name for name in map(str, dataset.X.columns) if parse_feature(name).feature_class == SIGN)
    single = ModelSpec("single_feature")
    return {
        "takigawa": _takigawa(dataset),
        "best single sign": Baseline(signs, single) if signs else Baseline((), None, "no sign was measured"),
        "best single feature": Baseline(tuple(map(str, dataset.X.columns)), single),
        "volume": Baseline((volume[0],), single)
        if volume
        else Baseline((), None, f"no feature named {' or '.join(VOLUME_FEATURES)}"),
    }


def validate_baselines(
    dataset: Dataset,
    validation: ValidationSpec | None = None,
    *,
    n_jobs: int = 1,
    progress: parallel.Progress | None = None,
) -> Result:
    """Cross-validate the rules of :func:`baseline_sets` that the dataset allows.

    Parameters
    ----------
    dataset : Dataset
        As there.
    validation : ValidationSpec, optional
        The folds of the models, so that the results can be compared vertebra by vertebra.
    n_jobs : int, default 1
        Workers.
    progress : callable, optional
        Called with (done, total) after each outer fold of each rule.

    Returns
    -------
    Result
        Kind `validation`; `feature_set` is the name of the rule. `spec["absent"]` gives the reason for
        each rule that is missing.
    """
    rules = baseline_sets(dataset)
    result = combine(
        [
            cross_validate_many(
                dataset,
                [rule.model],
                validation,
                features=rule.features,
                feature_set=name,
                n_jobs=n_jobs,
                progress=progress,
            )
            for name, rule in rules.items()
            if rule.model is not None
        ]
    )
    absent = {name: rule.reason for name, rule in rules.items() if rule.model is None}
    return Result(result.kind, result.tables, {**result.spec, "absent": absent}, result.provenance)


def negative_control(
    reference: Dataset,
    models: Sequence[ModelSpec] | None = None,
    validation: ValidationSpec | None = None,
    *,
    features: Sequence[str] | None = None,
    repeats: Repeats | None = None,
    n_jobs: int = 1,
    progress: parallel.Progress | None = None,
) -> Result:
    """Validate the same models on unfractured reference vertebrae of the same patients.

    A reference vertebra carries the class of its patient but not the fracture. Its AUC should be near
    0.5. A larger one says that the models can tell the classes without looking at the fracture: by the
    patient (age, marrow, treatment), by the scanner or the site, or because the disease is systemic.
    That part of the main result is then no property of the fracture.

    Parameters
    ----------
    reference : Dataset
        Built as the dataset of the study, from the features of its unfractured vertebrae and a clinical
        table with one row per patient (`merge` gives that row to all vertebrae of the patient).
    repeats : sequence of DataFrame, optional
        The reference vertebrae measured again, for models with `min_icc`.
    models, validation, features, n_jobs, progress
        As in :func:`~radiomics_vert.modeling.validation.cross_validate_many`, the same as in the main
        analysis.

    Returns
    -------
    Result
        Kind `negative_control`, tables as of a validation, `feature_set` "negative control".

    Raises
    ------
    AnalysisError
        RV407 when a patient's reference vertebrae carry both classes: they must carry the patient's.
    """
    classes = reference.y.groupby(reference.groups.to_numpy()).nunique()
    both = classes.index[classes > 1]
    if len(both):
        raise AnalysisError(
            Problem(
                "RV407",
                "one class per patient, carried by all reference vertebrae",
                f"{len(both)} of {len(classes)} patients with both classes, for example {both[0]}",
                "reference vertebrae of the negative control",
                "leave out patients with fractures of both kinds",
            )
        )
    result = cross_validate_many(
        reference,
        [ModelSpec()] if models is None else models,
        validation,
        features=features,
        feature_set=NEGATIVE_CONTROL,
        repeats=repeats,
        n_jobs=n_jobs,
        progress=progress,
    )
    return Result("negative_control", result.tables, result.spec, result.provenance)


def _takigawa(dataset: Dataset) -> Baseline:
    scored = [name for name in map(str, dataset.X.columns) if parse_feature(name).feature == "takigawa_p"]
    if scored:
        return _measured_score(dataset, scored[0])
    missing = [name for name in TAKIGAWA_SIGNS if name not in dataset.X.columns]
    if missing:
        return Baseline((), None, f"signs not measured: {', '.join(missing)}")
    values = dataset.X[list(TAKIGAWA_SIGNS)].to_numpy(dtype=float)
    unclear = int((~np.isin(values, (0.0, 1.0))).any(axis=1).sum())
    if unclear:
        return Baseline((), None, f"{unclear} vertebrae with a sign that is neither 0 nor 1")
    return Baseline(TAKIGAWA_SIGNS, ModelSpec("takigawa"))


def _measured_score(dataset: Dataset, name: str) -> Baseline:
    absent = int(dataset.X[name].isna().sum())
    if absent:
        return Baseline((), None, f"{absent} of {len(dataset)} vertebrae without the measured score")
    return Baseline((name,), ModelSpec("published"))


def _unknown_sign(unknown: Sequence[str], n: int) -> Problem:
    return Problem(
        "RV103",
        "signs among the features of the dataset",
        f"{len(unknown)} of {n} unknown, for example {unknown[0]!r}",
        "feature sets, signs",
        "correct the names",
    )
