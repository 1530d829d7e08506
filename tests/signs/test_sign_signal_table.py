"""Signal signs against phantoms whose marrow is known: the table of true and measured values."""

from __future__ import annotations

import pandas as pd
import pytest
from signal_phantoms import CASES, GRIDS, SOME, TABLE, UNSEEN, table

from radiomics_vert.signs import registry

FAMILIES = ("replacement", "edema", "enhancement", "fat_water")


def test_thick_sagittal_slices_give_the_committed_rows():
    made = table(("sagittal 4 mm",))
    committed = pd.read_csv(TABLE)
    rows = committed[committed.grid == "sagittal 4 mm"].reset_index(drop=True)
    pd.testing.assert_frame_equal(made, rows, check_exact=False, atol=0.02, rtol=1e-3)


@pytest.mark.slow
def test_the_committed_table_is_what_the_code_gives():
    committed = pd.read_csv(TABLE)
    pd.testing.assert_frame_equal(table(), committed, check_exact=False, atol=0.02, rtol=1e-3)


def test_every_committed_error_is_within_its_stated_tolerance():
    committed = pd.read_csv(TABLE)
    outside = committed[~(committed.error.abs() <= committed.tolerance)]
    assert outside.empty, outside.to_string()
    claimed = sum(len(CASES[name].truth) for grid in GRIDS for name in SOME.get(grid, CASES))
    assert len(committed) == claimed - len(UNSEEN)


def test_every_sign_of_these_families_has_a_known_truth():
    committed = pd.read_csv(TABLE)
    named = {name for name, sign in registry().items() if sign.family in FAMILIES}
    assert set(committed.sign) == named
