"""Paravertebral soft tissue: thickness, coverage, side, necrosis."""

from __future__ import annotations

from dataclasses import replace
from functools import cache

import numpy as np
import pytest
from arch_phantoms import Drawing, Look, arch_scan
from phantoms import Body, amid

from radiomics_vert.signs import measure_scan, prepare_spine
from radiomics_vert.signs.nouns import Absent, Layer, SignScan
from radiomics_vert.signs.soft_tissue import SECTORS, describe_rim, measure

HOW = Drawing((2.0, 1.5, 1.5), (0.3, 0.1, 0.4), samples=1)
THIN = Look(rim=((5.0, -180.0, 180.0),))
FOCAL = Look(rim=((15.0, 40.0, 110.0),))


@cache
def scan(look: Look, how: Drawing = HOW) -> SignScan:
    return arch_scan(amid(Body(), neighbours=1, lordosis=(5.0, 5.0), tilt=4.0), {2: look}, how)


def signs(given: SignScan, sequence: str = "CT", label: int = 2):
    return measure(prepare_spine(given, sequence))[label]


def test_a_thin_circumferential_rim():
    found = signs(scan(THIN))
    assert found["rim_max_mm"] == pytest.approx(5, abs=1.7)
    assert found["rim_coverage"] == pytest.approx(1, abs=0.07)
    assert found["rim_lateral"] < 0.1
    assert found["rim_thin_circumferential"] == 1


def test_a_focal_mass():
    found = signs(scan(FOCAL))
    assert found["rim_max_mm"] == pytest.approx(15, abs=1.7)
    assert found["rim_coverage"] == pytest.approx(70 / 240, abs=0.07)
    assert found["rim_lateral"] > 0.95
    assert found["rim_thin_circumferential"] == 0


def test_the_rule_has_both_its_parts():
    even = np.full(len(SECTORS), 9.9)
    assert describe_rim(even)["rim_thin_circumferential"] == 1
    assert describe_rim(even + 0.1)["rim_thin_circumferential"] == 0
    part = np.where(np.arange(len(SECTORS)) < 36, 5.0, 2.0)
    assert describe_rim(part)["rim_coverage"] == 0.75
    assert describe_rim(part)["rim_thin_circumferential"] == 1
    part[0] = 2.0
    assert describe_rim(part)["rim_thin_circumferential"] == 0


def test_no_tissue_beside_this_vertebra_is_zero_and_no_mask_is_absent():
    found = signs(scan(THIN), label=3)
    assert found["rim_max_mm"] == 0.0
    assert found["rim_coverage"] == 0.0
    assert isinstance(found["rim_lateral"], Absent)
    assert found["rim_thin_circumferential"] == 0
    bare = measure_scan(replace(scan(THIN), layers={}), "CT")
    codes = bare.absences.set_index(["case_id", "sign"]).code
    assert codes["phantom_L4", "rim_max_mm"] == "RV331"
    assert bare.values.rim_max_mm.isna().all()


def test_mirror_image_changes_nothing():
    given = scan(FOCAL)
    flip = np.s_[:, :, ::-1]
    layers = {name: Layer(layer.labels[flip], layer.values) for name, layer in given.layers.items()}
    turned = replace(
        given, labels=given.labels[flip], image=given.image[flip], body=given.body[flip], layers=layers
    )
    one, other = signs(given), signs(turned)
    for name, slack in (("rim_max_mm", 0.7), ("rim_coverage", 0.05), ("rim_lateral", 0.05)):
        assert other[name] == pytest.approx(one[name], abs=slack), name


def test_the_image_may_end_beside_the_body_or_within_the_tissue():
    given = scan(FOCAL)
    tissue, body = given.structure("paravertebral"), given.body
    for last in (int(np.argwhere(body)[:, 2].max()) + 2, int(np.argwhere(tissue)[:, 2].max()) - 2):
        cut = np.s_[:, :, :last]
        layers = {name: Layer(layer.labels[cut], layer.values) for name, layer in given.layers.items()}
        short = replace(
            given, labels=given.labels[cut], image=given.image[cut], body=body[cut], layers=layers
        )
        assert signs(short)["rim_max_mm"].code == "RV334"


@pytest.mark.parametrize(("sequence", "before"), [("T1_CONTRAST", "T1"), ("CT", "CT")])
def test_necrosis_is_what_does_not_enhance(sequence, before):
    given = scan(Look(rim=((15.0, -180.0, 180.0),)))
    pre = np.full(given.image.shape, 40.0, np.float32)
    rng = np.random.default_rng(5)
    tissue = np.argwhere(given.structure("paravertebral"))
    row = np.quantile(tissue[:, 0], 0.25)
    known = float((tissue[:, 0] <= row).mean())
    post = (
        pre + np.where(np.arange(pre.shape[0])[:, None, None] <= row, 0.0, 30.0) + rng.normal(0, 4, pre.shape)
    )
    both = replace(given, image=post.astype(np.float32), companions={before: pre})
    assert signs(both, sequence)["necrosis_frac"] == pytest.approx(known, abs=0.1)
    full = replace(both, image=pre + 30)
    assert signs(full, sequence)["necrosis_frac"] == 0.0
    assert signs(both, sequence, label=1)["necrosis_frac"].code == "RV338"
    assert signs(replace(both, companions={"OTHER": pre}), sequence)["necrosis_frac"].code == "RV339"
    if sequence == "T1_CONTRAST":
        scaled = replace(both, image=both.image * 3, companions={before: pre * 3})
        assert signs(scaled, sequence)["necrosis_frac"] == signs(both, sequence)["necrosis_frac"]
