"""From the settings of a study to the specifications that statistics and models take."""

from __future__ import annotations

from radiomics_vert.config import StudySettings
from radiomics_vert.dataset import Dataset, parse_feature
from radiomics_vert.dataset.naming import SIGN
from radiomics_vert.modeling import ModelSpec, Preparation, Repeats, ValidationSpec, repeated_measurements
from radiomics_vert.study.analysis import Watch
from radiomics_vert.study.folder import Study
from radiomics_vert.study.models import Assessment, ModelStage


def model_stage(
    study: Study, dataset: Dataset, reference: Dataset | None, n_jobs: int, watch: Watch
) -> ModelStage:
    """Return the model stage that the settings of a study describe."""
    settings = study.settings
    chosen, asked = settings.validation, settings.assessment
    preparation = Preparation(
        selection=chosen.selection,
        min_icc=chosen.min_icc,
        harmonise=None if chosen.harmonise == "none" else chosen.harmonise,
        harmonise_covariates=tuple(chosen.harmonise_covariates),
        unseen_site=chosen.unseen_site,
    )
    assessment = Assessment(
        baselines=asked.baselines,
        explanation=asked.explanation,
        shapley=asked.shapley,
        probes=asked.probes,
        optimism_samples=asked.optimism_samples,
        permutations=asked.permutations,
        subgroups=tuple(asked.subgroups),
        prevalence=tuple(asked.prevalence),
    )
    models = [
        ModelSpec(
            name,
            class_weight="balanced" if chosen.imbalance == "class_weight" else None,
            resampling="oversample" if chosen.imbalance == "oversample" else None,
            preparation=preparation,
        )
        for name in chosen.models
    ]
    return ModelStage(
        dataset,
        models,
        validation_spec(settings),
        assessment,
        n_jobs,
        watch,
        reference,
        study_repeats(study, dataset),
        None if reference is None else study_repeats(study, reference),
    )


def validation_spec(settings: StudySettings) -> ValidationSpec:
    """Return how the settings of a study validate its models."""
    chosen = settings.validation
    return ValidationSpec(
        outer_folds=chosen.outer_folds,
        inner_folds=chosen.inner_folds,
        repeats=chosen.repeats,
        seed=chosen.seed,
        confidence=settings.association.confidence,
        scoring=chosen.scoring,
        threshold=chosen.threshold,
        target_sensitivity=chosen.target_sensitivity,
        patient_rule=chosen.patient_rule,
        scheme=chosen.scheme,
    )


def study_repeats(study: Study, dataset: Dataset) -> Repeats | None:
    """Return the repeated measurements that the reliability filter of a study looks at.

    Parameters
    ----------
    study : Study
        Settings, and the tables that `extract` wrote.
    dataset : Dataset
        The first measurement.

    Returns
    -------
    sequence of DataFrame or None
        None where the settings ask for no filter.

    Raises
    ------
    AnalysisError
        RV503 no vertebra of the dataset was measured again.
    ReportError
        RV701 `extract` wrote no features of changed masks.
    """
    chosen = study.settings.validation
    if chosen.min_icc is None:
        return None
    raters = chosen.min_icc_from == "raters"
    table = study.load_features() if raters else study.load_perturbed()
    # Signs are measured once: the filter judges texture, and lets them pass.
    signs = [name for name in dataset.X.columns if parse_feature(str(name)).feature_class == SIGN]
    return [
        again.assign(**{name: dataset.X[name].where(again.notna().any(axis=1)) for name in signs})
        for again in repeated_measurements(table, dataset)
    ]
