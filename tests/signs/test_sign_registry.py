"""Every sign is complete, unique, and says where it comes from."""

from __future__ import annotations

import copy
import re
from importlib import resources
from pathlib import Path

import pytest
import yaml

from radiomics_vert.errors import SettingsError
from radiomics_vert.signs.registry import EVIDENCE, MASKS, SEQUENCES, parse_registry, registry

SEEDS = {"S0": "000_685a89fc9d44d28d.txt", "S2": "002_7e1fbe8412197cc8.txt"}
# Row 40 is a class of a DXA value (tests/dataset/test_dxa.py), row 43 a guard (see the last test, and
# tests/cli/test_signs_density_guard.py).
ELSEWHERE = {40, 43}


def document() -> dict:
    file = resources.files("radiomics_vert.signs") / "registry.yaml"
    return yaml.safe_load(file.read_text("utf-8"))


def test_every_row_of_the_sign_table_is_measured():
    assert {row for sign in registry().values() for row in sign.rows} == set(range(1, 46)) - ELSEWHERE
    assert len(registry()) >= 100


def test_names_are_unique_in_the_file():
    file = resources.files("radiomics_vert.signs") / "registry.yaml"
    names = re.findall(r"^  (\w+):$", file.read_text("utf-8"), re.MULTILINE)
    assert len(names) == len(set(names)) == len(registry())


def test_labels_are_short_unique_and_fit_into_lists():
    labels = [sign.label for sign in registry().values()]
    assert len(set(labels)) == len(labels)
    assert max(map(len, labels)) <= 40
    assert not [label for label in labels if "," in label or label.endswith(".") or label[0].islower()]


@pytest.mark.parametrize("name", list(registry()))
def test_entry_is_complete(name):
    sign = registry()[name]
    assert sign.label != sign.title.rstrip(".")
    assert sign.title.endswith(".")
    assert len(sign.title) > 15
    assert sign.low < sign.high
    assert sign.holds(sign.low)
    assert not sign.holds(sign.high + 1)
    assert set(sign.sequences) <= set(SEQUENCES)
    assert set(sign.needs) <= set(MASKS)
    assert set(sign.evidence) <= set(EVIDENCE)
    assert not sign.seed or re.fullmatch(r"S[02] l\.[\d,-]+(; S[02] l\.[\d,-]+)*", sign.seed), sign.seed
    assert sign.seed or sign.reference  # the two physical techniques have no seed, but a literature


@pytest.mark.data
def test_seed_lines_exist(real_data: Path):
    folder = real_data.parent / "seeds"
    if not folder.is_dir():
        pytest.skip("the seed documents are absent")
    text = {key: (folder / name).read_text("utf-8").split("\n") for key, name in SEEDS.items()}
    for sign in registry().values():
        for key, lines in re.findall(r"(S[02]) l\.([\d,-]+)", sign.seed):
            for part in lines.split(","):
                for line in part.split("-"):
                    assert len(text[key][int(line) - 1].strip()) > 10, (sign.name, key, line)


@pytest.mark.parametrize(
    ("key", "value", "expected"),
    [
        ("unit", "", "unit: not empty"),
        ("range", [1, 1], "low below high"),
        ("range", ["a", 1], "low below high"),
        ("needs", ["spleen"], "needs: some of"),
        ("sequences", [], "sequences: not empty"),
        ("sequences", ["T3"], "sequences: some of"),
        ("direction", "up", "direction: one of"),
        ("scope", "patient", "scope: one of"),
        ("rows", [46], "rows 1 to 45"),
        ("caveat", None, "caveat: text"),
    ],
)
def test_faulty_entries_are_refused(key, value, expected):
    faulty = copy.deepcopy(document())
    faulty["signs"]["lat_angle"][key] = value
    with pytest.raises(SettingsError, match="RV341") as error:
        parse_registry(faulty)
    assert expected in str(error.value)
    assert "lat_angle" in str(error.value)


def test_missing_and_unknown_keys_and_names_are_refused():
    for change in (lambda e: e.pop("seed"), lambda e: e.update(colour="red")):
        faulty = copy.deepcopy(document())
        change(faulty["signs"]["hu_tb"])
        with pytest.raises(SettingsError, match="exactly the keys"):
            parse_registry(faulty)
    with pytest.raises(SettingsError, match="lower-case name"):
        parse_registry({"signs": {"Two words": document()["signs"]["hu_tb"]}})
    with pytest.raises(SettingsError, match="mapping 'signs'"):
        parse_registry({})


def test_density_is_refused_for_mr():
    """Row 43: no HU, no density from MRI."""
    for sign in registry().values():
        if sign.unit in ("HU", "mg/cm3"):
            assert sign.sequences == ("CT",), sign.name
