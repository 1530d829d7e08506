"""The report shows what the real functions return: a renamed column or table would empty a section."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from radiomics_vert.dataset.nouns import Dataset
from radiomics_vert.modeling import (
    ModelSpec,
    ValidationSpec,
    at_prevalence,
    combine,
    compare,
    cross_validate,
    explain,
    leakage_probe,
    negative_control,
    optimism,
    permutation_test,
    subgroups,
)
from radiomics_vert.modeling.external import validate_external
from radiomics_vert.modeling.final import fit_final
from radiomics_vert.modeling.prediction import predict
from radiomics_vert.reporting import build_report
from radiomics_vert.reporting.inputs import KINDS
from radiomics_vert.reporting.write import render
from radiomics_vert.results import Result
from radiomics_vert.statistics import (
    adjust,
    associate,
    audit_confounding,
    plan_sample_size,
    reliability,
    sample_size_check,
    table_one,
)
from radiomics_vert.study.records import values_result

SPEC = ModelSpec(grid={"k": (4,), "l1_ratio": (0.5,), "C": (1.0,)})
QUICK = ValidationSpec(outer_folds=3, inner_folds=2, repeats=1, n_boot=5)


def make_dataset(prefix: str = "", patients: int = 24, seed: int = 6) -> Dataset:
    rng = np.random.default_rng(seed)
    patient = np.repeat(np.arange(patients), 2)
    y = patient % 2
    names = ["original_shape_MeshVolume", *(f"original_glcm_{name}" for name in "ABCDEFGHIJK")]
    unit = pd.Index([f"{prefix}P{p:02d}_L{v % 2 + 1}" for v, p in enumerate(patient)])
    X = pd.DataFrame(rng.normal(10, 1, (len(y), len(names))), index=unit, columns=names)
    X["original_glcm_A"] += 1.5 * y
    X["original_glcm_C"] = X["original_shape_MeshVolume"] * 2 + rng.normal(0, 0.05, len(y))
    X.loc[unit[(y == 1) & (patient % 3 > 0)], "original_glcm_B"] = np.nan
    info = pd.DataFrame({"subject_id": [f"{prefix}P{p:02d}" for p in patient]}, index=unit)
    info = info.assign(level=["L1", "T12"] * patients, site=np.where(patient < 12, "A", "B"))
    covariates = pd.DataFrame({"age": 60 + 9 * rng.normal(size=len(y)), "sex": "f"}, index=unit)
    covariates.loc[patient % 3 == 0, "sex"] = "m"
    return Dataset(
        X=X, y=pd.Series(y, index=unit), groups=info["subject_id"], covariates=covariates, info=info,
        audit=pd.DataFrame(), outcome="diagnosis", positive="metastatic", negative="osteoporotic",
    )  # fmt: skip


def statistics(dataset: Dataset) -> list[Result]:
    association = associate(dataset)
    top = ["original_glcm_A", "original_glcm_D"]
    adjusted = adjust(dataset, features=top)
    plain = adjust(dataset, features=top, covariates=[])
    rows = [
        (
            unit,
            rater,
            name,
            dataset.X.loc[unit, name] * (0.001 if rater == "b" and name.endswith("D") else 1.01),
        )
        for unit in dataset.X.index
        for rater in "abc"
        for name in top
    ]
    long = pd.DataFrame(rows, columns=["case_id", "rater", "feature", "value"])
    return [
        association,
        table_one(dataset),
        values_result(dataset, association),
        Result("adjusted", {**adjusted.tables, "unadjusted": plain.frame("gee")}, adjusted.spec),
        audit_confounding(dataset),
        reliability(long, pairs=top[:1]),
        sample_size_check(48, 24, 12),
        plan_sample_size(prevalence=0.4, candidate_parameters=12),
    ]


def models(dataset: Dataset) -> list[Result]:
    sets = (("features", None, False), ("covariates", (), True))
    validated = combine(
        [
            cross_validate(
                dataset, SPEC, QUICK, features=columns, feature_set=name, with_covariates=with_covariates
            )
            for name, columns, with_covariates in sets
        ]
    )
    fitted = fit_final(dataset, SPEC, QUICK)
    other = make_dataset("x", seed=7)
    return [
        at_prevalence(validated, [0.1]),
        compare(validated),
        subgroups(validated, dataset, minimum=4),
        explain(dataset, SPEC, QUICK, validated, feature_set="features", n_permutations=1),
        optimism(dataset, SPEC, QUICK, n_boot=3, feature_set="features"),
        permutation_test(dataset, SPEC, QUICK, n_permutations=3, feature_set="features"),
        leakage_probe(dataset, SPEC, QUICK, n_probes=2, feature_set="features"),
        negative_control(dataset, [SPEC], QUICK),
        validate_external(fitted, {"North": other}, prevalence=[0.1]),
        predict(fitted, other.X),
    ]


@pytest.mark.slow
@pytest.mark.usefixtures("no_pictures")
def test_every_section_is_filled_from_what_the_functions_return(make_results, tmp_path) -> None:
    dataset = make_dataset()
    core = [
        result
        for result in make_results()
        if result.kind in ("study", "flow", "quality", "extraction", "checks")
    ]
    results = [*core, *(r for r in make_results() if r.kind == "provenance")]
    results += [*statistics(dataset), *models(dataset)]
    assert {result.kind for result in results} == {*KINDS, "sample_size", "prediction"}
    for result in results:
        result.save(tmp_path)
    report = build_report([Result.load(tmp_path, result.kind) for result in results])
    keys = {figure.key for figure in report.figures}
    assert keys >= {
        *("icc", "bland-altman", "correlation", "adjusted", "precision-recall", "decision", "calibration"),
        *("differences", "instability", "importance", "subgroups", "leakage-probe", "permutation"),
        *("external-roc", "external-pr", "external-calibration", "external-decision"),
    }
    tables = {table.key: table.shown for table in report.tables}
    assert set(tables) >= {
        *("reliability", "reliability-families", "raters", "adjusted", "confounders", "missingness"),
        *("sites", "size-features", "sample-size", "sample-size-plan", "predictive-values", "patients"),
        *("differences", "optimism", "importance", "univariate", "subgroups", "leakage-probe"),
        *("permutation", "negative-control", "external-cohorts", "external-metrics", "recalibration"),
        *("external-inputs", "external-predictive-values", "external-patients"),
        "predictions",
    }
    empty = {
        (key, head)
        for key, shown in tables.items()
        for head in shown.columns
        if shown[head].isin(["", "–"]).all() and head not in ("Note", "Remark")
    }
    unknown = {("importance", "Shuffled together with"), ("findings", "Which"), ("predictions", "Patient")}
    assert empty <= unknown
    html = render(report)
    assert "Missing values predict the class" in html
    assert "Probable unit error" in html
