"""A confirmatory set of phantoms: shapes, sizes, grids and noise that no measure was made with.

python tests/signs/confirmation_cases.py    write confirmation_table.csv anew

The cases and their tolerances were written down, and committed, before the first run. The tolerances are
the rules of the older tables, which stand since before this set was thought of; those of flags and grades
are 0, and grades are left out where a limit lies within the tolerance of the loss. A row that misses stays in
the table and is named in `MISSED` with its reason.
"""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from itertools import product
from math import gamma, pi
from pathlib import Path

import arch_phantoms
import bone_cases
import numpy as np
import pandas as pd
import phantom_cases
import signal_phantoms
from bone_phantoms import Drawing, bone_scan, ellipsoid, in_wall, wall_gap
from phantoms import OUTLINE, Body, amid

from radiomics_vert.imaging.preprocessing import slice_axis
from radiomics_vert.signs import measure_scan, measure_spine, prepare_spine

TABLE = Path(__file__).with_name("confirmation_table.csv")
WIDTH, DEPTH, HEIGHT = 38.0, 28.0, 23.0  # of a lower thoracic body; the older phantoms are lumbar
PLAIN = Body(width=WIDTH, depth=DEPTH, heights=(HEIGHT,) * 3, normal=HEIGHT, arch=False)

# spacing (z, y, x), shift of the grid, tilt of the column in degrees, noise in HU or percent of the marrow
GRIDS = {
    "1.1 x 0.7 mm": ((1.1, 0.7, 0.7), (0.45, 0.15, 0.8), 11.0, 35.0),
    "axial 2.2 mm": ((2.2, 0.9, 0.9), (0.2, 0.85, 0.4), 5.0, 20.0),
    "sagittal 3.3 mm": ((0.85, 0.85, 3.3), (0.55, 0.35, 0.25), 9.0, 15.0),
}
SEED = 20240611


def fractured(*heights: float, **more: object) -> Body:
    """A body of the set with other heights."""
    return replace(PLAIN, heights=heights or PLAIN.heights, **more)


# Shape -------------------------------------------------------------------------------------------

SHAPES = {
    "wedge 33 %": (
        fractured(15.41, 19.2, 23.0),
        {
            "ha_mm": 15.41, "hp_mm": 23.0, "loss_a": 0.33, "loss_p": 0, "genant_grade": 2, "type_wedge": 1,
            "type_crush": 0,
        },
    ),
    "biconcave 33 %": (
        fractured(23.0, 15.41, 23.0, superior_share=0.5),
        {"hm_mm": 15.41, "ha_mm": 23.0, "loss_m": 0.33, "genant_grade": 2, "type_biconcave": 1},
    ),
    "crush 52 %": (
        fractured(11.04, 11.04, 11.04),
        {"loss_a": 0.52, "loss_m": 0.52, "loss_p": 0.52, "genant_grade": 3, "type_crush": 1},
    ),
    "unfractured, 6 % lower": (
        fractured(21.6, 21.6, 21.6),
        {"loss_max": 0.06, "genant_grade": 0, "type_wedge": 0, "type_crush": 0, "type_biconcave": 0},
    ),
    "lateral 5.5 deg": (fractured(lateral_deg=5.5), {"lat_angle": 5.5}),
    "arc 3.2 mm": (fractured(bulge=3.2), {"pw_bulge_mm": 3.2, "pw_pos": 0.5}),
    "fragment 5 mm": (
        fractured(bulge=5.0, bulge_kind="triangle", bulge_at=0.42),
        {"pw_bulge_mm": 5.0, "pw_pos": 0.42},
    ),
    "moved back 3 mm": (fractured(moved_back=3.0), {"retropulsion_mm": 3.0, "pw_bulge_mm": 0}),
    "pit 4 mm": (fractured(pit=4.0), {"schmorl_depth": 4.0}),
}  # fmt: skip
# Round (-1) or angled (+1); the depth in mm, and along which voxel (0 up, 1 back). A depth of four voxels
# must be seen; a lesser one may be absent, but whatever is read has the right sign.
ROUND = {
    "endplate, arc 5.5 mm": (fractured(23.0, 17.5, 22.0), "ep_angularity", -1, 5.5, 0),
    "endplate, angle 5.5 mm": (fractured(23.0, 17.5, 22.0, angled=True), "ep_angularity", 1, 5.5, 0),
    "endplate, arc 3 mm": (fractured(22.0, 19.0, 23.0), "ep_angularity", -1, 3.0, 0),
    "endplate, angle 3 mm": (fractured(22.0, 19.0, 23.0, angled=True), "ep_angularity", 1, 3.0, 0),
    "wall, arc 4.4 mm": (fractured(bulge=4.4), "pw_angularity", -1, 4.4, 1),
    "wall, angle 4.4 mm": (fractured(bulge=4.4, bulge_kind="triangle"), "pw_angularity", 1, 4.4, 1),
}


@cache
def shape(case: str, grid: str) -> pd.Series:
    """The signs of the third of five vertebrae."""
    body = SHAPES[case][0] if case in SHAPES else ROUND[case][0]
    spacing, shift, tilt, _ = GRIDS[grid]
    column = amid(body, PLAIN, neighbours=3, lordosis=(5.0,) * 6, tilt=tilt)
    return measure_scan(column.scan(spacing, shift=shift, region="body"), "CT").values.iloc[3]


def shape_tolerance(sign: str, spacing: tuple[float, float, float]) -> float:
    """That of the older table; 0 for flags and grades."""
    return 0.0 if sign.startswith(("genant", "type")) else phantom_cases.tolerance(sign, spacing)


# Bone --------------------------------------------------------------------------------------------

WALL = 2 * (WIDTH + DEPTH) * (HEIGHT - 4)
MARROW_ML = (WIDTH - 6) * (DEPTH - 6) * (HEIGHT - 6) * 0.964 / 1000
BALL = 4 / 3 * pi / 1000
HOLE = in_wall("left", lambda a, z: a**2 + z**2 < 25)
BONE = {
    "thin marrow, nothing else": (
        (),
        {
            "hu_tb": 120, "gas_ml": 0, "lytic_frac": 0, "lytic_largest_ml": 0, "blastic_frac": 0,
            "cort_destroyed_frac": 0, "largest_defect_mm2": 0,
        },
    ),
    "gas at 10 deg, hole of radius 5 on the left": (
        (ellipsoid((-3, 1, 3), (9, 8, 2.8), -850, tilt=10), wall_gap(HOLE)),
        {
            "gas_ml": 9 * 8 * 2.8 * BALL, "gas_linearity": 1 - 2.8 / 8, "gas_parallel_deg": 10,
            "gas_span": 18 / WIDTH, "gas_depth_rel": (HEIGHT / 2 - 3) / HEIGHT, "lytic_frac": 0,
            "largest_defect_mm2": pi * 25, "puzzle_index": 0, "cort_destroyed_frac": pi * 25 / WALL,
            "cort_destroyed_right": 0, "cort_destroyed_anterior": 0,
        },
    ),
    "lysis of radius 5.5 and 4.2": (
        (ellipsoid((7, 0, 0), (5.5, 5.5, 5.5), 35.0), ellipsoid((-8, 2, -1), (4.2, 4.2, 4.2), 35.0)),
        {
            "lytic_largest_ml": 5.5**3 * BALL, "lytic_frac": (5.5**3 + 4.2**3) * BALL / MARROW_ML,
            "blastic_frac": 0, "gas_ml": 0, "cort_destroyed_frac": 0,
        },
    ),
    "sclerosis of radius 5": (
        (ellipsoid((-4, -2, 0), (5, 5, 5), 550.0),),
        {"blastic_frac": 125 * BALL / MARROW_ML, "lytic_frac": 0, "cort_destroyed_frac": 0},
    ),
    "left and anterior wall gone": (
        (
            wall_gap(in_wall("left", lambda a, z: abs(a) < 40)),
            wall_gap(in_wall("anterior", lambda a, z: abs(a) < 40)),
        ),
        {"cort_destroyed_left": 1, "cort_destroyed_anterior": 1, "cort_destroyed_right": 0},
    ),
}  # fmt: skip
# Corners of the outline belong to two sides: part of a sector that the drawing shares with the next.
CORNER = 0.10


@cache
def bone(case: str, grid: str) -> pd.Series:
    """The signs of the middle vertebra of three, with noise of the set's own seed."""
    spacing, shift, tilt, noise = GRIDS[grid]
    column = amid(PLAIN, PLAIN, neighbours=1, lordosis=(5.0, 5.0), tilt=tilt)
    how = Drawing(spacing, shift, samples=2, marrow=120.0, shell=550.0, holes="gas" in case)
    scan = bone_scan(column, {2: BONE[case][0]}, how)
    grain = np.random.default_rng(SEED).normal(0, noise, scan.labels.shape)
    return measure_scan(replace(scan, image=(scan.image + grain).astype(np.float32)), "CT").values.iloc[1]


def bone_tolerance(sign: str, true: float, spacing: tuple[float, float, float]) -> float:
    """That of the older table, and the corners' share where whole sides are gone."""
    slack = CORNER if sign.startswith("cort_destroyed_") and sign != "cort_destroyed_frac" else 0.0
    return bone_cases.tolerance(sign, true, spacing) + slack


# Marrow ------------------------------------------------------------------------------------------


def share(depth: float) -> object:
    """Share of the trabecular body down to a depth under one endplate."""
    return lambda z: (depth - z) / (HEIGHT - 2 * z)


def trabecular_mm3(z: float, y: float, x: float) -> float:
    """Volume of the trabecular body."""
    outline = gamma(1 + 1 / OUTLINE) ** 2 / gamma(1 + 2 / OUTLINE)
    return (HEIGHT - 2 * z) * (DEPTH - 2 * y) * (WIDTH - 2 * x) * outline


TWO = ((-9.0, -4.0, 8.0), (8.0, 4.0, 14.0))
MARROW = {
    "T1 plain": ("T1", 300.0, signal_phantoms.plain, {"t1_rep_frac": 0, "n_foci": 0, "trom": 1}),
    "T1 dark to 9 mm": (
        "T1", 300.0, signal_phantoms.slab(0.5, 9),
        {"t1_rep_frac": share(9), "endplate_localisation": lambda z: 1 - (z + 9) / HEIGHT, "n_foci": 1},
    ),
    "T1 two foci of radius 5": (
        "T1", 300.0, signal_phantoms.balls(0.45, 5, *TWO), {"n_foci": 2, "largest_share": 0.5},
    ),
    "T1 margin 4 mm": ("T1", 300.0, signal_phantoms.slab(0.45, 11.5, 4.0), {"margin_width_mm": 4}),
    "STIR bright to 8 mm below": (
        "STIR", 80.0, signal_phantoms.slab(2.4, 8, under="inferior"),
        {"edema_frac": share(8), "stir_ratio": 2.4, "fluid_score": 0},
    ),
    "STIR plain": ("STIR", 80.0, signal_phantoms.plain, {"edema_frac": 0, "stir_ratio": 1}),
}  # fmt: skip
MARROW_NOISE = 0.06


@cache
def marrow(case: str, grid: str) -> pd.Series:
    """The signs of the middle vertebra of three."""
    spacing, shift, tilt, _ = GRIDS[grid]
    signal_phantoms.MORE[grid] = (spacing, shift)
    sequence, normal, texture, _ = MARROW[case]
    drawing = signal_phantoms.draw(grid, PLAIN, 1, tilt)
    image = signal_phantoms.paint(drawing, texture, normal, noise=MARROW_NOISE, seed=SEED)
    scan = replace(drawing.spine.scan, image=image)
    return measure_spine(replace(drawing.spine, scan=scan, sequence=sequence)).values.iloc[1]


def marrow_truth(truth: object, spacing: tuple[float, float, float]) -> float:
    """A number, or a function of how much of the body's height is no trabecular bone."""
    cut = spacing[0] if slice_axis(spacing) == 0 else signal_phantoms.CUT
    return float(truth(cut)) if callable(truth) else float(truth)


# Behind and beside the body ----------------------------------------------------------------------

ARCHES = {
    "left pedicle thin, rim in front": (
        arch_phantoms.Look(left=180, narrowed=(-9, 2, 4, 6), rim=((8.0, -30, 90),)),
        {
            "canal_loss": 11 * 4 / arch_phantoms.AREA, "rim_max_mm": 8, "rim_coverage": 0.5,
            "rim_lateral": 0.5, "rim_thin_circumferential": 0,
        },
    ),
    "right pedicle half, thin rim": (
        arch_phantoms.Look(right=260, rim=((6.0, -180, 180),)),
        {
            "canal_loss": 0, "rim_max_mm": 6, "rim_coverage": 1, "rim_lateral": 0,
            "rim_thin_circumferential": 1,
        },
    ),
    "both pedicles and the arch gone": (
        arch_phantoms.Look(left=45, right=45, arch=45, narrowed=(0, 9, 7, 6), rim=((13.0, -100, -20),)),
        {
            "canal_loss": 9 * 7 / arch_phantoms.AREA, "rim_max_mm": 13, "rim_coverage": 1 / 3,
            "rim_lateral": 1, "pe_replaced_frac": 1,
        },
    ),
}  # fmt: skip


@cache
def arch(case: str, grid: str) -> dict[str, object]:
    """The signs of the middle vertebra of five, with noise of the set's own seed."""
    spacing, shift, tilt, noise = GRIDS[grid]
    body = Body(width=41.0, depth=30.0, heights=(24.5,) * 3, normal=24.5)
    column = amid(body, body, neighbours=2, lordosis=(5.0,) * 4, tilt=tilt)
    scan = arch_phantoms.arch_scan(column, {3: ARCHES[case][0]}, arch_phantoms.Drawing(spacing, shift))
    grain = np.random.default_rng(SEED).normal(0, noise, scan.labels.shape)
    scan = replace(scan, image=(scan.image + grain).astype(np.float32))
    return arch_phantoms.families(prepare_spine(scan, "CT"), 3)


def arch_truth(case: str) -> dict[str, float]:
    """True values; no mass is left to compare sides where all of it is gone."""
    look, others = ARCHES[case]
    return others if "gone" in case else arch_phantoms.truth(look) | others


def arch_tolerance(sign: str, spacing: tuple[float, float, float]) -> float:
    """That of the older tables."""
    return 0.12 if sign == "pe_replaced_frac" else arch_phantoms.tolerance(sign, spacing)


# Table -------------------------------------------------------------------------------------------

# What the first run missed, 3 of 293 statements. Mended afterwards, in the measure and not in the limit: the
# margin of 4 mm was absent at 1.1 x 0.7 mm, where slices counted as thick for being thicker than the pixels;
# endplate_localisation was -0.48 for 0.51 at axial 2.2 mm, where steps of a flat endplate were a depression.
# Case, grid, sign: why the row still misses its tolerance.
MISSED: dict[tuple[str, str, str], str] = {}
# Not mended: depressions and bulges of four voxels whose shape is not seen.
UNTOLD = {
    ("wall, arc 4.4 mm", "axial 2.2 mm"): "ten rows of voxels over the height let both shapes pass",
}


def unseen(case: str, grid: str, sign: str) -> bool:
    """What thick axial slices cannot show: a border along them, a grade whose limits they may cross."""
    return grid == "axial 2.2 mm" and (
        sign == "margin_width_mm" or (sign == "genant_grade" and case.endswith("33 %"))
    )


def rows() -> list[tuple[str, str, str, float, float, float]]:
    """Every case, grid and sign: true value, measured value, tolerance."""
    found = []
    for grid, (spacing, *_) in GRIDS.items():
        for case, (_, truths) in SHAPES.items():
            for sign, true in truths.items():
                found.append(
                    (case, grid, sign, true, shape(case, grid)[sign], shape_tolerance(sign, spacing))
                )
        for case, (_, truths) in BONE.items():
            for sign, true in truths.items():
                limit = bone_tolerance(sign, true, spacing)
                found.append((case, grid, sign, true, bone(case, grid)[sign], limit))
        for case, (*_, truths) in MARROW.items():
            for sign, truth in truths.items():
                if not unseen(case, grid, sign):
                    true = marrow_truth(truth, spacing)
                    limit = signal_phantoms.tolerance(sign, true, spacing)
                    found.append((case, grid, sign, true, marrow(case, grid)[sign], limit))
        for case in ARCHES:
            for sign, true in arch_truth(case).items():
                found.append((case, grid, sign, true, arch(case, grid)[sign], arch_tolerance(sign, spacing)))
    return found


def table() -> pd.DataFrame:
    """Return the table; NaN where a sign is absent."""
    frame = pd.DataFrame(rows(), columns=["case", "grid", "sign", "true", "measured", "tolerance"])
    frame["measured"] = pd.to_numeric(frame["measured"], errors="coerce")
    frame.insert(5, "error", frame["measured"] - frame["true"])
    return frame.round(3)


def shapes_told() -> list[tuple[str, str, float, bool]]:
    """Every case of a round or angled depression and grid: measured times true sign, and must it be seen."""
    return [
        (case, grid, float(shape(case, grid)[sign]) * true, depth >= 4 * GRIDS[grid][0][axis])
        for (case, (_, sign, true, depth, axis)), grid in product(ROUND.items(), GRIDS)
    ]


if __name__ == "__main__":
    table().to_csv(TABLE, index=False, lineterminator="\n")
