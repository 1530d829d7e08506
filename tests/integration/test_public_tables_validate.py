"""The command line on tables that this project did not make: nine of radiomics, one of vertebrae."""

from __future__ import annotations

import pandas as pd
import pytest

from analysis.simulations import radmlbench
from analysis.simulations.cohorts import committed
from tests_support import command

pytestmark = pytest.mark.data


def test_the_committed_aucs_are_complete():
    table = committed("radmlbench")
    assert table["dataset"].tolist() == list(radmlbench.TABLES)
    assert ((table["ci_low"] < table["auc"]) & (table["auc"] < table["ci_high"])).all()


@pytest.mark.slow
@pytest.mark.parametrize("name", radmlbench.TABLES)
def test_nine_radiomics_tables(real_data, tmp_path, name):
    found = radmlbench.validated(real_data, name, tmp_path)
    expected = committed("radmlbench").set_index("dataset").loc[name]
    counts = ["n", "n_subjects", "excluded"]
    assert found[counts].tolist() == expected[counts].tolist()
    for number in ("auc", "ci_low", "ci_high"):
        # Another processor may round a tie of hyper-parameters the other way.
        assert found[number] == pytest.approx(expected[number], abs=0.02)
    excluded = pd.read_csv(tmp_path / name / "records" / "flow_excluded.csv")
    without_patient = excluded[excluded["code"] == "RV405"]
    if name == "Hosny2018B":
        assert without_patient["unit"].tolist() == ["line 190"]
        assert without_patient["reason"].item() == "no patient in 'ID'"
    else:
        assert without_patient.empty


def test_strength_that_is_missing_where_fractured_is_flagged_by_analyze(real_data, tmp_path):
    table = real_data / "tables" / "dev_verse19_vertebra_table.csv"
    roles = ["--outcome", "fracture", "--positive", "1", "--group", "patient_id", "--level", "vertebra"]
    others = ["--covariate", "sex", "--covariate", "contrast", "--drop", "genant_grade"]
    done = command("analyze", "--features", table, *roles, *others, "-o", tmp_path / "out", "-j", 1)
    assert done.returncode == 0, done.stderr
    assert "warning RV414 Missing values predict the class: fe_force_kN is missing in " in done.stderr
    records = tmp_path / "out" / "records"
    missing = pd.read_csv(records / "confounding_missingness.csv").set_index("feature")
    trap = missing.loc["fe_force_kN"]
    assert trap["flagged"]
    assert (trap["missing_positive"], trap["missing_negative"]) == (186, 0)
    assert trap["ci_low"] > 0.95
    assert not missing["flagged"].drop("fe_force_kN").any()
    # Hardly a fractured vertebra has a strength: its association rests on three of them, and shows so.
    strength = pd.read_csv(records / "association_features.csv").set_index("feature").loc["fe_force_kN"]
    assert strength["n_positive"] == 3
    assert strength["missing_positive"] == 186
