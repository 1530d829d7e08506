"""What the sign sheets are made of."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import pandas as pd


@dataclass(frozen=True)
class SheetLine:
    """One line of a view.

    Parameters
    ----------
    kind : str
        As of :class:`radiomics_vert.signs.drawing.Stroke`.
    path : str
        SVG path in pixels of the view.
    label : str
        What is written beside it; empty for nothing.
    x, y : float
        Where.
    """

    kind: str
    path: str
    label: str
    x: float
    y: float


@dataclass(frozen=True)
class SheetView:
    """One plane with what was measured in it.

    Parameters
    ----------
    name : str
        `sagittal`, `coronal` or `axial`.
    letters : tuple of str
        The patient's sides at the left, right, upper and lower edge.
    regions : tuple of (str, str)
        Kind, and SVG path of closed outlines.
    lines : tuple of SheetLine
        Lines, drawn over the regions.
    """

    name: str
    letters: tuple[str, str, str, str]
    regions: tuple[tuple[str, str], ...]
    lines: tuple[SheetLine, ...]


@dataclass(frozen=True)
class SheetPicture:
    """The planes of one vertebra side by side in one file.

    Parameters
    ----------
    file : str
        Relative to the folder of the sheets.
    side : int
        Rows, and columns of each plane.
    pixel_mm : float
        Side of a pixel in millimetres.
    window : tuple of float
        Grey values of black and white.
    views : tuple of SheetView
        From left to right.
    """

    file: str
    side: int
    pixel_mm: float
    window: tuple[float, float]
    views: tuple[SheetView, ...]

    @property
    def kinds(self) -> set[str]:
        """What is drawn in any view."""
        return {kind for view in self.views for kind, _ in view.regions} | {
            line.kind for view in self.views for line in view.lines
        }


@dataclass(frozen=True, eq=False)
class ScanSheet:
    """The signs of one scan.

    Parameters
    ----------
    scan_id, sequence : str
        Of the scan; the sequence as the registry spells it.
    values : DataFrame
        One row per vertebra from the head down: `case_id`, `level`, and columns named like the signs.
    absences : DataFrame
        One row per absent value: `case_id`, `sign`, `code`, `reason`.
    facts : DataFrame
        One row per vertebra, also of those without a frame: `case_id`, `level`, `body_source`, `frame`,
        `flags`, `references`, ...
    pictures : mapping of str to SheetPicture
        By case id; a vertebra without a frame has none.
    """

    scan_id: str
    sequence: str
    values: pd.DataFrame
    absences: pd.DataFrame
    facts: pd.DataFrame
    pictures: Mapping[str, SheetPicture] = field(default_factory=dict)


@dataclass(frozen=True)
class SignSheets:
    """All that the sheets show.

    Parameters
    ----------
    title : str
        Of the study, or the name of the scan.
    scans : tuple of ScanSheet
        One page each.
    synthetic : bool
        The data were generated; every page says so.
    quality : str
        Where the pages of quality control are, seen from the folder of the sheets; empty without any.
    """

    title: str
    scans: tuple[ScanSheet, ...]
    synthetic: bool = False
    quality: str = ""
