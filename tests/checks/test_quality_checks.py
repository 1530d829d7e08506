"""Every rule on the quality of vertebrae fires where it should, and not where it should not."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from radiomics_vert.checks import Finding, check_quality, verdicts, with_outliers
from radiomics_vert.cohort import Case, Cohort, Level, Refusal, Scan, load_scheme
from radiomics_vert.errors import Problem
from radiomics_vert.extraction.quality import COLUMNS

SOUND = {
    "scan_id": "P1_CT",
    "case_id": "P1_CT_L2",
    "subject_id": "P1",
    "session": "",
    "sequence": "CT",
    "rater": "",
    "site": "",
    "level": "L2",
    "label": 21,
    "voxels": 24000,
    "voxels_resampled": 48000,
    "volume_ml": 48.0,
    "grey_levels": 64,
    "clipped_share": 0.02,
    "components": 1,
    "largest_share": 1.0,
    "touches_border": False,
    "slices": 30,
    "spacing_x": 1.0,
    "spacing_y": 1.0,
    "spacing_z": 2.0,
    "obliquity_degrees": 4.0,
    "slice_plane": "axial",
    "image_minimum": -1024.0,
    "image_maximum": 1500.0,
    "intensity_median": 180.0,
    "intensity_iqr": 150.0,
    "constant": False,
    "hardware_share": 0.0,
    "gas_ml": 0.0,
    "volume_ratio": 1.0,
    "gap_mm": 35.0,
    "gap_ratio": 1.0,
    "levels_skipped": 0,
    "in_order": True,
    "duplicate_of": "",
    "problem": "",
    "problem_found": "",
    "problem_remedy": "",
}


def table(**change) -> pd.DataFrame:
    return pd.DataFrame([{**SOUND, **change}], columns=list(COLUMNS))


def codes(frame: pd.DataFrame) -> list[tuple[str, str]]:
    return [(finding.code, finding.severity) for finding in check_quality(frame)]


def test_a_sound_vertebra_has_no_finding():
    assert set(SOUND) == set(COLUMNS)
    assert codes(table()) == []
    assert check_quality(table().iloc[:0]) == []


@pytest.mark.parametrize(
    ("fires", "silent", "code", "severity"),
    [
        ({"grey_levels": 15}, {"grey_levels": 16}, "RV305", "warning"),
        ({"grey_levels": 257}, {"grey_levels": 256}, "RV305", "warning"),
        ({"clipped_share": 0.11}, {"clipped_share": 0.10}, "RV321", "warning"),
        ({"hardware_share": 0.11}, {"hardware_share": 0.10}, "RV322", "warning"),
        ({"constant": True}, {"constant": False}, "RV302", "warning"),
        ({"constant": True, "grey_levels": 1}, {}, "RV302", "warning"),
        ({"grey_levels": 1}, {"grey_levels": 16}, "RV302", "warning"),
        ({"volume_ml": 151.0}, {"volume_ml": 149.0}, "RV323", "warning"),
        ({"volume_ml": 7.0}, {"volume_ml": 9.0}, "RV323", "warning"),
        ({"volume_ml": 81.0, "level": "T8"}, {"volume_ml": 81.0}, "RV323", "warning"),
        ({"volume_ratio": 1.9}, {"volume_ratio": 1.7}, "RV323", "note"),
        ({"volume_ratio": 0.4}, {"volume_ratio": 0.6}, "RV323", "note"),
        ({"gap_ratio": 2.0}, {"gap_ratio": 1.5}, "RV324", "warning"),
        ({"gap_ratio": 0.5}, {"gap_ratio": 0.7}, "RV324", "warning"),
        ({"gap_ratio": np.nan, "gap_mm": 70.0}, {"gap_ratio": np.nan, "gap_mm": 40.0}, "RV324", "warning"),
        ({"gap_ratio": np.nan, "gap_mm": 9.0}, {"gap_ratio": 1.0, "gap_mm": 9.0}, "RV324", "warning"),
        ({"image_minimum": 0.0}, {"image_minimum": -101.0}, "RV325", "warning"),
        ({"image_maximum": 255.0}, {"image_maximum": 301.0}, "RV325", "warning"),
        ({"obliquity_degrees": 35.0}, {"obliquity_degrees": 25.0}, "RV326", "note"),
        ({"spacing_x": 6.6}, {"spacing_x": 5.0}, "RV327", "warning"),
        ({"in_order": False}, {"in_order": np.nan}, "RV329", "warning"),
        ({"levels_skipped": 1, "gap_mm": 70.0}, {"levels_skipped": 0}, "RV329", "note"),
    ],
)
def test_a_rule_fires_on_one_side_of_its_threshold_only(fires, silent, code, severity):
    assert codes(table(**fires)) == [(code, severity)]
    assert codes(table(**silent)) == []


def test_a_skipped_level_explains_a_doubled_gap():
    alone = {"gap_ratio": np.nan, "gap_mm": 72.0}
    assert ("RV324", "warning") in codes(table(**alone))
    assert ("RV324", "warning") not in codes(table(**alone, levels_skipped=1))


def test_what_holds_for_ct_is_not_asked_of_mr():
    mr = {"sequence": "T1", "hardware_share": np.nan, "gas_ml": np.nan, "image_minimum": 0.0}
    assert codes(table(**mr)) == []


def test_unknown_measures_are_no_findings():
    unknown = dict.fromkeys((*COLUMNS[COLUMNS.index("voxels") :],), None)
    blank = {name: "" for name in COLUMNS if name.startswith("problem") or name == "duplicate_of"}
    assert codes(table(**{**unknown, **blank})) == []


def test_what_stops_the_extraction_is_an_error_with_its_remedy():
    told = {"problem": "RV308", "problem_found": "grey values from 0 to 9", "problem_remedy": "look at it"}
    (finding,) = check_quality(table(**told))
    assert (finding.code, finding.severity, finding.remedy) == ("RV308", "error", "look at it")
    assert finding.cases == ("P1_CT_L2",)
    assert "grey values from 0 to 9" in finding.explanation


def test_one_problem_is_not_told_twice():
    told = {"problem_found": "x", "problem_remedy": "y"}
    assert codes(table(constant=True, problem="RV302", **told)) == [("RV302", "error")]
    assert codes(table(hardware_share=0.4, problem="RV312", **told)) == [("RV312", "error")]


def test_findings_survive_a_file(tmp_path):
    """Tables are written and read again; truth values come back as text, blanks as NaN."""
    frame = pd.concat([table(), table(constant=True, in_order=False, case_id="P1_CT_L3", level="")])
    frame.to_csv(tmp_path / "q.csv", index=False)
    assert (
        codes(pd.read_csv(tmp_path / "q.csv")) == codes(frame) == [("RV302", "warning"), ("RV329", "warning")]
    )


def group(values, **change) -> pd.DataFrame:
    rows = [
        {**SOUND, "case_id": f"P{i}_CT_L2", "scan_id": f"P{i}_CT", "intensity_median": value, **change}
        for i, value in enumerate(values)
    ]
    return pd.DataFrame(rows, columns=list(COLUMNS))


def test_outliers_are_found_within_sequence_and_region():
    usual = [170.0, 175.0, 180.0, 185.0, 190.0, 178.0, 182.0, 176.0]
    scored = with_outliers(group([*usual, 600.0]))
    assert scored["region"].unique().tolist() == ["lumbar"]
    # median 180, median absolute deviation 5
    assert scored["z_intensity_median"].iloc[-1] == pytest.approx(0.6745 * 420 / 5)
    found = check_quality(group([*usual, 600.0]))
    assert [(f.code, f.severity, f.cases) for f in found] == [("RV328", "note", ("P8_CT_L2",))]
    assert check_quality(group([*usual, 195.0])) == []
    apart = pd.concat([group(usual), group([600.0], level="T8", case_id="P9_CT_T8")])
    assert check_quality(apart) == []


def test_small_groups_and_groups_without_spread_are_not_judged():
    assert with_outliers(group([1.0, 2.0, 3.0, 900.0]))["z_intensity_median"].isna().all()
    assert with_outliers(group([5.0] * 9))["z_volume_ml"].isna().all()


# --- verdicts -----------------------------------------------------------------------------------------

SCHEME = load_scheme("verse")
SCANS = [Scan(f"P{i}_CT", f"P{i}", "CT", Path("a.nii"), Path("m.nii"), SCHEME) for i in (1, 2, 3)]
CASES = [
    Case(f"{scan.scan_id}_{level}", scan, level, SCHEME.label(level), 9000, (1, 9, 1, 9, 1, 9), "m")
    for scan in SCANS
    for level in (Level.L1, Level.L2)
]
ABSENT = Scan("P4_CT", "P4", "CT", Path("b.nii"), Path("n.nii"), SCHEME)
PROBLEM = Problem("RV201", "one grid", "two grids", "scan P4_CT", "resample the mask")
COHORT = Cohort(tuple(SCANS), tuple(CASES), (Refusal.of_scan(ABSENT, PROBLEM),))


def verdict_of(*findings: Finding) -> dict[str, str]:
    frame = verdicts(COHORT, findings)
    return dict(zip(frame["scan_id"], frame["verdict"], strict=True))


def test_a_scan_is_ready_when_no_warning_concerns_it():
    assert verdict_of(Finding("RV326", "note", "a", "b", ("P1_CT",))) == {
        "P1_CT": "ready", "P2_CT": "ready", "P3_CT": "ready", "P4_CT": "refused",
    }  # fmt: skip


def test_warnings_reach_the_scan_of_their_case():
    found = verdict_of(
        Finding("RV306", "warning", "a", "b", ("P1_CT_L2",)),
        Finding("RV325", "warning", "a", "b", ("P2_CT",)),
    )
    assert found["P1_CT"] == found["P2_CT"] == "ready with warnings"
    assert found["P3_CT"] == "ready"


def test_a_scan_without_a_usable_vertebra_is_refused():
    one = verdicts(COHORT, [Finding("RV302", "error", "a", "b", ("P1_CT_L1",))]).set_index("scan_id")
    assert one.loc["P1_CT", ["verdict", "unusable"]].tolist() == ["ready with warnings", 1]
    both = Finding("RV302", "error", "a", "b", ("P1_CT_L1", "P1_CT_L2"))
    assert verdict_of(both)["P1_CT"] == "refused"
    assert verdict_of(Finding("RV114", "error", "a", "b", ("P3_CT",)))["P3_CT"] == "refused"


def test_a_refused_scan_says_why():
    row = verdicts(COHORT, []).set_index("scan_id").loc["P4_CT"]
    assert row["codes"] == "RV201"
    assert "two grids" in row["why"]
    assert row["vertebrae"] == 0


def test_a_lost_vertebra_is_a_matter_of_its_scan():
    lost = Refusal("P1_CT_L3", "P1", "", "CT", "", "", "L3", 22, PROBLEM)
    cohort = Cohort(COHORT.scans, COHORT.cases, (lost,))
    frame = verdicts(cohort, [Finding("RV207", "error", "a", "b", ("P1_CT_L3",))])
    assert list(frame["scan_id"]) == ["P1_CT", "P2_CT", "P3_CT"]
    assert frame.loc[0, "verdict"] == "ready with warnings"
