from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from radiomics_vert.dataset import merge
from radiomics_vert.errors import DatasetError
from radiomics_vert.feature_table import FeatureTable


def rows(*cases, sequence="CT", **extra):
    """Feature rows of (subject, level, value)."""
    return pd.DataFrame(
        [
            {
                "case_id": f"{subject}_{sequence}_{level}", "subject_id": subject, "session": "",
                "sequence": sequence, "rater": "", "site": "A", "level": level, "label": 20,
                "original_glcm_Contrast": value, **extra,
            }
            for subject, level, value in cases
        ]
    )  # fmt: skip


def table(values, failures=None):
    columns = [*list(values.columns[:8]), "code", "title", "expected", "found", "where", "remedy"]
    failures = pd.DataFrame(columns=columns) if failures is None else failures
    return FeatureTable(values, failures, pd.DataFrame(), len(values) + len(failures))


CLINICAL = pd.DataFrame(
    {
        "subject_id": ["P1", "P1", "P2", "P3"],
        "level": ["L1", "L2", "L1", ""],
        "diagnosis": ["osteoporotic", "metastatic", "metastatic", "osteoporotic"],
        "age": ["70", "70", "61", "80"],
    }
)
VALUES = rows(("P1", "L1", 1.0), ("P1", "L2", 2.0), ("P2", "L1", 3.0), ("P3", "T12", 4.0))


def merged(values=VALUES, clinical=CLINICAL, **options):
    return merge(table(values), clinical, **{"outcome": "diagnosis", "positive": "metastatic", **options})


def test_rows_meet_their_labels():
    dataset = merged(covariates=["age", "level_region", "level_order", "site"])
    assert list(dataset.X.index) == ["P1_L1", "P1_L2", "P2_L1", "P3_T12"]
    assert list(dataset.y) == [0, 1, 1, 0]
    assert list(dataset.groups) == ["P1", "P1", "P2", "P3"]
    assert dataset.negative == "osteoporotic"
    assert list(dataset.covariates["age"]) == [70, 70, 61, 80]
    assert list(dataset.covariates["level_region"]) == ["lumbar", "lumbar", "lumbar", "thoracic"]
    assert list(dataset.covariates["level_order"].diff())[1] == 1
    assert dataset.counts() == {"osteoporotic": 2, "metastatic": 2}


def test_the_order_of_the_clinical_table_does_not_matter():
    pd.testing.assert_series_equal(merged().y, merged(clinical=CLINICAL.iloc[::-1]).y)


def test_a_level_row_goes_before_the_subject_row_and_is_filled_from_it():
    clinical = pd.DataFrame(
        {
            "subject_id": ["P1", "P1", "P2", "P3"],
            "level": [None, "L2", None, None],
            "diagnosis": ["osteoporotic", "metastatic", "metastatic", "osteoporotic"],
            "age": [70, None, 61, 80],
        }
    )
    dataset = merged(clinical=clinical, covariates=["age"])
    assert dataset.y["P1_L1"] == 0
    assert dataset.y["P1_L2"] == 1
    assert dataset.covariates.loc["P1_L2", "age"] == 70


def test_an_empty_key_holds_for_all_sessions_and_levels():
    values = pd.concat([VALUES.assign(session="s1"), VALUES.assign(session="s2")])
    clinical = pd.DataFrame(
        {
            "subject_id": ["P1", "P1", "P2", "P3"],
            "session": ["", "s2", "s1", ""],
            "level": ["L1", "L1", "", ""],
            "diagnosis": ["osteoporotic", "metastatic", "metastatic", "osteoporotic"],
        }
    )
    dataset = merged(values, clinical)
    assert dataset.y.to_dict() == {
        "P1_s1_L1": 0,
        "P2_s1_L1": 1,
        "P3_s1_T12": 0,
        "P1_s2_L1": 1,
        "P3_s2_T12": 0,
    }
    assert list(dataset.audit["unit"]) == ["P1_s1_L2", "P1_s2_L2", "P2_s2_L1"]


def test_blanks_around_numbers_do_not_make_categories():
    dataset = merged(clinical=CLINICAL.assign(age=["70", "70 ", " 61", "80"]), covariates=["age"])
    assert list(dataset.covariates["age"]) == [70, 70, 61, 80]


def test_sequences_stand_side_by_side_and_holes_stay():
    values = pd.concat([VALUES, rows(("P1", "L1", 9.0), ("P2", "L1", 8.0), sequence="T1")])
    dataset = merged(values)
    assert list(dataset.X.columns) == ["CT__original_glcm_Contrast", "T1__original_glcm_Contrast"]
    np.testing.assert_array_equal(dataset.X["T1__original_glcm_Contrast"], [9.0, np.nan, 8.0, np.nan])


def test_everything_left_out_has_a_reason():
    clinical = CLINICAL.assign(diagnosis=["osteoporotic", None, "metastatic", "infection"])
    failure = VALUES.iloc[:1].iloc[:, :8].assign(
        case_id="P9_CT_L5", subject_id="P9", level="L5",
        code="RV301", title="Too small", expected="", found="1 voxel", where="", remedy="",
    )  # fmt: skip
    dataset = merge(
        table(VALUES, failure), clinical, outcome="diagnosis", positive="metastatic", negative="osteoporotic"
    )
    assert list(dataset.X.index) == ["P1_L1", "P2_L1"]
    assert [tuple(row) for row in dataset.audit[["unit", "code", "reason"]].to_numpy()] == [
        ("P9_CT_L5", "RV301", "Too small: 1 voxel"),
        ("P1_L2", "RV110", "no value of diagnosis in the clinical table"),
        ("P3_T12", "RV403", "diagnosis is 'infection'"),
    ]


def test_two_raters_need_a_choice():
    values = pd.concat([VALUES.assign(rater="A"), VALUES.assign(rater="B", original_glcm_Contrast=0.0)])
    with pytest.raises(DatasetError, match="by the raters A, B") as error:
        merged(values)
    assert error.value.problems[0].code == "RV407"
    chosen = merged(values, rater="A")
    assert list(chosen.X.iloc[:, 0]) == [1, 2, 3, 4]
    assert (chosen.audit["code"] == "RV403").sum() == 4


def test_a_feature_table_without_a_case_is_explained():
    empty = VALUES.iloc[:0]
    failure = (
        VALUES.iloc[:2]
        .iloc[:, :8]
        .assign(code="RV201", title="Other grid", expected="", found="", where="", remedy="")
    )
    with pytest.raises(DatasetError, match="2 x RV201 Other grid") as error:
        merge(table(empty, failure), CLINICAL, outcome="diagnosis", positive="metastatic")
    assert error.value.problems[0].code == "RV408"


def test_sessions_make_separate_units():
    values = pd.concat([VALUES.assign(session="s1"), VALUES.assign(session="s2")])
    assert list(merged(values).X.index[[0, 4]]) == ["P1_s1_L1", "P1_s2_L1"]


BAD = {
    "no outcome column": ({"outcome": "diagnose"}, "RV103", "diagnosis", "clinical", "correct the name"),
    "no covariate": ({"covariates": ["sex"]}, "RV103", "diagnosis", "clinical table", "covariate"),
    "positive absent": ({"positive": "malignant"}, "RV401", "'metastatic' (2)", "diagnosis", "`positive`"),
    "negative absent": ({"negative": "benign"}, "RV401", "'osteoporotic' (2)", "diagnosis", "`negative`"),
    "one class": (
        {"clinical": CLINICAL.assign(diagnosis="metastatic")},
        "RV402", "only 'metastatic' (4", "diagnosis", "add",
    ),
    "three classes": (
        {"clinical": CLINICAL.assign(diagnosis=[*"abc", "metastatic"])},
        "RV401", "3 classes", "diagnosis", "negative",
    ),
    "twice": ({"clinical": pd.concat([CLINICAL, CLINICAL])}, "RV104", "several rows for", "clinical", "keep"),
    "text feature": (
        {"values": VALUES.assign(original_glcm_Contrast="1,5")}, "RV404", "'1,5'", "Contrast", "correct"
    ),
    "two roles": ({"covariates": ["diagnosis"]}, "RV409", "as outcome and as covariates", "study", "once"),
    "measured twice": ({"values": pd.concat([VALUES, VALUES])}, "RV407", "4 measured", "P1_CT_L1", "session"),
}  # fmt: skip


@pytest.mark.parametrize("name", BAD)
def test_faults_are_explained(name):
    options, code, found, where, remedy = BAD[name]
    with pytest.raises(DatasetError) as error:
        merged(**options)
    (told,) = error.value.problems
    assert told.code == code
    assert told.expected
    assert found in told.found
    assert where in told.where
    assert remedy in told.remedy


def test_measured_signs_stand_beside_texture_case_by_case():
    signs = rows(("P2", "L1", 30.0), ("P1", "L1", 10.0), ("P3", "L2", 50.0)).rename(
        columns={"original_glcm_Contrast": "sign_gas_ml"}
    )
    clinical = pd.concat(
        [CLINICAL, pd.DataFrame([{"subject_id": "P3", "level": "L2", "diagnosis": "metastatic"}])]
    )
    dataset = merge([table(VALUES), table(signs)], clinical, outcome="diagnosis", positive="metastatic")
    assert list(dataset.X.index) == ["P1_L1", "P1_L2", "P2_L1", "P3_T12", "P3_L2"]
    assert list(dataset.X.columns) == ["original_glcm_Contrast", "sign_gas_ml"]
    np.testing.assert_array_equal(dataset.X["sign_gas_ml"], [10.0, np.nan, 30.0, np.nan, 50.0])
    np.testing.assert_array_equal(dataset.X["original_glcm_Contrast"], [1.0, 2.0, 3.0, 4.0, np.nan])
