"""Regions at the edge of what can be measured: both engines do what stock pyradiomics does.

That is values equal to its own, or a refusal where it stops with an error.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import native_oracle as oracle
import numpy as np
import pytest
import SimpleITK as sitk

from radiomics_vert.extraction import ExtractionParams
from radiomics_vert.extraction.engine import Volumes, compute_steps
from radiomics_vert.extraction.grid import tight_box
from radiomics_vert.extraction.parity import stock_features

SHAPE = (16, 20, 22)
BLOCK = (slice(3, 9), slice(4, 11), slice(4, 12))
SLICE = (5, slice(3, 9), slice(4, 14))
IMAGES: dict[str, Any] = {"Original": {}, "LoG": {"sigma": [1.0, 2.0]}, "Wavelet": {}}
VALUES = 14 + 11 * 93

REGIONS: dict[str, tuple[tuple[Any, ...], ...]] = {
    "one voxel": ((5, 6, 7),),
    "line": ((5, slice(3, 9), 7),),
    "diagonal line": tuple((at, at, at) for at in range(3, 8)),
    "two voxels": ((5, 5, 5), (6, 6, 6)),
    "two voxels apart": ((2, 2, 2), (8, 9, 10)),
    "three voxels apart": ((2, 2, 2), (8, 9, 10), (13, 4, 17)),
    "slice": (SLICE,),
    "sagittal slice": ((slice(3, 9), slice(4, 14), 5),),
    "disconnected": ((slice(3, 5), slice(3, 5), slice(3, 5)), (slice(10, 13), slice(14, 17), slice(15, 20))),
    "constant": (BLOCK,),
    "one grey level": (BLOCK,),
    "constant slice": (SLICE,),
    "constant image": (BLOCK,),
    "empty image": (BLOCK,),
}
SETTINGS: list[dict[str, Any]] = [
    {},
    {"binCount": 16},
    {"force2D": True, "force2Ddimension": 0},
    {"minimumROIDimensions": 1},
    {"weightingNorm": "manhattan", "minimumROIDimensions": 1},
]


def _scan(name: str) -> Volumes:
    rng = np.random.default_rng(0)
    voxels, mask = rng.normal(100, 60, SHAPE).round().astype(np.int16), np.zeros(SHAPE, np.uint8)
    for part in REGIONS[name]:
        mask[part] = 1
    inside = mask == 1
    if name in ("constant", "constant slice"):
        voxels[inside] = 77
    elif name == "one grey level":
        voxels[inside] = rng.integers(75, 100, inside.sum())
    elif name.endswith("image"):
        voxels[:] = 0 if name.startswith("empty") else 77
    images = [sitk.GetImageFromArray(array) for array in (voxels, mask)]
    for image in images:
        image.SetSpacing((1.1, 0.9, 1.7))
    return Volumes(*images)


def _both(
    name: str, settings: dict[str, Any], engine: str
) -> tuple[list[str], dict[str, float], dict[str, float]]:
    """Return the codes of our refusals, our values, and those of stock; equal refusals are asserted."""
    volumes = _scan(name)
    region = sitk.GetArrayFromImage(volumes.labels) == 1
    box = tuple(bound for axis in tight_box(region)[::-1] for bound in (axis.start, axis.stop))
    params = ExtractionParams.from_mapping({"imageType": IMAGES, "setting": settings})
    steps = [replace(step, engine=engine) for step in params.steps()]
    codes: list[str] = []
    ours: dict[str, float] = {}
    stock: dict[str, float] = {}
    for step, outcome in compute_steps(volumes, 1, box, steps, name):
        if outcome.problem:
            codes.append(outcome.problem.code)
            with pytest.raises(ValueError, match=r"single voxel|too few dimensions"):
                stock_features(volumes, 1, step)
        else:
            ours |= outcome.values
            stock |= stock_features(volumes, 1, step)
    return codes, ours, stock


@pytest.mark.parametrize("engine", ["native", "pyradiomics"])
@pytest.mark.parametrize("settings", SETTINGS)
@pytest.mark.parametrize("name", REGIONS)
def test_as_stock_pyradiomics(name: str, settings: dict[str, Any], engine: str) -> None:
    codes, ours, stock = _both(name, settings, engine)
    refused = name == "one voxel" or (name == "line" and "minimumROIDimensions" not in settings)
    assert codes == (["RV301"] * 5 if refused else [])
    if not refused:
        assert len(stock) == (14 + 7 * 93 if "force2D" in settings else VALUES)
        oracle.assert_equal(ours, stock)


@pytest.mark.parametrize("engine", ["native", "pyradiomics"])
def test_a_constant_region_has_finite_values_that_say_nothing(engine: str) -> None:
    codes, ours, _ = _both("constant", {}, engine)
    assert codes == []
    original = {name: value for name, value in ours.items() if name.startswith("original")}
    assert len(original) == 107
    assert np.isfinite(list(original.values())).all()
    for name in ("Correlation", "MCC", "JointEnergy"):
        assert original[f"original_glcm_{name}"] == 1
    assert original["original_firstorder_Variance"] == 0
    assert original["original_firstorder_Minimum"] == original["original_firstorder_Maximum"] == 77
