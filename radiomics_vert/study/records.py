"""What the report must know beside statistics: the study, who entered and left, how features were made."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict

import pandas as pd

from radiomics_vert.cohort import Cohort, acquisition_table
from radiomics_vert.cohort.acquisition import summarise
from radiomics_vert.config import StudySettings
from radiomics_vert.dataset import Dataset, case_acquisition, merge, parse_feature, unit_ids
from radiomics_vert.dataset.naming import SEQUENCE_SEPARATOR
from radiomics_vert.extraction import ExtractionParams
from radiomics_vert.extraction.verify import Verification
from radiomics_vert.feature_table import IDENTITY, FeatureTable
from radiomics_vert.provenance import package_state, versions
from radiomics_vert.results import Result
from radiomics_vert.storage import blanks_filled

TOP_FEATURES = 6
CORRELATED_FEATURES = 30
DIGEST_LENGTH = 64


def study_result(settings: StudySettings, dataset: Dataset) -> Result:
    """Return title, question, outcome and pre-specified choices; every setting as a table.

    Parameters
    ----------
    settings : StudySettings
        What `study.yaml` says.
    dataset : Dataset
        Names the sites, where there are some.
    """
    spec = {
        "title": settings.title,
        "question": settings.question,
        "outcome": settings.outcome.column,
        "positive": settings.outcome.positive,
        "negative": settings.outcome.negative or "",
        "unit": "vertebra",
        "synthetic": settings.synthetic,
        "choices": settings.choices,
        "fdr": settings.association.fdr,
        "confidence": settings.association.confidence,
        "sites": sorted(set(dataset.info["site"]) - {""}) or None,
        "dxa_reference": settings.dxa.reference or "",
    }
    rows = [(name, str(value)) for name, value in _flat(settings.results_part())]
    return Result("study", {"settings": pd.DataFrame(rows, columns=["setting", "value"])}, spec)


def _flat(value: object, prefix: str = "") -> list[tuple[str, object]]:
    if isinstance(value, dict):
        return [pair for key in value for pair in _flat(value[key], f"{prefix}.{key}" if prefix else key)]
    if isinstance(value, list) and any(isinstance(item, dict) for item in value):
        return [pair for item in value for pair in _flat(item, prefix)]
    return [(prefix, value)]


def cohort_result(cohort: Cohort, measured: Cohort) -> Result:
    """Return the counts of a cohort before extraction, and what did not match.

    Parameters
    ----------
    cohort : Cohort
        All that the image table names.
    measured : Cohort
        The part that is extracted.
    """
    chosen = {case.case_id for case in measured.cases}
    neighbours = sum(case.case_id not in chosen for case in cohort.cases)
    refused = pd.DataFrame(
        [refusal.row() for refusal in cohort.refused],
        columns=["case_id", "subject_id", "session", "sequence", "rater", "site", "level", "label",
                 "title", "code", "expected", "found", "where", "remedy"],
    )  # fmt: skip
    counts = {
        "scans_listed": len(cohort.scans) + len(cohort.refused),
        "scans_refused": len(cohort.refused),
        "vertebrae_found": len(cohort.cases),
        "vertebrae_not_requested": neighbours,
        "patients": len({scan.subject_id for scan in cohort.scans}),
    }
    scans = acquisition_table(measured)
    tables = {
        "counts": pd.DataFrame([counts]),
        "acquisition": case_acquisition(measured),
        "acquisition_scans": scans,
        "acquisition_summary": summarise(scans),
        "refused": refused,
        "unmatched": _keys_only(cohort.unmatched_clinical),
        "unlabelled": pd.DataFrame({"case_id": list(cohort.unlabelled)}),
    }
    return Result("cohort", tables, {"manifest_digest": cohort.manifest_digest})


def _keys_only(unmatched: pd.DataFrame) -> pd.DataFrame:
    """Return what names a clinical row; its other columns were not asked for and stay out."""
    keys = ("line", "subject_id", "session", "level", "label")
    return unmatched[[name for name in keys if name in unmatched]].reset_index(drop=True)


def acquisition_info(cohort: Result, dataset: Dataset) -> pd.DataFrame:
    """Return the acquisition facts of each vertebra under study, for the confounding audit.

    Parameters
    ----------
    cohort : Result
        What :func:`cohort_result` returned.
    dataset : Dataset
        Names the vertebrae.

    Returns
    -------
    DataFrame
        Indexed as the dataset; with several sequences the columns are prefixed (`CT__kvp`).
    """
    table = cohort.frame("acquisition")
    text = list(IDENTITY[:-1])
    table[text] = blanks_filled(table[text]).astype(str)
    facts = [name for name in table.columns if name not in IDENTITY]
    table.index = pd.Index(unit_ids(table))
    by_sequence = dict(iter(table.groupby("sequence", sort=False)))
    blocks = []
    for sequence, rows in by_sequence.items():
        block = rows.loc[~rows.index.duplicated(), facts].reindex(dataset.X.index)
        prefix = f"{sequence!s}{SEQUENCE_SEPARATOR}" if len(by_sequence) > 1 else ""
        blocks.append(block.add_prefix(prefix))
    joined = pd.concat(blocks, axis="columns")
    return joined[[name for name in joined if len(joined[name].dropna().unique()) > 1]]


def extraction_result(
    table: FeatureTable, parameters: dict[str, ExtractionParams], verification: Verification
) -> Result:
    """Return how the features were made and verified: per sequence cases, failures, features and images."""
    rows = []
    for sequence in parameters:
        values = table.values[table.values["sequence"] == sequence]
        failed = int((table.failures["sequence"] == sequence).sum())
        names = [name for name in table.features if values[name].notna().any()]
        rows.append(
            {
                "sequence": sequence,
                "cases": len(values) + failed,
                "extracted": len(values),
                "failed": failed,
                "features": len(names),
                "images": ", ".join(dict.fromkeys(parse_feature(name).filter for name in names)),
            }
        )
    spec = {
        "parameters": {
            sequence: {"file": params.name, "digest": params.digest, **_recorded(params)}
            for sequence, params in parameters.items()
        },
        **_engine(table),
        "verification": asdict(verification) if verification.values else {},
    }
    tables = {"summary": pd.DataFrame(rows), "failures": table.failures, "diagnostics": table.diagnostics}
    return Result("extraction", tables, spec)


def _recorded(params: ExtractionParams) -> dict[str, object]:
    conventions = {"conventions": asdict(params.conventions)}
    return {"preprocessing": params.preprocessing.content(), "settings": dict(params.settings), **conventions}


def _engine(table: FeatureTable) -> dict[str, str]:
    """Name the engine in words: what computed, in which version, on which libraries."""
    engine = dict(table.provenance.reproducible.get("engine", {}))
    name = str(engine.pop("engine", ""))
    return {"engine": name, "engine_version": ", ".join(f"{key} {value}" for key, value in engine.items())}


def flow_result(dataset: Dataset, cohort: Result | None = None, table: FeatureTable | None = None) -> Result:
    """Return who entered and who left, step by step; without a cohort, from the table on.

    Parameters
    ----------
    dataset : Dataset
        The end of the flow.
    cohort : Result, optional
        What :func:`cohort_result` returned.
    table : FeatureTable, optional
        The features in between.
    """
    steps: list[dict[str, object]] = []
    excluded = [dataset.audit]
    if cohort is not None and table is not None:
        counts = cohort.frame("counts").iloc[0]
        failed = int((table.failures["label"] != 0).sum())
        steps += [
            _step("images listed", "scans", counts["scans_listed"], counts["scans_refused"], "not usable"),
            _step(
                "vertebrae in the masks",
                "vertebra x sequence",
                counts["vertebrae_found"],
                counts["vertebrae_not_requested"],
                "not named in the clinical table",
            ),
            _step("features computed", "vertebra x sequence", len(table.values) + failed, failed, "failed"),
        ]
    left = _units_left(dataset)
    steps += [
        _step("vertebrae with features", "vertebrae", len(dataset) + left, left, "no usable outcome"),
        _step("vertebrae analysed", "vertebrae", len(dataset), 0, ""),
        _step("patients analysed", "patients", dataset.n_subjects, 0, ""),
    ]
    tables = {"flow": pd.DataFrame(steps), "excluded": pd.concat(excluded)}
    if cohort is not None:
        tables |= {"unmatched": cohort.frame("unmatched"), "unlabelled": cohort.frame("unlabelled")}
    return Result("flow", tables, {"counts": dataset.counts(), "patients": dataset.n_subjects})


def _step(step: str, unit: str, entered: int, left: int, reason: str) -> dict[str, object]:
    return {
        "step": step,
        "unit": unit,
        "entered": int(entered),
        "left": int(left),
        "reason": reason if left else "",
    }


def _units_left(dataset: Dataset) -> int:
    """Count vertebrae that have features but no usable outcome."""
    return int((dataset.audit["code"].isin(["RV110", "RV403"]) & (dataset.audit["sequence"] == "")).sum())


def reference_dataset(tables: Sequence[FeatureTable], dataset: Dataset, unlabelled: set[str]) -> Dataset:
    """Return the unfractured vertebrae of the patients under study, with the class of their patient.

    Patients with vertebrae of both classes are left out: their neighbours have no class.

    Parameters
    ----------
    tables : sequence of FeatureTable
        What was measured of all vertebrae.
    dataset : Dataset
        The fractured vertebrae.
    unlabelled : set of str
        Case ids of the vertebrae without a clinical row of their own.
    """
    classes = dataset.y.groupby(dataset.groups).agg(["min", "max"])
    pure = classes[classes["min"] == classes["max"]]["min"].map({0: dataset.negative, 1: dataset.positive})
    clinical = pd.DataFrame({"subject_id": pure.index.astype(str), dataset.outcome: pure.to_numpy()})
    patients = set(clinical["subject_id"])
    return merge(
        [_rows_of(table, unlabelled, patients) for table in tables],
        clinical,
        outcome=dataset.outcome,
        positive=dataset.positive,
        negative=dataset.negative,
    )


def _rows_of(table: FeatureTable, cases: set[str], patients: set[str]) -> FeatureTable:
    values = table.values
    kept = values[values["case_id"].isin(cases) & values["subject_id"].astype(str).isin(patients)]
    return FeatureTable(kept, table.failures.iloc[:0], table.diagnostics, len(kept), table.provenance)


def values_result(dataset: Dataset, association: Result) -> Result:
    """Return the values of the features that separate best, one per feature class, for strip plots."""
    features = association.frame("features").dropna(subset=["estimate"])
    distance = (features["estimate"] - 0.5).abs()
    ordered = features.loc[distance.sort_values(ascending=False, kind="stable").index]
    best = ordered.drop_duplicates(["sequence", "family"]).head(TOP_FEATURES)["feature"]
    long = dataset.X[list(best)].melt(ignore_index=False, var_name="feature").dropna()
    names = {0: dataset.negative, 1: dataset.positive}
    table = pd.DataFrame(
        {
            "unit": long.index,
            "subject_id": dataset.groups.loc[long.index].to_numpy(),
            "class": dataset.y.loc[long.index].map(names).to_numpy(),
            "feature": long["feature"].to_numpy(),
            "value": long["value"].to_numpy(),
        }
    )
    return Result("values", {"top": table, "correlation": _correlation(dataset, list(ordered["feature"]))})


def _correlation(dataset: Dataset, ordered: list[str]) -> pd.DataFrame:
    """Return the rank correlations of the features that separate best, as pairs."""
    best = dataset.X[ordered[:CORRELATED_FEATURES]]
    table = best.corr("spearman").rename_axis(index="feature_a", columns=None).reset_index()
    return table.melt("feature_a", var_name="feature_b", value_name="rho")


def provenance_result(dataset: Dataset, settings_digest: str, git: str, seed: int) -> Result:
    """Return versions, hashes, commits of package and study folder, and seeds: equal for equal runs."""
    spec = {
        "versions": versions(),
        "hashes": {"settings": settings_digest, **_hashes(dict(dataset.provenance.reproducible))},
        "git": git,
        "package": package_state(),
        "seeds": {"validation": seed},
        "settings_digest": settings_digest,
    }
    table = pd.DataFrame(sorted(spec["versions"].items()), columns=["package", "version"])  # type: ignore[attr-defined]
    return Result("provenance", {"versions": table}, spec)


def _hashes(reproducible: dict[str, object]) -> dict[str, str]:
    """Pick the digests out of a dataset's provenance."""
    return {name: str(text) for name, text in _flat(reproducible) if len(str(text)) == DIGEST_LENGTH}
