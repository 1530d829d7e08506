"""Covariates of a study: columns of the clinical table, and facts that the scans know."""

from __future__ import annotations

import pandas as pd
import pytest

from radiomics_vert.errors import RadiomicsVertError
from radiomics_vert.results import Result
from radiomics_vert.study import Run, load_study
from tests_support import edit

NAMES = ["age", "slice_thickness", "spacing_between_slices", "contrast_phase", "kvp"]


def test_facts_of_acquisition_adjust_and_are_foreseen(small_study):
    edit(small_study / "study.yaml", "[age, sex]", f"[{', '.join(NAMES)}]")
    with (small_study / "study.yaml").open("a") as stream:
        stream.write("association: {adjust_features: 2}\n")
    run = Run(load_study(small_study))
    foreseen = run._inputs().expected
    run.extract()
    found = run.dataset().covariates
    pd.testing.assert_frame_equal(found, foreseen.covariates.loc[found.index])
    assert list(found) == NAMES
    images = pd.read_csv(small_study / "cohort" / "images.csv").set_index("subject_id")
    patients = run.dataset().groups
    assert list(found["slice_thickness"]) == list(patients.map(images["slice_thickness"]))
    assert list(found["contrast_phase"]) == list(patients.map(images["contrast"]))
    run.analyze()
    adjusted = Result.load(run.study.records, "adjusted").spec["covariates"]
    assert {"slice_thickness", "contrast_phase"} <= {name.split("=")[0] for name in adjusted}


def test_a_fact_that_is_misspelt_or_unknown_of_these_scans_is_an_error(small_study):
    edit(small_study / "study.yaml", "[age, sex]", "[slice_thicknes]")
    with pytest.raises(RadiomicsVertError, match="did you mean 'slice_thickness'") as error:
        Run(load_study(small_study))._inputs()
    assert error.value.problems[0].code == "RV103"
    edit(small_study / "study.yaml", "[slice_thicknes]", "[field_strength]")
    run = Run(load_study(small_study))
    (problem,) = run._inputs().outcome_problems
    assert (problem.code, problem.found) == ("RV103", "no scan with this fact")
    with pytest.raises(RadiomicsVertError, match="field_strength"):
        run.extract()
