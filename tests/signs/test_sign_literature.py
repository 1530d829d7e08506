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
        ([{**GOOD, "compare": "no"}], "remark: why not comparable"),
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
