"""What tissues look like on CT and MRI, what the scanners add, and where voxels are."""

from __future__ import annotations

from dataclasses import fields, replace

import numpy as np
import pytest

from radiomics_vert.cohort.levels import Level
from radiomics_vert.synthetic import SyntheticSpec
from radiomics_vert.synthetic.anatomy import Pose, intact
from radiomics_vert.synthetic.drawing import draw_patient
from radiomics_vert.synthetic.modalities import CT, BoneSample
from radiomics_vert.synthetic.mri import STIR, T1, Contrast, modality
from radiomics_vert.synthetic.scene import CSF, FAT, MUSCLE, NECROSIS, SOFT, Grid

PATIENT = replace(draw_patient(SyntheticSpec(), 0), site="A", contrast="none")
ZERO = np.zeros(1, np.float32)


def point(**coverage: float) -> BoneSample:
    vertebra = replace(
        intact(Level.L1, 1.0), trabecular_hu=120.0, marrow_t1=1.8, t1_ratio=1.1, stir_ratio=2.5,
        enhancement=0.5,
    )  # fmt: skip
    names = {item.name for item in fields(BoneSample)} - {"vertebra"}
    parts = dict.fromkeys(names, ZERO)
    parts.update({name: np.array([value], np.float32) for name, value in coverage.items()})
    return BoneSample(vertebra, **parts)


def test_ct_orders_tissues_as_hounsfield_units_do():
    scanner = CT(PATIENT)
    plain = scanner.bone(point())[0]
    assert plain == pytest.approx(120.0)
    gas, lytic, blastic, cortex = (
        scanner.bone(point(**{name: 1.0}))[0] for name in ("gas", "lytic", "blastic", "cortex")
    )
    assert gas < -200 < scanner.soft()[FAT] < lytic < plain < 200 < blastic < cortex
    fluid, line = (scanner.bone(point(**{name: 1.0}))[0] for name in ("fluid", "line"))
    assert scanner.soft()[FAT] < fluid < plain < line < cortex
    # Where a lesion took the bone, less is impacted.
    assert scanner.bone(point(lytic=1.0, line=1.0))[0] - lytic == pytest.approx((line - plain) / 2)
    half = scanner.bone(point(lytic=0.5))[0]
    assert half == pytest.approx((plain + lytic) / 2)


def test_portal_phase_raises_bone_as_published():
    enhanced = CT(replace(PATIENT, contrast="portal"))
    assert enhanced.bone(point())[0] - CT(PATIENT).bone(point())[0] == pytest.approx(14.75)


def test_t1_orders_tissues():
    scanner = T1(PATIENT)
    plain = scanner.bone(point())[0]
    dark, blastic, cortex, gas = (
        scanner.bone(point(**{name: 1.0}))[0] for name in ("dark", "blastic", "cortex", "gas")
    )
    assert scanner.soft()[FAT] > plain == pytest.approx(1.8)
    assert plain > dark == pytest.approx(1.1)
    assert dark > scanner.soft()[MUSCLE] > blastic > cortex > gas


def test_a_band_is_dark_on_mri_and_fluid_bright_on_stir_alone():
    for scanner in (T1(PATIENT), STIR(PATIENT)):
        plain, band = (scanner.bone(point(band=value))[0] for value in (0.0, 1.0))
        assert band == pytest.approx(0.55 * plain)
    assert T1(PATIENT).bone(point(fluid=1.0))[0] < T1(PATIENT).bone(point())[0]
    stir = STIR(PATIENT)
    assert stir.bone(point(dark=1.0))[0] == pytest.approx(2.5)
    assert stir.bone(point(fluid=1.0))[0] == stir.soft()[CSF] > stir.bone(point(dark=1.0))[0]
    assert stir.soft()[FAT] < 1.0 < stir.soft()[SOFT] < stir.soft()[CSF]


def test_contrast_medium_brightens_marrow_and_mass_but_no_necrosis():
    before, after = T1(PATIENT), Contrast(PATIENT)
    assert after.bone(point())[0] == pytest.approx(1.5 * before.bone(point())[0])
    for name in ("cortex", "gas"):
        sample = point(**{name: 1.0})
        assert after.bone(sample)[0] == before.bone(sample)[0]
    gain = after.soft() / np.maximum(before.soft(), 1e-6) - 1
    assert gain[SOFT] > 0.5 > gain[MUSCLE] > gain[FAT]
    assert gain[NECROSIS] == gain[CSF] == 0
    assert after.facts["contrast"] != before.facts["contrast"]


def test_ct_noise_has_the_level_of_the_site_and_does_not_cross_slices():
    flat = np.full((30, 40, 50), 50.0, np.float32)
    image = CT(PATIENT).acquire(flat, np.random.default_rng(0)).astype(float)
    assert image.mean() == pytest.approx(50.0, abs=0.3)
    assert image.std() == pytest.approx(18.0, rel=0.02)
    noise = image - image.mean()
    within = (noise[:, :, 1:] * noise[:, :, :-1]).mean() / noise.var()
    across = (noise[1:] * noise[:-1]).mean() / noise.var()
    assert within > 0.3
    assert abs(across) < 0.03


def test_t1_scales_with_gain_and_is_never_negative():
    flat = np.ones((4, 30, 50), np.float32)
    flat[0] = 0.0
    once, twice = (
        T1(PATIENT, gain, slope=0.15).acquire(flat, np.random.default_rng(0)).astype(int)
        for gain in (1.0, 2.0)
    )
    assert np.abs(twice - 2 * once).max() <= 1
    assert once.min() >= 0
    assert once[1:].mean() == pytest.approx(300, rel=0.03)
    assert once[1:, :, -5:].mean() > 1.1 * once[1:, :, :5].mean()  # surface coil


def test_sites_differ_in_gain():
    gains = {
        site: [modality("T1", replace(PATIENT, site=site), np.random.default_rng(k)).gain for k in range(20)]
        for site in ("A", "B", "C")
    }
    slopes = [modality("T1", PATIENT, np.random.default_rng(k)).slope for k in range(20)]
    assert 0.1 < min(slopes) < max(slopes) < 0.2
    assert np.median(gains["B"]) > 1.3 * np.median(gains["A"]) > 1.3 * np.median(gains["C"])
    assert len(set(gains["A"])) == 20


def test_positions_and_boxes_undo_each_other_on_an_oblique_grid():
    angle = np.radians(20)
    turn = np.array([[np.cos(angle), -np.sin(angle), 0], [np.sin(angle), np.cos(angle), 0], [0, 0, 1]])
    grid = Grid((7, 8, 9), (1.0, 1.5, 4.0), turn, np.array([10.0, -20.0, 30.0]))
    pose = Pose(np.array([11.0, -13.0, 41.0]), np.eye(3)[:, [1, 2, 0]])
    everything = (slice(0, 9), slice(0, 8), slice(0, 7))
    local = grid.positions(everything, pose)
    assert local[0].shape == grid.shape == (9, 8, 7)
    k, j, i = 5, 3, 2
    world = pose.to_world(np.array([[axis[k, j, i] for axis in local]]))
    expected = grid.origin + turn @ (np.array([1.0, 1.5, 4.0]) * [i, j, k])
    assert world[0] == pytest.approx(expected, abs=1e-4)
    box = grid.box(np.vstack([expected - 0.01, expected + 0.01]))
    assert all(part.start <= index < part.stop for part, index in zip(box, (k, j, i), strict=True))
    assert all(part.stop - part.start <= 3 for part in box)


def test_refined_slices_stay_in_place():
    grid = Grid((7, 8, 9), (1.0, 1.5, 4.5), np.eye(3), np.zeros(3))
    fine = grid.refined(3)
    assert fine.shape == (27, 8, 7)
    assert fine.spacing == (1.0, 1.5, 1.5)
    assert fine.origin[2] == pytest.approx(-1.5)  # the middle of the first three is the old slice
