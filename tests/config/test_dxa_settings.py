"""The section dxa of study.yaml: one measurement, its reference, and near names."""

from __future__ import annotations

import json

import pytest

from radiomics_vert.config import json_schema, read_settings
from radiomics_vert.errors import SettingsError

MINIMAL = """
title: A study
outcome: {column: diagnosis, positive: metastatic}
extraction:
  parameters: {CT: ct}
"""


def read(tmp_path, dxa):
    path = tmp_path / "study.yaml"
    path.write_text(f"{MINIMAL}dxa: {dxa}\n", "utf-8")
    return read_settings(path)


def test_there_is_no_measurement_unless_one_is_named(tmp_path):
    assert not read(tmp_path, "{}").dxa.measured
    assert read(tmp_path, "{t_score: dxa_t, postmenopausal: menopause}").dxa.measured
    bmd = "{bmd: neck, reference: our young women, young_mean: 0.86, young_sd: 0.12}"
    assert read(tmp_path, bmd).dxa.young_sd == 0.12


@pytest.mark.parametrize(
    ("dxa", "found"),
    [
        ("{t_score: a, bmd: b}", "not both"),
        ("{bmd: b, young_mean: 0.9}", "add reference, young_sd"),
        ("{t_score: a, young_mean: 0.9}", "belong to bmd"),
        ("{postmenopausal: menopause}", "name the column of the measurement"),
        ("{bmd: b, reference: r, young_mean: 0.9, young_sd: 0}", "greater than 0"),
    ],
)
def test_halves_of_a_measurement_are_refused(tmp_path, dxa, found):
    with pytest.raises(SettingsError) as error:
        read(tmp_path, dxa)
    (problem,) = error.value.problems
    assert problem.code == "RV602"
    assert found in problem.found
    assert "line 6" in problem.where


def test_the_nearest_name_is_told(tmp_path):
    for wrong, near in (
        ("tscore", "t_score"),
        ("postmenopause", "postmenopausal"),
        ("young_std", "young_sd"),
    ):
        with pytest.raises(SettingsError, match=f"did you mean `{near}`"):
            read(tmp_path, f"{{t_score: a, {wrong}: 1}}")


def test_the_schema_names_every_setting():
    fields = json.loads(json_schema())["$defs"]["DxaSettings"]["properties"]
    assert {"t_score", "bmd", "reference", "young_mean", "young_sd", "age", "sex"} <= set(fields)
    assert all(field["description"] for field in fields.values())
