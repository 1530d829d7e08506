"""Writers of DICOM images and masks for tests."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import highdicom
import numpy as np
import pydicom
import SimpleITK as sitk
from pydicom.dataset import Dataset, FileDataset, FileMetaDataset
from pydicom.sequence import Sequence as DicomSequence
from pydicom.sr.codedict import codes
from pydicom.uid import CTImageStorage, ExplicitVRLittleEndian, RTStructureSetStorage

FRAME, SERIES, STUDY = "1.2.826.0.1.1", "1.2.826.0.1.2", "1.2.826.0.1.3"


def _meta(kind: str, instance: str) -> FileMetaDataset:
    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID = kind
    meta.MediaStorageSOPInstanceUID = instance
    meta.TransferSyntaxUID = ExplicitVRLittleEndian
    return meta


def _common(path: Path, kind: str, instance: str, modality: str) -> FileDataset:
    dataset = FileDataset(str(path), {}, file_meta=_meta(kind, instance), preamble=b"\0" * 128)
    dataset.SOPClassUID, dataset.SOPInstanceUID = kind, instance
    dataset.Modality, dataset.StudyInstanceUID = modality, STUDY
    dataset.PatientID, dataset.PatientName = "test", "test"
    dataset.PatientBirthDate, dataset.PatientSex = "", ""
    dataset.StudyDate, dataset.StudyTime, dataset.StudyID = "20200101", "000000", "1"
    dataset.AccessionNumber, dataset.ReferringPhysicianName = "", ""
    dataset.SeriesNumber, dataset.InstanceNumber = 1, 1
    return dataset


def write_series(
    folder: Path, volume: sitk.Image, *, series: str = SERIES, frame: str = FRAME, number: int = 1
) -> list[Path]:
    """Write a volume as a CT series, one file per slice, named from the last slice to the first."""
    folder.mkdir(parents=True, exist_ok=True)
    array = sitk.GetArrayFromImage(volume).astype(np.int16)
    direction = np.array(volume.GetDirection()).reshape(3, 3)
    spacing = volume.GetSpacing()
    files = []
    for index, plane in enumerate(array):
        path = folder / f"{len(array) - 1 - index:03d}.dcm"
        dataset = _common(path, CTImageStorage, f"{series}.{index + 1}", "CT")
        dataset.SeriesInstanceUID, dataset.FrameOfReferenceUID = series, frame
        dataset.SeriesNumber, dataset.InstanceNumber = number, index + 1
        dataset.ImageType = ["ORIGINAL", "PRIMARY", "AXIAL"]
        dataset.ImagePositionPatient = [
            f"{value:.10g}" for value in volume.TransformIndexToPhysicalPoint((0, 0, index))
        ]
        dataset.ImageOrientationPatient = [f"{value:.10g}" for value in (*direction[:, 0], *direction[:, 1])]
        dataset.PixelSpacing = [f"{spacing[1]:.10g}", f"{spacing[0]:.10g}"]
        dataset.SliceThickness = f"{spacing[2]:.10g}"
        dataset.Rows, dataset.Columns = plane.shape
        dataset.SamplesPerPixel, dataset.PhotometricInterpretation = 1, "MONOCHROME2"
        dataset.BitsAllocated = dataset.BitsStored = 16
        dataset.HighBit, dataset.PixelRepresentation = 15, 1
        dataset.RescaleSlope, dataset.RescaleIntercept = 1, 0
        dataset.PositionReferenceIndicator = ""
        dataset.PixelData = plane.tobytes()
        dataset.save_as(path, enforce_file_format=True)
        files.append(path)
    return files


def write_seg(
    path: Path,
    images: Sequence[Path],
    segments: Sequence[tuple[str, np.ndarray]],
    *,
    kind: str = "BINARY",
    meaning: Any = codes.SCT.Vertebra,
) -> None:
    """Write a DICOM-SEG of masks of shape (z, y, x), slices as the image files; empty frames left out."""
    described = [
        highdicom.seg.SegmentDescription(
            segment_number=number,
            segment_label=name,
            segmented_property_category=codes.SCT.AnatomicalStructure,
            segmented_property_type=meaning,
            algorithm_type=highdicom.seg.SegmentAlgorithmTypeValues.MANUAL,
        )
        for number, (name, _) in enumerate(segments, 1)
    ]
    if kind == "LABELMAP":
        pixels = np.zeros(segments[0][1].shape, np.uint8)
        for number, (_, mask) in enumerate(segments, 1):
            pixels[mask > 0] = number
    else:
        pixels = np.stack([mask for _, mask in segments], axis=-1)
        pixels = pixels.astype(np.float32 if kind == "FRACTIONAL" else np.uint8)
    options = {"fractional_type": "PROBABILITY", "max_fractional_value": 200} if kind == "FRACTIONAL" else {}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        dataset = highdicom.seg.Segmentation(
            source_images=[pydicom.dcmread(image) for image in images],
            pixel_array=pixels,
            segmentation_type=kind,
            segment_descriptions=described,
            series_instance_uid=f"{SERIES}.9",
            series_number=9,
            sop_instance_uid=f"{SERIES}.9.1",
            instance_number=1,
            manufacturer="test",
            manufacturer_model_name="test",
            software_versions="1",
            device_serial_number="1",
            omit_empty_frames=True,
            **options,
        )
        dataset.save_as(path)


Outline = tuple[str, np.ndarray]


def write_rtstruct(
    path: Path,
    regions: Sequence[tuple[str, Sequence[Outline]]],
    *,
    frame: str = FRAME,
    series: str = SERIES,
) -> None:
    """Write a structure set; outlines are (type, corners of shape (n, 3) in millimetres)."""
    dataset = _common(path, RTStructureSetStorage, f"{SERIES}.8.1", "RTSTRUCT")
    dataset.SeriesInstanceUID, dataset.StructureSetLabel = f"{SERIES}.8", "test"
    one = Dataset()
    one.SeriesInstanceUID = series
    study = Dataset()
    study.RTReferencedSeriesSequence = DicomSequence([one])
    reference = Dataset()
    reference.FrameOfReferenceUID = frame
    reference.RTReferencedStudySequence = DicomSequence([study])
    dataset.ReferencedFrameOfReferenceSequence = DicomSequence([reference])
    names, drawn = [], []
    for number, (name, outlines) in enumerate(regions):
        region = Dataset()
        # Numbers from 0 and not in steps of one: they link the sequences and mean nothing else.
        region.ROINumber, region.ROIName, region.ReferencedFrameOfReferenceUID = number * 3, name, frame
        names.append(region)
        contours = Dataset()
        contours.ReferencedROINumber = number * 3
        contours.ContourSequence = DicomSequence([_outline(kind, points) for kind, points in outlines])
        drawn.append(contours)
    dataset.StructureSetROISequence = DicomSequence(names)
    dataset.ROIContourSequence = DicomSequence(drawn[::-1])
    dataset.save_as(path, enforce_file_format=True)


def _outline(kind: str, points: np.ndarray) -> Dataset:
    outline = Dataset()
    outline.ContourGeometricType = kind
    outline.NumberOfContourPoints = len(points)
    outline.ContourData = [f"{value:.10g}" for value in np.asarray(points).ravel()]
    return outline


def edit(path: Path, change: Any) -> None:
    """Read a DICOM file, let `change` spoil it, and write it back."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        dataset = pydicom.dcmread(path)
        change(dataset)
        dataset.save_as(path)
