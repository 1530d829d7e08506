"""Image tables from folders: BIDS, TotalSegmentator, patterns."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest
from typer.testing import CliRunner

from radiomics_vert.cli import app
from radiomics_vert.cohort.discovery import discover, discover_pattern, guess_layout
from radiomics_vert.errors import CohortError


def touch(root: Path, *names: str) -> Path:
    for name in names:
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"")
    return root


def table(root: Path, **options: object) -> pd.DataFrame:
    return discover(root, **options).frame(root).fillna("")  # type: ignore[arg-type]


def test_verse_layout_gives_image_mask_and_session(tmp_path: Path) -> None:
    touch(
        tmp_path,
        "rawdata/sub-verse401/sub-verse401_split-verse253_ct.nii.gz",
        "rawdata/sub-verse401/sub-verse401_split-verse260_ct.nii.gz",
        "derivatives/sub-verse401/sub-verse401_split-verse253_seg-vert_msk.nii.gz",
        "derivatives/sub-verse401/sub-verse401_split-verse260_seg-vert_msk.nii.gz",
        "derivatives/sub-verse401/sub-verse401_split-verse260_seg-subreg_ctd.json",
    )
    rows = table(tmp_path, scheme="verse")
    assert rows["session"].tolist() == ["split-verse253", "split-verse260"]
    assert rows["subject_id"].unique().tolist() == ["verse401"]
    assert rows["sequence"].tolist() == ["CT", "CT"]
    assert rows["mask"][1] == "derivatives/sub-verse401/sub-verse401_split-verse260_seg-vert_msk.nii.gz"
    assert rows["scheme"].unique().tolist() == ["verse"]
    assert "rater" not in rows


def test_bids_sessions_sequences_subregions_and_sites(tmp_path: Path) -> None:
    base = "sub-01/ses-a/anat/sub-01_ses-a"
    made = "derivatives/spineps/sub-01/ses-a/anat/sub-01_ses-a"
    touch(
        tmp_path,
        f"{base}_T1w.nii.gz",
        f"{base}_ce-gd_T1w.nii.gz",
        f"{base}_acq-stir_T2w.nii.gz",
        f"{made}_mod-T1w_seg-vert_msk.nii.gz",
        f"{made}_mod-T1w_seg-spine_msk.nii.gz",
        f"{made}_ce-gd_T1w_label-vertebrae_dseg.nii.gz",
        f"{made}_acq-stir_mod-T2w_seg-vert_msk.nii.gz",
        f"{made}_desc-preproc_T1w.nii.gz",
    )
    (tmp_path / "participants.tsv").write_text("participant_id\tsite\nsub-01\tLyon\n", "utf-8")
    rows = table(tmp_path, scheme="verse").set_index("sequence")
    assert sorted(rows.index) == ["STIR", "T1", "T1_CONTRAST"]
    assert rows["session"].unique().tolist() == ["a"]
    assert rows["site"].unique().tolist() == ["Lyon"]
    assert rows.loc["T1", "subregions"].endswith("seg-spine_msk.nii.gz")
    assert rows.loc["T1", "mask"].endswith("mod-T1w_seg-vert_msk.nii.gz")
    assert rows.loc["STIR", "subregions"] == ""


def test_a_mask_of_another_modality_is_not_taken(tmp_path: Path) -> None:
    touch(tmp_path, "sub-1/anat/sub-1_T1w.nii.gz", "derivatives/x/sub-1/sub-1_T2w_label-vert_dseg.nii.gz")
    found = discover(tmp_path, scheme="verse")
    assert not found.rows
    assert sorted(found.left_out.values()) == [
        "a mask without an image of the same name parts",
        "no vertebra mask with the same name parts",
    ]


def test_several_masks_are_never_chosen_from_silently(tmp_path: Path) -> None:
    touch(
        tmp_path,
        "sub-1/ct/sub-1_ct.nii.gz",
        "derivatives/manual/sub-1/sub-1_seg-vert_msk.nii.gz",
        "derivatives/spineps/sub-1/sub-1_seg-vert_msk.nii.gz",
    )
    found = discover(tmp_path, scheme="verse")
    assert not found.rows
    assert "--derivatives" in next(iter(found.left_out.values()))
    chosen = discover(tmp_path, scheme="verse", derivatives="manual")
    assert [row.mask.parent.parent.name for row in chosen.rows] == ["manual"]


def test_runs_of_one_session_are_told_apart(tmp_path: Path) -> None:
    touch(tmp_path, *(f"sub-1/anat/sub-1_run-{n}_T2w{end}" for n in (1, 2) for end in (".nii.gz", ".json")))
    touch(tmp_path, *(f"derivatives/d/sub-1/sub-1_run-{n}_seg-vert_msk.nii.gz" for n in (1, 2)))
    rows = table(tmp_path, scheme="verse")
    assert rows["session"].tolist() == ["run-1", "run-2"]
    assert [Path(m).name for m in rows["mask"]] == [f"sub-1_run-{n}_seg-vert_msk.nii.gz" for n in (1, 2)]


def test_totalsegmentator_folders_of_single_files(tmp_path: Path) -> None:
    for case in ("s0001", "s0002"):
        touch(tmp_path, f"{case}/ct.nii.gz", f"{case}/segmentations/vertebrae_L1.nii.gz",
              f"{case}/segmentations/liver.nii.gz")  # fmt: skip
    touch(tmp_path, "s0003/segmentations/vertebrae_L1.nii.gz")
    found = discover(tmp_path)
    rows = found.frame(tmp_path)
    assert rows["mask"].tolist() == ["s0001/segmentations", "s0002/segmentations"]
    assert rows["image"].tolist() == ["s0001/ct.nii.gz", "s0002/ct.nii.gz"]
    assert rows["scheme"].unique().tolist() == ["names"]
    assert list(found.left_out) == [tmp_path / "s0003" / "segmentations"]


def test_totalsegmentator_multi_label_files_beside_an_image_folder(tmp_path: Path) -> None:
    touch(tmp_path, "images/p1.nii.gz", "images/p2.nii.gz", "masks/p1.nii.gz", "masks/p9.nii.gz")
    found = discover(tmp_path / "masks", images=tmp_path / "images")
    assert [(row.subject_id, row.sequence) for row in found.rows] == [("p1", "CT")]
    assert found.scheme == "totalsegmentator"
    assert sorted(path.name for path in found.left_out) == ["p2.nii.gz", "p9.nii.gz"]


def test_pattern_with_raters_and_dicom_folders(tmp_path: Path) -> None:
    touch(
        tmp_path,
        "A1/T1/0001.dcm",
        "A1/STIR/0001.dcm",
        "masks/A1_T1_anna.nii.gz",
        "masks/A1_T1_ben.nii.gz",
        "masks/A1_STIR_anna.nii.gz",
        "masks/B2_T1_anna.nii.gz",
    )
    found = discover_pattern(
        tmp_path, "{subject}/{sequence}/", "masks/{subject}_{sequence}_{rater}.nii.gz", "verse"
    )
    assert [row.key() for row in found.rows] == [
        ("A1", "", "STIR", "anna"),
        ("A1", "", "T1", "anna"),
        ("A1", "", "T1", "ben"),
    ]
    assert found.rows[0].image == tmp_path / "A1" / "STIR"
    assert found.left_out == {tmp_path / "masks" / "B2_T1_anna.nii.gz": "no image fits the pattern of images"}


def test_two_images_of_one_scan_id_are_both_left_out(tmp_path: Path) -> None:
    touch(tmp_path, "p1/a_ct.nii.gz", "p1/b_ct.nii.gz", "p1/seg.nii.gz")
    found = discover_pattern(
        tmp_path, "{subject}/*_ct.nii.gz", "{subject}/seg.nii.gz", "verse", sequence="CT"
    )
    assert not found.rows
    assert len(found.left_out) == 2


@pytest.mark.parametrize(
    ("options", "code", "words"),
    [
        ({}, "RV602", "--image"),
        ({"layout": "bids"}, "RV107", "--scheme"),
        ({"layout": "folders", "scheme": "verse"}, "RV602", "bids"),
        ({"image": "{subject}.nii.gz", "scheme": "verse"}, "RV602", "--mask"),
        ({"image": "{patient}.nii.gz", "mask": "{subject}.nrrd", "scheme": "verse"}, "RV602", "{patient}"),
        ({"image": "scan.nii.gz", "mask": "{subject}.nrrd", "scheme": "verse"}, "RV602", "{subject}"),
        ({"image": "{subject}.nii.gz", "mask": "{subject}.nrrd", "scheme": "verse"}, "RV602", "--sequence"),
    ],
)
def test_wrong_requests_are_told_why(tmp_path: Path, options: dict[str, str], code: str, words: str) -> None:
    touch(tmp_path, "readme.txt")
    with pytest.raises(CohortError) as caught:
        discover(tmp_path, **options)  # type: ignore[arg-type]
    assert caught.value.problems[0].code == code
    assert words in str(caught.value)


def test_a_missing_folder_is_named(tmp_path: Path) -> None:
    with pytest.raises(CohortError, match="RV101"):
        guess_layout(tmp_path / "nowhere")


def test_command_writes_the_table_once_and_lists_what_was_left_out(tmp_path: Path) -> None:
    touch(tmp_path, "d/p1/ct.nii.gz", "d/p1/seg.nii.gz", "d/p2/ct.nii.gz")
    arguments = ["manifest", str(tmp_path / "d"), "--image", "{subject}/ct.nii.gz", "--mask",
                 "{subject}/seg.nii.gz", "--scheme", "verse", "--sequence", "CT", "-o",
                 str(tmp_path / "images.csv")]  # fmt: skip
    done = CliRunner().invoke(app, arguments)
    assert done.exit_code == 1
    assert "p2/ct.nii.gz: no mask fits the pattern of masks" in done.output
    text = (tmp_path / "images.csv").read_text("utf-8")
    assert text == "subject_id,sequence,image,mask,scheme\np1,CT,d/p1/ct.nii.gz,d/p1/seg.nii.gz,verse\n"
    again = CliRunner().invoke(app, arguments)
    assert isinstance(again.exception, CohortError)
    assert (tmp_path / "images.csv").read_text("utf-8") == text


def test_command_replaces_the_example_of_init_and_no_other_table(tmp_path: Path) -> None:
    touch(tmp_path, "d/p1/ct.nii.gz", "d/p1/seg.nii.gz")
    CliRunner().invoke(app, ["init", str(tmp_path / "study")])
    table = tmp_path / "study" / "images.csv"
    example = table.read_bytes()
    arguments = ["manifest", str(tmp_path / "d"), "--image", "{subject}/ct.nii.gz", "--mask",
                 "{subject}/seg.nii.gz", "--scheme", "verse", "--sequence", "CT",
                 "--output", str(table)]  # fmt: skip
    assert CliRunner().invoke(app, arguments).exit_code == 0
    assert "p1,CT,../d/p1/ct.nii.gz" in table.read_text("utf-8")
    table.write_bytes(example + b"P002,CT,mine.nii.gz,mask.nii.gz\n")
    again = CliRunner().invoke(app, arguments)
    assert isinstance(again.exception, CohortError)
    assert b"mine" in table.read_bytes()


def test_nothing_found_writes_nothing(tmp_path: Path) -> None:
    touch(tmp_path, "d/p1/ct.nii.gz")
    found = discover_pattern(
        tmp_path, "d/{subject}/ct.nii.gz", "d/{subject}/seg.nii.gz", "verse", sequence="CT"
    )
    with pytest.raises(CohortError, match="RV112"):
        found.write(tmp_path / "images.csv")
    assert not (tmp_path / "images.csv").exists()
