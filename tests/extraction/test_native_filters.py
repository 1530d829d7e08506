"""Filtered images of the native engine have the bits of those that pyradiomics makes."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import SimpleITK as sitk
from radiomics import imageoperations

from radiomics_vert.extraction.native.images import log_image, same_bits, wavelet_images

SHAPE = (23, 24, 26)


def _volume(kind: Any) -> np.ndarray:
    return np.random.default_rng(1).normal(100, 300, SHAPE).astype(kind)


def _image(volume: np.ndarray, spacing: tuple[float, ...] = (1.0, 1.0, 1.0)) -> sitk.Image:
    image = sitk.GetImageFromArray(volume)
    image.SetSpacing(spacing)
    return image


def test_this_machine_has_the_same_bits() -> None:
    assert same_bits()


@pytest.mark.parametrize("kind", [np.uint8, np.int16, np.float32, np.float64])
@pytest.mark.parametrize("sigma", [0.4, 1.0, 2.5])
def test_laplacian_of_gaussian(kind: Any, sigma: float) -> None:
    volume, spacing = _volume(kind), (0.7, 0.9, 2.0)
    kept = (slice(0, 9), slice(10, 24), slice(4, 12))
    ((stock, name, _),) = imageoperations.getLoGImage(_image(volume, spacing), None, sigma=[sigma])
    ((own_name, own),) = log_image(volume, np.array(spacing[::-1]), kept, {"sigma": [sigma]})
    assert own_name == name
    np.testing.assert_array_equal(own, sitk.GetArrayViewFromImage(stock)[kept])


def test_no_laplacian_of_gaussian_of_a_thin_block() -> None:
    volume = np.zeros((3, 9, 8))
    kept = (slice(0, 3), slice(0, 9), slice(0, 8))
    assert list(log_image(volume, np.ones(3), kept, {"sigma": [1.0]})) == []
    assert list(log_image(np.zeros((9, 9, 9)), np.ones(3), kept, {"sigma": [9.0]})) == []


@pytest.mark.parametrize("kind", [np.int16, np.float32, np.float64])
@pytest.mark.parametrize(
    ("wavelet", "start_level", "level", "flat"),
    [
        ("coif1", 0, 1, None),
        ("haar", 0, 3, None),
        ("db2", 1, 2, None),
        ("coif1", 0, 1, 1),
        ("bior1.3", 0, 1, 0),
    ],
)
def test_wavelets(kind: Any, wavelet: str, start_level: int, level: int, flat: int | None) -> None:
    settings = {"wavelet": wavelet, "start_level": start_level, "level": level}
    settings |= {"force2D": flat is not None, "force2Ddimension": flat}
    volume = _volume(kind)[:22]
    kept = [slice(9, 13), slice(9, 14), slice(9, 16)]
    if flat is not None:
        kept[flat] = slice(0, volume.shape[flat])
    part = (kept[0], kept[1], kept[2])
    stock = {
        name: image for image, name, _ in imageoperations.getWaveletImage(_image(volume), None, **settings)
    }
    ours = dict(wavelet_images(volume, part, settings))
    assert list(ours) == list(stock)
    for name, image in stock.items():
        np.testing.assert_array_equal(ours[name], sitk.GetArrayViewFromImage(image)[part], err_msg=name)
