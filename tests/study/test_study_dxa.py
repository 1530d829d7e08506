"""A study with a measurement by DXA: covariate, Table 1, report, findings."""

from __future__ import annotations

import pandas as pd
import pytest

from radiomics_vert.errors import RadiomicsVertError
from radiomics_vert.reporting.inputs import Inputs
from radiomics_vert.reporting.sections import table_one
from radiomics_vert.results import Result
from radiomics_vert.study import Run, load_study
from tests_support import edit

REFERENCE = "young women of our own laboratory"
DXA = f"""dxa:
  bmd: neck
  reference: {REFERENCE}
  young_mean: 0.9
  young_sd: 0.1
  postmenopausal: menopause
"""


def with_dxa(folder, unit=1.0):
    """Give each patient but the first a density; all women are post-menopausal."""
    clinical = pd.read_csv(folder / "cohort" / "clinical.csv")
    ids = sorted(clinical["subject_id"].unique())
    density = {name: round((0.62 + 0.03 * place) * unit, 3) for place, name in enumerate(ids)}
    clinical["neck"] = clinical["subject_id"].map(density).where(clinical["subject_id"] != ids[0])
    clinical["menopause"] = clinical["sex"].map({"F": "yes"})
    clinical.to_csv(folder / "clinical.csv", index=False)
    edit(folder / "study.yaml", "clinical: cohort/clinical.csv", "clinical: clinical.csv")
    with (folder / "study.yaml").open("a") as stream:
        stream.write(DXA)
    return ids, density


def test_classes_stand_in_table_one_and_enter_as_a_covariate(small_study):
    ids, density = with_dxa(small_study)
    edit(small_study / "study.yaml", "[age, sex]", "[age, t_score]")
    run = Run(load_study(small_study))
    run.extract()
    dataset = run.dataset()
    assert list(dataset.covariates) == ["age", "t_score"]
    sex = dataset.groups.map(
        pd.read_csv(small_study / "cohort" / "clinical.csv", index_col=0)["sex"].groupby(level=0).first()
    )
    applies = (sex == "F") | (dataset.covariates["age"] >= 50)
    expected = dataset.groups.map(density).sub(0.9).div(0.1).where(applies & (dataset.groups != ids[0]))
    pd.testing.assert_series_equal(dataset.covariates["t_score"], expected, check_names=False)
    run.analyze()
    table = Result.load(run.study.records, "table_one").frame("table")
    rows = table[table["variable"] == "t_score_class"]
    assert set(rows["category"]) >= {"normal", "osteopenia", "osteoporosis"}
    assert set(rows["unit"]) == {"patient"}
    assert (table["variable"] == "t_score").sum() == 1
    codes = Result.load(run.study.records, "checks_dataset").frame()
    assert (codes["code"] == "RV417").any()
    section = table_one.section(
        Inputs([Result.load(run.study.records, kind) for kind in ("study", "table_one")])
    )
    assert REFERENCE in str(section)
    assert "measured by DXA, not from these images" in str(section)


def test_a_column_that_is_missing_or_in_another_unit_is_told_before_anything_is_measured(small_study):
    with_dxa(small_study, unit=1000.0)
    run = Run(load_study(small_study))
    (problem,) = run._inputs().outcome_problems
    assert problem.code == "RV416"
    edit(small_study / "study.yaml", "bmd: neck", "bmd: nekc")
    (problem,) = Run(load_study(small_study))._inputs().outcome_problems
    assert problem.code == "RV103"
    assert "did you mean 'neck'" in problem.remedy


def test_without_dxa_the_score_is_an_unknown_covariate(small_study):
    edit(small_study / "study.yaml", "[age, sex]", "[t_score]")
    with pytest.raises(RadiomicsVertError, match="RV103"):
        Run(load_study(small_study))._inputs()
