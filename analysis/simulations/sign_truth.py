"""Signs measured on the synthetic cohort, beside what its generator changed.

Writes `sign_truth.csv`. The classes differ in what `radiomics_vert/synthetic/effects.py` says; a sign that
measures one of these differences must separate the classes, one that measures something drawn alike in both
must not. Signs between the two (another sign of the same lesion moves them) are listed without a claim.
"""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path

import pandas as pd

from radiomics_vert import SyntheticSpec, clustered_auc_screen, make_cohort, read_cohort
from radiomics_vert.signs import measure_signs, registry, sign_column
from radiomics_vert.storage import write_table

TABLE = Path(__file__).with_name("sign_truth.csv")
SPEC = SyntheticSpec(patients=40)

# By sign: is a high value metastatic (1) or osteoporotic (-1), and what the generator draws differently.
CHANGED: Mapping[str, tuple[int, str]] = {
    "lat_angle": (1, "lateral_angle 7.0 against 3.1 degrees"),
    "pw_bulge_mm": (1, "convex_wall 0.70 against 0.06"),
    "pw_mean_mm": (1, "convex_wall"),
    "pw_bulge_raw_mm": (1, "convex_wall"),
    "lytic_frac": (1, "lesion 0.88 against 0.05"),
    "lytic_largest_ml": (1, "lesion"),
    "cort_destroyed_frac": (1, "cortex 0.70 against 0.08"),
    "largest_defect_mm2": (1, "cortex"),
    "pedicle_min_ratio": (-1, "pedicle 0.80 against 0.06"),
    "pe_replaced_frac": (1, "arch 0.72 against 0.03"),
    "sins_imaging": (1, "lesion, pedicle and height loss together"),
    "t1_rep_frac": (1, "acute and t1_complete"),
    "t1_spared_frac": (-1, "acute and t1_complete"),
    "trom": (-1, "acute and t1_complete"),
    "t1_muscle": (-1, "acute and t1_complete"),
    "t1_disc": (-1, "acute and t1_complete"),
    "pedicle_trom_min": (-1, "pedicle"),
    "takigawa_p": (1, "convex_wall, pedicle and arch together"),
}
# Drawn from the same distribution in both classes and touched by no sign of a lesion.
UNCHANGED: Mapping[str, str] = {
    "schmorl_depth": "nodes are drawn alike",
    "hu_tb_l1": "density of unfractured levels follows age and patient alone",
    "hu_cv_levels": "levels of a patient vary alike",
    "cv_levels": "shape of the row of levels",
}
# What the cohort's masks, settings or slices cannot show.
NOT_DRAWN: Mapping[str, str] = {
    **dict.fromkeys(
        ("rim_max_mm", "rim_coverage", "rim_lateral", "rim_thin_circumferential"),
        "soft tissue is drawn, but no mask of it is written",
    ),
    "necrosis_frac": "no mask of soft tissue, no image before contrast",
    "t1_muscle": "no mask of muscle",
    **dict.fromkeys(("gst_vert", "grad_ratio"), "slices of 1.8 mm and more"),
    "line_edge_width_mm": "no fracture line is drawn",
    **dict.fromkeys(("vbmd", "loss_vs_norm"), "the study sets no calibration and no norm"),
}
SEQUENCES = ("CT", "T1")


def measured(folder: Path, cache: Path | None = None) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return the signs of the fractured vertebrae of a cohort, and the reasons of absent ones."""
    cohort = read_cohort(folder / "images.csv", folder / "clinical.csv", region="body")
    table = measure_signs(cohort, cache=cache)
    return table.features.values, table.absences


def separation(values: pd.DataFrame, clinical: pd.DataFrame) -> pd.DataFrame:
    """Return, for every sign and sequence, its clustered AUC for metastatic and what was expected."""
    merged = values.merge(clinical[["subject_id", "level", "diagnosis"]], on=["subject_id", "level"])
    rows = []
    for sequence in SEQUENCES:
        own = merged[merged["sequence"] == sequence]
        names = [
            name for name in registry() if sign_column(name) in own and sequence in registry()[name].sequences
        ]
        found = clustered_auc_screen(
            (own["diagnosis"] == "metastatic").astype(int).to_numpy(),
            own[[sign_column(name) for name in names]],
            own["subject_id"].to_numpy(),
        )
        for name, row in zip(names, found.itertuples(), strict=True):
            direction, what = CHANGED.get(name, (0, UNCHANGED.get(name, "")))
            kind = "changed" if name in CHANGED else "unchanged" if name in UNCHANGED else "moved along"
            rows.append((name, sequence, kind, direction, what, row.n, row.estimate, row.ci_low, row.ci_high))
    columns = ["sign", "sequence", "generator", "direction", "what", "n", "auc", "ci_low", "ci_high"]
    return pd.DataFrame(rows, columns=columns).round(3)


def table(folder: Path, cache: Path | None = None) -> pd.DataFrame:
    """Make the cohort, measure it, and return the table."""
    if not (folder / "clinical.csv").is_file():
        make_cohort(folder, SPEC)
    return separation(measured(folder, cache)[0], pd.read_csv(folder / "clinical.csv"))


def recovered(found: pd.DataFrame) -> pd.Series[bool]:
    """Tell, per row, whether the interval leaves 0.5 out on the side that the generator set."""
    return (found["direction"] > 0) & (found["ci_low"] > 0.5) | (found["direction"] < 0) & (
        found["ci_high"] < 0.5
    )


if __name__ == "__main__":
    where = Path(sys.argv[1]) if len(sys.argv) > 1 else Path(tempfile.mkdtemp())
    write_table(table(where, where / ".cache"), TABLE)
