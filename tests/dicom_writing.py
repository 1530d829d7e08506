"""Write DICOM series: file names shuffled, any grid, any transfer syntax, and any fault a test asks for."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import SimpleITK as sitk
from pydicom import dcmread
from pydicom.dataelem import DataElement
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.encaps import encapsulate, generate_frames
from pydicom.sequence import Sequence as Items
from pydicom.uid import (
    UID,
    CTImageStorage,
    EnhancedMRImageStorage,
    ExplicitVRBigEndian,
    ExplicitVRLittleEndian,
    JPEG2000Lossless,
    JPEGLosslessSV1,
    JPEGLSLossless,
    MRImageStorage,
    RLELossless,
)
from pydicom.valuerep import DSfloat

SOP = {"CT": CTImageStorage, "MR": MRImageStorage}
Change = Callable[[int, Dataset], None]


def ds(values: Sequence[float]) -> list[DSfloat]:
    """Decimal strings with all the digits that DICOM allows."""
    return [DSfloat(float(value), auto_format=True) for value in values]


def uid(*parts: object) -> str:
    """A UID that is the same in every run."""
    return str(UID("2.25." + "".join(str(ord(letter)) for part in parts for letter in str(part))[:36]))


def plane(array: np.ndarray, volume: sitk.Image, k: int, modality: str, series: str, bits: int) -> Dataset:
    """One classic image: plane k of a volume, its voxels from `array` of shape (rows, columns)."""
    image = Dataset()
    image.SOPClassUID, image.Modality = SOP[modality], modality
    image.SOPInstanceUID, image.SeriesInstanceUID = uid(series, "image", k), uid(series)
    image.StudyInstanceUID, image.FrameOfReferenceUID = uid("study"), uid("frame")
    image.SeriesNumber, image.InstanceNumber = 4, 1000 - k  # against the spatial order, on purpose
    image.ImageType = ["ORIGINAL", "PRIMARY", "AXIAL"]
    image.SliceThickness, image.SpacingBetweenSlices = "77", "99"  # wrong, on purpose
    matrix = np.array(volume.GetDirection()).reshape(3, 3)
    spacing = volume.GetSpacing()
    image.ImageOrientationPatient = ds([*matrix[:, 0], *matrix[:, 1]])
    image.ImagePositionPatient = ds(volume.TransformIndexToPhysicalPoint((0, 0, k)))
    image.PixelSpacing = ds([spacing[1], spacing[0]])
    store(image, array, bits)
    return image


def store(image: Dataset, array: np.ndarray, bits: int = 16) -> None:
    """Put voxels into a data set, in the byte order of their type."""
    image.Rows, image.Columns = array.shape[-2:]
    if array.ndim == 3:
        image.NumberOfFrames = len(array)
    image.SamplesPerPixel, image.PhotometricInterpretation = 1, "MONOCHROME2"
    image.BitsAllocated = array.dtype.itemsize * 8
    image.BitsStored = min(bits, image.BitsAllocated)
    image.HighBit = image.BitsStored - 1
    image.PixelRepresentation = int(array.dtype.kind == "i")
    image["PixelData"] = DataElement("PixelData", "OW", array.tobytes())


def save(image: Dataset, file: Path, syntax: UID = ExplicitVRLittleEndian) -> Path:
    """Write a data set as a DICOM file, compressed where the transfer syntax asks for it."""
    image.file_meta = FileMetaDataset()
    image.file_meta.MediaStorageSOPClassUID = image.SOPClassUID
    image.file_meta.MediaStorageSOPInstanceUID = image.SOPInstanceUID
    image.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian if syntax.is_compressed else syntax
    if syntax in (RLELossless, JPEGLSLossless):
        image.compress(syntax, generate_instance_uid=False)
    elif syntax in (JPEGLosslessSV1, JPEG2000Lossless):
        _compress_with_gdcm(image, file, syntax)
    elif syntax == ExplicitVRBigEndian and "PixelData" in image:
        swapped = np.frombuffer(image.PixelData, f"<u{image.BitsAllocated // 8}").byteswap()
        image["PixelData"] = DataElement("PixelData", "OW", swapped.tobytes())
    image.save_as(file, enforce_file_format=True)
    return file


def _compress_with_gdcm(image: Dataset, file: Path, syntax: UID) -> None:
    kind = np.dtype(f"<{'iu'[1 - image.PixelRepresentation]}{image.BitsAllocated // 8}")
    voxels = np.frombuffer(image.PixelData, kind).reshape(-1, image.Rows, image.Columns)
    writer = sitk.ImageFileWriter()
    writer.SetFileName(str(file))
    writer.SetUseCompression(True)
    writer.SetCompressor("JPEG" if syntax == JPEGLosslessSV1 else "JPEG2000")
    frames = []
    for voxel_plane in voxels:
        writer.SetImageIO("GDCMImageIO")
        writer.Execute(sitk.GetImageFromArray(voxel_plane[None]))
        written = dcmread(file)
        assert written.file_meta.TransferSyntaxUID == syntax
        frames.extend(generate_frames(written.PixelData, number_of_frames=1))
    image.BitsStored, image.HighBit = written.BitsStored, written.HighBit
    image["PixelData"] = DataElement("PixelData", "OB", encapsulate(frames), is_undefined_length=True)
    image.file_meta.TransferSyntaxUID = syntax


def write_series(
    volume: sitk.Image,
    folder: str | Path,
    *,
    modality: str = "CT",
    series: str = "a",
    syntax: UID = ExplicitVRLittleEndian,
    rescale: tuple[float, float] | None = None,
    bits: int = 16,
    change: Change = lambda k, image: None,
) -> list[Path]:
    """Write a volume as a classic series, one file a plane, with names in no order.

    Parameters
    ----------
    volume : SimpleITK.Image
        16-bit voxels are stored as they are.
    folder : str or Path
        Made when it is absent.
    modality : {"CT", "MR"}
        Kind of object.
    series : str
        Series of different names have different UIDs.
    syntax : UID
        Transfer syntax.
    rescale : tuple of float, optional
        Slope and intercept in the header; the stored values are not changed by it.
    bits : int
        BitsStored.
    change : callable
        Called with the plane's number and its data set before it is written.

    Returns
    -------
    list of Path
        The files, in the order of the planes.
    """
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    array = sitk.GetArrayFromImage(volume)
    names = np.random.default_rng(11).permutation(len(array))
    files = []
    for k, voxels in enumerate(array):
        image = plane(voxels, volume, k, modality, series, bits)
        if rescale:
            image.RescaleSlope, image.RescaleIntercept = ds(rescale)
        change(k, image)
        files.append(save(image, folder / f"{series}{names[k]:04d}.dcm", syntax))
    return files


def write_enhanced(
    volume: sitk.Image,
    file: str | Path,
    *,
    scales: Sequence[tuple[float, float]] = (),
    echoes: Sequence[float] = (80.0,),
    syntax: UID = ExplicitVRLittleEndian,
    change: Callable[[Dataset], None] = lambda image: None,
) -> Path:
    """Write a volume as one enhanced MR object, its frames against the spatial order.

    With several `echoes`, the planes are repeated for each echo time (ms), 1 added to the voxels each time.
    """
    array = sitk.GetArrayFromImage(volume)
    order = [(k, echo) for echo in range(len(echoes)) for k in reversed(range(len(array)))]
    image = plane(array[0], volume, 0, "MR", "enhanced", 16)
    for name in ("ImagePositionPatient", "ImageOrientationPatient", "PixelSpacing", "SliceThickness"):
        del image[name]
    image.SOPClassUID = EnhancedMRImageStorage
    store(image, np.stack([array[k] + array.dtype.type(echo) for k, echo in order]))
    spacing, matrix = volume.GetSpacing(), np.array(volume.GetDirection()).reshape(3, 3)
    shared = Dataset()
    shared.PixelMeasuresSequence = _item(PixelSpacing=ds([spacing[1], spacing[0]]), SliceThickness="77")
    shared.PlaneOrientationSequence = _item(ImageOrientationPatient=ds([*matrix[:, 0], *matrix[:, 1]]))
    image.SharedFunctionalGroupsSequence = Items([shared])
    frames = []
    for k, echo in order:
        frame = Dataset()
        position = volume.TransformIndexToPhysicalPoint((0, 0, k))
        frame.PlanePositionSequence = _item(ImagePositionPatient=ds(position))
        frame.MREchoSequence = _item(EffectiveEchoTime=float(echoes[echo]))
        if scales:
            slope, intercept = ds(scales[k])
            frame.PixelValueTransformationSequence = _item(
                RescaleSlope=slope, RescaleIntercept=intercept, RescaleType="US"
            )
        frames.append(frame)
    image.PerFrameFunctionalGroupsSequence = Items(frames)
    change(image)
    return save(image, Path(file), syntax)


def _item(**values: object) -> Items:
    item = Dataset()
    for name, value in values.items():
        setattr(item, name, value)
    return Items([item])
