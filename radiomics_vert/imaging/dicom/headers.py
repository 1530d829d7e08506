"""DICOM headers: find the files of a folder and read the named tags of a whitelist, nothing else.

Everything that leaves this module is text under a standard tag name. Names of people, birth dates, patient
and accession numbers, dates, and private tags are not in the whitelist, so that nothing downstream can
repeat them. Remarks of pydicom quote the offending values; they are silenced, and its errors are replaced.
"""

from __future__ import annotations

import logging
import math
import struct
import warnings
import zlib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pydicom
from pydicom.dataset import Dataset
from pydicom.errors import BytesLengthException, InvalidDicomError
from pydicom.uid import UID

from radiomics_vert.errors import ImageError, Problem

# Tags by which the images at one position may be told apart; also the names allowed in a choice.
CHOICE_TAGS = (
    "EchoTime", "InversionTime", "DiffusionBValue", "TemporalPositionIdentifier", "TriggerTime", "FlipAngle",
    "RepetitionTime", "ImageType", "ConvolutionKernel", "KVP", "SequenceName", "StackID", "EchoNumbers",
    "SeriesNumber", "AcquisitionNumber",
)  # fmt: skip
# Tags that may be shown to other people, see :mod:`radiomics_vert.imaging.dicom.facts`.
FACT_TAGS = (
    "Manufacturer", "ManufacturerModelName", "SoftwareVersions", "MagneticFieldStrength", "XRayTubeCurrent",
    "Exposure", "ContrastBolusAgentPhase", "EchoTrainLength", "ScanningSequence", "SequenceVariant",
    "MRAcquisitionType", "SliceThickness", "PatientPosition", "BodyPartExamined", "LossyImageCompression",
)  # fmt: skip
# Read for one question only, never handed on: was contrast agent given, and which phase was it?
_HIDDEN_TAGS = ("ContrastBolusAgent", "ProtocolName")
_IMAGE_TAGS = (
    "SOPClassUID", "SOPInstanceUID", "SeriesInstanceUID", "SeriesDescription", "Modality", "NumberOfFrames",
    "SamplesPerPixel", "PhotometricInterpretation", "Rows", "Columns", "PixelSpacing", "BitsAllocated",
    "ImagePositionPatient", "ImageOrientationPatient", "RescaleSlope", "RescaleIntercept", "RescaleType",
    "PixelPaddingValue", "PixelRepresentation", "Units",
)  # fmt: skip
WHITELIST = (*_IMAGE_TAGS, *CHOICE_TAGS, *FACT_TAGS, *_HIDDEN_TAGS)

# Enhanced objects keep the same facts in functional groups: (sequence, tag there, name used here).
_GROUPS = (
    ("PlanePositionSequence", "ImagePositionPatient", "ImagePositionPatient"),
    ("PlaneOrientationSequence", "ImageOrientationPatient", "ImageOrientationPatient"),
    ("PixelMeasuresSequence", "PixelSpacing", "PixelSpacing"),
    ("PixelMeasuresSequence", "SliceThickness", "SliceThickness"),
    ("PixelValueTransformationSequence", "RescaleSlope", "RescaleSlope"),
    ("PixelValueTransformationSequence", "RescaleIntercept", "RescaleIntercept"),
    ("PixelValueTransformationSequence", "RescaleType", "RescaleType"),
    ("FrameContentSequence", "StackID", "StackID"),
    ("FrameContentSequence", "TemporalPositionIndex", "TemporalPositionIdentifier"),
    ("FrameContentSequence", "FrameAcquisitionNumber", "AcquisitionNumber"),
    ("MREchoSequence", "EffectiveEchoTime", "EchoTime"),
    ("MRDiffusionSequence", "DiffusionBValue", "DiffusionBValue"),
    ("MRTimingAndRelatedParametersSequence", "RepetitionTime", "RepetitionTime"),
    ("MRTimingAndRelatedParametersSequence", "FlipAngle", "FlipAngle"),
    ("MRTimingAndRelatedParametersSequence", "EchoTrainLength", "EchoTrainLength"),
    ("MRModifierSequence", "InversionTimes", "InversionTime"),
    ("MRImageFrameTypeSequence", "FrameType", "ImageType"),
    ("CTImageFrameTypeSequence", "FrameType", "ImageType"),
    ("CTReconstructionSequence", "ConvolutionKernel", "ConvolutionKernel"),
    ("CTXRayDetailsSequence", "KVP", "KVP"),
    ("CTExposureSequence", "XRayTubeCurrentInmA", "XRayTubeCurrent"),
    ("CTExposureSequence", "ExposureInmAs", "Exposure"),
)
_SEQUENCES = (
    "SharedFunctionalGroupsSequence", "PerFrameFunctionalGroupsSequence", "ModalityLUTSequence",
)  # fmt: skip
_MOST_FRAMES = 100_000
_DIRECTORY = "1.2.840.10008.1.3.10"
# What pydicom raises on damaged files and values, and the system on files that cannot be opened.
DAMAGE = (
    InvalidDicomError, BytesLengthException, OSError, EOFError, ValueError, TypeError, LookupError,
    AttributeError, ArithmeticError, NotImplementedError, RuntimeError, MemoryError, struct.error, zlib.error,
)  # fmt: skip


@dataclass(frozen=True)
class Frame:
    """One image plane: a whole classic DICOM file, or one frame of a multi-frame object.

    Parameters
    ----------
    file : Path
        Where it is stored.
    name : str
        The file's place below the folder that was read, for messages.
    index : int
        Number of the frame in its file, from 0.
    values : mapping of str to tuple of str
        The whitelisted tags as text, by keyword; `TransferSyntaxUID` and `ModalityLUT` beside them.
    """

    file: Path
    name: str
    index: int
    values: Mapping[str, tuple[str, ...]] = field(repr=False, compare=False)

    @property
    def title(self) -> str:
        """The file, and the frame where the file holds several."""
        several = self.text("NumberOfFrames") not in ("", "1")
        return f"{self.name} frame {self.index + 1}" if several else self.name

    def text(self, keyword: str) -> str:
        """Return a tag as text, its values joined by backslashes; empty when it is absent."""
        return "\\".join(self.values.get(keyword, ()))

    def numbers(self, keyword: str) -> tuple[float, ...]:
        """Return a tag as finite numbers; empty when it is absent or holds anything else."""
        try:
            found = tuple(float(value) for value in self.values.get(keyword, ()))
        except ValueError:
            return ()
        return found if all(math.isfinite(value) for value in found) else ()


@contextmanager
def quiet_pydicom() -> Iterator[None]:
    """Silence pydicom's remarks, which quote the contents of tags, as warnings and in its log."""
    log = logging.getLogger("pydicom")
    before = log.disabled
    log.disabled = True
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        log.disabled = before


def uid_name(uid: str) -> str:
    """Return the standard's name of a kind of object or transfer syntax; empty when it has none."""
    with quiet_pydicom():
        name = UID(uid).name
    return "" if name == uid else name


def is_dicom(path: Path) -> bool:
    """Tell whether a path is to be read as DICOM: any folder, and files by their ending or their mark."""
    if path.is_dir() or path.suffix.lower() in (".dcm", ".ima"):
        return True
    return path.is_file() and _is_marked(path)


def read_frames(path: Path) -> tuple[Frame, ...]:
    """Read the headers of all DICOM files of a folder and its sub-folders, or of one file.

    Parameters
    ----------
    path : Path
        A folder or a file. Files that are not DICOM, hidden files and DICOMDIR are passed over.

    Returns
    -------
    tuple of Frame
        Ordered by file name and frame; that order has no meaning.

    Raises
    ------
    ImageError
        RV202: a file that is DICOM by its ending or its mark cannot be read; it may belong to any series.
    """
    if path.is_file():
        return _frames(path, path.name)
    found: list[Frame] = []
    for file in sorted(path.rglob("*")):
        name = file.relative_to(path)
        if file.is_file() and not any(part.startswith(".") for part in name.parts):
            found.extend(_frames(file, name.as_posix()))
    return tuple(found)


def unreadable(expected: str, found: str, file: Path) -> ImageError:
    """Return the error of a DICOM file that is damaged."""
    remedy = "export or copy this file again; if it belongs to none of the images, move it elsewhere"
    return ImageError(Problem("RV202", expected, found, str(file), remedy))


def _is_marked(file: Path) -> bool:
    return _start(file)[128:] == b"DICM"


def _start(file: Path) -> bytes:
    with file.open("rb") as stream:
        return stream.read(132)


def _frames(file: Path, name: str) -> tuple[Frame, ...]:
    if file.name.upper() == "DICOMDIR":
        return ()
    try:
        start = _start(file)
        claimed = start[128:] == b"DICM" or file.suffix.lower() in (".dcm", ".ima")
        # Old archives wrote data sets without a mark; they begin with a tag of group 2 or 8.
        if not claimed and start[:4] not in (b"\x02\0\0\0", b"\x08\0\0\0", b"\x08\0\x05\0"):
            return ()
        with quiet_pydicom():
            dataset = pydicom.dcmread(
                file, force=True, stop_before_pixels=True, specific_tags=[*WHITELIST, *_SEQUENCES]
            )
            shared = _values(dataset, WHITELIST)
    except DAMAGE:
        # The error is replaced whole: pydicom's own message would quote the damaged value.
        raise unreadable("a DICOM header", "damaged content", file) from None
    if not claimed and "SOPClassUID" not in shared:
        return ()
    if shared.get("SOPClassUID") == (_DIRECTORY,):
        return ()
    for keyword in ("SOPClassUID", "SeriesInstanceUID"):
        if keyword not in shared:
            raise unreadable("a DICOM header", f"no {keyword}" if start else "an empty file", file)
    syntax = getattr(dataset, "file_meta", Dataset()).get("TransferSyntaxUID", "")
    shared["TransferSyntaxUID"] = (str(syntax),)
    if "ModalityLUTSequence" in dataset:
        shared["ModalityLUT"] = ("yes",)
    per_frame = _per_frame(dataset, shared, file)
    return tuple(Frame(file, name, index, values) for index, values in enumerate(per_frame))


def _per_frame(
    dataset: Dataset, shared: dict[str, tuple[str, ...]], file: Path
) -> list[dict[str, tuple[str, ...]]]:
    """Return the values of every frame of an enhanced object; of a classic one, its own."""
    declared = (*Frame(file, file.name, 0, shared).numbers("NumberOfFrames"), 1)[0]
    if declared > _MOST_FRAMES:
        raise unreadable("a number of frames", f"{declared:g} frames", file)
    try:
        with quiet_pydicom():
            common = dataset.get("SharedFunctionalGroupsSequence") or [Dataset()]
            frames = list(dataset.get("PerFrameFunctionalGroupsSequence") or [])
            base = {**shared, **_grouped(common[0])}
            values = [{**base, **_grouped(frame)} for frame in frames]
    except DAMAGE:
        raise unreadable("functional groups", "damaged content", file) from None
    # Frames that the header does not describe are kept: without a position they are refused later.
    return values + [base] * (max(int(declared), 1) - len(values))


def _grouped(groups: Dataset) -> dict[str, tuple[str, ...]]:
    found: dict[str, tuple[str, ...]] = {}
    for sequence, keyword, name in _GROUPS:
        items = groups.get(sequence)
        if items and (text := _values(items[0], (keyword,)).get(keyword)):
            found[name] = text
    return found


def _values(dataset: Dataset, keywords: Sequence[str]) -> dict[str, tuple[str, ...]]:
    """Return tags as text; a tag whose value cannot be understood is a question mark, not absent."""
    found: dict[str, tuple[str, ...]] = {}
    for keyword in keywords:
        try:
            value = dataset.get(keyword)
        except DAMAGE:
            found[keyword] = ("?",)
            continue
        if value is not None and (text := _texts(value)):
            found[keyword] = text
    return found


def _texts(value: Any) -> tuple[str, ...]:
    several = value if isinstance(value, (list, tuple, pydicom.multival.MultiValue)) else (value,)
    texts = tuple(str(one).strip().strip("\0") for one in several)
    return texts if any(texts) else ()
