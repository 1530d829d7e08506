"""The second largest eigenvalue against LAPACK, and where it is known."""

from __future__ import annotations

import numpy as np
import pytest

from radiomics_vert.extraction.features import quiet
from radiomics_vert.extraction.native.eigen import second_largest


@pytest.mark.parametrize("n", [2, 3, 7, 30, 61])
@pytest.mark.parametrize("count", [1, 4, 13])
def test_random_matrices(n: int, count: int) -> None:
    rng = np.random.default_rng(n)
    matrices = rng.normal(size=(count, n, n)) * (rng.random((count, n, n)) < 0.5)
    matrices += matrices.transpose(0, 2, 1)
    before = matrices.copy()
    expected = np.linalg.eigvalsh(matrices)
    error = np.abs(second_largest(matrices) - expected[:, -2])
    assert (error <= 1e-14 * n * np.abs(expected).max(axis=1)).all()
    np.testing.assert_array_equal(matrices, before)


def test_matrices_that_need_no_reflection_or_have_equal_eigenvalues() -> None:
    zero, one = np.zeros((5, 5)), np.eye(5)
    diagonal = np.diag([0.0, 1.0, 0.25, 0.5, 0.125])
    blocks = np.kron(np.eye(2), np.full((2, 2), 0.5))  # 1, 1, 0, 0
    beside = np.diag([1.0, 0.0, 0.0, 2.0], 1)
    found = second_largest(np.array([zero, one, diagonal, beside + beside.T]))
    np.testing.assert_allclose(found, [0, 1, 0.5, 1], atol=1e-15)
    np.testing.assert_allclose(second_largest(blocks[None]), [1], atol=1e-15)


def test_a_tiny_eigenvalue_beside_a_large_one_and_nan() -> None:
    matrices = np.array([np.diag([1.0, 1e-9, -3.0]), np.full((3, 3), np.nan)])
    with quiet():
        found = second_largest(matrices)
    assert found[0] == pytest.approx(1e-9, abs=4e-16)
    assert np.isnan(found[1])
