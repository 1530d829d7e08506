"""Geometric signs against phantoms whose shape is known."""

from __future__ import annotations

import re
from dataclasses import replace
from itertools import permutations, product

import numpy as np
import pandas as pd
import pytest
import SimpleITK as sitk
from phantom_cases import CASES, FAST, GRIDS, MISSED, TABLE, WEDGE, measured, table, tolerance, withheld
from phantoms import Body, amid, straight

from radiomics_vert.imaging.geometry import Geometry
from radiomics_vert.signs import measure_scan, prepare_spine
from radiomics_vert.signs.frame import start_axes
from radiomics_vert.signs.loading import canonical, canonical_spacing
from radiomics_vert.signs.thickness import slices_crossed

GEOMETRY = ["ha_mm", "hm_mm", "hp_mm", "loss_max", "lat_angle", "ep_depth_mm", "pw_bulge_mm", "pw_pos"]


def committed() -> pd.DataFrame:
    return pd.read_csv(TABLE, keep_default_na=False, na_values={"measured": "", "error": ""})


def test_the_table_holds_every_case_on_every_grid():
    assert len(committed()) == len(GRIDS) * sum(len(truth) for _, truth in CASES.values())


@pytest.mark.parametrize(
    "grid", [grid if grid in FAST else pytest.param(grid, marks=pytest.mark.slow) for grid in GRIDS]
)
def test_the_committed_table_is_what_the_code_gives(grid):
    rows = committed()
    rows = rows[rows.grid == grid].reset_index(drop=True)
    pd.testing.assert_frame_equal(
        table([grid]), rows, check_dtype=False, check_exact=False, atol=0.02, rtol=0
    )


def test_every_error_is_within_its_stated_tolerance():
    told = committed().query("withheld == ''")
    outside = told[~(told.error.abs() <= told.tolerance)]
    missed = {tuple(row) for row in outside[["case", "grid", "sign"]].to_numpy()}
    assert missed == set(MISSED), outside.to_string()
    assert all(len(reason) > 20 for reason in MISSED.values())


# By grid, what its voxels do not show: the beginnings of names.
UNSHOWN = {
    "axial 4 mm": ("ha_", "hm_", "hp_", "loss_", "ratio_"),
    "coronal 4 mm": ("pw_", "retropulsion"),
    "3 mm": ("pw_", "retropulsion"),
}
ALONG = ("axial 3 mm", "axial 4 mm", "3 mm")
"""Grids on which the lateral angle is told only of an endplate that crosses the slices."""


def test_a_value_is_absent_where_its_voxels_are_too_thick_and_nowhere_else():
    rows = committed()
    unshown = pd.Series([row.sign.startswith(UNSHOWN.get(row.grid, ("none",))) for row in rows.itertuples()])
    either = (rows.sign == "lat_angle") & rows.grid.isin(ALONG)
    assert set(rows.withheld[unshown]) == {"RV345"}
    assert set(rows.withheld[~unshown & ~either]) == {""}
    assert set(rows.withheld[either]) <= {"", "RV345"}
    assert (rows.measured.isna() == (rows.withheld != "")).all()


def test_errors_are_not_biased():
    made = committed()
    fine = made[made.grid.isin(["0.5 mm", "1 mm", "sagittal 4 mm", "axial 2 mm", "coronal 4 mm"])]
    for sign, limit in {"ha_mm": 0.5, "hm_mm": 0.6, "hp_mm": 0.5, "loss_max": 0.04, "lat_angle": 0.5}.items():
        assert abs(fine.error[fine.sign == sign].mean()) < limit, sign


@pytest.mark.parametrize("grid", ["1 mm", "sagittal 4 mm"])
def test_a_true_wedge_is_graded_from_its_corners(grid):
    """Heights at 15 and 85 % of the depth would read 30 % as 20 to 24 %, one Genant grade too low."""
    found = measured("wedge 30 %", grid)
    assert found.genant_grade == 2
    assert found.type_wedge == 1
    assert found.loss_a > 0.26


@pytest.mark.parametrize("grid", FAST)
def test_a_crush_shows_against_neighbours_only(grid):
    found = measured("crush 30 %", grid)
    assert found.ratio_ap == pytest.approx(1, abs=0.15)
    # Grades 1 and 2 are both open with slices of 3 mm; that it is a fracture is not.
    assert found.genant_grade >= 1 or (grid == "3 mm" and np.isnan(found.genant_grade))
    assert found.type_crush == 1


THICK = {"axial 3 mm": (3.0, 0.8, 0.8), "axial 4 mm": (4.0, 0.8, 0.8), "3 mm": (3.0, 3.0, 3.0)}
CURVES = {"lordosis": (-4, 10), "scoliosis": (-6, 6)}
PHASES = ((0.0, 0.0, 0.0), (0.3, 0.6, 0.1), (0.75, 0.25, 0.5), (0.5, 0.5, 0.5))


@pytest.mark.slow
@pytest.mark.parametrize("phase", PHASES)
@pytest.mark.parametrize("grid", THICK)
def test_thick_slices_give_no_wrong_grade(grid, phase):
    """Losses are uncertain by a slice there: a grade is right, or it is withheld with the reason."""
    bodies = [WEDGE if place == 3 else Body() for place in range(7)]
    column = straight(*bodies, lordosis=(4.0, 6.0, 8.0, 10.0, 12.0, 14.0), tilt=7.0)
    found = measure_scan(column.scan(THICK[grid], shift=phase, region="body"), "CT")
    grades = found.values.genant_grade
    true = pd.Series([2.0 if place == 3 else 0.0 for place in range(7)])
    assert (grades.isna() | (grades == true)).all(), grades.tolist()
    reasons = found.absences[found.absences.sign == "genant_grade"]
    assert (reasons.code == "RV345").all()
    assert reasons.reason.str.contains("slices of").all()


@pytest.mark.slow
@pytest.mark.parametrize("grid", THICK)
def test_no_intact_body_seems_fractured_on_thick_slices(grid):
    """At any phase and lean: no loss of 0.20, no lateral angle of 5 degrees, no bulge of 3 mm."""
    found = []
    for seed in range(12):
        rng = np.random.default_rng([2026, seed])
        curves = {name: tuple(rng.uniform(*span, 4)) for name, span in CURVES.items()}
        column = straight(*[Body(arch=False)] * 5, tilt=float(rng.uniform(-8, 8)), **curves)
        scan = column.scan(THICK[grid], shift=tuple(rng.uniform(0, 1, 3)), region="body")
        found.append(measure_scan(scan, "CT").values)
    values = pd.concat(found)
    assert not (values.loss_max >= 0.20).any(), values.loss_max.max()
    assert not (values.lat_angle >= 5).any(), values.lat_angle.max()
    assert not (values.pw_bulge_mm >= 3).any(), values.pw_bulge_mm.max()
    assert not (values.genant_grade > 0).any()


def test_a_thin_slice_takes_nothing_away():
    """Thoracic bodies of 18 mm on slices of 2 mm, an endplate along the slices or not."""
    body = Body(width=36, depth=26, heights=(18.0,) * 3, normal=18.0, arch=False)
    scan = straight(*[body] * 3, tilt=7.0).scan((2.0, 0.8, 0.8), shift=(0.3, 0.6, 0.1), region="body")
    assert "RV345" not in set(measure_scan(scan, "CT").absences.code)


@pytest.mark.parametrize(("turn", "crossed"), [(0.0, 0.0), (6.0, 32 * np.tan(np.radians(6)) / 2)])
def test_slices_that_an_endplate_crosses_follow_from_its_tilt(turn, crossed):
    frame = prepare_spine(straight(Body(arch=False)).scan(), "CT").framed()[0].frame
    flat = replace(
        frame, axes=start_axes([0, np.sin(np.radians(turn)), np.cos(np.radians(turn))]), depth=32.0
    )
    plane = replace(frame.superior, left=0.0, back=0.0)
    assert slices_crossed(flat, plane, (2.0, 1.0, 1.0)) == pytest.approx(crossed, rel=0.01)


@pytest.mark.parametrize("grid", ["1 mm", "sagittal 4 mm", "axial 2 mm"])
def test_a_bulge_of_four_mm_is_read_as_such(grid):
    assert 3.3 < measured("arc 4 mm", grid).pw_bulge_mm < 4.7
    assert 3.3 < measured("fragment 4 mm", grid).pw_bulge_mm < 4.7


@pytest.mark.parametrize("grid", ["1 mm", "sagittal 4 mm", "axial 2 mm"])
def test_arc_and_fragment_are_told_apart(grid):
    assert measured("arc 4 mm", grid).pw_angularity < -0.4
    assert measured("fragment 4 mm", grid).pw_angularity > 0.6


def test_a_bulge_of_a_voxel_or_two_has_no_shape():
    """Read from 3 mm voxels, 4 mm would be an arc or an angle by chance."""
    for case in ("arc 4 mm", "fragment 4 mm"):
        assert np.isnan(measured(case, "3 mm").pw_angularity)
        assert withheld(case, "3 mm")["pw_angularity"] == "RV345"


def test_lordosis_makes_no_bulge():
    """Axes from the line through the centroids alone read 13 to 18 mm here."""
    scan = straight(*[Body()] * 5, lordosis=(14.0,) * 4).scan((1.0, 1.0, 3.0), region="body")
    values = measure_scan(scan, "CT").values
    assert values.pw_bulge_raw_mm.max() < 2.0
    assert values.pw_bulge_raw_mm.notna().all()
    assert (values.genant_grade == 0).all()


def test_concave_and_angled_endplates_are_told_apart():
    for spacing in ((1.0, 1.0, 1.0), (0.8, 0.8, 4.0)):
        shapes = [
            measure_scan(
                amid(Body(heights=(26.0, 18.0, 26.0), angled=angled), neighbours=2).scan(
                    spacing, region="body"
                ),
                "T1",
            ).values.ep_angularity.iloc[2]
            for angled in (False, True)
        ]
        assert shapes[0] < -0.4
        assert shapes[1] > 0.3


def test_scoliosis_rotation_and_tilt_leave_the_values():
    column = amid(
        Body(heights=(19.5, 22.7, 26.0)), neighbours=2, scoliosis=(9.0, -9.0, -9.0, 9.0), rotation=8, tilt=20
    )
    for region, slack in (("body", 1.3), ("vertebra", 1.6)):
        found = measure_scan(column.scan(region=region), "CT").values.iloc[2]
        assert found.ha_mm == pytest.approx(19.5, abs=slack)
        assert found.hp_mm == pytest.approx(26.0, abs=slack)
        assert found.loss_a == pytest.approx(0.25, abs=0.07)


def test_whole_vertebra_and_body_masks_agree():
    column = amid(CASES["wedge 30 %"][0], neighbours=2, lordosis=(8.0,) * 4)
    spines = [
        prepare_spine(column.scan(**how), "CT")
        for how in ({"region": "body"}, {"region": "vertebra"}, {"region": "vertebra", "give_body": True})
    ]
    for known, found in zip(spines[2].vertebrae, spines[1].vertebrae, strict=True):
        both = 2 * (known.body & found.body).sum() / (known.body.sum() + found.body.sum())
        assert both > 0.95
        assert found.body_source == "separated"
        assert not (found.body & found.posterior).any()
        assert (found.body | found.posterior).sum() == found.mask.sum()
    for label in spines[0].heights:
        for other in spines[1:]:
            assert other.heights[label] == pytest.approx(spines[0].heights[label], abs=1.2)


def test_one_vertebra_alone_has_heights_but_no_losses():
    found = measure_scan(straight(Body(heights=(20.0, 22.0, 26.0)), tilt=25).scan(), "CT")
    row = found.values.iloc[0]
    assert row.ha_mm == pytest.approx(20.0, abs=1.3)
    assert row.hp_mm == pytest.approx(26.0, abs=1.3)
    assert np.isnan(row.loss_a)
    assert found.absences.set_index("sign").code["loss_a"] == "RV333"


def test_partial_vertebrae_are_refused_or_flagged():
    scan = amid(Body(), neighbours=2).scan(region="body")
    cut = replace(scan, labels=scan.labels[:-26])
    found = measure_scan(cut, "CT")
    assert found.facts.frame.tolist() == ["none", "good", "good", "good", "good"]
    top = found.absences[found.absences.case_id == found.values.case_id[0]]
    assert set(top.code[top.sign.isin(["ha_mm", "lat_angle", "pw_bulge_mm"])]) == {"RV334"}
    assert found.values.loss_max.iloc[1:].notna().all()


def test_fragments_have_no_frame():
    scan = amid(Body(), neighbours=1).scan((2.0, 2.0, 2.0), region="body")
    labels = scan.labels.copy()
    labels[labels == 1] = 0
    labels[-12:-8, 20:26, 20:26] = 1
    found = measure_scan(replace(scan, labels=labels), "CT")
    assert found.facts.frame.tolist() == ["none", "good", "good"]
    assert found.absences.set_index(["case_id", "sign"]).code["phantom_L3", "ha_mm"] == "RV335"


@pytest.mark.parametrize("order", list(permutations(range(3))))
def test_the_48_orientations_give_one_canonical_scan(order):
    """Arrays come back to the same voxels, so that every sign is the same to the last bit."""
    rng = np.random.default_rng(3)
    array = rng.integers(0, 9, (7, 8, 9)).astype(np.uint8)
    image = sitk.GetImageFromArray(array)
    image.SetSpacing((0.5, 0.75, 3.0))
    for flips in product((False, True), repeat=3):
        turned = sitk.Flip(sitk.PermuteAxes(image, order), flips)
        geometry = Geometry.of(turned)
        assert (canonical(sitk.GetArrayFromImage(turned), geometry) == array).all()
        assert canonical_spacing(geometry) == (3.0, 0.75, 0.5)


def test_mirror_image_keeps_every_geometric_sign():
    column = amid(Body(heights=(20.0, 22.0, 26.0), lateral_deg=6.0), neighbours=1, scoliosis=(5.0, 3.0))
    scan = column.scan((1.5, 1.5, 1.5), region="body")
    mirrored = replace(scan, labels=np.ascontiguousarray(scan.labels[:, :, ::-1]))
    one, other = (measure_scan(each, "CT").values[GEOMETRY].to_numpy(float) for each in (scan, mirrored))
    np.testing.assert_allclose(one, other, atol=0.35)


def test_sub_voxel_shifts_change_little():
    column = amid(Body(heights=(19.0, 22.5, 26.0)), neighbours=1, tilt=7.0)
    found = [
        measure_scan(column.scan((1.0, 1.0, 3.0), shift=(s, s / 2, s), region="body"), "CT").values.iloc[1]
        for s in (0.0, 0.25, 0.5, 0.75)
    ]
    frame = pd.DataFrame(found)
    assert frame.ha_mm.std() < 0.5
    assert frame.hp_mm.std() < 0.5
    assert frame.loss_a.std() < 0.025


def test_partial_volume_masks_measure_like_sharp_ones():
    column = amid(Body(heights=(19.0, 22.5, 26.0)), neighbours=1, tilt=7.0)
    for samples in (1, 2):
        found = measure_scan(column.scan((2.0, 1.0, 1.0), samples=samples, region="body"), "CT").values.iloc[
            1
        ]
        assert found.ha_mm == pytest.approx(19.0, abs=tolerance("ha_mm", (2.0, 1.0, 1.0)))
        assert found.hp_mm == pytest.approx(26.0, abs=tolerance("hp_mm", (2.0, 1.0, 1.0)))


def test_a_frame_rotated_against_its_neighbours_is_doubtful_and_no_reference():
    column = amid(Body(), neighbours=2, lordosis=(6.0,) * 4)
    centre, axes = column.poses[1]
    turned = np.radians(35.0)
    about = np.array([[np.cos(turned), np.sin(turned), 0], [-np.sin(turned), np.cos(turned), 0], [0, 0, 1]])
    column.poses[1] = (centre, about @ axes)
    spine = prepare_spine(column.scan(give_body=True), "CT")
    flags = [vertebra.frame.quality.flags for vertebra in spine.vertebrae]
    assert [len(each) for each in flags] == [0, 1, 0, 0, 0]
    told = re.fullmatch(r"rotated by (\d+) degrees against the neighbours", flags[1][0])
    assert float(told[1]) == pytest.approx(35, abs=4)
    assert all(2 not in others for others in spine.references.values())


def test_a_column_that_is_rotated_as_a_whole_has_good_frames():
    column = amid(Body(), neighbours=2, lordosis=(6.0,) * 4, rotation=35.0)
    assert all(v.frame.quality.good for v in prepare_spine(column.scan(give_body=True), "CT").vertebrae)


@pytest.mark.parametrize("radius", [0.0, 8.0])
def test_a_loss_that_a_pit_may_explain_is_no_fracture_for_certain(radius: float):
    scan = amid(Body(), neighbours=2, lordosis=(6.0,) * 4).scan()
    frame = prepare_spine(scan, "CT").vertebrae[2].frame
    voxels = np.argwhere(scan.labels == 3)
    x, p, z = frame.to_local(voxels[:, ::-1].astype(float)).T
    hollow = (np.hypot(x, (frame.u(p) - 0.5) * frame.depth) < radius) & (z > z.max() - 8.0)
    labels = scan.labels.copy()
    labels[tuple(voxels[hollow].T)] = 0
    found = measure_scan(replace(scan, labels=labels), "CT")
    row = found.values.iloc[2]
    why = found.absences[found.absences["case_id"] == row["case_id"]]
    judged = ["genant_grade", "type_wedge", "type_biconcave", "type_crush"]
    assert row["n_fx"] == 0
    if not radius:
        assert (row[judged] == 0).all()
        return
    assert row["loss_m"] == pytest.approx(8 / 26, abs=0.04)
    assert max(row["loss_a"], row["loss_p"]) < 0.05
    reasons = why.set_index("sign").loc[judged]
    assert (reasons["code"] == "RV338").all()
    assert reasons["reason"].str.contains("may be all of the middle loss of 0.3").all()
