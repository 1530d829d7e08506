"""Deprecated features that are named: the native engine gives what pyradiomics gives, a value or none."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import SimpleITK as sitk
from radiomics import getFeatureClasses

from radiomics_vert.extraction import ExtractionParams
from radiomics_vert.extraction.engine import Volumes, compute_steps
from radiomics_vert.extraction.parity import stock_features

BESIDE = {"shape": "MeshVolume", "firstorder": "Mean", "glcm": "Idm", "gldm": "DependenceEntropy"}
DEPRECATED = [
    (name, feature)
    for name in BESIDE
    for feature, deprecated in getFeatureClasses()[name].getFeatureNames().items()
    if deprecated
]


@pytest.fixture(scope="module")
def volumes() -> Volumes:
    rng = np.random.default_rng(0)
    voxels, mask = rng.integers(0, 300, (7, 8, 9)).astype(np.int16), np.zeros((7, 8, 9), np.uint8)
    mask[1:6, 1:7, 1:8] = rng.random((5, 6, 7)) < 0.8
    return Volumes(sitk.GetImageFromArray(voxels), sitk.GetImageFromArray(mask))


def test_there_are_deprecated_features_of_four_classes_only() -> None:
    found = {
        name
        for name, own in getFeatureClasses().items()
        if name != "shape2D" and any(own.getFeatureNames().values())
    }
    assert found == set(BESIDE)
    assert len(DEPRECATED) == 10


@pytest.mark.parametrize("alone", [True, False])
@pytest.mark.parametrize(("name", "feature"), DEPRECATED)
def test_a_deprecated_feature_is_what_pyradiomics_makes_of_it(
    volumes: Volumes, name: str, feature: str, alone: bool
) -> None:
    wanted = [feature] if alone else [feature, BESIDE[name]]
    content = {"imageType": {"Original": {}}, "featureClass": {name: wanted}}
    (step,) = replace(ExtractionParams.from_mapping(content), engine="native").steps()
    stock = stock_features(volumes, 1, step)
    for engine in ("native", "pyradiomics"):
        ((_, outcome),) = compute_steps(volumes, 1, (1, 8, 1, 7, 1, 6), [replace(step, engine=engine)], "x")
        assert outcome.problem is None
        assert dict(outcome.values) == pytest.approx(stock, rel=1e-8)
    if not alone:
        assert f"original_{name}_{BESIDE[name]}" in stock


def test_pyradiomics_gives_a_value_of_four_and_none_of_six(volumes: Volumes) -> None:
    given = []
    for name, feature in DEPRECATED:
        content = {"imageType": {"Original": {}}, "featureClass": {name: [feature]}}
        (step,) = ExtractionParams.from_mapping(content).steps()
        given += [key.split("_")[-1] for key in stock_features(volumes, 1, step)]
    assert given == ["Compactness1", "Compactness2", "SphericalDisproportion", "StandardDeviation"]
