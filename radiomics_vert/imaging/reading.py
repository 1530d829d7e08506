"""Read images and masks, and refuse what would give wrong numbers."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import SimpleITK as sitk

from radiomics_vert.errors import ImageError, Problem
from radiomics_vert.imaging.containers import require_complete, require_supported, suffix_of
from radiomics_vert.imaging.dicom import is_series, open_stack, read_voxels
from radiomics_vert.imaging.filling import Filling, pixel_type
from radiomics_vert.imaging.geometry import Geometry
from radiomics_vert.imaging.nifti import (
    checksum_of,
    nonfinite_voxels,
    promised_checksum,
    slabs,
    storage_of,
)
from radiomics_vert.imaging.streams import is_gzip
from radiomics_vert.imaging.volumes import Image, LabelMap

_FLOATS = (sitk.sitkFloat32, sitk.sitkFloat64)
_NIFTI = (".nii", ".nii.gz")
_SHOWN = 5
_LARGEST_LABEL = 2**32 - 1
_LABELS = ("u1", "u2", "u4")


def read_image(path: str | Path, *, series: str = "", verified: bool = False) -> Image:
    """Read an image: NIfTI, NRRD, MetaImage, or a DICOM series.

    Parameters
    ----------
    path : str or Path
        `.nii`, `.nii.gz`, `.nrrd`, `.nhdr`, `.mha`, `.mhd`, a folder with DICOM files, or one multi-frame
        DICOM file.
    series : str
        Which DICOM series, as for :func:`~radiomics_vert.imaging.dicom.choose_series`.
    verified : bool, default False
        The caller has just checked that the file is complete; do not check again.

    Returns
    -------
    Image
        With the voxel type of the file. NIfTI orientation as ITK reads it: sform, else qform. DICOM is
        rescaled (Hounsfield units) and ordered by position.

    Raises
    ------
    ImageError
        RV101 no such file, RV202 unreadable, truncated or sheared, RV203 not three-dimensional, RV204 NaN or
        infinite voxels, RV209 another format, RV210 several or complex numbers per voxel; RV211 to RV222 a
        DICOM folder without series, an unclear choice, or planes that are no regular volume.
    """
    path = Path(path)
    if is_series(path, series):
        return Image(read_voxels(open_stack(path, series)), str(path))
    return Image(_read(path, verified, "image"), str(path))


def read_label_map(path: str | Path, *, verified: bool = False) -> LabelMap:
    """Read a mask: whole numbers from 0 up, whatever their type in the file.

    Parameters
    ----------
    path : str or Path
        As for :func:`read_image`.
    verified : bool, default False
        As for :func:`read_image`.

    Returns
    -------
    LabelMap
        Of unsigned integers of 8, 16 or 32 bits, as many as the largest label needs.

    Raises
    ------
    ImageError
        As :func:`read_image`; RV205 fractions or negative numbers, RV209 also DICOM.
    """
    path = Path(path)
    volume = _read(path, verified, "mask")
    largest = 0
    for plane in sitk.GetArrayViewFromImage(volume):
        if not _whole(plane).all():
            raise ImageError(_not_whole(sitk.GetArrayViewFromImage(volume), path))
        largest = max(largest, int(plane.max()))
    kind = pixel_type(next(kind for kind in _LABELS if largest <= np.iinfo(kind).max))
    return LabelMap(volume if volume.GetPixelID() == kind else sitk.Cast(volume, kind), str(path))


def read_geometry(path: str | Path, *, series: str = "") -> Geometry:
    """Read the grid of an image or mask from its header alone.

    Parameters
    ----------
    path, series
        As for :func:`read_image`.

    Raises
    ------
    ImageError
        As :func:`read_image`, as far as the header tells.
    """
    path = Path(path)
    return open_stack(path, series).geometry if is_series(path, series) else _header(path)[0]


def require_finite(path: str | Path, what: str = "image", *, series: str = "") -> None:
    """Refuse an image with NaN or infinite voxels; integer images are not read at all.

    Parameters
    ----------
    path : str or Path
        As for :func:`read_image`.
    what : str
        `image` or `mask`, for the message.
    series : str
        As for :func:`read_image`.

    Raises
    ------
    ImageError
        RV204, with the number of these voxels and where they are.
    """
    path = Path(path)
    if is_series(path, series):
        open_stack(path, series)  # stored whole numbers, and scales that were checked
        return
    if _header(path)[1] not in _FLOATS:
        return
    if suffix_of(path) in _NIFTI:
        # ITK has turned them into zeros by the time it hands over the voxels of a NIfTI file.
        bad = nonfinite_voxels(path)
        if len(bad):
            raise ImageError(_nonfinite(bad, path, what))
    else:
        _finite(_load(path), path, what)


def _finite(volume: sitk.Image, path: Path, what: str) -> sitk.Image:
    """Return a volume without NaN and infinite voxels, or refuse it; it is looked at slice by slice."""
    if volume.GetPixelID() not in _FLOATS:
        return volume
    slices = enumerate(sitk.GetArrayViewFromImage(volume))
    bad = [np.insert(np.argwhere(~np.isfinite(one))[:, ::-1], 2, z, axis=1) for z, one in slices]
    found = np.concatenate(bad)
    if len(found):
        raise ImageError(_nonfinite(found, path, what))
    return volume


@contextmanager
def _quiet_itk() -> Iterator[None]:
    """Keep ITK's remarks about odd headers off the terminal; what matters is an error here."""
    before = sitk.ProcessObject.GetGlobalWarningDisplay()
    sitk.ProcessObject.SetGlobalWarningDisplay(False)
    try:
        yield
    finally:
        sitk.ProcessObject.SetGlobalWarningDisplay(before)


def _header(path: Path) -> tuple[Geometry, int]:
    require_supported(path)
    reader = sitk.ImageFileReader()
    reader.SetFileName(str(path))
    with _quiet_itk():
        try:
            reader.ReadImageInformation()
        except RuntimeError as error:
            require_complete(path)  # names the damage better than ITK, when it is one
            raise ImageError(_unreadable(path, error)) from error
    size, pixel = reader.GetSize(), reader.GetPixelID()
    _require_three_d(size, path)
    _require_scalar(pixel, reader.GetNumberOfComponents(), path)
    matrix = np.array(reader.GetDirection()).reshape(len(size), len(size))[:3, :3]
    direction = tuple(float(cosine) for cosine in matrix.ravel())
    return Geometry(size[:3], reader.GetSpacing()[:3], reader.GetOrigin()[:3], direction), pixel


def _read(path: Path, verified: bool, what: str) -> sitk.Image:
    _, pixel = _header(path)
    if not verified:
        volume = _proven(path) if pixel not in _FLOATS else None
        if volume is not None:
            return volume
        require_complete(path)
    if suffix_of(path) not in _NIFTI:
        return _finite(_load(path), path, what)
    require_finite(path, what)
    return _load(path, labels=what == "mask")


def _proven(path: Path) -> sitk.Image | None:
    """Return the voxels of a compressed NIfTI file when their checksum is that of the file; else None.

    This spares a second decompression. Whatever else a file is (damaged, of several members, scaled by its
    header, in the other byte order) is left to the checks that can say so.
    """
    if suffix_of(path) not in _NIFTI or not is_gzip(path):
        return None
    promised = promised_checksum(path)
    if promised is None:
        return None
    try:
        volume = _load(path)
    except ImageError:
        return None
    return volume if checksum_of(path, sitk.GetArrayViewFromImage(volume)) == promised else None


def _load(path: Path, *, labels: bool = False) -> sitk.Image:
    with _quiet_itk():
        try:
            volume = _streamed(path, labels=labels) or sitk.ReadImage(str(path))
        except RuntimeError as error:
            raise ImageError(_unreadable(path, error)) from error
    # One volume stored as 4-D (a common export quirk) is an ordinary 3-D image.
    return volume[:, :, :, 0] if volume.GetDimension() == 4 else volume


def _streamed(path: Path, *, labels: bool = False) -> sitk.Image | None:
    """Read a NIfTI file slab by slab, labels into the smallest type: ITK's reader has all voxels twice.

    None where that is left to ITK: other number types, byte orders and scales, damage, labels that are none.
    """
    if suffix_of(path) not in _NIFTI:
        return None
    reader = sitk.ImageFileReader()
    reader.SetFileName(str(path))
    reader.ReadImageInformation()
    try:
        storage = storage_of(path)
        if storage is None:
            return None
        filling = Filling(reader.GetSize(), _LABELS if labels else (storage.voxel_kind,))
        for slab in slabs(path, storage):
            if labels and not _whole(slab).all():
                return None
            filling.add(slab)
    except ImageError:
        return None
    volume = filling.volume
    if not filling.full or not (labels or volume.GetPixelID() == reader.GetPixelID()):
        return None
    volume.SetSpacing(reader.GetSpacing())
    volume.SetOrigin(reader.GetOrigin())
    volume.SetDirection(reader.GetDirection())
    return volume


def _unreadable(path: Path, error: RuntimeError) -> Problem:
    text = str(error)
    if "orthonormal" in text:
        return Problem(
            "RV202",
            "axes at right angles to each other",
            "a sheared or singular orientation matrix in the header",
            str(path),
            "resample the image to an orthogonal grid (gantry tilt: dcm2niix does so), and the mask with it",
        )
    if "Unable to determine ImageIO" in text:
        return Problem(
            "RV202",
            f"the content that the name {path.name!r} promises",
            f"{path.stat().st_size} bytes that no reader recognises",
            str(path),
            "open the file in a viewer; export or download it again",
        )
    # Neither folders nor memory addresses belong into a message that is compared between runs.
    reason = re.sub(r"\w+\(0x[0-9a-f]+\): ", "", text.replace(str(path), path.name).split("ERROR:")[-1])
    reason = " ".join(reason.split())
    return Problem("RV202", "a readable image", reason, str(path), "export or copy the file again")


def _require_three_d(size: tuple[int, ...], path: Path) -> None:
    if len(size) == 3 or (len(size) == 4 and size[3] == 1):
        return
    four = len(size) == 4
    raise ImageError(
        Problem(
            "RV203",
            "three dimensions",
            f"{len(size)} dimensions, size {size}" + (f": {size[3]} volumes" if four else ""),
            str(path),
            "extract the one volume to be measured (time point, echo, b-value) into a file of its own"
            if four
            else "name the whole volume instead of a single slice",
        )
    )


def _require_scalar(pixel: int, components: int, path: Path) -> None:
    kind = sitk.GetPixelIDValueAsString(pixel)
    if components == 1 and "complex" not in kind and "vector" not in kind:
        return
    raise ImageError(
        Problem(
            "RV210",
            "one real number per voxel",
            f"{components} numbers per voxel ({kind})",
            str(path),
            "save one component or the magnitude as the image, and a label map without overlaps as the mask",
        )
    )


def _nonfinite(bad: np.ndarray, path: Path, what: str) -> Problem:
    first, low, high = bad[0], bad.min(axis=0), bad.max(axis=0)
    voxel = ", ".join(map(str, first))
    extent = ", ".join(f"{axis} {a}-{b}" for axis, a, b in zip("xyz", low, high, strict=True))
    return Problem(
        "RV204",
        f"finite numbers in every voxel of the {what}",
        f"{len(bad)} voxels NaN or infinite, the first at voxel ({voxel}), all in {extent}",
        str(path),
        "replace these voxels by the background value of the scanner, or export the image again",
    )


def _whole(values: np.ndarray) -> np.ndarray:
    """Tell which values are labels: whole numbers that are not negative."""
    inside = (values >= 0) & (values <= _LARGEST_LABEL)
    return inside & (values == np.rint(values)) if values.dtype.kind == "f" else inside


def _not_whole(values: np.ndarray, path: Path) -> Problem:
    bad = np.concatenate([plane[~_whole(plane)] for plane in values])
    distinct = np.unique(bad)
    shown = ", ".join(f"{value:g}" for value in distinct[:_SHOWN]) + (
        ", ..." if len(distinct) > _SHOWN else ""
    )
    return Problem(
        "RV205",
        "whole numbers from 0 up, 0 for background",
        f"{bad.size} of {values.size} voxels with other values: {shown}",
        str(path),
        "save the mask as a label map; if it was resampled, use nearest-neighbour interpolation",
    )
