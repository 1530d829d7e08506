"""The command line, as a user meets it: output, errors, exit codes."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys

import numpy as np
import pandas as pd
import pytest

from radiomics_vert import __version__
from tests_support import command, edit, lay_small_study


def apart(*arguments):
    """Run the installed command in a process of its own, as a user does; it takes seconds to start."""
    return subprocess.run(
        [sys.executable, "-m", "radiomics_vert", *map(str, arguments)],
        capture_output=True, text=True, check=False,
    )  # fmt: skip


@pytest.fixture(scope="module")
def table(tmp_path_factory):
    """A feature table that was made elsewhere: 40 patients, one informative feature."""
    rng = np.random.default_rng(3)
    patients = np.repeat([f"P{i:02d}" for i in range(40)], 2)
    target = np.repeat(rng.integers(0, 2, 40), 2)
    frame = pd.DataFrame({"ID": patients, "Target": target})
    frame["informative"] = target * 1.5 + rng.normal(size=80)
    for i in range(5):
        frame[f"noise_{i}"] = rng.normal(size=80)
    path = tmp_path_factory.mktemp("table") / "table.csv"
    frame.to_csv(path, index=False)
    return path


@pytest.fixture(scope="module")
def ran(small_cohort, tmp_path_factory):
    """A study that the command has run, and how that ended."""
    study = lay_small_study(tmp_path_factory.mktemp("ran"), small_cohort)
    return study, apart("run", study, "--quiet")


def test_init_then_check_tells_what_is_missing(tmp_path):
    done = command("init", "mine", folder=tmp_path)
    assert done.returncode == 0
    assert "radiomics-vert check" in done.stdout
    done = command("check", "mine/study.yaml", folder=tmp_path)
    assert done.returncode == 1
    assert "RV101" in done.stdout
    assert "P001" in done.stdout
    again = command("init", "mine", folder=tmp_path)
    assert again.returncode == 2
    assert "nothing was overwritten" in again.stderr


def test_run_ends_with_three_sentences_and_the_report(ran):
    study, done = ran
    assert done.returncode == 0, done.stderr
    lines = done.stdout.strip().splitlines()
    assert len(lines) == 8
    assert "digest" in lines[3]
    assert lines[4].startswith("memory: ")
    assert lines[5].startswith("The checks found 0 errors")
    assert lines[-1].endswith("report.html")
    assert "not a diagnostic device" in lines[-2]
    log = (study / "results" / "run.log").read_text()
    assert "never computed" in log
    assert lines[4] in log
    again = command("extract", study, "--quiet")
    assert again.returncode == 0
    log = (study / "results" / "run.log").read_text()
    assert "never computed" not in log
    # How many depends on whether the copy of the study is older than two seconds.
    assert re.search(r"\d+ of [1-9]\d* scans did not change and were not opened again", log)


def test_bad_settings_end_with_code_2_and_no_traceback(small_study):
    edit(small_study / "study.yaml", "covariates", "covariate")
    done = apart("check", small_study)
    assert done.returncode == 2
    assert "did you mean `covariates`?" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_table_goes_through_analyze_validate_and_report(table, tmp_path):
    roles = ["--features", table, "--outcome", "Target", "--positive", "1", "--group", "ID"]
    done = command("analyze", *roles, "-o", tmp_path / "out", "-j", 1)
    assert done.returncode == 0, done.stderr
    done = command("validate", *roles, "-o", tmp_path / "out", "--repeats", 2, "-j", 1, "-q")
    assert done.returncode == 0, done.stderr
    association = pd.read_csv(tmp_path / "out" / "records" / "association_features.csv")
    assert association.loc[association["p_adjusted"] < 0.05, "feature"].tolist() == ["informative"]
    metrics = pd.read_csv(tmp_path / "out" / "records" / "validation_metrics.csv")
    auc = metrics[metrics["metric"] == "auc"].set_index("feature_set")["estimate"]
    assert set(auc.index) == {"features", "best single feature"}
    assert auc["features"] > 0.7
    done = command("report", tmp_path / "out")
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "out" / "report.html").is_file()


def test_a_locked_model_predicts_and_is_measured_on_another_cohort(ran, table, tmp_path):
    results = ran[0] / "results"
    bundle = shutil.copytree(results / "model", tmp_path / "model")
    features = results / "features"
    done = command("predict", bundle, features, "-o", tmp_path / "out")
    assert done.returncode == 0, done.stderr
    predictions = pd.read_csv(tmp_path / "out" / "prediction_predictions.csv")
    assert len(predictions) == len(pd.read_csv(features / "features.csv"))
    assert predictions["probability"].between(0, 1).all()

    roles = ["--outcome", "Target", "--positive", "1", "--group", "ID", "-o", tmp_path / "ext"]
    done = command("validate", "--external", table, "--bundle", bundle, *roles)
    assert done.returncode == 2
    assert "RV512" in done.stderr
    (bundle / "model.json").write_text((bundle / "model.json").read_text() + " ")
    done = command("predict", bundle, features, "-o", tmp_path / "out")
    assert done.returncode == 2
    assert "RV510" in done.stderr


def test_a_sample_size_needs_no_data():
    done = command("plan", "--prevalence", "0.4", "--parameters", "10", "--auc", "0.8")
    assert done.returncode == 0, done.stderr
    assert "529" in done.stdout


def test_a_table_without_roles_is_explained(table):
    done = command("analyze", "--features", table)
    assert done.returncode == 2
    assert "no --outcome, no --positive, no --group" in done.stderr


def test_neither_study_nor_table_is_explained():
    done = command("validate")
    assert done.returncode == 2
    assert "neither" in done.stderr


def test_schemes_and_versions_are_listed():
    assert "totalsegmentator" in command("schemes").stdout
    assert "pyradiomics" in command("versions").stdout
    assert command("--version").stdout == f"radiomics-vert {__version__}\n"
