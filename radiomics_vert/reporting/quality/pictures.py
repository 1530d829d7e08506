"""From planes of voxels to a picture file and the lines that are drawn over it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from PIL import Image

from radiomics_vert.imaging.mosaic import Plane
from radiomics_vert.reporting.quality.nouns import Picture, View
from radiomics_vert.storage import atomic

IMAGES = "images"
BETWEEN = 4
"""Columns between two planes."""


def draw_picture(planes: Sequence[Plane], name: str, folder: Path, window: tuple[float, float]) -> Picture:
    """Write the planes of one vertebra as one PNG file, and return it with its outlines.

    Parameters
    ----------
    planes : sequence of Plane
        What :func:`radiomics_vert.imaging.mosaic.mosaic` returned.
    name : str
        Case id, the name of the file.
    folder : Path
        Of the pages; the file goes to `images/` in it.
    window : tuple of float
        Grey values of black and white, for the caption.

    Returns
    -------
    Picture
        The same input gives the same bytes.
    """
    file = f"{IMAGES}/{name}.png"
    side_by_side([plane.pixels for plane in planes], folder / file)
    views = (View(p.name, p.letters, closed_path(p.outline), closed_path(p.others)) for p in planes)
    return Picture(file, len(planes[0].pixels), planes[0].pixel_mm, window, tuple(views))


def side_by_side(planes: Sequence[np.ndarray], file: Path) -> None:
    """Write square planes of grey values as one PNG file, a few black columns between them.

    Parameters
    ----------
    planes : sequence of ndarray of uint8, shape (n, n)
        From left to right.
    file : Path
        Where to write.
    """
    side = len(planes[0])
    canvas = np.zeros((side, len(planes) * side + (len(planes) - 1) * BETWEEN), dtype=np.uint8)
    for position, plane in enumerate(planes):
        start = position * (side + BETWEEN)
        canvas[:, start : start + side] = plane
    with atomic(file) as temporary:
        Image.fromarray(canvas).save(temporary, format="PNG", compress_level=6)


def closed_path(polygons: Sequence[np.ndarray]) -> str:
    """Return closed polygons as the data of an SVG path, with a tenth of a pixel."""
    return "".join(f"M{'L'.join(f'{x:.1f},{y:.1f}' for x, y in points.tolist())}Z" for points in polygons)
