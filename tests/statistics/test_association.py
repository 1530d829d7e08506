"""`associate`: the promised table, its numbers, and features that cannot be tested."""

from __future__ import annotations

import json
import time

import numpy as np
import pandas as pd
import pytest
from scipy.stats import norm, spearmanr

from radiomics_vert.errors import AnalysisError, DatasetError
from radiomics_vert.results import Result
from radiomics_vert.roc import clustered_auc
from radiomics_vert.statistics import associate
from radiomics_vert.statistics.features import benjamini_hochberg

COLUMNS = [
    "feature",
    "sequence",
    "filter",
    "feature_class",
    "family",
    "n",
    "n_positive",
    "n_negative",
    "n_subjects",
    "missing_positive",
    "missing_negative",
    "median_positive",
    "q1_positive",
    "q3_positive",
    "median_negative",
    "q1_negative",
    "q3_negative",
    "estimate",
    "ci_low",
    "ci_high",
    "statistic",
    "p_value",
    "p_adjusted",
    "p_adjusted_family",
    "hedges_g",
    "hedges_g_low",
    "hedges_g_high",
    "cliffs_delta",
    "cliffs_delta_low",
    "cliffs_delta_high",
    "direction",
    "volume_correlation",
    "icc",
    "icc_low",
    "note",
]
TESTS = ["estimate", "ci_low", "ci_high", "statistic", "p_value", "p_adjusted", "p_adjusted_family"]


@pytest.fixture
def study(make_dataset, simulate):
    """Two sequences with volumes, texture with and without signal, and untestable features."""
    y, X, groups = simulate(np.random.default_rng(3), 40, 8, 0.0)
    names = [
        "CT__original_shape_MeshVolume",
        "CT__original_shape_VoxelVolume",
        "CT__original_glcm_Contrast",
        "CT__wavelet-LLH_glcm_Contrast",
        "T1__original_shape_VoxelVolume",
        "T1__original_glcm_Contrast",
        "T2__original_glcm_Contrast",
        "age_of_fracture",
    ]
    frame = pd.DataFrame(X, columns=names)
    frame["CT__original_glcm_Contrast"] += 3 * y
    frame["CT__wavelet-LLH_glcm_Contrast"] -= 3 * y
    frame.loc[:4, "T1__original_glcm_Contrast"] = np.nan
    frame["constant"] = 7.5
    frame["nothing"] = np.nan
    frame["only_negative"] = np.where(y == 1, np.nan, X[:, 0])
    frame["one_positive_patient"] = np.where((y == 1) & (groups > 0), np.nan, X[:, 0])
    frame["infinite"] = np.where(np.arange(len(y)) == 3, np.inf, X[:, 0])
    frame["separates"] = y.astype(float)
    return make_dataset(frame, y, groups)


def test_one_row_per_feature_in_order_with_the_promised_columns(study):
    result = associate(study)
    table = result.frame()
    assert result.kind == "association"
    assert list(result.tables) == ["features", "families"]
    assert list(table) == COLUMNS
    assert table["feature"].tolist() == list(study.X)


def test_the_icc_stands_beside_the_features_that_were_measured_again(study):
    known = ["CT__original_glcm_Contrast", "constant", "age_of_fracture"]
    table = pd.DataFrame({"feature": known, "estimate": [0.9, np.nan, 0.4], "ci_low": [0.8, np.nan, 0.1]})
    found = associate(study, agreement=Result("reliability", {"features": table})).frame()
    rows = found.set_index("feature")[["icc", "icc_low"]]
    assert rows.loc["CT__original_glcm_Contrast"].tolist() == [0.9, 0.8]
    assert rows.loc["age_of_fracture"].tolist() == [0.4, 0.1]
    assert rows["icc"].notna().sum() == rows["icc_low"].notna().sum() == 2
    alone = associate(study).frame()
    assert alone[["icc", "icc_low"]].isna().all(axis=None)
    pd.testing.assert_frame_equal(
        alone.drop(columns=["icc", "icc_low"]), found.drop(columns=["icc", "icc_low"])
    )


def test_names_are_taken_apart(study):
    row = associate(study).frame().set_index("feature").loc["CT__wavelet-LLH_glcm_Contrast"]
    assert row[["sequence", "filter", "feature_class", "family"]].tolist() == [
        "CT",
        "wavelet-LLH",
        "glcm",
        "wavelet glcm",
    ]


def test_auc_columns_are_those_of_the_single_estimate(study):
    table = associate(study, confidence=0.9).frame().set_index("feature")
    name = "T1__original_glcm_Contrast"
    keep = study.X[name].notna()
    auc = clustered_auc(study.y[keep], study.X.loc[keep, name], study.groups[keep], confidence=0.9)
    row = table.loc[name]
    assert row[["estimate", "ci_low", "ci_high", "statistic", "p_value"]].tolist() == pytest.approx(
        [auc.estimate, auc.ci_low, auc.ci_high, auc.statistic, auc.p_value], rel=1e-12
    )
    assert row[["cliffs_delta", "cliffs_delta_low", "cliffs_delta_high"]].tolist() == pytest.approx(
        [2 * auc.estimate - 1, 2 * auc.ci_low - 1, 2 * auc.ci_high - 1], rel=1e-12
    )
    assert (row["n_positive"], row["n_negative"]) == (auc.n_positive, auc.n_negative)
    assert row["n_subjects"] == auc.n_subjects
    # The first five vertebrae, which lack the value, are positive (patients in order of diagnosis).
    assert (row["missing_positive"], row["missing_negative"]) == (5, 0)
    values = study.X.loc[keep & (study.y == 1), name]
    assert row[["q1_positive", "median_positive", "q3_positive"]].tolist() == pytest.approx(
        values.quantile([0.25, 0.5, 0.75]).tolist()
    )
    negatives = study.X.loc[study.y == 0, name]
    assert row["median_negative"] == pytest.approx(negatives.median())


def test_direction_names_the_positive_class(study):
    direction = associate(study).frame().set_index("feature")["direction"]
    assert direction["CT__original_glcm_Contrast"] == "higher in metastatic"
    assert direction["CT__wavelet-LLH_glcm_Contrast"] == "lower in metastatic"
    assert direction["constant"] == ""


def test_effect_sizes_point_the_same_way_and_hold_the_truth(study):
    row = associate(study).frame().set_index("feature").loc["CT__original_glcm_Contrast"]
    assert row["hedges_g_low"] < 3.0 < row["hedges_g_high"]
    assert row["ci_low"] < norm.cdf(3 / np.sqrt(2)) < row["ci_high"]


def test_volume_correlation_uses_the_volume_of_the_same_sequence(study):
    correlation = associate(study).frame().set_index("feature")["volume_correlation"]
    X = study.X
    ct = spearmanr(X["CT__original_glcm_Contrast"], X["CT__original_shape_MeshVolume"]).statistic
    assert correlation["CT__original_glcm_Contrast"] == pytest.approx(ct, rel=1e-12)
    pair = X[["T1__original_glcm_Contrast", "T1__original_shape_VoxelVolume"]].dropna()
    t1 = spearmanr(pair.iloc[:, 0], pair.iloc[:, 1]).statistic
    assert correlation["T1__original_glcm_Contrast"] == pytest.approx(t1, rel=1e-12)
    assert correlation["CT__original_shape_MeshVolume"] == pytest.approx(1.0)
    assert np.isnan(correlation["T2__original_glcm_Contrast"])
    assert np.isnan(correlation["age_of_fracture"])


@pytest.mark.parametrize(
    ("feature", "note"),
    [
        ("constant", "RV503: constant: every vertebra has the same value"),
        ("nothing", "RV503: missing in all vertebrae"),
        ("only_negative", "RV503: missing in all metastatic vertebrae"),
        ("one_positive_patient", "RV503: only one metastatic patient has a value"),
        ("infinite", "RV503: holds infinite values"),
    ],
)
def test_a_feature_that_cannot_be_tested_stays_with_its_reason(study, feature, note):
    row = associate(study).frame().set_index("feature").loc[feature]
    assert row["note"] == note
    assert row[[*TESTS, "hedges_g", "hedges_g_low", "hedges_g_high", "cliffs_delta"]].isna().all()


def test_perfect_separation_is_tested_but_has_no_hedges_g(study):
    row = associate(study).frame().set_index("feature").loc["separates"]
    assert row["estimate"] == row["ci_high"] == 1.0
    assert row["ci_low"] == pytest.approx(0.025 ** (1 / 20), rel=1e-12)
    assert row["p_value"] == pytest.approx(2 * 0.5**20, rel=1e-12)
    assert np.isnan(row["hedges_g"])
    assert row["note"] == "Hedges g is undefined: no variation within the classes"


def test_benjamini_hochberg_by_hand():
    # Sorted 0.005, 0.01, 0.03, 0.04 times 4/1, 4/2, 4/3, 4/4 = 0.02, 0.02, 0.04, 0.04.
    p = pd.Series([0.01, np.nan, 0.04, 0.03, 0.005])
    expected = [0.02, np.nan, 0.04, 0.04, 0.02]
    assert benjamini_hochberg(p).tolist() == pytest.approx(expected, nan_ok=True)
    # 0.02 * 3 / 1, then the smaller of 0.5 * 3 / 2 and 0.51 * 3 / 3 from the right.
    assert benjamini_hochberg(pd.Series([0.5, 0.51, 0.02])).tolist() == pytest.approx([0.51, 0.51, 0.06])
    assert benjamini_hochberg(pd.Series([np.nan, np.nan])).isna().all()


def by_hand(p):
    """The definition: for each p, the least m p_(k) / k over the larger ones."""
    ordered = np.sort(p)
    steps = ordered * len(p) / np.arange(1, len(p) + 1)
    return [min(1.0, steps[np.searchsorted(ordered, value) :].min()) for value in p]


def test_adjustment_over_all_and_within_the_family(study):
    table = associate(study).frame().dropna(subset="p_value")
    assert table["p_adjusted"].tolist() == pytest.approx(by_hand(table["p_value"].to_numpy()))
    for _, family in table.groupby("family"):
        assert family["p_adjusted_family"].tolist() == pytest.approx(by_hand(family["p_value"].to_numpy()))
    assert (table["family"].value_counts() > 1).sum() >= 2


def test_families_are_summed_up(study):
    result = associate(study)
    families = result.frame("families").set_index("family")
    assert families.loc["shape", ["n_features", "n_tested"]].tolist() == [3, 3]
    assert families.loc["other", ["n_features", "n_tested"]].tolist() == [7, 2]
    assert families.loc["wavelet glcm", "best_feature"] == "CT__wavelet-LLH_glcm_Contrast"
    assert families.loc["wavelet glcm", "best_estimate"] < 0.1
    assert families["n_features"].sum() == study.X.shape[1]
    assert families["n_significant_05"].sum() == (result.frame()["p_adjusted"] < 0.05).sum() >= 3


@pytest.mark.parametrize(("patients", "count"), [(5, 0), (6, 1)])
def test_significance_is_counted_at_five_percent(make_dataset, patients, count):
    # Perfect separation of k against k patients has p = 2 / 2^k: 0.0625 for 5, 0.03125 for 6.
    y = np.repeat([0, 1], patients)
    result = associate(make_dataset({"f": y + np.linspace(0, 0.1, len(y))}, y, range(len(y))))
    assert result.frame("families")["n_significant_05"].item() == count


def test_best_of_a_family_may_be_lower_in_the_positive_class(make_dataset):
    y = np.array([0, 0, 0, 1, 1, 1])
    X = {"weak": [1, 2, 5, 3, 4, 6.0], "strong": [9, 8, 4, 5, 3, 2.0]}
    best = associate(make_dataset(X, y, range(6))).frame("families").iloc[0]
    assert (best["best_feature"], best["best_estimate"]) == ("strong", pytest.approx(1 / 9))


def test_a_family_without_a_testable_feature_has_no_best(make_dataset):
    result = associate(make_dataset({"a": [1.0, 1, 1, 1]}, [1, 1, 0, 0], "abcd"))
    row = result.frame("families").iloc[0]
    assert (row["n_tested"], row["best_feature"]) == (0, "")
    assert np.isnan(row["best_estimate"])


def test_result_says_how_it_was_made_and_survives_the_disk(study, tmp_path):
    result = associate(study, confidence=0.9)
    assert result.spec["confidence"] == 0.9
    assert result.spec["n_by_class"] == study.counts()
    assert result.spec["n_tested"] == 9
    assert "statsmodels" in result.provenance.reproducible["versions"]
    result.save(tmp_path)
    json.loads((tmp_path / "association.json").read_text("utf-8"))
    loaded = Result.load(tmp_path, "association").frame()
    assert loaded["p_adjusted"].tolist() == pytest.approx(result.frame()["p_adjusted"].tolist(), nan_ok=True)


def test_same_dataset_same_bytes(study, tmp_path):
    for name in ("one", "two"):
        associate(study).save(tmp_path / name)
    for file in sorted((tmp_path / "one").iterdir()):
        assert file.read_bytes() == (tmp_path / "two" / file.name).read_bytes()


@pytest.mark.parametrize(
    ("error", "code", "y", "groups"),
    [
        (DatasetError, "RV402", [1, 1, 1, 1], "abcd"),
        (DatasetError, "RV406", [1, 1, 0, 0], "aabc"),
    ],
)
def test_too_little_for_any_test_is_refused(make_dataset, error, code, y, groups):
    with pytest.raises(error) as caught:
        associate(make_dataset({"f": [1.0, 2, 3, 4]}, y, groups))
    assert caught.value.problems[0].code == code


def test_no_feature_is_refused(make_dataset):
    with pytest.raises(AnalysisError, match="without features"):
        associate(make_dataset(np.empty((4, 0)), [1, 1, 0, 0], "abcd"))


def test_2000_features_of_500_vertebrae_take_seconds(make_dataset):
    rng = np.random.default_rng(0)
    X = rng.normal(size=(500, 2000))
    X[rng.random(X.shape) < 0.02] = np.nan
    dataset = make_dataset(X, rng.integers(0, 2, 500), rng.integers(0, 230, 500))
    start = time.process_time()
    associate(dataset)
    assert time.process_time() - start < 4.0


@pytest.mark.data
def test_fractures_of_verse(real_data, make_dataset):
    source = pd.read_csv(real_data / "tables" / "dev_verse19_vertebra_table.csv")
    features = source[["vbmd_phantomless_mg_cc", "vbmd_phantom_mg_cc", "fe_force_kN"]]
    dataset = make_dataset(features, source["fracture"], source["patient_id"])
    table = associate(dataset).frame().set_index("feature")
    density = table.loc["vbmd_phantomless_mg_cc"]
    assert (density["n"], density["n_subjects"]) == (830, 93)
    pos, neg = (features.iloc[:, 0][source["fracture"] == value].to_numpy() for value in (1, 0))
    pairs = (pos[:, None] > neg).mean() + 0.5 * (pos[:, None] == neg).mean()
    assert density["estimate"] == pytest.approx(pairs, rel=1e-12)
    assert density["direction"] == "lower in metastatic"  # lower where fractured
    # Density hardly varies within a patient: vertebrae taken as independent would feign certainty.
    apart = clustered_auc(source["fracture"], features.iloc[:, 0], np.arange(830))
    assert density["ci_high"] - density["ci_low"] > 1.5 * (apart.ci_high - apart.ci_low)
    strength = table.loc["fe_force_kN"]
    assert (strength["missing_positive"], strength["missing_negative"]) == (186, 0)
