"""Settings of the models: each of them changes what comes out of a small study."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from radiomics_vert.config import StudySettings
from radiomics_vert.errors import AnalysisError, RadiomicsVertError, ReportError
from radiomics_vert.modeling import load_bundle
from radiomics_vert.study import Run, load_study
from radiomics_vert.study.choices import model_stage, study_repeats
from radiomics_vert.study.deployment import write_bundle
from radiomics_vert.study.inputs import remeasured
from tests_support import edit, lay_small_study

ONLY_VALIDATION = {"baselines": False, "explanation": False, "probes": 0, "subgroups": []}


@pytest.fixture(scope="module")
def extracted(small_cohort, tmp_path_factory):
    """A small study with changed masks, up to its features."""
    folder = lay_small_study(tmp_path_factory.mktemp("settings"), small_cohort)
    with (folder / "study.yaml").open("a") as stream:
        stream.write("reliability: {perturbations: [shrink1, shift+0.5], sample: 30}\n")
    run = Run(load_study(folder), workers=1)
    run.extract()
    return run


def _stage(run, dataset=None, **validation):
    study = run.study
    plain = study.settings.model_dump()
    plain["validation"] |= validation
    plain["assessment"] |= ONLY_VALIDATION
    asked = replace(study, settings=StudySettings.model_validate(plain))
    return model_stage(asked, dataset or run.dataset(), None, 1, run.watch)


def test_single_vertebrae_are_explained_when_asked(extracted):
    stage = _stage(extracted)
    asked = replace(stage, assessment=replace(stage.assessment, shapley=True))
    assert "shapley" not in {result.kind for result in stage.results()}
    found = {result.kind: result for result in asked.results()}["shapley"]
    assert set(found.frame("vertebrae")["unit"]) == set(asked.dataset.X.index)


def _texture(stage):
    """Predictions of the texture model."""
    table = stage.results()[0].frame("predictions")
    return table[table["feature_set"] == "texture"].reset_index(drop=True)


def test_min_icc_takes_unreliable_features_out_of_the_folds_and_of_the_bundle(extracted, tmp_path):
    free, strict = _stage(extracted), _stage(extracted, min_icc=0.8, inner_folds=3)
    assert not _texture(free)["probability"].equals(_texture(strict)["probability"])
    (repeats,) = {len(strict.repeats)}
    assert repeats == 2
    assert all(table.notna().any(axis=1).sum() == len(strict.dataset) for table in strict.repeats)
    write_bundle(strict, tmp_path / "model")
    kept = load_bundle(tmp_path / "model").pipeline["reliability"]
    assert 0 < kept.get_support().sum() < len(kept.icc_)
    assert (kept.icc_[kept.get_support()] >= 0.8).all()


def test_imbalance_changes_the_model(extracted):
    dataset = extracted.dataset()
    # Leave every second patient of the positive class out, so that there is an imbalance.
    patients = sorted(set(dataset.groups[dataset.y == 1]))[::2]
    rare = ~dataset.groups.isin(patients[:3])
    parts = ("X", "y", "groups", "covariates", "info")
    uneven = replace(dataset, **{name: getattr(dataset, name)[rare] for name in parts})
    settings = ("none", "class_weight", "oversample")
    found = {name: _texture(_stage(extracted, uneven, imbalance=name)) for name in settings}
    level = {name: table["probability"].mean() for name, table in found.items()}
    assert uneven.y.mean() < 0.5
    assert min(level["class_weight"], level["oversample"]) > level["none"]
    assert not found["class_weight"]["probability"].equals(found["oversample"]["probability"])


def test_the_rule_for_unseen_sites_changes_what_happens_to_them(extracted):
    dataset = extracted.dataset()
    patients = np.unique(dataset.groups)
    # One site has a single patient: the fold that tests it has not seen it.
    site = dict.fromkeys(patients, "A") | dict.fromkeys(patients[::2], "B") | {patients[0]: "lonely"}
    sites = dataset.groups.map(site)
    mixed = replace(dataset, info=dataset.info.assign(site=sites))
    kept = _texture(_stage(extracted, mixed, harmonise="combat"))
    assert set(kept["unit"]) == set(mixed.X.index)
    with pytest.raises(AnalysisError, match="lonely") as error:
        _stage(extracted, mixed, harmonise="combat", unseen_site="refuse").results()
    assert error.value.problems[0].code == "RV506"


def test_min_icc_without_repeats_is_an_error_of_check(small_study):
    edit(small_study / "study.yaml", "seed: 7}", "seed: 7, min_icc: 0.8}")
    with pytest.raises(RadiomicsVertError, match=r"reliability\.perturbations") as error:
        load_study(small_study)
    assert error.value.problems[0].code == "RV602"
    edit(small_study / "study.yaml", "min_icc: 0.8}", "min_icc: 0.8, min_icc_from: raters}")
    findings = Run(load_study(small_study)).check().findings
    (finding,) = [one for one in findings if one.severity == "error"]
    assert finding.code == "RV503"
    assert "further raters" in finding.explanation


def test_too_few_vertebrae_measured_again_are_an_error_of_check(small_study):
    edit(small_study / "study.yaml", "seed: 7}", "seed: 7, min_icc: 0.8}")
    with (small_study / "study.yaml").open("a") as stream:
        stream.write("reliability: {perturbations: [shrink1], sample: 6}\n")
    findings = Run(load_study(small_study)).check().findings
    (finding,) = [one for one in findings if one.severity == "error"]
    assert finding.code == "RV503"
    assert "of 6 vertebrae" in finding.explanation


def test_shapley_values_without_their_package_are_an_error_of_check(small_study, monkeypatch):
    monkeypatch.setattr("radiomics_vert.modeling.shapley.find_spec", lambda name: None)
    edit(small_study / "study.yaml", "{probes: 2}", "{shapley: true}")
    assert not [one for one in Run(load_study(small_study)).check().findings if one.code == "RV514"]
    edit(small_study / "study.yaml", "seed: 7}", "seed: 7, models: [rbf_svm]}")
    (finding,) = [one for one in Run(load_study(small_study)).check().findings if one.code == "RV514"]
    assert "pip install" in finding.remedy


def test_refusing_new_sites_and_testing_only_them_exclude_each_other(small_study):
    rules = "seed: 7, harmonise: combat, unseen_site: refuse, scheme: leave_one_site_out}"
    edit(small_study / "study.yaml", "seed: 7}", rules)
    with pytest.raises(RadiomicsVertError, match="tests nothing but unseen sites"):
        load_study(small_study)


def test_features_of_changed_masks_go_with_their_settings(extracted, small_study):
    run = Run(load_study(small_study), workers=1)
    run.study.perturbed.mkdir(parents=True)
    (run.study.perturbed / "features.json").write_text("{}")
    run.extract()
    assert not run.study.perturbed.exists()
    with pytest.raises(ReportError) as error:
        run.study.load_perturbed()
    assert error.value.problems[0].code == "RV701"
    assert study_repeats(run.study, extracted.dataset()) is None


def test_unfractured_vertebrae_are_drawn_apart(extracted):
    cohort = extracted._inputs().cohort
    drawn = remeasured(cohort, 5, 1, None)
    fractured = {case.case_id for case in cohort.labelled().cases}
    chosen = {case.case_id for case in drawn.cases}
    assert len(chosen & fractured) == len(chosen - fractured) == 5
    assert remeasured(cohort, 5, 1, "nobody").cases == ()
    raters = pd.Series([case.scan.rater for case in drawn.cases])
    assert remeasured(cohort, 5, 1, raters.iloc[0] or None).cases == drawn.cases
