"""How scans were acquired: from sidecars, from the grid, from the image table."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from radiomics_vert.checks import check_cohort
from radiomics_vert.cohort import Cohort, acquisition_table, fact_name, read_cohort
from radiomics_vert.cohort.acquisition import summarise

Write = Callable[..., None]
HEADER = "subject_id,sequence,image,mask"


def cohort_of(folder: Path, rows: str, header: str = HEADER) -> Cohort:
    (folder / "images.csv").write_text(f"{header}\n{rows}", "utf-8")
    return read_cohort(folder / "images.csv", scheme="verse")


@pytest.mark.parametrize(
    ("column", "name"),
    [
        ("kVp", "kvp"),
        ("Tesla", "field_strength"),
        ("TE", "echo_time"),
        ("Vendor", "manufacturer"),
        ("Slice thickness (mm)", "slice_thickness"),
        ("MagneticFieldStrength", None),
        ("radiologist", None),
        ("patient_name", None),
    ],
)
def test_columns_of_the_image_table_are_recognised(column: str, name: str | None) -> None:
    assert fact_name(column) == name


def test_facts_come_from_sidecar_grid_and_table_in_this_order(tmp_path: Path, write_scan: Write) -> None:
    write_scan("a", [20, 21])
    sidecar = {"Manufacturer": "Siemens", "KVP": 100, "PatientName": "Jane Doe", "SliceThickness": 9}
    (tmp_path / "a.json").write_text(json.dumps(sidecar), "utf-8")
    cohort = cohort_of(tmp_path, "P1,CT,a.nii.gz,a_mask.nii.gz,120,Dr Roe\n", f"{HEADER},kVp,radiologist")
    table = acquisition_table(cohort)
    row = table.iloc[0]
    assert row["manufacturer"] == "Siemens"
    assert row["kvp"] == "120"
    # The header claims 9 mm slices; they are 3 mm apart, and both are told apart.
    assert (row["slice_thickness"], row["spacing_between_slices"]) == ("9", "3")
    assert row["pixel_spacing"] == "0.5 x 0.75"
    assert "Doe" not in table.to_csv()
    assert "Roe" not in table.to_csv()


def test_a_damaged_sidecar_is_a_finding_and_costs_no_scan(tmp_path: Path, write_scan: Write) -> None:
    write_scan("a", [20, 21])
    (tmp_path / "a.json").write_text("{", "utf-8")
    cohort = cohort_of(tmp_path, "P1,CT,a.nii.gz,a_mask.nii.gz\n")
    assert len(cohort.scans) == 1
    found = [finding for finding in check_cohort(cohort) if finding.code == "RV223"]
    assert [finding.severity for finding in found] == ["warning"]
    assert str(tmp_path) not in found[0].explanation


def test_the_summary_counts_values_and_gives_ranges(tmp_path: Path, write_scan: Write) -> None:
    for name in "abcde":
        write_scan(name, [20], ord(name))
    values = [("a", "80", "A"), ("b", "100", "B"), ("c", "120", "A"), ("d", "140", ""), ("e", "120", "A")]
    rows = "".join(f"P{n},CT,{n}.nii.gz,{n}_mask.nii.gz,{kvp},{who}\n" for n, kvp, who in values)
    table = acquisition_table(cohort_of(tmp_path, rows, f"{HEADER},kvp,manufacturer"))
    lines = summarise(table).set_index("fact")
    assert lines.loc["kvp", "summary"] == "120 (80 to 140)"
    assert lines.loc["kvp", "unit"] == "kV"
    assert lines.loc["manufacturer", "summary"] == "A (3), B (1)"
    assert lines.loc["manufacturer", ["n", "missing"]].tolist() == [4, 1]
