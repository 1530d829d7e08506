"""`analyze` and `validate` on a feature table that was made elsewhere: no images, no study file."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from radiomics_vert.checks import check_dataset, check_validation, findings_result
from radiomics_vert.dataset import Dataset, read_dataset
from radiomics_vert.errors import Problem, SettingsError, raise_all
from radiomics_vert.modeling import ModelSpec, ValidationSpec
from radiomics_vert.provenance import git_state
from radiomics_vert.results import Result, remove_results
from radiomics_vert.storage import digest
from radiomics_vert.study.analysis import Watch, describe, examine, renamed, unwatched
from radiomics_vert.study.folder import ANALYSED, MODELLED, RECORDS
from radiomics_vert.study.models import Assessment, ModelStage
from radiomics_vert.study.records import flow_result, provenance_result

QUICK = Assessment(probes=0)


@dataclass(frozen=True)
class TableStudy:
    """A feature table and the roles of its columns.

    Parameters
    ----------
    features : Path
        CSV, TSV, XLSX or Parquet with one row per vertebra (or lesion).
    outcome, positive, negative, group, level, covariates, drop
        As in :func:`radiomics_vert.read_dataset`.
    output : Path
        Folder for results and report.
    """

    features: Path
    outcome: str
    positive: str
    group: str
    output: Path
    negative: str | None = None
    level: str | None = None
    covariates: tuple[str, ...] = ()
    drop: tuple[str, ...] = ()

    @property
    def records(self) -> Path:
        """Folder of the result tables."""
        return self.output / RECORDS

    def dataset(self) -> Dataset:
        """Read the table."""
        return read_dataset(
            self.features,
            outcome=self.outcome,
            positive=self.positive,
            negative=self.negative,
            group=self.group,
            level=self.level,
            covariates=self.covariates,
            drop=self.drop,
        )

    def roles(self) -> dict[str, object]:
        """Return the roles as plain values."""
        return {
            "features": self.features.name,
            "outcome": self.outcome,
            "positive": self.positive,
            "negative": self.negative or "",
            "group": self.group,
            "level": self.level or "",
            "covariates": list(self.covariates),
            "drop": list(self.drop),
        }


def analyze_table(
    study: TableStudy,
    *,
    confidence: float = 0.95,
    fdr: float = 0.05,
    seed: int = 2026,
    adjust_features: int = 30,
    n_jobs: int = 1,
    watch: Watch = unwatched,
) -> list[Result]:
    """Compare the classes, feature by feature; write the tables.

    Parameters
    ----------
    study : TableStudy
        The table and the roles of its columns.
    confidence : float, default 0.95
        Level of all intervals.
    fdr : float, default 0.05
        False discovery rate at which a feature is called different.
    seed : int, default 2026
        Recorded for the validation that may follow.
    adjust_features : int, default 30
        How many features are also tested adjusted for the covariates.
    n_jobs : int, default 1
        Parallel workers.
    watch : callable, optional
        Makes a progress callback for each piece of work.

    Returns
    -------
    list of Result

    Raises
    ------
    SettingsError
        RV602 a rate that is not between 0 and 1.
    """
    rates = {"confidence": confidence, "fdr": fdr}
    raise_all(
        SettingsError,
        [
            Problem("RV602", "a number between 0 and 1", repr(rate), name, "correct it")
            for name, rate in rates.items()
            if not 0 < rate < 1
        ],
    )
    dataset = study.dataset()
    described = describe(dataset, confidence, 5)
    association = next(result for result in described if result.kind == "association")
    results = [
        *_frame_results(study, dataset, confidence, fdr, seed),
        *described,
        *examine(dataset, association, None, adjust_features, n_jobs, watch),
    ]
    remove_results(study.records, ANALYSED)
    for result in results:
        result.save(study.records)
    return results


def validate_table(
    study: TableStudy,
    validation: ValidationSpec,
    models: Sequence[str] = ("elastic_net",),
    assessment: Assessment = QUICK,
    *,
    n_jobs: int = 1,
    watch: Watch = unwatched,
) -> list[Result]:
    """Cross-validate the models by patient; write the tables.

    Parameters
    ----------
    study : TableStudy
        The table and the roles of its columns.
    validation : ValidationSpec
        Folds, repeats, seed, threshold.
    models : sequence of str
        Names of models; the report tells about the first.
    assessment : Assessment
        What is asked of the models beside their validation.
    n_jobs : int, default 1
        Parallel workers.
    watch : callable, optional
        Makes a progress callback for each piece of work.

    Returns
    -------
    list of Result
        The validation first.
    """
    dataset = study.dataset()
    specs = [ModelSpec(name) for name in models]
    results = ModelStage(dataset, specs, validation, assessment, n_jobs, watch).results()
    frame = _frame_results(study, dataset, validation.confidence, 0.05, validation.seed)
    checks = [
        renamed(findings_result(check_dataset(dataset, validation.patient_folds)), "checks_dataset"),
        renamed(findings_result(check_validation(results[0])), "checks_validation"),
    ]
    remove_results(study.records, MODELLED)
    for part in (*frame, *checks, *results):
        part.save(study.records)
    return results


def table_warnings(records: Path) -> list[tuple[str, str, str]]:
    """Return code, title and explanation of what the checks of a table warn of.

    Parameters
    ----------
    records : Path
        Folder of the result tables.
    """
    kinds = ("checks_dataset", "checks_confounding")
    found = [Result.load(records, kind).frame() for kind in kinds if (records / f"{kind}.json").is_file()]
    rows = [row for table in found for row in table.to_dict("records") if row["severity"] == "warning"]
    return [(str(row["code"]), str(row["title"]), str(row["explanation"])) for row in rows]


def _frame_results(
    study: TableStudy, dataset: Dataset, confidence: float, fdr: float, seed: int
) -> list[Result]:
    """Return what frames the statistics in a report: study, flow, provenance."""
    spec = {
        "title": f"{study.outcome}: {dataset.positive} versus {dataset.negative}",
        "question": f"Which columns of {study.features.name} separate the two classes?",
        "outcome": study.outcome,
        "positive": dataset.positive,
        "negative": dataset.negative,
        "unit": "row",
        "synthetic": False,
        "choices": {},
        "fdr": fdr,
        "confidence": confidence,
    }
    settings = pd.DataFrame([(k, str(v)) for k, v in study.roles().items()], columns=["setting", "value"])
    return [
        Result("study", {"settings": settings}, spec),
        flow_result(dataset),
        provenance_result(dataset, digest(study.roles()), git_state(study.output), seed),
    ]
