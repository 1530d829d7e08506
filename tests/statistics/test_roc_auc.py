"""Clustered AUC: against the papers' formulas written out, hand-worked cases, and invariances."""

from __future__ import annotations

import json
import time
from dataclasses import astuple
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy.special import expit, logit
from scipy.stats import binomtest, norm

from radiomics_vert.errors import AnalysisError, DatasetError
from radiomics_vert.roc import clustered_auc, clustered_auc_screen


def kernel(x, y):
    return 1.0 if x > y else 0.5 if x == y else 0.0


def delong(y, scores):
    """DeLong 1988: AUC and variance, every pair compared."""
    pos = [s for s, label in zip(scores, y, strict=True) if label == 1]
    neg = [s for s, label in zip(scores, y, strict=True) if label == 0]
    v10 = [np.mean([kernel(p, q) for q in neg]) for p in pos]
    v01 = [np.mean([kernel(p, q) for p in pos]) for q in neg]
    return np.mean(v10), np.var(v10, ddof=1) / len(pos) + np.var(v01, ddof=1) / len(neg)


def obuchowski(y, scores, groups):
    """Obuchowski 1997, term by term."""
    rows = list(zip(y, scores, groups, strict=True))
    pos = [s for label, s, _ in rows if label == 1]
    neg = [s for label, s, _ in rows if label == 0]
    M, N = len(pos), len(neg)
    A = sum(kernel(p, q) for p in pos for q in neg) / (M * N)
    s10 = s01 = s11 = 0.0
    i10 = i01 = 0
    patients = sorted(set(groups))
    for patient in patients:
        mine = [s for label, s, g in rows if g == patient and label == 1]
        others = [s for label, s, g in rows if g == patient and label == 0]
        i10 += bool(mine)
        i01 += bool(others)
        x = sum(sum(kernel(p, q) for q in neg) / N for p in mine) - len(mine) * A
        z = sum(sum(kernel(p, q) for p in pos) / M for q in others) - len(others) * A
        s10 += x * x
        s01 += z * z
        s11 += x * z
    patients_all = len(patients)
    s10 *= i10 / ((i10 - 1) * M)
    s01 *= i01 / ((i01 - 1) * N)
    s11 *= patients_all / (patients_all - 1)
    return A, s10 / M + s01 / N + 2 * s11 / (M * N)


def mixed_cohort(seed, n_patients=23, digits=1):
    """Patients with unequal numbers of vertebrae of both classes, and tied scores."""
    rng = np.random.default_rng(seed)
    groups = np.repeat(np.arange(n_patients), rng.integers(1, 6, n_patients))
    y = rng.integers(0, 2, len(groups))
    patient = rng.normal(size=n_patients)[groups]
    return y, np.round(patient + rng.normal(size=len(groups)) + 0.8 * y, digits), groups


def test_hand_worked_case_of_three_against_three():
    auc = clustered_auc([1, 1, 1, 0, 0, 0], [2, 4, 5, 0, 1, 3], list("abcdef"))
    # V10 = 2/3, 1, 1 and V01 = 1, 1, 2/3: each has variance 1/27, so var = 2 / 81.
    assert auc.estimate == pytest.approx(8 / 9, abs=1e-15)
    assert auc.standard_error == pytest.approx(np.sqrt(2 / 81), rel=1e-14)
    assert (auc.n_positive, auc.n_negative, auc.n_subjects) == (3, 3, 6)


@pytest.mark.parametrize("seed", range(5))
def test_one_vertebra_per_patient_is_delong(seed):
    y, scores, _ = mixed_cohort(seed)
    auc = clustered_auc(y, scores, np.arange(len(y)))
    estimate, variance = delong(y, scores)
    assert auc.estimate == pytest.approx(estimate, rel=1e-13)
    assert auc.standard_error == pytest.approx(np.sqrt(variance), rel=1e-12)


def test_one_vertebra_per_patient_is_delong_of_proc():
    golden = json.loads((Path(__file__).parents[1] / "golden" / "delong_proc.json").read_text("utf-8"))
    i = np.arange(1, 61)
    y = (i % 3 == 0).astype(int)
    auc = clustered_auc(y, (37 * i) % 61 + 15 * y, i)
    assert auc.estimate == pytest.approx(golden["auc"], rel=1e-13)
    assert auc.standard_error**2 == pytest.approx(golden["delong_variance"], rel=1e-13)


@pytest.mark.parametrize("seed", range(5))
def test_equals_the_formula_of_obuchowski(seed):
    y, scores, groups = mixed_cohort(seed)
    auc = clustered_auc(y, scores, groups)
    estimate, variance = obuchowski(y, scores, groups)
    assert auc.estimate == pytest.approx(estimate, rel=1e-13)
    assert auc.standard_error == pytest.approx(np.sqrt(variance), rel=1e-12)
    assert auc.standard_error != pytest.approx(np.sqrt(delong(y, scores)[1]), rel=0.01)


def test_interval_and_p_value_are_wald_on_the_logit_scale():
    y, scores, groups = mixed_cohort(3)
    auc = clustered_auc(y, scores, groups, confidence=0.9)
    a, variance = obuchowski(y, scores, groups)
    error = np.sqrt(variance) / (a * (1 - a))
    assert auc.ci_low == pytest.approx(expit(logit(a) - 1.6448536269514722 * error), rel=1e-12)
    assert auc.ci_high == pytest.approx(expit(logit(a) + 1.6448536269514722 * error), rel=1e-12)
    assert auc.statistic == pytest.approx(logit(a) / error, rel=1e-12)
    assert auc.p_value == pytest.approx(2 * norm.sf(abs(logit(a) / error)), rel=1e-10)


def test_standard_error_agrees_with_a_cluster_bootstrap():
    y, scores, groups = mixed_cohort(11, n_patients=80, digits=6)
    rng = np.random.default_rng(0)
    rows = [np.flatnonzero(groups == patient) for patient in range(80)]
    draws = []
    for _ in range(800):
        chosen = np.concatenate([rows[i] for i in rng.integers(0, 80, 80)])
        pos, neg = scores[chosen][y[chosen] == 1], scores[chosen][y[chosen] == 0]
        draws.append((pos[:, None] > neg).mean() + 0.5 * (pos[:, None] == neg).mean())
    assert clustered_auc(y, scores, groups).standard_error == pytest.approx(np.std(draws), rel=0.12)


def test_a_monotone_transform_changes_nothing():
    y, scores, groups = mixed_cohort(1)
    assert clustered_auc(y, scores, groups) == clustered_auc(y, np.exp(3 * scores) - 7, groups)


def test_swapping_the_classes_mirrors_the_result():
    y, scores, groups = mixed_cohort(2)
    auc, mirror = clustered_auc(y, scores, groups), clustered_auc(1 - y, scores, groups)
    assert mirror.estimate == pytest.approx(1 - auc.estimate, abs=1e-14)
    assert mirror.ci_low == pytest.approx(1 - auc.ci_high, abs=1e-13)
    assert mirror.statistic == pytest.approx(-auc.statistic, rel=1e-11)
    assert mirror.p_value == pytest.approx(auc.p_value, rel=1e-11)
    assert (mirror.n_positive, mirror.n_negative) == (auc.n_negative, auc.n_positive)


def test_order_of_rows_does_not_change_a_bit():
    y, scores, groups = mixed_cohort(4)
    order = np.random.default_rng(0).permutation(len(y))
    assert clustered_auc(y, scores, groups) == clustered_auc(y[order], scores[order], groups[order])


def test_copies_of_a_patients_vertebrae_bring_no_certainty():
    y, scores, groups = mixed_cohort(5)
    once = clustered_auc(y, scores, groups)
    thrice = clustered_auc(np.repeat(y, 3), np.repeat(scores, 3), np.repeat(groups, 3))
    assert astuple(thrice)[:6] == pytest.approx(astuple(once)[:6], rel=1e-12)
    assert thrice.n_positive == 3 * once.n_positive


@pytest.mark.parametrize("seed", range(40))
def test_p_below_alpha_exactly_when_the_interval_leaves_out_one_half(seed):
    y, scores, groups = mixed_cohort(100 + seed, n_patients=14)
    auc = clustered_auc(y, scores - 0.4 * y, groups)
    assert (auc.p_value < 0.05) == (not auc.ci_low <= 0.5 <= auc.ci_high)


def test_perfect_separation_has_the_exact_interval_of_its_patients():
    y = np.repeat([1, 0], 40)
    groups = np.repeat(np.arange(40), 2)  # 20 patients in each class, two vertebrae each
    auc = clustered_auc(y, y + np.linspace(0, 0.5, 80), groups)
    assert (auc.estimate, auc.ci_high, auc.standard_error) == (1.0, 1.0, 0.0)
    exact = binomtest(20, 20, 0.5)
    assert auc.ci_low == pytest.approx(exact.proportion_ci(0.95, "exact").low, rel=1e-12)
    assert auc.p_value == pytest.approx(exact.pvalue, rel=1e-12)
    assert auc.statistic == pytest.approx(norm.isf(exact.pvalue / 2), rel=1e-10)
    mirror = clustered_auc(1 - y, y + np.linspace(0, 0.5, 80), groups)
    assert (mirror.ci_low, mirror.estimate) == (0.0, 0.0)
    assert mirror.ci_high == pytest.approx(1 - auc.ci_low, rel=1e-12)
    assert mirror.statistic == pytest.approx(-auc.statistic, rel=1e-12)


def test_patients_with_both_classes_make_half_as_many_pairs():
    y, groups = np.tile([0, 1], 20), np.repeat(np.arange(20), 2)
    auc = clustered_auc(y, y.astype(float), groups)
    assert auc.ci_low == pytest.approx(0.025 ** (1 / 10), rel=1e-12)


def test_a_constant_score_says_nothing():
    y, groups = np.tile([0, 1], 20), np.arange(40)
    auc = clustered_auc(y, np.full(40, 3.7), groups)
    limits = binomtest(10, 20).proportion_ci(0.95, "exact")
    assert (auc.estimate, auc.p_value, auc.statistic, auc.standard_error) == (0.5, 1.0, 0.0, 0.0)
    assert (auc.ci_low, auc.ci_high) == pytest.approx((limits.low, limits.high), rel=1e-12)


def test_screen_equals_the_loop_with_missing_values_and_ties():
    y, scores, groups = mixed_cohort(6, n_patients=40)
    rng = np.random.default_rng(7)
    X = pd.DataFrame({f"f{i}": np.round(scores + rng.normal(size=len(y)) * i, i % 3) for i in range(30)})
    X = X.mask(rng.random(X.shape) < 0.15)
    X["perfect"], X["constant"] = y.astype(float), 1.0
    table = clustered_auc_screen(y, X, groups, confidence=0.9)
    assert table["feature"].tolist() == list(X)
    for _, row in table.iterrows():
        keep = X[row["feature"]].notna().to_numpy()
        alone = clustered_auc(y[keep], X.loc[keep, row["feature"]], groups[keep], confidence=0.9)
        estimate, variance = obuchowski(y[keep], X.loc[keep, row["feature"]], groups[keep])
        names = ["estimate", "ci_low", "ci_high", "standard_error", "statistic", "p_value"]
        assert astuple(alone)[:6] == pytest.approx(tuple(row[names]), rel=1e-12)
        assert astuple(alone)[6:] == (row["n_positive"], row["n_negative"], row["n_subjects"])
        assert (row["n"], row["estimate"]) == (keep.sum(), pytest.approx(estimate, rel=1e-13))
        assert row["standard_error"] == pytest.approx(np.sqrt(variance), rel=1e-11, abs=1e-12)
        assert row["subjects_positive"] == len(set(groups[keep & (y == 1)]))
        assert row["subjects_negative"] == len(set(groups[keep & (y == 0)]))


def test_screen_keeps_the_row_of_a_feature_that_one_class_lacks():
    y, groups = np.array([1, 1, 1, 0, 0, 0]), list("abcdef")
    X = np.array([[1, 2, 3, np.nan, np.nan, np.nan], [1, np.nan, np.nan, 2, 3, 4.0]]).T
    table = clustered_auc_screen(y, X, groups)
    assert table["n_negative"].tolist() == [0, 3]
    assert table["subjects_positive"].tolist() == [3, 1]
    assert table[["estimate", "ci_low", "ci_high", "p_value"]].isna().all(axis=None)


def test_screen_of_no_feature_is_an_empty_table():
    table = clustered_auc_screen([1, 0], np.empty((2, 0)), ["a", "b"])
    assert len(table) == 0
    assert list(table)[:3] == ["feature", "n", "n_positive"]


def test_screen_of_2000_features_takes_under_a_second():
    rng = np.random.default_rng(0)
    y, groups = rng.integers(0, 2, 500), rng.integers(0, 230, 500)
    X = rng.normal(size=(500, 2000))
    X[rng.random(X.shape) < 0.02] = np.nan
    start = time.process_time()
    clustered_auc_screen(y, X, groups)
    assert time.process_time() - start < 1.0


@pytest.mark.parametrize(
    ("positive", "negative", "expected"),
    [
        ((41, 16), (7, 8), 0.971),  # drop of the fat fraction, Bacher 2021, region 2
        ((43, 13), (13, 13), 0.949),  # the same, region 1
        ((35, 14), (18, 14), 0.805),  # fat fraction map
        ((23.99, 11.86), (3.48, 3.30), 0.952),  # proton density fat fraction, Schmeel
        ((7.0, 4.5), (3.1, 2.8), 0.769),  # lateral angle, Suzuki 2017
    ],
)
def test_binormal_auc_of_published_means_and_standard_deviations(positive, negative, expected):
    quantiles = norm.ppf((np.arange(2000) + 0.5) / 2000)
    scores = np.concatenate([mean + sd * quantiles for mean, sd in (positive, negative)])
    auc = clustered_auc(np.repeat([1, 0], 2000), scores, np.arange(4000))
    assert auc.estimate == pytest.approx(expected, abs=6e-4)


@pytest.mark.parametrize(
    ("error", "code", "y", "scores", "groups"),
    [
        (DatasetError, "RV402", [1, 1, 1, 1], [1, 2, 3, 4], "abcd"),
        (DatasetError, "RV401", [1, 2, 1, 2], [1, 2, 3, 4], "abcd"),
        (DatasetError, "RV405", [1, 0, 1, 0], [1, 2, 3, 4], ["a", None, "b", "c"]),
        (DatasetError, "RV406", [1, 0, 1, 0], [1, 2, 3, 4], "abac"),
        (AnalysisError, "RV503", [1, 0, 1, 0], [1, 2, 3, np.nan], "abcd"),
        (AnalysisError, "RV503", [1, 0, 1], [1, 2, 3, 4], "abcd"),
        (AnalysisError, "RV503", [1, 0, 1, 0], [1, 2, 3, 4], "abc"),
    ],
)
def test_unusable_input_is_refused_with_its_code(error, code, y, scores, groups):
    with pytest.raises(error) as caught:
        clustered_auc(y, scores, list(groups))
    (problem,) = caught.value.problems
    assert problem.code == code
    assert all((problem.expected, problem.found, problem.where, problem.remedy))


def test_a_flat_array_is_no_table_of_features():
    with pytest.raises(AnalysisError, match="shape \\(4,\\)"):
        clustered_auc_screen([1, 0, 1, 0], [1, 2, 3, 4], list("abcd"))
