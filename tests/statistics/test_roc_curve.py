"""ROC points, the band, and proportions: hand-worked cases, exact binomial limits, invariances."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from scipy.special import expit, logit
from scipy.stats import binomtest, norm

from radiomics_vert.errors import AnalysisError, DatasetError
from radiomics_vert.roc import (
    check_labels,
    clustered_auc,
    clustered_proportion,
    clustered_variance,
    roc_band,
    roc_points,
    sum_by_patient,
)

Y = np.array([1, 1, 0, 1, 0, 0, 1, 0])
SCORES = np.array([9.0, 7.0, 7.0, 6.0, 5.0, 5.0, 5.0, 1.0])


def test_points_of_a_small_curve_with_ties():
    expected = pd.DataFrame(
        {
            "threshold": [np.inf, 9.0, 7.0, 6.0, 5.0, 1.0],
            "fpr": [0.0, 0.0, 0.25, 0.25, 0.75, 1.0],
            "tpr": [0.0, 0.25, 0.5, 0.75, 1.0, 1.0],
        }
    )
    pd.testing.assert_frame_equal(roc_points(Y, SCORES), expected)


def test_area_between_the_points_is_the_auc():
    rng = np.random.default_rng(0)
    y = rng.integers(0, 2, 90)
    scores = np.round(rng.normal(size=90) + y, 1)
    points = roc_points(y, scores)
    area = np.trapezoid(points["tpr"], points["fpr"])
    assert area == pytest.approx(clustered_auc(y, scores, np.arange(90)).estimate, rel=1e-12)


def test_published_threshold_of_the_lateral_angle():
    quantiles = norm.ppf((np.arange(4000) + 0.5) / 4000)
    scores = np.concatenate([7.0 + 4.5 * quantiles, 3.1 + 2.8 * quantiles])
    points = roc_points(np.repeat([1, 0], 4000), scores)
    at_five = points[points["threshold"] >= 5].iloc[-1]
    assert at_five["tpr"] == pytest.approx(0.672, abs=5e-4)
    assert 1 - at_five["fpr"] == pytest.approx(0.751, abs=1e-3)


def test_points_refuse_one_class():
    with pytest.raises(DatasetError, match="RV402"):
        roc_points([1, 1], [0.2, 0.4])


def test_band_lies_on_the_empirical_curve():
    band = roc_band(Y, SCORES, list("abcdefgh"), seed=0, n_boot=20, grid=[0.0, 0.125, 0.25, 0.5, 0.75, 1.0])
    # Vertical parts give their top; sloped parts (ties) are straight.
    assert band["tpr"].tolist() == pytest.approx([0.25, 0.375, 0.75, 0.875, 1.0, 1.0])
    assert (band["tpr_low"] <= band["tpr"]).all()
    assert band["tpr_high"].iloc[-1] == band["tpr_low"].iloc[-1] == 1.0


def noisy(seed, n_patients):
    rng = np.random.default_rng(seed)
    groups = np.repeat(np.arange(n_patients), rng.integers(1, 4, n_patients))
    y = rng.integers(0, 2, len(groups))
    return y, rng.normal(size=len(groups)) + y, groups


def test_band_depends_on_the_seed_only():
    y, scores, groups = noisy(1, 40)
    first = roc_band(y, scores, groups, seed=5, n_boot=200)
    pd.testing.assert_frame_equal(first, roc_band(y, scores, groups, seed=5, n_boot=200))
    assert not first.equals(roc_band(y, scores, groups, seed=6, n_boot=200))
    assert first["fpr"].tolist() == pytest.approx([i / 100 for i in range(101)])


def test_band_draws_patients_with_all_their_vertebrae():
    y, scores, groups = noisy(2, 40)
    once = roc_band(y, scores, groups, seed=0, n_boot=300)
    copies = roc_band(*(np.repeat(part, 4) for part in (y, scores, groups)), seed=0, n_boot=300)
    np.testing.assert_allclose(copies, once, atol=1e-12)
    apart = roc_band(*(np.repeat(part, 4) for part in (y, scores)), np.arange(4 * len(y)), seed=0, n_boot=300)
    width = (once["tpr_high"] - once["tpr_low"]).mean()
    assert (apart["tpr_high"] - apart["tpr_low"]).mean() < 0.65 * width


def test_band_at_one_point_agrees_with_the_binomial_spread_of_the_cases():
    # All negatives score 0, so that only the drawing of the positives moves the sensitivity.
    y = np.repeat([1, 0], [200, 50])
    scores = np.concatenate([np.repeat([1.0, -1.0], [120, 80]), np.zeros(50)])
    band = roc_band(y, scores, np.arange(250), seed=3, n_boot=4000, grid=[0.0])
    half = 1.959964 * np.sqrt(0.6 * 0.4 / 200)
    assert band["tpr"].item() == 0.6
    assert band["tpr_low"].item() == pytest.approx(0.6 - half, abs=0.008)
    assert band["tpr_high"].item() == pytest.approx(0.6 + half, abs=0.008)


def test_every_draw_holds_both_classes():
    # Drawn at large, one in eight draws of these four patients would lack a class.
    band = roc_band([1, 1, 0, 0], [3.0, 1.0, 2.0, 0.0], list("abcd"), seed=0, n_boot=300)
    assert band.notna().all(axis=None)


def test_band_of_perfect_separation_is_not_empty():
    y = np.repeat([1, 0], 30)
    groups = np.repeat(np.arange(30), 2)  # 15 patients per class
    band = roc_band(y, y.astype(float), groups, seed=0, n_boot=50, grid=[0.0, 0.3, 1.0])
    exact = binomtest(15, 15).proportion_ci(0.95, "exact").low
    assert band["tpr_low"].tolist() == pytest.approx([exact, exact, 1.0])
    inverse = roc_band(1 - y, y.astype(float), groups, seed=0, n_boot=50, grid=[0.0])
    assert (inverse["tpr_low"].item(), inverse["tpr_high"].item()) == pytest.approx((0.0, 1 - exact))


@pytest.mark.parametrize(
    ("hits", "total", "share"),
    [(21, 52, 0.404), (33, 35, 0.943), (21, 29, 0.724)],  # 2x2 tables of Baur, and koreamed
)
def test_published_sensitivity_and_specificity(hits, total, share):
    estimate, low, high = clustered_proportion(np.arange(total) < hits, np.arange(total))
    p = hits / total
    error = np.sqrt(p * (1 - p) / (total - 1)) / (p * (1 - p))
    assert estimate == pytest.approx(share, abs=5e-4)
    assert low == pytest.approx(expit(logit(p) - 1.959963984540054 * error), rel=1e-12)
    assert high == pytest.approx(expit(logit(p) + 1.959963984540054 * error), rel=1e-12)


def test_a_proportion_of_one_has_the_exact_limit():
    estimate, low, high = clustered_proportion(np.ones(23), np.arange(23))  # 23 of 23
    exact = binomtest(23, 23).proportion_ci(0.95, "exact")
    assert (estimate, low, high) == pytest.approx((1.0, exact.low, 1.0), rel=1e-12)
    none = clustered_proportion(np.zeros(23), np.arange(23), 0.9)
    assert none.ci_low == 0.0
    assert none.ci_high == pytest.approx(binomtest(0, 23).proportion_ci(0.9, "exact").high, rel=1e-12)


def test_proportion_hand_worked_with_patients_of_unequal_size():
    # Patients a: 2 of 2, b: 1 of 3, c: 0 of 1. p = 1/2; s - p n = 1, -1/2, -1/2.
    result = clustered_proportion([1, 1, 1, 0, 0, 0], list("aabbbc"))
    error = np.sqrt(3 / 2 * 1.5 / 36)
    assert result.estimate == 0.5
    assert result.ci_low == pytest.approx(expit(-1.959963984540054 * error / 0.25), rel=1e-12)


def test_copies_within_patients_do_not_narrow_a_proportion():
    hits, groups = np.array([1, 0, 1, 1, 0, 1, 1]), np.array(list("aabcddd"))
    once = clustered_proportion(hits, groups)
    assert clustered_proportion(np.repeat(hits, 5), np.repeat(groups, 5)) == pytest.approx(once, rel=1e-12)


@pytest.mark.parametrize("n_patients", [1, 8])
def test_equal_shares_in_all_patients_fall_back_to_the_exact_limits(n_patients):
    hits, groups = np.tile([1, 0], n_patients), np.repeat(np.arange(n_patients), 2)
    estimate, low, high = clustered_proportion(hits, groups)
    assert estimate == 0.5
    assert low == pytest.approx(1 - high, abs=1e-12)
    assert 0 < low < 0.5
    if n_patients == 8:
        assert low == pytest.approx(binomtest(4, 8).proportion_ci(0.95, "exact").low, rel=1e-12)


def test_proportion_of_nothing_is_refused():
    with pytest.raises(AnalysisError, match="RV503"):
        clustered_proportion([], [])
    with pytest.raises(AnalysisError, match="RV503"):
        clustered_proportion([True, False], ["a"])


def test_sums_and_variance_of_patients_by_hand():
    _, patients = check_labels([1, 0, 1, 0], ["b", "a", "b", "c"], 4)
    assert patients.tolist() == [1, 0, 1, 2]
    assert sum_by_patient(np.array([[1, 10, 2, 100], [0, 0, 1, 5]]), patients).tolist() == [
        [10, 3, 100],
        [0, 1, 5],
    ]
    a, b = np.array([1.0, -1.0, 0.0]), np.array([2.0, 0.0, -2.0])
    # 2/1 * 2 for the two patients with positives, 2/1 * 8, and twice 3/2 * (1 * 2).
    assert clustered_variance(a, b, a != 0, b != 0) == pytest.approx(4 + 16 + 6)
    assert np.isnan(clustered_variance(a, b, np.array([True, False, False]), b != 0))
