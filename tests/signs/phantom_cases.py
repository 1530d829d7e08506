"""The table of true value, measured value and error over deformities and voxel sizes.

python tests/signs/phantom_cases.py    write phantom_table.csv anew
"""

from __future__ import annotations

from functools import cache
from pathlib import Path

import pandas as pd
from phantoms import Body, amid

from radiomics_vert.signs import measure_scan

TABLE = Path(__file__).with_name("phantom_table.csv")

# spacing (z, y, x) in mm, and the sub-voxel shift of the grid
GRIDS = {
    "1 mm": ((1.0, 1.0, 1.0), (0.3, 0.6, 0.1)),
    "sagittal 4 mm": ((1.0, 1.0, 4.0), (0.0, 0.4, 0.7)),
    "axial 2 mm": ((2.0, 1.0, 1.0), (0.6, 0.2, 0.5)),
    "3 mm": ((3.0, 3.0, 3.0), (0.2, 0.8, 0.4)),
}

# By case: the body amid plain ones, and the true values. Losses are against 26 mm.
WEDGE = Body(heights=(18.2, 22.1, 26.0))
CASES = {
    "plain": (
        Body(),
        {"ha_mm": 26, "hm_mm": 26, "hp_mm": 26, "loss_max": 0, "pw_bulge_mm": 0, "lat_angle": 0},
    ),
    "wedge 30 %": (WEDGE, {"ha_mm": 18.2, "hp_mm": 26, "loss_a": 0.30, "loss_p": 0, "ratio_ap": 0.70}),
    "biconcave 30 %": (
        Body(heights=(26.0, 18.2, 26.0), superior_share=0.5),
        {"ha_mm": 26, "hm_mm": 18.2, "hp_mm": 26, "loss_m": 0.30, "ratio_mp": 0.70},
    ),
    "crush 30 %": (
        Body(heights=(18.2, 18.2, 18.2)),
        {"loss_a": 0.30, "loss_m": 0.30, "loss_p": 0.30, "ratio_ap": 1, "ratio_mp": 1},
    ),
    "lateral 7.8 deg": (Body(lateral_deg=7.8), {"lat_angle": 7.8}),
    "arc 4 mm": (Body(bulge=4.0), {"pw_bulge_mm": 4, "pw_pos": 0.5}),
    "fragment 4 mm": (
        Body(bulge=4.0, bulge_kind="triangle", bulge_at=0.6),
        {"pw_bulge_mm": 4, "pw_pos": 0.6},
    ),
    "moved back 4 mm": (Body(moved_back=4.0), {"retropulsion_mm": 4, "pw_bulge_mm": 0}),
    "pit 5 mm": (Body(pit=5.0), {"schmorl_depth": 5}),
}


def tolerance(sign: str, spacing: tuple[float, float, float]) -> float:
    """The stated tolerance: a part that any grid has, and one that grows with the voxel along the measure."""
    up, back, across = spacing
    if sign.endswith("_mm") and sign[0] == "h":
        return 0.6 + 0.7 * up
    rules = {
        "loss": 0.03 + 0.03 * up,
        "rati": 0.03 + 0.03 * up,
        "pw_b": 0.6 + 0.9 * back,
        "pw_p": 0.10 + 0.05 * up,
        "retr": 0.5 + 0.6 * back,
        "lat_": 1.0 + 0.3 * max(up - 1, across - 1),
        "schm": 0.5 + 0.5 * up,
    }
    return rules[sign[:4]]


@cache
def measured(case: str, grid: str) -> pd.Series:
    """The signs of the middle vertebra of a lordotic, leaning column."""
    body, _ = CASES[case]
    spacing, shift = GRIDS[grid]
    column = amid(body, lordosis=(8.0,) * 6, tilt=7.0)
    values = measure_scan(column.scan(spacing, shift=shift, region="body"), "CT").values
    return values.iloc[3]


def table() -> pd.DataFrame:
    """Return every case, grid and sign with its true and measured value."""
    rows = []
    for case, (_, truth) in CASES.items():
        for grid, (spacing, _) in GRIDS.items():
            found = measured(case, grid)
            for sign, true in truth.items():
                value = float(found[sign])
                rows.append((case, grid, sign, true, value, value - true, tolerance(sign, spacing)))
    columns = ["case", "grid", "sign", "true", "measured", "error", "tolerance"]
    return pd.DataFrame(rows, columns=columns).round(3)


if __name__ == "__main__":
    table().to_csv(TABLE, index=False, lineterminator="\n")
