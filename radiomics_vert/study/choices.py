"""From the settings of a study to the specifications that statistics and models take."""

from __future__ import annotations

from radiomics_vert.dataset import Dataset
from radiomics_vert.modeling import ModelSpec, Preparation, ValidationSpec
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
        harmonise=None if chosen.harmonise == "none" else chosen.harmonise,
        harmonise_covariates=tuple(chosen.harmonise_covariates),
    )
    validation = ValidationSpec(
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
    assessment = Assessment(
        baselines=asked.baselines,
        explanation=asked.explanation,
        probes=asked.probes,
        optimism_samples=asked.optimism_samples,
        permutations=asked.permutations,
        subgroups=tuple(asked.subgroups),
        prevalence=tuple(asked.prevalence),
    )
    models = [ModelSpec(name, preparation=preparation) for name in chosen.models]
    return ModelStage(dataset, models, validation, assessment, n_jobs, watch, reference)
