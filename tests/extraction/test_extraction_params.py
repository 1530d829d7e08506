"""Parameter files: what is read, what is refused, and what the shipped ones say about themselves."""

from __future__ import annotations

import pickle
import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from radiomics_vert.errors import SettingsError
from radiomics_vert.extraction import ExtractionParams, builtin_params, params_folder, read_params

NAMES = ("adc", "ct", "fat_fraction", "stir", "t1", "t1_contrast", "t2")


def _steps(content: dict[str, Any]) -> dict[str, str]:
    return {step.name: step.digest for step in ExtractionParams.from_mapping(content).steps()}


def test_steps_depend_on_what_they_read_only() -> None:
    images = {"Original": {}, "LoG": {"sigma": [1.0, 2.0]}, "Wavelet": {}}
    base = _steps({"imageType": images})
    assert list(base) == ["shape", "original", "log-sigma-1.0", "log-sigma-2.0", "wavelet"]

    def changed(**settings: Any) -> set[str]:
        other = _steps({"imageType": images, "setting": settings})
        return {name for name in base if base[name] != other[name]}

    assert changed(binWidth=25) == set()
    assert changed(normalizeScale=7) == set()
    assert changed(additionalInfo=False) == set()
    assert changed(binWidth=20) == set(base) - {"shape"}
    assert changed(wavelet="db1") == {"wavelet"}
    assert changed(resampledPixelSpacing=[1, 1, 1]) == set(base)


def test_digest_ignores_the_name_and_written_defaults() -> None:
    plain = ExtractionParams.from_mapping({"imageType": {"Original": {}}}, "one")
    written = ExtractionParams.from_mapping(
        {"imageType": {"Original": {}}, "setting": {"binWidth": 25, "distances": [1]}}, "two"
    )
    assert plain.digest == written.digest
    assert plain.digest != ExtractionParams.from_mapping({"setting": {"binWidth": 24}}).digest
    assert pickle.loads(pickle.dumps(plain)).digest == plain.digest


def test_preprocessing_is_part_of_the_digest_as_far_as_it_is_read() -> None:
    def steps(**section: Any) -> dict[str, str]:
        return _steps({"imageType": {"Original": {}}, "preprocessing": section})

    base = steps()
    assert steps(orientation="LPS", intensity="none", exclude_margin_mm=9, gas_erosion_mm=9) == base
    assert steps(reference=["csf"], reference_minimum=7) == base
    changed = steps(intensity="reference")
    assert changed["shape"] == base["shape"]
    assert changed["original"] != base["original"]
    assert steps(intensity="reference", reference=["csf"])["original"] != changed["original"]
    assert steps(intensity="reference", reference_minimum=4)["original"] != changed["original"]
    assert steps(exclude_above=1500)["shape"] == base["shape"]
    assert steps(exclude_above=1500)["original"] != steps(exclude_above=1400)["original"]
    assert steps(orientation="file")["shape"] != base["shape"]
    whole = ExtractionParams.from_mapping({"preprocessing": {"bias_correction": "n4", "reference": ["csf"]}})
    assert pickle.loads(pickle.dumps(whole)).digest == whole.digest
    assert pickle.loads(pickle.dumps(whole)).preprocessing == whole.preprocessing


def test_image_type_settings_override_the_common_ones() -> None:
    content = {"imageType": {"Original": {}, "Wavelet": {"binWidth": 10}}, "setting": {"binWidth": 30}}
    steps = {step.name: step.settings for step in ExtractionParams.from_mapping(content).steps()}
    assert (steps["original"]["binWidth"], steps["wavelet"]["binWidth"]) == (30, 10)


@pytest.mark.parametrize(
    ("content", "where", "found", "remedy"),
    [
        ({"setting": {"binwdth": 3}}, "setting", "'binwdth'", "did you mean 'binWidth'?"),
        ({"setting": {"label": 1}}, "setting", "'label'", "label scheme"),
        ({"setting": {"preCrop": True}}, "setting", "'preCrop'", "remove it"),
        ({"setting": {"correctMask": True}}, "setting", "'correctMask'", "remove it"),
        ({"voxelSetting": {"kernelRadius": 2}}, "parameters", "'voxelSetting'", "per vertebra"),
        ({"settings": {}}, "parameters", "'settings'", "did you mean 'setting'?"),
        ({"setting": [1]}, "setting", "[1]", "name: value"),
        ({"setting": {"binWidth": -3}}, "binWidth", "-3", "correct the value"),
        ({"setting": {"interpolator": "spline"}}, "parameters", "spline", "correct the value"),
        ({"setting": {"resampledPixelSpacing": [1, 1]}}, "resampledPixelSpacing", "[1, 1]", "three"),
        ({"setting": {"resegmentRange": [1, 2, 3]}}, "resegmentRange", "[1, 2, 3]", "lower"),
        (
            {"setting": {"force2D": True, "resampledPixelSpacing": [1, 1, 1]}},
            "resampledPixelSpacing",
            "[1, 1, 1]",
            "force2Ddimension",
        ),
        (
            {"preprocessing": {"bias_corection": "n4"}},
            "preprocessing",
            "'bias_corection'",
            "did you mean 'bias_correction'?",
        ),
        ({"preprocessing": {"intensity": "znorm"}}, "intensity", "'znorm'", "correct the value"),
        ({"preprocessing": {"reference": ["fat"]}}, "reference", "['fat']", "correct the value"),
        ({"preprocessing": {"reference": []}}, "reference", "[]", "correct the value"),
        ({"preprocessing": {"reference": ["disc", "disc"]}}, "reference", "disc", "correct the value"),
        ({"preprocessing": {"exclude_limit": 10}}, "exclude_limit", "10", "correct the value"),
        ({"preprocessing": {"exclude_margin_mm": -1}}, "exclude_margin_mm", "-1", "correct the value"),
        ({"preprocessing": {"reference_minimum": 2.5}}, "reference_minimum", "2.5", "correct the value"),
        ({"preprocessing": {"exclude_above": True}}, "exclude_above", "True", "correct the value"),
        ({"preprocessing": "n4"}, "preprocessing", "'n4'", "name: value"),
        (
            {"preprocessing": {"intensity": "zscore"}, "setting": {"normalize": True}},
            "preprocessing",
            "beside 'normalize'",
            "remove 'normalize'",
        ),
        ({"imageType": {"Wavlet": {}}}, "imageType", "'Wavlet'", "did you mean 'Wavelet'?"),
        ({"imageType": {"LBP2D": {}}}, "imageType", "'LBP2D'", "not supported"),
        ({"imageType": {"LoG": {}}}, "LoG", "none", "sigma"),
        ({"imageType": {"LoG": {"sigma": [1], "normalize": True}}}, "LoG", "'normalize'", "'setting'"),
        ({"imageType": {"LoG": {"sgma": [1]}}}, "LoG", "'sgma'", "did you mean 'sigma'?"),
        ({"imageType": {"LoG": 3}}, "LoG", "3", "{}"),
        ({"featureClass": {"glcm": ["Contrst"]}}, "glcm", "'Contrst'", "did you mean 'Contrast'?"),
        ({"featureClass": {"shape2D": None}}, "featureClass", "'shape2D'", "'shape'"),
    ],
)
def test_faults(content: dict[str, Any], where: str, found: str, remedy: str) -> None:
    with pytest.raises(SettingsError) as caught:
        ExtractionParams.from_mapping(content)
    (problem,) = caught.value.problems
    assert problem.code == "RV303"
    assert where in problem.where
    assert found in problem.found
    assert remedy in problem.remedy
    assert problem.expected


def test_a_key_that_stands_twice_is_refused(tmp_path):
    path = tmp_path / "mine.yaml"
    path.write_text("imageType:\n  Original: {}\nsetting:\n  binWidth: 25\n  binWidth: 10\n", "utf-8")
    with pytest.raises(SettingsError, match="`binWidth` a second time, after line 4") as error:
        read_params(path)
    assert error.value.problems[0].code == "RV303"


def test_all_faults_at_once_with_the_file(tmp_path: Path) -> None:
    path = tmp_path / "mine.yaml"
    path.write_text("setting: {binwidth: 3, lable: 1}\nimageType: {Orignal: {}}\n")
    with pytest.raises(SettingsError) as caught:
        read_params(path)
    assert [problem.where.split(", ")[-1] for problem in caught.value.problems] == [
        "setting",
        "setting",
        "imageType",
    ]
    assert all(str(path) in problem.where for problem in caught.value.problems)


@pytest.mark.parametrize("text", ["", "- 1\n", "a: [1\n", None])
def test_files_that_are_no_mapping(tmp_path: Path, text: str | None) -> None:
    path = tmp_path / "mine.yaml"
    if text is not None:
        path.write_text(text)
    with pytest.raises(SettingsError, match="RV303"):
        read_params(path)


def test_unknown_builtin_lists_the_names() -> None:
    with pytest.raises(SettingsError, match="one of adc, ct, fat_fraction, stir, t1, t1_contrast, t2"):
        builtin_params("t3")


def test_shipped_files() -> None:
    assert tuple(sorted(path.stem for path in params_folder().glob("*.yaml"))) == NAMES


@pytest.mark.parametrize("name", NAMES)
def test_every_number_has_its_reason_in_the_header(name: str) -> None:
    text = (params_folder() / f"{name}.yaml").read_text("utf-8")
    header = "\n".join(line for line in text.splitlines() if line.startswith("#"))
    assert "Purpose:" in header
    content = yaml.safe_load(text)
    named = {float(number) for number in re.findall(r"-?\d+(?:\.\d+)?", header)}
    for key in content.get("preprocessing", {}):
        assert key in header, key
    for value in _numbers(content):
        assert value in named, value
    for key, value in content["setting"].items():
        if isinstance(value, int | float | list) and key != "force2D":
            assert key in header or key == "distances", key
    assert builtin_params(name).name == name


def _numbers(content: Any) -> list[float]:
    if isinstance(content, dict):
        return [number for value in content.values() for number in _numbers(value)]
    if isinstance(content, list):
        return [number for value in content for number in _numbers(value)]
    is_number = isinstance(content, int | float) and not isinstance(content, bool)
    return [float(content)] if is_number else []


def test_what_the_shipped_files_ask_for() -> None:
    ct, t1 = builtin_params("ct").settings, builtin_params("t1").settings
    assert (ct["normalize"], ct["resegmentRange"], ct["binWidth"]) == (False, [-200, 1500], 25)
    assert ct["resampledPixelSpacing"] == [1, 1, 1]
    assert (t1["force2D"], t1["force2Ddimension"], t1["binWidth"]) == (True, None, 0.25)
    assert builtin_params("adc").settings["binWidth"] == 0.05
    assert builtin_params("fat_fraction").settings["binWidth"] == 2
