"""The committed tables of analysis/simulations: what they claim, and that the code still makes them."""

from __future__ import annotations

import numpy as np
import pytest

from analysis.simulations import interval_coverage, leakage, power
from analysis.simulations.cohorts import PUBLISHED, committed
from radiomics_vert.checks.analysis import LARGE_SAMPLE_PATIENTS


def _same(found, table, share, runs):
    """Compare shares of a shorter run with the committed ones, within the error of simulation."""
    expected = table[share].to_numpy()
    error = np.sqrt(np.maximum(expected * (1 - expected), 0.01) / runs)
    assert (abs(found[share].to_numpy() - expected) < 3.5 * error).all(), share


def test_power_of_the_committed_table():
    table = committed("power")
    assert len(table) == len(power.SETTINGS) * (len(PUBLISHED) + 1)
    large = table[table["patients"] == 64]
    true, noise = large[large["truth"] != 0.5], large[large["truth"] == 0.5]
    assert set(true["feature"]) == set(PUBLISHED)
    assert (true["selected"] > 0.85).all()
    assert (noise["selected"] < 0.006).all()
    assert (large["coverage"] > 0.91).all()
    np.testing.assert_allclose(true["estimate"], true["truth"], atol=0.01)
    strong = table[(table["truth"] > 0.94) & (table["patients"] == 32)]
    assert (strong["selected"] > 0.9).all()


def test_models_of_the_committed_table():
    table = committed("power_models")
    assert (table["selected_fat_fraction_map"] > 0.9).all()
    assert (table["selected_lateral_angle"] > 0.85).all()
    # What cross-validation states is no better than what the model then does on new patients.
    assert (table["validated"] <= table["new_patients"] + 0.01).all()
    assert (table["coverage"] > 0.8).all()


def test_coverage_and_error_rates_of_the_committed_table():
    table = committed("interval_coverage").set_index(["quantity", "method"])
    held = table.xs("clustered", level="method")
    assert held.loc["interval of the AUC", "share"].between(0.93, 0.97).all()
    assert held.loc["interval of Hedges g", "share"] == pytest.approx(0.95, abs=0.02)
    assert held.loc["p value of associate", "share"] == pytest.approx(0.05, abs=0.01)
    naive = table.xs("unclustered", level="method")
    assert (naive.loc["interval of the AUC", "share"] < 0.9).all()
    assert naive.loc["p value of associate", "share"] > 0.1


def test_small_cohorts_of_the_committed_table():
    table = committed("small_cohorts")
    held = table[table["quantity"] == "interval of the AUC"]
    assert set(held["patients_per_class"]) == set(interval_coverage.SMALL)
    few = held["patients_per_class"] < LARGE_SAMPLE_PATIENTS
    # The words of finding RV515.
    assert held.loc[few, "share"].between(0.915, 0.955).all()
    assert held.loc[few, "share"].mean() < held.loc[~few, "share"].mean() < 0.955
    p_values = table[table["quantity"] == "p value of the AUC"]
    assert p_values["share"].between(0.05, 0.0605).all()


@pytest.mark.slow
def test_small_cohorts_again():
    found = interval_coverage.small_cohorts(range(100))
    table = committed("small_cohorts")
    assert found["patients_per_class"].tolist() == table["patients_per_class"].tolist()
    _same(found, table, "share", 300)


def test_leaks_of_the_committed_table():
    table = committed("leakage").set_index("leak")
    assert table.loc["split by vertebra", "leaky_auc"] == pytest.approx(0.89, abs=0.03)
    assert table.loc["selection before the folds", "leaky_auc"] == pytest.approx(0.88, abs=0.03)
    assert (abs(table["honest_auc"] - 0.5) < 0.03).all()


@pytest.mark.slow
def test_power_again():
    runs = 40
    found = power.association_power(32, 0.5, range(runs))
    table = committed("power").query("patients == 32 and icc == 0.5").reset_index(drop=True)
    assert found["feature"].tolist() == table["feature"].tolist()
    np.testing.assert_allclose(found["truth"], table["truth"], atol=1e-4)
    np.testing.assert_allclose(found["estimate"], table["estimate"], atol=0.025)
    for share in ("coverage", "selected", "all_selected"):
        _same(found, table, share, runs)


@pytest.mark.slow
def test_models_again():
    found = power.model_power(40, 0.4, range(5)).iloc[0]
    table = committed("power_models").set_index("patients").loc[40]
    assert found["validated"] == pytest.approx(table["validated"], abs=0.08)
    assert found["new_patients"] == pytest.approx(table["new_patients"], abs=0.06)
    assert found["selected_fat_fraction_map"] > 0.7


@pytest.mark.slow
def test_coverage_and_error_rates_again():
    cohorts = range(100)
    table = committed("interval_coverage")
    for study in (interval_coverage.auc_coverage, interval_coverage.type_one_error):
        found = study(cohorts).set_index(["quantity", "truth", "method"])
        again = table.set_index(["quantity", "truth", "method"]).loc[found.index]
        # Six features per cohort are independent given the vertebrae; half of them is a cautious count.
        _same(found, again, "share", 3 * len(cohorts))


@pytest.mark.slow
def test_leaks_again():
    found = leakage.table(range(5)).set_index("leak")
    table = committed("leakage").set_index("leak")
    np.testing.assert_allclose(found["leaky_auc"], table["leaky_auc"], atol=0.05)
    assert (found["leaky_auc"] - found["honest_auc"] > 0.2).all()
    np.testing.assert_allclose(found["honest_auc"], 0.5, atol=0.12)
