"""A pit is surrounded by endplate; what falls off to the edge is none."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from scipy import ndimage
from whole_phantom import whole_scan

from radiomics_vert.signs import measure_scan
from radiomics_vert.signs.nouns import Frame, FrameQuality, Layer, Plane
from radiomics_vert.signs.pits import deepest_pit

PLANE = Plane(0.0, 0.0, 0.0, 0.3, 100)
FRAME = Frame(
    np.zeros(3), np.eye(3), 44.0, -16.0, 32.0, PLANE, PLANE, FrameQuality(0.3, 0.3, 0.0, 0.0, 1.0)
)  # fmt: skip
X, P = (grid.ravel() for grid in np.meshgrid(np.arange(-22, 22.5, 1.0), np.arange(-16, 16.5, 1.0)))


def plate(depth: np.ndarray) -> np.ndarray:
    return np.column_stack([X, P, -depth])


@pytest.mark.parametrize("sign", [1.0, -1.0])
def test_enclosed_pit_keeps_its_depth(sign: float) -> None:
    pit = np.where(np.hypot(X - 3, P + 2) <= 4, 5.0, 0.0)
    points = plate(pit) * (1, 1, sign)
    assert deepest_pit(FRAME, points, sign, (1.0, 1.0, 1.0)).depth == pytest.approx(5.0, abs=0.5)


def test_shelf_at_the_edge_is_no_pit() -> None:
    shelf = np.where(X > 14, 17.0, 0.0) + np.where((X > 12) & (X <= 14), 7.0, 0.0)
    assert deepest_pit(FRAME, plate(shelf), 1.0, (1.0, 1.0, 1.0)).depth < 0.5


def test_pit_is_found_beside_a_deeper_shelf() -> None:
    pit = np.where(np.hypot(X + 5, P) <= 4, 4.0, 0.0)
    shelf = np.where(X > 14, 17.0, 0.0)
    assert deepest_pit(FRAME, plate(pit + shelf), 1.0, (1.0, 1.0, 1.0)).depth == pytest.approx(4.0, abs=0.5)


def test_thick_slices_leave_no_gaps() -> None:
    slices = np.isin(X, np.arange(-22, 22.5, 4.0))
    pit = np.where(np.hypot(X - 2, P) <= 6, 5.0, 0.0)
    assert deepest_pit(FRAME, plate(pit)[slices], 1.0, (4.0, 1.0, 1.0)).depth == pytest.approx(5.0, abs=0.7)


def open_pits(image: np.ndarray, **more) -> pd.DataFrame:
    scan = replace(whole_scan("CT"), image=image, **more)
    return measure_scan(scan, "CT").values.set_index("level").schmorl_open


def test_a_pit_is_open_where_disc_fills_it() -> None:
    image = whole_scan("CT").image
    found = open_pits(image)
    assert found["L4"] == 1
    assert (found.drop("L4") == 0).all()  # no pit there
    assert open_pits(3 - 2 * image)["L4"] == 1  # bright or dark, only the likeness counts


def test_a_pit_filled_with_bone_or_covered_by_it_is_not_open() -> None:
    scan = whole_scan("CT")
    own = scan.labels == 6
    pit = ndimage.binary_closing(own, iterations=4) & ~own
    assert open_pits(np.where(pit, 150.0, scan.image))["L4"] == 0
    other = Layer(scan.layers["disc_L3"].labels, (99,))
    without = open_pits(scan.image, layers={**scan.layers, "disc_L3": other})
    assert np.isnan(without["L4"])
    assert without["L5"] == 0
