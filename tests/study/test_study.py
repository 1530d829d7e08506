"""One study from images to report, on the small synthetic cohort."""

from __future__ import annotations

import filecmp
import json
import shutil
from pathlib import Path

import pandas as pd
import pytest

from radiomics_vert._version import __version__
from radiomics_vert.errors import AnalysisError, RadiomicsVertError, ReportError
from radiomics_vert.results import Result
from radiomics_vert.study import Run, load_results, load_study, result_sentences
from tests_support import edit, images_of, lay_small_study, use_images


@pytest.fixture(scope="module")
def finished(small_cohort, tmp_path_factory):
    """Run the study once for the tests that only look."""
    folder = lay_small_study(tmp_path_factory.mktemp("finished"), small_cohort)
    edit(folder / "study.yaml", "repeats: 1", "repeats: 2")
    run = Run(load_study(folder))
    run.run()
    return run


@pytest.fixture
def finished_copy(finished, tmp_path):
    """Folder of a copy of the finished study, for tests that change it."""
    return shutil.copytree(finished.study.folder, tmp_path / "copy", symlinks=True)


def test_every_stage_leaves_its_files(finished):
    output = finished.study.output
    kinds = {result.kind for result in load_results(output / "records")}
    assert kinds == {
        "study", "cohort", "flow", "checks_extraction", "quality", "checks_dataset", "checks_confounding",
        "checks_validation",
        "extraction", "table_one", "association", "values", "adjusted", "confounding",
        "sample_size_check", "validation", "comparison", "subgroups", "explanation", "leakage_probe",
        "provenance",
    }  # fmt: skip
    assert (output / "report.html").stat().st_size > 50_000
    assert "synthetic" in (output / "report.html").read_text("utf-8").lower()


def test_values_and_failures_add_up(finished):
    table = finished.study.load_features()
    clinical = pd.read_csv(finished.study.folder / "cohort" / "clinical.csv")
    assert len(table.values) + len(table.failures) == table.n_cases == len(clinical)


def test_the_flow_loses_nobody(finished):
    flow = Result.load(finished.study.records, "flow").frame()
    steps = flow.set_index("step")
    before = steps.loc["vertebrae with features"]
    assert before["entered"] - before["left"] == steps.loc["vertebrae analysed", "entered"]
    masks = steps.loc["vertebrae in the masks"]
    assert masks["entered"] - masks["left"] == steps.loc["features computed", "entered"]
    assert masks["left"] > 0, "the masks hold unfractured neighbours that are not measured"


def test_sentences_carry_the_numbers_of_the_tables(finished):
    sentences = result_sentences(finished.study.records)
    metrics = Result.load(finished.study.records, "validation").frame()
    auc = metrics[(metrics["metric"] == "auc") & (metrics["feature_set"] == "texture")]["estimate"].item()
    assert len(sentences) == 3
    assert f"{auc:.2f}" in " ".join(sentences)


def test_covariates_are_a_model_of_their_own(finished):
    metrics = Result.load(finished.study.records, "validation").frame()
    assert set(metrics["feature_set"]) == {"texture", "covariates", "combined", "best single feature"}


def test_provenance_separates_the_run_from_the_result(finished):
    facts = json.loads((finished.study.output / "provenance.json").read_text("utf-8"))
    assert facts["reproducible"]["settings_digest"] == finished.study.settings_digest
    assert facts["reproducible"]["versions"]["numpy"]
    assert set(facts["run"]) == {"extract", "analyze", "validate", "report"}
    assert all({"time", "host"} <= set(stage) for stage in facts["run"].values())
    assert facts["run"]["extract"]["seconds"] > 0
    assert facts["reproducible"]["package"].startswith(__version__)
    html = (finished.study.output / "report.html").read_text("utf-8")
    assert facts["run"]["report"]["time"] not in html
    assert facts["run"]["report"]["host"] not in html
    assert "Study folder, git" in html
    assert str(finished.study.folder) not in html


def test_a_report_that_is_built_later_keeps_the_facts_of_the_run(finished_copy):
    path = finished_copy / "results" / "provenance.json"
    facts = json.loads(path.read_text("utf-8"))
    facts["run"]["extract"]["host"] = "elsewhere"
    path.write_text(json.dumps(facts), "utf-8")
    Run(load_study(finished_copy)).report()
    later = json.loads(path.read_text("utf-8"))
    assert later["run"]["extract"] == facts["run"]["extract"]
    assert later["run"]["validate"] == facts["run"]["validate"]
    assert later["reproducible"] == facts["reproducible"]


def test_a_second_run_gives_the_same_bytes_with_other_workers(finished, tmp_path):
    first = finished.study.output
    kept = tmp_path / "first"
    shutil.copytree(first, kept)
    shutil.rmtree(first)
    shutil.rmtree(finished.study.folder / ".rv-cache")
    Run(load_study(finished.study.folder), workers=2).run()
    files = sorted(path.relative_to(kept) for path in kept.rglob("*") if path.is_file())
    assert len(files) > 25
    _, different, missing = filecmp.cmpfiles(kept, first, map(str, files), shallow=False)
    assert missing == []
    assert set(different) <= {"provenance.json"}


def test_check_collects_faults_of_all_files(small_study):
    edit(small_study / "study.yaml", "covariates: [age, sex]", "covariates: [age, weight]")
    edit(small_study / "small.yaml", "binWidth: 25", "binWith: 25")
    with pytest.raises(RadiomicsVertError) as error:
        Run(load_study(small_study)).check()
    told = {problem.code: problem for problem in error.value.problems}
    assert set(told) == {"RV303", "RV103"}
    assert "'weight'" in told["RV103"].expected
    assert "binWidth" in str(told["RV303"])


def test_an_unusable_scan_becomes_a_row_with_a_reason(small_study):
    cohort = small_study / "cohort"
    target = cohort.resolve()
    cohort.unlink()
    shutil.copytree(target, cohort)
    rows = pd.read_csv(cohort / "images.csv")
    (cohort / rows.loc[0, "image"]).unlink()
    run = Run(load_study(small_study))
    checked = run.check(pages=False)
    assert checked.summary.startswith("13 scans of 13 patients; ")
    assert [f.code for f in checked.findings if f.severity == "error"] == ["RV101"]
    table = run.extract()
    assert list(table.failures["code"]) == ["RV101"]
    assert table.failures["subject_id"].item() == rows.loc[0, "subject_id"]
    flow = {result.kind: result for result in run.analyze()}["flow"]
    assert flow.frame("excluded").iloc[0]["code"] == "RV101"


def test_a_stage_without_the_one_before_says_what_to_run(small_study):
    with pytest.raises(ReportError, match="radiomics-vert extract") as error:
        Run(load_study(small_study)).analyze()
    assert error.value.problems[0].code == "RV701"
    with pytest.raises(ReportError, match="radiomics-vert analyze"):
        load_results(Path(small_study / "results" / "records"))


def test_check_foresees_what_the_outcome_cannot_give(small_study):
    edit(small_study / "study.yaml", "positive: metastatic", "positive: malignant")
    edit(small_study / "study.yaml", "outer_folds: 3", "outer_folds: 9")
    run = Run(load_study(small_study))
    checked = run.check(pages=False)
    assert [(f.code, f.severity) for f in checked.findings if f.severity == "error"] == [("RV401", "error")]
    with pytest.raises(RadiomicsVertError, match="'malignant'"):
        run.extract()
    edit(small_study / "study.yaml", "positive: malignant", "positive: metastatic")
    checked = Run(load_study(small_study)).check(pages=False)
    assert "RV502" in {f.code for f in checked.findings if f.severity == "error"}
    assert "osteoporotic" in checked.summary


@pytest.mark.parametrize(
    ("old", "new", "code"),
    [
        ("outer_folds: 3", "outer_folds: 9", "RV502"),
        ("inner_folds: 2", "inner_folds: 6", "RV502"),
        ("{probes: 2}", "{subgroups: [sexe]}", "RV413"),
        ("seed: 7}", "seed: 7, harmonise: combat, harmonise_covariates: [diagnosis]}", "RV506"),
    ],
)
def test_a_plan_that_cannot_be_followed_stops_before_long_work(small_study, old, new, code):
    edit(small_study / "study.yaml", old, new)
    run = Run(load_study(small_study))
    with pytest.raises(AnalysisError) as error:
        run.run()
    assert code in {problem.code for problem in error.value.problems}
    assert not run.study.features.exists()


def test_masks_without_levels_need_the_column_label(small_study):
    images = images_of(small_study).assign(scheme="instances", region="vertebra")
    use_images(small_study, images.drop(columns=[name for name in images if "subregions" in name]))
    edit(small_study / "study.yaml", "region: body", "region: vertebra")
    run = Run(load_study(small_study))
    (told,) = [finding for finding in run.check(pages=False).findings if finding.code == "RV408"]
    assert told.severity == "error"
    assert "column `label`" in told.remedy
    with pytest.raises(RadiomicsVertError) as error:
        run.extract()
    assert error.value.problems[0].where == "clinical table"
    assert "none of them in a row of the clinical table" in error.value.problems[0].found


def test_nothing_to_measure_stops_before_long_work(small_study):
    use_images(small_study, images_of(small_study).assign(scheme="totalsegmentator"))
    with pytest.raises(RadiomicsVertError) as error:
        Run(load_study(small_study)).run()
    assert error.value.problems[0].code == "RV408"
    assert "14 scans refused" in error.value.problems[0].found
    assert len(error.value.problems) > 1


def test_reference_vertebrae_are_a_negative_control(small_study):
    edit(small_study / "study.yaml", "{CT: small.yaml}", "{CT: small.yaml}\n  vertebrae: all")
    edit(small_study / "study.yaml", "{probes: 2}",
         "{negative_control: true, probes: 0, baselines: false, explanation: false}")  # fmt: skip
    run = Run(load_study(small_study))
    run.extract()
    run.analyze()
    control = {result.kind: result for result in run.validate()}["negative_control"]
    used = control.frame("predictions")
    fractured = pd.read_csv(small_study / "cohort" / "clinical.csv")
    assert not set(used["unit"]) & set(fractured["subject_id"] + "_" + fractured["level"])
    assert set(used["subject_id"]) <= set(fractured["subject_id"])


def test_reliability_is_measured_on_changed_masks(small_study):
    with (small_study / "study.yaml").open("a") as stream:
        stream.write("reliability: {perturbations: [shrink1, shift+0.5], sample: 5}\n")
    run = Run(load_study(small_study))
    run.extract()
    features = Result.load(run.study.records, "reliability").frame("features")
    assert set(features["n_targets"]) == {5}
    assert set(features["n_measurements"]) == {3}
    assert features["estimate"].max() <= 1


def test_results_of_other_settings_do_not_stay(finished_copy):
    run = Run(load_study(finished_copy))
    before = {result.kind for result in load_results(run.study.records)}
    edit(finished_copy / "study.yaml", "{probes: 2}", "{probes: 0, explanation: false}")
    Run(load_study(finished_copy)).validate()
    after = {result.kind for result in load_results(run.study.records)}
    assert before - after == {"leakage_probe", "explanation"}
    assert not list(run.study.records.glob("leakage_probe*"))
    run.extract()
    assert {result.kind for result in load_results(run.study.records)} == {
        "cohort", "checks_extraction", "quality", "extraction",
    }  # fmt: skip


def test_stages_of_different_settings_are_not_mixed(finished_copy):
    edit(finished_copy / "study.yaml", "positive: metastatic, negative: osteoporotic",
         "positive: osteoporotic, negative: metastatic")  # fmt: skip
    run = Run(load_study(finished_copy))
    run.validate()
    with pytest.raises(ReportError, match="radiomics-vert analyze") as error:
        run.report()
    assert error.value.problems[0].code == "RV703"
    run.analyze()
    assert run.report().is_file()


def test_columns_that_nobody_named_stay_out(small_study):
    clinical = pd.read_csv(small_study / "cohort" / "clinical.csv").assign(patient_name="Jane Secret")
    clinical.loc[0, "level"] = "T3"
    clinical.to_csv(small_study / "clinical.csv", index=False)
    use_images(small_study, images_of(small_study).assign(operator="Dr Hidden"))
    edit(small_study / "study.yaml", "clinical: cohort/clinical.csv", "clinical: clinical.csv")
    run = Run(load_study(small_study))
    run.run()
    assert len(Result.load(run.study.records, "cohort").frame("unmatched")) == 1
    assert "kvp" in Result.load(run.study.records, "cohort").frame("acquisition")
    for path in run.study.output.rglob("*"):
        if path.is_file():
            assert b"Secret" not in path.read_bytes(), path
            assert b"Hidden" not in path.read_bytes(), path


def test_check_tells_what_the_settings_ask_in_vain(small_study):
    with (small_study / "study.yaml").open("a") as stream:
        stream.write("reliability: {perturbations: [grow99x]}\n")
    edit(small_study / "study.yaml", "seed: 7}", "seed: 7, scheme: leave_one_site_out}")
    use_images(small_study, images_of(small_study).assign(site=""))
    checked = Run(load_study(small_study)).check(pages=False)
    assert {f.code for f in checked.findings if f.severity == "error"} == {"RV602", "RV105"}
