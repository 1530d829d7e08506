"""Perturbed masks: what changes by hand, what must not change, and what fixes the random contour."""

from __future__ import annotations

import numpy as np
import pytest
import SimpleITK as sitk
from imaging_grids import on_grid
from scipy import ndimage

from radiomics_vert.errors import SettingsError
from radiomics_vert.imaging import DEFAULT_PERTURBATIONS, LabelMap, Perturbation, perturb

CASES = {5: "a", 9: "b"}


def cuboid() -> np.ndarray:
    """A block of 4 x 6 x 8 voxels (z, y, x) in a grid of unequal sides."""
    array = np.zeros((14, 17, 20), np.uint16)
    array[5:9, 5:11, 6:14] = 5
    return array


def ellipsoid(shape: tuple[int, int, int] = (44, 52, 60), spacing=(1.0, 1.0, 1.0)) -> LabelMap:
    """A rounded body that touches nothing."""
    grid = np.indices(shape)
    centre = np.array(shape) / 2 - 0.5
    radii = np.array(shape) * 0.35
    inside = sum(((g - c) / r) ** 2 for g, c, r in zip(grid, centre, radii, strict=True)) < 1
    volume = sitk.GetImageFromArray((inside * 9).astype(np.uint8))
    volume.SetSpacing(spacing[::-1])
    return LabelMap(volume)


def dice(first: np.ndarray, second: np.ndarray) -> float:
    return 2 * (first & second).sum() / (first.sum() + second.sum())


@pytest.mark.parametrize(
    ("axis", "grown", "shrunk"),
    [
        # Slices across z: each slice of 6 x 8 gains a row on four sides, without corners.
        (2, 4 * (6 * 8 + 2 * 6 + 2 * 8), 4 * 4 * 6),
        (1, 6 * (4 * 8 + 2 * 4 + 2 * 8), 6 * 2 * 6),
        (0, 8 * (4 * 6 + 2 * 4 + 2 * 6), 8 * 2 * 4),
    ],
)
def test_growing_and_shrinking_stay_in_the_slice(axis: int, grown: int, shrunk: int):
    before = LabelMap(on_grid(cuboid()))
    larger = perturb(before, "grow1", CASES, axis=axis)
    smaller = perturb(before, "shrink1", CASES, axis=axis)
    assert (larger.array() == 5).sum() == grown
    assert (smaller.array() == 5).sum() == shrunk
    assert larger.geometry == before.geometry
    assert larger.array().dtype == np.uint16
    extent = ndimage.find_objects((larger.array() == 5).astype(int))[0][2 - axis]
    assert (extent.start, extent.stop) == [(6, 14), (5, 11), (5, 9)][axis]


def test_the_slice_axis_is_the_one_with_the_largest_spacing():
    # on_grid has 3 mm between slices along z.
    before = LabelMap(on_grid(cuboid()))
    assert np.array_equal(
        perturb(before, "grow1", CASES).array(), perturb(before, "grow1", CASES, axis=2).array()
    )
    sagittal = ellipsoid(spacing=(1.0, 1.0, 4.0))
    grown = perturb(sagittal, "grow1", CASES).array()
    assert np.array_equal(grown, perturb(sagittal, "grow1", CASES, axis=0).array())


def test_the_edge_of_the_grid_is_no_contour():
    array = np.zeros((6, 9, 10), np.uint8)
    array[:, 0:4, :] = 5
    before = LabelMap(sitk.GetImageFromArray(array))
    smaller = perturb(before, "shrink1", CASES).array()
    assert np.array_equal(smaller == 5, np.broadcast_to(np.arange(9)[None, :, None] < 3, array.shape))
    # A region that is cut off by the grid continues beyond it: a shift does not open a gap.
    moved = perturb(before, "shift+1", CASES).array()
    assert np.array_equal(moved == 5, np.broadcast_to(np.arange(9)[None, :, None] < 5, array.shape))


@pytest.mark.parametrize(("voxels", "moved"), [(1, 1), (0.5, 1), (0.4, 0), (-0.5, -1), (-1, -1)])
def test_a_shift_moves_flat_faces_by_whole_voxels_and_keeps_the_volume(voxels: float, moved: int):
    shifted = perturb(LabelMap(on_grid(cuboid())), f"shift{voxels:+g}", CASES).array()
    core = (slice(6, 8), slice(6, 10), slice(7, 13))
    assert (shifted[core] == 5).all()
    rows = np.flatnonzero(shifted[7, 8] == 5)
    assert (rows[0], rows[-1]) == (6 + moved, 13 + moved)


def test_a_shift_by_half_a_voxel_moves_a_round_body_by_about_half_a_voxel():
    before = ellipsoid()
    after = perturb(before, "shift+0.5", CASES).array() == 9
    moved = np.subtract(ndimage.center_of_mass(after), ndimage.center_of_mass(before.array() == 9))
    assert moved == pytest.approx([0.5] * 3, abs=0.2)
    assert after.sum() == pytest.approx((before.array() == 9).sum(), rel=0.01)


def test_a_quarter_turn_swaps_the_sides_in_the_plane():
    # Spacing 0.5 and 1.25 mm: 8 x 6 voxels are 4 x 7.5 mm. Turned, the voxel centres within 3.75 mm of
    # the centroid along x lie at 0.25, 0.75, ..., 3.25 mm on both sides, along y at 0.625 and 1.875 mm.
    before = LabelMap(on_grid(np.pad(cuboid(), 8)))
    turned = perturb(before, "rotate+90", CASES, axis=2).array() == 5
    z, y, x = (axis.stop - axis.start for axis in ndimage.find_objects(turned.astype(int))[0])
    assert (z, y, x) == (4, 4, 14)


@pytest.mark.parametrize(("axis", "before", "after"), [(2, 2, 1), (1, 2, 0), (0, 1, 0)])
def test_a_positive_angle_turns_x_towards_y_and_y_towards_z(axis: int, before: int, after: int):
    # A hammer: a handle along one axis (in the order z, y, x) and a head at its upper end.
    array = np.zeros((31, 31, 31), np.uint8)
    handle: list[int | slice] = [slice(14, 17)] * 3
    handle[before] = slice(8, 25)
    head: list[int | slice] = [slice(12, 19)] * 3
    head[before] = slice(19, 26)
    array[tuple(handle)] = array[tuple(head)] = 5
    flat = LabelMap(sitk.GetImageFromArray(array))
    centre = np.array(ndimage.center_of_mass(array))
    turned = np.argwhere(perturb(flat, "rotate+90", CASES, axis=axis).array() == 5) - centre
    # The heavy head stays near the centroid, now on the upper side of the other axis.
    assert 4 < turned[:, after].max() < 8
    assert -13 < turned[:, after].min() < -10
    assert np.abs(turned[:, before]).max() < 4


def test_two_degrees_move_the_rim_and_turning_back_restores_the_body():
    before = ellipsoid(spacing=(2.0, 1.0, 1.0))
    turned = perturb(before, "rotate+2", CASES)
    assert 0.97 < dice(turned.array() == 9, before.array() == 9) < 1
    back = perturb(turned, "rotate-2", CASES)
    assert dice(back.array() == 9, before.array() == 9) > 0.995
    assert (turned.array() == 9).sum() == pytest.approx((before.array() == 9).sum(), rel=0.01)
    assert ndimage.center_of_mass(turned.array() == 9) == pytest.approx(
        ndimage.center_of_mass(before.array() == 9), abs=0.05
    )


def test_a_random_contour_keeps_volume_and_core_and_moves_the_rim():
    before = ellipsoid(spacing=(3.0, 1.0, 1.0))
    inside = before.array() == 9
    reach = 2 * (27 * 3.0) ** (1 / 3)  # two supervoxels of 27 voxels, in millimetres
    core, outside = (ndimage.distance_transform_edt(part, (3.0, 1.0, 1.0)) for part in (inside, ~inside))
    sizes, overlaps = [], []
    for repeat in range(1, 9):
        after = perturb(before, f"contour{repeat}", CASES).array() == 9
        sizes.append(after.sum() / inside.sum())
        overlaps.append(dice(after, inside))
        assert after[core > reach].all()
        assert not after[outside > reach].any()
    assert np.mean(sizes) == pytest.approx(1, abs=0.02)
    assert 0.85 < min(overlaps) <= max(overlaps) < 0.97
    assert len(set(sizes)) > 4


def test_random_contours_depend_on_seed_case_and_repeat_alone():
    both = np.zeros((40, 44, 90), np.uint8)
    one = ellipsoid((40, 44, 44)).array()
    both[:, :, :44] = one
    both[:, :, 46:] = (one == 9) * 5
    together = perturb(LabelMap(sitk.GetImageFromArray(both)), "contour1", CASES).array()
    alone = perturb(LabelMap(sitk.GetImageFromArray(both * (both == 9))), "contour1", {9: "b"}).array()
    assert np.array_equal(together == 9, alone == 9)
    volume = LabelMap(sitk.GetImageFromArray(both))
    others = [
        perturb(volume, "contour2", CASES),
        perturb(volume, "contour1", CASES, seed=1),
        perturb(volume, "contour1", {5: "a", 9: "c"}),
    ]
    for other in others:
        assert not np.array_equal(other.array() == 9, together == 9)


@pytest.mark.parametrize("name", [name for name in DEFAULT_PERTURBATIONS if name != "original"])
def test_neighbours_and_other_labels_keep_their_voxels(name: str):
    array = np.zeros((14, 24, 70), np.uint8)
    array[4:10, 4:12, 4:66] = 5
    array[4:10, 12:20, 4:66] = 9
    array[10:12, 4:20, 4:66] = 77
    before = array.copy()
    volume = sitk.GetImageFromArray(array)
    after = perturb(LabelMap(volume), name, CASES).array()
    assert (after[before == 77] == 77).all()
    assert ((after == 77) == (before == 77)).all()
    assert not (after[before == 9] == 5).any()
    assert not (after[before == 5] == 9).any()
    assert (after != before).any()
    assert np.array_equal(sitk.GetArrayFromImage(volume), before)


def test_a_gap_that_two_labels_grow_into_goes_to_the_first():
    array = np.zeros((3, 12, 13), np.uint8)
    array[:, 2:5, 3:10] = 9
    array[:, 6:9, 3:10] = 5
    after = perturb(LabelMap(sitk.GetImageFromArray(array)), "grow1", CASES).array()
    assert (after[:, 5, 3:10] == 5).all()
    assert (after == 5).sum() == 3 * (21 + 2 * 7 + 2 * 3)
    assert (after == 9).sum() == 3 * (21 + 7 + 2 * 3)


def test_a_thin_label_vanishes_and_an_absent_one_is_passed_over():
    array = np.zeros((5, 9, 10), np.uint8)
    array[2, 4, 2:8] = 5
    after = perturb(LabelMap(sitk.GetImageFromArray(array)), "shrink1", CASES).array()
    assert not after.any()


def test_the_original_is_the_map_itself():
    before = LabelMap(on_grid(cuboid()))
    assert perturb(before, "original", CASES) is before


def test_names_are_read_exactly():
    assert Perturbation.parse("shift-0.25") == Perturbation("shift-0.25", "shift", -0.25)
    assert Perturbation.parse("grow2").amount == 2.0
    for wrong in ("rotate2", "grow", "grow0", "grow+1", "shift+", "contour", "Original", "rotate+2deg"):
        with pytest.raises(SettingsError, match="RV602"):
            Perturbation.parse(wrong)
