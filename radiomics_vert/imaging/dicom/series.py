"""The series of a folder: what there is, and the one that is meant."""

from __future__ import annotations

import hashlib
import math
import re
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from radiomics_vert.errors import ImageError, Problem
from radiomics_vert.imaging.dicom.headers import CHOICE_TAGS, Frame, is_dicom, read_frames, uid_name
from radiomics_vert.imaging.streams import chunks
from radiomics_vert.phrases import count

VOLUME, DERIVED = "volume", "derived volume"
_STORAGE = "1.2.840.10008.5.1.4.1.1."
# Objects whose planes can form a volume: CT, MR and PET, enhanced and converted ones too. Parametric maps are
# not among them: their numbers need a mapping of their own.
_PLANES = {f"{_STORAGE}{end}" for end in ("2", "2.1", "2.2", "4", "4.1", "4.4", "128", "128.1", "130")}
_OTHERS = (
    (f"{_STORAGE}66.4", "segmentation"),
    (f"{_STORAGE}66.7", "segmentation"),
    (f"{_STORAGE}481.3", "structure set"),
    (f"{_STORAGE}88.", "report"),
    (f"{_STORAGE}11.", "presentation state"),
    (f"{_STORAGE}7", "secondary capture"),
)


@dataclass(frozen=True)
class Series:
    """One series of a DICOM folder.

    Parameters
    ----------
    uid, description, number, modality : str
        As in the header; empty when absent. The description may name a person: it is shown where a user has
        to choose, and nowhere else.
    kind : str
        `volume`, `derived volume`, `localizer`, `colour image`, `secondary capture`, `segmentation`,
        `structure set`, `report`, `presentation state`, the standard's name of another object, or `mixed`.
    frames : tuple of Frame
        Its planes, in no meaningful order.
    choice : str
        The tags that a choice narrowed it down to, such as `EchoTime=80`.
    """

    uid: str
    description: str
    number: str
    modality: str
    kind: str
    frames: tuple[Frame, ...] = field(repr=False)
    choice: str = ""

    @property
    def files(self) -> tuple[Path, ...]:
        """The files, each once."""
        return tuple(dict.fromkeys(frame.file for frame in self.frames))

    @property
    def rows(self) -> int:
        """Rows of the first plane; 0 for an object without pixels."""
        return int((*self.frames[0].numbers("Rows"), 0)[0])

    @property
    def columns(self) -> int:
        """Columns of the first plane; 0 for an object without pixels."""
        return int((*self.frames[0].numbers("Columns"), 0)[0])

    @property
    def title(self) -> str:
        """Number, modality and size: a name for messages without free text and identifiers."""
        choice = f" with {self.choice}" if self.choice else ""
        modality = self.modality or "no modality"
        return f"series {self.number or 'without number'}{choice} ({modality}, {self.size})"

    @property
    def size(self) -> str:
        """Planes and their size in words."""
        if not self.rows:
            return count(len(self.frames), "object")
        return f"{count(len(self.frames), 'image')} of {self.rows} x {self.columns}"

    @property
    def entry(self) -> str:
        """One line of the list a user chooses from."""
        return (
            f"{self.number or '-'} | {self.description or '-'} | {self.modality or '-'} | {self.size} | "
            f"{self.kind} | {self.uid or '-'}"
        )

    def digest(self) -> str:
        """Return the sha256 of the bytes of its files, whatever their names and order.

        A choice of tags (`EchoTime=80`) counts too: two echoes of one multi-frame file are two images.
        """
        hashes = []
        for file in self.files:
            hasher = hashlib.sha256()
            for chunk in chunks(file):
                hasher.update(chunk)
            hashes.append(hasher.hexdigest())
        return hashlib.sha256("\n".join([*sorted(hashes), self.choice]).encode()).hexdigest()


def list_series(path: str | Path) -> tuple[Series, ...]:
    """List the series of a folder and its sub-folders from their headers alone.

    Parameters
    ----------
    path : str or Path
        A folder, or one DICOM file.

    Returns
    -------
    tuple of Series
        By series number, then by UID; empty when there is no DICOM file.

    Raises
    ------
    ImageError
        RV101 no such folder, RV202 a DICOM file that cannot be read.
    """
    path = Path(path)
    if not path.exists():
        raise ImageError(
            Problem("RV101", "a DICOM folder", "nothing of this name", str(path), "correct the path")
        )
    frames = defaultdict(list)
    for frame in read_frames(path):
        frames[frame.text("SeriesInstanceUID")].append(frame)
    return tuple(sorted((_series(group) for group in frames.values()), key=_order))


def choose_series(path: str | Path, series: str = "") -> Series:
    """Return the one series that is meant.

    Parameters
    ----------
    path : str or Path
        A folder, or one DICOM file.
    series : str
        A series UID, a series number, a series description (upper or lower case) or a part of it that fits
        one series only. `;Tag=value` narrows the choice down to some of its images: `4;EchoTime=80`,
        `;ImageType=W` (the tags of :data:`~radiomics_vert.imaging.dicom.headers.CHOICE_TAGS`). Empty when
        the folder holds one volume only; localizers, captures and segmentations do not count then.

    Raises
    ------
    ImageError
        RV101, RV202 as :func:`list_series`; RV211 no DICOM file there; RV212 the choice fits none or several,
        with the list of what there is.

    Notes
    -----
    The list shows description and UID of each series, because these are what a choice names.
    """
    path = Path(path)
    found = list_series(path)
    if not found:
        raise ImageError(_nothing(path))
    name, *tags = re.split(r";(?=\s*\w+\s*=)", series.strip())
    matches = _named(found, name.strip()) if name.strip() else _volumes(found)
    if len(matches) != 1:
        raise ImageError(_ambiguous(found, matches, name.strip(), path))
    return _narrowed(matches[0], tags, path) if tags else matches[0]


def is_series(path: Path, series: str) -> bool:
    """Tell whether an image is a DICOM series.

    Raises
    ------
    ImageError
        RV212: a series is chosen for a file of another format.
    """
    if is_dicom(path):
        return True
    if series and path.exists():
        raise ImageError(
            Problem(
                "RV212",
                "a DICOM folder, because a series is chosen",
                f"the file {path.name!r}",
                str(path),
                "leave the choice of the series empty for this image, or name the DICOM folder",
            )
        )
    return False


def _series(frames: list[Frame]) -> Series:
    kinds = {_kind(frame) for frame in frames}
    if kinds == {VOLUME, DERIVED}:
        kinds = {VOLUME}
    first = frames[0]
    return Series(
        first.text("SeriesInstanceUID"),
        first.text("SeriesDescription"),
        # Archives exist that gave two series one UID; both numbers are shown then.
        "/".join(sorted({frame.text("SeriesNumber") for frame in frames})),
        first.text("Modality"),
        kinds.pop() if len(kinds) == 1 else "mixed",
        tuple(frames),
    )


def _kind(frame: Frame) -> str:
    sop = frame.text("SOPClassUID")
    if sop not in _PLANES:
        for start, kind in _OTHERS:
            if sop == start or sop.startswith(start if start.endswith(".") else f"{start}."):
                return kind
        return uid_name(sop) or "unknown object"
    photometric = frame.text("PhotometricInterpretation") or "MONOCHROME2"
    if frame.text("SamplesPerPixel") not in ("", "1") or not photometric.startswith("MONOCHROME"):
        return "colour image"
    types = [part.upper() for part in frame.values.get("ImageType", ())]
    if "LOCALIZER" in types or "SCOUT" in types:
        return "localizer"
    return DERIVED if types[:1] == ["DERIVED"] else VOLUME


def _order(series: Series) -> tuple[float, str, str]:
    number = series.frames[0].numbers("SeriesNumber")
    return (number[0] if number else math.inf, series.description, series.uid)


def _volumes(found: Sequence[Series]) -> list[Series]:
    """Return what can be meant without a choice: volumes; when there is none, whatever is there."""
    volumes = [one for one in found if one.kind in (VOLUME, DERIVED, "mixed")]
    # A single plane beside a volume is a stray reference image.
    stacks = [one for one in volumes if len(one.frames) > 1]
    return stacks or volumes or list(found)


def _named(found: Sequence[Series], name: str) -> list[Series]:
    low = name.casefold()
    ways: tuple[Callable[[Series], bool], ...] = (
        lambda one: one.uid == name,
        lambda one: low in one.number.split("/"),
        lambda one: one.description.casefold() == low,
        lambda one: low in one.description.casefold(),
    )
    return next((fitting for way in ways if (fitting := [one for one in found if way(one)])), [])


def _narrowed(series: Series, tags: Sequence[str], path: Path) -> Series:
    frames = series.frames
    for tag in tags:
        keyword, _, value = (part.strip() for part in tag.partition("="))
        known = next((name for name in CHOICE_TAGS if name.casefold() == keyword.casefold()), "")
        kept = tuple(frame for frame in frames if known and _fits(frame, known, value))
        if not kept:
            raise ImageError(_no_such_value(frames, keyword, known, value, path))
        frames = kept
    choice = ";".join("=".join(part.strip() for part in tag.split("=", 1)) for tag in sorted(tags))
    return replace(_series(list(frames)), choice=choice)


def _fits(frame: Frame, keyword: str, value: str) -> bool:
    try:
        numbers = frame.numbers(keyword)
        if len(numbers) == 1:
            return math.isclose(numbers[0], float(value), rel_tol=1e-6)
    except ValueError:
        pass
    texts = [text.casefold() for text in (*frame.values.get(keyword, ()), frame.text(keyword))]
    return value.casefold() in texts


def _no_such_value(frames: Sequence[Frame], keyword: str, known: str, value: str, path: Path) -> Problem:
    if not known:
        return Problem(
            "RV212",
            f"one of the tags {', '.join(CHOICE_TAGS)}",
            f"the tag {keyword!r} in the choice of images",
            str(path),
            "name one of these tags, as in 4;EchoTime=80",
        )
    there = sorted({frame.text(known) or "(none)" for frame in frames})
    return Problem(
        "RV212",
        f"images with {known}={value}",
        f"none; {known} is {', '.join(there)}",
        str(path),
        "choose one of these values",
    )


def _nothing(path: Path) -> Problem:
    if path.is_file():
        found = "a file without DICOM content"
    elif any(file.is_file() for file in path.rglob("*")):
        found = "files, but none of them is DICOM"
    else:
        found = "an empty folder"
    return Problem(
        "RV211",
        "a folder with the DICOM files of an image series",
        found,
        str(path),
        "name the folder that holds the exported series, or a NIfTI, NRRD or MetaImage file",
    )


def _ambiguous(found: Sequence[Series], matches: Sequence[Series], name: str, path: Path) -> Problem:
    listed = matches or found
    if not name:
        text = f"{len(listed)} series and no choice"
    elif matches:
        text = f"{name!r}, which fits {len(listed)} series"
    else:
        text = f"{name!r}, which fits none of {count(len(found), 'series', 'series')}"
    lines = "".join(f"\n      {one.entry}" for one in listed)
    return Problem(
        "RV212",
        "one series",
        f"{text} (number | description | modality | size | kind | UID):{lines}",
        str(path),
        "choose one by its number, its description (or a part that fits only one) or its UID",
    )
