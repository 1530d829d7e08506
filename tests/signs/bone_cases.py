"""The table of true value, measured value and error of the CT signs, over voxel sizes, tilts and noise.

python tests/signs/bone_cases.py    write bone_table.csv anew
"""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from math import pi
from pathlib import Path

import pandas as pd
from bone_phantoms import Drawing, bone_scan, ellipsoid, in_wall, plate, striation, wall_gap
from phantoms import Body, amid

from radiomics_vert.signs import measure_scan

TABLE = Path(__file__).with_name("bone_table.csv")
PLAIN = Body(arch=False)
WALL = 2 * (44 + 32) * 22  # mm2 between the rims, to compare shares with; corners are rounded
MARROW_ML = 38 * 26 * 20 * 0.964 / 1000  # 3 mm below the surface; 0.964: the outline over its rectangle
CALIBRATION, NORM = {"slope": 0.8, "intercept": -5.0}, {"hu": 200.0}

# spacing (z, y, x), shift of the grid, tilt of the column in degrees, noise in HU
GRIDS = {
    "1 x 0.8 mm oblique": ((1.0, 0.8, 0.8), (0.3, 0.2, 0.6), 14.0, 25.0),
    "1.2 mm": ((1.2, 1.2, 1.2), (0.2, 0.4, 0.7), 0.0, 10.0),
    "sagittal 2 mm": ((0.9, 0.9, 2.0), (0.1, 0.5, 0.3), 8.0, 20.0),
    "axial 4 mm": ((4.0, 0.8, 0.8), (0.6, 0.5, 0.3), 0.0, 15.0),
}
FINE = ("1 x 0.8 mm oblique", "1.2 mm")

# By case: what is painted into the middle vertebra of three, and the true values.
HOLE = in_wall("anterior", lambda a, z: a**2 + z**2 < 36)
SMALL_HOLE = in_wall("left", lambda a, z: a**2 + z**2 < 16)
GAP = in_wall("right", lambda a, z: (abs(z) < 1.25) & (abs(a) < 10))
BOTH = in_wall("anterior", lambda a, z: (a**2 + z**2 < 36) | (abs(z) < 1.25) & (abs(a) < 16))
BEHIND = in_wall("posterior", lambda a, z: abs(a) < 30)
BALL = 4 / 3 * pi / 1000  # ml of a ball of 1 mm
CASES = {
    "plain": (
        (),
        {
            "gas_ml": 0, "cort_destroyed_frac": 0, "largest_defect_mm2": 0, "cort_area_ratio": 1,
            "lytic_frac": 0, "lytic_largest_ml": 0, "blastic_frac": 0, "hu_tb": 150, "skewness_tb": 0,
            "hu_tb_l1": 150, "vbmd": 115, "loss_vs_norm": 0.25,
        },
    ),
    "flat gas at 15 deg, hole of radius 6 in front": (
        (ellipsoid((2, 0, 6), (10, 9, 3), -900, tilt=15), wall_gap(HOLE)),
        {
            "gas_ml": 270 * BALL, "gas_linearity": 1 - 3 / 9, "gas_depth_rel": 7 / 26,
            "gas_parallel_deg": 15, "gas_span": 20 / 44, "lytic_frac": 0,
            "largest_defect_mm2": pi * 36, "puzzle_index": 0, "cort_destroyed_frac": pi * 36 / WALL,
            "cort_destroyed_left": 0, "cort_destroyed_posterior": 0,
            "pseudo_malignant": pi * 36 / WALL,
        },
    ),
    "ball of gas, hole of radius 4 on the left": (
        (ellipsoid((0, 0, -4), (6, 6, 6), -900), wall_gap(SMALL_HOLE)),
        {
            "gas_ml": 216 * BALL, "gas_linearity": 0, "gas_depth_rel": 17 / 26, "gas_span": 12 / 44,
            "largest_defect_mm2": pi * 16, "puzzle_index": 0, "cort_destroyed_right": 0,
            "cort_destroyed_anterior": 0,
        },
    ),
    "lysis of radius 6, gap of 2.5 mm on the right": (
        (ellipsoid((2, 0, 0), (6, 6, 6), 20.0), wall_gap(GAP)),
        {
            "lytic_largest_ml": 216 * BALL, "blastic_frac": 0, "gas_ml": 0,
            "largest_defect_mm2": 50, "puzzle_index": 1, "cort_destroyed_left": 0,
        },
    ),
    "two lyses, hole with a gap": (
        (ellipsoid((9, 0, 0), (5, 5, 5), 20.0), ellipsoid((-9, 0, 0), (4, 4, 4), 20.0), wall_gap(BOTH)),
        {
            "lytic_largest_ml": 125 * BALL, "lytic_frac": (125 + 64) * BALL / MARROW_ML,
            "largest_defect_mm2": pi * 36 + 50, "puzzle_index": 50 / (pi * 36 + 50),
        },
    ),
    "sclerosis of radius 6, no posterior wall": (
        (ellipsoid((2, 0, 0), (6, 6, 6), 600.0), wall_gap(BEHIND)),
        {
            "blastic_frac": 216 * BALL / MARROW_ML,
            "cort_destroyed_posterior": 1, "cort_destroyed_anterior": 0, "puzzle_index": 0,
        },
    ),
}  # fmt: skip
FINE_CASES = {
    "dense line, sharp": ((plate(2, 2.0, 400),), {"line_edge_width_mm": 0}),
    "dense line, edges of 3.5 mm": ((plate(2, 2.0, 400, 0.8),), {"line_edge_width_mm": 3.5}),
    "dark line, edges of 2.2 mm": ((plate(2, 2.0, 0, 0.5),), {"line_edge_width_mm": 2.2}),
    "upright trabeculae": ((striation(3.0, 60, 0), striation(3.0, 60, 1)), {"gst_vert": 1, "hu_tb": 150}),
    "trabeculae at 25 deg": ((striation(3.0, 60, 0), striation(3.0, 60, 1, 25)), {"gst_vert": 0.906}),
    "level plates": ((striation(3.0, 60, 2),), {"gst_vert": 0}),
}
ALL = CASES | FINE_CASES


def unseen(case: str, grid: str, sign: str) -> bool:
    """A gap of 2.5 mm in the wall is not seen in slices of 4 mm."""
    return "gap" in case and grid == "axial 4 mm" and sign in ("largest_defect_mm2", "puzzle_index")


def truths() -> list[tuple[str, str, str, float]]:
    """Every case, grid and sign of the table with its true value."""
    return [
        (case, grid, sign, float(true))
        for case, (_, truth) in ALL.items()
        for grid in (FINE if case in FINE_CASES else GRIDS)
        for sign, true in truth.items()
        if not unseen(case, grid, sign)
    ]


def tolerance(sign: str, true: float, spacing: tuple[float, float, float]) -> float:
    """The stated tolerance: a part that any grid has, and one that grows with the coarsest voxel."""
    coarse = max(spacing)
    rules = {
        # At -200 HU three tenths of a voxel of gas suffice: volumes are too large by the surface's share.
        "gas_ml": 0.05 + 0.18 * true * coarse,
        "gas_linearity": 0.05 + 0.07 * coarse,
        "gas_depth_rel": 0.02 + 0.02 * coarse,
        "gas_parallel_deg": 2.0 + coarse,
        "gas_span": 0.03 + 0.03 * coarse,
        "largest_defect_mm2": 8.0 + 0.12 * true + 3.0 * coarse,
        "puzzle_index": 0.10 + 0.05 * coarse,
        "cort_area_ratio": 0.03 + 0.04 * coarse,
        "lytic_largest_ml": 0.05 + 0.15 * true * coarse,
        "lytic_frac": 0.012 + 0.25 * true * coarse,
        # At three deviations a tenth of a voxel of dense bone suffices, as with gas.
        "blastic_frac": 0.005 + 0.45 * true * coarse,
        "line_edge_width_mm": 0.3 + (1.4 if true < 1 else 0.4) * coarse,
        "hu_tb": 3.0, "hu_tb_l1": 3.0, "vbmd": 2.5, "loss_vs_norm": 0.015, "skewness_tb": 0.15,
        "gst_vert": 0.06,
    }  # fmt: skip
    return rules.get(sign, 0.02 + 0.01 * coarse)


@cache
def measured(case: str, grid: str) -> pd.Series:
    """The signs of the middle vertebra (L4) of three."""
    paints, _ = ALL[case]
    spacing, shift, tilt, noise = GRIDS[grid]
    column = amid(PLAIN, neighbours=1, lordosis=(6.0, 6.0), tilt=tilt)
    how = Drawing(spacing, shift, samples=2, noise=noise, holes="gas" in case)
    scan = bone_scan(column, {2: paints}, how)
    scan = replace(scan, tables={"calibration": CALIBRATION, "norm": NORM})
    return measure_scan(scan, "CT").values.iloc[1]


def table() -> pd.DataFrame:
    """Return every case, grid and sign with its true and measured value; NaN where it is absent."""
    rows = []
    for case, grid, sign, true in truths():
        value = float(measured(case, grid)[sign])
        rows.append((case, grid, sign, true, value, value - true, tolerance(sign, true, GRIDS[grid][0])))
    columns = ["case", "grid", "sign", "true", "measured", "error", "tolerance"]
    return pd.DataFrame(rows, columns=columns).round(3)


if __name__ == "__main__":
    table().to_csv(TABLE, index=False, lineterminator="\n")
