"""What the pages of quality control are made of."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import pandas as pd

from radiomics_vert.checks import Finding


@dataclass(frozen=True)
class View:
    """One plane of a picture.

    Parameters
    ----------
    name : str
        `axial`, `coronal` or `sagittal`.
    letters : tuple of str
        The patient's sides at the left, right, upper and lower edge.
    outline, others : str
        SVG paths around this vertebra and around other labels, in pixels of the plane.
    """

    name: str
    letters: tuple[str, str, str, str]
    outline: str
    others: str


@dataclass(frozen=True)
class Picture:
    """The planes of one vertebra side by side in one file.

    Parameters
    ----------
    file : str
        Relative to the folder of the pages.
    side : int
        Rows, and columns of each plane.
    pixel_mm : float
        Side of a pixel in millimetres.
    window : tuple of float
        Grey values of black and white.
    views : tuple of View
        From left to right.
    """

    file: str
    side: int
    pixel_mm: float
    window: tuple[float, float]
    views: tuple[View, ...]


@dataclass(frozen=True)
class QualityPages:
    """All that the pages show.

    Parameters
    ----------
    title : str
        Of the study, or the name of the scan.
    table : DataFrame
        What :func:`radiomics_vert.checks.with_outliers` returned.
    verdicts : DataFrame
        What :func:`radiomics_vert.checks.verdicts` returned.
    findings : tuple of Finding
        On the cohort and on its quality.
    refused : DataFrame
        Refused scans and vertebrae: `case_id, code, title, expected, found, where, remedy`.
    pictures : mapping of str to Picture
        By case id; a case without a picture shows its measures only.
    synthetic : bool
        The data were generated; every page says so.
    sheets : mapping of str to str
        By scan id, address of its sign sheets, seen from the page of the scan; vertebrae are anchors in it.
    """

    title: str
    table: pd.DataFrame
    verdicts: pd.DataFrame
    findings: tuple[Finding, ...]
    refused: pd.DataFrame
    pictures: Mapping[str, Picture] = field(default_factory=dict)
    synthetic: bool = False
    sheets: Mapping[str, str] = field(default_factory=dict)
