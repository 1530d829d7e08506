"""Malformed images and masks: each refused with its exact message."""

from __future__ import annotations

import struct
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk
from imaging_grids import on_grid

from radiomics_vert.errors import ImageError
from radiomics_vert.imaging import (
    file_digest,
    read_geometry,
    read_image,
    read_label_map,
    require_complete,
    require_finite,
)

NOISE = np.random.default_rng(7).integers(-1000, 1000, (9, 8, 7)).astype(np.int16)
AGAIN = "copy or export the file again: it was cut off or changed on the way"
UNKNOWN = "open the file in a viewer; export or download it again"


def patched(array: np.ndarray, position: int, value: bytes, name: str = "a.nii") -> None:
    sitk.WriteImage(on_grid(array), name)
    content = bytearray(Path(name).read_bytes())
    content[position : position + len(value)] = value
    Path(name).write_bytes(content)


def cut(name: str, keep: float, compressed: bool = True) -> None:
    sitk.WriteImage(on_grid(NOISE), name, useCompression=compressed)
    content = Path(name).read_bytes()
    Path(name).write_bytes(content[: int(len(content) * keep)])


def damaged(name: str) -> None:
    # One byte of the stored checksum at the very end: every voxel still decompresses.
    sitk.WriteImage(on_grid(NOISE), name, useCompression=True)
    content = bytearray(Path(name).read_bytes())
    content[-6 if name.endswith("gz") or name.endswith("nrrd") else -2] ^= 255
    Path(name).write_bytes(content)


def detached_without_data() -> None:
    sitk.WriteImage(on_grid(NOISE), "a.mhd", useCompression=False)
    Path("a.raw").unlink()


def several_data_files() -> None:
    sitk.WriteImage(on_grid(NOISE), "a.mhd", useCompression=False)
    header = Path("a.mhd").read_text().replace("a.raw", "slice%02d.raw 1 9 1")
    Path("a.mhd").write_text(header)


def with_nan(name: str, kind: type[np.floating]) -> None:
    array = NOISE.astype(kind)
    array[2, 3, 4], array[5, 3, 1] = np.nan, np.inf
    sitk.WriteImage(on_grid(array), name)


def mask(change: Callable[[np.ndarray], None], kind: type[np.generic]) -> None:
    array = np.zeros((9, 8, 7), dtype=kind)
    array[1:3, 2:5, 1:5] = 2
    change(array)
    sitk.WriteImage(on_grid(array), "m.nrrd")


def halves(array: np.ndarray) -> None:
    array[1, 2, 1:5] = [0.25, 0.5, 1.5, 1.75]


def many_fractions(array: np.ndarray) -> None:
    array[4, 1, :] = np.arange(7) + 0.5


def below_zero(array: np.ndarray) -> None:
    array[0, 0, :2] = [-1, -3]


def dicom(name: str) -> None:
    Path(name).write_bytes(bytes(128) + b"DICM" + bytes(100))


SKEW = struct.pack("<12f", 1, 0.5, 0, 0, 0, 2, 0, 0, 0, 0, 3, 0)

# name of the case: (build, read, code, expected, found, where, remedy)
FAULTS: dict[str, tuple[Callable[[], object], Callable[[], object], str, str, str, str, str]] = {
    "missing file": (
        lambda: None,
        lambda: read_image("a.nii.gz"),
        "RV101",
        "an image file",
        "no such file",
        "a.nii.gz",
        "correct the path or restore the file",
    ),
    "truncated gzip": (
        lambda: cut("a.nii.gz", 0.6),
        lambda: read_image("a.nii.gz"),
        "RV202",
        "a compressed stream with its end",
        "the stream breaks off after ... decompressed bytes",
        "a.nii.gz",
        AGAIN,
    ),
    "wrong gzip checksum": (
        lambda: damaged("a.nii.gz"),
        lambda: read_image("a.nii.gz"),
        "RV202",
        "an intact compressed stream",
        "damaged data after 0 decompressed bytes (Error -3 while decompressing data: incorrect data check)",
        "a.nii.gz",
        AGAIN,
    ),
    "wrong checksum in a compressed NRRD": (
        lambda: damaged("a.nrrd"),
        lambda: read_image("a.nrrd"),
        "RV202",
        "an intact compressed stream",
        "damaged data after 0 decompressed bytes (Error -3 while decompressing data: incorrect data check)",
        "a.nrrd",
        AGAIN,
    ),
    "wrong checksum in a compressed MetaImage": (
        lambda: damaged("a.mha"),
        lambda: read_image("a.mha"),
        "RV202",
        "an intact compressed stream",
        "damaged data after 0 decompressed bytes (Error -3 while decompressing data: incorrect data check)",
        "a.mha",
        AGAIN,
    ),
    "short NIfTI": (
        lambda: cut("a.nii", 0.5, compressed=False),
        lambda: read_image("a.nii"),
        "RV202",
        "1360 bytes of voxel data",  # 352 of the header and 504 voxels of 2 bytes
        "680 bytes",
        "a.nii",
        AGAIN,
    ),
    "short MetaImage": (
        lambda: cut("a.mha", 0.9, compressed=False),
        lambda: require_complete(Path("a.mha")),
        "RV202",
        "1008 bytes of voxel data",
        "... bytes",
        "a.mha",
        AGAIN,
    ),
    "short NRRD": (
        lambda: cut("a.nrrd", 0.9, compressed=False),
        lambda: read_image("a.nrrd"),
        "RV202",
        "a readable image",
        "Read: Error reading a.nrrd: ...",
        "a.nrrd",
        "export or copy the file again",
    ),
    "empty file": (
        lambda: Path("a.nii.gz").write_bytes(b""),
        lambda: read_image("a.nii.gz"),
        "RV202",
        "a NIfTI header",
        "an empty file",
        "a.nii.gz",
        AGAIN,
    ),
    "a web page saved as NRRD": (
        lambda: Path("a.nrrd").write_bytes(b"<html>404</html>"),
        lambda: read_image("a.nrrd"),
        "RV202",
        "the content that the name 'a.nrrd' promises",
        "16 bytes that no reader recognises",
        "a.nrrd",
        UNKNOWN,
    ),
    "detached header without its data": (
        detached_without_data,
        lambda: read_image("a.mhd"),
        "RV202",
        "the data file 'a.raw' beside its header",
        "no such file",
        "a.mhd",
        "copy the data file beside its header, or save the image as one file (.nrrd, .nii.gz)",
    ),
    "voxels in several data files": (
        several_data_files,
        lambda: file_digest("a.mhd"),
        "RV209",
        "all voxels in one data file",
        "a header that names several: 'slice%02d.raw 1 9 1'",
        "a.mhd",
        "save the image as one file, such as .nrrd or .nii.gz",
    ),
    "sheared axes": (
        lambda: patched(NOISE, 252, struct.pack("<hh", 0, 1) + bytes(24) + SKEW),
        lambda: read_geometry("a.nii"),
        "RV202",
        "axes at right angles to each other",
        "a sheared or singular orientation matrix in the header",
        "a.nii",
        "resample the image to an orthogonal grid (gantry tilt: dcm2niix does so), and the mask with it",
    ),
    "voxel size 0": (
        lambda: patched(NOISE, 84, struct.pack("<f", 0)),
        lambda: read_image("a.nii"),
        "RV202",
        "voxel sizes above 0 mm",
        "pixdim 0.5, 0, 3",
        "a.nii",
        "export the image again, or set the true voxel sizes in its header",
    ),
    "four dimensions": (
        lambda: sitk.WriteImage(sitk.JoinSeries([on_grid(NOISE)] * 3), "a.nii.gz"),
        lambda: read_image("a.nii.gz"),
        "RV203",
        "three dimensions",
        "4 dimensions, size (7, 8, 9, 3): 3 volumes",
        "a.nii.gz",
        "extract the one volume to be measured (time point, echo, b-value) into a file of its own",
    ),
    "two dimensions": (
        lambda: sitk.WriteImage(sitk.GetImageFromArray(NOISE[4]), "a.nii.gz"),
        lambda: read_geometry("a.nii.gz"),
        "RV203",
        "three dimensions",
        "2 dimensions, size (7, 8)",
        "a.nii.gz",
        "name the whole volume instead of a single slice",
    ),
    "three numbers per voxel": (
        lambda: sitk.WriteImage(sitk.Compose([on_grid(NOISE)] * 3), "a.nrrd"),
        lambda: read_image("a.nrrd"),
        "RV210",
        "one real number per voxel",
        "3 numbers per voxel (vector of 16-bit signed integer)",
        "a.nrrd",
        "save one component or the magnitude as the image, and a label map without overlaps as the mask",
    ),
    "complex voxels": (
        lambda: sitk.WriteImage(
            sitk.RealAndImaginaryToComplex(*[on_grid(NOISE.astype(np.float32))] * 2), "a.nii"
        ),
        lambda: read_geometry("a.nii"),
        "RV210",
        "one real number per voxel",
        "2 numbers per voxel (complex of 32-bit float)",
        "a.nii",
        "save one component or the magnitude as the image, and a label map without overlaps as the mask",
    ),
    "NaN and infinity": (
        lambda: with_nan("a.nii", np.float32),
        lambda: read_image("a.nii"),
        "RV204",
        "finite numbers in every voxel of the image",
        "2 voxels NaN or infinite, the first at voxel (4, 3, 2), all in x 1-4, y 3-3, z 2-5",
        "a.nii",
        "replace these voxels by the background value of the scanner, or export the image again",
    ),
    "NaN in 64 bits, compressed": (
        lambda: with_nan("a.nii.gz", np.float64),
        lambda: require_finite("a.nii.gz"),
        "RV204",
        "finite numbers in every voxel of the image",
        "2 voxels NaN or infinite, the first at voxel (4, 3, 2), all in x 1-4, y 3-3, z 2-5",
        "a.nii.gz",
        "replace these voxels by the background value of the scanner, or export the image again",
    ),
    "NaN in a mask": (
        lambda: with_nan("a.nrrd", np.float64),
        lambda: read_label_map("a.nrrd"),
        "RV204",
        "finite numbers in every voxel of the mask",
        "2 voxels NaN or infinite, the first at voxel (4, 3, 2), all in x 1-4, y 3-3, z 2-5",
        "a.nrrd",
        "replace these voxels by the background value of the scanner, or export the image again",
    ),
    "fractions in a mask": (
        lambda: mask(halves, np.float32),
        lambda: read_label_map("m.nrrd"),
        "RV205",
        "whole numbers from 0 up, 0 for background",
        "4 of 504 voxels with other values: 0.25, 0.5, 1.5, 1.75",
        "m.nrrd",
        "save the mask as a label map; if it was resampled, use nearest-neighbour interpolation",
    ),
    "many fractions in a mask": (
        lambda: mask(many_fractions, np.float64),
        lambda: read_label_map("m.nrrd"),
        "RV205",
        "whole numbers from 0 up, 0 for background",
        "7 of 504 voxels with other values: 0.5, 1.5, 2.5, 3.5, 4.5, ...",
        "m.nrrd",
        "save the mask as a label map; if it was resampled, use nearest-neighbour interpolation",
    ),
    "negative labels": (
        lambda: mask(below_zero, np.int16),
        lambda: read_label_map("m.nrrd"),
        "RV205",
        "whole numbers from 0 up, 0 for background",
        "2 of 504 voxels with other values: -3, -1",
        "m.nrrd",
        "save the mask as a label map; if it was resampled, use nearest-neighbour interpolation",
    ),
    "negative labels as fractions": (
        lambda: mask(below_zero, np.float32),
        lambda: read_label_map("m.nrrd"),
        "RV205",
        "whole numbers from 0 up, 0 for background",
        "2 of 504 voxels with other values: -3, -1",
        "m.nrrd",
        "save the mask as a label map; if it was resampled, use nearest-neighbour interpolation",
    ),
    "a DICOM folder as a label map": (
        lambda: Path("series").mkdir(),
        lambda: read_label_map("series"),
        "RV209",
        "one file ending in .nii.gz, .nii, .nrrd, .nhdr, .mha, .mhd",
        "a folder",
        "series",
        "save the mask as a label map in one of these formats (for example with 3D Slicer)",
    ),
    "a DICOM file without ending as a label map": (
        lambda: dicom("IM0001"),
        lambda: read_label_map("IM0001"),
        "RV209",
        "one file ending in .nii.gz, .nii, .nrrd, .nhdr, .mha, .mhd",
        "a DICOM file",
        "IM0001",
        "save the mask as a label map in one of these formats (for example with 3D Slicer)",
    ),
    "another format": (
        lambda: Path("a.png").write_bytes(b"\x89PNG"),
        lambda: read_image("a.png"),
        "RV209",
        "a file ending in .nii.gz, .nii, .nrrd, .nhdr, .mha, .mhd",
        "the name 'a.png'",
        "a.png",
        "save the image as NIfTI, NRRD or MetaImage (for example with 3D Slicer or ITK-SNAP)",
    ),
}


def same(text: str, pattern: str) -> bool:
    """Compare exactly; `...` stands for what depends on the compressor or on ITK's wording."""
    start, dots, end = pattern.partition("...")
    if pattern.endswith(", ..."):
        return text == pattern
    return text.startswith(start) and text.endswith(end) if dots else text == pattern


@pytest.mark.parametrize("name", FAULTS)
def test_a_malformed_image_is_refused_with_its_message(folder: Path, name: str) -> None:
    build, read, code, expected, found, where, remedy = FAULTS[name]
    build()
    with pytest.raises(ImageError) as caught:
        read()
    (problem,) = caught.value.problems
    assert problem.code == code
    assert problem.expected == expected
    assert same(problem.found, found), problem.found
    assert problem.where == where
    assert problem.remedy == remedy


def test_a_damaged_checksum_passes_itk_unnoticed(folder: Path) -> None:
    # Why the bytes are checked here: this is the silent failure that the check guards against.
    damaged("a.mha")
    np.testing.assert_array_equal(sitk.GetArrayFromImage(sitk.ReadImage("a.mha")), NOISE)


def test_itk_turns_nan_into_zero_unnoticed(folder: Path) -> None:
    with_nan("a.nii", np.float32)
    assert sitk.GetArrayFromImage(sitk.ReadImage("a.nii"))[2, 3, 4] == 0


@pytest.mark.data
def test_a_real_time_series_is_refused(real_data: Path) -> None:
    with pytest.raises(ImageError, match="30 volumes"):
        read_image(real_data / "mri_sct" / "fmri.nii.gz")


@pytest.mark.data
def test_overlapping_segments_of_slicer_are_refused(real_data: Path) -> None:
    with pytest.raises(ImageError, match="2 numbers per voxel"):
        read_label_map(real_data / "slicerio_ctchest" / "SegmentationOverlapping.seg.nrrd")
