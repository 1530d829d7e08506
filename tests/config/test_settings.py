from __future__ import annotations

import json
from pathlib import Path

import pytest
from pydantic import BaseModel

from radiomics_vert.config import StudySettings, json_schema, read_settings, write_templates
from radiomics_vert.config.models import Strict
from radiomics_vert.errors import SettingsError

MINIMAL = """
title: A study
outcome: {column: diagnosis, positive: metastatic}
extraction:
  parameters: {CT: ct}
"""


def read(tmp_path, text):
    path = tmp_path / "study.yaml"
    path.write_text(text, "utf-8")
    return read_settings(path)


def problems(tmp_path, text):
    with pytest.raises(SettingsError) as error:
        read(tmp_path, text)
    return error.value.problems


def test_a_minimal_study_takes_the_defaults(tmp_path):
    settings = read(tmp_path, MINIMAL)
    assert settings.validation.outer_folds == 5
    assert settings.cohort.images == "images.csv"


def test_class_names_are_text_whatever_yaml_makes_of_them(tmp_path):
    settings = read(tmp_path, MINIMAL.replace("metastatic", "1, negative: 0"))
    assert (settings.outcome.positive, settings.outcome.negative) == ("1", "0")


def test_execution_and_output_do_not_change_the_hashed_part(tmp_path):
    plain = read(tmp_path, MINIMAL).results_part()
    other = read(
        tmp_path, MINIMAL + "execution: {workers: 1, cache: elsewhere}\noutput: there\n"
    ).results_part()
    seed = read(tmp_path, MINIMAL + "validation: {seed: 1}\n").results_part()
    assert plain == other != seed


BAD = {
    "unknown key": (MINIMAL + "covariate: [age]\n", "RV601", "`covariate`", "line 6", "`covariates`?"),
    "unknown nested key": (
        MINIMAL + "validation: {repeat: 3}\n", "RV601", "`validation.repeat`", "line 6", "`repeats`?"
    ),
    "missing key": (MINIMAL.replace("title: A study", ""), "RV602", "missing", "study.yaml", "add `title`"),
    "wrong type": (MINIMAL + "covariates: age\n", "RV602", "'age'", "line 6", "`covariates`"),
    "out of range": (MINIMAL + "validation: {outer_folds: 1}\n", "RV602", "is 1", "line 6", "outer_folds"),
    "vertebra split": (
        MINIMAL + "validation: {split_by: vertebra}\n", "RV602", "looks better", "line 6", "split_by"
    ),
    "no worker": (MINIMAL + "execution: {workers: 0}\n", "RV602", "-1 for all cores", "line 6", "workers"),
    "empty file": ("", "RV603", "an empty file", "study.yaml", "name: value"),
    "a list": ("- a\n", "RV603", "a list", "study.yaml", "name: value"),
    "twice": (
        MINIMAL + "covariates: [age]\ncovariates: [sex]\n",
        "RV603", "`covariates` a second time, after line 6",
        "line 7", "once"
    ),
    "twice, nested": (
        MINIMAL + "validation: {seed: 1, seed: 2}\n", "RV603", "`seed` a second time", "line 6", "once"
    ),
    "tab": ("title:\tx\n\tb: 1\n", "RV603", "cannot start any token", "line", "no tabs"),
}  # fmt: skip


@pytest.mark.parametrize("name", BAD)
def test_faults_are_explained(tmp_path, name):
    text, code, found, where, remedy = BAD[name]
    (told,) = problems(tmp_path, text)
    assert told.code == code
    assert told.expected
    assert found in told.found
    assert where in told.where
    assert remedy in told.remedy


def test_all_faults_are_told_at_once(tmp_path):
    text = "titel: x\noutcome: {column: d}\nextraction: {parameters: {}, vertebra: all}\n"
    assert [p.code for p in problems(tmp_path, text)] == ["RV602", "RV602", "RV601", "RV601"]


def test_a_missing_file_names_the_command_that_writes_one(tmp_path):
    with pytest.raises(SettingsError, match="radiomics-vert init") as error:
        read_settings(tmp_path / "study.yaml")
    assert error.value.problems[0].code == "RV101"


def test_not_utf8_is_told(tmp_path):
    path = tmp_path / "study.yaml"
    path.write_bytes("title: Brüche\n".encode("latin-1"))
    with pytest.raises(SettingsError) as error:
        read_settings(path)
    assert error.value.problems[0].code == "RV603"


def models(model: type[BaseModel] = StudySettings):
    yield model
    for field in model.model_fields.values():
        if isinstance(field.annotation, type) and issubclass(field.annotation, BaseModel):
            yield from models(field.annotation)


def test_every_setting_is_described_and_strict():
    for model in models():
        assert issubclass(model, Strict)
        assert model.model_config["extra"] == "forbid"
        for name, field in model.model_fields.items():
            assert field.description, f"{model.__name__}.{name}"


def test_the_schema_describes_the_template():
    schema = json.loads(json_schema())
    assert schema["additionalProperties"] is False
    assert set(schema["required"]) == {"title", "outcome", "extraction"}


def test_templates_are_valid_and_never_overwrite(tmp_path):
    written = write_templates(tmp_path / "s")
    assert {path.name for path in written} >= {"study.yaml", "images.csv", "clinical.csv"}
    read_settings(tmp_path / "s" / "study.yaml")
    with pytest.raises(SettingsError) as error:
        write_templates(tmp_path / "s")
    assert error.value.problems[0].code == "RV604"
    assert "nothing was overwritten" in error.value.problems[0].remedy


def test_the_demo_study_is_valid():
    repository = Path(__file__).resolve().parents[2]
    settings = read_settings(repository / "analysis" / "synthetic_cohort" / "study.yaml")
    assert settings.synthetic
