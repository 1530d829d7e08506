"""Images and masks come back as they were written, in every format."""

from __future__ import annotations

import gzip
import hashlib
import struct
from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk
from imaging_grids import COSINE, SINE, on_grid

from radiomics_vert.errors import ImageError
from radiomics_vert.imaging import (
    Image,
    LabelMap,
    file_digest,
    nifti,
    read_geometry,
    read_image,
    read_label_map,
    reading,
    require_finite,
)

FORMATS = ["a.nii", "a.nii.gz", "a.nrrd", "a.nhdr", "a.mha", "a.mhd"]


@pytest.mark.parametrize("compressed", [True, False])
@pytest.mark.parametrize("name", FORMATS)
def test_every_format_keeps_voxels_and_grid(
    folder: Path, intensities: np.ndarray, name: str, compressed: bool
) -> None:
    sitk.WriteImage(on_grid(intensities), name, useCompression=compressed)
    image = read_image(name)
    assert isinstance(image, Image)
    assert image.source == name
    np.testing.assert_array_equal(image.array(), intensities)
    grid = read_geometry(name)
    assert grid.size == (7, 8, 9)
    np.testing.assert_allclose(grid.spacing, (0.5, 1.25, 3.0), rtol=1e-6)
    np.testing.assert_allclose(grid.origin, (-10, 20, -300), rtol=1e-6)
    np.testing.assert_allclose(grid.direction, (1, 0, 0, 0, COSINE, -SINE, 0, SINE, COSINE), atol=1e-6)
    assert grid == image.geometry


def test_the_voxels_of_an_image_cannot_be_written(folder: Path, intensities: np.ndarray) -> None:
    sitk.WriteImage(on_grid(intensities), "a.nii")
    with pytest.raises(ValueError, match="read-only"):
        read_image("a.nii").array()[0, 0, 0] = 1


def test_the_qform_counts_when_the_sform_is_unset(folder: Path, intensities: np.ndarray) -> None:
    sitk.WriteImage(on_grid(intensities), "a.nii")
    whole = read_geometry("a.nii")
    content = bytearray(Path("a.nii").read_bytes())
    content[254:256] = struct.pack("<h", 0)  # sform_code
    content[280:328] = bytes(48)  # the sform itself
    Path("b.nii").write_bytes(content)
    assert read_geometry("b.nii").matches(whole)


def test_one_volume_stored_as_four_dimensions_is_three_dimensional(
    folder: Path, intensities: np.ndarray
) -> None:
    sitk.WriteImage(sitk.JoinSeries([on_grid(intensities)]), "a.nrrd")
    image = read_image("a.nrrd")
    np.testing.assert_array_equal(image.array(), intensities)
    assert image.geometry == read_geometry("a.nrrd")
    assert image.geometry.size == (7, 8, 9)


def test_a_gzip_file_of_two_members_is_complete(folder: Path, intensities: np.ndarray) -> None:
    sitk.WriteImage(on_grid(intensities), "a.nii")
    plain = Path("a.nii").read_bytes()
    Path("b.nii.gz").write_bytes(gzip.compress(plain[:700]) + gzip.compress(plain[700:]))
    np.testing.assert_array_equal(read_image("b.nii.gz").array(), intensities)


@pytest.mark.parametrize("kind", [np.uint8, np.int16, np.int32, np.int64, np.float32, np.float64])
def test_masks_of_every_number_type_become_the_smallest_whole_numbers(
    folder: Path, labels: np.ndarray, kind: type[np.generic]
) -> None:
    sitk.WriteImage(on_grid(labels.astype(kind)), "m.nrrd")
    mask = read_label_map("m.nrrd")
    assert isinstance(mask, LabelMap)
    assert mask.array().dtype == np.uint8
    np.testing.assert_array_equal(mask.array(), labels)


@pytest.mark.parametrize(("largest", "kind"), [(255, np.uint8), (256, np.uint16), (65536, np.uint32)])
def test_labels_take_as_many_bits_as_the_largest_needs(
    folder: Path, labels: np.ndarray, largest: int, kind: type[np.generic]
) -> None:
    sitk.WriteImage(on_grid(np.where(labels == 5, largest, 0).astype(np.int32)), "m.nrrd")
    array = read_label_map("m.nrrd").array()
    assert (array.dtype, array.max()) == (kind, largest)


def test_labels_above_16_bits_are_kept(folder: Path, labels: np.ndarray) -> None:
    sitk.WriteImage(on_grid(labels.astype(np.float64) * 20000), "m.nrrd")
    array = read_label_map("m.nrrd").array()
    assert array.dtype == np.uint32
    assert sorted(np.unique(array)) == [0, 40000, 100000]


def test_the_largest_16_bit_label_stays_16_bits(folder: Path, labels: np.ndarray) -> None:
    sitk.WriteImage(on_grid(np.where(labels == 5, 65535, 0).astype(np.int32)), "m.nrrd")
    array = read_label_map("m.nrrd").array()
    assert (array.dtype, array.max()) == (np.uint16, 65535)


@pytest.mark.parametrize("name", ["a.nii", "a.nii.gz", "a.nrrd"])
def test_finite_fractions_are_kept(folder: Path, intensities: np.ndarray, name: str) -> None:
    sitk.WriteImage(on_grid(intensities / np.float32(8)), name)
    require_finite(name)
    np.testing.assert_array_equal(read_image(name).array(), intensities / np.float32(8))


def test_the_digest_is_the_sha256_of_the_file(folder: Path, intensities: np.ndarray) -> None:
    sitk.WriteImage(on_grid(intensities), "a.nrrd")
    assert file_digest("a.nrrd") == hashlib.sha256(Path("a.nrrd").read_bytes()).hexdigest()


@pytest.mark.parametrize(("header", "data"), [("a.mhd", "a.raw"), ("a.nhdr", "a.raw")])
def test_the_digest_of_a_detached_header_includes_its_data(
    folder: Path, intensities: np.ndarray, header: str, data: str
) -> None:
    sitk.WriteImage(on_grid(intensities), header, useCompression=False)
    both = Path(header).read_bytes() + Path(data).read_bytes()
    assert file_digest(header) == hashlib.sha256(both).hexdigest()
    changed = bytearray(Path(data).read_bytes())
    changed[10] ^= 1
    Path(data).write_bytes(changed)
    assert file_digest(header) != hashlib.sha256(both).hexdigest()


def test_itk_says_nothing_on_the_terminal(
    folder: Path, intensities: np.ndarray, capfd: pytest.CaptureFixture[str]
) -> None:
    sitk.WriteImage(on_grid(intensities), "a.nii")
    content = bytearray(Path("a.nii").read_bytes())
    content[80:84] = struct.pack("<f", 9.0)  # pixdim contradicts the sform: ITK warns
    Path("a.nii").write_bytes(content)
    loud = sitk.ProcessObject.GetGlobalWarningDisplay()
    sitk.ReadImage("a.nii")
    assert "WARNING" in capfd.readouterr().err
    read_image("a.nii")
    assert capfd.readouterr().err == ""
    assert sitk.ProcessObject.GetGlobalWarningDisplay() == loud


@pytest.mark.data
def test_one_image_in_48_orientations_is_one_image(real_data: Path) -> None:
    files = sorted((real_data / "nasty_nifti" / "orientation48").glob("*.nii.gz"))
    assert len(files) == 48
    reference = read_image(real_data / "nasty_nifti" / "orientation48" / "LPS.nii.gz")
    centres = set()
    for file in files:
        image = read_image(file)
        low, high = image.geometry.corners().min(axis=0), image.geometry.corners().max(axis=0)
        centres.add(tuple(np.round((low + high) / 2, 2)))
        assert sorted(image.geometry.size) == sorted(reference.geometry.size)
    assert len(centres) == 1


@pytest.mark.data
def test_a_float64_mask_of_a_real_scan_is_accepted(real_data: Path) -> None:
    mask = read_label_map(real_data / "mri_sct" / "t2_seg-manual_labeled.nii.gz")
    assert mask.array().dtype == np.uint8
    assert sorted(np.unique(mask.array())) == [0, 2, 3, 4, 5]


@pytest.mark.parametrize("name", ["a.nii", "a.nii.gz"])
def test_nan_is_found_beyond_the_first_piece_of_a_file(folder: Path, name: str) -> None:
    array = np.random.default_rng(5).normal(size=(29, 31, 37)).astype(np.float64)
    array[28, 17, 36] = -np.inf
    sitk.WriteImage(on_grid(array), name)
    with pytest.raises(ImageError, match=r"1 voxels NaN or infinite, the first at voxel \(36, 17, 28\)"):
        read_image(name)


def test_voxels_behind_a_long_header_extension(folder: Path, intensities: np.ndarray) -> None:
    array = intensities.astype(np.float32)
    array[2, 3, 4] = np.nan
    sitk.WriteImage(on_grid(array), "a.nii")
    content = Path("a.nii").read_bytes()
    header = content[:108] + struct.pack("<f", 352 + 70_000) + content[112:352]
    # All ones are NaN as 32-bit floats: a reader that forgets the offset finds them.
    Path("a.nii").write_bytes(header + b"\xff" * 70_000 + content[352:])
    with pytest.raises(ImageError, match=r"1 voxels NaN or infinite, the first at voxel \(4, 3, 2\)"):
        read_image("a.nii")


@pytest.fixture
def decompressed(monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    """Files that were decompressed a second time, to verify them."""
    found: list[Path] = []
    whole = reading.require_complete
    monkeypatch.setattr(reading, "require_complete", lambda path: found.append(path) or whole(path))
    return found


@pytest.mark.parametrize("kind", [np.uint8, np.int16, np.int32])
def test_a_compressed_mask_is_verified_by_the_checksum_of_what_was_loaded(
    folder: Path, labels: np.ndarray, decompressed: list[Path], kind: type[np.generic]
) -> None:
    sitk.WriteImage(on_grid(labels.astype(kind)), "m.nii.gz")
    np.testing.assert_array_equal(read_label_map("m.nii.gz").array(), labels)
    assert decompressed == []


def _two_members(plain: bytes) -> bytes:
    return gzip.compress(plain[:700]) + gzip.compress(plain[700:])


@pytest.mark.parametrize(
    "stored",
    [
        pytest.param(_two_members, id="two members"),
        pytest.param(lambda plain: gzip.compress(plain + b"more"), id="bytes behind the voxels"),
        pytest.param(lambda plain: gzip.compress(plain) + b"more", id="bytes behind the stream"),
    ],
)
def test_what_the_checksum_cannot_prove_is_decompressed(
    folder: Path, labels: np.ndarray, decompressed: list[Path], stored
) -> None:
    sitk.WriteImage(on_grid(labels.astype(np.uint8)), "m.nii")
    Path("b.nii.gz").write_bytes(stored(Path("m.nii").read_bytes()))
    np.testing.assert_array_equal(read_label_map("b.nii.gz").array(), labels)
    assert decompressed == [Path("b.nii.gz")]


def test_a_header_that_promises_more_than_the_file_can_hold_allocates_nothing(
    folder: Path, labels: np.ndarray, monkeypatch: pytest.MonkeyPatch
) -> None:
    sitk.WriteImage(on_grid(labels.astype(np.uint8)), "m.nii")
    content = bytearray(Path("m.nii").read_bytes())
    content[42:48] = struct.pack("<3h", 16384, 16384, 4096)  # 2**40 bytes: the file's end names its rest
    packed = bytearray(gzip.compress(content))
    packed[-4:] = struct.pack("<I", (2**40 + 352) % 2**32)
    Path("b.nii.gz").write_bytes(packed)
    monkeypatch.setattr(reading, "_load", lambda path: pytest.fail("loaded"))
    with pytest.raises(ImageError, match="RV202"):
        read_label_map("b.nii.gz")


KINDS = [np.uint8, np.int8, np.int16, np.uint16, np.int32, np.uint32, np.float32, np.float64]


@pytest.mark.parametrize("name", ["a.nii", "a.nii.gz"])
@pytest.mark.parametrize("kind", KINDS, ids=[kind.__name__ for kind in KINDS])
@pytest.mark.parametrize("slab", [1, 200, 1 << 23])
@pytest.mark.parametrize("scale", [(0, 0), (1, 0), (1, -1024), (2, 0), (0.37, 1.5), (-0.001, -3.3)])
def test_nifti_is_read_slab_by_slab_as_itk_reads_it(
    folder: Path, monkeypatch: pytest.MonkeyPatch, kind: type[np.generic], slab: int, scale, name: str
) -> None:
    monkeypatch.setattr(nifti, "_SLAB", slab)
    random = np.random.default_rng(5)
    if np.issubdtype(kind, np.floating):
        voxels = random.normal(0, 1000, (9, 8, 7)).astype(kind)
    else:
        limits = np.iinfo(kind)
        voxels = random.integers(limits.min, limits.max, (9, 8, 7), kind, endpoint=True)
    sitk.WriteImage(on_grid(voxels), "a.nii")
    content = bytearray(Path("a.nii").read_bytes())
    content[112:120] = struct.pack("<2f", *scale)  # scl_slope, scl_inter
    Path(name).write_bytes(gzip.compress(content) if name.endswith("gz") else content)
    found, expected = reading._streamed(Path(name)), sitk.ReadImage(name)
    assert found is not None
    assert found.GetPixelID() == expected.GetPixelID()
    np.testing.assert_array_equal(sitk.GetArrayFromImage(found), sitk.GetArrayFromImage(expected))
    for told in ("GetSpacing", "GetOrigin", "GetDirection", "GetSize"):
        assert getattr(found, told)() == getattr(expected, told)()


@pytest.mark.parametrize("name", ["m.nii", "m.nii.gz", "m.mha"])
@pytest.mark.parametrize(
    ("largest", "kind"), [(255, sitk.sitkUInt8), (256, sitk.sitkUInt16), (70000, sitk.sitkUInt32)]
)
def test_a_mask_of_floating_point_numbers_has_the_smallest_type(
    folder: Path, labels: np.ndarray, largest: int, kind: int, name: str
) -> None:
    labels = labels.astype(np.float32)
    labels[-1, -1, -1] = largest  # in the last slice: what was read before is widened
    sitk.WriteImage(on_grid(labels), name)
    found = read_label_map(name)
    assert found.volume.GetPixelID() == kind
    np.testing.assert_array_equal(found.array(), labels)
    assert found.geometry == read_image(name).geometry


def _compressed(content: bytes) -> None:
    Path("a.nii.gz").write_bytes(gzip.compress(content))


def test_what_is_stored_in_another_way_is_left_to_itk(folder: Path, intensities: np.ndarray) -> None:
    sitk.WriteImage(on_grid(intensities), "a.nii")
    plain = Path("a.nii").read_bytes()
    _compressed(plain)
    assert reading._streamed(Path("a.nii.gz")) is not None
    scaled, cut, analyze = bytearray(plain), plain[:-1], bytearray(plain)
    scaled[112:120] = struct.pack("<2f", 0, -1)  # scl_slope, scl_inter
    analyze[344:348] = bytes(4)  # magic
    for content in (scaled, cut, analyze):
        _compressed(bytes(content))
        assert reading._streamed(Path("a.nii.gz")) is None
    sitk.WriteImage(sitk.JoinSeries([on_grid(intensities)]), "a.nii.gz")
    assert reading._streamed(Path("a.nii.gz")) is None
    assert read_image("a.nii.gz").geometry.size == (7, 8, 9)
