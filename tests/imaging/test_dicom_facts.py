"""Acquisition facts: all that helps to judge a scan, and nothing that tells whose scan it is."""

from __future__ import annotations

import json
import logging
import warnings
from collections.abc import Callable
from functools import cache
from pathlib import Path

import pytest
from dicom_faults import FAULTS, noise, upright
from pydicom import dcmread
from pydicom.datadict import DicomDictionary, keyword_for_tag
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence as Items

from dicom_writing import ds, save, write_enhanced, write_series
from radiomics_vert.errors import ImageError
from radiomics_vert.imaging import (
    acquisition_facts,
    file_digest,
    list_series,
    read_geometry,
    read_image,
)
from radiomics_vert.imaging.dicom.headers import WHITELIST

SECRET = "DOE^JANE"
SECRET_DAY, SECRET_TIME, SECRET_UID, SECRET_AGE = "19610203", "112233.445566", "1.2.840.99999.4711", "061Y"
SECRETS = (SECRET, SECRET.title(), "DOE", "Jane", SECRET_DAY, SECRET_TIME, SECRET_UID, SECRET_AGE, "4711")
# Every tag of the standard that can hold text, a day, a time or an id is filled with one of these.
_TEXT = {"PN", "LO", "SH", "ST", "LT", "UT", "UC", "UR", "AE"}
_OTHER = {
    "DA": SECRET_DAY,
    "TM": SECRET_TIME,
    "DT": SECRET_DAY + "112233",
    "UI": SECRET_UID,
    "AS": SECRET_AGE,
}
# Free text that is read, but must never be repeated.
_READ = ("ContrastBolusAgent", "ProtocolName", "SeriesDescription")
_CHARACTERS = ("SpecificCharacterSet", "TimezoneOffsetFromUTC")


@cache
def secrets() -> Dataset:
    """Every other tag of the standard, private tags, and names inside sequences."""
    image = Dataset()
    for tag, (kind, *_) in DicomDictionary.items():
        keyword = keyword_for_tag(tag)
        if not keyword or keyword in WHITELIST or keyword in _CHARACTERS or not 0x00080000 < tag < 0x50000000:
            continue
        if kind in _TEXT:
            setattr(image, keyword, SECRET)
        elif kind in _OTHER and not keyword.endswith("TransferSyntaxUID"):
            setattr(image, keyword, _OTHER[kind])
    for keyword in _READ:
        setattr(image, keyword, SECRET)
    block = image.private_block(0x0009, SECRET, create=True)
    block.add_new(0x10, "LO", SECRET)
    inner = Dataset()
    inner.PatientName, inner.PatientBirthDate = SECRET, SECRET_DAY
    image.ReferencedPatientSequence = Items([inner])
    image.RequestAttributesSequence = Items([inner])
    return image


def every_secret(k: int, image: Dataset) -> None:
    image.update(secrets())


def require_silence(text: str) -> None:
    for secret in SECRETS:
        assert secret not in text, f"{secret} in {text}"


@pytest.fixture
def logged(caplog: pytest.LogCaptureFixture) -> pytest.LogCaptureFixture:
    caplog.set_level(logging.DEBUG)
    return caplog


def test_no_secret_leaves_the_reader(
    folder: Path, logged: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        write_series(noise(), "scan", change=every_secret)
    assert sum(element.value == SECRET for element in dcmread(next(Path("scan").iterdir()))) > 400
    logged.clear()
    image = read_image("scan")
    series = list_series("scan")
    require_silence(repr(acquisition_facts("scan")) + str(read_geometry("scan")) + image.source)
    require_silence(file_digest("scan") + series[0].title + "".join(map(repr, series[0].frames)))
    require_silence(" ".join(image.volume.GetMetaDataKeys()) + logged.text + "".join(capfd.readouterr()))
    assert acquisition_facts("scan")["contrast_agent"] == "yes"
    # A series is chosen by its description, so the list of a folder shows it, and nothing else.
    shown = series[0].entry.replace(SECRET, "", 1)
    require_silence(shown)


# The faults that keep the tags of the images as they are written here.
REFUSED = [
    "missing slice",
    "uneven spacing",
    "gantry tilt",
    "two orientations",
    "two echoes",
    "copies",
    "two pixel spacings",
    "no position",
    "secondary captures",
    "localizer",
    "one slice",
    "truncated pixel data",
    "truncated header",
    "no pixel data",
    "slope of zero",
]


@pytest.mark.parametrize("name", REFUSED)
def test_no_secret_is_in_a_message(folder: Path, name: str, logged: pytest.LogCaptureFixture) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        FAULTS[name][0]()
        for file in sorted(Path("scan").rglob("*.dcm")):
            if name.startswith("truncated") and file == sorted(Path("scan").rglob("*.dcm"))[4]:
                continue
            image = dcmread(file)
            every_secret(0, image)
            image.save_as(file)
    logged.clear()
    with pytest.raises(ImageError) as caught:
        read_image("scan")
    require_silence(str(caught.value) + repr(caught.value) + repr(caught.value.problems) + logged.text)


def test_a_value_that_cannot_be_read_is_not_quoted(folder: Path, logged: pytest.LogCaptureFixture) -> None:
    # A name under a number's tag: pydicom's own errors, warnings and log quote it.
    for file in write_series(upright(), "scan", rescale=(1.0625, -1024)):
        content = file.read_bytes()
        assert b"1.0625" in content
        file.write_bytes(content.replace(b"1.0625", b"DOE^J "))
    logged.clear()
    with pytest.raises(ImageError, match="RV222") as caught:
        read_image("scan")
    require_silence(str(caught.value) + repr(caught.value) + logged.text)


def typical(k: int, image: Dataset) -> None:
    image.Manufacturer, image.ManufacturerModelName = "Maker", "Scanner 3000"
    image.SoftwareVersions, image.BodyPartExamined, image.PatientPosition = ["VB17", "X"], "LSPINE", "HFS"
    image.SliceThickness, image.SeriesDescription = "2.5", "Wirbelsäule portal-venous DOE"
    image.SpecificCharacterSet = "ISO_IR 192"


def ct(k: int, image: Dataset) -> None:
    typical(k, image)
    image.KVP, image.Exposure, image.ConvolutionKernel = "120", str(200 + 5 * k), "B30f"
    image.XRayTubeCurrent, image.ContrastBolusAgent = "300", "Agent 100 ml for DOE"


def mr(k: int, image: Dataset) -> None:
    typical(k, image)
    image.SeriesDescription = "T2 SPAIR"
    image.MagneticFieldStrength, image.EchoTime, image.RepetitionTime = "1.5", "80.5", "3500"
    image.InversionTime, image.FlipAngle, image.EchoTrainLength = "160", "150", "17"
    image.ScanningSequence, image.SequenceVariant, image.MRAcquisitionType = ["SE", "IR"], "SK", "2D"
    image.SequenceName, image.DiffusionBValue = "*tse2d1_17", 50.0


COMMON = {
    "manufacturer": "Maker",
    "model": "Scanner 3000",
    "software_version": "VB17\\X",
    "patient_position": "HFS",
    "body_part": "LSPINE",
    "slice_thickness": "2.5",
    "pixel_spacing": "1.25 x 0.5",
    "spacing_between_slices": "3",
}


@pytest.mark.parametrize(
    ("modality", "change", "own"),
    [
        (
            "CT",
            ct,
            {
                "kvp": "120",
                "tube_current": "300",
                "exposure": "200-225",
                "convolution_kernel": "B30f",
                "contrast_agent": "yes",
                "contrast_phase": "portal venous",
            },
        ),
        (
            "MR",
            mr,
            {
                "field_strength": "1.5",
                "echo_time": "80.5",
                "repetition_time": "3500",
                "inversion_time": "160",
                "flip_angle": "150",
                "echo_train_length": "17",
                "scanning_sequence": "SE\\IR",
                "sequence_variant": "SK",
                "acquisition_type": "2D",
                "sequence_name": "*tse2d1_17",
                "b_value": "50",
            },
        ),
    ],
)
def test_the_facts_of_a_typical_scan(
    folder: Path, modality: str, change: Callable[[int, Dataset], None], own: dict[str, str]
) -> None:
    write_series(upright(), "scan", modality=modality, change=change)
    assert acquisition_facts("scan") == {"modality": modality, **COMMON, **own}


@pytest.mark.parametrize(
    ("description", "tag", "phase"),
    [
        ("CT Abdomen portal_venous 1.0", "", "portal venous"),
        ("LWS nativ", "", "non-contrast"),
        ("ART. arterial phase", "", "arterial"),
        ("venous", "", "venous"),
        ("venous", "ARTERIAL", "arterial"),
        ("arteriovenous malformation", "", ""),
        ("alternative", "", ""),
        ("", "", ""),
    ],
)
def test_the_contrast_phase_is_one_of_a_closed_list(
    folder: Path, description: str, tag: str, phase: str
) -> None:
    def change(k: int, image: Dataset) -> None:
        image.SeriesDescription, image.ContrastBolusAgentPhase = description, tag

    write_series(upright(), "scan", change=change)
    assert acquisition_facts("scan").get("contrast_phase", "") == phase


def test_text_that_is_too_long_for_a_machine_is_left_out(folder: Path) -> None:
    def change(k: int, image: Dataset) -> None:
        image.SoftwareVersions = ["patient Jane Doe, asked to be called"] * 3

    write_series(upright(), "scan", change=change)
    assert "software_version" not in acquisition_facts("scan")


def test_an_irregular_series_has_facts_but_no_slice_spacing(folder: Path) -> None:
    FAULTS["missing slice"][0]()
    facts = acquisition_facts("scan")
    assert facts["pixel_spacing"] == "1.25 x 0.5"
    assert "spacing_between_slices" not in facts


def test_an_enhanced_object_tells_its_facts_per_frame(folder: Path) -> None:
    def change(image: Dataset) -> None:
        for k, frame in enumerate(image.PerFrameFunctionalGroupsSequence):
            diffusion, timing = Dataset(), Dataset()
            diffusion.DiffusionBValue = 100.0 * k
            timing.RepetitionTime, timing.FlipAngle = ds([4000])[0], 90.0
            frame.MRDiffusionSequence = Items([diffusion])
            frame.MRTimingAndRelatedParametersSequence = Items([timing])

    write_enhanced(upright(), "e.dcm", change=change)
    facts = acquisition_facts("e.dcm")
    assert {name: facts[name] for name in ("b_value", "repetition_time", "flip_angle", "echo_time")} == {
        "b_value": "0-500",
        "repetition_time": "4000",
        "flip_angle": "90",
        "echo_time": "80",
    }


BIDS = {
    "Modality": "MR",
    "Manufacturer": "Maker",
    "ManufacturersModelName": "Scanner 3000",
    "MagneticFieldStrength": 3,
    "SoftwareVersions": "VB17",
    "EchoTime": 0.0805,
    "RepetitionTime": 3.5,
    "InversionTime": 0.16,
    "FlipAngle": 150,
    "SliceThickness": 4.4,
    "SeriesDescription": "T1 post-contrast, arterial, DOE",
    "ContrastBolusIngredient": "GADOLINIUM",
    "PatientName": SECRET,
    "PatientBirthDate": SECRET_DAY,
    "AccessionNumber": "4711",
    "AcquisitionTime": "11:22:33",
    "InstitutionName": "House",
    "ImageType": ["ORIGINAL", SECRET],
    "global": {"const": {"PatientID": SECRET}},
}


@pytest.mark.parametrize("image", ["a.nii.gz", "a.nii", "a.nrrd"])
def test_the_facts_of_a_sidecar_in_the_units_of_dicom(folder: Path, image: str) -> None:
    Path(image).touch()
    Path("a.json").write_text(json.dumps(BIDS))
    facts = acquisition_facts(image)
    assert facts == {
        "modality": "MR",
        "manufacturer": "Maker",
        "model": "Scanner 3000",
        "software_version": "VB17",
        "field_strength": "3",
        "echo_time": "80.5",
        "repetition_time": "3500",
        "inversion_time": "160",
        "flip_angle": "150",
        "slice_thickness": "4.4",
        "contrast_agent": "yes",
        "contrast_phase": "arterial",
    }
    require_silence(repr(facts))


def test_several_numbers_of_a_sidecar_are_a_range(folder: Path) -> None:
    Path("a.json").write_text(json.dumps({"EchoTime": [0.08, 0.02, "?", None], "KVP": True}))
    assert acquisition_facts("a.nii.gz") == {"echo_time": "20-80"}


def test_an_image_without_sidecar_has_no_facts(folder: Path) -> None:
    Path("a.nii.gz").touch()
    assert acquisition_facts("a.nii.gz") == {}


@pytest.mark.parametrize(
    ("content", "found"),
    [(b"{", "JSONDecodeError"), (b"[1]", "a list or a single value"), (b"\xff\xfe\0", "UnicodeDecodeError")],
)
def test_a_sidecar_that_cannot_be_read_is_named(folder: Path, content: bytes, found: str) -> None:
    Path("a.json").write_bytes(content)
    with pytest.raises(ImageError) as caught:
        acquisition_facts("a.nii.gz")
    (problem,) = caught.value.problems
    assert (problem.code, problem.expected, problem.found) == ("RV223", "one JSON object", found)
    assert (problem.where, problem.remedy) == (
        "a.json",
        "write the sidecar again (dcm2niix does), or remove it",
    )


def test_a_single_file_has_facts(folder: Path) -> None:
    image = dcmread(write_series(upright(), "scan", change=ct)[0])
    assert acquisition_facts(save(image, Path("one.dcm")))["kvp"] == "120"
