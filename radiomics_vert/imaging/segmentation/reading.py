"""One door for all masks: what a path holds, and the reader for it."""

from __future__ import annotations

import struct
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pydicom

from radiomics_vert.errors import ImageError, Problem
from radiomics_vert.imaging.dicom import choose_series, is_dicom
from radiomics_vert.imaging.dicom.headers import DAMAGE
from radiomics_vert.imaging.geometry import Geometry
from radiomics_vert.imaging.segmentation.dicom_seg import read_dicom_seg
from radiomics_vert.imaging.segmentation.files import files_of, read_files
from radiomics_vert.imaging.segmentation.label_maps import read_labels
from radiomics_vert.imaging.segmentation.nouns import Segmentation, SegmentMask
from radiomics_vert.imaging.segmentation.rtstruct import read_rtstruct
from radiomics_vert.imaging.segmentation.slicer import is_slicer, read_slicer

SEGMENTATION_CLASSES = ("1.2.840.10008.5.1.4.1.1.66.4", "1.2.840.10008.5.1.4.1.1.66.7")
STRUCTURE_SET_CLASS = "1.2.840.10008.5.1.4.1.1.481.3"
DEFAULT_THRESHOLD = 0.5


@dataclass(frozen=True)
class ImageReference:
    """What a DICOM image says about itself, so that a DICOM mask of another image is noticed.

    Parameters
    ----------
    frame_of_reference, series : str
        UIDs; empty when unknown.
    """

    frame_of_reference: str = ""
    series: str = ""


def read_segmentation(
    path: str | Path,
    grid: Geometry,
    *,
    further: Sequence[Path] = (),
    threshold: float = DEFAULT_THRESHOLD,
    reference: ImageReference | None = None,
    where: str = "",
) -> Segmentation:
    """Read a mask of any supported kind.

    Parameters
    ----------
    path : str or Path
        NIfTI, NRRD or MetaImage label map; Slicer `.seg.nrrd`; DICOM-SEG or RTSTRUCT; a folder with one
        binary file per segment, or with one DICOM mask.
    grid : Geometry
        The grid of the image.
    further : sequence of Path, optional
        More files, when every segment has its own.
    threshold : float, default 0.5
        For fractional DICOM-SEG: the share of MaximumFractionalValue from which a voxel is inside.
    reference : ImageReference, optional
        Of a DICOM image; DICOM masks of another frame of reference are refused.
    where : str
        Image and mask, for messages about both; the mask alone by default.

    Returns
    -------
    Segmentation
        Voxels are decoded segment by segment, when :meth:`Segmentation.mask` asks for them.

    Raises
    ------
    ImageError
        RV101, RV202, RV209 as for images; RV201 another grid; RV226 a damaged or incomplete description of
        the segments; RV228 a segment twice; RV229 a mask of another image; RV230 outlines that cannot be
        placed (from :meth:`Segmentation.mask`).
    """
    path = Path(path)
    where = where or str(path)
    if further:
        return read_files([path, *further], grid, f"{path} and {len(further)} more")
    if path.is_dir():
        masks = _dicom_files(path)
        if not masks:
            return read_files(files_of(path), grid, str(path))
        path = _only(masks, path)
    if not path.is_file() or not _is_dicom(path):
        return read_slicer(path, grid, where) if is_slicer(path) else read_labels(path, grid, where)
    with _guarded(path):
        return _guarded_masks(_read_dicom(path, grid, where, threshold, reference), path)


def is_dicom_mask(path: str | Path) -> bool:
    """Tell whether a mask is DICOM: a file, or a folder of such files."""
    path = Path(path)
    return bool(_dicom_files(path)) if path.is_dir() else path.is_file() and _is_dicom(path)


def image_reference(image: str | Path, mask: str | Path, series: str = "") -> ImageReference | None:
    """Return what a DICOM image says about itself; None where image or mask is of another format.

    Parameters
    ----------
    image, mask : str or Path
        As in the image table.
    series : str
        Which series of the image folder.

    Raises
    ------
    ImageError
        RV2xx: no series, or several of which none is chosen.
    """
    if not is_dicom(Path(image)) or not is_dicom_mask(mask):
        return None
    chosen = choose_series(image, series)
    with _guarded(chosen.files[0]):
        header = pydicom.dcmread(
            chosen.files[0], stop_before_pixels=True, specific_tags=["FrameOfReferenceUID"], force=True
        )
        return ImageReference(str(header.get("FrameOfReferenceUID", "")), chosen.uid)


def _is_dicom(path: Path) -> bool:
    if path.suffix.lower() == ".dcm":
        return True
    with path.open("rb") as stream:
        stream.seek(128)
        return stream.read(4) == b"DICM"


def _dicom_files(folder: Path) -> list[Path]:
    return sorted(path for path in folder.iterdir() if path.is_file() and _is_dicom(path))


def _only(masks: list[Path], folder: Path) -> Path:
    if len(masks) == 1:
        return masks[0]
    raise ImageError(
        Problem(
            "RV226",
            "one DICOM mask in the folder",
            f"{len(masks)} DICOM files, the first {masks[0].name}",
            str(folder),
            "name the file with the segmentation in the column 'mask'",
        )
    )


def _read_dicom(
    path: Path, grid: Geometry, where: str, threshold: float, reference: ImageReference | None
) -> Segmentation:
    header = pydicom.dcmread(path, stop_before_pixels=True)
    kind = str(header.get("SOPClassUID", ""))
    if kind not in (*SEGMENTATION_CLASSES, STRUCTURE_SET_CLASS):
        raise ImageError(
            Problem(
                "RV209",
                "a DICOM segmentation (SEG) or structure set (RTSTRUCT)",
                f"a DICOM object of the kind {header.get('Modality', 'unknown')}",
                str(path),
                "name the segmentation object, not an image, in the column 'mask'",
            )
        )
    _require_same_image(header, reference, where)
    if kind == STRUCTURE_SET_CLASS:
        return read_rtstruct(path, grid)
    return read_dicom_seg(path, grid, where, threshold)


def _require_same_image(header: Any, reference: ImageReference | None, where: str) -> None:
    """Refuse a mask of another frame of reference; of another series where it names no frame."""
    if reference is None:
        return
    frames, series = _referenced(header)
    if frames and reference.frame_of_reference:
        what, wanted, found = "frame of reference", reference.frame_of_reference, frames
    elif series and reference.series:
        what, wanted, found = "series", reference.series, series
    else:
        return
    if wanted in found:
        return
    raise ImageError(
        Problem(
            "RV229",
            f"a mask in the {what} of its image, {_end(wanted)}",
            f"the {what} {', '.join(_end(uid) for uid in sorted(found))}",
            where,
            "use the mask that was drawn on this series, or name that series in the column 'series'",
        )
    )


def _end(uid: str) -> str:
    """Return the end of a UID: enough to compare, too little to find a patient by."""
    return uid if len(uid) <= 12 else f"...{uid[-12:]}"


def _referenced(header: Any) -> tuple[set[str], set[str]]:
    """Return the UIDs of the frames of reference and of the series that a DICOM mask names."""
    frames = {str(header.get("FrameOfReferenceUID", ""))}
    series = {str(item.get("SeriesInstanceUID", "")) for item in header.get("ReferencedSeriesSequence") or []}
    for region in header.get("StructureSetROISequence") or []:
        frames.add(str(region.get("ReferencedFrameOfReferenceUID", "")))
    for item in header.get("ReferencedFrameOfReferenceSequence") or []:
        frames.add(str(item.get("FrameOfReferenceUID", "")))
        for study in item.get("RTReferencedStudySequence") or []:
            for one in study.get("RTReferencedSeriesSequence") or []:
                series.add(str(one.get("SeriesInstanceUID", "")))
    return frames - {""}, series - {""}


def _guarded_masks(segmentation: Segmentation, path: Path) -> Segmentation:
    def fetch(number: int) -> SegmentMask:
        with _guarded(path):
            return segmentation.fetch(number)

    return replace(segmentation, fetch=fetch)


@contextmanager
def _guarded(path: Path) -> Iterator[None]:
    """Turn what pydicom says about missing or malformed elements into one problem with a remedy."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            yield
        except (*DAMAGE, struct.error) as error:
            # What pydicom says quotes the values of the file; only the name of a missing element is safe.
            missing = error.name if isinstance(error, AttributeError) else ""
            text = f"no element {missing}" if missing else f"elements that raise {type(error).__name__}"
            raise ImageError(
                Problem(
                    "RV226",
                    "a DICOM file with the elements that the standard requires",
                    text,
                    str(path),
                    "export the mask again from the program that made it",
                )
            ) from error
