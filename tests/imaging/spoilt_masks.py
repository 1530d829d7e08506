"""Masks spoilt in one way each; every function writes one and returns its path."""

from __future__ import annotations

import gzip
import struct
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pydicom
import SimpleITK as sitk
from imaging_grids import on_grid

from mask_files import edit, write_rtstruct, write_seg, write_series

SHAPE = (9, 8, 7)
SQUARE = np.array([[1.5, 1.5], [4.5, 1.5], [4.5, 5.5], [1.5, 5.5]])


def block(z: int = 2) -> np.ndarray:
    array = np.zeros(SHAPE, bool)
    array[z : z + 3, 2:6, 1:5] = True
    return array


def volume(array: np.ndarray | None = None) -> sitk.Image:
    return on_grid(np.zeros(SHAPE, np.uint8) if array is None else array)


def at(points: np.ndarray, height: float) -> np.ndarray:
    image = volume()
    return np.array(
        [image.TransformContinuousIndexToPhysicalPoint((*map(float, row), height)) for row in points]
    )


def square(height: float = 3, kind: str = "CLOSED_PLANAR") -> tuple[str, np.ndarray]:
    return kind, at(SQUARE, height)


# --- DICOM-SEG -------------------------------------------------------------------------------------------


def seg(change: Callable[[pydicom.Dataset], None] | None = None, kind: str = "BINARY") -> Path:
    image = volume(np.arange(504, dtype=np.int16).reshape(SHAPE))
    images = write_series(Path("image"), image)
    masks = [("L1", block().astype(float)), ("L2", block(5).astype(float))]
    write_seg(Path("s.dcm"), images, masks, kind=kind)
    if change:
        edit(Path("s.dcm"), change)
    return Path("s.dcm")


def frames(dataset: pydicom.Dataset) -> list[pydicom.Dataset]:
    return list(dataset.PerFrameFunctionalGroupsSequence)


def without_segments() -> Path:
    return seg(lambda dataset: setattr(dataset, "SegmentSequence", pydicom.Sequence([])))


def segment_number_twice() -> Path:
    def change(dataset: pydicom.Dataset) -> None:
        dataset.SegmentSequence[1].SegmentNumber = 1

    return seg(change)


def without_category() -> Path:
    def change(dataset: pydicom.Dataset) -> None:
        del dataset.SegmentSequence[1].SegmentedPropertyCategoryCodeSequence

    return seg(change)


def segment_without_name() -> Path:
    def change(dataset: pydicom.Dataset) -> None:
        del dataset.SegmentSequence[0].SegmentLabel

    return seg(change)


def unknown_type() -> Path:
    return seg(lambda dataset: setattr(dataset, "SegmentationType", "ALPHA"))


def without_groups() -> Path:
    return seg(lambda dataset: setattr(dataset, "PerFrameFunctionalGroupsSequence", pydicom.Sequence([])))


def fewer_groups() -> Path:
    def change(dataset: pydicom.Dataset) -> None:
        dataset.PerFrameFunctionalGroupsSequence = pydicom.Sequence(frames(dataset)[:-1])

    return seg(change)


def without_position() -> Path:
    def change(dataset: pydicom.Dataset) -> None:
        del frames(dataset)[1].PlanePositionSequence

    return seg(change)


def position_twice() -> Path:
    def change(dataset: pydicom.Dataset) -> None:
        first, second = frames(dataset)[:2]
        second.PlanePositionSequence[0].ImagePositionPatient = first.PlanePositionSequence[
            0
        ].ImagePositionPatient

    return seg(change)


def undescribed_segment() -> Path:
    def change(dataset: pydicom.Dataset) -> None:
        frames(dataset)[0].SegmentIdentificationSequence[0].ReferencedSegmentNumber = 7

    return seg(change)


def frame_without_segment() -> Path:
    def change(dataset: pydicom.Dataset) -> None:
        del frames(dataset)[2].SegmentIdentificationSequence

    return seg(change)


def without_spacing() -> Path:
    def change(dataset: pydicom.Dataset) -> None:
        del dataset.SharedFunctionalGroupsSequence[0].PixelMeasuresSequence

    return seg(change)


def no_largest_fraction() -> Path:
    return seg(lambda dataset: setattr(dataset, "MaximumFractionalValue", 0), kind="FRACTIONAL")


def cut_pixels() -> Path:
    def change(dataset: pydicom.Dataset) -> None:
        dataset.PixelData = dataset.PixelData[:16]

    return seg(change)


def moved_frames() -> Path:
    def change(dataset: pydicom.Dataset) -> None:
        for frame in frames(dataset):
            place = frame.PlanePositionSequence[0]
            place.ImagePositionPatient = [
                float(place.ImagePositionPatient[0]) + 0.25,
                *place.ImagePositionPatient[1:],
            ]

    return seg(change)


def coarser_frames() -> Path:
    def change(dataset: pydicom.Dataset) -> None:
        dataset.SharedFunctionalGroupsSequence[0].PixelMeasuresSequence[0].PixelSpacing = [1.25, 0.75]

    return seg(change)


def frames_above_the_image() -> Path:
    def change(dataset: pydicom.Dataset) -> None:
        step = np.array(volume().TransformIndexToPhysicalPoint((0, 0, 6))) - volume().GetOrigin()
        for frame in frames(dataset):
            place = frame.PlanePositionSequence[0]
            place.ImagePositionPatient = [
                f"{a:.10g}" for a in np.array(place.ImagePositionPatient, float) + step
            ]

    return seg(change)


def other_frame_of_reference() -> Path:
    return seg(lambda dataset: setattr(dataset, "FrameOfReferenceUID", "1.2.3.4"))


def other_series() -> Path:
    def change(dataset: pydicom.Dataset) -> None:
        del dataset.FrameOfReferenceUID
        dataset.ReferencedSeriesSequence[0].SeriesInstanceUID = "1.2.3.4.5"

    return seg(change)


def image_as_mask() -> Path:
    seg()
    return Path("image/000.dcm")


def text_as_dicom() -> Path:
    Path("s.dcm").write_text("no DICOM at all")
    return Path("s.dcm")


def folder_of_two() -> Path:
    seg()
    Path("masks").mkdir()
    for name in ("a.dcm", "b.dcm"):
        (Path("masks") / name).write_bytes(Path("s.dcm").read_bytes())
    return Path("masks")


# --- RTSTRUCT --------------------------------------------------------------------------------------------


def outlines(*drawn: tuple[str, np.ndarray], name: str = "L1") -> Path:
    write_rtstruct(Path("r.dcm"), [(name, drawn)])
    return Path("r.dcm")


def spoilt_outlines(change: Callable[[pydicom.Dataset], None]) -> Path:
    write_rtstruct(Path("r.dcm"), [("L1", [square()]), ("L2", [square(5)])])
    edit(Path("r.dcm"), change)
    return Path("r.dcm")


def region_twice() -> Path:
    write_rtstruct(Path("r.dcm"), [("L1", [square()]), ("l1", [square(5)])])
    return Path("r.dcm")


def region_number_twice() -> Path:
    return spoilt_outlines(lambda dataset: setattr(dataset.StructureSetROISequence[1], "ROINumber", 0))


def without_regions() -> Path:
    return spoilt_outlines(lambda dataset: setattr(dataset, "StructureSetROISequence", pydicom.Sequence([])))


def region_without_number() -> Path:
    def change(dataset: pydicom.Dataset) -> None:
        del dataset.StructureSetROISequence[0].ROINumber

    return spoilt_outlines(change)


def missing_coordinate() -> Path:
    def change(dataset: pydicom.Dataset) -> None:
        outline = dataset.ROIContourSequence[1].ContourSequence[0]
        outline.ContourData = list(outline.ContourData)[:-1]

    return spoilt_outlines(change)


def wrong_count() -> Path:
    def change(dataset: pydicom.Dataset) -> None:
        dataset.ROIContourSequence[1].ContourSequence[0].NumberOfContourPoints = 9

    return spoilt_outlines(change)


def tilted() -> Path:
    kind, points = square()
    points = points + np.outer([0, 0, 1, 1], [0.0, 0.0, 2.0])
    return outlines((kind, points))


def beyond_the_image() -> Path:
    return outlines(("CLOSED_PLANAR", at(np.add(SQUARE, (4, 0)), 3)))


def rtstruct_of_another_image() -> Path:
    seg()
    write_rtstruct(Path("r.dcm"), [("L1", [square()])], frame="9.8.7")
    return Path("r.dcm")


# --- Slicer ----------------------------------------------------------------------------------------------


def slicer(keys: dict[str, str], array: np.ndarray | None = None, image: sitk.Image | None = None) -> Path:
    labels = block().astype(np.uint8) if array is None else array
    image = volume(labels) if image is None else image
    for key, value in keys.items():
        image.SetMetaData(key, value)
    sitk.WriteImage(image, "m.seg.nrrd")
    return Path("m.seg.nrrd")


def named(index: int, name: str, value: str = "1", layer: str = "0") -> dict[str, str]:
    return {
        f"Segment{index}_Name": name,
        f"Segment{index}_LabelValue": value,
        f"Segment{index}_Layer": layer,
    }


def without_value() -> Path:
    keys = named(0, "L1")
    del keys["Segment0_LabelValue"]
    return slicer(keys)


def moved_slicer() -> Path:
    image = volume(block().astype(np.uint8))
    image.SetOrigin((-9.8, 20.0, -300.0))
    return slicer(named(0, "L1"), image=image)


def larger_slicer() -> Path:
    array = np.pad(block(), ((0, 2), (0, 0), (0, 0)))
    array[10, 3, 3] = True
    return slicer(named(0, "L1"), array.astype(np.uint8))


def cut_slicer() -> Path:
    path = slicer(named(0, "L1"))
    content = path.read_bytes()
    path.write_bytes(content[: len(content) - 40])
    return path


# --- one file per segment --------------------------------------------------------------------------------


def files(**masks: np.ndarray) -> Path:
    Path("parts").mkdir()
    for name, array in masks.items():
        sitk.WriteImage(volume(array.astype(np.uint8)), f"parts/{name}.nii.gz")
    return Path("parts")


def two_files_of_one_name() -> Path:
    folder = files(vertebrae_L1=block())
    sitk.WriteImage(volume(block().astype(np.uint8)), folder / "vertebrae_L1.nrrd")
    return folder


def shifted_file() -> Path:
    folder = files(vertebrae_L1=block())
    image = volume(block().astype(np.uint8))
    image.SetOrigin(volume().TransformContinuousIndexToPhysicalPoint((0.0, 0.0, 0.5)))
    sitk.WriteImage(image, folder / "vertebrae_L1.nii.gz")
    return folder


def empty_folder() -> Path:
    Path("parts").mkdir()
    (Path("parts") / "notes.txt").write_text("nothing here")
    return Path("parts")


def fractions_in_a_file() -> Path:
    Path("parts").mkdir()
    sitk.WriteImage(volume(block().astype(np.float32) * 0.5), "parts/L1.nii.gz")
    return Path("parts")


# --- names in the NIfTI header ---------------------------------------------------------------------------


def header_names(xml: bytes) -> Path:
    """Write a NIfTI file whose header carries an extension, by hand: SimpleITK writes none."""
    sitk.WriteImage(volume(block().astype(np.uint8) * 3), "m.nii")
    content = bytearray(Path("m.nii").read_bytes())
    size = 16 * ((len(xml) + 8 + 15) // 16)
    extension = struct.pack("<2i", size, 0) + xml.ljust(size - 8, b"\0")
    struct.pack_into("<f", content, 108, 352.0 + size)
    content[348:352] = b"\1\0\0\0"
    Path("m.nii.gz").write_bytes(gzip.compress(bytes(content[:352]) + extension + bytes(content[352:])))
    return Path("m.nii.gz")


def labels(*entries: str) -> bytes:
    table = "".join(entries)
    inside = f"<VolumeInformation><LabelTable>{table}</LabelTable></VolumeInformation>"
    return f"<CaretExtension>{inside}</CaretExtension>".encode()


def label(value: object, name: str) -> str:
    return f'<Label Key="{value}"><![CDATA[{name}]]></Label>'
