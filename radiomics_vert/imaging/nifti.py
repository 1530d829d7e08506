"""What ITK does not tell about a NIfTI file: missing bytes, impossible voxel sizes, NaN voxels.

The NIfTI reader inside ITK fills the missing part of a truncated file with zeros, and turns NaN and
infinite voxels into zeros, without a word. Both are therefore read from the bytes themselves.
Layout: nifti1.h and nifti2.h of https://nifti.nimh.nih.gov.
"""

from __future__ import annotations

import math
import os
import struct
import sys
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from radiomics_vert.errors import ImageError, Problem
from radiomics_vert.imaging.streams import chunks, damaged, inflated, is_gzip

# [O] TotalSegmentator's 117 names take 13 kB; a header beyond this is no list of labels.
LARGEST_EXTENSION = 1 << 22
# Deflate writes at most 1032 bytes for each that it reads: more cannot be in a file.
_LARGEST_RATIO = 1032
_FLOAT_TYPES = {16: "f4", 64: "f8"}
_TYPES = {2: "u1", 256: "i1", 4: "i2", 512: "u2", 8: "i4", 768: "u4", **_FLOAT_TYPES}
# size of the header -> magic and its offset, format and offset of scl_slope and scl_inter
_SCALES = {348: (b"n+1\0", 344, "<2f", 112), 540: (b"n+2\0", 4, "<2d", 176)}
_UNSCALED = ((0, 0), (1, 0))
# [O] Bytes of the slices that are handed over at a time.
_SLAB = 1 << 23
# size of the header -> format and offset of dim, datatype, bitpix, pixdim[1:4], vox_offset
_LAYOUTS = {
    348: (("8h", 40), ("h", 70), ("h", 72), ("3f", 80), ("f", 108)),
    540: (("8q", 16), ("h", 12), ("h", 14), ("3d", 112), ("q", 168)),
}


@dataclass(frozen=True)
class NiftiHeader:
    """The fields of a NIfTI-1 or NIfTI-2 header that say how the voxels are stored.

    Parameters
    ----------
    shape : tuple of int
        Voxels along each axis, x first.
    datatype, bits : int
        NIfTI code of the number type; bits per voxel.
    sizes : tuple of float
        pixdim, millimetres.
    offset : int
        First byte of the voxels.
    order : {"<", ">"}
        Byte order.
    """

    shape: tuple[int, ...]
    datatype: int
    bits: int
    sizes: tuple[float, ...]
    offset: int
    order: str

    @property
    def file_bytes(self) -> int:
        """Bytes of the whole uncompressed file."""
        return self.offset + math.prod(self.shape) * self.bits // 8


def read_header(path: Path) -> NiftiHeader:
    """Read the storage fields of a NIfTI header.

    Raises
    ------
    ImageError
        RV202: no NIfTI header, or voxel sizes that are zero or not finite.
    """
    start = first_bytes(path, max(_LAYOUTS))
    header = _parse(start)
    if header is None:
        found = f"{len(start)} bytes that do not begin with one" if start else "an empty file"
        raise damaged("a NIfTI header", found, path)
    used = header.sizes[: len(header.shape)]
    if not all(math.isfinite(size) and size != 0 for size in used):
        raise ImageError(
            Problem(
                "RV202",
                "voxel sizes above 0 mm",
                f"pixdim {', '.join(f'{size:g}' for size in used)}",
                str(path),
                "export the image again, or set the true voxel sizes in its header",
            )
        )
    return header


def _parse(start: bytes) -> NiftiHeader | None:
    for order in "<>":
        for size, layout in _LAYOUTS.items():
            if len(start) < size or struct.unpack_from(f"{order}i", start)[0] != size:
                continue
            dim, datatype, bits, sizes, offset = (
                struct.unpack_from(order + kind, start, position) for kind, position in layout
            )
            shape = tuple(max(1, extent) for extent in dim[1 : dim[0] + 1])
            return NiftiHeader(shape, datatype[0], bits[0], sizes, int(offset[0]), order)
    return None


def content(path: Path) -> Iterator[bytes]:
    """Yield the uncompressed bytes of a NIfTI file, compressed or not, whatever its name says."""
    return inflated(path, 0, path) if is_gzip(path) else chunks(path)


def promised_checksum(path: Path) -> int | None:
    """Return the checksum (CRC-32) at the end of a gzip file whose header and end agree about its size.

    Parameters
    ----------
    path : Path
        A gzip file with a NIfTI file in it.

    Returns
    -------
    int or None
        None where the file cannot tell: damaged, of several members, or with more behind the voxels.
    """
    try:
        header = read_header(path)
    except ImageError:
        return None
    with path.open("rb") as stream:
        end = stream.seek(-8, os.SEEK_END) + 8
        checksum, size = struct.unpack("<2I", stream.read(8))
    possible = header.offset <= LARGEST_EXTENSION and header.file_bytes <= _LARGEST_RATIO * end
    return int(checksum) if possible and header.file_bytes % 2**32 == size else None


def checksum_of(path: Path, voxels: np.ndarray) -> int:
    """Return the checksum (CRC-32) of the header of a NIfTI file and of voxels, as if they followed it.

    Parameters
    ----------
    path : Path
        The file.
    voxels : ndarray
        C-contiguous, in the order in which they are stored.
    """
    return zlib.crc32(voxels.data, zlib.crc32(first_bytes(path, read_header(path).offset)))


def first_bytes(path: Path, count: int) -> bytes:
    """Return the first uncompressed bytes of a NIfTI file; fewer where it is shorter."""
    start = b""
    for piece in content(path):
        start += piece
        if len(start) >= count:
            break
    return start[:count]


@dataclass(frozen=True)
class Storage:
    """How the voxels of a NIfTI file become numbers.

    Parameters
    ----------
    kind : dtype
        Of the stored numbers.
    slope, intercept : float
        A voxel is slope * stored + intercept.
    """

    kind: np.dtype[Any]
    slope: float = 1.0
    intercept: float = 0.0

    @property
    def voxel_kind(self) -> np.dtype[Any]:
        """Of the voxels: floating-point where they are scaled."""
        if (self.slope, self.intercept) == (1.0, 0.0) or self.kind == np.float64:
            return self.kind
        return np.dtype(np.float32)

    def values(self, stored: np.ndarray) -> np.ndarray:
        """Return voxels from stored numbers, with the bits and in the type that ITK gives them."""
        if (self.slope, self.intercept) == (1.0, 0.0):
            return stored
        scaled = stored.astype(self.voxel_kind).astype(float)  # ITK rounds before the scale, and after it
        scaled *= self.slope
        scaled += self.intercept
        return scaled.astype(self.voxel_kind)


def storage_of(path: Path) -> Storage | None:
    """Return how the voxels of a NIfTI file are stored.

    Parameters
    ----------
    path : Path
        A NIfTI file.

    Returns
    -------
    Storage or None
        None for all but three-dimensional images of real numbers in the byte order of this machine, and for
        scales that are not plain.

    Raises
    ------
    ImageError
        As :func:`read_header`.
    """
    header, start = read_header(path), first_bytes(path, max(_LAYOUTS))
    kind = _TYPES.get(header.datatype)
    if header.order != "<" or sys.byteorder != "little" or kind is None or len(header.shape) != 3:
        return None
    size = struct.unpack_from("<i", start)[0]
    magic, place, scale, at = _SCALES[size]
    if start[place : place + 4] != magic:
        return None
    slope, intercept = struct.unpack_from(scale, start, at)
    if (slope, intercept) in _UNSCALED:
        return Storage(np.dtype(kind))
    # ITK keeps the scale of NIfTI-2 in its own way, and a slope of 0 has no meaning.
    plain = size == min(_SCALES) and slope != 0 and math.isfinite(slope) and math.isfinite(intercept)
    return Storage(np.dtype(kind), slope, intercept) if plain else None


def slabs(path: Path, storage: Storage) -> Iterator[np.ndarray]:
    """Yield the voxels of a NIfTI file some slices at a time, shape (z, y, x); stops where the file ends.

    What is yielded may be filled anew for the next slices.

    Parameters
    ----------
    path : Path
        The file.
    storage : Storage
        What :func:`storage_of` returned.
    """
    header, kind = read_header(path), storage.kind
    x, y, depth = header.shape
    slab = np.empty((min(depth, max(1, _SLAB // (x * y * kind.itemsize))), y, x), kind)
    room, filled, skip = slab.data.cast("B"), 0, header.offset
    for piece in content(path):
        rest = memoryview(piece)[skip:]
        skip = max(0, skip - len(piece))
        while rest and depth:
            taken = min(len(rest), room.nbytes - filled)
            room[filled : filled + taken] = rest[:taken]
            filled, rest = filled + taken, rest[taken:]
            if filled == room.nbytes:
                yield storage.values(slab)
                depth, filled = depth - len(slab), 0
                slab = slab[:depth]
                room = room[: slab.nbytes]


def nonfinite_voxels(path: Path) -> np.ndarray:
    """Return the positions of NaN and infinite voxels as they are stored.

    Parameters
    ----------
    path : Path
        A NIfTI file.

    Returns
    -------
    ndarray of int, shape (n, 3)
        Voxel indices in x, y, z order; empty for integer voxels.
    """
    header = read_header(path)
    kind = _FLOAT_TYPES.get(header.datatype)
    if kind is None:
        return np.empty((0, 3), dtype=np.int64)
    number = np.dtype(f"{header.order}{kind}")
    found, rest, skip, position = [], b"", header.offset, 0
    for piece in content(path):
        skipped = min(skip, len(piece))
        skip -= skipped
        rest += piece[skipped:]
        values = np.frombuffer(rest, number, len(rest) // number.itemsize)
        found.append(np.flatnonzero(~np.isfinite(values)) + position)
        position += len(values)
        rest = rest[values.nbytes :]
    flat = np.concatenate(found)
    shape = (*header.shape, 1, 1)[:3]
    return np.stack(np.unravel_index(flat[flat < math.prod(shape)], shape, order="F"), axis=1)
