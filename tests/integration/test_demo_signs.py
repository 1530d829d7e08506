"""The signs of the synthetic cohort: the generator's truth is recovered, and nothing that is not there."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest
from scipy.stats import binom

from analysis.simulations import sign_truth
from radiomics_vert.signs import registry


def committed(module) -> pd.DataFrame:
    return pd.read_csv(module.TABLE, keep_default_na=True)


@pytest.mark.parametrize("prefix", ["", "demo_"])
def test_committed_table_recovers_the_truth(prefix: str):
    """Of all patients, and of the demo's."""
    found = committed(sign_truth)
    found = found[found[f"{prefix}ci_low"].notna()]
    changed, unchanged = (found[found["generator"] == kind] for kind in ("changed", "unchanged"))
    assert len(changed) >= (43 if prefix else 47)
    assert len(unchanged) >= (8 if prefix else 12)
    held = sign_truth.recovered(changed, prefix)
    assert held.all(), changed[~held].to_string()
    none = sign_truth.covered(unchanged, prefix, "joint")
    assert none.all(), unchanged[~none].to_string()
    # One in twenty by chance: so many are still likely at one in a hundred.
    outside = ~sign_truth.covered(unchanged, prefix)
    assert outside.sum() <= binom.ppf(0.99, len(unchanged), 0.05), unchanged[outside].to_string()


def test_the_claims_are_of_signs_that_exist_and_the_effects_are_not_faint():
    found = committed(sign_truth)
    assert set(found["sign"]) <= set(registry())
    assert set(sign_truth.CHANGED) | set(sign_truth.UNCHANGED) <= set(found["sign"])
    assert not set(sign_truth.CHANGED) & set(sign_truth.UNCHANGED)
    assert sign_truth.claims() == (found["generator"] == "unchanged").sum()
    strongest = found[found["vertebrae"] == "fractured"].set_index(["sign", "sequence"])["auc"]
    assert strongest["pedicle_trom_min", "T1"] < 0.2
    # Angular fragments of the other class bulge as well: the shape tells more than the size.
    assert strongest["pw_bulge_mm", "CT"] > 0.6
    assert strongest["pw_angularity", "CT"] < 0.4


@pytest.mark.slow
def test_measuring_the_demo_again_gives_the_committed_table(tmp_path: Path):
    found = sign_truth.table(tmp_path / "cohort", spec=sign_truth.DEMO)
    keys = ["sign", "sequence", "vertebrae"]
    both = found.merge(committed(sign_truth), on=keys, suffixes=("", "_committed"))
    assert len(both) == len(found)
    assert (both["auc"] - both["demo_auc_committed"]).abs().max() < 0.02
    assert (both["n"] == both["demo_n_committed"]).all()


def test_signs_the_patients_cannot_show_are_named():
    shown = set(committed(sign_truth)["sign"])
    own = {name for name, sign in registry().items() if set(sign_truth.SEQUENCES) & set(sign.sequences)}
    assert own - shown == set(sign_truth.NOT_DRAWN)
