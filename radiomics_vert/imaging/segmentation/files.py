"""One binary file per segment, as `TotalSegmentator --ml=false` writes them: names come from file names."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from radiomics_vert.errors import ImageError, Problem
from radiomics_vert.imaging.comparison import require_same_geometry
from radiomics_vert.imaging.containers import suffix_of
from radiomics_vert.imaging.geometry import Geometry
from radiomics_vert.imaging.reading import read_geometry, read_label_map
from radiomics_vert.imaging.segmentation.nouns import Segment, Segmentation, SegmentMask


def files_of(folder: Path) -> list[Path]:
    """Return the mask files in a folder, sorted by name.

    Raises
    ------
    ImageError
        RV226: there are none.
    """
    found = sorted(path for path in folder.iterdir() if path.is_file() and suffix_of(path))
    if not found:
        raise ImageError(
            Problem(
                "RV226",
                "a folder with one mask file per vertebra, such as vertebrae_L1.nii.gz, or one DICOM mask",
                f"{sum(1 for _ in folder.iterdir())} entries, none of them a mask file",
                str(folder),
                "name the folder that holds the mask files, or the mask file itself",
            )
        )
    return found


def read_files(paths: Sequence[Path], grid: Geometry, source: str) -> Segmentation:
    """Read one file per segment; only files whose segment is asked for are opened.

    Parameters
    ----------
    paths : sequence of Path
        Binary masks: 0 and one other value.
    grid : Geometry
        The image's; each file must lie on it.
    source : str
        Folder or list, for messages.

    Raises
    ------
    ImageError
        RV228: two files of one name.
    """
    segments = tuple(Segment(number, _name(path)) for number, path in enumerate(paths, 1))
    names: dict[str, Path] = {}
    for path, segment in zip(paths, segments, strict=True):
        first = names.setdefault(segment.name.casefold(), path)
        if first != path:
            raise ImageError(
                Problem(
                    "RV228",
                    "every segment once",
                    f"the files {first.name} and {path.name}",
                    source,
                    "remove one of the two files",
                )
            )
    return Segmentation(
        kind="files",
        source=source,
        geometry=grid,
        segments=segments,
        numbered=False,
        fetch=lambda number: SegmentMask(_binary(paths[number - 1], grid)),
    )


def _name(path: Path) -> str:
    name = path.name
    return name[: len(name) - len(suffix_of(path))]


def _binary(path: Path, grid: Geometry) -> np.ndarray:
    require_same_geometry(grid, read_geometry(path), str(path))
    array = read_label_map(path).array()
    inside = np.asarray(array > 0)
    if (array[inside] != array.max(initial=0)).any():
        values = np.unique(array[inside])
        shown = ", ".join(str(value) for value in values[:5]) + (", ..." if len(values) > 5 else "")
        raise ImageError(
            Problem(
                "RV227",
                "0 and one other value in a file that holds a single segment",
                f"the values {shown}",
                str(path),
                "name a mask of several labels in the column 'mask' by itself, with its label scheme",
            )
        )
    return inside
