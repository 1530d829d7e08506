"""Cohorts whose masks are DICOM, Slicer segmentations, or one file per vertebra."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk

from mask_files import write_rtstruct, write_seg, write_series
from radiomics_vert.checks import check_cohort
from radiomics_vert.cohort import (
    Cohort,
    Level,
    duplicate_images,
    load_structures,
    load_tissue,
    load_vertebrae,
    mask_digest,
    read_cohort,
)
from radiomics_vert.errors import CohortError

SHAPE = (21, 8, 7)
HEADER = "subject_id,sequence,image,mask,scheme,series,threshold\n"
SQUARE = np.array([[0.5, 1.5], [3.5, 1.5], [3.5, 5.5], [0.5, 5.5]])


def vertebra(position: int) -> np.ndarray:
    """Block of 3 x 4 x 2 voxels, as the fixture `write_scan` makes them; 0 is the topmost."""
    array = np.zeros(SHAPE, bool)
    array[17 - 3 * position : 19 - 3 * position, 2:6, 1:4] = True
    return array


def volume(array: np.ndarray) -> sitk.Image:
    image = sitk.GetImageFromArray(array)
    image.SetSpacing((0.5, 0.75, 3.0))
    return image


def noise(seed: int = 0) -> sitk.Image:
    return volume(np.random.default_rng(seed).integers(0, 1000, SHAPE).astype(np.int16))


def outlined(position: int, kind: str = "CLOSED_PLANAR") -> list[tuple[str, np.ndarray]]:
    planes = np.flatnonzero(vertebra(position).any(axis=(1, 2)))
    corners = SQUARE * (0.5, 0.75)
    return [(kind, np.insert(corners, 2, 3.0 * plane, axis=1)) for plane in planes]


@pytest.fixture
def series(study: Path) -> list[Path]:
    """A CT series in the folder `ct`, beside a second series of half the slices."""
    files = write_series(study / "ct", noise())
    write_series(study / "ct" / "other", noise(1)[:, :, :10], series="1.2.3", number=2)
    return files


def read(*rows: str, **options: object) -> Cohort:
    Path("images.csv").write_text(HEADER + "".join(f"{row}\n" for row in rows))
    return read_cohort("images.csv", **options)


def numbers(cohort: Cohort) -> list[tuple[str, int, int]]:
    return [(str(case.level), case.label, case.voxels) for case in cohort.cases]


def test_a_dicom_series_with_its_segmentation(series: list[Path]) -> None:
    segments = [("L1", vertebra(1)), ("T12", vertebra(0)), ("spinal_cord", vertebra(4))]
    write_seg(Path("s.dcm"), series, segments)
    cohort = read("P1,CT,ct,s.dcm,names,1,")
    assert cohort.refused == ()
    assert numbers(cohort) == [("T12", 2, 24), ("L1", 1, 24)]
    (scan,) = cohort.scans
    assert (scan.series, len(scan.image_digest)) == ("1", 64)
    labels = load_vertebrae(scan).array()
    np.testing.assert_array_equal(labels == 2, vertebra(0))
    np.testing.assert_array_equal(labels == 1, vertebra(1))
    assert [remark.text for remark in scan.remarks] == ["1 named segments are no vertebra: 'spinal_cord'"]
    structures = load_structures(scan)
    assert list(structures) == ["cord"]
    np.testing.assert_array_equal(structures["cord"], vertebra(4))


def test_the_same_vertebrae_from_every_kind_of_mask(series: list[Path], study: Path) -> None:
    blocks = {"L1": vertebra(1), "L2": vertebra(2)}
    labels = volume(np.where(blocks["L1"], 20, 0) + np.where(blocks["L2"], 21, 0).astype(np.int16))
    sitk.WriteImage(sitk.Cast(labels, sitk.sitkUInt8), "m.nii.gz")
    write_seg(Path("s.dcm"), series, list(blocks.items()))
    write_seg(
        Path("f.dcm"), series, [(name, block * 0.4) for name, block in blocks.items()], kind="FRACTIONAL"
    )
    write_rtstruct(Path("r.dcm"), [("L2", outlined(2)), ("Body", []), ("L1", outlined(1))])
    slicer = ((labels == 20) + (labels == 21) * 2)[:, 1:7, 9:18]
    for index, name in enumerate(blocks):
        slicer.SetMetaData(f"Segment{index}_Name", f"{name} vertebra")
        slicer.SetMetaData(f"Segment{index}_LabelValue", str(index + 1))
    sitk.WriteImage(slicer, "m.seg.nrrd")
    Path("parts").mkdir()
    for name, block in blocks.items():
        sitk.WriteImage(volume(block.astype(np.uint8)), f"parts/vert_{name}.nii.gz")
    cohort = read(
        "P1,CT,ct,m.nii.gz,verse,1,",
        "P2,CT,ct,s.dcm,names,1,",
        "P3,CT,ct,f.dcm,names,1,0.4",
        "P4,CT,ct,r.dcm,names,1,",
        "P5,CT,ct,m.seg.nrrd,names,1,",
        "P6,CT,ct,parts,names: vert_{level},1,",
        "P7,CT,ct,parts/vert_L1.nii.gz; parts/vert_L2.nii.gz,names: vert_{level},1,",
        "P8,CT,ct,m.seg.nrrd,L1=1; L2=2,1,",
    )
    assert cohort.refused == ()
    assert len(cohort.scans) == 8
    digests = {case.scan.subject_id: [] for case in cohort.cases}
    for case in cohort.cases:
        digests[case.scan.subject_id].append((case.level, case.voxels, case.mask_digest))
    assert [level for level, _, _ in digests["P1"]] == [Level.L1, Level.L2]
    assert all(found == digests["P1"] for found in digests.values())
    shared = duplicate_images(cohort)
    assert sorted(shared["file"].unique()) == ["image", "mask"]
    assert len(shared) == 16
    assert len({mask_digest(scan) for scan in cohort.scans}) == 6  # P5 and P8, P6 and P7 are the same files


def test_a_threshold_is_recorded_and_changes_the_mask(series: list[Path]) -> None:
    write_seg(Path("f.dcm"), series, [("L1", vertebra(1) * 0.4)], kind="FRACTIONAL")
    cohort = read("P1,CT,ct,f.dcm,names,1,0.3", "P2,CT,ct,f.dcm,names,1,")
    assert numbers(cohort) == [("L1", 1, 24)]
    (refusal,) = cohort.refused
    assert (refusal.case_id, refusal.problem.code) == ("P2_CT_L1", "RV207")
    assert (refusal.problem.expected, refusal.problem.found) == ("voxels of the segment 1", "none")
    assert refusal.problem.where == "scan P2_CT (line 3 of the image table): f.dcm"
    findings = {finding.code: finding for finding in check_cohort(cohort)}
    assert findings["RV233"].severity == "note"
    assert "cut at 0.3: values from 60 of 200 up" in findings["RV233"].explanation


@pytest.mark.parametrize("text", ["0", "1.5", "half", "-0.5", "inf"])
def test_a_threshold_that_is_none_is_refused(study: Path, text: str) -> None:
    with pytest.raises(CohortError) as caught:
        read(f"P1,CT,ct,f.dcm,names,,{text}")
    (problem,) = caught.value.problems
    assert (problem.code, problem.found) == ("RV602", repr(text))
    assert problem.where == "images.csv, line 2, column threshold"


def test_one_bad_region_does_not_take_the_others_along(series: list[Path]) -> None:
    regions = [("L1", outlined(1)), ("L2", outlined(2, "OPEN_PLANAR")), ("L3", [])]
    write_rtstruct(Path("r.dcm"), regions)
    cohort = read("P1,CT,ct,r.dcm,names,1,")
    assert numbers(cohort) == [("L1", 1, 24)]
    assert [(refusal.case_id, refusal.problem.code) for refusal in cohort.refused] == [
        ("P1_CT_L2", "RV230"),
        ("P1_CT_L3", "RV207"),
    ]
    assert cohort.refused[0].problem.where == ("scan P1_CT (line 2 of the image table): r.dcm, region 'L2'")
    np.testing.assert_array_equal(load_vertebrae(cohort.scans[0]).array() == 1, vertebra(1))


def test_a_scan_with_bad_regions_only_is_refused(series: list[Path]) -> None:
    write_rtstruct(Path("r.dcm"), [("L1", outlined(1, "OPEN_PLANAR"))])
    (refusal,) = read("P1,CT,ct,r.dcm,names,1,").refused
    assert (refusal.case_id, refusal.problem.code) == ("P1_CT", "RV230")


@pytest.mark.parametrize(("shared", "accepted"), [(1, True), (2, False)])
def test_vertebrae_that_overlap(series: list[Path], shared: int, accepted: bool) -> None:
    lower = vertebra(2)
    # 1 of 25 voxels is 4 % of the smaller, 2 of 26 are 8 %: the smaller one is the upper, with 24.
    lower[14, 2 : 2 + shared, 1] = True
    write_seg(Path("s.dcm"), series, [("L2", lower), ("L1", vertebra(1))])
    cohort = read("P1,CT,ct,s.dcm,names,1,")
    if accepted:
        assert numbers(cohort) == [("L1", 2, 24), ("L2", 1, 24)]
        (finding,) = (finding for finding in check_cohort(cohort) if finding.code == "RV231")
        assert (finding.severity, finding.cases) == ("warning", ("P1_CT",))
        expected = "1 voxels in 'L1' and in 'L2', 4.2 % of the smaller; they belong to 'L1' now"
        assert finding.explanation == expected
    else:
        (refusal,) = cohort.refused
        assert refusal.problem.code == "RV231"
        assert refusal.problem.found == "2 voxels in 'L1' and in 'L2', 8.3 % of the smaller"


def test_overlaps_with_other_structures_do_not_matter(series: list[Path]) -> None:
    write_seg(Path("s.dcm"), series, [("L1", vertebra(1)), ("bone", vertebra(1) | vertebra(2))])
    assert numbers(read("P1,CT,ct,s.dcm,names,1,")) == [("L1", 1, 24)]


def test_a_mask_of_another_frame_of_reference_is_refused(series: list[Path]) -> None:
    write_rtstruct(Path("r.dcm"), [("L1", outlined(1))], frame="9.9.9")
    (refusal,) = read("P1,CT,ct,r.dcm,names,1,").refused
    assert refusal.problem.code == "RV229"
    assert refusal.problem.where == "scan P1_CT (line 2 of the image table): ct, r.dcm"


def test_files_of_a_folder_on_two_grids_are_refused_one_by_one(study: Path) -> None:
    sitk.WriteImage(noise(), "a.nii.gz")
    Path("parts").mkdir()
    sitk.WriteImage(volume(vertebra(1).astype(np.uint8)), "parts/L1.nii.gz")
    sitk.WriteImage(volume(vertebra(2).astype(np.uint8))[:, :, :20], "parts/L2.nii.gz")
    cohort = read("P1,CT,a.nii.gz,parts,names,,")
    assert numbers(cohort) == [("L1", 1, 24)]
    (refusal,) = cohort.refused
    assert (refusal.case_id, refusal.problem.code) == ("P1_CT_L2", "RV201")
    assert refusal.problem.where == "scan P1_CT (line 2 of the image table): parts/L2.nii.gz"


def test_structures_of_a_label_map_and_of_its_subregions(study: Path) -> None:
    sitk.WriteImage(noise(), "a.nii.gz")
    labels = np.where(vertebra(1), 20, 0) + np.where(vertebra(2), 120, 0) + np.where(vertebra(3), 26, 0)
    sitk.WriteImage(volume(labels.astype(np.uint8)), "m.nii.gz")
    parts = np.where(vertebra(4), 61, 0) + np.where(vertebra(5), 60, 0)
    sitk.WriteImage(volume(parts.astype(np.uint8)), "p.nii.gz")
    Path("images.csv").write_text(
        "subject_id,sequence,image,mask,scheme,subregions,subregions_scheme\n"
        "P1,MR,a.nii.gz,m.nii.gz,verse,p.nii.gz,spineps_subregions\n"
    )
    (scan,) = read_cohort("images.csv").scans
    structures = load_structures(scan)
    assert list(structures) == ["canal", "cord", "disc_L1", "sacrum"]
    assert structures.geometry.size == (7, 8, 21)
    for name, position in (("disc_L1", 2), ("sacrum", 3), ("canal", 4), ("cord", 5)):
        np.testing.assert_array_equal(structures[name], vertebra(position))
    with pytest.raises(KeyError):
        structures["muscle"]
    for tissue, position in (("disc", 2), ("csf", 4)):
        found = load_tissue(scan, tissue)
        assert found is not None
        np.testing.assert_array_equal(found.array() == 1, vertebra(position))
    assert load_tissue(scan, "muscle") is None


def test_tissues_of_named_segments(series: list[Path]) -> None:
    segments = [
        ("L1", vertebra(1)),
        ("autochthon_left", vertebra(2)),
        ("Psoas right", vertebra(3)),
        ("spinal_canal", vertebra(4) | vertebra(5)),
        ("spinal_cord", vertebra(5)),
        ("disc L1/L2", vertebra(0)),
    ]
    write_seg(Path("s.dcm"), series, segments)
    (scan,) = read("P1,CT,ct,s.dcm,names,1,").scans
    expected = {"muscle": vertebra(2) | vertebra(3), "csf": vertebra(4), "disc": vertebra(0)}
    for tissue, voxels in expected.items():
        found = load_tissue(scan, tissue)
        assert found is not None
        np.testing.assert_array_equal(found.array() == 1, voxels)


@pytest.mark.data
def test_names_in_the_header_say_what_the_numbers_say(real_data: Path, study: Path) -> None:
    files = real_data / "ct_totalsegmentator"
    image, mask = files / "example_ct.nii.gz", files / "spine_report" / "totalseg.nii.gz"
    cohort = read(f"a,CT,{image},{mask},totalsegmentator,,", f"b,CT,{image},{mask},names,,")
    by_number, by_name = (
        [
            (case.level, case.label, case.voxels, case.mask_digest)
            for case in cohort.cases
            if case.scan is scan
        ]
        for scan in cohort.scans
    )
    assert len(by_number) == 8
    assert by_name == by_number
    assert all(scan.remarks == () for scan in cohort.scans)


@pytest.mark.data
def test_a_mask_whose_names_contradict_its_scheme_is_refused(real_data: Path, study: Path) -> None:
    files = real_data / "ct_totalsegmentator"
    image, mask = files / "example_ct.nii.gz", files / "spine_report" / "totalseg.nii.gz"
    (refusal,) = read(f"a,CT,{image},{mask},verse,,").refused
    assert refusal.problem.code == "RV235"
    assert refusal.problem.where == "scan a_CT (line 2 of the image table): totalseg.nii.gz"
