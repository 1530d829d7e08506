"""The table of true value, measured value and error of the CT signs, over voxel sizes, tilts and noise.

python tests/signs/bone_cases.py    write bone_table.csv anew
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import cache
from math import pi
from pathlib import Path

import numpy as np
import pandas as pd
from bone_phantoms import Drawing, bone_scan, ellipsoid, flank, in_wall, marrow, plate, striation, wall_gap
from phantoms import Body, amid

from radiomics_vert.signs import measure_scan, prepare_spine

TABLE = Path(__file__).with_name("bone_table.csv")
PLAIN = Body(arch=False)
WALL = 2 * (44 + 32) * 22  # mm2 between the rims, to compare shares with; corners are rounded
MARROW_ML = 38 * 26 * 20 * 0.964 / 1000  # 3 mm below the drawn surface; 0.964: outline over its rectangle
CALIBRATION, NORM = {"slope": 0.8, "intercept": -5.0}, {"hu": 200.0}

# spacing (z, y, x), shift of the grid, tilt of the column in degrees, noise in HU
GRIDS = {
    "1 x 0.8 mm oblique": ((1.0, 0.8, 0.8), (0.3, 0.2, 0.6), 14.0, 25.0),
    "1.2 mm": ((1.2, 1.2, 1.2), (0.2, 0.4, 0.7), 0.0, 10.0),
    "sagittal 2 mm": ((0.9, 0.9, 2.0), (0.1, 0.5, 0.3), 8.0, 20.0),
    "axial 4 mm": ((4.0, 0.8, 0.8), (0.6, 0.5, 0.3), 0.0, 15.0),
}
FINE = ("1 x 0.8 mm oblique", "1.2 mm")
UPRIGHT = (*FINE, "sagittal 2 mm")  # voxels of 0.9 mm along the spine and front to back

# By case: what is painted into the middle vertebra of three, and the true values.
HOLE = in_wall("anterior", lambda a, z: a**2 + z**2 < 36)
SMALL_HOLE = in_wall("left", lambda a, z: a**2 + z**2 < 16)
GAP = in_wall("right", lambda a, z: (abs(z) < 1.25) & (abs(a) < 10))
BOTH = in_wall("anterior", lambda a, z: (a**2 + z**2 < 36) | (abs(z) < 1.25) & (abs(a) < 16))
BEHIND = in_wall("posterior", lambda a, z: abs(a) < 30)
RIGHT = in_wall("right", lambda a, z: abs(a) < 30)
RIGHT_BELOW = in_wall("right", lambda a, z: (abs(a) < 30) & (z < 0))
SIDE, BACK = 32 / 152, 44 / 152  # of the wall: one side, the back
BALL = 4 / 3 * pi / 1000  # ml of a ball of 1 mm
LARGE = (15, 10, 7)  # half axes of the larger lesions, mm
QUARTER = 9.5  # mm to the left of the middle: about a quarter of the marrow lies beyond
LEVELS = {1: 190.0, 2: 120.0, 3: 150.0}  # HU of L3, L4, L5 in one case


def skewed(change: float, noise: float) -> float:
    """Skewness of marrow of which the part beyond `QUARTER` differs by a change in HU, under noise."""
    across = np.linspace(-0.99999, 0.99999, 20001)
    outline = (1 - np.abs(across) ** 6) ** (1 / 6)
    share = float(outline[across > QUARTER / 19].sum() / outline.sum())
    spread = noise**2 + share * (1 - share) * change**2
    return share * (1 - share) * (1 - 2 * share) * change**3 / spread**1.5


@cache
def marrow_ml(grid: str) -> float:
    """Return the volume of the trabecular body on a grid, 3 mm below the surface of its voxels."""
    spacing, shift, tilt, _ = GRIDS[grid]
    column = amid(PLAIN, neighbours=1, lordosis=(6.0, 6.0), tilt=tilt)
    spine = prepare_spine(column.scan(spacing, shift=shift, region="body"), "CT")
    return float(spine.trabecular[2].sum() * np.prod(spacing)) / 1000


def of_marrow(ml: float) -> Callable[[str], float]:
    """Return the share of the trabecular body that a volume is, by grid."""
    return lambda grid: ml / marrow_ml(grid)


CASES = {
    "plain": (
        (),
        {
            "gas_ml": 0, "cort_destroyed_frac": 0, "largest_defect_mm2": 0, "cort_area_ratio": 1,
            "lytic_frac": 0, "lytic_largest_ml": 0, "blastic_frac": 0, "hu_tb": 150, "skewness_tb": 0,
            "hu_tb_l1": 150, "vbmd": 115, "loss_vs_norm": 0.25, "hu_cv_levels": 0,
            "hu_iqr_tb": lambda grid: 1.349 * GRIDS[grid][3],
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
            "lytic_largest_ml": 125 * BALL, "lytic_frac": of_marrow((125 + 64) * BALL),
            "largest_defect_mm2": pi * 36 + 50, "puzzle_index": 50 / (pi * 36 + 50),
        },
    ),
    "sclerosis of radius 6, no posterior wall": (
        (ellipsoid((2, 0, 0), (6, 6, 6), 600.0), wall_gap(BEHIND)),
        {
            "blastic_frac": of_marrow(216 * BALL), "cort_destroyed_frac": BACK, "cort_area_ratio": 1 - BACK,
            "cort_destroyed_posterior": 1, "cort_destroyed_anterior": 0, "puzzle_index": 0,
        },
    ),
    "large lysis, no right wall": (
        (ellipsoid((0, 0, 0), LARGE, 20.0), wall_gap(RIGHT, deep=3)),
        {
            "lytic_frac": of_marrow(np.prod(LARGE) * BALL), "lytic_largest_ml": np.prod(LARGE) * BALL,
            "cort_destroyed_right": 1, "cort_destroyed_left": 0, "cort_destroyed_posterior": 0,
            "cort_destroyed_frac": SIDE, "cort_area_ratio": 1 - SIDE,
        },
    ),
    "large sclerosis, no right wall below the middle": (
        (ellipsoid((0, 0, 0), LARGE, 600.0), wall_gap(RIGHT_BELOW, deep=3)),
        {
            "blastic_frac": of_marrow(np.prod(LARGE) * BALL), "lytic_frac": 0,
            "cort_destroyed_right": 0.5, "cort_destroyed_anterior": 0, "cort_destroyed_frac": SIDE / 2,
            "cort_area_ratio": 1 - SIDE / 2,
        },
    ),
    "gas amid the body, no posterior wall": (
        (ellipsoid((0, 0, 0), (7, 7, 7), -900), wall_gap(BEHIND)),
        {
            "gas_ml": 343 * BALL, "gas_linearity": 0, "gas_depth_rel": 0.5, "gas_span": 14 / 44,
            "pseudo_malignant": BACK,
        },
    ),
    "a quarter darker by 100 HU": (
        (flank(QUARTER, -100),), {"skewness_tb": lambda grid: skewed(-100, GRIDS[grid][3])},
    ),
    "a quarter denser by 100 HU": (
        (flank(QUARTER, 100),), {"skewness_tb": lambda grid: skewed(100, GRIDS[grid][3])},
    ),
    "L3 to L5 of 190, 120, 150 HU": (
        (marrow(LEVELS[2]),),
        {
            "hu_tb": 120, "hu_tb_l1": 190, "vbmd": 91, "loss_vs_norm": 0.4,
            "hu_cv_levels": np.std(list(LEVELS.values()), ddof=1) / np.mean(list(LEVELS.values())),
        },
    ),
}  # fmt: skip
BESIDE = {"L3 to L5 of 190, 120, 150 HU": {1: (marrow(LEVELS[1]),), 3: (marrow(LEVELS[3]),)}}
FINE_CASES = {
    "dense line, sharp": ((plate(2, 2.0, 400),), {"line_edge_width_mm": 0}),
    "dense line, edges of 3.5 mm": ((plate(2, 2.0, 400, 0.8),), {"line_edge_width_mm": 3.5}),
    "dark line, edges of 2.2 mm": ((plate(2, 2.0, 0, 0.5),), {"line_edge_width_mm": 2.2}),
    "upright trabeculae": ((striation(3.0, 60, 0), striation(3.0, 60, 1)), {"gst_vert": 1, "hu_tb": 150}),
    "trabeculae at 25 deg": ((striation(3.0, 60, 0), striation(3.0, 60, 1, 25)), {"gst_vert": 0.906}),
    "level plates": ((striation(3.0, 60, 2),), {"gst_vert": 0}),
}
ALL = CASES | FINE_CASES


# By words in the case, grid and signs: what is not claimed there, and why.
UNSEEN = (
    ("gap", "axial 4 mm", ("largest_defect_mm2", "puzzle_index"), "a gap of 2.5 mm in slices of 4 mm"),
    (
        "ball of gas", "axial 4 mm", ("gas_ml", "gas_linearity", "gas_depth_rel", "gas_span"),
        "the mask's hole is open to the endplate: its gas may as well be a vacuum of the disc",
    ),
)  # fmt: skip


def unseen(case: str, grid: str, sign: str) -> bool:
    """Tell whether a row is not claimed."""
    return any(words in case and where == grid and sign in signs for words, where, signs, _ in UNSEEN)


def grids(case: str) -> tuple[str, ...]:
    """Return the grids of a case."""
    return tuple(GRIDS) if case in CASES else UPRIGHT if "line" in case else FINE


def truths() -> list[tuple[str, str, str, float]]:
    """Every case, grid and sign of the table with its true value."""
    return [
        (case, grid, sign, float(true(grid) if callable(true) else true))
        for case, (_, truth) in ALL.items()
        for grid in grids(case)
        for sign, true in truth.items()
        if not unseen(case, grid, sign)
    ]


def grown(half: tuple[float, ...], spacing: tuple[float, float, float]) -> float:
    """Return the relative error of an ellipsoid (half axes x, p, z) whose border moves by half a voxel."""
    pairs = zip(reversed(spacing), half, strict=True)
    return float(np.prod([1 + step / (2 * radius) for step, radius in pairs])) - 1


def ball(share: float) -> tuple[float, float, float]:
    """Return the half axes of a ball that fills a share of the marrow."""
    return (float((abs(share) * MARROW_ML / BALL) ** (1 / 3)) or 1.0,) * 3


def of_wall(true: float, voxel: float) -> float:
    """Return how well a share of the wall is read: as the area of a defect."""
    return 0.004 + (8.0 + 0.12 * true * WALL + 3.0 * voxel) / WALL


def tolerance(
    sign: str, true: float, spacing: tuple[float, float, float], half: tuple[float, ...] = ()
) -> float:
    """The stated tolerance: a part that any grid has, and one that grows with the coarsest voxel.

    `half`: half axes of a lesion that is no ball. The first run took the large ones for balls and missed
    one row by 0.005, the sclerosis in slices of 4 mm, whose half axis along the spine is 7 mm.
    """
    coarse, part = max(spacing), true * grown(half or ball(true), spacing)
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
        "lytic_frac": 0.012 + part,
        "blastic_frac": 0.005 + part,
        "cort_destroyed_frac": of_wall(true, coarse),
        "pseudo_malignant": of_wall(true, coarse),
        "line_edge_width_mm": 0.3 + (1.4 if true < 1 else 0.4) * coarse,
        "hu_tb": 3.0, "hu_tb_l1": 3.0, "vbmd": 2.5, "loss_vs_norm": 0.015, "skewness_tb": 0.15,
        "hu_iqr_tb": 1.0 + 0.1 * true, "hu_cv_levels": 0.02, "gst_vert": 0.06,
    }  # fmt: skip
    # A side that is gone in part ends within half a voxel and 1 mm of the drawn border, of 22 mm.
    ends = (coarse / 2 + 1) / 22 if 0 < true < 1 else 0.0
    return rules.get(sign, 0.02 + 0.01 * coarse + ends)


@cache
def measured(case: str, grid: str) -> pd.Series:
    """The signs of the middle vertebra (L4) of three."""
    paints, _ = ALL[case]
    spacing, shift, tilt, noise = GRIDS[grid]
    column = amid(PLAIN, neighbours=1, lordosis=(6.0, 6.0), tilt=tilt)
    how = Drawing(spacing, shift, samples=2, noise=noise, holes="gas" in case)
    scan = bone_scan(column, {2: paints, **BESIDE.get(case, {})}, how)
    scan = replace(scan, tables={"calibration": CALIBRATION, "norm": NORM})
    return measure_scan(scan, "CT").values.iloc[1]


def table() -> pd.DataFrame:
    """Return every case, grid and sign with its true and measured value; NaN where it is absent."""
    rows = []
    for case, grid, sign, true in truths():
        value = float(measured(case, grid)[sign])
        limit = tolerance(sign, true, GRIDS[grid][0], LARGE if case.startswith("large") else ())
        rows.append((case, grid, sign, true, value, value - true, limit))
    columns = ["case", "grid", "sign", "true", "measured", "error", "tolerance"]
    return pd.DataFrame(rows, columns=columns).round(3)


if __name__ == "__main__":
    table().to_csv(TABLE, index=False, lineterminator="\n")
