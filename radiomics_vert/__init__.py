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
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from radiomics_vert._version import __version__

if TYPE_CHECKING:
    from radiomics_vert.checks import Finding, check_cohort, check_dataset, check_features
    from radiomics_vert.cohort import Cohort, Level, load_scheme, read_clinical, read_cohort, scheme_names
    from radiomics_vert.dataset import Dataset, merge, read_dataset
    from radiomics_vert.errors import Problem, RadiomicsVertError
    from radiomics_vert.extraction import (
        ExtractionParams,
        FeatureTable,
        builtin_params,
        extract,
        read_params,
    )
    from radiomics_vert.modeling import ModelSpec, ValidationSpec, cross_validate
    from radiomics_vert.reporting import build_report, summary_sentences, write_report
    from radiomics_vert.results import Result
    from radiomics_vert.statistics import associate, table_one
    from radiomics_vert.study import Run, Study, load_study
    from radiomics_vert.synthetic import SyntheticSpec, make_cohort

_ROOMS = {
    "checks": ("Finding", "check_cohort", "check_dataset", "check_features"),
    "cohort": ("Cohort", "Level", "load_scheme", "read_clinical", "read_cohort", "scheme_names"),
    "dataset": ("Dataset", "merge", "read_dataset"),
    "errors": ("Problem", "RadiomicsVertError"),
    "extraction": ("ExtractionParams", "FeatureTable", "builtin_params", "extract", "read_params"),
    "modeling": ("ModelSpec", "ValidationSpec", "cross_validate"),
    "reporting": ("build_report", "summary_sentences", "write_report"),
    "results": ("Result",),
    "statistics": ("associate", "table_one"),
    "study": ("Run", "Study", "load_study"),
    "synthetic": ("SyntheticSpec", "make_cohort"),
}
_ROOM_OF = {name: room for room, names in _ROOMS.items() for name in names}

__all__ = [
    "Cohort",
    "Dataset",
    "ExtractionParams",
    "FeatureTable",
    "Finding",
    "Level",
    "ModelSpec",
    "Problem",
    "RadiomicsVertError",
    "Result",
    "Run",
    "Study",
    "SyntheticSpec",
    "ValidationSpec",
    "__version__",
    "associate",
    "build_report",
    "builtin_params",
    "check_cohort",
    "check_dataset",
    "check_features",
    "cross_validate",
    "extract",
    "load_scheme",
    "load_study",
    "make_cohort",
    "merge",
    "read_clinical",
    "read_cohort",
    "read_dataset",
    "read_params",
    "scheme_names",
    "summary_sentences",
    "table_one",
    "write_report",
]


def __getattr__(name: str) -> Any:
    if name not in _ROOM_OF:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"radiomics_vert.{_ROOM_OF[name]}"), name)


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])
