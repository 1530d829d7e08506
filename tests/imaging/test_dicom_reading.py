"""A volume written as DICOM comes back with the same voxels at the same places."""

from __future__ import annotations

import time
from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk
from imaging_grids import on_grid
from pydicom import dcmread
from pydicom.dataset import Dataset
from pydicom.uid import (
    UID,
    DeflatedExplicitVRLittleEndian,
    ExplicitVRBigEndian,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
    JPEG2000Lossless,
    JPEGLosslessSV1,
    JPEGLSLossless,
    RLELossless,
)

from dicom_writing import save, write_enhanced, write_series
from radiomics_vert.imaging import (
    acquisition_facts,
    file_digest,
    list_series,
    read_geometry,
    read_image,
    require_complete,
    require_finite,
)
from radiomics_vert.imaging.dicom import choose_series

SYNTAXES = [
    ImplicitVRLittleEndian,
    ExplicitVRLittleEndian,
    ExplicitVRBigEndian,
    DeflatedExplicitVRLittleEndian,
    RLELossless,
    JPEGLSLossless,
    JPEGLosslessSV1,
    JPEG2000Lossless,
]


@pytest.fixture
def volume() -> sitk.Image:
    """Noise of 16 bits on an oblique grid of 17 x 18 x 9 voxels of 0.5 x 1.25 x 3 mm."""
    return on_grid(np.random.default_rng(3).integers(-1000, 1000, (9, 18, 17)).astype(np.int16))


def require_same(found: sitk.Image, wanted: sitk.Image) -> None:
    """Voxels identical, every corner within a millionth of a voxel."""
    np.testing.assert_array_equal(sitk.GetArrayFromImage(found), sitk.GetArrayFromImage(wanted))
    assert found.GetSize() == wanted.GetSize()
    size = np.array(wanted.GetSize()) - 1
    for corner in np.ndindex(2, 2, 2):
        index = (size * corner).tolist()
        point = wanted.TransformIndexToPhysicalPoint(index)
        np.testing.assert_allclose(
            found.TransformPhysicalPointToContinuousIndex(point), index, rtol=0, atol=1e-6
        )


@pytest.mark.parametrize("syntax", SYNTAXES, ids=lambda syntax: syntax.keyword)
@pytest.mark.parametrize("modality", ["CT", "MR"])
def test_every_transfer_syntax_keeps_voxels_and_grid(
    folder: Path, volume: sitk.Image, syntax: UID, modality: str
) -> None:
    write_series(volume, "series", syntax=syntax, modality=modality)
    image = read_image("series")
    require_same(image.volume, volume)
    assert image.array().dtype == np.int16
    assert read_geometry("series") == image.geometry
    require_complete("series")
    require_finite("series")


@pytest.mark.parametrize("syntax", [ExplicitVRLittleEndian, RLELossless, JPEGLosslessSV1, JPEG2000Lossless])
@pytest.mark.parametrize("modality", ["CT", "MR"])
def test_slope_and_intercept_apply_to_every_modality_and_syntax(
    folder: Path, volume: sitk.Image, syntax: UID, modality: str
) -> None:
    write_series(volume, "series", syntax=syntax, modality=modality, rescale=(2, -1024))
    found = read_image("series").array()
    np.testing.assert_array_equal(found, sitk.GetArrayFromImage(volume).astype(int) * 2 - 1024)
    assert found.dtype == np.int16


def test_each_slice_has_its_own_slope(folder: Path, volume: sitk.Image) -> None:
    def own(k: int, image: Dataset) -> None:
        image.RescaleSlope, image.RescaleIntercept = f"{1 + k / 10:.1f}", str(k)

    write_series(volume, "series", change=own, modality="MR")
    found = read_image("series").array()
    slopes = 1 + np.arange(9)[:, None, None] / 10
    expected = sitk.GetArrayFromImage(volume) * slopes + np.arange(9)[:, None, None]
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, expected, rtol=1e-6, atol=1e-5)


def test_whole_values_take_the_smallest_type_that_holds_them(folder: Path, volume: sitk.Image) -> None:
    wide = sitk.Cast(volume + 40000, sitk.sitkUInt16)
    write_series(wide, "unsigned")
    assert read_image("unsigned").array().dtype == np.uint16
    require_same(read_image("unsigned").volume, wide)
    write_series(volume, "scaled", rescale=(100, 0))
    found = read_image("scaled").array()
    assert found.dtype == np.int32
    np.testing.assert_array_equal(found, sitk.GetArrayFromImage(volume).astype(int) * 100)


def test_bits_beyond_the_stored_ones_are_ignored(folder: Path, volume: sitk.Image) -> None:
    # Overlay planes and sign bits used to live there.
    stored = sitk.GetArrayFromImage(volume)
    twelve = np.clip(stored, -2048, 2047).view(np.uint16) & 0x0FFF

    def signed(k: int, image: Dataset) -> None:
        image.PixelRepresentation = 1

    for name, array, change in (
        ("signed", twelve, signed),
        ("unsigned", (stored + 1000).astype(np.uint16) | 0x7000, lambda k, image: None),
    ):
        written = sitk.GetImageFromArray(array)
        written.CopyInformation(volume)
        write_series(written, name, bits=12, change=change)
    np.testing.assert_array_equal(read_image("signed").array(), stored)
    np.testing.assert_array_equal(read_image("unsigned").array(), (stored + 1000) & 0x0FFF)


def test_order_comes_from_positions_alone(folder: Path, volume: sitk.Image) -> None:
    files = write_series(volume, "series")
    assert [file.name for file in files] != sorted(file.name for file in files)
    numbers = [dcmread(file).InstanceNumber for file in files]
    assert numbers == sorted(numbers, reverse=True)
    assert read_geometry("series").spacing[2] == pytest.approx(3, rel=1e-9)  # the header says 77 and 99


@pytest.mark.parametrize("axes", [(0, 1, 2), (2, 0, 1), (1, 2, 0)])
@pytest.mark.parametrize("flips", [(False, False, False), (True, True, False), (False, True, True)])
def test_planes_in_any_direction(
    folder: Path, volume: sitk.Image, axes: tuple[int, ...], flips: tuple[bool, ...]
) -> None:
    turned = sitk.Flip(sitk.PermuteAxes(volume, axes), flips, flipAboutOrigin=False)
    write_series(turned, "series")
    found = read_image("series").volume
    if np.linalg.det(np.array(turned.GetDirection()).reshape(3, 3)) < 0:
        turned = sitk.Flip(turned, (False, False, True), flipAboutOrigin=False)
    require_same(found, turned)


def test_a_nifti_image_written_as_dicom_is_the_same_image(folder: Path, volume: sitk.Image) -> None:
    sitk.WriteImage(volume, "a.nii.gz")
    nifti = read_image("a.nii.gz")
    write_series(nifti.volume, "series")
    require_same(read_image("series").volume, nifti.volume)


@pytest.mark.parametrize("syntax", [ExplicitVRLittleEndian, RLELossless, JPEG2000Lossless])
def test_an_enhanced_object_has_scale_and_place_per_frame(
    folder: Path, volume: sitk.Image, syntax: UID
) -> None:
    scales = [(k + 1, -10 * k) for k in range(9)]
    write_enhanced(volume, "enhanced.dcm", scales=scales, syntax=syntax)
    found = read_image("enhanced.dcm")
    expected = np.stack(
        [
            plane * slope + add
            for plane, (slope, add) in zip(sitk.GetArrayFromImage(volume), scales, strict=True)
        ]
    )
    np.testing.assert_array_equal(found.array(), expected)
    wanted = sitk.GetImageFromArray(found.array().copy())
    wanted.CopyInformation(volume)
    require_same(found.volume, wanted)


def test_one_echo_of_an_enhanced_object_is_chosen(folder: Path, volume: sitk.Image) -> None:
    write_enhanced(volume, "enhanced.dcm", echoes=(20.0, 80.5))
    require_same(read_image("enhanced.dcm", series=";EchoTime=20").volume, volume)
    require_same(read_image("enhanced.dcm", series=" 4 ; echotime = 80.5").volume, volume + 1)
    digests = {file_digest("enhanced.dcm", series=f";EchoTime={time}") for time in ("20", "80.5")}
    assert len(digests) == 2
    assert acquisition_facts("enhanced.dcm")["echo_time"] == "20-80.5"
    assert acquisition_facts("enhanced.dcm", series=";EchoTime=20")["echo_time"] == "20"


def test_one_echo_of_a_classic_series_is_chosen(folder: Path, volume: sitk.Image) -> None:
    for echo in (80, 20):

        def timed(k: int, image: Dataset, echo: int = echo) -> None:
            image.EchoTime, image.SOPInstanceUID = str(echo), f"2.25.{echo}{k}"

        write_series(volume + echo, f"scan/{echo}", modality="MR", change=timed)
    require_same(read_image("scan", series=";EchoTime=20").volume, volume + 20)
    require_same(read_image("scan", series="4;EchoTime=80").volume, volume + 80)
    assert (
        choose_series("scan", "4;EchoTime=80").title == "series 4 with EchoTime=80 (MR, 9 images of 18 x 17)"
    )


def three_series(volume: sitk.Image) -> None:
    for number, (name, modality) in enumerate([("SAG T1", "MR"), ("SAG T2 FS", "MR"), ("Becken", "CT")], 1):

        def named(k: int, image: Dataset, number: int = number, name: str = name) -> None:
            image.SeriesNumber, image.SeriesDescription = number, name

        write_series(volume + number, "study", series=f"s{number}", modality=modality, change=named)


@pytest.mark.parametrize(
    ("choice", "number"),
    [("1", 1), ("sag t2 fs", 2), ("Becken", 3), ("t2", 2), ("SAG T1", 1), ("eCk", 3)],
)
def test_a_series_is_chosen_by_number_or_description(
    folder: Path, volume: sitk.Image, choice: str, number: int
) -> None:
    three_series(volume)
    require_same(read_image("study", series=choice).volume, volume + number)


def test_a_series_is_chosen_by_its_uid(folder: Path, volume: sitk.Image) -> None:
    three_series(volume)
    for found in list_series("study"):
        assert choose_series("study", found.uid).number == found.number


def test_series_are_listed_in_order_with_what_they_are(folder: Path, volume: sitk.Image) -> None:
    three_series(volume)
    Path("study/notes.txt").write_text("no image")
    Path("study/DICOMDIR").write_bytes(bytes(200))
    Path("study/._a0001.dcm").write_bytes(b"left by another system")
    listed = list_series("study")
    assert [(one.number, one.description, one.modality, one.kind) for one in listed] == [
        ("1", "SAG T1", "MR", "volume"),
        ("2", "SAG T2 FS", "MR", "volume"),
        ("3", "Becken", "CT", "volume"),
    ]
    assert [(len(one.files), one.rows, one.columns) for one in listed] == [(9, 18, 17)] * 3


def test_a_localizer_and_a_screenshot_beside_one_volume_need_no_choice(
    folder: Path, volume: sitk.Image
) -> None:
    def localizer(k: int, image: Dataset) -> None:
        image.ImageType = ["ORIGINAL", "PRIMARY", "LOCALIZER"]

    def capture(k: int, image: Dataset) -> None:
        image.SOPClassUID = "1.2.840.10008.5.1.4.1.1.7"

    write_series(volume, "study/a")
    write_series(volume, "study/b", series="b", change=localizer)
    write_series(volume, "study/c", series="c", change=capture)
    assert sorted(one.kind for one in list_series("study")) == ["localizer", "secondary capture", "volume"]
    require_same(read_image("study").volume, volume)


def test_files_without_preamble_or_ending_are_read(folder: Path, volume: sitk.Image) -> None:
    for k, file in enumerate(write_series(volume, "series", syntax=ImplicitVRLittleEndian)):
        image = dcmread(file)
        file.unlink()
        del image.file_meta
        image.save_as(f"series/IM{k}", implicit_vr=True, little_endian=True)
    require_same(read_image("series").volume, volume)


def test_the_digest_depends_on_contents_not_on_names(folder: Path, volume: sitk.Image) -> None:
    files = write_series(volume, "series")
    digest = file_digest("series")
    for k, file in enumerate(files):
        file.rename(file.with_name(f"z{9 - k}"))
    assert file_digest("series") == digest
    content = bytearray(Path("series/z3").read_bytes())
    content[-1] ^= 1
    Path("series/z3").write_bytes(content)
    assert file_digest("series") != digest


def test_positions_rounded_to_a_tenth_are_accepted(folder: Path, volume: sitk.Image) -> None:
    volume = sitk.GetImageFromArray(sitk.GetArrayFromImage(volume))
    volume.SetSpacing((0.5, 1.25, 0.625))

    def rounded(k: int, image: Dataset) -> None:
        image.ImagePositionPatient = ["0", "0", f"{k * 0.625:.1f}"]

    write_series(volume, "series", change=rounded)
    assert read_geometry("series").spacing == pytest.approx((0.5, 1.25, 0.625))


def test_padding_is_left_as_it_is_and_reported(folder: Path, volume: sitk.Image) -> None:
    padded = sitk.GetArrayFromImage(volume)
    padded[:, 0] = -2000
    stored = sitk.GetImageFromArray(padded)
    stored.CopyInformation(volume)

    def padding(k: int, image: Dataset) -> None:
        image.add_new("PixelPaddingValue", "SS", -2000)

    write_series(stored, "series", rescale=(1, -1024), change=padding)
    assert read_image("series").array().min() == -3024
    assert acquisition_facts("series")["padding_value"] == "-3024"


def test_300_slices_are_listed_in_about_a_second(folder: Path) -> None:
    volume = sitk.GetImageFromArray(np.zeros((300, 64, 64), dtype=np.int16))
    write_series(volume, "series")
    start = time.perf_counter()
    (listed,) = list_series("series")
    assert len(listed.frames) == 300
    assert time.perf_counter() - start < 3  # 0.3 s on a quiet core


def test_nothing_is_written_beside_the_images(folder: Path, volume: sitk.Image) -> None:
    write_series(volume, "series", syntax=JPEG2000Lossless)
    before = sorted(Path().rglob("*"))
    read_image("series")
    assert sorted(Path().rglob("*")) == before


@pytest.mark.data
def test_real_series_agree_with_their_nifti(real_data: Path) -> None:
    folder = real_data / "nasty_dicom" / "dicom2nifti_failing" / "slicecount"
    found = read_image(folder / "001").volume
    truth = sitk.ReadImage(str(folder / "001_ground_truth.nii.gz"), found.GetPixelID())
    # The ground truth may store its axes in another order: compare in space.
    moved = sitk.Resample(truth, found, sitk.Transform(), sitk.sitkNearestNeighbor, -1)
    np.testing.assert_array_equal(sitk.GetArrayFromImage(moved), sitk.GetArrayFromImage(found))


@pytest.mark.data
def test_a_real_series_agrees_with_itk(real_data: Path) -> None:
    folder = real_data / "dcmqi_ct3slice_spine" / "ct-3slice"
    reader = sitk.ImageSeriesReader()
    reader.SetFileNames(reader.GetGDCMSeriesFileNames(str(folder)))
    wanted = reader.Execute()
    found = read_image(folder)
    np.testing.assert_array_equal(found.array(), sitk.GetArrayFromImage(wanted))
    np.testing.assert_allclose(found.geometry.spacing, (0.810547, 0.810547, 1.0), rtol=1e-9)
    np.testing.assert_allclose(found.geometry.origin, wanted.GetOrigin(), rtol=1e-9)
    # The header says 1.25 mm thick; the positions are 1 mm apart.
    assert acquisition_facts(folder)["slice_thickness"] == "1.25"


def test_a_single_file_object_is_read_without_an_ending(folder: Path, volume: sitk.Image) -> None:
    file = write_enhanced(volume, "enhanced.dcm").rename("IM0001")
    require_same(read_image(file).volume, volume)
    assert save(dcmread(file), Path("again.dcm")).is_file()
