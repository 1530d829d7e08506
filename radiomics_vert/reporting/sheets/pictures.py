"""From drawings to a picture file and the lines over it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from radiomics_vert.reporting.quality.pictures import closed_path, side_by_side
from radiomics_vert.reporting.sheets.nouns import SheetLine, SheetPicture, SheetView
from radiomics_vert.signs.drawing import Drawing, Stroke

IMAGES = "images"


def draw_sheet(
    drawings: Sequence[Drawing], name: str, folder: Path, window: tuple[float, float]
) -> SheetPicture:
    """Write the planes of one vertebra as one PNG file, and return it with its lines.

    Parameters
    ----------
    drawings : sequence of Drawing
        What :func:`radiomics_vert.signs.drawing.draw_vertebra` returned; not empty.
    name : str
        Case id, the name of the file.
    folder : Path
        Of the sheets; the file goes to `images/` in it.
    window : tuple of float
        Grey values of black and white, for the caption.

    Returns
    -------
    SheetPicture
        The same input gives the same bytes.
    """
    file = f"{IMAGES}/{name}.png"
    side_by_side([drawing.pixels for drawing in drawings], folder / file)
    views = tuple(
        SheetView(
            drawing.name,
            drawing.letters,
            tuple((region.kind, closed_path(region.polygons)) for region in drawing.regions),
            tuple(map(_line, drawing.strokes)),
        )
        for drawing in drawings
    )
    return SheetPicture(file, len(drawings[0].pixels), drawings[0].pixel_mm, window, views)


def _line(stroke: Stroke) -> SheetLine:
    x, y = np.median(stroke.points, axis=0).round(1).tolist()
    path = "M" + "L".join(f"{column:.1f},{row:.1f}" for column, row in stroke.points.tolist())
    return SheetLine(stroke.kind, path, stroke.label, x, y)
