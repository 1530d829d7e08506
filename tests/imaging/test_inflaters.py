"""Compressed streams read the same and fail the same, whatever inflates them."""

from __future__ import annotations

import gzip
import zlib
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

from radiomics_vert.errors import ImageError
from radiomics_vert.imaging import streams

NOISE = np.random.default_rng(3).integers(0, 2000, 400_000, dtype=np.int16).tobytes()
ZEROS = bytes(5_000_000)


def _inverted(packed: bytes, place: int) -> bytes:
    changed = bytearray(packed)
    changed[place] ^= 0xFF
    return bytes(changed)


SOUND: dict[str, tuple[bytes, bytes]] = {
    "gzip": (gzip.compress(NOISE), NOISE),
    "zlib": (zlib.compress(NOISE), NOISE),
    "zeros": (gzip.compress(ZEROS), ZEROS),
    "nothing": (gzip.compress(b""), b""),
    "two members": (gzip.compress(NOISE) + gzip.compress(ZEROS), NOISE + ZEROS),
    "zeros at the end": (gzip.compress(NOISE) + bytes(70_000), NOISE),
}
FAULTY: dict[str, bytes] = {
    "breaks off": SOUND["gzip"][0][:300_000],
    "breaks off in the zeros": SOUND["zeros"][0][:2000],
    "breaks off before the checksum": SOUND["gzip"][0][:-8],
    "breaks off in the checksum": SOUND["gzip"][0][:-3],
    "a wrong checksum": _inverted(SOUND["gzip"][0], -6),
    "a wrong length": _inverted(SOUND["gzip"][0], -2),
    "a wrong checksum of zlib": _inverted(SOUND["zlib"][0], -2),
    "damaged in the middle": SOUND["gzip"][0][:250_000] + bytes(300) + SOUND["gzip"][0][250_300:],
    "damaged second member": SOUND["gzip"][0] + _inverted(SOUND["zeros"][0], -5),
    "no stream": b"\x1f\x8b" + bytes(50),
    "empty": b"",
}
Inflated = Callable[[bytes], bytes]


@pytest.fixture
def inflated(tmp_path: Path) -> Inflated:
    def read(packed: bytes) -> bytes:
        file = tmp_path / "stream.gz"
        file.write_bytes(b"header" + packed)
        return b"".join(streams.inflated(file, 6, Path("image.mha")))

    return read


def _inflaters() -> list[object]:
    return [
        pytest.param(lambda: zlib, id="zlib"),
        pytest.param(lambda: pytest.importorskip("isal.isal_zlib"), id="isal"),
        pytest.param(lambda: _Vague, id="one with other words"),
    ]


class _Vague:
    """An inflater that finds every fault and words each in its own way."""

    error = ZeroDivisionError

    class decompressobj:  # noqa: N801 - the name in zlib
        def __init__(self, bits: int) -> None:
            self.own = zlib.decompressobj(bits)

        def decompress(self, data: bytes, most: int) -> bytes:
            try:
                return self.own.decompress(data, most // 2)
            except zlib.error:
                raise ZeroDivisionError("vague") from None

        def __getattr__(self, name: str) -> object:
            return getattr(self.own, name)


def _message(inflated: Inflated, packed: bytes) -> str:
    with pytest.raises(ImageError) as caught:
        inflated(packed)
    return str(caught.value)


@pytest.mark.parametrize("inflater", _inflaters())
@pytest.mark.parametrize("name", SOUND)
def test_every_inflater_gives_the_same_bytes(
    monkeypatch: pytest.MonkeyPatch, inflated: Inflated, name: str, inflater: Callable[[], ModuleType]
) -> None:
    chosen = inflater()
    monkeypatch.setattr(streams, "fastest_inflater", lambda: chosen)
    packed, plain = SOUND[name]
    assert inflated(packed) == plain


@pytest.mark.parametrize("inflater", _inflaters())
@pytest.mark.parametrize("name", FAULTY)
def test_every_inflater_leads_to_the_same_message(
    monkeypatch: pytest.MonkeyPatch, inflated: Inflated, name: str, inflater: Callable[[], ModuleType]
) -> None:
    monkeypatch.setattr(streams, "fastest_inflater", lambda: zlib)
    expected = _message(inflated, FAULTY[name])
    chosen = inflater()
    monkeypatch.setattr(streams, "fastest_inflater", lambda: chosen)
    assert _message(inflated, FAULTY[name]) == expected
    assert "RV202" in expected


def test_without_the_extra_zlib_inflates(monkeypatch: pytest.MonkeyPatch) -> None:
    def absent(name: str) -> ModuleType:
        raise ImportError(name)

    monkeypatch.setattr(streams.importlib, "import_module", absent)
    assert streams.fastest_inflater() is zlib


@pytest.mark.parametrize("inflater", _inflaters())
def test_a_stream_of_zeros_is_read_piece_by_piece(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, inflater: Callable[[], ModuleType]
) -> None:
    chosen = inflater()
    monkeypatch.setattr(streams, "fastest_inflater", lambda: chosen)
    file = tmp_path / "zeros.gz"
    file.write_bytes(SOUND["zeros"][0])
    assert max(len(piece) for piece in streams.inflated(file, 0, file)) <= 1 << 20
