"""Preprocessing on phantoms whose answer is known beforehand."""

from __future__ import annotations

from itertools import permutations, product

import numpy as np
import pytest
import SimpleITK as sitk

from radiomics_vert.imaging import Geometry
from radiomics_vert.imaging.preprocessing import (
    MAD_TO_SD,
    AffineMap,
    Orientation,
    bright_voxels,
    correct_bias,
    gas_volume_ml,
    level_trend,
    robust_spread,
    slice_axis,
    standard_spread,
    without_position,
)
from radiomics_vert.imaging.preprocessing.bias import shrink_factors

ORDERS = [(axes, flips) for axes in permutations(range(3)) for flips in product((False, True), repeat=3)]


def _image(array: np.ndarray, spacing: tuple[float, ...] = (1.1, 1.3, 3.9)) -> sitk.Image:
    image = sitk.GetImageFromArray(array)
    image.SetSpacing(spacing)
    image.SetOrigin((5.0, -7.0, 11.0))
    return image


def _stored(image: sitk.Image, axes: tuple[int, ...], flips: tuple[bool, ...]) -> sitk.Image:
    return sitk.Flip(sitk.PermuteAxes(image, list(axes)), list(flips))


@pytest.mark.parametrize(("axes", "flips"), ORDERS)
def test_every_voxel_order_comes_back_to_the_same_image(
    axes: tuple[int, ...], flips: tuple[bool, ...]
) -> None:
    voxels = np.arange(7 * 8 * 9, dtype=np.int16).reshape(7, 8, 9)
    original = _image(voxels)
    stored = _stored(original, axes, flips)
    orientation = Orientation.of(Geometry.of(stored))
    turned = orientation.apply(stored)
    assert np.array_equal(sitk.GetArrayFromImage(turned), voxels)
    assert Geometry.of(turned).matches(Geometry.of(original), 1e-9)
    assert orientation.spacing(stored.GetSpacing()) == pytest.approx((1.1, 1.3, 3.9))
    assert np.array_equal(sitk.GetArrayFromImage(sitk.DICOMOrient(stored, "LPS")), voxels)
    back = orientation.inverse().apply(turned)
    assert np.array_equal(sitk.GetArrayFromImage(back), sitk.GetArrayFromImage(stored))
    assert Geometry.of(back).matches(Geometry.of(stored), 1e-9)


@pytest.mark.parametrize("kind", [np.uint8, np.int16, np.float64])
def test_voxels_and_grid_are_to_the_bit_those_of_simpleitk(kind: type) -> None:
    # More slices than are moved at a time along each axis, and an oblique grid far from the origin.
    image = _image(np.random.default_rng(3).integers(0, 200, (35, 18, 37)).astype(kind), (0.7, 1.1, 2.3))
    c, s = np.cos(0.13), np.sin(0.13)
    image.SetOrigin((-103.37, 22.91, 1003.173))
    image.SetDirection((c, -s, 0, s, c, 0, 0, 0, 1))
    for axes, flips in ORDERS:
        found, expected = Orientation(axes, flips).apply(image), _stored(image, axes, flips)
        assert found.GetPixelID() == expected.GetPixelID()
        assert np.array_equal(sitk.GetArrayFromImage(found), sitk.GetArrayFromImage(expected))
        assert Geometry.of(found) == Geometry.of(expected)


@pytest.mark.parametrize(("axes", "flips"), ORDERS[::5])
def test_boxes_follow_the_voxels(axes: tuple[int, ...], flips: tuple[bool, ...]) -> None:
    mask = np.zeros((7, 8, 9), np.uint8)
    mask[1:3, 4:8, 2:5] = 1
    stored = _stored(_image(mask), axes, flips)
    z, y, x = (
        np.flatnonzero(sitk.GetArrayFromImage(stored).any(axis=other)) for other in ((1, 2), (0, 2), (0, 1))
    )
    box = (x[0], x[-1] + 1, y[0], y[-1] + 1, z[0], z[-1] + 1)
    orientation = Orientation.of(Geometry.of(stored))
    assert orientation.box(box, stored.GetSize()) == (2, 5, 4, 8, 1, 3)


def test_an_oblique_image_is_not_interpolated() -> None:
    image = _image(np.arange(504, dtype=np.int16).reshape(7, 8, 9))
    c, s = np.cos(0.4), np.sin(0.4)
    image.SetDirection((c, -s, 0, s, c, 0, 0, 0, -1))
    orientation = Orientation.of(Geometry.of(image))
    assert (orientation.axes, orientation.flipped) == ((0, 1, 2), (False, False, True))
    placed = without_position(orientation.apply(image))
    assert placed.GetOrigin() == (0, 0, 0)
    assert placed.GetDirection() == (1, 0, 0, 0, 1, 0, 0, 0, 1)
    assert image.GetOrigin() == (5.0, -7.0, 11.0)


@pytest.mark.parametrize(
    ("spacing", "axis"),
    [
        ((0.6, 4.4, 0.6), 1),
        ((0.5, 0.5, 0.5), None),
        ((3.0, 3.0, 0.5), None),
        ((1.0, 1.0, 1.09), None),
        ((1.0, 1.0, 1.1), 2),
    ],
)
def test_slice_axis_with_ties_and_almost_equal_spacings(spacing: tuple[float, ...], axis: int | None) -> None:
    assert slice_axis(spacing) == axis


def test_a_known_bias_field_is_removed() -> None:
    rng = np.random.default_rng(5)
    z, y, x = np.indices((12, 32, 28), dtype=float)
    body = ((y - 16) / 14) ** 2 + ((x - 14) / 12) ** 2 < 1
    tissue = np.where((x - 14) ** 2 + (y - 18) ** 2 < 26, 260.0, 180.0)
    clean = np.where(body, tissue + rng.normal(0, 4, body.shape), rng.uniform(0, 8, body.shape))
    field = np.exp(0.5 * (y - 16) / 16 + 0.2 * (z - 6) / 6)
    image = _image((clean * field).astype(np.float32), (6.0, 6.0, 8.0))
    corrected = correct_bias(image)
    found = sitk.GetArrayFromImage(corrected.image) / np.maximum(clean, 1)

    def unevenness(ratio: np.ndarray) -> float:
        inside = ratio[body]
        return float(inside.std() / inside.mean())

    assert unevenness(field) > 0.2
    assert unevenness(found) < 0.03
    assert corrected.field_low < 0.75
    assert corrected.field_high > 1.3
    again = correct_bias(image)
    assert np.array_equal(sitk.GetArrayFromImage(again.image), sitk.GetArrayFromImage(corrected.image))
    assert corrected.image.GetSpacing() == image.GetSpacing()
    # Overall brightness stays: the geometric mean over the foreground is that of the input.
    before, after = clean[body] * field[body], sitk.GetArrayFromImage(corrected.image)[body]
    assert np.log(after).mean() == pytest.approx(np.log(before).mean(), abs=0.02)


def test_bias_correction_leaves_an_even_image_almost_alone() -> None:
    rng = np.random.default_rng(6)
    _, y, x = np.indices((16, 32, 28))
    body = ((y - 16) / 14) ** 2 + ((x - 14) / 12) ** 2 < 1
    clean = np.where(body, 200 + rng.normal(0, 5, body.shape), 2.0).astype(np.float32)
    corrected = correct_bias(_image(clean, (4.0, 4.0, 4.0)))
    ratio = sitk.GetArrayFromImage(corrected.image)[body] / clean[body]
    assert np.abs(ratio - 1).max() < 0.02


@pytest.mark.parametrize("value", [0, 7, -3])
def test_no_foreground_is_refused(value: int) -> None:
    with pytest.raises(ValueError, match="no foreground"):
        correct_bias(_image(np.full((9, 10, 11), value, np.int16)))


def test_shrinking_leaves_few_and_thick_slices_alone() -> None:
    assert shrink_factors((15, 384, 384), (4.4, 0.75, 0.75), 4.0) == [1, 5, 5]
    assert shrink_factors((9, 20, 400), (1.0, 1.0, 1.0), 4.0) == [1, 2, 4]


def test_reference_statistics_of_a_normal_distribution() -> None:
    values = np.random.default_rng(1).normal(300, 20, 200_000)
    spread = robust_spread(values)
    assert spread.centre == pytest.approx(300, abs=0.3)
    assert spread.width == pytest.approx(20, rel=0.01)
    spoilt = np.concatenate([values, np.full(20_000, 5000.0)])
    assert robust_spread(spoilt).width == pytest.approx(20, rel=0.15)
    assert standard_spread(spoilt).width > 1000
    assert standard_spread(np.array([1, 2, 3, 4])).width == pytest.approx(np.sqrt(1.25))


def test_spread_of_nothing_and_of_one_value_is_unusable() -> None:
    assert not robust_spread(np.array([])).usable
    assert not standard_spread(np.array([])).usable
    assert not robust_spread(np.full(9, 4)).usable


def test_affine_map_of_an_image_keeps_its_grid() -> None:
    image = _image(np.arange(504, dtype=np.int16).reshape(7, 8, 9))
    mapped = AffineMap(100.0, 50.0).apply(image)
    assert mapped.GetPixelID() == sitk.sitkFloat32
    assert Geometry.of(mapped) == Geometry.of(image)
    assert sitk.GetArrayFromImage(mapped)[0, 0, 0] == -2.0


def test_a_known_trend_over_the_levels_is_found_and_one_odd_vertebra_does_not_bend_it() -> None:
    rng = np.random.default_rng(2)
    positions = [10.0, 11.0, 12.0, 13.0, 16.0]
    voxels = [rng.normal(400 + 12 * place, 30, 4000) for place in positions]
    trend = level_trend(positions, voxels)
    assert trend.slope == pytest.approx(12, abs=1)
    assert trend.at(14.0, reach=3).centre == pytest.approx(400 + 12 * 14, abs=4)
    # Detrended: the spread of one vertebra, not that of the levels together.
    assert trend.width == pytest.approx(30, rel=0.03)
    assert robust_spread(np.concatenate(voxels)).width > 33
    voxels[2] = voxels[2] + 400
    assert level_trend(positions, voxels).slope == pytest.approx(12, abs=4)
    assert (trend.vertebrae, trend.voxels) == (5, 20_000)


def test_the_trend_is_not_followed_for_ever() -> None:
    trend = level_trend([5, 6, 7], [np.array([9.0, 10, 11]) + 10 * k for k in range(3)])
    assert trend.slope == 10
    assert trend.at(9, reach=3).centre == trend.at(10, reach=3).centre - 10
    assert trend.at(23, reach=3).centre == trend.at(10, reach=3).centre == 60
    assert trend.at(None, reach=3).centre == trend.at(6, reach=3).centre


@pytest.mark.parametrize("positions", [[1.0, 2.0], [None, None, None], [4.0, None, 6.0], [3.0, 3.0, 3.0]])
def test_without_three_named_levels_there_is_no_slope(positions: list[float | None]) -> None:
    voxels = [np.array([1.0, 2, 3]) * (k + 1) for k in range(len(positions))]
    assert level_trend(positions, voxels).slope == 0


def test_a_metal_sphere_and_its_margin_have_the_right_volume() -> None:
    spacing = (0.3, 0.4, 0.6)
    z, y, x = np.indices((34, 50, 67)) * np.array(spacing[::-1])[:, None, None, None]
    distance = np.sqrt((x - 10) ** 2 + (y - 10) ** 2 + (z - 10) ** 2)
    voxels = np.where(distance < 6, 2500, 150)
    found = bright_voxels(voxels, spacing, above=1500, margin_mm=3)
    volume = found.sum() * np.prod(spacing)
    # A sphere of 9 mm, less a fraction of a voxel by which the outermost bright centres stay inside 6 mm.
    assert volume == pytest.approx(4 / 3 * np.pi * 9**3, rel=0.05)
    assert not found[distance > 9].any()
    assert bright_voxels(voxels, spacing, 1500, 0).sum() == (voxels > 1500).sum()


def test_the_margin_is_in_millimetres_along_every_axis() -> None:
    voxels = np.zeros((9, 15, 15))
    voxels[4, 7, 7] = 2000
    found = bright_voxels(voxels, (0.5, 1.0, 3.0), 1500, 3.0)
    assert np.flatnonzero(found[4, 7]).tolist() == list(range(1, 14))
    assert np.flatnonzero(found[4, :, 7]).tolist() == list(range(4, 11))
    assert np.flatnonzero(found[:, 7, 7]).tolist() == [3, 4, 5]
    assert not bright_voxels(np.full((3, 3, 3), 1500), (1, 1, 1), 1500, 3.0).any()


def test_gas_counts_inside_the_vertebra_only() -> None:
    spacing = (0.5, 0.5, 2.0)
    voxels, region = np.full((12, 40, 40), 200), np.zeros((12, 40, 40), bool)
    region[2:10, 5:35, 5:35] = True
    voxels[5:7, 10:20, 10:20] = -600
    voxels[:, :, 33:] = -900  # air that the outline just includes
    voxels[4, 30, 30] = -200  # not below the limit
    found = gas_volume_ml(voxels, region, spacing, below=-200, erosion_mm=1.0)
    assert found == pytest.approx(200 * 0.5 / 1000)
    assert gas_volume_ml(voxels, region, spacing, -200, 0.0) > found


def test_what_lies_beyond_the_block_is_outside() -> None:
    voxels = np.full((5, 5, 5), -500)
    found = gas_volume_ml(voxels, np.ones((5, 5, 5), bool), (1.0, 1.0, 1.0), -200, erosion_mm=1.0)
    assert found == pytest.approx(27 / 1000)


def test_the_scale_of_the_median_absolute_deviation() -> None:
    from scipy.stats import norm

    assert pytest.approx(1 / norm.ppf(0.75), rel=1e-12) == MAD_TO_SD
