"""All tables of true and measured values: each row can fail, and each sign has more than one truth."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest

from radiomics_vert.signs import registry

TABLES = sorted(Path(__file__).parent.glob("*_table.csv"))
# By table and sign: why some rows would also accept the value 0.
ACCEPTS_ZERO = {
    ("confirmation_table", "loss_max"): "an unfractured body, 6 % lower: to be taken for unfractured",
    (
        "confirmation_table",
        "pedicle_asym",
    ): "a third of one pedicle on slices of 3.3 mm, fixed before the run",
}
# By sign: why there is one truth only, or no truth but that of an intact vertebra.
ONE_TRUTH: dict[str, str] = {}
# By sign: why it is claimed on fewer than three grids, or on no slices of 3 mm and more.
FEW_GRIDS = {
    **dict.fromkeys(("gst_vert", "grad_ratio"), "absent above 1.5 mm, as a test holds: no trabeculae there"),
    "line_edge_width_mm": "absent where voxels across the line are too wide; claimed on slices of 2 mm",
}
ROUNDED = 0.0005


@pytest.fixture(scope="module")
def rows() -> pd.DataFrame:
    every = pd.concat([pd.read_csv(path).assign(table=path.stem) for path in TABLES], ignore_index=True)
    return every[every["withheld"].isna()]


def test_no_row_accepts_zero_for_a_finding(rows: pd.DataFrame):
    """A tolerance as large as the true value would pass a sign that measures nothing."""
    open_ = rows[(rows["true"] != 0) & (rows["tolerance"] >= rows["true"].abs())]
    told = [pair in ACCEPTS_ZERO for pair in zip(open_["table"], open_["sign"], strict=True)]
    assert all(told), open_[[not it for it in told]].to_string()


def test_every_sign_has_two_truths_of_which_one_is_a_finding(rows: pd.DataFrame):
    """Two true values apart from each other by more than the tolerance of at least one of their rows."""
    for name in registry():
        own = rows[rows["sign"] == name]
        apart = (own["true"].max() - own["true"].min()) > own["tolerance"].min() + ROUNDED
        assert apart or name in ONE_TRUTH, (name, sorted(own["true"].unique()))


def test_every_sign_is_claimed_on_three_grids_and_on_thick_slices(rows: pd.DataFrame):
    thick = rows["grid"].str.contains(r"\b[34](?:\.\d)? mm")
    for name in registry():
        own = rows["sign"] == name
        enough = rows.loc[own, "grid"].nunique() >= 3 and (own & thick).any()
        assert enough or name in FEW_GRIDS, (name, sorted(rows.loc[own, "grid"].unique()))


def test_reasons_are_given_for_signs_that_need_them(rows: pd.DataFrame):
    for reasons in (ACCEPTS_ZERO, ONE_TRUTH, FEW_GRIDS):
        assert all(len(reason) > 20 for reason in reasons.values())
    assert set(ONE_TRUTH) | set(FEW_GRIDS) <= set(registry())
    assert set(ACCEPTS_ZERO) <= set(zip(rows["table"], rows["sign"], strict=True))
