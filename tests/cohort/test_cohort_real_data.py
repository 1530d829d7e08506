"""Cohorts of files that no one here made."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import SimpleITK as sitk

from radiomics_vert.cohort import Cohort, duplicate_images, load_vertebrae, read_cohort
from radiomics_vert.imaging import read_geometry, read_label_map

pytestmark = pytest.mark.data


def cohort_of(folder: Path, rows: list[dict[str, object]], **options: str) -> Cohort:
    pd.DataFrame(rows).to_csv(folder / "images.csv", index=False)
    return read_cohort(folder / "images.csv", **options)


def test_verse014_holds_l1_to_l5(real_data: Path, tmp_path: Path) -> None:
    files = real_data / "ct_verse014"
    row = {
        "subject_id": "verse014",
        "sequence": "CT",
        "image": files / "sub-verse014_ct.nii.gz",
        "mask": files / "sub-verse014_seg-vert_msk.nii.gz",
    }
    cohort = cohort_of(tmp_path, [row], scheme="verse")
    assert [str(case.level) for case in cohort.cases] == ["L1", "L2", "L3", "L4", "L5"]
    assert [case.label for case in cohort.cases] == [20, 21, 22, 23, 24]
    assert all(case.touches_border for case in cohort.cases)
    mask = read_label_map(files / "sub-verse014_seg-vert_msk.nii.gz").array()
    assert [case.voxels for case in cohort.cases] == [int((mask == label).sum()) for label in range(20, 25)]


def test_totalsegmentator_ct_down_to_the_fragment(real_data: Path, tmp_path: Path) -> None:
    files = real_data / "ct_totalsegmentator"
    row = {
        "subject_id": "ts",
        "sequence": "CT",
        "image": files / "example_ct.nii.gz",
        "mask": files / "spine_report" / "totalseg.nii.gz",
    }
    cohort = cohort_of(tmp_path, [row], scheme="totalsegmentator")
    levels = [str(case.level) for case in cohort.cases]
    assert levels == ["T11", "T12", "L1", "L2", "L3", "L4", "L5", "S1"]
    assert cohort.cases[0].voxels == 76
    assert cohort.cases[0].touches_border


def test_bodies_of_totalsegmentator_agree_with_its_own_report(real_data: Path, tmp_path: Path) -> None:
    files = real_data / "ct_totalsegmentator"
    row = {
        "subject_id": "ts",
        "sequence": "CT",
        "image": files / "example_ct.nii.gz",
        "mask": files / "spine_report" / "totalseg_vertebrae_pp_refined.nii.gz",
    }
    cohort = cohort_of(tmp_path, [row], scheme="totalsegmentator_vertebrae_pp")
    assert [str(case.level) for case in cohort.cases] == ["T12", "L1", "L2", "L3", "L4", "L5"]
    assert {case.scan.region for case in cohort.cases} == {"body"}
    report = json.loads((files / "spine_report" / "spine_report.json").read_text())["results"]
    for case in cohort.cases[1:]:
        millilitres = case.voxels * read_geometry(case.scan.mask).voxel_volume / 1000
        assert millilitres == pytest.approx(report[f"vertebrae_{case.level}_volume_ml"], abs=0.006)


def test_a_scheme_of_the_other_direction_is_noticed(real_data: Path, tmp_path: Path) -> None:
    files = real_data / "ct_totalsegmentator"
    row = {
        "subject_id": "ts",
        "sequence": "CT",
        "image": files / "example_ct.nii.gz",
        "mask": files / "spine_report" / "totalseg_vertebrae_pp_refined.nii.gz",
    }
    (refusal,) = cohort_of(tmp_path, [row], scheme="totalsegmentator_v1").refused
    assert refusal.problem.code == "RV235"
    assert refusal.problem.expected.endswith("the names in the mask; 'vertebrae_T12' is T12")
    assert refusal.problem.found == "number 19, L4 under the scheme 'totalsegmentator_v1'"
    # Without the names in the header, the direction alone tells.
    bare = sitk.ReadImage(str(row["mask"]))
    sitk.WriteImage(bare, tmp_path / "bare.nrrd")
    (refusal,) = cohort_of(
        tmp_path, [{**row, "mask": tmp_path / "bare.nrrd"}], scheme="totalsegmentator_v1"
    ).refused
    assert refusal.problem.code == "RV111"


def test_hand_outlined_exams_with_a_mismatch_and_a_duplicate(real_data: Path, tmp_path: Path) -> None:
    images = sorted((real_data / "vb_mri").glob("*/*_image.nii.gz"))
    rows = [
        {
            "subject_id": image.name[:6],
            "sequence": "MR",
            "image": image,
            "mask": image.with_name(image.name.replace("image", "vertebrae")),
        }
        for image in images
    ]
    cohort = cohort_of(tmp_path, rows, scheme="instances")
    assert len(rows) == 12
    assert (len(cohort.scans), len(cohort.cases)) == (11, 9 + 9 + 7 + 8 * 5)
    (refusal,) = cohort.refused
    assert refusal.case_id == "VB2_02_MR"
    assert refusal.problem.code == "RV201"
    assert "77 in the mask and 76 in the image (+1)" in refusal.problem.found
    assert refusal.problem.where == (
        "scan VB2_02_MR (line 4 of the image table): VB2_02_image.nii.gz, VB2_02_vertebrae.nii.gz"
    )
    table = duplicate_images(cohort)
    assert table["scan_id"].tolist() == ["VB3_18_MR", "VB3_19_MR"] * 2
    assert table["file"].tolist() == ["image", "image", "mask", "mask"]


@pytest.mark.parametrize(
    ("sample", "stem", "image", "levels"),
    [
        ("sample_ct", "sub-ct", "label-22_ct", ["L2", "L3", "L4"]),
        ("sample_mri", "sub-mri", "label-6_T2w", ["C5", "C6", "C7"]),
    ],
)
def test_bodies_by_subregions(
    real_data: Path, tmp_path: Path, sample: str, stem: str, image: str, levels: list[str]
) -> None:
    files = real_data / "tptbox_samples" / sample
    number = image.split("_")[0]
    mask, parts = (
        files / f"{stem}_seg-vert_{number}_msk.nii.gz",
        files / f"{stem}_seg-subreg_{number}_msk.nii.gz",
    )
    row = {
        "subject_id": "tptbox",
        "sequence": "X",
        "image": files / f"{stem}_{image}.nii.gz",
        "mask": mask,
        "subregions": parts,
    }
    cohort = cohort_of(tmp_path, [row], scheme="verse", region="body")
    assert [str(case.level) for case in cohort.cases] == levels
    vertebrae, regions = read_label_map(mask).array(), read_label_map(parts).array()
    body = (regions == 49) | (regions == 50)
    assert [case.voxels for case in cohort.cases] == [
        int(((vertebrae == case.label) & body).sum()) for case in cohort.cases
    ]
    measured = load_vertebrae(cohort.scans[0]).array()
    assert sorted(np.unique(measured)) == [0, *(case.label for case in cohort.cases)]


def test_time_series_refused_and_float_mask_accepted(real_data: Path, tmp_path: Path) -> None:
    files = real_data / "mri_sct"
    rows = [
        {
            "subject_id": "sct",
            "sequence": name,
            "image": files / f"{name}.nii.gz",
            "mask": files / "t2_seg-manual_labeled.nii.gz",
        }
        for name in ("fmri", "t2")
    ]
    cohort = cohort_of(tmp_path, rows, scheme="instances")
    assert [case.case_id for case in cohort.cases] == [f"sct_t2_label{label}" for label in (2, 3, 4, 5)]
    (refusal,) = cohort.refused
    assert (refusal.case_id, refusal.problem.code) == ("sct_fmri", "RV203")
    assert refusal.problem.found == "4 dimensions, size (68, 68, 6, 30): 30 volumes"
