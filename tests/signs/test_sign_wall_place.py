"""Retropulsion of every vertebra of a column: near zero where it has not moved, whatever the curve."""

from __future__ import annotations

from itertools import product
from pathlib import Path

import numpy as np
import pytest
from phantom_cases import tolerance
from phantoms import Body, Column, straight

from analysis.simulations.sign_real_data import lumbar_exams, spine_of, totalsegmentator_ct, verse_ct
from radiomics_vert.cohort import Scan
from radiomics_vert.signs import prepare_spine, wall
from radiomics_vert.signs.nouns import Absent
from radiomics_vert.signs.wall import expected_corners

GRIDS = {
    "1 mm": ((1.0, 1.0, 1.0), (0.3, 0.6, 0.1)),
    "sagittal 4 mm": ((1.0, 1.0, 4.0), (0.0, 0.4, 0.7)),
    "axial 2 mm": ((2.0, 1.0, 1.0), (0.6, 0.2, 0.5)),
}
COLUMNS = {
    "straight": {},
    "lordosis of 8 deg": {"lordosis": (8.0,) * 6},
    "lordosis of 14 deg": {"lordosis": (14.0,) * 6},
    "kyphosis of 10 deg": {"lordosis": (-10.0,) * 6},
    "kyphosis into lordosis": {"lordosis": (-8.0, -8.0, -2.0, 4.0, 10.0, 14.0)},
    "rising lordosis": {"lordosis": (2.0, 6.0, 12.0, 20.0, 20.0, 20.0)},
    "scoliosis": {"scoliosis": (9.0, -9.0, -9.0, 9.0, 9.0, 9.0), "rotation": 8, "tilt": 20},
}


MOVED = [(3, 1, 3), (5, 1, 4), (5, 2, 3), (5, 3, 4), (7, 3, 4), (7, 1, 3)]  # count, place, mm
# Part of a displacement that the model itself leaves to an unmoved neighbour: of 26 mm and discs of 8.
LEFT_TO_NEIGHBOURS = 8 / (26 + 8) / 2
LEANING = np.sin(np.radians(15))


def quick(count: int, grid: str) -> bool:
    return count == 5 and grid == "1 mm"


def slow_but(rows: list[tuple], fast: list[bool]) -> list:
    return [
        row if now else pytest.param(*row, marks=pytest.mark.slow)
        for row, now in zip(rows, fast, strict=True)
    ]


def column(curve: str, count: int, moved: int, by: float) -> Column:
    how = dict(COLUMNS[curve])
    for name in ("lordosis", "scoliosis"):
        if name in how:
            how[name] = how[name][: count - 1]
    bodies = [Body(moved_back=by if place == moved else 0.0) for place in range(count)]
    return straight(*bodies, **how)


def errors(curve: str, count: int, grid: str, moved: int = -1, by: float = 0.0) -> dict[int, float]:
    """Error less its tolerance by place, of all vertebrae between two others."""
    drawn = column(curve, count, moved, by)
    spacing, shift = GRIDS[grid]
    spine = prepare_spine(drawn.scan(spacing, shift=shift, region="body"), "CT")
    found = [wall.measure(spine)[vertebra.label]["retropulsion_mm"] for vertebra in spine.vertebrae]
    assert [place for place, value in enumerate(found) if isinstance(value, Absent)] == [0, count - 1]
    lean = [abs(axes[2, 1]) for _, axes in drawn.poses]
    left = {}
    for place in range(1, count - 1):
        limit = tolerance("retropulsion_mm", spacing)
        if max(lean[place - 1 : place + 2]) > LEANING:
            # A corner of a wall that leans against the slices lies anywhere in one of them.
            limit = max(limit, spacing[0])
        if abs(place - moved) == 1:
            limit += LEFT_TO_NEIGHBOURS * by
        left[place] = abs(found[place] - (by if place == moved else 0.0)) - limit
    return left


INTACT = list(product(COLUMNS, (3, 5, 7), GRIDS))


@pytest.mark.parametrize(
    ("curve", "count", "grid"), slow_but(INTACT, [quick(count, grid) for _, count, grid in INTACT])
)
def test_no_vertebra_of_an_intact_column_is_displaced(curve, count, grid):
    left = errors(curve, count, grid)
    assert max(left.values()) <= 0, left


CURVES = ("lordosis of 8 deg", "kyphosis of 10 deg", "rising lordosis")
DISPLACED = [(curve, *moved, grid) for curve, moved, grid in product(CURVES, MOVED, GRIDS)]


@pytest.mark.parametrize(
    ("curve", "count", "moved", "by", "grid"),
    slow_but(DISPLACED, [row[0] == CURVES[0] and quick(row[1], row[-1]) for row in DISPLACED]),
)
def test_only_the_vertebra_that_moved_is_displaced(curve, count, moved, by, grid):
    left = errors(curve, count, grid, moved, by)
    assert max(left.values()) <= 0, left


def test_the_place_of_an_unmoved_wall_follows_from_the_walls_beside_it():
    """Two walls of 26 mm at 10 degrees to one between them, gaps of 8 mm: the gaps lean by half as much."""
    lean = np.tan(np.radians(10.0))
    half = np.tan(np.radians(5.0))
    z = np.array([-13.0, 13.0])
    above = np.array([[8 * half, 21.0], [8 * half + 26 * lean, 47.0]])
    below = above[::-1] * (1, -1)
    np.testing.assert_allclose(expected_corners(above, below, z), 0.0, atol=0.02)
    # Turned about the middle of the wall, nothing but that turn is expected.
    turned = np.array([[0.0, 0.05]])
    np.testing.assert_allclose(
        expected_corners(*(wall @ [[1, 0], [0.05, 1]] for wall in (above, below)), z),
        z * turned[0, 1],
        atol=0.02,
    )


# Real columns --------------------------------------------------------------------------------------------

# The seeds' fragments and the phantoms above are of 3 mm and more. Walls of real bodies lean and are hollow,
# so that the largest distance of an intact one is about 1 mm; L4 of VerSe014 has slipped forwards on L5.
REAL_MM = 4.0


def real_values(scan: Scan) -> list[float]:
    measured = wall.measure(spine_of(scan)).values()
    values = [row["retropulsion_mm"] for row in measured]
    return [value for value in values if not isinstance(value, Absent)]


@pytest.mark.data
def test_intact_vertebrae_of_verse_are_not_displaced(real_data: Path):
    found = real_values(verse_ct(real_data))
    assert len(found) == 3
    assert np.abs(found).max() < REAL_MM, found


@pytest.mark.data
def test_voxels_of_three_mm_show_no_wall_of_totalsegmentator(real_data: Path):
    assert real_values(totalsegmentator_ct(real_data)) == []


@pytest.mark.data
@pytest.mark.slow
def test_intact_vertebrae_of_the_lumbar_exams_are_not_displaced(real_data: Path):
    found = []
    for scan in lumbar_exams(real_data):
        if scan.subject_id != "VB2_02":  # image and mask do not match
            found += real_values(scan)
    assert len(found) > 30
    assert np.abs(found).max() < REAL_MM
    assert np.median(found) < 2.0
