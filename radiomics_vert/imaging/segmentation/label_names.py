"""Label names inside a NIfTI header: the Caret XML extension that TotalSegmentator writes.

Layout of extensions: nifti1.h of https://nifti.nimh.nih.gov; the extension is recognised by its content,
because TotalSegmentator writes it with code 0 instead of 30 (Caret).
"""

from __future__ import annotations

import struct
from pathlib import Path
from xml.etree import ElementTree

from radiomics_vert.errors import ImageError, Problem
from radiomics_vert.imaging.nifti import LARGEST_EXTENSION, first_bytes, read_header

_HEADER_SIZES = {b"n+1": 348, b"n+2": 540}


def read_label_names(path: Path) -> dict[int, str]:
    """Return the label names in the header of a NIfTI file.

    Parameters
    ----------
    path : Path
        `.nii` or `.nii.gz`.

    Returns
    -------
    dict of int to str
        Label value -> name; empty when the header names none. The name of 0, the background, is left out.

    Raises
    ------
    ImageError
        RV226: the extension is there but cannot be read, or names one value twice.
    """
    xml = _caret_text(path)
    if xml is None:
        return {}
    if "<!DOCTYPE" in xml or "<!ENTITY" in xml:
        raise _unreadable(path, "a document type or entity, which no label table needs")
    try:
        root = ElementTree.fromstring(xml)  # noqa: S314 - entities are refused above
    except ElementTree.ParseError as error:
        raise _unreadable(path, f"XML that breaks off or is not well-formed ({error})") from error
    names: dict[int, str] = {}
    for label in root.iter("Label"):
        key, name = label.get("Key", ""), (label.text or "").strip()
        if not key.strip().isdigit():
            raise _unreadable(path, f"the label value {key!r} of {name!r}")
        value = int(key)
        if names.get(value, name) != name:
            raise _unreadable(path, f"two names for the label {value}: {names[value]!r} and {name!r}")
        names[value] = name
    return {value: name for value, name in sorted(names.items()) if value and name}


def _caret_text(path: Path) -> str | None:
    start = _bytes_before_voxels(path)
    size = _HEADER_SIZES.get(start[344:347]) or _HEADER_SIZES.get(start[4:7])
    if size is None or len(start) < size + 12 or start[size] == 0:
        return None
    order = read_header(path).order
    position = size + 4
    while position + 8 <= len(start):
        length = struct.unpack_from(f"{order}i", start, position)[0]
        if length < 16:
            return None
        text = start[position + 8 : position + length]
        if b"<CaretExtension" in text:
            return text.rstrip(b"\0").strip().decode("utf-8", errors="replace")
        position += length
    return None


def _bytes_before_voxels(path: Path) -> bytes:
    return first_bytes(path, min(read_header(path).offset, LARGEST_EXTENSION))


def _unreadable(path: Path, found: str) -> ImageError:
    return ImageError(
        Problem(
            "RV226",
            "label names in the NIfTI header (Caret XML), one for each value",
            found,
            str(path),
            "write the mask again with its tool, or save it without header extensions and name its scheme",
        )
    )
