"""Small images of unequal shape."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty working folder, so that messages hold names instead of machine paths."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def intensities() -> np.ndarray:
    """Noise of shape (z, y, x) = (9, 8, 7), 16 bits."""
    return np.random.default_rng(3).integers(-1000, 1000, (9, 8, 7)).astype(np.int16)


@pytest.fixture
def labels() -> np.ndarray:
    """Labels 2 and 5, shape (9, 8, 7): a block of 2 x 3 x 4 voxels and two blocks apart from each other."""
    array = np.zeros((9, 8, 7), dtype=np.uint8)
    array[1:3, 2:5, 1:5] = 2
    array[6, 1, 1] = 5
    array[8, 6:8, 2] = 5
    return array
