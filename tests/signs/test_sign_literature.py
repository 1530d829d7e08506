"""Published figures in the registry: numbers with a source, none without a rule, none made up."""

from __future__ import annotations

import copy
import math
from importlib import resources

import pytest
import yaml

from radiomics_vert.errors import SettingsError
from radiomics_vert.signs.literature import RULES, Published, Share, limit, parse_published
from radiomics_vert.signs.registry import parse_registry, registry


def document() -> dict:
    file = resources.files("radiomics_vert.signs") / "registry.yaml"
    return yaml.safe_load(file.read_text("utf-8"))


def entries() -> list[tuple[str, Published]]:
    return [(sign.name, entry) for sign in registry().values() for entry in sign.published]


def test_counts_give_the_share():
    found = parse_published(
        [
            {
                "source": "A 2001",
                "evidence": "T",
                "calls": "metastatic",
                "rule": ">=",
                "cut_off": 5,
                "sensitivity": "21/29",
                "specificity": 1.0,
                "sequences": ["T1"],
            }
        ]
    )[0]
    assert found.sensitivity == Share(21 / 29, 21, 29)
    assert found.sensitivity.counts == "21 of 29"
    assert found.specificity == Share(1.0)
    assert found.specificity.counts == ""
    assert list(found.figures()) == ["sensitivity", "specificity"]
    assert (found.cut_off, found.sequences, found.high) == (5.0, ("T1",), True)
    assert math.isnan(Published("A", "S", "metastatic").cut_off)


@pytest.mark.parametrize(("rule", "told"), [(">=", "5 deg or more"), ("<", "below 5 deg")])
def test_limits_in_words(rule, told):
    assert limit(rule, 5.0, "deg") == told
    assert rule in RULES


GOOD = {"source": "A 2001", "evidence": "S", "calls": "metastatic", "rule": ">=", "auc": 0.8}


@pytest.mark.parametrize(
    ("published", "expected"),
    [
        ("Suzuki", "published: a list of mappings"),
        ([{"source": "A"}], "source, evidence, calls and some of"),
        ([{**GOOD, "colour": "red"}], "source, evidence, calls and some of"),
        ([{**GOOD, "evidence": "O"}], "evidence: one of S, T"),
        ([{**GOOD, "calls": "none"}], "calls: one of osteoporotic, metastatic"),
        ([{**GOOD, "rule": "="}], "rule: one of"),
        ([{**GOOD, "auc": "30/29"}], "auc: a number, or counts"),
        ([{**GOOD, "auc": "much"}], "auc: a number, or counts"),
        ([{**GOOD, "rule": ""}], "rule: the side that the AUC is of"),
        ([{**GOOD, "rule": "", "cut_off": 3}], "rule: the side of the cut-off"),
        ([{**GOOD, "compare": "by eye", "cut_off": 3}], "cut_off: none where read by eye"),
        ([{**GOOD, "compare": "not comparable"}], "remark: why not comparable"),
        (
            [{"source": "A", "evidence": "S", "calls": "metastatic", "sensitivity": 0.5}],
            "an AUC, or a figure",
        ),
    ],
)
def test_faulty_figures_are_refused(published, expected):
    faulty = copy.deepcopy(document())
    faulty["signs"]["lat_angle"]["published"] = published
    with pytest.raises(SettingsError, match="RV341") as error:
        parse_registry(faulty)
    assert expected in str(error.value)
    assert "lat_angle" in str(error.value)


@pytest.mark.parametrize(("sided", "direction"), [("left", "none"), ("metastatic", "metastatic")])
def test_a_sided_sign_has_no_direction_of_its_own(sided, direction):
    faulty = copy.deepcopy(document())
    faulty["signs"]["pedicle_asym"] |= {"sided": sided, "direction": direction}
    with pytest.raises(SettingsError, match="sided: one of osteoporotic, metastatic, with direction none"):
        parse_registry(faulty)


def test_signs_with_a_side_are_those_whose_value_can_be_negative_for_a_side():
    assert {sign.name for sign in registry().values() if sign.sided} == {"pedicle_asym", "pedicle_trom_asym"}


def test_counts_give_the_shares_of_the_published_tables():
    """The 2x2 tables of the project's list of numbers to reproduce."""
    found = {
        (name, entry.source.split()[0]): (entry.sensitivity, entry.specificity)
        for name, entry in entries()
        if entry.sensitivity is not None and entry.specificity is not None
    }
    for key, sensitivity, specificity in (
        (("fluid_score", "Baur"), 0.404, 0.943),
        (("pe_replaced_frac", "Series"), 0.724, 1.0),
        (("lat_angle", "Suzuki"), 0.67, 0.74),
        (("t1_rep_frac", "Series"), 0.741, 0.929),
    ):
        told = found[key]
        assert round(told[0].value, 3) == sensitivity
        assert round(told[1].value, 3) == specificity


def test_what_was_read_by_eye_has_no_cut_off_and_what_is_compared_has_a_figure():
    kinds = {entry.compare for _, entry in entries()}
    assert kinds == {"comparable", "not comparable", "by eye"}
    for name, entry in entries():
        sign = registry()[name]
        assert set(entry.sequences) <= set(sign.sequences), name
        assert math.isnan(entry.cut_off) or sign.holds(entry.cut_off), name
        assert entry.figures() or not math.isnan(entry.cut_off), name
        assert entry.compare != "comparable" or entry.figures(), name
        # A published figure speaks for the diagnosis of which the seeds say it is high, or against it.
        towards = sign.sided or sign.direction
        if entry.rule and towards != "none":
            assert (entry.calls == towards) == entry.high, name


@pytest.mark.data
def test_figures_stand_in_the_specification(real_data):
    file = real_data.parent / "spec" / "signs.md"
    if not file.is_file():
        pytest.skip("the specification is absent")
    text = file.read_text("utf-8")
    for name, entry in entries():
        author = entry.source.split()[0]
        known = ("Series", "Chemical", "T1", "T2", "Meta-analysis", "Screening", "Two", "UK")
        assert author in known or author in text, (name, author)
        if not math.isnan(entry.cut_off) and entry.cut_off > 0:
            assert f"{entry.cut_off:g}" in text, (name, entry.cut_off)


def test_the_place_of_gas_has_the_direction_of_the_cleft():
    """Row 35: a cleft under the upper endplate is benign, so that depth below it speaks against that."""
    sign = registry()["gas_depth_rel"]
    assert sign.direction == "metastatic"
    assert "under the upper endplate" in sign.caveat
    assert registry()["gas_ml"].direction == registry()["gas_linearity"].direction == "osteoporotic"
