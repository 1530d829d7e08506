"""Commands on feature tables that were made elsewhere, as a user meets them."""

from __future__ import annotations

import re

import numpy as np
import pandas as pd
import pytest
from typer.testing import CliRunner

import radiomics_vert as rv
from radiomics_vert.cli import app

QUICK = rv.ValidationSpec(inner_folds=3, n_boot=20)
SPEC = rv.ModelSpec(grid={"k": (4,), "l1_ratio": (0.5,), "C": (1.0,)})


def make_table(path, seed, prefix="P", patients=30):
    """Two vertebrae for each patient, one informative feature, an image hash for each row."""
    rng = np.random.default_rng(seed)
    patient = np.repeat([f"{prefix}{i:02d}" for i in range(patients)], 2)
    target = np.repeat(np.arange(patients) % 2, 2)
    frame = pd.DataFrame({"ID": patient, "Target": target, "age": rng.normal(70, 8, 2 * patients).round(1)})
    for i in range(7):
        frame[f"feature_{i}"] = rng.normal(size=2 * patients) + (1.4 * target if i == 0 else 0)
    frame["image_sha256"] = [f"{seed * 1000 + row:064x}" for row in range(2 * patients)]
    frame.to_csv(path, index=False)
    return path


def call(*arguments):
    """Run the command in this process; problems are printed as for a user."""
    return CliRunner().invoke(app, [str(one) for one in arguments])


@pytest.fixture(scope="module")
def bundle(tmp_path_factory):
    """A locked model that was made from a table."""
    folder = tmp_path_factory.mktemp("bundle")
    table = make_table(folder / "home.csv", 1)
    dataset = rv.read_dataset(table, outcome="Target", positive="1", group="ID", covariates=["age"])
    rv.save_bundle(rv.fit_final(dataset, SPEC, QUICK), folder / "model")
    return folder / "model"


ROLES = ("--outcome", "Target", "--positive", "1", "--group", "ID", "--covariate", "age")


def told(*arguments):
    """Return the problem that a command ends with, as one text."""
    result = call(*arguments)
    assert isinstance(result.exception, rv.RadiomicsVertError), result.output
    return str(result.exception)


def test_an_external_validation_ends_with_a_report(bundle, tmp_path):
    north, south = (
        make_table(tmp_path / f"{name}.csv", seed, name[0]) for seed, name in ((2, "north"), (3, "south"))
    )
    done = call(
        "validate", "--external", north, "--external", south, "--bundle", bundle, *ROLES,
        "-o", tmp_path / "out", "--prevalence", 0.1,
    )  # fmt: skip
    assert done.exception is None, done.exception
    lines = done.output.strip().splitlines()
    assert lines[-1].endswith("report.html")
    assert "not a diagnostic device" in lines[-2]
    page = (tmp_path / "out" / "report.html").read_text()
    assert "In north, the locked model reached an AUC of" in page
    assert "Not in this run" not in page
    assert (tmp_path / "out" / "tables" / "external-predictive-values.csv").is_file()
    assert call("report", tmp_path / "out").exception is None
    assert (tmp_path / "out" / "report.html").read_text() == page


@pytest.mark.parametrize(
    ("column", "told_by"),
    [
        (None, "60 of 60 vertebrae by the values of their features"),
        ("image_sha256", "60 images by their hash (rows "),
        ("ID", "30 of 30 patients by id, for example 'p00' (30 written otherwise there, such as 'p00'"),
    ],
)
def test_patients_of_the_development_data_are_refused(bundle, tmp_path, column, told_by):
    home, other = pd.read_csv(bundle.parent / "home.csv"), pd.read_csv(make_table(tmp_path / "b.csv", 5, "Q"))
    if column is None:
        other = home.assign(ID="Q" + home["ID"]).drop(columns="image_sha256")
    elif column == "ID":
        other["ID"] = home["ID"].str.lower() + " "
    else:
        other[column] = home[column].str.upper()
    other.to_csv(tmp_path / "b.csv", index=False)
    problem = told(
        "validate", "--external", tmp_path / "b.csv", "--bundle", bundle, *ROLES, "-o", tmp_path / "out"
    )
    assert "RV513" in problem
    assert told_by in problem
    assert not (tmp_path / "out").exists()


def test_rates_and_workers_of_a_table_are_used(tmp_path):
    table = make_table(tmp_path / "a.csv", 4)
    wide, narrow = tmp_path / "wide", tmp_path / "narrow"
    for folder, rates in ((wide, ("--confidence", 0.99, "--fdr", 0.2)), (narrow, ())):
        done = call("analyze", "--features", table, *ROLES, "-o", folder, "-q", "-j", 1, *rates)
        assert done.exception is None, done.exception
    first, second = (
        pd.read_csv(one / "records" / "association_features.csv").set_index("feature")
        for one in (wide, narrow)
    )
    assert (first["ci_high"] >= second["ci_high"]).all()
    assert first.loc["feature_0", "ci_low"] < second.loc["feature_0", "ci_low"]
    sentences = rv.summary_sentences(
        [rv.Result.load(wide / "records", kind) for kind in ("study", "association")]
    )
    assert "rate of 20 %" in sentences[1]
    assert "RV602" in told("analyze", "--features", table, *ROLES, "-o", wide, "-j", 0)
    assert re.search(
        r"RV602.*\n.*between 0 and 1\n.*95", told("analyze", "--features", table, *ROLES, "--confidence", 95)
    )


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        (("analyze", ".", "--outcome", "Target"), "--outcome with --features only"),
        (("analyze", ".", "--fdr", "0.1"), "--fdr with --features only"),
        (("validate", ".", "--group", "ID", "--repeats", "3"), "--group, --repeats with --features only"),
        (("validate", ".", "--bundle", "model"), "--bundle with --external only"),
        (("validate", "--external", "a.csv", "--bundle", "m", "--seed", "3"), "--seed not with --external"),
        (("validate", ".", "--external", "a.csv", "--bundle", "m"), "STUDY not with --external"),
        (("analyze", ".", "--features", "a.csv"), "STUDY or --features, not both"),
    ],
)
def test_options_that_would_be_ignored_are_refused(arguments, named):
    problem = told(*arguments)
    assert "RV602" in problem
    assert named in problem


def test_a_group_that_is_unique_per_row_and_ids_in_two_spellings_are_warned_of(tmp_path):
    frame = pd.read_csv(make_table(tmp_path / "a.csv", 4))
    frame["lesion"] = [f"L{row}" for row in range(len(frame))]
    frame.loc[0, "ID"] = "p00"
    frame.to_csv(tmp_path / "a.csv", index=False)
    roles = (
        "--features",
        tmp_path / "a.csv",
        "--outcome",
        "Target",
        "--positive",
        "1",
        "-o",
        tmp_path / "out",
    )
    done = call("analyze", *roles, "--group", "lesion", "--drop", "ID", "-q")
    assert "warning RV411" in done.output
    assert "each of the 60 rows has a patient of its own" in done.output
    assert "RV412" not in done.output
    done = call("analyze", *roles, "--group", "ID", "-q")
    assert "RV411" not in done.output
    assert "warning RV412" in done.output
    assert "'P00' and 'p00'" in done.output
    assert "RV412" in (tmp_path / "out" / "records" / "checks_dataset_findings.csv").read_text()
