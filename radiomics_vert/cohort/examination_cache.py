"""What the examination of scans has found, on disk, so that files which did not change are not read again.

Files are known by what the file system says of them, as in git's index: path, size, times and number. All
entries stand in one file, a line each, because thousands of small files would take longer to read than the
scans that they stand for. A line is appended when its scan is done, so an interrupted run keeps it.
"""

from __future__ import annotations

import hashlib
import json
import os
import tempfile
import time
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from sys import intern
from typing import Any

from radiomics_vert.cohort.acquisition import written_facts
from radiomics_vert.cohort.examine import RELEASE, examine_scan
from radiomics_vert.cohort.levels import Level
from radiomics_vert.cohort.nouns import Case, Refusal, Scan
from radiomics_vert.cohort.schemes import LabelScheme
from radiomics_vert.errors import ImageError, Problem
from radiomics_vert.imaging import Remark, files_read
from radiomics_vert.provenance import versions
from radiomics_vert.storage import atomic, digest

Examined = tuple[tuple[Case, ...], tuple[Refusal, ...]]
"""What :func:`examine_scan` returns."""
Record = dict[str, Any]
"""The same without the scan, as JSON can hold it."""
FILE = "examined.txt"
# [O] Git's "racy" rule: a file that changed so shortly before it was looked at may change again without a
# trace, because clocks of file systems are coarse (two seconds on FAT). It is examined again.
_SETTLED_NS = 2_000_000_000
# What is not there or cannot be read, perhaps only from the machine of a worker, may be mended without a new
# file: the fault can be that of a disk or a network.
_PASSING = ("RV101", "RV202", "RV223")
_READERS = ("pydicom", "highdicom")
_SCHEMES = ("scheme", "subregions_scheme")


def examine_to_record(scan: Scan) -> Record:
    """Examine a scan; return what was found as a record. Runs in a worker."""
    return _record(scan, *examine_scan(scan))


def from_record(scan: Scan, record: Record) -> Examined:
    """Return what a record says of its scan: equal to what :func:`examine_scan` returned."""
    cases: tuple[Case, ...] = ()
    if record["scan"] is not None:
        known = _known_scan(scan, record["scan"])
        cases = tuple(_case(known, cells) for cells in record["cases"])
    # fmt: off
    refused = tuple(
        Refusal(
            case_id, scan.subject_id, scan.session, scan.sequence, scan.rater, scan.site, level, label,
            Problem(**problem),
        )
        for case_id, level, label, problem in record["refused"]
    )
    # fmt: on
    return cases, refused


def _record(scan: Scan, cases: tuple[Case, ...], refused: tuple[Refusal, ...]) -> Record:
    return {
        "scan": _scan_cells(scan, cases[0].scan) if cases else None,
        "cases": [
            [
                case.case_id, case.level.value if case.level else None, case.label, case.voxels, case.box,
                case.mask_digest, case.components, case.touches_border,
            ]
            for case in cases
        ],
        "refused": [[one.case_id, one.level, one.label, dict(vars(one.problem))] for one in refused],
    }  # fmt: skip


def _scan_cells(scan: Scan, known: Scan) -> list[Any]:
    # The cells of the image table may name people: their names are kept, for the order, and no values.
    written = written_facts(scan)
    facts = [[name, None if name in written else value] for name, value in known.facts.items()]
    return [known.image_digest, facts, [[remark.code, remark.text] for remark in known.remarks]]


def _known_scan(scan: Scan, cells: list[Any]) -> Scan:
    image_digest, facts, remarks = cells
    written = written_facts(scan)
    return replace(
        scan,
        # Thousands of scans have the same facts: one text serves them all.
        facts={intern(name): written[name] if name in written else intern(value) for name, value in facts},
        image_digest=image_digest,
        remarks=tuple(Remark(code, text) for code, text in remarks),
    )


def _case(scan: Scan, cells: list[Any]) -> Case:
    case_id, level, label, voxels, box, mask_digest, components, touches_border = cells
    x0, x1, y0, y1, z0, z1 = box
    named = None if level is None else Level(level)
    span = (x0, x1, y0, y1, z0, z1)
    return Case(case_id, scan, named, label, voxels, span, mask_digest, components, touches_border)


@dataclass(frozen=True)
class Stamp:
    """A scan before it is examined, and its files as the file system describes them.

    Parameters
    ----------
    key : str
        Digest of the scan without its line in the image table, and of the software that examines it.
    files : str
        Digest of path, size, times and number of each file.
    newest : int
        When the youngest of the files was changed, in nanoseconds since 1970.
    """

    key: str
    files: str
    newest: int


@dataclass
class ExaminationCache:
    """Records of scans on disk.

    Parameters
    ----------
    path : Path
        The file; made when the first record is written. Lines that are damaged count as absent.
    """

    path: Path
    _lines: dict[str, bytes] = field(default_factory=dict)
    _stamps: dict[str, Stamp] = field(default_factory=dict)
    _schemes: dict[int, str] = field(default_factory=dict)
    _software: str = ""
    _opened: int = 0

    @classmethod
    def at(cls, folder: Path) -> ExaminationCache:
        """Open the cache in a folder, which is made; rewrite it where lines are damaged or outdated."""
        folder.mkdir(parents=True, exist_ok=True)
        cache = cls(folder / FILE)
        cache._opened = _clock(folder)
        cache._software = digest([RELEASE, versions(_READERS)])
        lines = 0
        for line in _lines_of(cache.path):
            lines += 1
            key, _, _ = line.partition(b" ")
            if _body(line) is not None:
                cache._lines[key.decode("ascii")] = line
        if len(cache._lines) < lines:
            with atomic(cache.path) as temporary:
                temporary.write_bytes(b"".join(cache._lines.values()))
        return cache

    def load(self, scan: Scan) -> Record | None:
        """Return the record of a scan; None where there is none, or a file is not the one it was.

        A record is held until it is asked for, and not any longer: a cohort can have many.
        """
        stamp = self._stamp(scan)
        if stamp is None:
            return None
        body = _body(self._lines.pop(stamp.key, b""))
        entry = None if body is None else json.loads(body)
        # The line of the image table is part of what a refusal says.
        if (
            entry is None
            or entry["files"] != stamp.files
            or (entry["record"]["refused"] and entry["row"] != scan.row)
        ):
            self._stamps[scan.scan_id] = stamp
            return None
        record: Record = entry["record"]
        return record

    def store(self, scan: Scan, record: Record) -> None:
        """Append the record of a scan that :meth:`load` did not have, unless it may be outdated already."""
        stamp = self._stamps.pop(scan.scan_id, None)
        if stamp is None or stamp.newest > self._opened - _SETTLED_NS or _may_pass(record):
            return
        entry = {"files": stamp.files, "row": scan.row, "record": record}
        with self.path.open("ab") as stream:  # one write, so that two runs do not mix their lines
            stream.write(_line(stamp.key, entry))

    def _stamp(self, scan: Scan) -> Stamp | None:
        paths = (scan.image, scan.mask, scan.subregions, *scan.further_masks)
        try:
            files = [file for path in paths if path is not None for file in files_read(path)]
            found = [_described(file) for file in files]
        except (OSError, ImageError):
            return None
        newest = max((max(one[1:3]) for one in found if one), default=0)
        listed = [[str(file), one] for file, one in zip(files, found, strict=True)]
        return Stamp(digest([self._software, self._identity(scan)]), digest(listed), newest)

    def _identity(self, scan: Scan) -> dict[str, str]:
        names = (each.name for each in fields(scan) if each.name not in ("row", *_SCHEMES))
        return {
            **{name: _plain(getattr(scan, name)) for name in names},
            **{name: self._scheme(getattr(scan, name)) for name in _SCHEMES},
        }

    def _scheme(self, scheme: LabelScheme | None) -> str:
        """Return the digest of a scheme; thousands of scans share it."""
        if id(scheme) not in self._schemes:
            self._schemes[id(scheme)] = digest(repr(scheme))
        return self._schemes[id(scheme)]


def _plain(value: object) -> str:
    """Return a field as text; a path is absolute, so that the working folder does not matter."""
    if isinstance(value, Path):
        return str(value.absolute())
    if isinstance(value, tuple):
        return repr([_plain(one) for one in value])
    return repr(dict(value)) if isinstance(value, Mapping) else repr(value)


def _described(file: Path) -> list[int] | None:
    """Return size, times and number of a file; None where there is none."""
    try:
        found = file.stat()
    except FileNotFoundError:
        return None
    return [found.st_size, found.st_mtime_ns, found.st_ctime_ns, found.st_ino]


def _clock(folder: Path) -> int:
    """Return the time as the file system has it, which may be that of another machine."""
    with tempfile.NamedTemporaryFile(dir=folder) as probe:
        return min(time.time_ns(), os.fstat(probe.fileno()).st_mtime_ns)


def _may_pass(record: Record) -> bool:
    codes: Iterable[str] = [problem["code"] for *_, problem in record["refused"]]
    remarks = record["scan"][2] if record["scan"] else []
    return any(code in _PASSING for code in (*codes, *(code for code, _ in remarks)))


def _lines_of(path: Path) -> Iterator[bytes]:
    if path.is_file():
        with path.open("rb") as stream:
            yield from stream


def _line(key: str, entry: Mapping[str, Any]) -> bytes:
    body = json.dumps(entry, separators=(",", ":"), ensure_ascii=False).encode("utf-8")
    return b"%s %s %s\n" % (key.encode("ascii"), _checksum(key.encode("ascii"), body), body)


def _body(line: bytes) -> bytes | None:
    """Return what a line says, None when a byte of it is not as it was written."""
    key, _, rest = line.partition(b" ")
    checksum, _, body = rest.partition(b" ")
    whole = body.endswith(b"\n") and checksum == _checksum(key, body[:-1])
    return body[:-1] if whole else None


def _checksum(key: bytes, body: bytes) -> bytes:
    return hashlib.sha256(key + b" " + body).hexdigest()[:32].encode("ascii")
