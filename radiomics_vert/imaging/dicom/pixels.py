"""Voxels of a stack: stored values as they are, times the slope, plus the intercept, plane by plane."""

from __future__ import annotations

import tempfile
from collections import defaultdict
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import pydicom
import SimpleITK as sitk
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.pixels.utils import iter_pixels, pixel_array
from pydicom.uid import (
    JPEG2000,
    UID,
    DeflatedExplicitVRLittleEndian,
    ExplicitVRBigEndian,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
    JPEG2000Lossless,
    JPEGBaseline8Bit,
    JPEGExtended12Bit,
    JPEGLossless,
    JPEGLosslessSV1,
    JPEGLSLossless,
    JPEGLSNearLossless,
    RLELossless,
    SecondaryCaptureImageStorage,
)

from radiomics_vert.errors import ImageError, Problem
from radiomics_vert.imaging.dicom.headers import DAMAGE, Frame, quiet_pydicom, uid_name, unreadable
from radiomics_vert.imaging.dicom.stacking import Stack
from radiomics_vert.imaging.filling import Filling

_MULTI_FRAME_CAPTURE = "1.2.840.10008.5.1.4.1.1.7.3"
_PIXEL_TAGS = (
    "SamplesPerPixel", "PhotometricInterpretation", "Rows", "Columns", "BitsAllocated", "BitsStored",
    "HighBit", "PixelRepresentation", "NumberOfFrames",
)  # fmt: skip
# pydicom reads run lengths itself: GDCM refuses intact ones of small planes.
_PYDICOM = (
    "", ImplicitVRLittleEndian, ExplicitVRLittleEndian, ExplicitVRBigEndian, DeflatedExplicitVRLittleEndian,
    RLELossless,
)  # fmt: skip
_GDCM = (
    JPEGBaseline8Bit, JPEGExtended12Bit, JPEGLossless, JPEGLosslessSV1, JPEGLSLossless, JPEGLSNearLossless,
    JPEG2000Lossless, JPEG2000,
)  # fmt: skip
_NO_PIXELS = "no pixel data"
_FEWER = "fewer bytes than the header promises"
# The first type that holds every value is chosen.
_WHOLE = (np.int16, np.uint16, np.int32, np.uint32, np.int64)


def read_voxels(stack: Stack) -> sitk.Image:
    """Read the intensities of a stack.

    Parameters
    ----------
    stack : Stack
        Planes in order, with their grid.

    Returns
    -------
    SimpleITK.Image
        Rescaled slope and intercept of each plane. 16-bit (or 32-bit) integers when every value is whole,
        else 32-bit floats. Padding values are left as they are, rescaled like any other.

    Raises
    ------
    ImageError
        RV202 pixel data cut off or damaged, RV209 a transfer syntax that no
        decoder here reads.
    """
    scales = [_scale(frame) for frame in stack.frames]
    whole = all(number.is_integer() for scale in scales for number in scale)
    filling = Filling(stack.geometry.size, (*_WHOLE, np.float32) if whole else (np.float32,))
    for plane, scale in zip(_planes(stack), scales, strict=True):
        filling.add(_rescaled(plane, scale)[np.newaxis])
    volume = filling.volume
    volume.SetSpacing(stack.geometry.spacing)
    volume.SetOrigin(stack.geometry.origin)
    volume.SetDirection(stack.geometry.direction)
    return volume


def _scale(frame: Frame) -> tuple[float, float]:
    return (*frame.numbers("RescaleSlope"), 1.0)[0], (*frame.numbers("RescaleIntercept"), 0.0)[0]


def _rescaled(plane: np.ndarray, scale: tuple[float, float]) -> np.ndarray:
    """Return slope times plane plus intercept: in whole numbers where both are whole."""
    slope, intercept = scale
    if slope.is_integer() and intercept.is_integer():
        return plane.astype(np.int64) * int(slope) + int(intercept)
    return plane.astype(np.float64) * slope + intercept


def _planes(stack: Stack) -> Iterator[np.ndarray]:
    """Yield the stored values of every plane; a file of several frames is opened once."""
    wanted: dict[Path, list[int]] = defaultdict(list)
    for frame in stack.frames:
        wanted[frame.file].append(frame.index)
    opened: dict[Path, Iterator[np.ndarray]] = {}
    for frame in stack.frames:
        if frame.file not in opened:
            opened[frame.file] = _frames(frame, wanted[frame.file])
        yield next(opened[frame.file])


def _frames(frame: Frame, indices: Sequence[int]) -> Iterator[np.ndarray]:
    """Yield frames of one file: one by one where pydicom can, because all may be hundreds of megabytes."""
    if len(indices) > 1 and frame.text("TransferSyntaxUID") in _PYDICOM[1:]:
        found = iter_pixels(frame.file, indices=indices, raw=True)
        rows, columns = int(frame.numbers("Rows")[0]), int(frame.numbers("Columns")[0])
        for _ in indices:
            try:
                with quiet_pydicom():
                    plane = next(found)
            except DAMAGE as error:
                raise unreadable("complete pixel data", _reason(error), frame.file) from None
            yield plane.reshape(rows, columns)
        return
    decoded = _stored(frame)
    for index in indices:
        if index >= len(decoded):
            raise unreadable("pixel data of every frame", f"pixel data of {len(decoded)}", frame.file)
        yield decoded[index]


def _stored(frame: Frame) -> np.ndarray:
    """Decode one file, shape (frames, rows, columns)."""
    syntax = frame.text("TransferSyntaxUID")
    if syntax not in (*_GDCM, *_PYDICOM):
        raise ImageError(_no_decoder(syntax, frame))
    try:
        with quiet_pydicom():
            dataset = pydicom.dcmread(frame.file, force=True)
            if "PixelData" not in dataset:
                raise EOFError(_NO_PIXELS)
            array = _decompressed(dataset, frame) if syntax in _GDCM else _native(dataset)
    except DAMAGE as error:
        raise unreadable("complete pixel data", _reason(error), frame.file) from None
    rows, columns = int(frame.numbers("Rows")[0]), int(frame.numbers("Columns")[0])
    return array.reshape(-1, rows, columns)


def _native(dataset: Dataset) -> np.ndarray:
    if "TransferSyntaxUID" not in getattr(dataset, "file_meta", {}):
        # Files without a preamble: the way they were read tells their encoding.
        dataset.file_meta = FileMetaDataset()
        implicit, little = dataset.original_encoding
        dataset.file_meta.TransferSyntaxUID = UID(
            "1.2.840.10008.1.2.2"
            if not little
            else "1.2.840.10008.1.2"
            if implicit
            else "1.2.840.10008.1.2.1"
        )
    return pixel_array(dataset, raw=True)


def _decompressed(dataset: Dataset, frame: Frame) -> np.ndarray:
    """Decode through GDCM, which reads every syntax that scanners and archives write.

    GDCM is given the pixels alone: by itself it would rescale CT and not MR.
    """
    bare = Dataset()
    bare.file_meta = FileMetaDataset()
    bare.file_meta.TransferSyntaxUID = dataset.file_meta.TransferSyntaxUID
    several = int((*frame.numbers("NumberOfFrames"), 1)[0]) > 1
    bare.SOPClassUID = _MULTI_FRAME_CAPTURE if several else SecondaryCaptureImageStorage
    bare.SOPInstanceUID = bare.file_meta.MediaStorageSOPInstanceUID = UID("2.25.1")
    bare.file_meta.MediaStorageSOPClassUID = bare.SOPClassUID
    for keyword in _PIXEL_TAGS:
        if keyword in dataset:
            bare[keyword] = dataset[keyword]
    bare["PixelData"] = dataset["PixelData"]
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "pixels.dcm"
        bare.save_as(file, enforce_file_format=True)
        return _through_gdcm(file, frame)


def _through_gdcm(file: Path, frame: Frame) -> np.ndarray:
    reader = sitk.ImageFileReader()
    reader.SetImageIO("GDCMImageIO")
    reader.SetFileName(str(file))
    before = sitk.ProcessObject.GetGlobalWarningDisplay()
    sitk.ProcessObject.SetGlobalWarningDisplay(False)
    try:
        return sitk.GetArrayFromImage(reader.Execute())
    except RuntimeError:
        syntax = uid_name(frame.text("TransferSyntaxUID"))
        raise unreadable("complete pixel data", f"data that do not decode as {syntax}", frame.file) from None
    finally:
        sitk.ProcessObject.SetGlobalWarningDisplay(before)


def _reason(error: BaseException) -> str:
    """Describe a failure without the text of the error, which may quote the header."""
    known = {
        "less than expected": _FEWER,
        "cannot reshape array": _FEWER,  # of a single frame
        _NO_PIXELS: "none: the file ends before them",
    }
    return next((text for part, text in known.items() if part in str(error)), "damaged content")


def _no_decoder(syntax: str, frame: Frame) -> Problem:
    name = uid_name(syntax) or "an unknown one"
    return Problem(
        "RV209",
        "a DICOM transfer syntax of still images",
        name,
        str(frame.file),
        "convert the series to an uncompressed or JPEG-LS syntax in the archive (or with gdcmconv --raw)",
    )
