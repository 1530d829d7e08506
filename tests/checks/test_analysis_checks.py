from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from radiomics_vert.checks import check_dataset, check_features, check_validation
from radiomics_vert.dataset import Dataset
from radiomics_vert.feature_table import IDENTITY, FeatureTable
from radiomics_vert.results import Result


def features(n=4, failed=0, grey_levels=40, hole=False):
    identity = {name: [f"{name}{i}" for i in range(n)] for name in IDENTITY} | {"sequence": ["CT"] * n}
    values = pd.DataFrame(identity).assign(original_glcm_Contrast=np.arange(n, dtype=float))
    if hole:
        values.loc[0, "original_glcm_Contrast"] = np.nan
    reason = {
        "code": "RV302",
        "title": "t",
        "expected": "e",
        "found": "one value",
        "where": "w",
        "remedy": "r",
    }
    failure = dict.fromkeys(IDENTITY, "x") | reason
    failures = pd.DataFrame([failure] * failed, columns=list(failure))
    diagnostics = pd.DataFrame({"case_id": values["case_id"], "grey_levels": grey_levels})
    return FeatureTable(values, failures, diagnostics, n + failed)


def dataset(patients_per_class=(20, 20), constant=False):
    n = sum(patients_per_class)
    index = pd.Index([f"u{i}" for i in range(n)])
    X = pd.DataFrame({"a": np.zeros(n) if constant else np.arange(n)}, index=index)
    y = pd.Series([0] * patients_per_class[0] + [1] * patients_per_class[1], index=index)
    info = pd.DataFrame({"subject_id": index, "level": "L1"}, index=index)
    audit = pd.DataFrame(columns=["unit", "subject_id", "level", "sequence", "code", "reason"])
    return Dataset(X, y, pd.Series(index, index=index), X[[]], audit, info, "o", "p", "n")


def codes(findings):
    return [(finding.code, finding.severity, len(finding.cases)) for finding in findings]


def test_good_tables_have_no_finding():
    assert check_features(features()) == []
    assert check_dataset(dataset()) == []


def test_failures_and_holes_are_found():
    assert codes(check_features(features(failed=2))) == [("RV302", "error", 2)]
    assert codes(check_features(features(hole=True))) == [("RV309", "note", 1)]


def test_grey_levels_outside_the_useful_range_are_found():
    assert codes(check_features(features(grey_levels=15))) == [("RV305", "warning", 4)]
    assert codes(check_features(features(grey_levels=257))) == [("RV305", "warning", 4)]
    assert check_features(features(grey_levels=16)) == []
    assert codes(check_features(features(grey_levels=1))) == [("RV302", "warning", 4)]


def test_small_classes_are_found():
    assert codes(check_dataset(dataset((12, 4))))[0] == ("RV502", "error", 0)
    assert codes(check_dataset(dataset((12, 7))))[0] == ("RV406", "warning", 0)


def test_more_candidates_than_events_support_are_found():
    few = [("RV406", "warning", 0), ("RV515", "warning", 0), ("RV505", "note", 0)]
    assert codes(check_dataset(dataset((12, 9)))) == few
    assert codes(check_dataset(dataset((12, 10)))) == few[1:2]


def test_classes_below_a_large_sample_are_found():
    (found,) = check_dataset(dataset((19, 20)))
    assert (found.code, found.severity) == ("RV515", "warning")
    assert found.explanation.startswith("19 patients with n: intervals and p values")
    assert "92 to 95 %" in found.explanation
    (both,) = check_dataset(dataset((19, 18)))
    assert both.explanation.startswith("19 patients with n and 18 patients with p:")


def test_a_covariate_of_numbers_and_text_is_found():
    data = dataset()
    age = pd.Series(["70"] * 39 + ["~62"], index=data.X.index)
    told = check_dataset(replace(data, covariates=age.to_frame("age")))
    assert codes(told) == [("RV410", "warning", 1)]
    assert "'~62'" in told[0].explanation
    sex = pd.Series(["F", "M"] * 20, index=data.X.index)
    assert check_dataset(replace(data, covariates=sex.to_frame("sex"))) == []


def test_a_covariate_without_any_value_is_found():
    data = dataset()
    region = pd.Series([None] * 40, index=data.X.index, dtype=object)
    told = check_dataset(replace(data, covariates=region.to_frame("level_region")))
    assert codes(told) == [("RV419", "warning", 0)]
    assert "level_region" in told[0].explanation


def contradicting(name, values, sessions=("", "")):
    """Two vertebrae of the first patient with these values; all others have one each."""
    data = dataset()
    groups = data.groups.mask(data.groups == "u1", "u0")
    cells = pd.Series([*values, *[values[0]] * 38], index=data.X.index)
    info = data.info.assign(session=[*sessions, *[""] * 38])
    return check_dataset(replace(data, groups=groups, covariates=cells.to_frame(name), info=info))


@pytest.mark.parametrize(("name", "values"), [("sex", ("F", "M")), ("Age", (74, 47))])
def test_contradictory_cells_of_a_patient_are_found(name, values):
    (told,) = [finding for finding in contradicting(name, values) if finding.code == "RV418"]
    assert (told.severity, told.cases) == ("warning", ("u0",))
    # The patient is named, what stands in the cells is not.
    assert told.explanation == f"1 patient with more than one {name}"


def test_a_patient_may_grow_older_between_sessions_but_has_one_sex():
    seen = [finding.code for finding in contradicting("age", (70, 71), ("1", "2"))]
    assert "RV418" not in seen
    assert "RV418" in [finding.code for finding in contradicting("sex", ("F", "M"), ("1", "2"))]
    assert "RV418" not in [finding.code for finding in contradicting("weight", (70, 71))]


@pytest.mark.parametrize(
    ("value", "severity", "asks"),
    [("p0sitive", "warning", True), ("POSITIV", "warning", True), ("healthy", "note", False)],
)
def test_a_misspelt_class_is_asked_about(value, severity, asks):
    data = dataset()
    audit = pd.DataFrame(
        {"unit": ["u99"], "subject_id": "s", "level": "L1", "sequence": "", "code": "RV403",
         "reason": f"diagnosis is {value!r}"}
    )  # fmt: skip
    (told,) = check_dataset(replace(data, audit=audit, positive="positive", negative="negative"))
    assert (told.code, told.severity) == ("RV403", severity)
    assert ("did you mean 'positive'?" in told.remedy) == asks


def test_a_class_of_one_patient_cannot_be_validated():
    told = [finding for finding in check_dataset(dataset((20, 1)), 2) if finding.code == "RV502"]
    assert [finding.explanation.split(" with")[0] for finding in told] == ["1 patient"]
    assert "fewer than 2" in told[0].remedy


def test_fits_that_did_not_converge_are_found():
    folds = pd.DataFrame(
        {
            "feature_set": "features",
            "repeat": [1, 1],
            "fold": [1, 2],
            "convergence_warnings": [0, 3],
            "n_selected": [4, 5],
        }
    )
    validation = Result("validation", {"folds": folds})
    (finding,) = check_validation(validation)
    assert (finding.code, finding.cases) == ("RV504", ("features, repeat 1, fold 2",))
    folds["convergence_warnings"] = 0
    assert check_validation(validation) == []
    folds["n_selected"] = [0, 5]
    (finding,) = check_validation(validation)
    assert (finding.code, finding.cases) == ("RV508", ("features, repeat 1, fold 1",))


def test_constant_features_are_found():
    assert codes(check_dataset(dataset(constant=True))) == [("RV503", "note", 1)]
