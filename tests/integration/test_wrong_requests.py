"""A user who asks for something wrong is told what, where, and what to do instead."""

from __future__ import annotations

import dataclasses
import inspect
import sys
from collections.abc import Callable

import numpy as np
import pandas as pd
import pytest
from sklearn.model_selection import StratifiedKFold

import radiomics_vert
from radiomics_vert import cli, modeling
from radiomics_vert.config import read_settings
from radiomics_vert.dataset.nouns import Dataset
from radiomics_vert.errors import Problem, RadiomicsVertError
from radiomics_vert.modeling import (
    ModelSpec,
    Preparation,
    ValidationSpec,
    cross_validate,
    fit_final,
    leakage_probe,
    optimism,
    require_grouped_split,
    validate_external,
)
from radiomics_vert.provenance import Provenance

SPEC = ModelSpec(grid={"k": (5,), "l1_ratio": (0.5,), "C": (0.1,)})
RULES = ValidationSpec(outer_folds=3, inner_folds=2, repeats=1, n_boot=10)
STUDY = """
title: A study
outcome: {column: diagnosis, positive: metastatic}
extraction:
  parameters: {CT: ct}
"""


def cohort(seed: int = 0, name: str = "P", noise: int = 10) -> Dataset:
    """Thirty patients with two vertebrae each at two sites; features of noise."""
    rng = np.random.default_rng(seed)
    patient = np.repeat(np.arange(30), 2)
    unit = pd.Index([f"{name}{p:02d}_L{row % 2 + 1}" for row, p in enumerate(patient)])
    subject = pd.Series([f"{name}{p:02d}" for p in patient], index=unit)
    site = np.where(patient % 3 == 0, "Riverside", "Hill")
    return Dataset(
        X=pd.DataFrame(rng.normal(size=(60, noise)), index=unit).rename(columns=lambda j: f"f{j:03d}"),
        y=pd.Series(patient % 2, index=unit),
        groups=subject,
        covariates=pd.DataFrame({"age": rng.normal(70, 8, 60)}, index=unit),
        audit=pd.DataFrame(),
        info=pd.DataFrame({"subject_id": subject, "site": site}, index=unit),
        outcome="diagnosis",
        positive="metastatic",
        negative="osteoporotic",
    )


def told(call: Callable[[], object]) -> Problem:
    """Return the one problem that a request meets; each of its parts says something."""
    with pytest.raises(RadiomicsVertError) as error:
        call()
    (problem,) = error.value.problems
    parts = (problem.expected, problem.found, problem.where, problem.remedy)
    assert all(part.strip() for part in parts), parts
    assert len(set(parts)) == 4
    assert all(part in str(error.value) for part in (problem.code, problem.title, *parts))
    return problem


def test_folds_by_vertebra_are_refused_in_the_settings(tmp_path):
    (tmp_path / "study.yaml").write_text(STUDY + "validation: {split_by: vertebra}\n")
    problem = told(lambda: read_settings(tmp_path / "study.yaml"))
    assert problem.code == "RV602"
    assert "a split by vertebra is refused" in problem.found
    assert "line 6" in problem.where


def test_folds_by_vertebra_are_refused_in_code():
    data = cohort()
    splits = list(StratifiedKFold(5, shuffle=True, random_state=0).split(data.X, data.y))
    problem = told(lambda: require_grouped_split(splits, data.groups))
    assert (problem.code, problem.where) == ("RV501", "split 1")
    assert "of 30 patients on both sides" in problem.found
    assert "by patient" in problem.remedy


@pytest.mark.parametrize("call", [cross_validate, fit_final, optimism, leakage_probe])
def test_vertebrae_named_as_groups_are_refused_by_every_analysis(call):
    data = cohort()
    torn = dataclasses.replace(data, groups=pd.Series(data.X.index.to_numpy(), index=data.X.index))
    problem = told(lambda: call(torn, SPEC, RULES))
    assert problem.code == "RV501"
    assert "30 of 30 patients" in problem.found
    assert "not the vertebra" in problem.remedy


def test_the_outcome_as_covariate_of_the_harmonisation_is_refused():
    data = cohort()
    named = dataclasses.replace(data, covariates=data.covariates.assign(diagnosis=data.y))
    restated = dataclasses.replace(data, covariates=data.covariates.assign(biopsy=1 - data.y))
    for dataset, name in ((named, "diagnosis"), (restated, "biopsy")):
        preparation = Preparation(harmonise="combat", harmonise_covariates=("age", name))
        spec = dataclasses.replace(SPEC, preparation=preparation)
        problem = told(lambda: cross_validate(dataset, spec, RULES))  # noqa: B023
        assert problem.code == "RV506"
        assert "outcome" in problem.expected + problem.found


@pytest.mark.parametrize("shared", ["id", "image"])
def test_a_patient_in_development_and_external_cohort_is_refused(shared):
    data = dataclasses.replace(cohort(), provenance=Provenance({"images": ["i1", "i2"]}))
    fitted = fit_final(data, SPEC, RULES)
    other = cohort(1, "Q")
    if shared == "id":
        other = dataclasses.replace(
            other,
            groups=other.groups.replace("Q07", "P07"),
            info=other.info.replace({"subject_id": {"Q07": "P07"}}),
        )
    else:
        other = dataclasses.replace(other, provenance=Provenance({"images": ["i2"]}))
    problem = told(lambda: validate_external(fitted, {"Hill": other}))
    assert problem.code == "RV513"
    assert ("1 of 30 patients by id" if shared == "id" else "1 image by its hash") in problem.found
    assert "Hill" in problem.where


@pytest.mark.parametrize(
    ("line", "wrong", "nearest"),
    [
        ("validation: {thresholds: 0.4}", "validation.thresholds", "threshold"),
        (
            "validation: {harmonise_covariate: [age]}",
            "validation.harmonise_covariate",
            "harmonise_covariates",
        ),
        ("validation: {split: vertebra}", "validation.split", "split_by"),
    ],
)
def test_an_unknown_setting_is_answered_with_the_nearest(tmp_path, line, wrong, nearest):
    (tmp_path / "study.yaml").write_text(f"{STUDY}{line}\n")
    problem = told(lambda: read_settings(tmp_path / "study.yaml"))
    assert problem.code == "RV601"
    assert f"`{wrong}`" in problem.found
    assert f"did you mean `{nearest}`?" in problem.remedy


def test_a_threshold_from_outside_has_no_way_in(tmp_path):
    (tmp_path / "study.yaml").write_text(STUDY + "validation: {threshold: 0.4}\n")
    problem = told(lambda: read_settings(tmp_path / "study.yaml"))
    assert problem.code == "RV602"
    assert "inner folds choose the decision threshold" in problem.expected
    rule = told(lambda: ValidationSpec(threshold=0.4))  # type: ignore[arg-type]
    assert rule.code == "RV602"
    with pytest.raises(TypeError, match="threshold"):
        validate_external(fit_final(cohort(), SPEC, RULES), {"Q": cohort(1, "Q")}, threshold=0.4)  # type: ignore[call-arg]


def test_selection_before_the_folds_has_no_call():
    """No public function takes a dataset and returns another; the steps that learn take bare arrays."""
    remade = []
    for name, function in inspect.getmembers(modeling) + inspect.getmembers(radiomics_vert):
        if name in modeling.__all__ + radiomics_vert.__all__ and inspect.isfunction(function):
            hints = dict(function.__annotations__)
            made = str(hints.pop("return", ""))
            if "Dataset" in made and any("Dataset" in str(hint) for hint in hints.values()):
                remade.append(name)
    assert remade == []
    for step in (modeling.CorrelationFilter(), modeling.UnivariateSelector(k=2), modeling.MrmrSelector(k=2)):
        with pytest.raises((TypeError, ValueError)):
            step.fit(cohort(), cohort().y)


def test_the_command_line_says_it_without_a_traceback(tmp_path, monkeypatch, capsys):
    (tmp_path / "study.yaml").write_text(STUDY + "validation: {split_by: vertebra}\n")
    monkeypatch.setattr(sys, "argv", ["radiomics-vert", "run", str(tmp_path / "study.yaml")])
    with pytest.raises(SystemExit) as end:
        cli.main()
    assert end.value.code == 2
    message = capsys.readouterr().err
    assert message.startswith("RV602")
    assert all(f"\n  {part}:" in message for part in ("expected", "found", "where", "remedy"))
