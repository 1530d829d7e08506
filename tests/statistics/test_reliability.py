"""The reliability result: tables, notes, unit errors, and the nine software teams."""

from __future__ import annotations

import time
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from test_icc import CLASSIC, GOLDEN, MADE

from radiomics_vert.errors import AnalysisError, DatasetError, TableError
from radiomics_vert.feature_table import IDENTITY, FeatureTable
from radiomics_vert.statistics import reliability
from radiomics_vert.statistics.measurements import Measurements
from radiomics_vert.statistics.raters import compare_raters, median_of_others


def long_table(**features: np.ndarray) -> pd.DataFrame:
    """Rows of raters a, b, c, ... from arrays of targets x raters."""
    rows = [
        (f"v{t:02d}", f"p{t // 2}", "abcdefgh"[j], name, float(values[t, j]))
        for name, values in features.items()
        for t, j in np.ndindex(values.shape)
        if not np.isnan(values[t, j])
    ]
    return pd.DataFrame(rows, columns=["case_id", "subject_id", "rater", "feature", "value"])


def feature_table(rows: list[dict[str, object]]) -> FeatureTable:
    frame = pd.DataFrame([{**dict.fromkeys(IDENTITY, ""), "label": 20, **row} for row in rows])
    return FeatureTable(frame, pd.DataFrame(), pd.DataFrame(), len(frame))


def test_main_table_and_six_forms_agree_with_psych_whatever_the_order_of_rows():
    table = long_table(made=MADE, other=np.where(MADE > 9, np.nan, MADE))
    found = reliability(table, form="ICC(3,k)")
    row = found.frame().set_index("feature").loc["made"]
    assert row[["estimate", "ci_low", "ci_high"]].tolist() == pytest.approx(GOLDEN["made"]["ICC(3,k)"][:3])
    assert row[["form", "n_targets", "n_subjects", "n_measurements"]].tolist() == ["ICC(3,k)", 12, 6, 3]
    six = found.frame("icc").query("feature == 'made'").set_index("form")
    for form, expected in GOLDEN["made"].items():
        columns = ["estimate", "ci_low", "ci_high", "statistic", "p_value"]
        assert six.loc[form, columns].tolist() == pytest.approx(expected)
    turned = reliability(table.iloc[::-1], form="ICC(3,k)").frame().set_index("feature")
    assert turned.loc["made", "estimate"] == pytest.approx(row["estimate"])
    assert found.spec["clustered"] is True
    assert "too narrow" in found.spec["assumption"]


def test_categories_follow_the_lower_limit():
    rng = np.random.default_rng(0)
    truth = rng.normal(size=(60, 1))
    noise = rng.normal(size=(60, 2))
    table = long_table(**{f"s{s}": truth + s / 10 * noise for s in (1, 3, 5, 20)})
    found = reliability(table).frame().set_index("feature")
    assert found["category"].tolist() == ["excellent", "good", "moderate", "poor"]
    limits = found["ci_low"].tolist()
    assert limits[0] > 0.9 > limits[1] > 0.75 > limits[2] > 0.5 > limits[3]


def test_pairs_hold_the_data_of_the_bland_altman_plot():
    found = reliability(long_table(made=MADE, x=MADE + 1), pairs=["made"])
    pairs = found.frame("pairs")
    assert len(pairs) == 12 * 3
    assert set(pairs["feature"]) == {"made"}
    one = pairs.query("target == 'v03' and first == 'a' and second == 'c'").iloc[0]
    assert one["difference"] == pytest.approx(MADE[3, 2] - MADE[3, 0])
    assert one["mean"] == pytest.approx((MADE[3, 2] + MADE[3, 0]) / 2)
    row = found.frame().iloc[0]
    second, first = row["pair"].split(" - ")
    shown = pairs.query(f"first == '{first}' and second == '{second}'")["difference"]
    assert row["bias"] == pytest.approx(shown.mean())
    assert row["loa_high"] == pytest.approx(shown.mean() + 1.959964 * shown.std())
    with pytest.raises(AnalysisError, match="unheard_of"):
        reliability(long_table(made=MADE), pairs=["unheard_of"])


def test_the_widest_pair_is_the_one_with_the_outlying_rater():
    shifted = np.column_stack([MADE[:, 0], MADE[:, 0] + 0.1 * MADE[:, 1], MADE[:, 0] - 50])
    assert reliability(long_table(x=shifted)).frame()["pair"].iloc[0] == "c - b"


def test_every_reason_for_a_missing_number_is_said():
    constant = np.full_like(MADE, 4.0)
    alone = np.where(np.arange(3) == 1, MADE, np.nan)
    gaps = MADE.copy()
    gaps[[2, 5], 0] = np.nan
    sparse = MADE.copy()
    sparse[2:, 2] = np.nan
    table = long_table(made=MADE, constant=constant, alone=alone, gaps=gaps, sparse=sparse, upset=_upset())
    notes = reliability(table).frame().set_index("feature")["note"]
    assert notes["made"] == ""
    assert "nothing varies" in notes["constant"]
    assert "one rater only" in notes["alone"]
    assert notes["gaps"] == "2 of 12 targets left out: not measured by all"
    assert notes["sparse"] == "left out, too few values: c"
    assert notes["upset"].startswith("negative")
    found = reliability(table).frame().set_index("feature")
    assert found["n_measurements"].to_dict() | {"alone": 1, "sparse": 2} == found["n_measurements"].to_dict()
    assert found.index.tolist() == ["made", "constant", "alone", "gaps", "sparse", "upset"]


def _upset() -> np.ndarray:
    t, j = np.indices(MADE.shape)
    return np.where(j == t % 3, 9.0, 1.0) + 0.01 * t


def test_a_rater_in_other_units_is_exposed_and_a_scattered_one_is_not():
    rng = np.random.default_rng(2)
    volume = rng.uniform(2e4, 5e4, size=(30, 1)) * rng.uniform(0.97, 1.03, size=(30, 4))
    in_ml = volume * np.array([1, 1, 1e-3, 1])
    # Ten times as large in the median, but from five to twenty times: no change of units does that.
    tenfold = 10 ** np.linspace(0.7, 1.3, 30)[:, None]
    scattered = volume * np.where(np.arange(4) == 1, tenfold, 1)
    found = reliability(long_table(volume=in_ml, plain=volume, scattered=scattered))
    assert found.spec["unit_errors"] == [{"rater": "c", "feature": "volume", "power_of_ten": -3}]
    raters = found.frame("raters").set_index(["feature", "rater"])
    assert raters.loc[("volume", "c"), "note"].startswith("probable unit error: 1/1000 of")
    assert raters.loc[("volume", "c"), "median_ratio"] == pytest.approx(1e-3, rel=0.02)
    assert (raters.drop(index=("volume", "c"))["note"] == "").all()
    notes = found.frame().set_index("feature")["note"]
    assert notes["volume"] == "probable unit error: c (10^-3)"
    assert notes["plain"] == notes["scattered"] == ""


def test_with_two_raters_nobody_can_tell_who_errs():
    volume = np.linspace(1e4, 5e4, 9)[:, None] * np.array([1.0, 1e-3])
    raters = reliability(long_table(volume=volume)).frame("raters")
    assert raters["power_of_ten"].tolist() == [3, -3]
    assert raters["note"].str.endswith("it cannot be told whose").all()


def test_bias_of_a_rater_is_against_the_median_of_the_others():
    values = np.array([[1.0, 2, 4, 30], [5, np.nan, 8, 10], [1, np.nan, np.nan, np.nan]])[:, :, None]
    others = median_of_others(values)[:, :, 0]
    assert others[0].tolist() == [4, 4, 2, 2]
    assert others[1, [0, 2, 3]].tolist() == [9, 7.5, 6.5]
    assert np.isnan(others[1, 1])
    assert np.isnan(others[2]).all()
    targets = pd.DataFrame({"target": ["u", "v", "w"], "subject_id": "p"})
    table = compare_raters(Measurements(values, targets, tuple("abcd"), ("x",), ""))
    assert table["n_targets"].tolist() == [2, 1, 2, 2]
    assert table["median_bias"].tolist() == [-3.5, -2, 1.25, 15.75]


def test_a_feature_table_by_rater_by_session_and_by_perturbation():
    rows = [
        {
            "subject_id": f"p{t // 2}",
            "level": ("L1", "L2")[t % 2],
            "sequence": "CT",
            "x": CLASSIC[t, j],
            "y": t,
        }
        for t in range(6)
        for j in range(4)
    ]
    by_column = {"rater": [f"r{i % 4}" for i in range(24)], "session": [f"s{i % 4}" for i in range(24)]}
    for by, names in by_column.items():
        table = feature_table([{**row, by: name} for row, name in zip(rows, names, strict=True)])
        found = reliability(table, by=by).frame().set_index("feature")
        assert found.loc["x", "estimate"] == pytest.approx(GOLDEN["classic"]["ICC(2,1)"][0])
        assert found.loc["x", ["n_targets", "n_subjects"]].tolist() == [6, 3]
    # Two raters whose masks were perturbed twice: a target is a vertebra as one rater drew it.
    names = [f"r{i % 4 // 2}:{('original', 'grow1')[i % 2]}" for i in range(24)]
    table = feature_table([{**row, "rater": name} for row, name in zip(rows, names, strict=True)])
    found = reliability(table, by="perturbation")
    assert found.spec["raters"] == ["original", "grow1"]
    assert found.frame()["n_targets"].tolist() == [12, 12]


def test_sequences_stay_apart_and_name_their_features():
    rows = [
        {
            "subject_id": f"p{t}",
            "level": "L1",
            "sequence": sequence,
            "rater": f"r{j}",
            name: CLASSIC[t, j] + add,
        }
        for sequence, name, add in (("CT", "original_shape_X", 0), ("T1", "original_glcm_Y", 5))
        for t in range(6)
        for j in range(4)
    ]
    found = reliability(feature_table(rows))
    assert found.frame()["feature"].tolist() == ["CT__original_shape_X", "T1__original_glcm_Y"]
    assert found.frame()["estimate"].tolist() == pytest.approx([GOLDEN["classic"]["ICC(2,1)"][0]] * 2)
    families = found.frame("families")
    assert families[["family", "sequence", "n"]].to_numpy().tolist() == [
        ["shape", "CT", 1],
        ["original glcm", "T1", 1],
    ]
    assert families["share_reliable"].tolist() == [0.0, 0.0]


def test_the_bootstrap_interval_replaces_the_limits_of_the_main_table_only():
    table = long_table(made=MADE)
    plain, drawn = (reliability(table, interval=kind, n_bootstrap=200) for kind in ("F", "bootstrap"))
    assert drawn.frame()["estimate"].equals(plain.frame()["estimate"])
    assert not drawn.frame()["ci_low"].equals(plain.frame()["ci_low"])
    assert drawn.frame("icc").equals(plain.frame("icc"))
    assert drawn.spec["n_bootstrap"] == 200
    assert "resampled" in drawn.spec["assumption"]


def test_what_cannot_be_asked_is_refused_with_the_reason(tmp_path: Path):
    table = long_table(made=MADE)
    with pytest.raises(AnalysisError, match="observer"):
        reliability(table, by="observer")
    with pytest.raises(AnalysisError, match="RV503"):
        reliability(table, interval="t")
    with pytest.raises(AnalysisError, match=r"ICC\(9,1\)"):
        reliability(table, form="ICC(9,1)")
    with pytest.raises(AnalysisError, match="at least two different values of rater"):
        reliability(table[table["rater"] == "a"])
    with pytest.raises(TableError, match="no column session"):
        reliability(table, by="session")
    with pytest.raises(DatasetError, match="RV404"):
        reliability(table.assign(value=table["value"].astype(str)))
    with pytest.raises(DatasetError, match="v00, made by 'a'"):
        reliability(pd.concat([table, table.head(1)]))
    with pytest.raises(TableError, match="RV112"):
        reliability(table.head(0))


def test_a_saved_result_comes_back(tmp_path: Path):
    found = reliability(long_table(made=MADE, negative=_upset()), pairs=["made"])
    found.save(tmp_path)
    again = type(found).load(tmp_path, "reliability")
    pd.testing.assert_frame_equal(
        again.frame()[["feature", "estimate", "loa_low"]], found.frame()[["feature", "estimate", "loa_low"]]
    )
    assert list(again.tables) == ["features", "icc", "pairs", "families", "raters"]


@pytest.mark.data
def test_the_team_that_reports_volume_in_ml_is_exposed(real_data: Path):
    teams = pd.read_csv(real_data / "tables" / "ibsi1_ct_nine_teams.csv.gz")
    table = teams.rename(columns={"team": "rater", "id": "case_id", "tag": "feature"})
    started = time.monotonic()
    found = reliability(table)
    assert time.monotonic() - started < 10
    errors = {(row["feature"], row["rater"]): row["power_of_ten"] for row in found.spec["unit_errors"]}
    # Volume in ml, area in cm2 and their ratio, by one team; nothing else among 234 features.
    assert errors == {
        ("morph_volume", "cerr"): -3,
        ("morph_area_mesh", "cerr"): -2,
        ("morph_av", "cerr"): 1,
    }
    found_without = reliability(table[table["rater"] != "cerr"]).frame().set_index("feature")
    with_all = found.frame().set_index("feature")
    assert with_all.loc["morph_volume", "category"] == "moderate"
    assert found_without.loc["morph_volume", "category"] == "excellent"
    assert found_without.loc["morph_volume", "estimate"] == pytest.approx(0.989, abs=1e-3)
