"""Reference vertebrae: who counts, how far, and what a rule may say."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest

from radiomics_vert.cohort import (
    Case,
    Cohort,
    Level,
    ReferenceRule,
    Scan,
    load_scheme,
    reference_cases,
    spine_position,
)
from radiomics_vert.errors import CohortError

LEVELS = ("C2", "T10", "T12", "L1", "L2", "L6", "S1")


def _cohort(fractured: str = "L1") -> Cohort:
    scan = Scan("p_T1", "p", "T1", Path("i"), Path("m"), load_scheme("verse"))
    cases = tuple(
        Case(f"p_T1_{level}", scan, Level(level), k, 9, (0, 1, 0, 1, 0, 1), "")
        for k, level in enumerate(LEVELS, 1)
    )
    clinical = pd.DataFrame({"subject_id": ["p"], "level": [fractured], "genant": ["2"]})
    unlabelled = tuple(case.case_id for case in cases if str(case.level) != fractured)
    return Cohort((scan,), cases, clinical=clinical, unlabelled=unlabelled)


def _names(cohort: Cohort, rule: ReferenceRule | None = None) -> list[str]:
    return [str(case.level) for case in reference_cases(cohort, rule)["p_T1"]]


def test_unnamed_vertebrae_from_c3_to_the_last_lumbar_one() -> None:
    assert _names(_cohort()) == ["T10", "T12", "L2", "L6"]


def test_within_some_levels_of_a_vertebra_that_is_no_reference() -> None:
    assert _names(_cohort(), ReferenceRule(span=1)) == ["T12", "L2"]
    assert _names(_cohort(), ReferenceRule(span=3)) == ["T10", "T12", "L2"]


def test_a_scan_without_references_is_listed() -> None:
    cohort = _cohort().only({"p_T1_L1"})
    assert reference_cases(cohort) == {"p_T1": ()}


def test_a_row_about_the_patient_names_no_reference() -> None:
    cohort = _cohort(fractured="")
    assert reference_cases(cohort, ReferenceRule.parse("genant = 2")) == {"p_T1": ()}


def test_rare_levels_do_not_shift_the_others() -> None:
    common = [level for level in Level if level not in (Level.T13, Level.L6, Level.L7, Level.SACRUM)]
    assert [spine_position(level) for level in common] == list(range(len(common)))
    assert spine_position(Level.T12) < spine_position(Level.T13) < spine_position(Level.L1)
    assert spine_position(Level.SACRUM) == spine_position(Level.S1)


@pytest.mark.parametrize("text", ["genant", "=0", "genant=", ""])
def test_other_rules_are_refused(text: str) -> None:
    with pytest.raises(CohortError, match="RV602"):
        ReferenceRule.parse(text)


def test_an_unknown_column_is_refused() -> None:
    with pytest.raises(CohortError, match="RV103"):
        reference_cases(_cohort(), ReferenceRule.parse("grade=0"))
