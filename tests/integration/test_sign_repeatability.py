"""Repeatability of the signs under changes of the masks: every sign, and the registry says which are weak."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from analysis.simulations import sign_repeatability
from radiomics_vert.signs import registry

WEAK = 0.5


@pytest.fixture(scope="module")
def committed() -> pd.DataFrame:
    return pd.read_csv(sign_repeatability.TABLE).set_index("sign")


def test_every_sign_has_an_icc_with_its_interval_or_a_reason(committed: pd.DataFrame):
    assert list(committed.index) == list(registry())
    without = committed.index[committed[["icc", "ci_low", "ci_high"]].isna().any(axis=1)]
    assert set(without) == set(sign_repeatability.NOT_SHOWN)
    assert all(len(reason) > 20 for reason in sign_repeatability.NOT_SHOWN.values())
    found = committed.drop(index=without)
    assert (found["n"] >= sign_repeatability.LEAST_TARGETS).all()
    assert (found["icc"] <= 1).all()
    assert (found["ci_low"] <= found["icc"] + 1e-9).all()
    assert (found["icc"] <= found["ci_high"] + 1e-9).all()


def test_targets_are_what_a_sign_describes(committed: pd.DataFrame):
    for name, sign in registry().items():
        row = committed.loc[name]
        assert row["target"] == sign.scope
        assert row["sequence"] in sign.sequences
    scans = committed.loc[committed["target"] == "scan", "n"]
    assert scans.max() < committed.loc[committed["target"] == "vertebra", "n"].max()


def test_signs_that_patients_show_are_not_taken_from_columns(committed: pd.DataFrame):
    columns = committed[committed["drawn"] == "columns"]
    drawn = set(sign_repeatability.FINDINGS)
    beyond = {name for name, sign in registry().items() if not drawn & set(sign.sequences)}
    assert beyond <= set(columns.index)
    assert set(columns.index) - beyond <= set(sign_repeatability.NOT_DRAWN)


def test_volumes_and_losses_bear_another_outline(committed: pd.DataFrame):
    strong = ["gas_ml", "lytic_frac", "loss_max", "edema_frac", "hu_tb", "t1_rep_frac"]
    assert committed.loc[strong, "icc"].min() > 0.75


def test_the_registry_tells_which_signs_do_not_bear_another_outline(committed: pd.DataFrame):
    for name, sign in registry().items():
        caveat, value = " ".join(sign.caveat.split()), committed.loc[name, "icc"]
        if value < WEAK:
            assert f"ICC {max(value, 0):.2f} under changes of the mask" in caveat, (name, value)
        else:
            assert "under changes of the mask" not in caveat, (name, value)


def test_the_patients_are_chosen_by_their_truth_alone():
    for sequence, findings in sign_repeatability.FINDINGS.items():
        patients = sign_repeatability.chosen(sequence)
        counts = {name: sum(map(count, patients)) for name, count in findings.items()}
        assert min(counts.values()) >= sign_repeatability.WANTED[sequence], counts
        assert len(patients) < 25
        assert len({patient.index for patient in patients}) == len(patients)


def test_a_summary_counts_what_gets_lost():
    whole = np.arange(16.0).reshape(8, 2)
    whole[7, 1] = np.nan
    n, icc, low, high, change, lost = sign_repeatability._summary(whole)
    assert (n, change, lost) == (7, 1, 1 / 16)
    assert low < icc < high
    assert np.isnan(sign_repeatability._summary(np.ones((9, 3)))[1])
    assert np.isnan(sign_repeatability._summary(whole[:5])[1])


@pytest.mark.slow
def test_a_part_measured_again_gives_the_committed_rows(committed: pd.DataFrame, tmp_path: Path):
    found = sign_repeatability.table(tmp_path, patients=("STIR",), columns=("ADC",)).set_index("sign")
    drawn = (("patients", "STIR"), ("columns", "ADC"))
    again = [name for name in found.index if tuple(committed.loc[name, ["drawn", "sequence"]]) in drawn]
    assert {"edema_frac", "fluid_score", "adc_med", "adc_p10"} <= set(again)
    numbers = ["n", "icc", "ci_low", "ci_high", "change", "lost"]
    pd.testing.assert_frame_equal(
        found.loc[again, numbers], committed.loc[again, numbers], check_dtype=False, atol=0.02
    )
