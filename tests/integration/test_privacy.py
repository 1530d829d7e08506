"""Nothing that tells whose scan it is leaves: a study under pseudonyms, and DICOM with every tag filled."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import warnings
import zlib
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import SimpleITK as sitk

sys.path.insert(0, str(Path(__file__).parents[1] / "imaging"))
from test_dicom_facts import every_secret, require_silence

from dicom_writing import write_series
from radiomics_vert.cohort import pseudonym
from tests_support import SMALL_PARAMETERS, SMALL_STUDY

SECRET = "a-long-random-text-of-44-characters-for-a-test"
NAMES = ("Musterfrau", "Mustermann", "Nachname")


# All commands in one process, whose start takes seconds. It is not that of the tests, so that warnings and
# what C libraries print are seen too.
ONE_AFTER_ANOTHER = """
import sys
from radiomics_vert.cli import main

for command in sys.argv[1:]:
    sys.argv = ["radiomics-vert", *command.split()]
    try:
        main()
    except SystemExit as end:
        if end.code not in (None, 0, 1):
            raise
"""


def _told(commands: list[str], folder: Path) -> str:
    """Return what commands print; none of them is refused."""
    call = [sys.executable, "-c", ONE_AFTER_ANOTHER, *commands]
    wide = {**os.environ, "COLUMNS": "400"}
    done = subprocess.run(call, cwd=folder, capture_output=True, text=True, env=wide, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout + done.stderr


def _texts(folder: Path) -> dict[str, bytes]:
    """Return the content of every file below a folder, and its own path."""
    found = {}
    for path in sorted(folder.rglob("*")):
        if path.is_file():
            content = path.read_bytes()
            name = str(path.relative_to(folder))
            found[name] = name.encode() + (zlib.decompress(content, 47) if name.endswith(".gz") else content)
    return found


def _with_names(cohort: Path, folder: Path) -> list[str]:
    """Copy a cohort and give its patients names, in tables and file names; return the names of the files."""
    shutil.copytree(cohort, folder)
    images = pd.read_csv(folder / "images.csv", dtype=str, keep_default_na=False)
    known = {old: f"{NAMES[k % len(NAMES)]}-{k:02d}" for k, old in enumerate(images["subject_id"].unique())}
    files = []
    for path in [path for path in sorted(folder.rglob("*")) if path.is_file()]:
        renamed = path
        for old, new in known.items():
            renamed = path.with_name(path.name.replace(old, new)) if old in path.name else renamed
        if renamed != path:
            path.rename(renamed)
            files.append(renamed.name)
    for table in ("images.csv", "clinical.csv"):
        text = (folder / table).read_text("utf-8")
        for old, new in known.items():
            text = text.replace(old, new)
        (folder / table).write_text(text, "utf-8")
    return files


@pytest.mark.slow
def test_a_whole_study_under_pseudonyms(small_cohort: Path, tmp_path: Path) -> None:
    """One scan is refused too, because messages about faults are where names slip out."""
    study = tmp_path / "study"
    study.mkdir()
    files = _with_names(small_cohort, study / "cohort")
    assert len(files) >= 28
    images = pd.read_csv(study / "cohort" / "images.csv", dtype=str, keep_default_na=False)
    (study / "cohort" / images["image"].iloc[-1]).write_bytes(b"not an image")
    text = SMALL_STUDY.replace("region: body", "region: body, hash_ids: secret.txt")
    (study / "study.yaml").write_text(text, "utf-8")
    (study / "small.yaml").write_text(SMALL_PARAMETERS, "utf-8")
    (study / "secret.txt").write_text(SECRET, "utf-8")
    terminal = _told(["check .", "run ."], study)
    written = _texts(study / "results") | {f"cache/{k}": v for k, v in _texts(study / ".rv-cache").items()}
    assert "report.html" in written
    assert any(name.endswith("run.log") for name in written)
    assert pseudonym(images["subject_id"].iloc[0], SECRET.encode()).encode() in written["report.html"]
    written["the terminal"] = terminal.encode()
    for name, content in written.items():
        for told in (*NAMES, *files, SECRET):
            assert told.encode() not in content, f"{told} in {name}"


def test_dicom_with_every_tag_filled_through_check_and_extract(tmp_path: Path) -> None:
    rng = np.random.default_rng(2)
    mask = np.zeros((24, 22, 21), np.uint8)
    mask[13:21, 4:18, 4:17] = 20
    mask[3:11, 4:18, 4:17] = 21
    labels = sitk.GetImageFromArray(mask)
    labels.SetSpacing((2.0, 2.0, 3.0))
    sitk.WriteImage(labels, tmp_path / "mask.nii.gz")
    for patient in ("P1", "P2"):
        image = sitk.GetImageFromArray(rng.normal(200, 90, mask.shape).round().astype(np.int16))
        image.CopyInformation(labels)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of pydicom, about the values that fill the tags
            write_series(image, tmp_path / patient, series=patient, change=every_secret)
    (tmp_path / "cohort").mkdir()
    (tmp_path / "cohort" / "images.csv").write_text(
        "subject_id,sequence,image,mask,scheme\n"
        "P1,CT,../P1,../mask.nii.gz,verse\nP2,CT,../P2,../mask.nii.gz,verse\n",
        "utf-8",
    )
    (tmp_path / "cohort" / "clinical.csv").write_text(
        "subject_id,level,diagnosis,age,sex\nP1,L1,metastatic,70,F\nP2,L1,osteoporotic,72,M\n", "utf-8"
    )
    (tmp_path / "study.yaml").write_text(SMALL_STUDY.replace(", region: body", ""), "utf-8")
    (tmp_path / "small.yaml").write_text(SMALL_PARAMETERS, "utf-8")
    pair = "check --image P1 --mask mask.nii.gz --scheme verse --sequence CT --output pair"
    terminal = _told([pair, "check .", "extract ."], tmp_path)
    written = {
        f"{place}/{name}": content
        for place in ("pair", "results")
        for name, content in _texts(tmp_path / place).items()
    }
    assert {"pair/qc/index.html", "pair/qc/quality.csv"} <= written.keys()
    assert any(name.startswith("results/features/") for name in written)
    assert "results/records/cohort_acquisition.csv" in written, sorted(written)
    require_silence(terminal)
    for content in written.values():
        require_silence(content.decode("utf-8", errors="replace"))
