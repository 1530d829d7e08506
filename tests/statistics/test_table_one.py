"""Table 1: patients and vertebrae counted apart, cell by cell for a cohort of four patients."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from radiomics_vert.errors import AnalysisError
from radiomics_vert.statistics import table_one

# Patient a: two metastatic vertebrae; b: one of each class; c and d: osteoporotic.
GROUPS = list("aabbcd")
Y = [1, 1, 1, 0, 0, 0]
LEVELS = ["T12", "L1", "L2", "C7", "L1", ""]


@pytest.fixture
def study(make_dataset):
    covariates = pd.DataFrame(
        {
            "age": [60.0, 60, 70, 70, 80, np.nan],
            "sex": ["F", "F", "M", "M", "F", "F"],
            "grade": [1.0, 2, 2, 3, 1, np.nan],
            "treated": [1.0, 0, 1, 1, np.nan, 0],
        }
    )
    return make_dataset({"f": range(6)}, Y, GROUPS, covariates=covariates, levels=LEVELS)


@pytest.fixture
def rows(study):
    return table_one(study).frame().set_index(["variable", "category"])


def cells(row):
    return row[["unit", "statistic", "overall", "negative", "positive", "missing"]].tolist()


def test_columns_and_order(study):
    result = table_one(study)
    table = result.frame()
    assert result.kind == "table_one"
    assert list(table) == [
        *("variable", "category", "unit", "statistic", "overall", "negative", "positive", "missing"),
        "standardized_difference",
    ]
    assert list(dict.fromkeys(table["variable"])) == [
        *("patients", "vertebrae", "vertebrae_per_patient", "level_region", "age", "sex", "grade"),
        "treated",
    ]


def test_counts_of_patients_and_vertebrae(rows):
    assert cells(rows.loc[("patients", "")]) == ["patient", "n", "4", "3", "2", 0]
    assert cells(rows.loc[("patients", "with vertebrae of both classes")])[2:5] == ["1", "1", "1"]
    assert cells(rows.loc[("vertebrae", "")]) == ["vertebra", "n", "6", "3", "3", 0]
    # a 2, b 2, c 1, d 1; negatives b, c, d one each; positives a 2, b 1.
    assert cells(rows.loc[("vertebrae_per_patient", "")])[2:5] == ["1.5 [1-2]", "1 [1-1]", "1.5 [1.25-1.75]"]


def test_a_value_of_the_patient_is_counted_once(rows):
    # Overall a 60, b 70, c 80; negative b, c; positive a, b; the age of d is missing.
    assert cells(rows.loc[("age", "")]) == [
        *("patient", "median [Q1-Q3]", "70 [65-75]", "75 [72.5-77.5]", "65 [62.5-67.5]"),
        1,
    ]
    # Means 65 and 75, each variance 50.
    assert rows.loc[("age", ""), "standardized_difference"] == pytest.approx(-10 / np.sqrt(50))
    assert cells(rows.loc[("sex", "F")]) == ["patient", "n (%)", "3 (75.0)", "2 (66.7)", "1 (50.0)", 0]
    difference = (1 / 2 - 2 / 3) / np.sqrt((1 / 4 + 2 / 9) / 2)
    assert rows.loc[("sex", "F"), "standardized_difference"] == pytest.approx(difference)
    assert rows.loc[("sex", "M"), "standardized_difference"] == pytest.approx(-difference)


def test_a_value_of_the_vertebra_is_counted_per_vertebra(rows):
    assert cells(rows.loc[("grade", "")])[:3] == ["vertebra", "median [Q1-Q3]", "2 [1-2]"]
    assert cells(rows.loc[("grade", "")])[5] == 1
    # Two values only: categories, written as whole numbers.
    assert cells(rows.loc[("treated", "1")]) == [
        *("vertebra", "n (%)", "3 (60.0)", "1 (50.0)", "2 (66.7)"),
        1,
    ]
    assert ("treated", "0") in rows.index


def test_regions_run_from_the_head_down_and_unknown_levels_are_missing(rows):
    regions = rows.loc["level_region"]
    assert regions.index.tolist() == ["cervical", "thoracic", "lumbar"]
    assert cells(regions.loc["lumbar"]) == ["vertebra", "n (%)", "3 (60.0)", "1 (50.0)", "2 (66.7)", 1]


def test_a_region_among_the_covariates_is_not_shown_twice(study):
    variables = pd.DataFrame({"level_region": ["lumbar"] * 6}, index=study.X.index)
    table = table_one(study, variables).frame()
    assert (table["variable"] == "level_region").sum() == 1
    assert "age" not in set(table["variable"])
    row = table[table["variable"] == "level_region"].iloc[0]
    assert row["standardized_difference"] == 0.0  # all the same in both classes
    assert row["unit"] == "patient"


def test_a_variable_without_a_value_is_said_to_have_none(study):
    variables = pd.DataFrame({"weight": [np.nan] * 6}, index=study.X.index)
    row = table_one(study, variables).frame().iloc[-1]
    assert (row["category"], row["overall"], row["missing"]) == ("no value", "0", 4)


def test_large_numbers_have_no_exponent(study):
    variables = pd.DataFrame({"dose": [12345.6, 1, 2, 3, 4, 5]}, index=study.X.index)
    assert "12346" not in table_one(study, variables).frame().iloc[-1]["overall"]
    variables["dose"] *= 4000.0
    assert table_one(study, variables).frame().iloc[-1]["overall"] == "14000 [9000-19000]"


def test_variables_of_other_vertebrae_are_refused(study):
    with pytest.raises(AnalysisError, match="RV503"):
        table_one(study, pd.DataFrame({"age": [1, 2]}))


def test_result_can_be_saved(study, tmp_path):
    table_one(study).save(tmp_path)
    assert (tmp_path / "table_one_table.csv").read_text("utf-8").startswith("variable,category,unit")
