"""DICOM image series: list, choose, check, read, and how they were acquired."""

from __future__ import annotations

from pathlib import Path

from radiomics_vert.imaging.dicom.facts import acquisition_facts, sidecar_of
from radiomics_vert.imaging.dicom.headers import CHOICE_TAGS, Frame, is_dicom
from radiomics_vert.imaging.dicom.pixels import read_voxels
from radiomics_vert.imaging.dicom.series import Series, choose_series, is_series, list_series
from radiomics_vert.imaging.dicom.stacking import TOLERANCE, Stack, stack

__all__ = [
    "CHOICE_TAGS",
    "TOLERANCE",
    "Frame",
    "Series",
    "Stack",
    "acquisition_facts",
    "choose_series",
    "is_dicom",
    "is_series",
    "list_series",
    "open_stack",
    "read_voxels",
    "sidecar_of",
    "stack",
]


def open_stack(path: str | Path, series: str = "") -> Stack:
    """Choose a series and put its planes in order, from the headers alone.

    Parameters
    ----------
    path : str or Path
        A folder, or one DICOM file.
    series : str
        As for :func:`choose_series`.

    Raises
    ------
    ImageError
        As :func:`choose_series` and :func:`stack`.
    """
    return stack(choose_series(path, series), path)
