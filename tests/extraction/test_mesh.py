"""Mesh measures equal pyradiomics' C code."""

from __future__ import annotations

import numpy as np
import pytest
from radiomics import cShape

from radiomics_vert.extraction.mesh import diameters, surface_and_volume


@pytest.mark.parametrize("seed", range(60))
def test_equal_to_the_c_code_on_random_regions(seed: int) -> None:
    rng = np.random.default_rng(seed)
    mask = np.pad(rng.random(rng.integers(1, 9, 3)) < rng.choice([0.1, 0.5, 0.9]), 1)
    mask[1, 1, 1] = True
    spacing = rng.uniform(0.3, 5.0, 3)
    area, volume, apart = cShape.calculate_coefficients(mask, spacing)
    assert surface_and_volume(mask, spacing) == pytest.approx((area, volume), rel=1e-11, abs=1e-11)
    assert diameters(mask, spacing) == pytest.approx(apart, rel=1e-13)


def test_one_voxel_by_hand() -> None:
    """Its mesh is an octahedron with half axes of half a voxel: 1/6 of the voxel's volume."""
    mask = np.zeros((3, 3, 3), bool)
    mask[1, 1, 1] = True
    spacing = np.array([3.0, 2.0, 1.0])
    assert surface_and_volume(mask, spacing)[1] == pytest.approx(6.0 / 6)
    assert diameters(mask, spacing) == pytest.approx((2.0, 3.0, 3.0, 3.0))
