"""Coefficients of B-splines, and images resampled with them, have the bits of ITK."""

from __future__ import annotations

import numpy as np
import pytest
import SimpleITK as sitk

from radiomics_vert.extraction import spline
from radiomics_vert.extraction.grid import ResampledGrid

WHOLE = (slice(None), slice(None), slice(None))


def _image(shape: tuple[int, int, int], kind: type = np.int16) -> sitk.Image:
    values = np.random.default_rng(sum(shape)).normal(100, 400, shape)
    if np.issubdtype(kind, np.unsignedinteger):
        values = np.abs(values) % 255
    image = sitk.GetImageFromArray(values.astype(kind))
    image.SetSpacing((0.8, 0.9, 1.5))
    image.SetOrigin((-11.0, 7.0, 300.0))
    return image


@pytest.mark.parametrize("shape", [(1, 2, 3), (4, 17, 18), (19, 1, 40), (18, 2, 1), (60, 7, 21)])
def test_coefficients_have_the_bits_of_itk_for_lines_of_any_length(shape) -> None:
    image = _image(shape, np.float64)
    stock = sitk.GetArrayFromImage(sitk.BSplineDecomposition(image, 3))
    np.testing.assert_array_equal(spline.coefficients(sitk.GetArrayViewFromImage(image), WHOLE), stock)


def test_where_only_a_part_is_wanted_that_part_is_the_same() -> None:
    image = _image((20, 30, 40))
    part = (slice(3, 9), slice(10, 30), slice(0, 5))
    whole = sitk.GetArrayFromImage(sitk.BSplineDecomposition(sitk.Cast(image, sitk.sitkFloat64), 3))
    found = spline.coefficients(sitk.GetArrayViewFromImage(image), part)
    np.testing.assert_array_equal(found, whole[part])


def test_slabs_have_the_bits_of_the_whole(monkeypatch) -> None:
    image = _image((23, 30, 40), np.float64)
    monkeypatch.setattr(spline, "_SLAB_VOXELS", 30 * 40 * 5)
    stock = sitk.GetArrayFromImage(sitk.BSplineDecomposition(image, 3))
    np.testing.assert_array_equal(spline.coefficients(sitk.GetArrayViewFromImage(image), WHOLE), stock)


@pytest.mark.parametrize("kind", [np.int16, np.float32, np.float64])
def test_blocks_resampled_in_slabs_are_those_resampled_at_once(monkeypatch, kind: type) -> None:
    image = _image((70, 90, 110), kind)
    grid = _grid(image, (0.81, 0.91, 0.71))
    start, stop = np.array((3, 2, 5)), np.array((85, 80, 120))
    once = grid.image(start, stop)
    monkeypatch.setattr("radiomics_vert.extraction.grid._BLOCK_BYTES", 2 << 20)
    monkeypatch.setattr("radiomics_vert.extraction.grid._SLAB_BYTES", 1 << 18)
    parts, calls = [], []
    split, own = ResampledGrid._splines, ResampledGrid._beside
    monkeypatch.setattr(ResampledGrid, "_splines", lambda *given: parts.append(given) or split(*given))
    monkeypatch.setattr(ResampledGrid, "_beside", lambda *given: calls.append(given) or own(*given))
    slabs = grid.image(start, stop)
    assert len(parts) > 1
    assert len(calls) > 3 * len(parts)
    assert (slabs.GetOrigin(), slabs.GetSpacing(), slabs.GetDirection()) == (
        once.GetOrigin(), once.GetSpacing(), once.GetDirection()
    )  # fmt: skip
    ours, whole = sitk.GetArrayFromImage(slabs), sitk.GetArrayFromImage(once)
    close = 1e-12 * np.abs(whole).max() if kind is np.float64 else 0
    np.testing.assert_allclose(ours, whole, rtol=0, atol=close)


@pytest.mark.parametrize("kind", [np.uint8, np.int16, np.uint16, np.int32, np.float32, np.float64])
@pytest.mark.parametrize("spacing", [(1.0, 1.0, 1.0), (0.37, 2.1, 1.5)])
def test_resampled_blocks_are_those_of_itks_own_spline(monkeypatch, kind: type, spacing) -> None:
    image = _image((70, 90, 110), kind)
    labels = sitk.Image(image.GetSize(), sitk.sitkUInt8)
    labels.CopyInformation(image)
    grid = ResampledGrid(image, labels, 1, (40, 60, 0, 30, 50, 70), np.array(spacing), 5, "sitkBSpline")
    start, stop = grid.frame
    assert spline.same_bits()
    calls = []
    own = spline.coefficients
    monkeypatch.setattr(spline, "coefficients", lambda *given: calls.append(given) or own(*given))
    ours = sitk.GetArrayFromImage(grid.image(start, stop))
    assert len(calls) == 1
    monkeypatch.setattr(spline, "same_bits", lambda: False)
    again = ResampledGrid(image, labels, 1, grid.box, np.array(spacing), 5, "sitkBSpline")
    stock = sitk.GetArrayFromImage(again.image(start, stop))
    assert len(calls) == 1
    assert ours.dtype == stock.dtype
    assert np.ptp(stock) > 0
    # The block of coefficients has another origin, so that places round otherwise in the last digit.
    close = 1e-12 * np.abs(stock).max() if stock.dtype == np.float64 else 0
    np.testing.assert_allclose(ours, stock, rtol=0, atol=close)


def test_this_machine_has_the_bits() -> None:
    assert spline.same_bits()


def _grid(image: sitk.Image, spacing=(1.0, 1.0, 1.0)) -> ResampledGrid:
    labels = np.zeros(image.GetSize()[::-1], np.uint8)
    labels[30:45, 35:60, 40:70] = 1
    region = sitk.GetImageFromArray(labels)
    region.CopyInformation(image)
    return ResampledGrid(image, region, 1, (40, 70, 35, 60, 30, 45), np.array(spacing), 5, "sitkBSpline")


def _region(grid: ResampledGrid) -> tuple[np.ndarray, np.ndarray]:
    """Return the region's box, as it is handed out, and as pyradiomics resamples it: cut out of its frame."""
    mask, start = grid.mask()
    stop = start + mask.shape[::-1]
    whole = sitk.GetArrayFromImage(grid._loaded)
    (x, y, z), (right, far, top) = start - grid.frame[0], stop - grid.frame[0]
    return sitk.GetArrayFromImage(grid.image(start, stop)), whole[z:top, y:far, x:right]


@pytest.mark.parametrize("kind", [np.int16, np.int32])
@pytest.mark.parametrize("spacing", [(1.0, 1.0, 1.0), (0.37, 2.1, 1.5), (0.81, 0.91, 1.51)])
def test_the_box_of_a_region_is_resampled_alone_to_the_same_whole_numbers(kind: type, spacing) -> None:
    image = _image((70, 90, 110), kind)
    grid = _grid(image, spacing)
    assert grid._tight is not None
    found, expected = _region(grid)
    assert found.dtype == expected.dtype == kind
    np.testing.assert_array_equal(found, expected)


def test_where_the_last_digit_decides_the_whole_frame_is_resampled() -> None:
    """The spline of a constant is that constant but for rounding, and its fraction is cut off."""
    image = sitk.GetImageFromArray(np.full((70, 90, 110), 137, np.int16))
    image.SetSpacing((0.8, 0.9, 1.5))
    grid = _grid(image)
    assert grid._tight is None
    found, expected = _region(grid)
    np.testing.assert_array_equal(found, expected)


def test_values_beyond_the_number_type_are_left_to_itk() -> None:
    """A spline overshoots: beside the largest number of the type it would need a larger one."""
    values = np.random.default_rng(5).choice([0, 255], (70, 90, 110)).astype(np.uint8)
    image = sitk.GetImageFromArray(values)
    image.SetSpacing((0.8, 0.9, 1.5))
    grid = _grid(image)
    assert grid._tight is None
    np.testing.assert_array_equal(*_region(grid))


@pytest.mark.parametrize("kind", [np.float32, np.float64])
def test_fractions_are_resampled_with_their_frame(kind: type) -> None:
    assert _grid(_image((70, 90, 110), kind))._tight is None
