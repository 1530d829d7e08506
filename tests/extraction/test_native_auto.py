"""`auto` chooses per image type: compiled kernels where they can, pyradiomics otherwise, and it says so."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from extraction_scans import MakeCohort, textured, two_vertebrae

from radiomics_vert.cohort import Cohort
from radiomics_vert.errors import SettingsError
from radiomics_vert.extraction import ExtractionParams, extract
from radiomics_vert.extraction import native as kernels
from radiomics_vert.feature_table import IDENTITY

SHAPE = (14, 22, 18)
# The native engine counts no distance twice.
TWICE: dict[str, Any] = {"distances": [1, 1]}
MIXED = {
    "imageType": {"Original": {}, "LoG": {"sigma": [1.5]}, "Wavelet": TWICE},
    "featureClass": {"shape": None, "glcm": None, "glszm": None},
}


@pytest.fixture
def cohort(make_cohort: MakeCohort) -> Cohort:
    voxels, labels = textured(SHAPE), two_vertebrae(SHAPE)
    return make_cohort(("a", "CT", voxels, labels, {}), ("a", "T1", voxels, labels, {}))


def test_the_choice_is_made_per_image_type() -> None:
    steps = ExtractionParams.from_mapping(MIXED).steps()
    chosen = {step.name: step.engine for step in steps}
    assert chosen == dict.fromkeys(("shape", "original", "log-sigma-1.5"), "native") | {
        "wavelet": "pyradiomics"
    }
    all_of_them = ExtractionParams.from_mapping({**MIXED, "setting": TWICE}).steps()
    assert {step.engine for step in all_of_them if step.image_type} == {"pyradiomics"}


def test_values_are_those_of_the_engine_that_is_named(cohort: Cohort) -> None:
    params = ExtractionParams.from_mapping(MIXED)
    mixed, stock = (extract(cohort, params, engine=engine) for engine in ("auto", "pyradiomics"))
    told = "radiomics_vert native 3 (pyradiomics: wavelet)"
    assert mixed.provenance.reproducible["engine"]["engine"] == told
    assert set(mixed.diagnostics["engine"]) == {told}
    assert "numba" in mixed.provenance.reproducible["engine"]
    features = [name for name in mixed.values if name not in IDENTITY]
    assert features == [name for name in stock.values if name not in IDENTITY]
    left = [name for name in features if name.startswith("wavelet")]
    assert mixed.values[left].equals(stock.values[left])
    own = [name for name in features if name not in left]
    np.testing.assert_allclose(mixed.values[own], stock.values[own], rtol=1e-8, atol=0)
    assert not mixed.values[own].equals(stock.values[own]), "another engine rounds differently"


def test_sequences_with_parameters_of_their_own_are_told_apart(cohort: Cohort) -> None:
    small = {"imageType": {"Original": {}}, "featureClass": {"glcm": ["Contrast"]}}
    params = {
        "CT": ExtractionParams.from_mapping(small),
        "T1": ExtractionParams.from_mapping({**small, "setting": TWICE}),
    }
    told = extract(cohort, params).provenance.reproducible["engine"]["engine"]
    assert told == "radiomics_vert native 3 (pyradiomics: original of T1)"


def test_native_alone_refuses_what_it_does_not_support(cohort: Cohort) -> None:
    with pytest.raises(SettingsError, match=r"RV351[\s\S]*distances \[1, 1\]"):
        extract(cohort, ExtractionParams.from_mapping(MIXED), engine="native")


@pytest.mark.parametrize("images", [{"LoG": {"sigma": [1.5]}}, {"Wavelet": {}}, {"Original": {}}])
def test_filters_of_the_libraries_are_told(
    cohort: Cohort, images: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    content = {"imageType": images, "featureClass": {"firstorder": ["Mean"]}}
    params = ExtractionParams.from_mapping(content)
    before = extract(cohort, params)
    assert "filters" not in before.provenance.reproducible["engine"]
    monkeypatch.setattr(kernels, "same_bits", lambda: False)
    after = extract(cohort, params)
    assert after.values.equals(before.values), "the bits are the same here"
    told = after.provenance.reproducible["engine"].get("filters", "")
    assert told.startswith("" if images == {"Original": {}} else "of ITK and PyWavelets")
    assert bool(told) == (images != {"Original": {}})


@pytest.mark.parametrize("image_type", ["LBP2D", "LBP3D"])
def test_local_binary_patterns_are_refused_with_the_reason(image_type: str) -> None:
    with pytest.raises(SettingsError, match=r"RV303[\s\S]*local binary patterns[\s\S]*scikit-image|SciPy"):
        ExtractionParams.from_mapping({"imageType": {image_type: {}}})
