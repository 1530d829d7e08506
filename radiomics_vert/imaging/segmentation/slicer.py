"""3D Slicer's `.seg.nrrd`: named segments, several to a layer, layers that overlap.

Keys: `Segment<i>_Name`, `_LabelValue`, `_Layer`, `_Tags` (with the terminology). Several layers are a
list dimension in front of x, y, z, which ITK reads as a vector per voxel. A cropped file starts at the
position that its header gives (`Segmentation_ReferenceImageExtentOffset` says the same in voxels of the
volume that it was drawn on, which need not be this image): the position decides.
"""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import SimpleITK as sitk

from radiomics_vert.errors import ImageError, Problem
from radiomics_vert.imaging.containers import require_complete, require_supported, suffix_of
from radiomics_vert.imaging.geometry import Geometry
from radiomics_vert.imaging.segmentation.nouns import Code, Segment, Segmentation, SegmentMask
from radiomics_vert.imaging.segmentation.placing import offset_on, place
from radiomics_vert.imaging.streams import damaged

_KEY = re.compile(r"^Segment(\d+)_(\w+)$")
_REMEDY = "save the segmentation again in 3D Slicer as .seg.nrrd, or export a label map and name its scheme"


def is_slicer(path: Path) -> bool:
    """Tell whether an NRRD file describes segments in Slicer's way."""
    if suffix_of(path) not in (".nrrd", ".nhdr"):
        return False
    if path.name.lower().endswith((".seg.nrrd", ".seg.nhdr")):
        return True
    return any(_KEY.match(key) for key in _information(path).GetMetaDataKeys())


def read_slicer(path: Path, grid: Geometry, where: str) -> Segmentation:
    """Read a Slicer segmentation.

    Parameters
    ----------
    path : Path
        `.seg.nrrd`; it may cover a part of the image.
    grid : Geometry
        The image's.
    where : str
        Image and mask, for the message of a mismatch.

    Raises
    ------
    ImageError
        RV226 the description of the segments is incomplete or contradicts the voxels, RV228 a name twice,
        RV201 another grid, RV202 damaged.
    """
    entries = _entries(_information(path), path)
    require_complete(path)
    layers, geometry = _layers(path)
    values = {}
    segments = []
    single = len({_whole(entry, "LabelValue", path) for entry in entries.values()}) == len(entries)
    for position, (index, entry) in enumerate(entries.items(), 1):
        value, layer = _whole(entry, "LabelValue", path), _whole(entry, "Layer", path, default="0")
        if layer >= len(layers):
            raise _faulty(f"Segment{index}_Layer from 0 to {len(layers) - 1}", str(layer), path)
        number = value if single else position
        values[number] = (layer, value)
        segments.append(Segment(number, entry.get("Name", entry.get("ID", "")), _codes(entry), layer))
    _require_distinct(segments, values, path)
    _require_described(layers, values, path)
    offset = offset_on(geometry, grid, where)

    def fetch(number: int) -> SegmentMask:
        layer, value = values[number]
        name = next(segment.name for segment in segments if segment.number == number)
        return SegmentMask(place(layers[layer] == value, offset, grid, where, name))

    return Segmentation("Slicer segmentation", str(path), grid, tuple(segments), single, fetch)


def _information(path: Path) -> sitk.ImageFileReader:
    require_supported(path)
    reader = sitk.ImageFileReader()
    reader.SetFileName(str(path))
    try:
        reader.ReadImageInformation()
    except RuntimeError as error:
        require_complete(path)
        raise damaged("an NRRD file that ITK can read", "a header that it cannot", path) from error
    return reader


def _entries(reader: sitk.ImageFileReader, path: Path) -> dict[int, dict[str, str]]:
    entries: dict[int, dict[str, str]] = {}
    for key in reader.GetMetaDataKeys():
        match = _KEY.match(key)
        if match:
            entries.setdefault(int(match[1]), {})[match[2]] = reader.GetMetaData(key).strip()
    if not entries:
        raise _faulty("keys Segment0_Name, Segment0_LabelValue, ... in the header", "none", path)
    return dict(sorted(entries.items()))


def _whole(entry: dict[str, str], key: str, path: Path, default: str = "") -> int:
    text = entry.get(key, default)
    name = entry.get("Name", entry.get("ID", "without name"))
    if not text.isdigit() or (key == "LabelValue" and int(text) == 0):
        raise _faulty(
            f"{key} of the segment {name!r} as a whole number", repr(text) if text else "none", path
        )
    return int(text)


def _layers(path: Path) -> tuple[list[np.ndarray], Geometry]:
    try:
        volume = sitk.ReadImage(str(path))
    except RuntimeError as error:
        raise damaged("as many voxels as the header says", "fewer, or other ones", path) from error
    array = sitk.GetArrayFromImage(volume)
    if volume.GetDimension() == 4:
        stack, spatial = list(array), volume[:, :, :, 0]
    elif volume.GetDimension() == 3:
        components = volume.GetNumberOfComponentsPerPixel()
        stack, spatial = ([array[..., i] for i in range(components)] if components > 1 else [array]), volume
    else:
        raise _faulty("three dimensions", f"{volume.GetDimension()}", path)
    if not np.issubdtype(array.dtype, np.integer) and not np.array_equal(array, np.rint(array)):
        raise _faulty("whole numbers in every layer", f"voxels of type {array.dtype} with fractions", path)
    return stack, Geometry.of(spatial)


def _require_distinct(segments: list[Segment], values: dict[int, tuple[int, int]], path: Path) -> None:
    owners: dict[tuple[int, int], str] = {}
    names: set[str] = set()
    for segment in segments:
        place_in_file = values[segment.number]
        if place_in_file in owners:
            layer, value = place_in_file
            found = f"{owners[place_in_file]!r} and {segment.name!r} with the value {value} of layer {layer}"
            raise _faulty("every segment with its own value", found, path)
        owners[place_in_file] = segment.name
        if segment.name.casefold() in names:
            raise ImageError(
                Problem(
                    "RV228",
                    "every segment once",
                    f"two segments named {segment.name!r}",
                    str(path),
                    "rename or merge the two segments in 3D Slicer",
                )
            )
        names.add(segment.name.casefold())


def _require_described(layers: list[np.ndarray], values: dict[int, tuple[int, int]], path: Path) -> None:
    for index, layer in enumerate(layers):
        known = {value for where, value in values.values() if where == index}
        unknown = [int(value) for value in np.unique(layer) if value and int(value) not in known]
        if unknown:
            shown = ", ".join(map(str, unknown[:5])) + (", ..." if len(unknown) > 5 else "")
            raise _faulty(f"voxels of described segments only in layer {index}", f"the values {shown}", path)


def _codes(entry: dict[str, str]) -> tuple[Code, ...]:
    """Return type and modifier of a terminology entry: `...~SCT^182027004^First lumbar vertebra~...`."""
    match = re.search(r"TerminologyEntry:([^|]*)", entry.get("Tags", ""))
    if not match:
        return ()
    fields = match[1].split("~")
    # context, category, type, type modifier, ...: the category (Tissue, ...) names no vertebra.
    parts = (field.split("^") for field in fields[2:4])
    return tuple(Code(*part[:3]) for part in parts if len(part) >= 3 and part[2])


def _faulty(expected: str, found: str, path: Path) -> ImageError:
    return ImageError(Problem("RV226", expected, found, str(path), _REMEDY))
