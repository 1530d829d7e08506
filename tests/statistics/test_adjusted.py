"""`adjust`: the promised tables, covariates, and features that no model can bear."""

from __future__ import annotations

import json
import time

import numpy as np
import pandas as pd
import pytest
from scipy.stats import t as student

from radiomics_vert.errors import AnalysisError, DatasetError
from radiomics_vert.results import Result
from radiomics_vert.statistics import adjust

GEE = [
    *("feature", "family", "correlation", "n", "n_subjects", "n_events", "contrast"),
    *("estimate", "ci_low", "ci_high", "log_odds", "standard_error", "statistic", "p_value"),
    *("p_adjusted", "p_adjusted_family", "working_correlation", "covariates", "method", "note"),
]
NUMBERS = ["estimate", "ci_low", "ci_high", "log_odds", "standard_error", "statistic", "p_value"]


@pytest.fixture(scope="module")
def parts():
    """80 patients with classes that mix within them; age and sex confound one feature."""
    rng = np.random.default_rng(11)
    groups = np.repeat(np.arange(80), rng.integers(1, 5, 80))
    n = len(groups)
    age = rng.normal(70, 9, 80)[groups]
    y = (1.5 * (age - 70) / 9 + rng.normal(size=80)[groups] + rng.logistic(size=n) > 0).astype(int)
    X = pd.DataFrame(
        {
            "original_glcm_True": 0.8 * y + rng.normal(size=80)[groups] + rng.normal(size=n),
            "original_glcm_Confounded": (age - 70) / 9 + 0.3 * rng.normal(size=n),
            "original_glcm_Noise": rng.normal(size=n),
            "sign_gas": np.where((y == 0) & (rng.random(n) < 0.1), 1.0, 0.0),
            "sign_common": (rng.random(n) < 0.3 + 0.3 * y).astype(float),
            "constant": 3.0,
            "separates": y + 0.1 * rng.normal(size=n),
            "is_age": 2 * age + 1,
            "per_patient": rng.normal(size=80)[groups],
            "infinite": np.where(np.arange(n) == 5, np.inf, rng.normal(size=n)),
            "nothing": np.nan,
        }
    )
    covariates = pd.DataFrame(
        {"age": age, "sex": np.array(["male", "female"])[rng.integers(0, 2, 80)][groups]}
    )
    return X, y, groups, covariates


@pytest.fixture(scope="module")
def dataset(make_dataset, parts):
    X, y, groups, covariates = parts
    return make_dataset(X, y, groups, covariates=covariates)


@pytest.fixture(scope="module")
def result(dataset):
    return adjust(dataset)


def row(result, feature, correlation="exchangeable"):
    table = result.frame("gee")
    return table[(table["feature"] == feature) & (table["correlation"] == correlation)].iloc[0]


def test_tables_are_as_promised_and_survive_the_disk(result, dataset, tmp_path):
    gee, mixed = result.frame(), result.frame("mixed")
    assert result.kind == "adjusted"
    assert list(gee.columns) == GEE
    assert gee["feature"].tolist() == 2 * list(dataset.X.columns)
    assert gee["correlation"].unique().tolist() == ["exchangeable", "independence"]
    assert mixed["feature"].tolist() == list(dataset.X.columns)
    result.save(tmp_path)
    loaded = Result.load(tmp_path, "adjusted").frame().fillna({"note": "", "covariates": ""})
    pd.testing.assert_frame_equal(loaded, gee, check_dtype=False, rtol=1e-12)
    json.dumps(dict(result.spec))


def test_true_and_confounded_features(result):
    assert row(result, "original_glcm_True")["p_adjusted"] < 0.01
    assert row(result, "original_glcm_True")["ci_low"] > 1.2
    assert row(result, "original_glcm_Confounded")["p_value"] > 0.05
    mixed = result.frame("mixed").set_index("feature")
    assert mixed.loc["original_glcm_True", "p_value"] < 0.001
    assert 0.2 < mixed.loc["original_glcm_True", "estimate"] < 0.9
    assert mixed.loc["original_glcm_Confounded", "p_value"] > 0.05


def test_confounded_feature_looks_strong_without_the_covariate(dataset):
    crude = adjust(dataset, features=["original_glcm_Confounded"], covariates=[])
    assert crude.frame()["p_value"].max() < 1e-4
    assert (crude.frame()["covariates"] == "").all()


def test_limits_and_p_value_use_t_with_patients_minus_parameters(result):
    one = row(result, "original_glcm_Noise")
    assert one["covariates"] == "age, sex=male"
    half = student.ppf(0.975, 80 - 4) * one["standard_error"]
    assert np.log(one["ci_high"]) == pytest.approx(one["log_odds"] + half)
    assert np.log(one["ci_low"]) == pytest.approx(one["log_odds"] - half)
    assert one["p_value"] == pytest.approx(2 * student.sf(abs(one["statistic"]), 76))


def test_odds_ratio_is_per_standard_deviation_of_any_unit(dataset, make_dataset, parts):
    X, y, groups, covariates = parts
    other = make_dataset(1000 * X[["original_glcm_True"]] + 5, y, groups, covariates=covariates)
    a, b = (
        adjust(each, features=["original_glcm_True"]).frame()[NUMBERS].to_numpy() for each in (dataset, other)
    )
    np.testing.assert_allclose(a, b, rtol=1e-6)


def test_sparse_sign_gets_a_finite_firth_estimate(result):
    for correlation in ("exchangeable", "independence"):
        gas = row(result, "sign_gas", correlation)
        assert gas["method"].startswith("Firth")
        assert 0 < gas["ci_low"] < gas["estimate"] < 1
        assert gas["ci_high"] < 10
        assert "0 patients in the smallest cell" in gas["note"]
        assert gas["contrast"] == "higher against lower value"
    assert row(result, "sign_common")["method"].startswith("GEE")


def test_sign_estimate_without_covariates_is_the_table_with_half_a_case_added(make_dataset):
    sign = np.repeat([1, 1, 0, 0], [6, 0, 20, 25])
    y = np.repeat([1, 0, 1, 0], [6, 0, 20, 25])
    gee = adjust(make_dataset({"gas": sign}, y, np.arange(51))).frame()
    assert gee["estimate"].tolist() == pytest.approx(2 * [6.5 * 25.5 / (0.5 * 20.5)], rel=1e-5)


def test_clustered_sign_is_worth_fewer_vertebrae(make_dataset):
    """Six gas-filled vertebrae of six patients, or of two patients: the latter say less."""
    y = np.repeat([1, 0], [30, 30])
    sign = np.where(np.arange(60) < 6, 1.0, 0.0)
    apart = np.arange(60)
    together = np.concatenate([[0, 0, 0, 1, 1, 1], np.arange(2, 56)])
    wide, narrow = (
        adjust(make_dataset({"gas": sign}, y, groups)).frame().iloc[0] for groups in (together, apart)
    )
    assert wide["p_value"] > 3 * narrow["p_value"]
    assert "design effect 2." in wide["note"]
    assert "design effect 1.00" in narrow["note"]


@pytest.mark.parametrize(
    ("feature", "reason"),
    [
        ("constant", "the feature is constant"),
        ("is_age", "the feature is a combination of the covariates"),
        ("infinite", "infinite values"),
        ("nothing", "no vertebra has the feature and all covariates"),
    ],
)
def test_what_cannot_be_estimated_says_why(result, feature, reason):
    for table in (result.frame("gee"), result.frame("mixed")):
        hits = table[table["feature"] == feature]
        assert hits["note"].str.contains(reason).all()
        assert hits["note"].str.startswith("not estimable").all()
        assert hits[["estimate", "ci_low", "ci_high", "p_value", "p_adjusted"]].isna().all(axis=None)


def test_nothing_infinite_or_immense_is_printed(result):
    odds = result.frame()[["estimate", "ci_low", "ci_high"]].to_numpy()
    known = odds[~np.isnan(odds)]
    assert ((known > 1e-6) & (known < 1e6)).all()
    separated = row(result, "separates")
    assert "separate the classes" in separated["note"]
    assert separated["method"].startswith("Firth")


def test_feature_of_one_value_per_patient_has_no_mixed_model(result):
    mixed = result.frame("mixed").set_index("feature").loc["per_patient"]
    assert mixed["note"] == "not estimable: the feature does not vary within patients"
    assert row(result, "per_patient")["p_value"] > 0


def test_missing_covariates_are_counted_and_left_out(make_dataset, parts):
    X, y, groups, covariates = parts
    holes = covariates.assign(
        age=covariates["age"].mask(np.arange(len(y)) < 7), scanner="A", sex2=covariates["sex"]
    )
    dataset = make_dataset(X[["original_glcm_Noise"]], y, groups, covariates=holes)
    result = adjust(dataset)
    one = row(result, "original_glcm_Noise")
    assert one["n"] == len(y) - 7
    assert one["n_events"] == y[7:].sum()
    assert one["covariates"] == "age, sex=male"
    assert "7 vertebrae without a covariate left out" in one["note"]
    assert "covariate scanner left out: one value only" in one["note"]
    assert "covariate sex2=male left out: a combination of the other covariates" in one["note"]
    assert result.spec["missing_covariates"] == {"age": 7, "sex": 0, "scanner": 0, "sex2": 0}
    alone = make_dataset(
        X[["original_glcm_Noise"]][7:], y[7:], groups[7:], covariates=covariates[7:].reset_index(drop=True)
    )
    np.testing.assert_allclose(
        one[NUMBERS].astype(float), row(adjust(alone), one["feature"])[NUMBERS].astype(float)
    )


def test_one_vertebra_per_patient_has_no_correlation(make_dataset):
    rng = np.random.default_rng(5)
    x, y = rng.normal(size=60), np.arange(60) % 2
    result = adjust(make_dataset({"x": x}, y, np.arange(60)))
    both = result.frame()
    assert both["estimate"].nunique() == 1
    assert np.isnan(both["working_correlation"][0])
    assert "one vertebra per patient" in both["note"][0]
    mixed = result.frame("mixed").iloc[0]
    difference = (x[y == 1].mean() - x[y == 0].mean()) / x.std(ddof=1)
    assert mixed["estimate"] == pytest.approx(difference)
    assert np.isnan(mixed["icc"])


def test_patients_of_one_class_each_are_sent_to_independence(make_dataset, simulate):
    y, X, groups = simulate(np.random.default_rng(6), 90, 3, 1.2)
    result = adjust(make_dataset(X, y, groups))
    assert result.spec["preferred_correlation"] == "independence"
    table = result.frame().set_index("correlation")
    assert (table.loc["independence", "ci_low"] > 1.2).all()
    exchangeable = table.loc["exchangeable"]
    # the estimate is drawn towards 1, or there is none
    drawn = exchangeable["estimate"].to_numpy() < 0.6 * table.loc["independence", "estimate"].to_numpy()
    assert (drawn | exchangeable["estimate"].isna().to_numpy()).all()
    assert exchangeable["note"].str.contains("independence|no solution").all()


def test_workers_and_repetition_do_not_change_a_digit(dataset, result):
    again = adjust(dataset, n_jobs=2)
    for name in ("gee", "mixed"):
        pd.testing.assert_frame_equal(again.frame(name), result.frame(name), check_exact=True)


def test_progress_is_told_per_feature(dataset):
    seen = []
    features = ["original_glcm_True", "constant"]
    adjust(dataset, features=features, progress=lambda *pair: seen.append(pair))
    assert seen == [(1, 2), (2, 2)]


def test_few_patients_are_named(make_dataset, parts):
    X, y, groups, covariates = parts
    few = groups < 22
    result = adjust(
        make_dataset(X[["original_glcm_Noise"]][few], y[few], groups[few], covariates=covariates[few])
    )
    assert "RV505" in row(result, "original_glcm_Noise", "independence")["note"]
    tiny = groups < 4
    result = adjust(
        make_dataset(X[["original_glcm_Noise"]][tiny], y[tiny], groups[tiny], covariates=covariates[tiny])
    )
    assert "4 patients are too few for 4 parameters" in row(result, "original_glcm_Noise")["note"]


def test_wrong_requests(dataset, make_dataset):
    with pytest.raises(AnalysisError, match="RV503"):
        adjust(dataset, correlation=("unstructured",))
    with pytest.raises(AnalysisError, match="RV503"):
        adjust(dataset, correlation=())
    with pytest.raises(DatasetError, match="RV103"):
        adjust(dataset, features=["volume"])
    with pytest.raises(DatasetError, match="RV103"):
        adjust(dataset, covariates=["weight"])
    with pytest.raises(DatasetError, match="RV406"):
        adjust(make_dataset({"x": [1.0, 2, 3]}, [1, 0, 0], list("abc")))


def test_a_hundred_features_take_seconds(make_dataset, simulate):
    y, X, groups = simulate(np.random.default_rng(8), 50, 15, 0.0)
    start = time.perf_counter()
    adjust(make_dataset(X, y, groups), correlation=("independence",))
    assert time.perf_counter() - start < 15 * 0.5  # measured: 0.02 s per feature on an idle core


@pytest.mark.slow
@pytest.mark.parametrize("mixed_within", [False, True])
def test_type_one_error_with_thirty_patients(make_dataset, simulate, mixed_within):
    """2 000 tests of noise at 5 %, two covariates; the plain sandwich rejects up to 6.2 %."""
    rng = np.random.default_rng(20260201)
    rejected = {"gee": [], "mixed": []}
    for _ in range(200):
        y, X, groups = simulate(rng, 30, 10, 0.0)
        if mixed_within:
            y = (rng.normal(size=30)[groups] + rng.normal(size=len(groups)) > 0).astype(int)
        covariates = pd.DataFrame({"age": rng.normal(size=30)[groups], "sex": rng.integers(0, 2, 30)[groups]})
        result = adjust(make_dataset(X, y, groups, covariates=covariates), correlation=("independence",))
        for name in rejected:
            rejected[name].append(result.frame(name)["p_value"].dropna() < 0.05)
    for shares in rejected.values():
        assert 0.025 <= np.concatenate(shares).mean() <= 0.06


@pytest.mark.parametrize(("mixed", "expected"), [(2, "independence"), (9, "exchangeable")])
def test_the_correlation_to_read_follows_how_most_patients_are_mixed(make_dataset, mixed, expected):
    rng = np.random.default_rng(3)
    patients = np.repeat(np.arange(12), 3)
    y = np.where(patients < mixed, np.tile([0, 1, 1], 12), patients % 2)
    result = adjust(make_dataset({"a": rng.normal(size=36)}, y, patients))
    assert result.spec["preferred_correlation"] == expected
