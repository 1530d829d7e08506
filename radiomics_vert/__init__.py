"""Radiomics of vertebral fractures: extraction and patient-clustered statistics.

Research software, not a diagnostic device. Public names are loaded when they are first used, so that
`import radiomics_vert` and worker processes start quickly.

Examples
--------
A study in a few lines (see the README for the files)::

    import radiomics_vert as rv

    cohort = rv.read_cohort("images.csv", clinical="clinical.csv", scheme="totalsegmentator")
    findings = rv.check_cohort(cohort)
    features = rv.extract(cohort, rv.builtin_params("ct"), n_jobs=2)
    dataset = rv.merge(features, cohort.clinical, outcome="diagnosis", positive="metastatic")
    assoc = rv.associate(dataset)
    model = rv.cross_validate(dataset, rv.ModelSpec("elastic_net"))
    rv.write_report(rv.build_report([findings, assoc, model]), "reports/mine")

A model that leaves the study, and meets another hospital::

    rv.save_bundle(rv.fit_final(dataset, rv.ModelSpec("elastic_net")), Path("model"))
    locked = rv.load_bundle(Path("model"))
    elsewhere = rv.read_dataset("north.csv", outcome="diagnosis", positive="metastatic", group="patient")
    print(rv.validate_external(locked, {"north": elsewhere}).frame())
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from radiomics_vert._version import __version__

if TYPE_CHECKING:
    from radiomics_vert.checks import (
        Finding,
        check_cohort,
        check_dataset,
        check_features,
        check_quality,
        check_validation,
    )
    from radiomics_vert.cohort import (
        Cohort,
        Level,
        ReferenceRule,
        acquisition_table,
        load_scheme,
        read_clinical,
        read_cohort,
        reference_cases,
        scheme_names,
    )
    from radiomics_vert.cohort.discovery import discover
    from radiomics_vert.dataset import Dataset, DxaColumns, merge, read_dataset, t_scores
    from radiomics_vert.errors import Problem, RadiomicsVertError
    from radiomics_vert.extraction import (
        ExtractionParams,
        FeatureTable,
        builtin_params,
        extract,
        measure_quality,
        perturbed_features,
        read_params,
    )
    from radiomics_vert.imaging import list_series, read_image
    from radiomics_vert.modeling import (
        FeatureSet,
        FittedModel,
        ModelSpec,
        Preparation,
        ValidationSpec,
        at_prevalence,
        combine,
        compare,
        cross_validate,
        cross_validate_many,
        decision_curve,
        explain,
        fit_final,
        leakage_probe,
        load_bundle,
        negative_control,
        optimism,
        permutation_test,
        predict,
        recalibration,
        repeated_measurements,
        save_bundle,
        subgroups,
        validate_baselines,
        validate_external,
    )
    from radiomics_vert.modeling.feature_sets import feature_sets
    from radiomics_vert.reporting import build_report, summary_sentences, write_report
    from radiomics_vert.results import Result
    from radiomics_vert.roc import (
        clustered_auc,
        clustered_auc_difference,
        clustered_auc_screen,
        clustered_proportion,
        precision_recall_band,
        roc_band,
    )
    from radiomics_vert.signs.baselines import t_score, t_score_class
    from radiomics_vert.statistics import (
        adjust,
        associate,
        audit_confounding,
        bland_altman,
        concordance,
        plan_sample_size,
        repeatability,
        sample_size_check,
        table_one,
    )
    from radiomics_vert.statistics.icc import icc
    from radiomics_vert.statistics.reliability import reliability
    from radiomics_vert.study import Run, Study, check_pair, load_study
    from radiomics_vert.synthetic import SyntheticSpec, make_cohort

_ROOMS = {
    "checks": (
        "Finding",
        "check_cohort",
        "check_dataset",
        "check_features",
        "check_quality",
        "check_validation",
    ),
    "cohort": (
        "Cohort",
        "Level",
        "ReferenceRule",
        "acquisition_table",
        "load_scheme",
        "read_clinical",
        "read_cohort",
        "reference_cases",
        "scheme_names",
    ),
    "cohort.discovery": ("discover",),
    "dataset": ("Dataset", "DxaColumns", "merge", "read_dataset", "t_scores"),
    "errors": ("Problem", "RadiomicsVertError"),
    "extraction": (
        "ExtractionParams",
        "FeatureTable",
        "builtin_params",
        "extract",
        "measure_quality",
        "perturbed_features",
        "read_params",
    ),
    "imaging": ("list_series", "read_image"),
    "modeling": (
        "FeatureSet",
        "FittedModel",
        "ModelSpec",
        "Preparation",
        "ValidationSpec",
        "at_prevalence",
        "combine",
        "compare",
        "cross_validate",
        "cross_validate_many",
        "decision_curve",
        "explain",
        "feature_sets",
        "fit_final",
        "leakage_probe",
        "load_bundle",
        "negative_control",
        "optimism",
        "permutation_test",
        "predict",
        "recalibration",
        "repeated_measurements",
        "save_bundle",
        "subgroups",
        "validate_baselines",
        "validate_external",
    ),
    "reporting": ("build_report", "summary_sentences", "write_report"),
    "results": ("Result",),
    "roc": (
        "clustered_auc",
        "clustered_auc_difference",
        "clustered_auc_screen",
        "clustered_proportion",
        "precision_recall_band",
        "roc_band",
    ),
    "signs.baselines": ("t_score", "t_score_class"),
    "statistics": (
        "adjust",
        "associate",
        "audit_confounding",
        "bland_altman",
        "concordance",
        "icc",
        "plan_sample_size",
        "reliability",
        "repeatability",
        "sample_size_check",
        "table_one",
    ),
    "study": ("Run", "Study", "check_pair", "load_study"),
    "synthetic": ("SyntheticSpec", "make_cohort"),
}
_ROOM_OF = {name: room for room, names in _ROOMS.items() for name in names}

__all__ = [
    "Cohort",
    "Dataset",
    "DxaColumns",
    "ExtractionParams",
    "FeatureSet",
    "FeatureTable",
    "Finding",
    "FittedModel",
    "Level",
    "ModelSpec",
    "Preparation",
    "Problem",
    "RadiomicsVertError",
    "ReferenceRule",
    "Result",
    "Run",
    "Study",
    "SyntheticSpec",
    "ValidationSpec",
    "__version__",
    "acquisition_table",
    "adjust",
    "associate",
    "at_prevalence",
    "audit_confounding",
    "bland_altman",
    "build_report",
    "builtin_params",
    "check_cohort",
    "check_dataset",
    "check_features",
    "check_pair",
    "check_quality",
    "check_validation",
    "clustered_auc",
    "clustered_auc_difference",
    "clustered_auc_screen",
    "clustered_proportion",
    "combine",
    "compare",
    "concordance",
    "cross_validate",
    "cross_validate_many",
    "decision_curve",
    "discover",
    "explain",
    "extract",
    "feature_sets",
    "fit_final",
    "icc",
    "leakage_probe",
    "list_series",
    "load_bundle",
    "load_scheme",
    "load_study",
    "make_cohort",
    "measure_quality",
    "merge",
    "negative_control",
    "optimism",
    "permutation_test",
    "perturbed_features",
    "plan_sample_size",
    "precision_recall_band",
    "predict",
    "read_clinical",
    "read_cohort",
    "read_dataset",
    "read_image",
    "read_params",
    "recalibration",
    "reference_cases",
    "reliability",
    "repeatability",
    "repeated_measurements",
    "roc_band",
    "sample_size_check",
    "save_bundle",
    "scheme_names",
    "subgroups",
    "summary_sentences",
    "t_score",
    "t_score_class",
    "t_scores",
    "table_one",
    "validate_baselines",
    "validate_external",
    "write_report",
]


def __getattr__(name: str) -> Any:
    if name not in _ROOM_OF:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"radiomics_vert.{_ROOM_OF[name]}"), name)


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])
