"""Riley's criteria against pmsampsize, published examples and simulation."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from scipy import integrate, stats

from radiomics_vert.errors import SettingsError
from radiomics_vert.statistics import plan_sample_size, sample_size_check
from radiomics_vert.statistics.sample_size import expected_shrinkage, max_r2, r2_from_auc

# From pmsampsize 0.1.0 (Python): shrinkage, optimism, overall risk.
PMSAMPSIZE = [
    ({"prevalence": 0.174, "candidate_parameters": 24, "r2_cs": 0.288}, (623, 662, 221)),
    ({"prevalence": 0.05, "candidate_parameters": 30, "r2_cs": 0.05}, (5249, 1770, 73)),
    ({"prevalence": 0.4, "candidate_parameters": 20, "r2_cs": 0.3373}, (426, 432, 369)),
    ({"prevalence": 0.6, "candidate_parameters": 12, "r2_cs": 0.2, "shrinkage": 0.95}, (1016, 285, 369)),
]


@pytest.mark.parametrize(("settings", "expected"), PMSAMPSIZE)
def test_three_criteria_equal_pmsampsize(settings: dict[str, Any], expected: tuple[int, ...]):
    table = plan_sample_size(**settings).frame().set_index("criterion")
    found = table.loc[["shrinkage", "optimism", "overall_risk"], "n_independent"]
    assert tuple(found) == expected


def test_prediction_error_equals_the_worked_example_of_riley_2020():
    # 10 parameters, prevalence 0.3, mean absolute error 0.05: 461 participants.
    for prevalence in (0.3, 0.7):
        plan = plan_sample_size(prevalence=prevalence, candidate_parameters=10, anticipated_auc=0.8)
        assert plan.frame().set_index("criterion").loc["prediction_error", "n_independent"] == 461


def test_the_overall_size_is_the_largest_of_the_four():
    plan = plan_sample_size(prevalence=0.174, candidate_parameters=24, r2_cs=0.288)
    criteria = plan.frame().set_index("criterion")
    assert criteria["decides"].to_dict() == {
        "overall_risk": False,
        "prediction_error": True,
        "shrinkage": False,
        "optimism": False,
    }
    overall = plan.frame("overall").iloc[0]
    assert overall[["criterion", "n_vertebrae", "n_patients", "events"]].tolist() == [
        "prediction_error",
        801,
        801,
        140,
    ]
    assert overall["events_per_parameter"] == pytest.approx(801 * 0.174 / 24)
    assert overall["shrinkage"] == pytest.approx(0.92, abs=1e-3)
    assert plan.spec["r2_max"] == pytest.approx(0.603, abs=5e-4)
    assert plan.spec["r2_nagelkerke"] == pytest.approx(0.477, abs=5e-4)


def test_largest_r2_is_the_published_one():
    # Riley 2020, table: 0.33 at 5 %, 0.48 at 10 %, 0.75 at 50 %.
    assert [round(max_r2(p), 2) for p in (0.05, 0.1, 0.5)] == [0.33, 0.48, 0.75]


@pytest.mark.parametrize(("auc", "prevalence"), [(0.85, 0.4), (0.89, 0.174), (0.55, 0.5), (0.99, 0.9)])
def test_r2_from_auc_equals_the_integral_of_the_log_likelihood(auc: float, prevalence: float):
    delta = 2**0.5 * stats.norm.ppf(auc)

    def gain(x: float) -> float:
        positive, negative = stats.norm.logpdf(x - delta), stats.norm.logpdf(x)
        either = np.logaddexp(np.log(prevalence) + positive, np.log(1 - prevalence) + negative)
        return prevalence * np.exp(positive) * (positive - either) + (1 - prevalence) * np.exp(negative) * (
            negative - either
        )

    information = integrate.quad(gain, -9, delta + 9, epsabs=1e-12, limit=200)[0]
    assert r2_from_auc(auc, prevalence) == pytest.approx(1 - np.exp(-2 * information), rel=1e-6)


def test_r2_from_auc_equals_pmsampsize_within_its_simulation_error():
    assert r2_from_auc(0.85, 0.4) == pytest.approx(0.3373, abs=1e-3)
    assert r2_from_auc(0.89, 0.174) == pytest.approx(0.2908, abs=1e-3)


def test_expected_shrinkage_turns_the_criterion_round():
    needed = 24 / ((0.85 - 1) * np.log(1 - 0.288 / 0.85))
    assert expected_shrinkage(needed, 24, 0.288) == pytest.approx(0.85, abs=1e-9)
    # 1000 features in 60 vertebrae: hardly anything of the effects remains, and it is a number.
    assert expected_shrinkage(60, 1000, 0.2) == pytest.approx(0.2, abs=0.01)
    curve = plan_sample_size(prevalence=0.4, candidate_parameters=8, anticipated_auc=0.8).frame("curve")
    assert curve["shrinkage"].is_monotonic_increasing


def test_clustering_asks_for_more_vertebrae_but_not_for_more_patients_than_alone():
    alone = plan_sample_size(prevalence=0.4, candidate_parameters=8, anticipated_auc=0.85).frame()
    settings = {"prevalence": 0.4, "candidate_parameters": 8, "anticipated_auc": 0.85}
    clustered = plan_sample_size(**settings, vertebrae_per_patient=1.8, icc=0.5)
    assert clustered.spec["design_effect"] == pytest.approx(1.4)
    table = clustered.frame()
    assert table["n_independent"].tolist() == alone["n_independent"].tolist()
    assert table["n_vertebrae"].tolist() == [int(np.ceil(1.4 * n)) for n in alone["n_independent"]]
    assert (table["n_patients"] < alone["n_patients"]).all()
    # One cause per patient: only patients count.
    one_cause = plan_sample_size(**settings, vertebrae_per_patient=1.8, icc=1.0).frame()
    assert (one_cause["n_patients"] - alone["n_patients"]).abs().max() <= 1


def test_without_a_guess_15_percent_of_the_largest_r2_is_assumed():
    plan = plan_sample_size(prevalence=0.5, candidate_parameters=10)
    assert plan.spec["r2_cs"] == pytest.approx(0.1125)
    assert "15%" in plan.spec["r2_source"]


def test_many_parameters_are_called_an_extrapolation():
    note = plan_sample_size(prevalence=0.5, candidate_parameters=31).frame().set_index("criterion")["note"]
    assert "extrapolated" in note["prediction_error"]
    assert (note.drop("prediction_error") == "").all()


def test_a_study_that_is_too_small_is_told_so_per_criterion():
    found = sample_size_check(100, 40, 20, anticipated_auc=0.85)
    checks = found.frame().set_index("criterion")
    assert found.kind == "sample_size_check"
    assert checks["needed"].to_dict()["optimism"] == 432
    assert not checks["met"].any()
    assert (checks["code"] == "RV505").all()
    assert "432 vertebrae are needed" in checks.loc["optimism", "message"]
    expected = found.frame("expected").iloc[0]
    assert expected["events_per_parameter"] == 2.0
    # One parameter needs 426 / 20 = 21.3 vertebrae.
    assert expected["parameters_supported"] == 4


def test_a_study_that_is_large_enough_has_no_warning():
    checks = sample_size_check(1000, 600, 5, r2_cs=0.3).frame()
    assert checks["met"].all()
    assert (checks["code"] == "").all()
    assert (checks["message"] == "").all()


def test_clustering_lowers_what_a_study_is_worth():
    plain = sample_size_check(100, 40, 5, r2_cs=0.3).frame("expected").iloc[0]
    clustered = sample_size_check(100, 40, 5, r2_cs=0.3, vertebrae_per_patient=2, icc=1).frame("expected")
    assert clustered["effective_n"].iloc[0] == 50
    assert clustered["shrinkage"].iloc[0] < plain["shrinkage"]


@pytest.mark.parametrize(
    ("settings", "named"),
    [
        ({"prevalence": 1.0}, "prevalence"),
        ({"candidate_parameters": 0}, "candidate_parameters"),
        ({"shrinkage": 1.0}, "shrinkage"),
        ({"vertebrae_per_patient": 0.5}, "vertebrae_per_patient"),
        ({"icc": 1.5}, "icc"),
        ({"anticipated_auc": 0.5}, "anticipated_auc"),
        ({"anticipated_auc": 0.8, "r2_cs": 0.2}, "one of the two"),
        ({"r2_cs": 0.76}, "0.75"),
    ],
)
def test_impossible_numbers_are_refused_by_name(settings: dict[str, Any], named: str):
    with pytest.raises(SettingsError, match=named):
        plan_sample_size(**{"prevalence": 0.5, "candidate_parameters": 10, **settings})


def test_all_impossible_numbers_are_told_at_once():
    with pytest.raises(SettingsError) as caught:
        plan_sample_size(prevalence=0, candidate_parameters=0, icc=2)
    assert [problem.where for problem in caught.value.problems] == [
        "prevalence",
        "candidate_parameters",
        "icc",
    ]


@pytest.mark.parametrize("events", [0, 100])
def test_a_study_with_one_class_is_refused(events: int):
    with pytest.raises(SettingsError, match="between 1 and 99"):
        sample_size_check(100, events, 5)
