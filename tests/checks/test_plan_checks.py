"""The plan of a validation against the vertebrae that it will have: each rule on both sides."""

from __future__ import annotations

import doctest
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from radiomics_vert import phrases
from radiomics_vert.checks import check_dataset, check_plan, finding_of
from radiomics_vert.dataset import Dataset
from radiomics_vert.errors import AnalysisError
from radiomics_vert.modeling import ModelSpec, ValidationSpec, cross_validate

RULES = ValidationSpec(outer_folds=3, inner_folds=4, repeats=2, n_boot=10)


def dataset(negative: int = 20, positive: int = 9, sites: tuple[str, ...] = ("A", "B")) -> Dataset:
    """One vertebra per patient, without a feature, as a cohort is known before extraction."""
    n = negative + positive
    unit = pd.Index([f"P{row:02d}_L1" for row in range(n)])
    subject = pd.Series([f"P{row:02d}" for row in range(n)], index=unit)
    site = [sites[row % len(sites)] for row in range(n)]
    return Dataset(
        X=pd.DataFrame(index=unit),
        y=pd.Series([0] * negative + [1] * positive, index=unit),
        groups=subject,
        covariates=pd.DataFrame(
            {"age": np.arange(n) + 50.0, "sex": ["F", "M", "M"] * (n // 3) + ["F"] * (n % 3)}, index=unit
        ),
        audit=pd.DataFrame(columns=["unit", "sequence", "code", "reason"]),
        info=pd.DataFrame({"subject_id": subject, "level": "L1", "site": site}, index=unit),
        outcome="diagnosis",
        positive="metastatic",
        negative="osteoporotic",
    )


def codes(found):
    return [(finding.code, finding.severity) for finding in found]


def test_a_plan_that_can_be_followed_has_no_finding():
    asked = {"subgroups": ("level_region", "genant_grade", "sex", "site"), "harmonise_covariates": ("age",)}
    assert check_plan(dataset(), RULES, **asked) == []
    assert check_plan(dataset(), replace(RULES, scheme="leave_one_site_out")) == []


def test_inner_folds_are_counted_after_an_outer_fold_is_taken_out():
    # Nine patients of the rarer class: six are left for training, too few for seven inner folds.
    assert check_plan(dataset(positive=9), replace(RULES, inner_folds=6)) == []
    (finding,) = check_plan(dataset(positive=9), replace(RULES, inner_folds=7))
    assert codes([finding]) == [("RV502", "error")]
    assert finding.explanation.startswith("6 patients with the positive class, ")
    assert "inner folds of repeat 1, outer fold 1" in finding.explanation
    assert finding.remedy == "use fewer folds (at most 6), or add patients"


@pytest.mark.parametrize("inner", [6, 7])
def test_what_is_foreseen_is_what_the_validation_says(inner):
    data, rules = dataset(positive=9), replace(RULES, inner_folds=inner, repeats=1)
    noise = np.random.default_rng(0).normal(size=(len(data), 4))
    measured = replace(data, X=pd.DataFrame(noise, index=data.X.index, columns=list("abcd")))
    found = check_plan(data, rules)
    model = ModelSpec(grid={"k": (2,), "l1_ratio": (0.5,), "C": (0.1,)})
    if inner == 6:
        assert found == []
        assert len(cross_validate(measured, model, rules).frame("folds")) == 3
        return
    with pytest.raises(AnalysisError) as error:
        cross_validate(measured, model, rules)
    assert [finding_of(problem) for problem in error.value.problems] == found


def test_too_few_outer_folds_are_told_by_the_check_of_the_dataset_alone():
    assert check_plan(dataset(positive=2), RULES) == []


def test_sites_as_folds_need_no_patients_per_outer_fold():
    # Two sites with two patients of the rarer class each: enough for two inner folds, not for three.
    few, sites = dataset(positive=4), replace(RULES, outer_folds=9, inner_folds=2)
    assert sites.patient_folds == 9
    assert ("RV502", "error") in codes(check_dataset(few, sites.patient_folds))
    by_site = replace(sites, scheme="leave_one_site_out")
    assert by_site.patient_folds is None
    assert codes(check_dataset(few, by_site.patient_folds))[0] == ("RV406", "warning")
    assert check_plan(few, by_site) == []
    assert codes(check_plan(few, replace(by_site, inner_folds=3))) == [("RV502", "error")]


def test_harmonisation_without_its_package_is_found(monkeypatch):
    assert check_plan(dataset(), RULES, harmonise_covariates=("age",)) == []
    monkeypatch.setattr("radiomics_vert.modeling.harmonisation.find_spec", lambda name: None)
    (finding,) = check_plan(dataset(), RULES, harmonise_covariates=("age",))
    assert codes([finding]) == [("RV506", "error")]
    assert "pip install 'radiomics-vert[harmonisation]'" in finding.remedy
    assert check_plan(dataset(), RULES, harmonise_covariates=None) == []


@pytest.mark.parametrize(
    ("name", "remedy"),
    [
        ("sexe", "did you mean 'sex'?"),
        ("Level_regions", "did you mean 'level_region'?"),
        ("vendor", "name its column under covariates, or leave the subgroup out"),
    ],
)
def test_a_subgroup_of_an_unknown_variable_is_found(name, remedy):
    (finding,) = check_plan(dataset(), RULES, subgroups=("sex", name))
    assert codes([finding]) == [("RV413", "error")]
    assert repr(name) in finding.explanation
    assert finding.remedy == remedy


def test_covariates_of_the_harmonisation_are_looked_up():
    (finding,) = check_plan(dataset(), RULES, harmonise_covariates=("sex", "ages"))
    assert (finding.code, finding.remedy) == ("RV103", "did you mean 'age'?")
    (finding,) = check_plan(dataset(), RULES, harmonise_covariates=("diagnosis",))
    assert finding.code == "RV506"
    assert "which is the outcome" in finding.explanation
    assert check_plan(dataset(), RULES, harmonise_covariates=None) == []


def test_sites_are_looked_up():
    one = dataset(sites=("A",))
    assert check_plan(one, RULES) == []
    assert codes(check_plan(one, RULES, harmonise_covariates=())) == [("RV506", "error")]
    assert codes(check_plan(one, replace(RULES, scheme="leave_one_site_out"))) == [("RV507", "error")]
    nowhere = dataset(sites=("",))
    # Asked for twice, by harmonisation and by the folds, and told once.
    found = check_plan(nowhere, replace(RULES, scheme="leave_one_site_out"), harmonise_covariates=())
    assert codes(found) == [("RV105", "error")]


def test_the_nearest_name_is_found_whatever_its_case():
    assert doctest.testmod(phrases).failed == 0
    assert phrases.did_you_mean("AGE", ["age", "sex"]) == "did you mean 'age'?"
