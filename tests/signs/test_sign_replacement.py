"""Replacement on T1: formulas by hand, published patterns, invariances, reasons for absence."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk
from phantoms import Body
from signal_phantoms import CASES, balls, draw, measure_case, paint, plain, plate, slab
from whole_phantom import whole_scan

from radiomics_vert.cohort import Level, Scan, examine_scan, load_scheme
from radiomics_vert.imaging.preprocessing import Spread
from radiomics_vert.signs import Absent, load_sign_scan, measure_scan, measure_spine
from radiomics_vert.signs.borders import TEN_NINETY, margin_width, sigmoid_widths
from radiomics_vert.signs.depths import Depths
from radiomics_vert.signs.replacement import below, endplate_localisation, signal_ratio
from radiomics_vert.signs.tissues import adjacent_discs, tissue_signal

SAGITTAL = "sagittal 4 mm"
T = np.arange(-6, 6.01, 0.5)
SIGNS = [
    "t1_rep_frac", "t1_spared_frac", "trom", "t1_muscle", "t1_disc", "endplate_localisation", "n_foci",
    "largest_share", "margin_width_mm", "margin_absent", "band_score",
]  # fmt: skip


class Flat:
    """An outline with given depths of its endplates below the line through their corners."""

    def __init__(self, superior: float, inferior: float):
        dent = np.zeros(41)
        dent[20] = 1.0
        self.superior, self.inferior = 13 - superior * dent, -13 + inferior * dent


def sigmoid(width: float, centre: float = 0.0, low: float = 40.0, high: float = 100.0) -> np.ndarray:
    return low + (high - low) / (1 + np.exp(-np.clip((T - centre) * TEN_NINETY / width, -60, 60)))


def t1(marrow, grid: str = SAGITTAL, **more):
    return measure_spine(painted(marrow, grid, **more)).values.iloc[1]


def painted(marrow, grid: str = SAGITTAL, body: Body | None = None, **more):
    drawing = draw(grid, body) if body else draw(grid)
    scan = replace(drawing.spine.scan, image=paint(drawing, marrow, 400, **more))
    return replace(drawing.spine, scan=scan)


def reasons(spine, sequence: str = "T1") -> dict[str, tuple[str, str]]:
    found = measure_spine(replace(spine, sequence=sequence))
    own = found.absences[found.absences.case_id == found.values.case_id[1]]
    return {row.sign: (row.code, row.reason) for row in own.itertuples()}


def test_replaced_is_below_two_deviations_strictly():
    image = np.array([[[59.9, 60.0, 100.0, 10.0]]])
    inside = np.array([[[True, True, True, False]]])
    assert below(image, inside, Spread(100.0, 20.0, 50)).tolist() == [[[True, False, False, False]]]


def test_ratios_need_a_true_zero():
    assert signal_ratio(60.0, 80.0) == 0.75
    assert signal_ratio(60.0, -0.2).code == "RV344"
    given = Absent("RV331", "no mask")
    assert signal_ratio(60.0, given) is given


def test_localisation_by_hand():
    depths = Depths(np.array([0.0, 5.0, 10.0]), np.array([20.0, 15.0, 10.0]))
    assert endplate_localisation(depths, Flat(3, 0)) == pytest.approx((1 + 0.5 + 0) / 3)
    assert endplate_localisation(depths, Flat(0, 3)) == pytest.approx(-(1 + 0.5 + 0) / 3)
    # Neither endplate is depressed: the one nearer to the voxels.
    assert endplate_localisation(depths, Flat(0, 0)) == pytest.approx(0.5)
    assert endplate_localisation(Depths(depths.inferior, depths.superior), Flat(0, 0)) == pytest.approx(0.5)
    # One step of slices of 2.2 mm is no depression.
    assert endplate_localisation(depths, Flat(0, 1.5), step=2.2) == pytest.approx(0.5)
    assert endplate_localisation(depths, Flat(0, 1.5), step=1.0) == pytest.approx(-0.5)


@pytest.mark.parametrize("width", [0.8, 1.5, 3.0, 6.0, 9.0])
def test_sigmoid_widths_come_back(width):
    profiles = np.stack([sigmoid(width, centre) for centre in (-1.1, 0.0, 0.7)])
    found = sigmoid_widths(profiles, np.ones(profiles.shape))
    np.testing.assert_allclose(found, width, rtol=0.08)
    np.testing.assert_allclose(sigmoid_widths(7 * profiles, np.ones(profiles.shape)), found, rtol=1e-9)


def test_sigmoid_widths_of_noisy_and_partly_seen_profiles():
    rng = np.random.default_rng(5)
    profiles = np.tile(sigmoid(3.0), (400, 1)) + rng.normal(0, 4, (400, len(T)))
    assert np.nanmedian(sigmoid_widths(profiles, np.ones(profiles.shape))) == pytest.approx(3.0, abs=0.3)
    seen = np.tile(np.abs(T) <= 4, (400, 1))
    assert np.nanmedian(sigmoid_widths(profiles, seen)) == pytest.approx(3.0, abs=0.4)
    noise = rng.normal(100, 4, (50, len(T)))
    assert np.isnan(sigmoid_widths(noise, np.ones(noise.shape))).mean() > 0.8
    assert np.isnan(sigmoid_widths(sigmoid(2.0)[None, ::-1], np.ones((1, len(T)))))


def test_margins_of_all_or_nothing_are_absent():
    inside = np.ones((7, 8, 9), bool)
    image = np.full(inside.shape, 5.0)
    for region in (inside, ~inside):
        assert margin_width(image, region, inside, (1.0, 1.0, 1.0)).code == "RV338"
    speck = np.zeros(inside.shape, bool)
    speck[3, 4, 4] = True
    assert "0 points" in margin_width(image - speck, speck, inside, (1.0, 1.0, 1.0)).detail


def test_benign_pattern_is_localised_sharp_and_spares_marrow():
    """Row 25: a well-defined band of low signal under the endplate; rows 26 and 28: diffuse, ill-defined."""
    benign, malignant = t1(slab(0.4, 11, 1.0)), t1(balls(0.45, 7, (-9, -3, 13), (9, 2, 11), (0, 5, 17)))
    blurred, complete = t1(slab(0.4, 13, 7.0)), t1(slab(0.45, 99))
    assert benign.endplate_localisation > 0.4 > 0.2 > abs(malignant.endplate_localisation)
    assert benign.margin_width_mm < 2 < 5 < blurred.margin_width_mm
    assert complete.t1_rep_frac > 0.95 > benign.t1_rep_frac
    assert (complete.margin_absent, benign.margin_absent) == (1, 0)
    assert np.isnan(complete.margin_width_mm)
    assert complete.trom < 0.5 < benign.t1_spared_frac


def test_localisation_follows_the_depressed_endplate():
    sunk = Body(arch=False, heights=(26.0, 20.0, 26.0))
    under, opposite = (
        measure_spine(painted(slab(0.4, 8, under=side), body=sunk)).values.iloc[1]
        for side in ("superior", "inferior")
    )
    assert under.endplate_localisation > 0.35
    assert opposite.endplate_localisation < -0.35


def test_old_fractures_may_be_brighter_than_normal():
    assert t1(slab(1.3, 99)).trom == pytest.approx(1.3, abs=0.03)


def test_a_band_is_long_flat_dark_and_along_the_endplate():
    long, short = t1(plate(0.5, 30, 22, (10, 13))), t1(plate(0.5, 12, 10, (10, 13)))
    assert long.band_score > 0.5 > 0.35 > short.band_score > 0.05
    for other in (plain, plate(1.6, 30, 22, (10, 13)), balls(0.5, 6, (0, 0, 13)), slab(0.5, 13)):
        assert t1(other).band_score < 0.1
    assert t1(plate(0.5, 30, 14, (11, 15), 50)).band_score < 0.1


def test_signal_that_changes_from_level_to_level_is_no_replacement():
    """Three references on both sides: surface coils make the lumbar spine brighter than the thoracic."""
    drawing = draw("3 mm", neighbours=3)
    scan = replace(drawing.spine.scan, image=paint(drawing, slab(0.4, 11), 400, trend=0.08))
    found = measure_spine(replace(drawing.spine, scan=scan)).values
    assert found.t1_rep_frac[3] == pytest.approx(0.44, abs=0.08)
    # The trend is not continued beyond the references: at the ends of the column half a step is left.
    assert found.t1_rep_frac.drop(3).max() < 0.1
    np.testing.assert_allclose(found.trom.iloc[[1, 2, 4, 5]], 1, atol=0.05)


def test_scale_of_intensities_is_free():
    spine = painted(slab(0.4, 11, 2.0))
    scaled = replace(spine, scan=replace(spine.scan, image=37.5 * spine.scan.image))
    one, other = (measure_spine(each).values[SIGNS].to_numpy(float) for each in (spine, scaled))
    np.testing.assert_allclose(one, other, rtol=1e-6)


def test_mirror_image_has_the_same_signs():
    case = balls(0.4, 6, (-12, -4, 9), (4, 3, 14))
    scan = painted(case, "3 mm").scan
    turned = replace(
        scan,
        image=np.ascontiguousarray(scan.image[:, :, ::-1]),
        labels=np.ascontiguousarray(scan.labels[:, :, ::-1]),
        layers={name: replace(layer, labels=layer.labels[:, :, ::-1]) for name, layer in scan.layers.items()},
    )
    one, other = (measure_scan(each, "T1").values[SIGNS].iloc[1] for each in (scan, turned))
    np.testing.assert_allclose(one.to_numpy(float), other.to_numpy(float), atol=0.05)


def test_sub_voxel_shifts_change_little():
    found = [measure_case(CASES["margin 3 mm"], grid).iloc[1] for grid in ("3 mm", "3 mm, shifted")]
    assert found[0].t1_rep_frac == pytest.approx(found[1].t1_rep_frac, abs=0.06)
    assert found[0].margin_width_mm == pytest.approx(found[1].margin_width_mm, abs=0.5)


@pytest.mark.parametrize("turn", [((0, 1, 2), (True, True, False)), ((2, 0, 1), (False, True, False))])
def test_files_in_other_orientations_give_the_same_signs(tmp_path: Path, turn):
    spine = painted(slab(0.4, 11, 2.0), "3 mm")
    scheme = load_scheme("instances")
    values = []
    for order, flips in (((0, 1, 2), (False,) * 3), turn):
        for name, array in (("image", spine.scan.image), ("mask", spine.scan.labels.astype(np.uint8))):
            volume = sitk.GetImageFromArray(array)
            volume.SetSpacing(spine.scan.spacing[::-1])
            sitk.WriteImage(sitk.Flip(sitk.PermuteAxes(volume, order), flips), tmp_path / f"{name}.nii.gz")
        cases, refused = examine_scan(
            Scan("x", "x", "T1", tmp_path / "image.nii.gz", tmp_path / "mask.nii.gz", scheme)
        )
        assert not refused
        found = measure_scan(load_sign_scan(cases), "T1").values
        values.append(found.set_index("case_id").sort_index()[SIGNS].to_numpy(float))
    np.testing.assert_allclose(values[0], values[1], rtol=1e-6, atol=1e-9)
    assert np.nanmax(values[0][:, 0]) > 0.3


def test_what_cannot_be_measured_says_why():
    healthy, complete = reasons(painted(plain)), reasons(painted(slab(0.4, 99)))
    for sign in ("endplate_localisation", "largest_share", "margin_width_mm"):
        assert healthy[sign] == ("RV338", "nothing is replaced in one piece of 50 mm3")
    assert complete["margin_width_mm"][0] == "RV338"
    assert "100% is replaced" in complete["margin_width_mm"][1]
    spine = painted(slab(0.4, 11))
    shifted = replace(spine, scan=replace(spine.scan, image=spine.scan.image - 1000.0))
    assert {reasons(shifted)[sign][0] for sign in ("trom", "t1_muscle", "t1_disc", "band_score")} == {"RV344"}
    assert "t1_rep_frac" not in reasons(shifted)
    alone = replace(spine, references={})
    assert reasons(alone)["t1_rep_frac"][0] == "RV333"
    assert "band_score" not in reasons(alone)
    assert reasons(spine, "T2")["t1_rep_frac"][0] == "RV332"
    empty = replace(spine)
    empty.__dict__["trabecular"] = {label: np.zeros_like(mask) for label, mask in spine.trabecular.items()}
    absences = measure_spine(empty).absences
    row = absences[(absences.sign == "trom") & (absences.case_id == spine.vertebrae[1].case_id)].iloc[0]
    assert (row.code, row.reason) == ("RV338", "0 trabecular voxels of the 20 that a median needs")


def test_discs_are_named_after_the_level_above_and_tissues_are_near():
    assert adjacent_discs(Level.T1, None) == ("disc_T1",)
    assert adjacent_discs(Level.L2, Level.L1) == ("disc_L1", "disc_L2")
    spine = painted(plain)
    assert tissue_signal(spine.scan, spine.vertebrae[1], ("disc_L",)).code == "RV331"
    signal = tissue_signal(spine.scan, spine.vertebrae[1], ("autochthon",))
    assert signal == pytest.approx(160, abs=3)


@pytest.mark.data
@pytest.mark.slow
def test_a_healthy_lumbar_exam_has_normal_marrow(real_data: Path):
    folder = real_data / "vb_mri" / "VB1"
    scan = Scan(
        "x", "x", "T1", folder / "VB1_10_DzZ_T1_image.nii.gz", folder / "VB1_10_DzZ_T1_vertebrae.nii.gz",
        load_scheme("instances"),
    )  # fmt: skip
    cases, _ = examine_scan(scan)
    values = measure_scan(load_sign_scan(cases), "T1").values
    seen = values[values.trom.notna()]
    assert len(seen) == 8
    assert seen.trom.between(0.8, 1.2).all()
    assert seen.t1_rep_frac.max() < 0.2
    assert seen.t1_rep_frac.median() < 0.05
    assert (seen.margin_absent == 0).all()
    assert seen.band_score.max() < 0.3
    fat = measure_scan(load_sign_scan(cases), "FAT_FRACTION")
    assert set(fat.absences.code[fat.absences.sign == "ff"]) == {"RV344", "RV335"}


def test_cortex_of_an_outline_drawn_too_wide_makes_no_foci():
    """Eight to fourteen foci of each normal vertebra were dark cortex along the surface of the marrow."""
    scan = whole_scan("T1")
    values = measure_scan(scan, "T1").values.set_index("level")
    assert values.n_foci[["T11", "L1", "L2", "L4", "L5"]].max() <= 2
    assert values.n_foci["L3"] >= 1
