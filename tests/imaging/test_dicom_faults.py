"""Faulty DICOM folders: each is refused with its exact message, and nothing else ever happens."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest
from dicom_faults import FAULTS, at, noise, upright
from pydicom.uid import JPEGLSLossless

from dicom_writing import write_enhanced, write_series
from radiomics_vert.errors import ImageError
from radiomics_vert.imaging import file_digest, read_geometry, read_image, require_complete, require_finite

# One paragraph a case: `## name`, then the message as it is printed. Read it before you change it.
MESSAGES = dict(
    re.findall(
        r"^## (.*)\n((?:(?!## ).*\n)+)", Path(__file__).with_name("dicom_messages.txt").read_text(), re.M
    )
)


@pytest.mark.filterwarnings("ignore::UserWarning:pydicom")
@pytest.mark.parametrize("name", FAULTS)
def test_a_faulty_folder_is_refused_with_its_message(folder: Path, name: str) -> None:
    build, choice = FAULTS[name]
    build()
    with pytest.raises(ImageError) as caught:
        read_image("scan", series=choice)
    assert f"{caught.value}\n" == MESSAGES[name]
    for problem in caught.value.problems:
        assert all((problem.expected, problem.found, problem.where, problem.remedy))


def test_every_message_belongs_to_a_case() -> None:
    assert sorted(MESSAGES) == sorted(FAULTS)
    assert len(FAULTS) >= 60


@pytest.mark.parametrize("read", [read_geometry, require_complete, require_finite])
@pytest.mark.parametrize("name", ["missing slice", "gantry tilt", "two echoes", "localizer", "one slice"])
def test_every_reader_refuses_what_the_image_reader_refuses(folder: Path, name: str, read: object) -> None:
    FAULTS[name][0]()
    with pytest.raises(ImageError) as caught:
        read("scan")
    assert f"{caught.value}\n" == MESSAGES[name]


def test_the_digest_needs_a_clear_choice(folder: Path) -> None:
    FAULTS["several series and no choice"][0]()
    with pytest.raises(ImageError, match="RV212"):
        file_digest("scan")
    assert file_digest("scan", series="1") != file_digest("scan", series="2")


def test_the_choice_of_a_series_does_not_fit_a_nifti_file(folder: Path) -> None:
    Path("a.nii").write_bytes(bytes(400))
    for read in (read_image, read_geometry, require_complete, file_digest):
        with pytest.raises(ImageError, match="RV212") as caught:
            read("a.nii", series="4")
        assert caught.value.problems[0].found == "the file 'a.nii'"


def test_damaged_compressed_data_are_refused(folder: Path) -> None:
    file = write_series(noise(), "scan", syntax=JPEGLSLossless)[2]
    content = bytearray(file.read_bytes())
    start = content.rindex(b"\xff\xd8\xff")
    content[start : start + 8] = bytes(8)
    file.write_bytes(content)
    with pytest.raises(ImageError, match="data that do not decode as JPEG-LS"):
        require_complete("scan")


# The limits, from both sides.


@pytest.mark.parametrize(("moved", "code"), [(0.29, ""), (0.31, "RV216")])
def test_a_slice_may_be_a_tenth_of_the_spacing_off(folder: Path, moved: float, code: str) -> None:
    require_verdict(at(lambda k: (0, 0, 3 * k + (moved if k == 2 else 0))), code)


@pytest.mark.parametrize(("moved", "code"), [(0.049, ""), (0.051, "RV217")])
def test_a_slice_may_be_a_tenth_of_a_pixel_aside(folder: Path, moved: float, code: str) -> None:
    require_verdict(at(lambda k: (moved if k == 5 else 0, 0, 3 * k)), code)


@pytest.mark.parametrize(("apart", "code"), [(0.049, "RV219"), (0.051, "")])
def test_a_tenth_of_a_pixel_apart_is_one_position(folder: Path, apart: float, code: str) -> None:
    require_verdict(at(lambda k: (0, 0, apart * k)), code)


def require_verdict(build: object, code: str) -> None:
    build()
    if code:
        with pytest.raises(ImageError, match=code):
            read_geometry("scan")
    else:
        read_geometry("scan")


# Whatever happens to the bytes, the answer is an image or an ImageError.


@pytest.mark.filterwarnings("ignore::UserWarning:pydicom")
def test_a_file_cut_anywhere_is_never_read(folder: Path) -> None:
    file = write_series(upright(), "scan")[0]
    content = file.read_bytes()
    for keep in range(0, len(content), 13):
        file.write_bytes(content[:keep])
        with pytest.raises(ImageError):
            read_image("scan")


@pytest.mark.parametrize("enhanced", [False, True])
def test_damaged_bytes_never_crash(folder: Path, enhanced: bool) -> None:
    if enhanced:
        Path("scan").mkdir()
        file = write_enhanced(upright(), "scan/enhanced.dcm", scales=[(1, 0)] * 6)
    else:
        file = write_series(upright(), "scan", rescale=(1, -1024))[0]
    content = file.read_bytes()
    header = content.rindex(b"\xe0\x7f\x10\x00") + 12
    random = np.random.default_rng(17)
    read = 0
    for _ in range(120):
        damaged = bytearray(content)
        for place in random.integers(132, header, 3):
            damaged[place] = random.integers(256)
        file.write_bytes(damaged)
        try:
            read_image("scan")
            read += 1
        except ImageError:
            continue
    assert 0 < read < 120
