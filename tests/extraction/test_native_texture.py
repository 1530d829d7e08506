"""First-order and texture features of the native engine equal pyradiomics', relative 1e-8."""

from __future__ import annotations

import re
from typing import Any

import native_oracle as oracle
import numpy as np
import pytest
import SimpleITK as sitk
from hypothesis import given

from radiomics_vert.extraction import features as reference
from radiomics_vert.extraction.features import quiet
from radiomics_vert.extraction.native.texture import discretise, texture_features


def ours(
    name: str, image: np.ndarray, mask: np.ndarray, spacing: np.ndarray, settings: dict[str, Any]
) -> dict[str, float]:
    with quiet():
        levels = discretise(image, mask, settings)
        return texture_features("original", levels, spacing, {name: ()}, settings)


def no_neighbours(name: str, shape: tuple[int, ...], settings: dict[str, Any]) -> bool:
    """Tell whether pyradiomics refuses, now and then with a crash in its C code."""
    near = name in ("glrlm", "glszm")
    flat = settings["force2Ddimension"] if settings["force2D"] else None
    lengths = [n - 1 for axis, n in enumerate(shape) if axis != flat]
    return name != "firstorder" and max(lengths) < min([1] if near else settings["distances"])


DRAWN: dict[str, Any] = {
    "found": oracle.regions,
    "spacing": oracle.spacings,
    "settings": oracle.settings,
}


@pytest.mark.parametrize("name", oracle.TEXTURES)
@oracle.same_examples(80)
@given(**DRAWN)
def test_native_equals_pyradiomics(
    name: str, found: tuple[np.ndarray, np.ndarray], spacing: np.ndarray, settings: dict[str, Any]
) -> None:
    compare(name, found, spacing, settings)


@pytest.mark.slow
@pytest.mark.parametrize("name", oracle.TEXTURES)
@oracle.fresh_examples(400)
@given(**DRAWN)
def test_native_equals_pyradiomics_on_regions_that_nobody_has_seen(
    name: str, found: tuple[np.ndarray, np.ndarray], spacing: np.ndarray, settings: dict[str, Any]
) -> None:
    compare(name, found, spacing, settings)


def compare(
    name: str, found: tuple[np.ndarray, np.ndarray], spacing: np.ndarray, settings: dict[str, Any]
) -> None:
    image, mask = found
    if no_neighbours(name, mask.shape, settings):
        with pytest.raises(ValueError, match=r"no neighbours|Too many bins"):
            ours(name, image, mask, spacing, settings)
        return
    try:
        stock = oracle.stock_features(name, image, mask, spacing, settings)
    except ValueError as refusal:  # intensities so close that no bins fit between them
        with pytest.raises(ValueError, match=re.escape(str(refusal))):
            ours(name, image, mask, spacing, settings)
        return
    oracle.assert_equal(ours(name, image, mask, spacing, settings), stock)


@pytest.mark.parametrize("flat", [None, 0, 2])
@pytest.mark.parametrize("kind", ["full", "holes", "dust"])
@pytest.mark.parametrize("levels", [1, 2, 4])
@pytest.mark.parametrize("name", ["glcm", "glrlm", "glszm", "gldm", "ngtdm"])
def test_rows_of_many_voxels_and_runs_of_any_length(
    name: str, levels: int, kind: str, flat: int | None
) -> None:
    """Kernels work on 16 voxels of a row at once, and follow runs from their fourth voxel on."""
    image, mask = oracle.region(levels, (4, 5, 37), kind, 1)
    low, high = image[mask].min(), image[mask].max()
    image = np.floor((image - low) / (high - low + 1) * levels)
    settings: dict[str, Any] = {
        "binWidth": 1,
        "binCount": None,
        "distances": [1],
        "force2D": flat is not None,
    }
    settings |= {"force2Ddimension": flat or 0}
    spacing = np.array([2.0, 1.0, 0.7])
    stock = oracle.stock_features(name, image, mask, spacing, settings)
    oracle.assert_equal(ours(name, image, mask, spacing, settings), stock)


WEIGHTED: dict[str, Any] = {"binCount": 16, "weightingNorm": "euclidean"}


@pytest.mark.parametrize("seed", [1, 18, 23])
def test_weights_that_make_probabilities_smaller_than_epsilon(seed: int) -> None:
    """A step of 4 mm weighs exp(-16): the epsilon in pyradiomics' denominators then changes its MCC."""
    image, mask = oracle.region(seed, (7, 3, 8), "dust", 0)
    spacing = np.array([1.0, 1.0, 4.0])
    stock = oracle.stock_features("glcm", image, mask, spacing, WEIGHTED)
    oracle.assert_equal(ours("glcm", image, mask, spacing, WEIGHTED), stock)
    with quiet():
        binned = reference.discretise(image, mask, WEIGHTED)
        volumes = [sitk.GetImageFromArray(array) for array in (image, mask.astype(np.uint8))]
        for volume in volumes:
            volume.SetSpacing(spacing[::-1].tolist())
        cropped = reference.texture_features("original", *volumes, binned, {"glcm": ()}, WEIGHTED)
    oracle.assert_equal(cropped, stock)


@pytest.mark.parametrize("symmetric", [True, False])
@pytest.mark.parametrize("seed", [1, 7, 9, 15, 16, 23, 25])
def test_directions_about_which_rounding_decides(seed: int, symmetric: bool) -> None:
    """With independent pairs, Correlation and Imc2 depend on the order of the sums, a matter of layout."""
    image, mask = oracle.region(seed, (3, 4, 5), "ball", 0)
    settings = {"binCount": 3, "distances": [1, 3], "symmetricalGLCM": symmetric}
    stock = oracle.stock_features("glcm", image, mask, np.ones(3), settings)
    oracle.assert_equal(ours("glcm", image, mask, np.ones(3), settings), stock)


@pytest.mark.parametrize("seed", [1354, 1463, 1596])
def test_a_correlation_that_is_nothing_but_rounding_errors(seed: int) -> None:
    """Found by drawing at random: pairs that are nearly independent, under weights."""
    rng = np.random.default_rng(seed)
    shape = rng.integers(1, 4, 3) + np.arange(3)
    image, mask = rng.integers(1, 3, shape).astype(float), rng.random(shape) < 0.8
    box, spacing = oracle.tight_box(mask), rng.uniform(1, 4, 3)
    settings = {"binWidth": 1, "distances": [int(rng.integers(1, 3))], "symmetricalGLCM": False}
    settings |= {"weightingNorm": "manhattan"}
    stock = oracle.stock_features("glcm", image[box], mask[box], spacing, settings)
    assert abs(stock["original_glcm_Correlation"]) < 1e-6
    oracle.assert_equal(ours("glcm", image[box], mask[box], spacing, settings), stock)


@pytest.mark.parametrize("levels", [1, 2])
@pytest.mark.parametrize("norm", [None, "no_weighting"])
def test_no_two_voxels_in_any_direction(levels: int, norm: str | None) -> None:
    """pyradiomics keeps a single empty direction, and some of its sums over nothing are 0, not NaN."""
    mask = np.zeros((1, 1, 5), bool)
    mask[0, 0, [0, -1]] = True
    image = np.where(np.arange(5) < 2, 1.0, levels)[None, None]
    settings = {"binWidth": 1, "weightingNorm": norm, "distances": [1]}
    for name in oracle.TEXTURES:
        stock = oracle.stock_features(name, image, mask, np.ones(3), settings)
        oracle.assert_equal(ours(name, image, mask, np.ones(3), settings), stock)
