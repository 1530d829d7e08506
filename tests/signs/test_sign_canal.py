"""The canal: loss of cross-section, side and direction of what narrows it."""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from pathlib import Path

import numpy as np
import pytest
from arch_phantoms import Drawing, Look, arch_scan
from phantoms import Body, amid

from radiomics_vert.signs import measure_scan, prepare_spine
from radiomics_vert.signs.canal import measure
from radiomics_vert.signs.nouns import Absent, Layer, SignScan

COARSE = Drawing((2.0, 1.5, 1.5), (0.3, 0.1, 0.4), samples=1)
LEFT = Look(narrowed=(1.0, 9.0, 5.0, 6.0))


@cache
def scan(look: Look, how: Drawing = COARSE, region: str = "vertebra") -> SignScan:
    given = arch_scan(amid(Body(), neighbours=1, lordosis=(5.0, 5.0), tilt=4.0), {2: look}, how)
    if region == "body":
        return replace(given, labels=np.where(given.body, given.labels, 0), region="body", body=None)
    return given


def signs(given: SignScan, sequence: str = "CT"):
    return measure(prepare_spine(given, sequence))[2]


def with_canal(given: SignScan, canal: np.ndarray) -> SignScan:
    return replace(given, layers={"canal": Layer(canal.astype(np.uint8), (1,))})


def test_an_open_canal_has_no_loss_and_no_side():
    found = signs(scan(Look()))
    assert found["canal_loss"] == pytest.approx(0, abs=0.08)
    assert isinstance(found["epi_lateral"], Absent)
    assert isinstance(found["epi_angle_deg"], Absent)


@pytest.mark.parametrize("region", ["vertebra", "body"])
def test_one_side_from_the_front(region):
    found = signs(scan(LEFT, region=region))
    assert found["canal_loss"] == pytest.approx(0.171, abs=0.075)
    assert found["epi_lateral"] > 0.8
    assert found["epi_angle_deg"] == pytest.approx(51, abs=10)


def test_a_central_fragment_has_a_direction_and_no_side():
    found = signs(scan(Look(narrowed=(-9.0, 9.0, 6.0, 5.0))))
    assert found["canal_loss"] == pytest.approx(6 / 13, abs=0.08)
    assert found["epi_lateral"] < 0.15
    assert found["epi_angle_deg"] < 10


def test_mirror_image_keeps_size_and_direction():
    given = scan(LEFT)
    flip = np.s_[:, :, ::-1]
    layers = {name: Layer(layer.labels[flip], layer.values) for name, layer in given.layers.items()}
    turned = replace(
        given, labels=given.labels[flip], image=given.image[flip], body=given.body[flip], layers=layers
    )
    one, other = signs(given), signs(turned)
    assert other["canal_loss"] == pytest.approx(one["canal_loss"], abs=0.04)
    assert other["epi_lateral"] == pytest.approx(one["epi_lateral"], abs=0.1)
    assert other["epi_angle_deg"] == pytest.approx(one["epi_angle_deg"], abs=6)


def test_a_closed_canal_is_measured_and_a_mask_that_ends_is_not():
    given = scan(Look())
    canal = given.structure("canal").copy()
    height = int(np.argwhere(given.labels == 2)[:, 0].mean())
    closed = canal.copy()
    closed[height - 4 : height + 4] = False
    assert signs(with_canal(given, closed))["canal_loss"] == 1.0
    ended = canal.copy()
    ended[: height + 1] = False
    values = measure(prepare_spine(with_canal(given, ended), "CT"))[2]
    assert {value.code for value in values.values()} == {"RV331"}


def test_the_image_may_end_behind_the_vertebra():
    given = scan(Look())
    back = int(np.argwhere(given.structure("canal"))[:, 1].max()) - 2
    cut = np.s_[:, :back]
    layers = {name: Layer(layer.labels[cut], layer.values) for name, layer in given.layers.items()}
    short = replace(
        given, labels=given.labels[cut], image=given.image[cut], body=given.body[cut], layers=layers
    )
    assert {value.code for value in signs(short).values()} == {"RV334"}


def test_cord_belongs_to_the_canal_but_is_none_alone():
    given = scan(LEFT)
    canal = given.structure("canal")
    parted = canal.astype(np.uint8)
    middle = np.zeros_like(canal)
    middle[:, :, canal.shape[2] // 2 - 2 : canal.shape[2] // 2 + 3] = True
    parted[canal & middle] = 2
    both = replace(given, layers={"canal": Layer(parted, (1,)), "cord": Layer(parted, (2,))})
    assert signs(both) == signs(given)
    cord = replace(given, layers={"cord": Layer(parted, (2,))})
    found = measure_scan(cord, "CT")
    absences = found.absences.set_index(["case_id", "sign"]).code
    assert absences["phantom_L4", "canal_loss"] == "RV331"
    assert found.values.canal_loss.isna().all()


def test_coarse_voxels_give_a_loss_but_no_direction():
    found = signs(scan(LEFT, Drawing((3.0, 3.0, 3.0), samples=1)))
    assert isinstance(found["canal_loss"], float)
    assert isinstance(found["epi_lateral"], Absent)


def test_shape_needs_no_image_and_no_sequence():
    given = scan(LEFT)
    assert signs(replace(given, image=None), "T2") == signs(given)


@pytest.mark.data
def test_real_masks_without_a_canal_are_absent(real_data: Path):
    from test_sign_measuring import TS, load

    given = load(
        real_data, "ct_totalsegmentator/example_ct.nii.gz", f"{TS}/totalseg.nii.gz", "totalsegmentator"
    )
    found = measure_scan(given, "CT")
    assert found.values.canal_loss.isna().all()
    codes = found.absences[found.absences.sign == "canal_loss"].code
    assert set(codes) <= {"RV331", "RV334", "RV335", "RV336"}
