"""What was found in a folder: rows of an image table, and every file that did not become one."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import pandas as pd

from radiomics_vert.errors import CohortError, Problem
from radiomics_vert.storage import write_table

COLUMNS = ("subject_id", "session", "sequence", "rater", "site", "image", "mask", "subregions", "scheme")
_ALWAYS = ("subject_id", "sequence", "image", "mask", "scheme")
IMAGE_SUFFIXES = (".nii.gz", ".nii", ".nrrd", ".nhdr", ".mha", ".mhd")


@dataclass(frozen=True)
class Row:
    """One row of an image table; files as paths that exist.

    Parameters
    ----------
    subject_id, sequence : str
        The patient, and what was acquired.
    image, mask : Path
        A file, or a folder of them (DICOM series; one file per vertebra).
    session, rater, site : str
        Empty where there is one of each.
    subregions : Path, optional
        A mask that separates body from posterior elements.
    """

    subject_id: str
    sequence: str
    image: Path
    mask: Path
    session: str = ""
    rater: str = ""
    site: str = ""
    subregions: Path | None = None

    def key(self) -> tuple[str, ...]:
        """Return what must be unique in an image table."""
        return self.subject_id, self.session, self.sequence, self.rater


@dataclass(frozen=True)
class Discovery:
    """Rows for an image table, and the files that were left out.

    Parameters
    ----------
    rows : tuple of Row
        By subject, session, sequence and rater.
    left_out : mapping of Path to str
        Files that look like images or masks and did not enter, with the reason.
    scheme : str
        Label scheme of all masks; explicit, because numbers alone are ambiguous.
    """

    rows: tuple[Row, ...]
    left_out: Mapping[Path, str] = field(default_factory=dict)
    scheme: str = ""

    def frame(self, folder: Path) -> pd.DataFrame:
        """Return the image table with paths relative to `folder`; columns without any value are absent."""
        cells = [
            {
                "subject_id": row.subject_id,
                "session": row.session,
                "sequence": row.sequence,
                "rater": row.rater,
                "site": row.site,
                "image": relative(row.image, folder),
                "mask": relative(row.mask, folder),
                "subregions": relative(row.subregions, folder) if row.subregions else "",
                "scheme": self.scheme,
            }
            for row in self.rows
        ]
        table = pd.DataFrame(cells, columns=list(COLUMNS))
        return table[[name for name in COLUMNS if name in _ALWAYS or table[name].ne("").any()]]

    def write(self, path: Path, *, replace: bool = False) -> None:
        """Write the image table.

        Parameters
        ----------
        path : Path
            The table; paths in it count from its folder.
        replace : bool, default False
            Overwrite a file that stands there.

        Raises
        ------
        CohortError
            RV604 the file exists; RV112 no row was found.
        """
        if path.exists() and not replace:
            remedy = "name another file with --output; nothing was overwritten"
            raise CohortError(
                Problem("RV604", "a new file", f"{path.name} exists already", str(path), remedy)
            )
        if not self.rows:
            reasons = sorted(set(self.left_out.values()))[:3]
            raise CohortError(
                Problem(
                    "RV112",
                    "at least one image with its mask",
                    f"none; {len(self.left_out)} files left out" + "".join(f"; {text}" for text in reasons),
                    str(path),
                    "check the folder and the layout, or describe the files with --image and --mask",
                )
            )
        write_table(self.frame(path.parent), path)


def relative(path: Path, folder: Path) -> str:
    """Return a path relative to a folder, with forward slashes on every system."""
    return Path(os.path.relpath(path, folder)).as_posix()


def stem(path: Path) -> str:
    """Return a file name without the ending of its image format."""
    name = path.name
    suffix = next((ending for ending in IMAGE_SUFFIXES if name.lower().endswith(ending)), path.suffix)
    return name[: len(name) - len(suffix)] if suffix else name


def image_files(root: Path) -> Iterator[Path]:
    """Yield the NIfTI, NRRD and MetaImage files below a folder, by name; hidden files are skipped."""
    for path in sorted(root.rglob("*")):
        hidden = any(part.startswith(".") for part in path.relative_to(root).parts)
        if not hidden and path.is_file() and path.name.lower().endswith(IMAGE_SUFFIXES):
            yield path


def without_repeats(rows: Iterable[Row], left_out: dict[Path, str]) -> tuple[Row, ...]:
    """Return the rows that a table can hold, sorted; those that share a scan id are left out, with reason."""
    groups: dict[tuple[str, ...], list[Row]] = {}
    for row in rows:
        groups.setdefault(tuple(part.casefold() for part in row.key()), []).append(row)
    for group in groups.values():
        if len(group) > 1:
            names = ", ".join(sorted(row.image.name for row in group))
            for row in group:
                left_out[row.image] = f"several images of one subject, session, sequence and rater: {names}"
    kept = [group[0] for group in groups.values() if len(group) == 1]
    return tuple(sorted(kept, key=Row.key))


def require_folder(path: Path) -> None:
    """Refuse a path that is no folder.

    Raises
    ------
    CohortError
        RV101.
    """
    if not path.is_dir():
        found = "a file" if path.exists() else "no such folder"
        raise CohortError(Problem("RV101", "a folder", found, str(path), "correct the path"))
