"""Bytes of image files: read in pieces, decompressed to the very end, so that damage is seen."""

from __future__ import annotations

import importlib
import zlib
from collections import deque
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from radiomics_vert.errors import ImageError, Problem

GZIP_MAGIC = b"\x1f\x8b"
_CHUNK = 1 << 16
# Of decompressed bytes: a stream of zeros grows a thousandfold.
_PIECE = 1 << 20


def damaged(expected: str, found: str, path: Path) -> ImageError:
    """Return the error of a file that was cut off or changed."""
    remedy = "copy or export the file again: it was cut off or changed on the way"
    return ImageError(Problem("RV202", expected, found, str(path), remedy))


def chunks(file: Path, offset: int = 0) -> Iterator[bytes]:
    """Yield the bytes of a file from `offset` to its end."""
    with file.open("rb") as stream:
        stream.seek(offset)
        while chunk := stream.read(_CHUNK):
            yield chunk


def is_gzip(file: Path, offset: int = 0) -> bool:
    """Tell whether a gzip stream begins at `offset`, whatever the name of the file."""
    with file.open("rb") as stream:
        stream.seek(offset)
        return stream.read(2) == GZIP_MAGIC


def inflated(file: Path, offset: int, path: Path) -> Iterator[bytes]:
    """Yield the decompressed bytes of a gzip or zlib stream; gzip members may follow each other.

    Parameters
    ----------
    file : Path
        Where the stream is stored.
    offset : int
        Its first byte.
    path : Path
        The image, for messages.

    Raises
    ------
    ImageError
        RV202: the stream breaks off, or its checksum is wrong.
    """
    inflater = fastest_inflater()
    try:
        yield from _pieces(inflater, file, offset)
    except _FaultError as first:
        fault = first if inflater is zlib else _in_words_of_zlib(file, offset) or first
        raise damaged(fault.expected, fault.found, path) from first


def fastest_inflater() -> Any:
    """Return the module `isal.isal_zlib` where it is installed (an extra, twice as fast), else `zlib`."""
    try:
        return importlib.import_module("isal.isal_zlib")
    except ImportError:
        return zlib


class _FaultError(Exception):
    """A stream that breaks off or is damaged."""

    def __init__(self, expected: str, found: str) -> None:
        super().__init__(found)
        self.expected, self.found = expected, found


def _in_words_of_zlib(file: Path, offset: int) -> _FaultError | None:
    """Return what is wrong with a stream: one wording, whatever is installed."""
    try:
        deque(_pieces(zlib, file, offset), maxlen=0)
    except _FaultError as fault:
        return fault
    return None


def _pieces(inflater: Any, file: Path, offset: int) -> Iterator[bytes]:
    inflate, total = inflater.decompressobj(zlib.MAX_WBITS | 32), 0
    try:
        for chunk in chunks(file, offset):
            rest = chunk
            while rest:
                # Who wants the header of a mask must not pay for all its zeros.
                piece = inflate.decompress(rest, _PIECE)
                rest = inflate.unconsumed_tail
                if inflate.eof:
                    after = inflate.unused_data
                    rest = after if after.startswith(GZIP_MAGIC) else b""
                    inflate = inflater.decompressobj(zlib.MAX_WBITS | 32) if rest else inflate
                total += len(piece)
                yield piece
    except inflater.error as error:
        found = f"damaged data after {total} decompressed bytes ({error})"
        raise _FaultError("an intact compressed stream", found) from error
    if not inflate.eof:
        found = f"the stream breaks off after {total} decompressed bytes"
        raise _FaultError("a compressed stream with its end", found)
