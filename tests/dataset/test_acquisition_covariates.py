"""Facts of acquisition as covariates: of the right vertebra, of one sequence, and never silently absent."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from radiomics_vert.dataset import merge
from radiomics_vert.errors import DatasetError
from radiomics_vert.feature_table import FeatureTable

UNITS = (("P1", "L1"), ("P1", "L2"), ("P2", "L1"), ("P3", "T12"))
CLINICAL = pd.DataFrame(
    {
        "subject_id": ["P1", "P2", "P3"],
        "diagnosis": ["osteoporotic", "metastatic", "osteoporotic"],
        "manufacturer": ["own A", "own B", "own A"],
    }
)


def cases(sequence, **columns):
    """One row per vertebra of a sequence."""
    rows = [
        {
            "case_id": f"{subject}_{sequence}_{level}", "subject_id": subject, "session": "",
            "sequence": sequence, "rater": "", "site": "A", "level": level, "label": 20,
        }
        for subject, level in UNITS
    ]  # fmt: skip
    return pd.DataFrame(rows).assign(**columns)


def covariates(names, acquisition, *sequences):
    values = pd.concat([cases(name, glcm_Contrast=1.0) for name in sequences or ("T1",)], ignore_index=True)
    table = FeatureTable(values, values.iloc[:0], pd.DataFrame(), len(values))
    merged = merge(
        table,
        CLINICAL,
        outcome="diagnosis",
        positive="metastatic",
        covariates=names,
        acquisition=acquisition,
    )
    return merged.covariates


def test_facts_are_numbers_or_words_of_the_right_vertebra():
    facts = cases("T1", slice_thickness=["4.0", "4.0", "3.5", ""], contrast_phase=["", "", "portal", "none"])
    found = covariates(["slice_thickness", "contrast_phase"], facts.iloc[::-1])
    assert list(found.index) == ["P1_L1", "P1_L2", "P2_L1", "P3_T12"]
    np.testing.assert_array_equal(found["slice_thickness"], [4.0, 4.0, 3.5, np.nan])
    assert list(found["contrast_phase"].fillna("?")) == ["?", "?", "portal", "none"]


def test_a_clinical_column_goes_before_a_fact():
    found = covariates(["manufacturer", "model"], cases("T1", manufacturer="header", model="M"))
    assert list(found["manufacturer"]) == ["own A", "own A", "own B", "own A"]
    assert set(found["model"]) == {"M"}


def test_of_several_sequences_the_first_that_has_the_fact_is_taken_and_never_mixed():
    first = cases("T1", slice_thickness=["4.0", "4.0", "", "5.0"], kvp="")
    second = cases("CT", slice_thickness="1.0", kvp=[100, 110, 120, 130])
    found = covariates(["slice_thickness", "kvp"], pd.concat([first, second]), "T1", "CT")
    np.testing.assert_array_equal(found["slice_thickness"], [4.0, 4.0, np.nan, 5.0])
    assert list(found["kvp"]) == [100, 110, 120, 130]


@pytest.mark.parametrize(
    ("name", "acquisition", "found", "remedy"),
    [
        ("field_strength", cases("T1", kvp="120"), "no scan with this fact", "image table"),
        ("kvp", cases("T1", kvp=" "), "no scan with this fact", "image table"),
        ("kvp", None, "no table of acquisition", "image table"),
        ("slice_thicknes", cases("T1", kvp="120"), "diagnosis", "did you mean 'slice_thickness'?"),
        ("manufacturers", None, "diagnosis", "did you mean 'manufacturer'?"),
    ],
)
def test_what_is_not_known_is_an_error(name, acquisition, found, remedy):
    with pytest.raises(DatasetError) as error:
        covariates([name], acquisition)
    (problem,) = error.value.problems
    assert problem.code == "RV103"
    assert repr(name) in problem.expected
    assert found in problem.found
    assert remedy in problem.remedy
