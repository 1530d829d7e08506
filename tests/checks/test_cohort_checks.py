from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest

from radiomics_vert.checks import Finding, check_cohort, findings_result, worst
from radiomics_vert.cohort import Case, Cohort, Level, Refusal, Scan, load_scheme
from radiomics_vert.errors import Problem

SCAN = Scan("P1_CT", "P1", "CT", Path("a.nii"), Path("m.nii"), load_scheme("verse"), image_digest="d1")
CASE = Case("P1_CT_L1", SCAN, Level.L1, 20, 9000, (1, 9, 1, 9, 1, 9), "m1")


def cohort(case=CASE, **parts):
    return Cohort(scans=(case.scan,), cases=(case,), **parts)


def codes(findings):
    return [(finding.code, finding.severity) for finding in findings]


def test_a_clean_cohort_has_no_finding():
    assert check_cohort(cohort(), ["CT"]) == []


@pytest.mark.parametrize(
    ("change", "code", "severity"),
    [
        ({"voxels": 76}, "RV301", "warning"),
        ({"touches_border": True}, "RV306", "warning"),
        ({"components": 3}, "RV307", "note"),
    ],
)
def test_odd_masks_are_found_with_their_case(change, code, severity):
    (finding,) = check_cohort(cohort(replace(CASE, **change)))
    assert (finding.code, finding.severity, finding.cases) == (code, severity, ("P1_CT_L1",))


def test_a_sequence_without_parameters_is_an_error():
    (finding,) = check_cohort(cohort(), ["T1"])
    assert codes([finding]) == [("RV114", "error")]
    assert "CT" in finding.explanation
    assert finding.cases == ("P1_CT",)


def test_refused_scans_are_errors_with_the_remedy():
    problem = Problem("RV201", "one grid", "two grids", "row 3", "resample the mask")
    (finding,) = check_cohort(cohort(refused=(Refusal.of_scan(SCAN, problem),)))
    assert codes([finding]) == [("RV201", "error")]
    assert finding.remedy == "resample the mask"


def test_files_that_cannot_be_read_are_all_named():
    problems = [
        Problem("RV202", "a whole file", f"{size} bytes", f"images/{name}.nii.gz", "copy the file again")
        for name, size in (("a", 7), ("b", 8), ("c", 9))
    ]
    scans = [replace(SCAN, scan_id=f"{name}_CT") for name in "abc"]
    refusals = tuple(Refusal.of_scan(scan, problem) for scan, problem in zip(scans, problems, strict=True))
    (finding,) = check_cohort(cohort(refused=refusals))
    assert finding.explanation == (
        "3 cannot be used, expected a whole file: 7 bytes (images/a.nii.gz); 8 bytes (images/b.nii.gz); "
        "9 bytes (images/c.nii.gz)"
    )
    assert finding.cases == ("a_CT", "b_CT", "c_CT")
    (alone,) = check_cohort(cohort(refused=refusals[:1]))
    assert alone.explanation == "7 bytes (expected a whole file; images/a.nii.gz)"
    # Another remedy is another finding; the same file refused twice is named once.
    other = Refusal.of_scan(scans[1], replace(problems[0], remedy="export it again"))
    assert len(check_cohort(cohort(refused=(refusals[0], other)))) == 2
    (twice,) = check_cohort(cohort(refused=(refusals[0], Refusal.of_scan(scans[1], problems[0]))))
    assert twice.explanation.count("images/a.nii.gz") == 1


def test_the_same_image_under_two_patients_is_found():
    other = replace(SCAN, scan_id="P2_CT", subject_id="P2")
    both = Cohort(scans=(SCAN, other), cases=(CASE, replace(CASE, case_id="P2_CT_L1", scan=other)))
    found = [finding for finding in check_cohort(both) if finding.code == "RV208"]
    assert found
    assert set(found[0].cases) == {"P1_CT", "P2_CT"}


def test_unmatched_and_unlabelled_are_listed():
    unmatched = pd.DataFrame({"subject_id": ["P7"], "level": ["T4"], "line": [5]})
    findings = check_cohort(cohort(unmatched_clinical=unmatched, unlabelled=("P1_CT_L1",)))
    assert codes(findings) == [("RV109", "warning"), ("RV110", "note")]
    assert findings[0].cases == ("line 5: P7 T4",)


def test_findings_are_ordered_by_severity():
    note, error = Finding("RV110", "note", "a", "b"), Finding("RV201", "error", "c", "d", ("x", "y"))
    table = findings_result([note, error]).frame()
    assert list(table["severity"]) == ["error", "note"]
    assert table.loc[0, ["n_cases", "cases"]].tolist() == [2, "x; y"]
    assert worst([note, error]) == "error"
    assert worst([]) is None
