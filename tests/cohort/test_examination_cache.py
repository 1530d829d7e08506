"""A scan that did not change is not opened again; one that did is, however little can be seen of it."""

from __future__ import annotations

import json
import logging
import os
import pickle
from collections.abc import Callable
from dataclasses import fields, replace
from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk

from radiomics_vert.cohort import Cohort, examination_cache, examine_scan, read_cohort
from radiomics_vert.cohort.examination_cache import FILE

Write = Callable[..., None]
CACHE = Path("cache")
HEADER = "subject_id,sequence,image,mask,scheme,kVp,surgeon\n"
LONG_AGO = 1_600_000_000


def _table(*names: str, scheme: str = "verse") -> None:
    rows = [f"{name},CT,{name}.nii.gz,{name}_mask.nii.gz,{scheme},120,Dr. Who\n" for name in names]
    Path("images.csv").write_text(HEADER + "".join(rows), "utf-8")


@pytest.fixture(autouse=True)
def settled(monkeypatch: pytest.MonkeyPatch) -> None:
    """Put the clock of the cache an hour ahead: the files of these tests are seconds old."""
    clock = examination_cache._clock
    monkeypatch.setattr(examination_cache, "_clock", lambda folder: clock(folder) + 3_600_000_000_000)


@pytest.fixture
def opened(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Scans that are examined."""
    found: list[str] = []
    examine = examination_cache.examine_scan
    monkeypatch.setattr(
        examination_cache, "examine_scan", lambda scan: found.append(scan.scan_id) or examine(scan)
    )
    return found


@pytest.fixture
def three(write_scan: Write) -> None:
    """Two scans that can be used, and one whose mask lies on another grid."""
    write_scan("A", [20, 21, 22], seed=1)
    write_scan("B", [19, 20], seed=2)
    write_scan("C", [20], seed=3)
    mask = sitk.GetImageFromArray(np.full((7, 8, 9), 20, dtype=np.uint8))
    sitk.WriteImage(mask, "C_mask.nii.gz")
    _table("A", "B", "C")


def _read(cache: Path | None = CACHE) -> Cohort:
    return read_cohort("images.csv", cache=cache)


def _content(cohort: Cohort) -> bytes:
    """Return all that a cohort says, the order of its mappings included."""
    parts = [getattr(cohort, each.name) for each in fields(cohort)]
    return repr([part.to_csv() if hasattr(part, "to_csv") else part for part in parts]).encode()


def test_a_second_reading_opens_nothing_and_says_the_same(three, opened, caplog):
    with caplog.at_level(logging.INFO, "radiomics_vert.cohort"):
        plain, first, second = _read(None), _read(), _read()
    assert opened == ["A_CT", "B_CT", "C_CT"] * 2
    assert _content(plain) == _content(first) == _content(second)
    assert [len(cohort.cases) for cohort in (plain, second)] == [5, 5]
    assert [refusal.case_id for refusal in second.refused] == ["C_CT"]
    assert "line 4 of the image table" in second.refused[0].problem.where
    told = [record.getMessage() for record in caplog.records]
    assert told == [f"{known} of 3 scans did not change and were not opened again" for known in (0, 3)]


def test_it_says_what_the_examination_itself_says(three):
    _read()
    cohort = _read()
    for scan in cohort.scans:
        assert examine_scan(scan)[0] == tuple(case for case in cohort.cases if case.scan is scan)


def test_without_a_folder_nothing_is_kept(three, opened, study):
    before = sorted(study.iterdir())
    _read(None), _read(None)
    assert len(opened) == 6
    assert sorted(study.iterdir()) == before


def test_the_number_of_workers_changes_no_byte(three, study):
    table = study / "images.csv"  # workers may have been started in another folder
    assert _content(read_cohort(table, cache=CACHE, n_jobs=2)) == _content(read_cohort(table))
    assert _content(read_cohort(table, cache=CACHE)) == _content(read_cohort(table))


def test_a_file_that_only_a_worker_does_not_see_is_looked_for_again(three, opened, monkeypatch):
    whole = examination_cache.examine_scan
    lost = lambda scan: whole(replace(scan, mask=Path("gone.nii.gz")))  # noqa: E731
    with monkeypatch.context() as patch:
        patch.setattr(examination_cache, "examine_scan", lost)
        assert len(_read().refused) == 3
    assert _content(_read()) == _content(_read(None))


def _replaced(path: Path) -> None:
    """Put another file of the same size and time in its place."""
    content = bytearray(path.read_bytes())
    content[4:8] = b"\1\0\0\0"  # the time within the gzip header
    known = path.stat()
    other = path.with_name("other")
    other.write_bytes(content)
    os.utime(other, ns=(known.st_atime_ns, known.st_mtime_ns))
    other.replace(path)
    assert (path.stat().st_size, path.stat().st_mtime_ns) == (known.st_size, known.st_mtime_ns)


def _changed(path: Path) -> None:
    volume = sitk.ReadImage(str(path))
    volume[3, 4, 5] = 20
    sitk.WriteImage(volume, str(path))


CHANGES = {
    "changed": _changed,
    "replaced": _replaced,
    "truncated": lambda path: os.truncate(path, path.stat().st_size - 9),
    "touched": lambda path: os.utime(path, (LONG_AGO, LONG_AGO)),
    "removed": lambda path: path.unlink(),
}


@pytest.mark.parametrize("file", ["A.nii.gz", "A_mask.nii.gz"])
@pytest.mark.parametrize("change", CHANGES)
def test_a_file_that_is_not_the_one_it_was_is_examined_again(three, opened, change, file):
    _read()
    opened.clear()
    CHANGES[change](Path(file))
    cohort = _read()
    assert opened == ["A_CT"]
    assert _content(cohort) == _content(_read(None))
    refused = {refusal.case_id for refusal in cohort.refused}
    assert ("A_CT" in refused) == (change in ("truncated", "removed"))


def test_a_sidecar_that_appears_is_read(three, opened):
    _read()
    opened.clear()
    Path("B.json").write_text(json.dumps({"Manufacturer": "Acme"}), "utf-8")
    cohort = _read()
    assert opened == ["B_CT"]
    assert cohort.scans[1].facts["manufacturer"] == "Acme"


def test_the_data_file_of_a_detached_header_counts(write_scan, opened):
    write_scan("A", [20, 21])
    for name in ("A", "A_mask"):
        sitk.WriteImage(sitk.ReadImage(f"{name}.nii.gz"), f"{name}.mhd")
    Path("images.csv").write_text(f"{HEADER}A,CT,A.mhd,A_mask.mhd,verse,,\n", "utf-8")
    first = _read()
    data = bytearray(Path("A.raw").read_bytes())
    data[0] ^= 1
    Path("A.raw").write_bytes(data)
    second = _read()
    assert opened == ["A_CT", "A_CT"]
    assert first.scans[0].image_digest != second.scans[0].image_digest


def test_a_file_in_a_folder_of_masks_counts(write_scan, opened):
    write_scan("A", [20])
    Path("masks").mkdir()
    mask = sitk.ReadImage("A_mask.nii.gz")
    sitk.WriteImage(mask, "masks/vertebrae_L1.nii.gz")
    Path("images.csv").write_text(f"{HEADER}A,CT,A.nii.gz,masks,totalsegmentator,,\n", "utf-8")
    assert len(_read().cases) == 1
    moved = sitk.GetImageFromArray(np.roll(sitk.GetArrayFromImage(mask), -6, axis=0))
    moved.CopyInformation(mask)
    sitk.WriteImage(moved, "masks/vertebrae_L2.nii.gz")
    assert len(_read().cases) == 2
    assert opened == ["A_CT", "A_CT"]


def test_another_scheme_or_release_examines_again(three, opened, monkeypatch):
    _read()
    opened.clear()
    _table("A", "B", "C", scheme="totalsegmentator")
    _read()
    assert opened == ["A_CT", "B_CT", "C_CT"]
    opened.clear()
    _table("A", "B", "C")
    _read()
    assert opened == []
    monkeypatch.setattr(examination_cache, "RELEASE", examination_cache.RELEASE + 1)
    _read()
    assert opened == ["A_CT", "B_CT", "C_CT"]


def test_a_row_more_at_the_top_examines_only_what_names_its_line(three, opened, write_scan):
    _read()
    opened.clear()
    write_scan("D", [20], seed=4)
    _table("D", "A", "B", "C")
    cohort = _read()
    assert opened == ["D_CT", "C_CT"]
    assert _content(cohort) == _content(_read(None))
    assert "line 5 of the image table" in cohort.refused[0].problem.where


def test_a_file_that_changed_a_moment_ago_may_change_again(three, opened, monkeypatch):
    youngest = max(path.stat().st_ctime_ns for path in Path().glob("*.nii.gz"))
    monkeypatch.setattr(examination_cache, "_clock", lambda folder: youngest + 1_000_000_000)
    _read(), _read()
    assert len(opened) == 6
    monkeypatch.setattr(examination_cache, "_clock", lambda folder: youngest + 3_000_000_000)
    _read(), _read()
    assert len(opened) == 9


def test_a_file_from_the_future_is_examined_every_time(three, opened):
    os.utime("A.nii.gz", (4_000_000_000, 4_000_000_000))
    _read(), _read()
    assert opened == ["A_CT", "B_CT", "C_CT", "A_CT"]


def test_what_cannot_be_read_is_tried_again(three, opened):
    os.truncate("B.nii.gz", 99)
    first, second = _read(), _read()
    assert opened == ["A_CT", "B_CT", "C_CT", "B_CT"]
    assert {refusal.problem.code for refusal in second.refused if refusal.case_id == "B_CT"} == {"RV202"}
    assert _content(first) == _content(second)


DAMAGES = {
    "cut off": lambda content: content[:-20],
    "without its last line end": lambda content: content[:-1],
    "a digit changed": lambda content: content.replace(b"[20,", b"[21,").replace(b",24,", b",25,"),
    "no text": lambda content: b"\xff\x00\n" + content,
    "empty": lambda content: b"",
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_cache_is_written_again(three, opened, damage):
    expected = _content(_read())
    content = (CACHE / FILE).read_bytes()
    (CACHE / FILE).write_bytes(DAMAGES[damage](content))
    assert (CACHE / FILE).read_bytes() != content
    assert _content(_read()) == expected
    opened.clear()
    assert _content(_read()) == expected
    assert opened == []
    assert sorted((CACHE / FILE).read_bytes().splitlines()) == sorted(content.splitlines())


def test_an_interrupted_reading_goes_on_where_it_stopped(three, opened):
    def interrupt(done: int, total: int) -> None:
        if done == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        read_cohort("images.csv", cache=CACHE, progress=interrupt)
    opened.clear()
    _read()
    assert opened == ["C_CT"]


def test_outdated_lines_do_not_pile_up(three):
    for _ in range(4):
        _changed(Path("A.nii.gz"))
        _read()
    _read()
    assert len((CACHE / FILE).read_bytes().splitlines()) == 3


def test_neither_paths_nor_cells_of_the_table_stand_in_the_cache(three, study):
    _read()
    content = (CACHE / FILE).read_text("utf-8")
    assert str(study) not in content
    assert "Dr. Who" not in content
    assert _read().scans[0].facts["surgeon"] == "Dr. Who"


def test_workers_bring_no_copy_of_the_scheme_back(three):
    record = examination_cache.examine_to_record(_read().scans[0])
    assert len(pickle.dumps(record)) < 3000
