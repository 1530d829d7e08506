"""A pit is surrounded by endplate; what falls off to the edge is none."""

from __future__ import annotations

import numpy as np
import pytest

from radiomics_vert.signs.endplates import pit_depth
from radiomics_vert.signs.nouns import Frame, FrameQuality, Plane

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
    assert pit_depth(FRAME, points, sign, (1.0, 1.0, 1.0)) == pytest.approx(5.0, abs=0.5)


def test_shelf_at_the_edge_is_no_pit() -> None:
    shelf = np.where(X > 14, 17.0, 0.0) + np.where((X > 12) & (X <= 14), 7.0, 0.0)
    assert pit_depth(FRAME, plate(shelf), 1.0, (1.0, 1.0, 1.0)) < 0.5


def test_pit_is_found_beside_a_deeper_shelf() -> None:
    pit = np.where(np.hypot(X + 5, P) <= 4, 4.0, 0.0)
    shelf = np.where(X > 14, 17.0, 0.0)
    assert pit_depth(FRAME, plate(pit + shelf), 1.0, (1.0, 1.0, 1.0)) == pytest.approx(4.0, abs=0.5)


def test_thick_slices_leave_no_gaps() -> None:
    slices = np.isin(X, np.arange(-22, 22.5, 4.0))
    pit = np.where(np.hypot(X - 2, P) <= 6, 5.0, 0.0)
    assert pit_depth(FRAME, plate(pit)[slices], 1.0, (4.0, 1.0, 1.0)) == pytest.approx(5.0, abs=0.7)
