"""Heights of real vertebrae beside an independent report: the figures of docs/signs_real_data.md.

python analysis/simulations/sign_real_data.py FOLDER    FOLDER holds ct_totalsegmentator
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np
import pandas as pd

from radiomics_vert.cohort import Scan, examine_scan, load_scheme
from radiomics_vert.signs import load_sign_scan, measure_spine, prepare_spine
from radiomics_vert.signs.outline import U

PLACES = {"anterior": (0.15, "ha_mm"), "middle": (0.50, "hm_mm"), "posterior": (0.85, "hp_mm")}


def compared(folder: Path) -> pd.DataFrame:
    """Return one row per vertebra: our heights, those at the report's places, and the report's."""
    report = folder / "spine_report"
    told = json.loads((report / "spine_report.json").read_text("utf-8"))["results"]
    masks = report / "totalseg.nii.gz", report / "totalseg_vertebrae_body.nii.gz"
    scheme = load_scheme("totalsegmentator")
    cases, _ = examine_scan(Scan("ct", "ct", "CT", folder / "example_ct.nii.gz", masks[0], scheme, masks[1]))
    spine = prepare_spine(load_sign_scan(cases), "CT")
    values = measure_spine(spine).values.set_index("level")
    rows = []
    for vertebra in spine.framed():
        signs, name = values.loc[vertebra.name], vertebra.name
        row: dict[str, object] = {"level": name}
        for place, (u, sign) in PLACES.items():
            row[f"{place}: sign"] = signs[sign]
            row[f"{place}: at {u:.2f}"] = np.interp(u, U, spine.outlines[vertebra.label].heights())
            row[f"{place}: report"] = told[f"vertebrae_{name}_height_{place}_mm"]
        for sign in ("ratio_mp", "loss_a", "loss_m", "loss_p", "genant_grade", "hu_tb"):
            row[sign] = signs[sign]
        row["report's median HU"] = told[f"vertebrae_{name}_intensity_median"]
        rows.append(row)
    return pd.DataFrame(rows).round(2)


if __name__ == "__main__":
    print(compared(Path(sys.argv[1]) / "ct_totalsegmentator").to_string(index=False))
