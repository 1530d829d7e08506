"""Ratio of gradients and main direction of trabeculae that are known, over voxel sizes, tilts and noise.

Density varies as sines of one period along left-right, front-back and up-down. The energy of a gradient goes
with the square of the amplitude; smoothing and voxels weaken all three alike, so that the ratio of vertical
to mean horizontal energy is that of the squared amplitudes. Trabeculae run where density varies least.

python tests/signs/trabeculae_cases.py    write trabeculae_table.csv anew
"""

from __future__ import annotations

from functools import cache
from pathlib import Path

import pandas as pd
from bone_phantoms import Drawing, bone_scan, striation
from phantoms import Body, amid

from radiomics_vert.signs import measure_scan

TABLE = Path(__file__).with_name("trabeculae_table.csv")
PERIOD_MM = 5.0
# Amplitudes in HU: left-right, front-back, up-down.
CASES = {
    "upright stripes": (60.0, 60.0, 20.0),
    "upright stripes, uneven": (70.0, 50.0, 30.0),
    "no direction": (50.0, 50.0, 50.0),
    "level plates": (30.0, 30.0, 60.0),
}
# spacing (z, y, x), shift of the grid, tilt in degrees, noise in HU
GRIDS = {
    "0.5 mm": ((0.5, 0.5, 0.5), (0.2, 0.7, 0.4), 6.0, 30.0),
    "1 x 0.8 mm oblique": ((1.0, 0.8, 0.8), (0.3, 0.2, 0.6), 14.0, 25.0),
    "1 mm, turned by 25 deg": ((1.0, 1.0, 1.0), (0.1, 0.5, 0.3), 25.0, 0.0),
    "1.5 mm": ((1.5, 1.5, 1.5), (0.2, 0.4, 0.7), 0.0, 15.0),
    "sagittal 1.5 mm": ((0.7, 0.7, 1.5), (0.6, 0.1, 0.2), 10.0, 20.0),
}
TOO_COARSE = {
    "axial 2 mm": ((2.0, 0.9, 0.9), (0.3, 0.2, 0.6), 0.0, 15.0),
    "axial 4 mm": ((4.0, 0.8, 0.8), (0.6, 0.5, 0.3), 0.0, 15.0),
}


def true_ratio(case: str) -> float:
    """Vertical over mean horizontal energy."""
    left, back, up = CASES[case]
    return up**2 / ((left**2 + back**2) / 2)


def direction(case: str) -> float | None:
    """Return 1 where density varies least upwards, 0 where it varies most, None where no axis stands out."""
    left, back, up = CASES[case]
    return None if left == back == up else float(up < min(left, back))


def tolerance(true: float, spacing: tuple[float, float, float]) -> float:
    """A body holds four periods (a tenth); noise and voxels of 1 mm and more weigh as much once more."""
    return 0.02 + (0.10 + 0.10 * max(spacing)) * true


DIRECTION_TOLERANCE = 0.06  # as in the table of bone


@cache
def measured(case: str, grid: str) -> pd.Series:
    """The signs of the middle vertebra of three."""
    spacing, shift, tilt, noise = (GRIDS | TOO_COARSE)[grid]
    column = amid(Body(arch=False), neighbours=1, lordosis=(6.0, 6.0), tilt=tilt)
    paints = tuple(striation(PERIOD_MM, amplitude, axis) for axis, amplitude in enumerate(CASES[case]))
    scan = bone_scan(column, {2: paints}, Drawing(spacing, shift, samples=2, noise=noise))
    return measure_scan(scan, "CT").values.iloc[1]


def table(grids: tuple[str, ...] = tuple(GRIDS)) -> pd.DataFrame:
    """Return every case and grid with the true and the measured ratio and direction."""
    rows = []
    for case in CASES:
        for grid in grids:
            limits = {"grad_ratio": (true_ratio(case), tolerance(true_ratio(case), GRIDS[grid][0]))}
            if (along := direction(case)) is not None:
                limits["gst_vert"] = (along, DIRECTION_TOLERANCE)
            for sign, (true, limit) in limits.items():
                value = float(measured(case, grid)[sign])
                rows.append((case, grid, sign, true, value, value - true, limit))
    columns = ["case", "grid", "sign", "true", "measured", "error", "tolerance"]
    return pd.DataFrame(rows, columns=columns).round(3)


if __name__ == "__main__":
    table().to_csv(TABLE, index=False, lineterminator="\n")
