from __future__ import annotations

import dataclasses
import logging

import numpy as np
import pytest

from radiomics_vert.errors import AnalysisError, SettingsError
from radiomics_vert.modeling import ModelSpec, Preparation, ValidationSpec, cross_validate, site_folds

SPEC = ModelSpec(grid={"k": (4,), "l1_ratio": (0.5,), "C": (0.5,)})
BY_SITE = ValidationSpec(inner_folds=3, repeats=2, n_boot=10, scheme="leave_one_site_out")


@pytest.fixture(scope="module")
def sited(make_dataset):
    dataset = make_dataset(6, patients=48, features=8, shift=1.5)
    site = np.array(["north", "south", "west"])[np.arange(96) // 4 % 3]
    return dataclasses.replace(dataset, info=dataset.info.assign(site=site))


def test_the_folds_are_the_sites(sited):
    result = cross_validate(sited, SPEC, BY_SITE)
    predictions, folds = result.frame("predictions"), result.frame("folds")
    site = sited.info["site"]
    for _, rows in predictions.groupby("repeat"):
        own = rows.set_index("unit")
        assert own.index.tolist() == sited.X.index.tolist()
        assert own.groupby("fold").apply(lambda rows: set(site[rows.index])).tolist() == [
            {"north"}, {"south"}, {"west"},
        ]  # fmt: skip
    assert folds["site"].tolist() == ["north", "south", "west"] * 2
    assert (folds["n_train"] + folds["n_test"] == 96).all()
    assert result.spec["runs"][0]["sites"] == ["north", "south", "west"]
    assert result.spec["runs"][0]["sites_left_out"] == []
    assert result.frame().loc[0, "estimate"] > 0.8


def test_repeats_differ_in_the_inner_folds_only(sited):
    folds = cross_validate(sited, SPEC, BY_SITE).frame("folds")
    assert folds["auc"].tolist()[:3] == folds["auc"].tolist()[3:]
    assert folds["inner_score"].tolist()[:3] != folds["inner_score"].tolist()[3:]


def test_a_site_with_one_class_is_left_out_and_reported(sited, caplog):
    y = sited.y.where(sited.info["site"] != "west", 1)
    with caplog.at_level(logging.WARNING, "radiomics_vert.modeling"):
        result = cross_validate(dataclasses.replace(sited, y=y), SPEC, BY_SITE)
    run = result.spec["runs"][0]
    assert (run["sites"], run["sites_left_out"], run["n"]) == (["north", "south"], ["west"], 64)
    assert not set(result.frame("predictions")["unit"]) & set(sited.X.index[sited.info["site"] == "west"])
    assert "RV507 site west is left out: its 32 vertebrae have one class only" in caplog.text


def test_too_few_usable_sites_are_refused(sited):
    with pytest.raises(AnalysisError) as error:
        cross_validate(dataclasses.replace(sited, info=sited.info.assign(site="north")), SPEC, BY_SITE)
    (problem,) = error.value.problems
    assert (problem.code, problem.found) == ("RV507", "north")
    y = (sited.info["site"] == "west").astype(int)
    with pytest.raises(AnalysisError) as error:
        cross_validate(dataclasses.replace(sited, y=y), SPEC, BY_SITE)
    (problem,) = error.value.problems
    assert problem.found == "none; one class only at north, south, west"


def test_a_patient_at_two_sites_is_refused():
    with pytest.raises(AnalysisError) as error:
        site_folds([0, 1, 0, 1], ["a", "b", "a", "d"], ["X", "X", "Y", "Y"])
    assert error.value.problems[0].code == "RV501"


def test_a_vertebra_without_site_is_refused(sited):
    with pytest.raises(AnalysisError) as error:
        cross_validate(dataclasses.replace(sited, info=sited.info.drop(columns="site")), SPEC, BY_SITE)
    assert error.value.problems[0].code == "RV105"


def test_combat_goes_with_the_rule_reference_only(sited):
    spec = dataclasses.replace(SPEC, preparation=Preparation(harmonise="combat"))
    assert cross_validate(sited, spec, BY_SITE).frame("predictions")["probability"].notna().all()
    refuse = dataclasses.replace(SPEC, preparation=Preparation(harmonise="combat", unseen_site="refuse"))
    with pytest.raises(AnalysisError) as error:
        cross_validate(sited, refuse, BY_SITE)
    assert error.value.problems[0].code == "RV506"


def test_a_scheme_that_does_not_exist_is_refused():
    with pytest.raises(SettingsError) as error:
        ValidationSpec(scheme="leave_one_vertebra_out")
    assert error.value.problems[0].expected == "one of: repeated_kfold, leave_one_site_out"
