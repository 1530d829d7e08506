"""A study folder with small images, and a writer for masks of stacked vertebrae."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk

WriteScan = Callable[..., None]


@pytest.fixture
def study(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty working folder, so that messages hold names instead of machine paths."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def write_scan(study: Path) -> WriteScan:
    """Write `<name>.nii.gz` and `<name>_mask.nii.gz` of 7 x 8 x 21 voxels.

    Labels are listed from the head down; each vertebra is a block of 3 x 4 x 2 voxels, the topmost at
    the top of the image (z grows to the head).
    """

    def write(name: str, labels: list[int], seed: int = 0) -> None:
        noise = np.random.default_rng(seed).integers(0, 1000, (21, 8, 7)).astype(np.int16)
        mask = np.zeros((21, 8, 7), dtype=np.uint8)
        for position, label in enumerate(labels):
            mask[17 - 3 * position : 19 - 3 * position, 2:6, 1:4] = label
        for array, file in ((noise, f"{name}.nii.gz"), (mask, f"{name}_mask.nii.gz")):
            volume = sitk.GetImageFromArray(array)
            volume.SetSpacing((0.5, 0.75, 3.0))
            sitk.WriteImage(volume, study / file)

    return write
