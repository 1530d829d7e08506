"""Plots of the quality measures along the spine, whose points are links to the pictures."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd

from radiomics_vert.checks.quality import OUTLYING
from radiomics_vert.cohort import Level
from radiomics_vert.reporting.inputs import numeric, words
from radiomics_vert.reporting.wording import number

WIDTH, HEIGHT = 720, 250
LEFT, RIGHT, TOP, BOTTOM = 58, 12, 14, 34
PLOTTED = {
    "volume_ml": "Volume, ml",
    "intensity_median": "Median grey value",
    "intensity_iqr": "Interquartile range of grey values",
    "grey_levels": "Grey levels (bins) of the original image",
}
_NO_LEVEL = "no level"
_TICKS = 4
# A fixed order of places beside the middle keeps points of one level apart, and every run alike.
_BESIDE = (0, 1, -1, 2, -2, 3, -3, 4, -4)


@dataclass(frozen=True)
class Point:
    """One vertebra: its place in the picture, where it leads, and what it is."""

    x: float
    y: float
    link: str
    told: str
    outlying: bool


@dataclass(frozen=True)
class Plot:
    """One measure of one sequence along the spine.

    Parameters
    ----------
    key, title : str
        Identifier in the page, and what is shown.
    points : tuple of Point
        From the head down.
    ticks : tuple of (float, str)
        Heights and values on the left.
    levels : tuple of (float, str)
        Places and names below.
    """

    key: str
    title: str
    points: tuple[Point, ...]
    ticks: tuple[tuple[float, str], ...]
    levels: tuple[tuple[float, str], ...]


def quality_plots(table: pd.DataFrame, links: Mapping[str, str]) -> list[Plot]:
    """Return the plots of a cohort: each measure of each sequence, level by level.

    Parameters
    ----------
    table : DataFrame
        Quality measures with their z scores.
    links : mapping of str to str
        Case id -> address of its picture.
    """
    plots = []
    for sequence, rows in table.groupby("sequence", sort=True):
        for name, title in PLOTTED.items():
            known = rows[np.isfinite(numeric(rows, name))]
            if len(known):
                plots.append(_plot(f"{sequence}-{name}", f"{title} ({sequence})", known, name, links))
    return plots


def _plot(key: str, title: str, rows: pd.DataFrame, name: str, links: Mapping[str, str]) -> Plot:
    values = numeric(rows, name).to_numpy()
    ticks = _ticks(float(values.min()), float(values.max()))
    low, high = ticks[0], ticks[-1]
    names = [str(level) or _NO_LEVEL for level in words(rows, "level")]
    present = sorted(set(names), key=_order)
    step = (WIDTH - LEFT - RIGHT) / len(present)
    places = {level: LEFT + step * (position + 0.5) for position, level in enumerate(present)}
    scale = (HEIGHT - TOP - BOTTOM) / (high - low)
    score = numeric(rows, f"z_{name}").abs() > OUTLYING
    seen: dict[str, int] = {}
    points = []
    for case, level, value, odd in zip(rows["case_id"], names, values, score, strict=True):
        beside = _BESIDE[seen.get(level, 0) % len(_BESIDE)] / len(_BESIDE)
        seen[level] = seen.get(level, 0) + 1
        x, y = places[level] + beside * step * 0.7, HEIGHT - BOTTOM - (value - low) * scale
        told = f"{case}, {level}: {number(value)}" + (", far from the others" if odd else "")
        points.append(Point(round(x, 1), round(float(y), 1), links[str(case)], told, bool(odd)))
    marks = tuple((round(HEIGHT - BOTTOM - (tick - low) * scale, 1), f"{tick:g}") for tick in ticks)
    below = tuple((round(places[level], 1), level) for level in present)
    order = sorted(range(len(points)), key=lambda k: (_order(names[k]), k))
    return Plot(key.lower().replace("_", "-"), title, tuple(points[k] for k in order), marks, below)


def _order(level: str) -> tuple[int, str]:
    return (len(Level), level) if level == _NO_LEVEL else (Level.parse(level).order, level)


def _ticks(low: float, high: float) -> list[float]:
    """Return round values that enclose all points.

    Examples
    --------
    >>> _ticks(13.0, 47.0), _ticks(5.0, 5.0)
    ([10.0, 20.0, 30.0, 40.0, 50.0], [4.0, 5.0, 6.0])
    """
    if high <= low:
        return [low - 1.0, low, low + 1.0]
    rough = (high - low) / _TICKS
    power = 10.0 ** np.floor(np.log10(rough))
    step = next(power * unit for unit in (1, 2, 5, 10) if power * unit >= rough)
    first, last = np.floor(low / step), np.ceil(high / step)
    return [float(f"{k * step:.12g}") for k in np.arange(first, last + 1)]
