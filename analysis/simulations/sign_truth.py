"""Signs measured on synthetic patients, beside what their generator changed.

Writes `sign_truth.csv`. The classes differ in what `radiomics_vert/synthetic/effects.py` says; a sign that
measures one of these differences must separate the classes, one that measures something drawn alike in both
must not. Signs between the two (another sign of the same lesion moves them) are listed without a claim.

The first 80 patients are those of the demo, with the same CT and T1; the columns that begin with `demo_` are
theirs alone. STIR and T1 after contrast medium are not part of the demo: reading and measuring them would
lengthen it by half.

An interval of 95 % misses 0.5 once in twenty signs that nothing changed. That none of these separates is a
claim about all of them at once: `joint_low` and `joint_high` hold it together with 95 % (Bonferroni).
"""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pandas as pd

from radiomics_vert import SyntheticSpec, clustered_auc_screen, make_cohort, read_cohort
from radiomics_vert.signs import measure_signs, registry, sign_column
from radiomics_vert.storage import write_table

TABLE = Path(__file__).with_name("sign_truth.csv")
SEQUENCES = ("CT", "T1", "STIR", "T1_CONTRAST")
CLAIM = ["generator", "direction", "what"]
SPEC = SyntheticSpec(patients=160, sequences=SEQUENCES)
DEMO = SyntheticSpec()
NEIGHBOURS = ("gst_vert", "grad_ratio")
"""Measured on unfractured vertebrae, class of the patient: in a fractured body lines and impaction lie across
the trabeculae and outweigh them."""

# By sign: is a high value metastatic (1) or osteoporotic (-1), and what the generator draws differently.
CHANGED: Mapping[str, tuple[int, str]] = {
    "type_crush": (1, "crush 0.45 against 0.05"),
    "lat_angle": (1, "lateral_angle 7.0 against 3.1 degrees"),
    "ep_angularity": (1, "angled 0.45 against 0.13"),
    "pw_bulge_mm": (1, "convex_wall 0.70 against 0.06"),
    "pw_mean_mm": (1, "convex_wall"),
    "pw_bulge_raw_mm": (1, "convex_wall"),
    "pw_angularity": (-1, "convex_wall, retropulsion 0.02 against 0.16"),
    "lytic_frac": (1, "lesion 0.88 against 0.05"),
    "lytic_largest_ml": (1, "lesion"),
    "gas_ml": (-1, "gas 0.01 against 0.13"),
    "cort_destroyed_frac": (1, "cortex 0.70 against 0.08"),
    "largest_defect_mm2": (1, "cortex"),
    "cort_area_ratio": (-1, "cortex"),
    "line_edge_width_mm": (1, "line_edge 2.5 to 4.0 against 0.5 to 1.2 mm"),
    "pedicle_min_ratio": (-1, "pedicle 0.80 against 0.06"),
    "pe_replaced_frac": (1, "arch 0.72 against 0.03"),
    "rim_max_mm": (1, "focal_mass 0.55 against 0.03"),
    "rim_lateral": (1, "focal_mass"),
    "rim_thin_circumferential": (-1, "thin_rim 0.10 against 0.40"),
    "necrosis_frac": (1, "necrosis in 0.60 of the masses against none"),
    "hu_tb_l1": (1, "density without and with 22 HU less at the same age"),
    "gst_vert": (-1, "striation, factor 1.2 without cancer"),
    "grad_ratio": (1, "striation"),
    "sins_imaging": (1, "lesion, pedicle and height loss together"),
    "t1_rep_frac": (1, "acute and t1_complete"),
    "t1_spared_frac": (-1, "acute and t1_complete"),
    "trom": (-1, "acute and t1_complete"),
    "t1_muscle": (-1, "acute and t1_complete"),
    "t1_disc": (-1, "acute and t1_complete"),
    "margin_width_mm": (1, "t1_margin 2 to 6 against 1 to 3 mm"),
    "band_score": (-1, "band 0.10 against 0.70"),
    "pedicle_trom_min": (-1, "pedicle"),
    "edema_frac": (1, "acute and t1_complete"),
    "stir_ratio": (-1, "stir_ratio 1.9 against 2.8"),
    "fluid_score": (-1, "fluid 0.06 against 0.40"),
    "takigawa_p": (1, "convex_wall, pedicle, arch and band together"),
}
# Drawn from the same distribution in both classes and touched by no other sign. Not the bimodality of the
# enhancement: gas and bands, which do not enhance, make its tails.
UNCHANGED: Mapping[str, str] = {
    "loss_max": "height losses are drawn alike",
    "genant_grade": "height losses are drawn alike",
    "flatness": "height losses are drawn alike",
    "pedicle_asym": "sides are drawn alike",
    "pedicle_trom_asym": "sides are drawn alike",
    **dict.fromkeys(("enh_rel", "enh_rcov", "enh_nonfrac", "enh_hifrac"), "enhancement is drawn alike"),
}
# What the cohort's masks, settings or sequences cannot show.
NOT_DRAWN: Mapping[str, str] = {
    "edema_cr": "no mask of the cord",
    **dict.fromkeys(("vbmd", "loss_vs_norm"), "the study sets no calibration and no norm"),
}


def measured(folder: Path, cache: Path | None = None) -> pd.DataFrame:
    """Return the signs of all vertebrae of a cohort."""
    cohort = read_cohort(folder / "images.csv", folder / "clinical.csv", region="body")
    return measure_signs(cohort, cache=cache, n_jobs=2).features.values


def classed(values: pd.DataFrame, truth: pd.DataFrame) -> pd.DataFrame:
    """Return the values with `metastatic`: of a fracture its diagnosis, of other vertebrae the patient's."""
    known = truth[["subject_id", "level", "fractured", "diagnosis", "cancer"]]
    merged = values.merge(known, on=["subject_id", "level"])
    own = (merged["diagnosis"] == "metastatic").to_numpy()
    return merged.assign(metastatic=np.where(merged["fractured"], own, merged["cancer"]).astype(int))


def shown(name: str, sequence: str) -> bool:
    """Tell whether a sign is judged on a sequence: what CT and T1 both show, on these alone."""
    own = registry()[name].sequences
    return sequence in own and (sequence in DEMO.sequences or not set(DEMO.sequences) <= set(own))


def screen(rows: pd.DataFrame, names: list[str]) -> pd.DataFrame:
    """Return clustered AUCs for metastatic: `n`, `auc` and limits of some signs, in their order."""
    sought = (
        rows["metastatic"].to_numpy(),
        rows[[sign_column(name) for name in names]],
        rows["subject_id"].to_numpy(),
    )
    found = clustered_auc_screen(*sought).rename(columns={"estimate": "auc"})
    wide = clustered_auc_screen(*sought, confidence=1 - 0.05 / claims())
    alike = np.array([name in UNCHANGED for name in names])
    found["joint_low"], found["joint_high"] = wide["ci_low"].where(alike), wide["ci_high"].where(alike)
    return found[["n", "auc", "ci_low", "ci_high", "joint_low", "joint_high"]].reset_index(drop=True)


def claims() -> int:
    """Return how many rows are claimed not to separate the classes."""
    return sum(shown(name, sequence) for name in UNCHANGED for sequence in SEQUENCES)


def separation(merged: pd.DataFrame, demo: set[str]) -> pd.DataFrame:
    """Return, for every sign and sequence, its clustered AUC for metastatic and what was expected."""
    parts = []
    for sequence in SEQUENCES:
        for unbroken in (False, True):
            part = merged[(merged["sequence"] == sequence) & (merged["fractured"] != unbroken)]
            names = [name for name in registry() if sign_column(name) in part and shown(name, sequence)]
            names = [name for name in names if not unbroken or name in NEIGHBOURS]
            if not names:
                continue
            about = pd.DataFrame([expected(name, unbroken) for name in names], columns=CLAIM)
            about.insert(0, "vertebrae", "unfractured" if unbroken else "fractured")
            about.insert(0, "sequence", sequence)
            about.insert(0, "sign", names)
            first = screen(part[part["subject_id"].isin(demo)], names).add_prefix("demo_")
            if sequence not in DEMO.sequences:
                first = first.assign(**dict.fromkeys(first.columns, np.nan)).assign(demo_n=0)
            parts.append(pd.concat([about, screen(part, names), first], axis=1))
    found = pd.concat(parts, ignore_index=True).round(3)
    return found[found["n"] > 0].reset_index(drop=True)


def expected(name: str, unbroken: bool) -> tuple[str, int, str]:
    """Return what is claimed of a sign: kind, direction, and what the generator draws."""
    if name in CHANGED and unbroken == (name in NEIGHBOURS):
        return "changed", *CHANGED[name]
    if name in UNCHANGED:
        return "unchanged", 0, UNCHANGED[name]
    return "moved along", 0, ""


def table(folder: Path, cache: Path | None = None, spec: SyntheticSpec = SPEC) -> pd.DataFrame:
    """Make the patients, measure them, and return the table."""
    if not (folder / "clinical.csv").is_file():
        make_cohort(folder, spec, n_jobs=2)
    truth = pd.read_csv(folder / "truth.csv", keep_default_na=False)
    demo = set(truth["subject_id"].unique()[: DEMO.patients])
    return separation(classed(measured(folder, cache), truth), demo)


def recovered(found: pd.DataFrame, prefix: str = "") -> pd.Series[bool]:
    """Tell, per row, whether the interval leaves 0.5 out on the side that the generator set."""
    low, high = found[f"{prefix}ci_low"], found[f"{prefix}ci_high"]
    return (found["direction"] > 0) & (low > 0.5) | (found["direction"] < 0) & (high < 0.5)


def covered(found: pd.DataFrame, prefix: str = "", kind: str = "ci") -> pd.Series[bool]:
    """Tell, per row, whether an interval holds 0.5: `ci` of the row alone, `joint` of all claims."""
    return (found[f"{prefix}{kind}_low"] <= 0.5) & (found[f"{prefix}{kind}_high"] >= 0.5)


if __name__ == "__main__":
    where = Path(sys.argv[1]) if len(sys.argv) > 1 else Path(tempfile.mkdtemp())
    write_table(table(where, where / ".cache"), TABLE)
