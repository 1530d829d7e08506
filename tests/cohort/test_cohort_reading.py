"""From tables to cases: what is read, what is refused scan by scan, and what matches."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import SimpleITK as sitk

from radiomics_vert.cohort import Cohort, Level, duplicate_images, load_vertebrae, read_cohort
from radiomics_vert.errors import CohortError, ImageError
from radiomics_vert.imaging import file_digest
from radiomics_vert.storage import sha256_file

Write = Callable[..., None]
HEADER = "subject_id,sequence,image,mask,scheme\n"


def read(rows: str, header: str = HEADER, clinical: str | None = None, **options: object) -> Cohort:
    Path("images.csv").write_text(header + rows)
    if clinical is not None:
        Path("clinical.csv").write_text(clinical)
    return read_cohort("images.csv", None if clinical is None else "clinical.csv", **options)


def row(name: str, scheme: str = "verse", subject: str = "", sequence: str = "CT") -> str:
    return f"{subject or name},{sequence},{name}.nii.gz,{name}_mask.nii.gz,{scheme}\n"


def rewrite(path: str, change: Callable[[np.ndarray], np.ndarray]) -> None:
    volume = sitk.ReadImage(path)
    changed = sitk.GetImageFromArray(change(sitk.GetArrayFromImage(volume)))
    changed.CopyInformation(volume)
    sitk.WriteImage(changed, path)


def test_vertebrae_become_cases_from_the_head_down(write_scan: Write) -> None:
    write_scan("P1", [32, 31, 30])
    cohort = read(row("P1", "totalsegmentator"))
    (scan,) = cohort.scans
    assert (scan.scan_id, scan.subject_id, scan.sequence, scan.row) == ("P1_CT", "P1", "CT", 2)
    assert (scan.image, scan.mask) == (Path("P1.nii.gz"), Path("P1_mask.nii.gz"))
    assert scan.image_digest == file_digest("P1.nii.gz")
    assert [(case.case_id, case.level, case.label) for case in cohort.cases] == [
        ("P1_CT_T12", Level.T12, 32),
        ("P1_CT_L1", Level.L1, 31),
        ("P1_CT_L2", Level.L2, 30),
    ]
    first = cohort.cases[0]
    assert (first.voxels, first.box) == (24, (1, 4, 2, 6, 17, 19))
    assert (first.components, first.touches_border) == (1, False)
    assert first.scan == scan
    assert cohort.refused == ()
    assert cohort.manifest_digest == sha256_file(Path("images.csv"))


def test_ids_and_facts_come_from_further_columns(write_scan: Write) -> None:
    write_scan("a", [20])
    header = "subject_id,sequence,image,mask,rater,session,site,kVp\n"
    cohort = read("P1,CT,a.nii.gz,a_mask.nii.gz,AB,2,north,120\n", header, scheme="verse")
    (case,) = cohort.cases
    assert case.case_id == "P1_2_CT_AB_L1"
    assert (case.scan.rater, case.scan.session, case.scan.site) == ("AB", "2", "north")
    assert case.scan.facts["kvp"] == "120"


def test_the_column_scheme_overrides_that_of_the_study(write_scan: Write) -> None:
    write_scan("a", [20])
    write_scan("b", [3])
    rows = row("a", "") + row("b", "L4=3; L5=4")
    cohort = read(rows, scheme="verse")
    assert [case.level for case in cohort.cases] == [Level.L1, Level.L4]


def test_paths_and_scheme_files_are_relative_to_the_table(write_scan: Write, study: Path) -> None:
    write_scan("a", [20])
    (study / "deep").mkdir()
    (study / "deep" / "mine.yaml").write_text("vertebrae: {L3: 20}\n")
    (study / "deep" / "images.csv").write_text(HEADER + "P1,CT,../a.nii.gz,../a_mask.nii.gz,mine.yaml\n")
    (case,) = read_cohort("deep/images.csv").cases
    assert case.level is Level.L3


def test_instances_have_no_level(write_scan: Write) -> None:
    write_scan("a", [7, 3])
    cohort = read(row("a", "instances"))
    assert [(case.case_id, case.level) for case in cohort.cases] == [
        ("a_CT_label3", None),
        ("a_CT_label7", None),
    ]
    assert cohort.cases[0].identity()["level"] == ""


def test_labels_of_one_vertebra_are_merged_to_the_first(write_scan: Write) -> None:
    write_scan("a", [2, 101, 1, 201])  # SPIDER: L4; L5 in two parts; the disc below
    cohort = read(row("a", "spider"))
    assert [(case.level, case.label, case.voxels) for case in cohort.cases] == [
        (Level.L4, 2, 24),
        (Level.L5, 1, 48),
    ]
    merged = load_vertebrae(cohort.scans[0]).array()
    raw = sitk.GetArrayFromImage(sitk.ReadImage("a_mask.nii.gz"))
    np.testing.assert_array_equal(merged, np.select([raw == 2, (raw == 101) | (raw == 1)], [2, 1], 0))


def test_bodies_are_cut_out_by_the_subregion_mask(write_scan: Write) -> None:
    write_scan("a", [20, 21])
    mask = sitk.GetArrayFromImage(sitk.ReadImage("a_mask.nii.gz"))
    parts = np.where(mask > 0, 41, 0).astype(np.uint8)
    parts[:, 2:4, :][mask[:, 2:4, :] == 20] = 49
    parts[:, 2:3, :][mask[:, 2:3, :] == 20] = 50
    parts[:, 5:6, :][mask[:, 5:6, :] == 21] = 50
    volume = sitk.GetImageFromArray(parts)
    volume.CopyInformation(sitk.ReadImage("a_mask.nii.gz"))
    sitk.WriteImage(volume, "a_parts.nii.gz")
    header = "subject_id,sequence,image,mask,scheme,subregions\n"
    line = "P1,CT,a.nii.gz,a_mask.nii.gz,verse,a_parts.nii.gz\n"
    whole, bodies = read(line, header), read(line, header, region="body")
    assert [case.voxels for case in whole.cases] == [24, 24]
    assert [case.voxels for case in bodies.cases] == [12, 6]
    assert bodies.cases[0].box == (1, 4, 2, 4, 17, 19)
    assert bodies.cases[0].mask_digest != whole.cases[0].mask_digest
    measured = load_vertebrae(bodies.scans[0])
    np.testing.assert_array_equal(measured.array() > 0, parts >= 49)
    assert measured.geometry.matches(load_vertebrae(whole.scans[0]).geometry)


def test_another_scheme_of_subregions_can_be_named(write_scan: Write) -> None:
    write_scan("a", [41])
    parts = sitk.ReadImage("a_mask.nii.gz") // 41 * 2
    sitk.WriteImage(sitk.Cast(parts, sitk.sitkUInt8), "a_parts.nii.gz")
    header = "subject_id,sequence,image,mask,scheme,subregions,subregions_scheme\n"
    line = "P1,CT,a.nii.gz,a_mask.nii.gz,totalspineseg,a_parts.nii.gz,spine_segment\n"
    (case,) = read(line, header, region="body").cases
    assert (case.level, case.voxels) == (Level.L1, 24)


def test_a_vertebra_without_a_body_voxel_is_listed(write_scan: Write) -> None:
    write_scan("a", [20, 21])
    mask = sitk.ReadImage("a_mask.nii.gz")
    sitk.WriteImage(sitk.Cast((mask == 20) * 49 + (mask == 21) * 41, sitk.sitkUInt8), "a_parts.nii.gz")
    header = "subject_id,sequence,image,mask,scheme,subregions\n"
    line = "P1,CT,a.nii.gz,a_mask.nii.gz,verse,a_parts.nii.gz\n"
    cohort = read(line, header, region="body")
    assert [case.level for case in cohort.cases] == [Level.L1]
    (refusal,) = cohort.refused
    assert (refusal.case_id, refusal.level, refusal.label) == ("P1_CT_L2", "L2", 21)
    assert refusal.problem.code == "RV207"
    assert refusal.problem.expected == "body voxels (sub-region labels 49-50) within label 21"
    assert refusal.problem.found == "none"
    assert refusal.problem.where == "scan P1_CT (line 2 of the image table): a_parts.nii.gz"
    assert len(cohort) == 2


def test_a_mask_of_bodies_is_measured_as_bodies(write_scan: Write) -> None:
    write_scan("a", [20])
    (scan,) = read(row("a", "totalsegmentator_vertebrae_pp")).scans
    assert scan.region == "body"


def without_image(_: Write) -> str:
    Path("a.nii.gz").unlink()
    return row("a")


def truncated_image(_: Write) -> str:
    content = Path("a.nii.gz").read_bytes()
    Path("a.nii.gz").write_bytes(content[: len(content) // 2])
    return row("a")


def nan_image(_: Write) -> str:
    rewrite("a.nii.gz", lambda array: np.where(array == array.max(), np.nan, array).astype(np.float32))
    return row("a")


def empty_mask(write: Write) -> str:
    write("a", [])
    return row("a")


def foreign_labels(write: Write) -> str:
    write("a", [20, 21])
    return row("a", "mrspineseg")


def fractional_mask(_: Write) -> str:
    rewrite("a_mask.nii.gz", lambda array: array.astype(np.float32) / 8)
    return row("a")


def shorter_mask(_: Write) -> str:
    sitk.WriteImage(sitk.ReadImage("a_mask.nii.gz")[:, :, :20], "a_mask.nii.gz")
    return row("a")


def upside_down(write: Write) -> str:
    write("a", [24, 23, 22])  # L5, L4, L3 from the head down: no spine looks like this
    return row("a")


def other_grid_of_parts(_: Write) -> str:
    parts = sitk.ReadImage("a_mask.nii.gz")
    parts.SetOrigin((0.0, 0.0, 1.5))
    sitk.WriteImage(parts, "a_parts.nii.gz")
    return row("a").strip() + ",a_parts.nii.gz\n"


# name: (spoil and give the row, code, expected, found, file in `where`, remedy)
SCAN_FAULTS: dict[str, tuple[Callable[[Write], str], str, str, str, str, str]] = {
    "missing image": (
        without_image,
        "RV101",
        "an image file",
        "no such file",
        "a.nii.gz",
        "correct the path or restore the file",
    ),
    "truncated image": (
        truncated_image,
        "RV202",
        "a compressed stream with its end",
        "the stream breaks off after ",
        "a.nii.gz",
        "copy or export the file again: it was cut off or changed on the way",
    ),
    "NaN in the image": (
        nan_image,
        "RV204",
        "finite numbers in every voxel of the image",
        " voxels NaN or infinite, the first at voxel ",
        "a.nii.gz",
        "replace these voxels by the background value of the scanner, or export the image again",
    ),
    "empty mask": (
        empty_mask,
        "RV206",
        "labels above 0",
        "0 in every voxel",
        "a_mask.nii.gz",
        "segment the scan, or name the right mask file",
    ),
    "labels of another scheme": (
        foreign_labels,
        "RV108",
        "vertebra labels of the scheme 'mrspineseg': 1-10",
        "the labels 20-21",
        "a_mask.nii.gz",
        "name the scheme of the tool that made the mask; schemes that know all labels of this mask: ",
    ),
    "fractions in the mask": (
        fractional_mask,
        "RV205",
        "whole numbers from 0 up, 0 for background",
        "24 of 1176 voxels with other values: 2.5",
        "a_mask.nii.gz",
        "save the mask as a label map; if it was resampled, use nearest-neighbour interpolation",
    ),
    "a slice less in the mask": (
        shorter_mask,
        "RV201",
        "the mask on the grid of its image, within 0.01 voxel: size (7, 8, 21), ",
        "the slice count along z differs, 20 in the mask and 21 in the image (-1)",
        "a.nii.gz, a_mask.nii.gz",
        "put the mask on the image's grid with nearest-neighbour interpolation",
    ),
    "levels upside down": (
        upside_down,
        "RV111",
        "levels in anatomical order from head to feet under the scheme 'verse'",
        "L3, L4, L5 one above the other, the last at the top",
        "a_mask.nii.gz",
        "name the scheme of the tool that made the mask, or correct a header that stands upside down",
    ),
    "sub-regions half a slice off": (
        other_grid_of_parts,
        "RV201",
        "the mask on the grid of its image, within 0.01 voxel: size (7, 8, 21), ",
        "shifted by (+0.00, +0.00, +0.50) voxels along x, y, z: half a voxel",
        "a.nii.gz, a_parts.nii.gz",
        "copy the image's header to the mask if they overlay voxel by voxel in a viewer",
    ),
}


@pytest.mark.parametrize("name", SCAN_FAULTS)
def test_a_faulty_scan_is_listed_and_does_not_stop_the_others(write_scan: Write, name: str) -> None:
    spoil, code, expected, found, file, remedy = SCAN_FAULTS[name]
    write_scan("a", [20])
    write_scan("good", [20], seed=1)
    line = spoil(write_scan)
    header = HEADER if line.count(",") == 4 else HEADER.strip() + ",subregions\n"
    extra = "" if header == HEADER else ","
    cohort = read(line + row("good").strip() + extra + "\n", header)
    assert [case.case_id for case in cohort.cases] == ["good_CT_L1"]
    assert [scan.scan_id for scan in cohort.scans] == ["good_CT"]
    (refusal,) = cohort.refused
    assert (refusal.case_id, refusal.subject_id, refusal.label) == ("a_CT", "a", 0)
    problem = refusal.problem
    assert problem.code == code
    assert problem.expected.startswith(expected)
    assert found in problem.found
    assert problem.where == f"scan a_CT (line 2 of the image table): {file}"
    assert problem.remedy.startswith(remedy)


def test_levels_are_not_judged_when_the_image_lies_on_its_side(write_scan: Write) -> None:
    write_scan("a", [24, 23, 22])
    for file in ("a.nii.gz", "a_mask.nii.gz"):
        volume = sitk.ReadImage(file)
        volume.SetDirection((1, 0, 0, 0, 0, 1, 0, -1, 0))  # slices run along y: no head-feet axis to trust
        sitk.WriteImage(volume, file)
    assert [case.level for case in read(row("a")).cases] == [Level.L3, Level.L4, Level.L5]


@pytest.mark.parametrize(
    ("labels", "accepted"), [([21, 20], False), ([20, 21], True), ([20, 22, 21, 23], True), ([20], True)]
)
def test_most_neighbours_must_run_downwards(write_scan: Write, labels: list[int], accepted: bool) -> None:
    write_scan("a", labels)
    cohort = read(row("a"))
    assert (len(cohort.cases), len(cohort.refused)) == ((len(labels), 0) if accepted else (0, 1))


def test_refusals_do_not_depend_on_the_folder(write_scan: Write, study: Path) -> None:
    write_scan("a", [])
    here = read(row("a")).refused
    assert read_cohort(study / "images.csv").refused == here


def test_clinical_rows_are_matched_or_listed(write_scan: Write) -> None:
    write_scan("P1", [20, 21])
    write_scan("P2", [20], seed=1)
    write_scan("P3", [20], seed=2)
    clinical = (
        "subject_id,level,diagnosis\n"
        "P1,l1,OF\n"  # L1
        "P1,L5,OF\n"  # not in the mask
        "P2,,MF\n"  # the whole subject
        "P9,L1,MF\n"  # no such subject
    )
    cohort = read(row("P1") + row("P2") + row("P3"), clinical=clinical)
    assert cohort.clinical["diagnosis"].tolist() == ["OF", "OF", "MF", "MF"]
    assert cohort.unmatched_clinical[["line", "subject_id", "level"]].values.tolist() == [
        [3, "P1", "L5"],
        [5, "P9", "L1"],
    ]
    assert cohort.unlabelled == ("P1_CT_L2", "P2_CT_L1", "P3_CT_L1")


def test_a_clinical_table_of_subjects_labels_no_single_vertebra(write_scan: Write) -> None:
    write_scan("P1", [20, 21])
    cohort = read(row("P1"), clinical="subject_id,age\nP1,70\n")
    assert (len(cohort.unmatched_clinical), cohort.unlabelled) == (0, ())


def test_clinical_rows_match_by_label_and_session(write_scan: Write) -> None:
    write_scan("a", [1, 2])
    write_scan("b", [1], seed=1)
    header = "subject_id,session,sequence,image,mask\n"
    rows = "P1,1,MR,a.nii.gz,a_mask.nii.gz\nP1,2,MR,b.nii.gz,b_mask.nii.gz\n"
    clinical = "subject_id,session,label,diagnosis\nP1,1,2.0,OF\nP1,2,2,OF\nP1,,1,MF\n"
    cohort = read(rows, header, clinical, scheme="instances")
    assert cohort.unmatched_clinical["line"].tolist() == [3]
    assert cohort.unlabelled == ()
    assert cohort.clinical["label"].tolist() == ["2", "2", "1"]


def test_shared_images_and_masks_are_found(write_scan: Write) -> None:
    write_scan("a", [20])
    write_scan("c", [20], seed=2)
    rows = (
        row("a", subject="P1")
        + row("a", subject="P2")
        + row("c", subject="P3")
        + "P3,T1,c.nii.gz,c_mask.nii.gz,verse\n"
    )
    table = duplicate_images(read(rows))
    images = table[table["file"] == "image"].groupby("digest")["scan_id"].apply(list)
    assert sorted(images) == [["P1_CT", "P2_CT"], ["P3_CT", "P3_T1"]]
    # All masks hold the same block under the same number; P3 may use one mask for two sequences.
    masks = table[table["file"] == "mask"].groupby("digest")["scan_id"].apply(list)
    assert list(masks) == [["P1_CT", "P2_CT", "P3_CT", "P3_T1"]]


def test_two_raters_on_one_image_are_in_order(write_scan: Write) -> None:
    write_scan("a", [20])
    write_scan("b", [20, 21])
    header = "subject_id,sequence,image,mask,rater\n"
    rows = "P1,CT,a.nii.gz,a_mask.nii.gz,AB\nP1,CT,a.nii.gz,b_mask.nii.gz,CD\n"
    assert duplicate_images(read(rows, header, scheme="verse")).empty
    copied = rows.replace("b_mask", "a_mask")
    table = duplicate_images(read(copied, header, scheme="verse"))
    assert table["file"].tolist() == ["mask", "mask"]
    assert table["rater"].tolist() == ["AB", "CD"]


def test_progress_counts_scans(write_scan: Write) -> None:
    write_scan("a", [20])
    write_scan("b", [20])
    seen: list[tuple[int, int]] = []
    read(row("a") + row("b"), progress=lambda done, total: seen.append((done, total)))
    assert seen == [(1, 2), (2, 2)]


def test_two_workers_read_the_same_cohort(write_scan: Write) -> None:
    for seed, name in enumerate("abcd"):
        write_scan(name, [20, 21][: 1 + seed % 2], seed=seed)
    write_scan("e", [])
    rows = "".join(row(name) for name in "abecd")
    one, two = read(rows, n_jobs=1), read(rows, n_jobs=2)
    assert (one.scans, one.cases, one.refused) == (two.scans, two.cases, two.refused)
    pd.testing.assert_frame_equal(duplicate_images(one), duplicate_images(two))


def test_loading_vertebrae_refuses_what_it_cannot_give(write_scan: Write) -> None:
    from dataclasses import replace

    from radiomics_vert.cohort import load_scheme

    write_scan("a", [20])
    (scan,) = read(row("a")).scans
    with pytest.raises(CohortError) as caught:
        load_vertebrae(replace(scan, region="body"))
    assert caught.value.problems[0].code == "RV105"
    with pytest.raises(CohortError) as caught:
        load_vertebrae(replace(scan, scheme=load_scheme("spineps_subregions")))
    assert caught.value.problems[0].code == "RV107"
    with pytest.raises(ImageError):
        load_vertebrae(replace(scan, mask=Path("b.nii.gz")))
