"""Shape features of the native engine equal pyradiomics', relative 1e-8."""

from __future__ import annotations

import native_oracle as oracle
import numpy as np
import pytest
from hypothesis import given

from radiomics_vert.extraction.features import quiet
from radiomics_vert.extraction.native.shape import shape_features


@oracle.same_examples(150)
@given(found=oracle.regions, spacing=oracle.spacings)
def test_native_equals_pyradiomics(found: tuple[np.ndarray, np.ndarray], spacing: np.ndarray) -> None:
    compare(found, spacing)


@pytest.mark.slow
@oracle.fresh_examples(500)
@given(found=oracle.regions, spacing=oracle.spacings)
def test_native_equals_pyradiomics_on_regions_that_nobody_has_seen(
    found: tuple[np.ndarray, np.ndarray], spacing: np.ndarray
) -> None:
    compare(found, spacing)


def compare(found: tuple[np.ndarray, np.ndarray], spacing: np.ndarray) -> None:
    _, mask = found
    if mask.sum() < 2:
        return  # pyradiomics refuses a single voxel
    stock = oracle.stock_features("shape", mask.astype(float), mask, spacing, {})
    with quiet():
        ours = shape_features(mask, spacing[::-1], ())
    oracle.assert_equal(ours, stock)


def test_a_slab_has_no_thickness_along_its_oblique_plane() -> None:
    mask = np.zeros((6, 6, 7), bool)
    for k in range(6):
        mask[k, k, :] = True  # one oblique plane
    found = shape_features(mask, np.array([1.3, 1.0, 1.0]), ("LeastAxisLength", "Flatness"))
    assert found["original_shape_LeastAxisLength"] < 1e-6
    assert found["original_shape_Flatness"] < 1e-6
