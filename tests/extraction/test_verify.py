"""A sample of the user's own cases is measured again with pyradiomics."""

from __future__ import annotations

import numpy as np
import pytest
from extraction_scans import MakeCohort, textured, two_vertebrae

from radiomics_vert.extraction import ExtractionParams, extract
from radiomics_vert.extraction import engine as stepping
from radiomics_vert.extraction.verify import verify

SHAPE = (14, 22, 18)
PARAMS = ExtractionParams.from_mapping({"imageType": {"Original": {}, "Wavelet": {}}})


def test_both_engines_agree(make_cohort: MakeCohort) -> None:
    cohort = make_cohort(("a", "CT", textured(SHAPE), two_vertebrae(SHAPE), {"spacing": (1.1, 0.9, 1.7)}))
    found = verify(cohort, PARAMS, sample=5)
    assert (found.cases, found.values) == (2, 2 * (14 + 9 * 93))
    assert 0 < found.largest < 1e-8
    assert verify(cohort, PARAMS, sample=5, among={cohort.cases[0].case_id}).cases == 1
    assert verify(cohort, PARAMS, sample=0).values == 0


def test_a_wrong_value_is_found(make_cohort: MakeCohort, monkeypatch: pytest.MonkeyPatch) -> None:
    cohort = make_cohort(("a", "CT", textured(SHAPE), two_vertebrae(SHAPE), {}))
    right = stepping.native.shape_features

    def wrong(mask: np.ndarray, spacing: np.ndarray, features: tuple[str, ...]) -> dict[str, float]:
        found = right(mask, spacing, features)
        return {**found, "original_shape_Sphericity": found["original_shape_Sphericity"] * 1.25}

    monkeypatch.setattr(stepping.native, "shape_features", wrong)
    found = verify(cohort, PARAMS, sample=1)
    assert found.feature == "original_shape_Sphericity"
    assert found.largest == pytest.approx(0.25)


def test_provenance_names_the_engine(make_cohort: MakeCohort) -> None:
    cohort = make_cohort(("a", "CT", textured(SHAPE), two_vertebrae(SHAPE), {}))
    params = ExtractionParams.from_mapping({"featureClass": {"firstorder": ["Mean"]}})
    chosen = {
        "auto": "radiomics_vert native 3",
        "native": "radiomics_vert native 3",
        "pyradiomics": "pyradiomics",
    }
    for engine, name in chosen.items():
        table = extract(cohort, params, engine=engine)
        assert table.provenance.reproducible["engine"]["engine"] == name
        assert set(table.diagnostics["engine"]) == {name}
