"""T-scores from clinical columns: exact boundaries, for whom they apply, and what is refused."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

import radiomics_vert as rv
from radiomics_vert.checks import check_dataset
from radiomics_vert.dataset import DxaColumns, merge, t_scores
from radiomics_vert.errors import DatasetError
from radiomics_vert.feature_table import FeatureTable
from radiomics_vert.signs.baselines import z_score_reason
from radiomics_vert.statistics.acquisition import audited_variables

REPORTED = DxaColumns(t_score="dxa", postmenopausal="menopause", fragility="fragile")
DENSITY = DxaColumns(bmd="bmd", young_mean=1.0, young_sd=0.1, postmenopausal="menopause")


def patients(**columns):
    """One row each; men of 70 where nothing else is said."""
    count = len(next(iter(columns.values())))
    plain = {"sex": "M", "age": "70", "menopause": "", "fragile": ""}
    return pd.DataFrame({**{name: [value] * count for name, value in plain.items()}, **columns})


def classes(rows, dxa=REPORTED):
    return t_scores(rows, dxa)["t_score_class"].tolist()


def reasons(rows, dxa=REPORTED):
    made = t_scores(rows, dxa)
    lacking = made["t_score_absent"] != ""
    assert made.loc[lacking, ["t_score", "t_score_class"]].isna().all(axis=None)
    assert made.loc[~lacking, ["t_score", "t_score_class"]].notna().all(axis=None)
    return made["t_score_absent"].tolist()


def refused(rows, dxa=REPORTED):
    with pytest.raises(DatasetError) as error:
        t_scores(rows, dxa)
    return error.value.problems


BOUNDARIES = [
    ("0.4", "normal"),
    ("-1.0", "normal"),
    ("-1", "normal"),
    ("-1.01", "osteopenia"),
    ("-2.49", "osteopenia"),
    ("-2.5", "osteoporosis"),
    ("-2.50", "osteoporosis"),
    ("-4.1", "osteoporosis"),
]


@pytest.mark.parametrize("sex", ["M", "F"])
def test_the_boundaries_belong_to_normal_and_to_osteoporosis(sex):
    written, expected = zip(*BOUNDARIES, strict=True)
    rows = patients(dxa=list(written)).assign(sex=sex, menopause="yes")
    assert classes(rows) == list(expected)


def test_a_density_becomes_a_score_with_exact_boundaries():
    rows = patients(bmd=["0.9", "0.8999", "0.7501", "0.75", "1.04"])
    made = t_scores(rows, DENSITY)
    assert made["t_score"].tolist() == pytest.approx([-1.0, -1.001, -2.499, -2.5, 0.4])
    assert made["t_score_class"].tolist() == ["normal", "osteopenia", "osteopenia", "osteoporosis", "normal"]
    # Each of these is -2.5 by arithmetic on paper, and beside it in binary numbers.
    for mean, sd in ((0.858, 0.12), (1.047, 0.11), (0.943, 0.122), (0.86, 0.13)):
        bmd = f"{mean - 2.5 * sd:.4f}"
        assert classes(patients(bmd=[bmd]), DxaColumns(bmd="bmd", young_mean=mean, young_sd=sd)) == [
            "osteoporosis"
        ]


def test_men_have_a_score_from_fifty_on():
    rows = patients(dxa=["-3"] * 5, age=["49.9", "50", "50.0", "", "93"])
    young, unknown = "a man below 50: use the Z-score", "the age of a man is not known"
    assert reasons(rows) == [young, "", "", unknown, ""]


def test_women_have_a_score_after_menopause_at_any_age():
    rows = patients(dxa=["-3"] * 5, age=["45", "70", "70", "", "70"], menopause=["yes", "no", "", "1", "0"])
    before, unknown = (
        "a woman before menopause: use the Z-score",
        "not known whether a woman is post-menopausal",
    )
    assert reasons(rows.assign(sex="F")) == ["", before, unknown, "", before]
    # Without a column nobody knows.
    assert reasons(rows.assign(sex="F"), DxaColumns(t_score="dxa")) == [unknown] * 5


def test_an_age_of_menopause_holds_only_where_the_study_sets_one_and_nothing_is_recorded():
    rows = patients(dxa=["-3"] * 5, age=["54.9", "55", "70", "", "40"], menopause=["", "", "no", "", "yes"])
    dxa = DxaColumns(t_score="dxa", postmenopausal="menopause", postmenopausal_from=55)
    found = [reason == "" for reason in reasons(rows.assign(sex="F"), dxa)]
    assert found == [False, True, False, False, True]
    # It is not the limit of men.
    assert reasons(patients(dxa=["-3"], age=["52"]), dxa) == [""]


def test_without_sex_or_measurement_there_is_none():
    rows = patients(dxa=["-3", "-3", "-3", ""], sex=["", "x", "female", "M"])
    unknown = "the sex is not known"
    assert reasons(rows.assign(menopause="yes")) == [unknown, unknown, "", "no measurement by DXA"]
    assert z_score_reason(sex="", age=80, postmenopausal=True) == unknown


def test_a_fragility_fracture_makes_osteoporosis_severe_and_nothing_else():
    rows = patients(dxa=["-2.5", "-2.5", "-2.4", "-1.0", "-2.5"], fragile=["yes", "no", "1", "true", ""])
    assert classes(rows) == ["severe osteoporosis", "osteoporosis", "osteopenia", "normal", "osteoporosis"]


@pytest.mark.parametrize(("column", "dxa"), [("dxa", REPORTED), ("bmd", DENSITY)])
def test_hu_and_other_units_are_refused(column, dxa):
    """112 HU or mg/cm3 is no measurement by DXA; all such cells in one message."""
    (problem,) = refused(patients(**{column: ["112", "95", "140", "88", "0.9"]}), dxa)
    assert problem.code == "RV416"
    assert "'112' (0), '95' (1), '140' (2) and 1 more" in problem.found
    assert "HU and mg/cm3 of CT give no T-score, and MRI gives no density" in problem.remedy
    assert column in problem.where


def test_unreadable_cells_are_told_by_column():
    rows = patients(dxa=["-2,5", "low", "nan"], age=["70", "7o", "70"], menopause=["perhaps", "", ""])
    found = {problem.where: problem for problem in refused(rows)}
    assert set(found) == {f"clinical table, column {name}" for name in ("dxa", "age", "menopause")}
    assert found["clinical table, column dxa"].found == "'-2,5' (0), 'low' (1), 'nan' (2)"
    assert {problem.code for problem in found.values()} == {"RV416"}


def test_columns_that_are_missing_or_taken_are_told_at_once():
    rows = patients(dxa_t=["-1"], t_score_class=["normal"])
    missing, taken = refused(rows)
    assert (missing.code, taken.code) == ("RV103", "RV409")
    assert "did you mean 'dxa_t'" in missing.remedy
    assert "'t_score_class'" in taken.expected
    # The reported column may have this name itself.
    assert classes(patients(t_score=["-1.0"]), DxaColumns(t_score="t_score")) == ["normal"]


@pytest.mark.parametrize(
    "wrong",
    [
        {},
        {"t_score": "a", "bmd": "b", "young_mean": 1.0, "young_sd": 0.1},
        {"bmd": "b", "young_mean": 1.0},
        {"bmd": "b", "young_mean": 1.0, "young_sd": 0.0},
    ],
)
def test_one_measurement_and_its_whole_reference_are_needed(wrong):
    with pytest.raises(ValueError, match=r"t_score|bmd|young"):
        DxaColumns(**wrong)


# In a dataset ------------------------------------------------------------------------------------

CLINICAL = pd.DataFrame(
    {
        "subject_id": ["P1", "P2", "P3", "P4"],
        "diagnosis": ["osteoporotic", "metastatic", "metastatic", "osteoporotic"],
        "age": ["70", "44", "80", "66"],
        "sex": ["M", "M", "F", "F"],
        "menopause": ["", "", "yes", ""],
        "dxa": ["-2.6", "-2.6", "-1.0", "-3"],
    }
)
DXA = DxaColumns(t_score="dxa", postmenopausal="menopause")


def dataset(clinical=CLINICAL, **options):
    identity = ("case_id", "subject_id", "session", "sequence", "rater", "site", "level", "label")
    rows = [(f"{p}_T1_{v}", p, "", "T1", "", "", v, 20) for p in CLINICAL["subject_id"] for v in ("L1", "L2")]
    values = pd.DataFrame(rows, columns=list(identity)).assign(original_glcm_Contrast=np.arange(8.0))
    columns = [*identity, "code", "title", "expected", "found", "where", "remedy"]
    table = FeatureTable(values, pd.DataFrame(columns=columns), pd.DataFrame(), len(values))
    roles = {"outcome": "diagnosis", "positive": "metastatic", "dxa": DXA, **options}
    return merge(table, clinical, **roles)


def test_scores_are_covariates_where_they_are_named():
    found = dataset(covariates=["age", "t_score", "t_score_class"])
    assert found.covariates["t_score"].tolist()[:2] == [-2.6, -2.6]
    assert found.covariates["t_score"].dtype == float
    assert found.covariates["t_score_class"].dropna().unique().tolist() == ["osteoporosis", "normal"]
    assert found.covariates["t_score"].isna().tolist() == [False, False, True, True, False, False, True, True]
    assert dataset().covariates.empty
    with pytest.raises(DatasetError, match="RV103"):
        dataset(dxa=None, covariates=["t_score"])


def test_vertebrae_without_a_score_stay_and_are_told():
    found = dataset()
    assert len(found) == 8
    assert not (found.audit["code"] == "RV417").any()
    told = {finding.explanation: finding.cases for finding in check_dataset(found) if finding.code == "RV417"}
    assert told == {
        "2 vertebrae of 1 patient: a man below 50: use the Z-score": ("P2_L1", "P2_L2"),
        "2 vertebrae of 1 patient: not known whether a woman is post-menopausal": ("P4_L1", "P4_L2"),
    }
    assert not [finding for finding in check_dataset(dataset(dxa=None)) if finding.code == "RV417"]


def test_the_audit_of_confounding_sees_the_score_but_not_the_reason():
    seen = audited_variables(dataset(), None)
    assert {"t_score", "t_score_class"} <= set(seen)
    assert "t_score_absent" not in seen


def test_the_outcome_is_no_part_of_a_measurement():
    with pytest.raises(DatasetError, match="RV409"):
        dataset(dxa=DxaColumns(t_score="dxa", fragility="diagnosis"))


def test_the_library_has_them():
    assert rv.t_score(0.75, 1.0, 0.1) == pytest.approx(-2.5)
    assert rv.t_score_class(-2.5, sex="M", age=50) == "osteoporosis"
    assert rv.DxaColumns is DxaColumns
    assert rv.t_scores is t_scores
