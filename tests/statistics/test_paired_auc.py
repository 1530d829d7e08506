from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from radiomics_vert.errors import AnalysisError, DatasetError
from radiomics_vert.roc import clustered_auc, clustered_auc_difference

GOLDEN = Path(__file__).parents[1] / "golden" / "paired_delong_proc.json"


def _clustered(seed: int, patients: int = 25):
    rng = np.random.default_rng(seed)
    groups = np.repeat(np.arange(patients), rng.integers(1, 5, patients))
    effect = rng.normal(size=patients)[groups]
    y = (rng.random(len(groups)) < 0.3 + 0.4 * (groups % 2)).astype(int)
    first = np.round(y + effect + rng.normal(size=len(y)), 1)
    second = np.round(0.5 * y + effect + rng.normal(size=len(y)), 1)
    return y, first, second, groups


def test_one_vertebra_per_patient_equals_paired_delong_of_proc():
    golden = json.loads(GOLDEN.read_text("utf-8"))
    y = golden["y"]
    found = clustered_auc_difference(y, golden["first"], golden["second"], np.arange(len(y)))
    assert found.estimate == pytest.approx(golden["auc_first"] - golden["auc_second"], abs=1e-14)
    assert found.standard_error**2 == pytest.approx(golden["variance"], rel=1e-12)
    assert found.statistic == pytest.approx(golden["z"], rel=1e-12)
    assert found.p_value == pytest.approx(golden["p_value"], rel=1e-12)
    half = 1.959963984540054 * found.standard_error
    assert (found.ci_low, found.ci_high) == pytest.approx((found.estimate - half, found.estimate + half))
    assert (found.n, found.n_subjects) == (60, 60)


def test_variance_is_the_sum_of_variances_minus_twice_obuchowskis_covariance():
    """Covariance by loops over patients, straight from the formula of the paper."""
    y, first, second, groups = _clustered(0)
    m, n = y.sum(), (1 - y).sum()
    parts = []
    for score in (first, second):
        wins = np.subtract.outer(score[y == 1], score[y == 0])
        psi = (wins > 0) + 0.5 * (wins == 0)
        v10 = {g: (psi.mean(axis=1)[groups[y == 1] == g] - psi.mean()).sum() for g in set(groups)}
        v01 = {g: (psi.mean(axis=0)[groups[y == 0] == g] - psi.mean()).sum() for g in set(groups)}
        parts.append((v10, v01))
    (a, b), (c, d) = parts
    positive, negative = len(set(groups[y == 1])), len(set(groups[y == 0]))
    every = len(set(groups))
    s10 = positive / ((positive - 1) * m) * sum(a[g] * c[g] for g in a)
    s01 = negative / ((negative - 1) * n) * sum(b[g] * d[g] for g in a)
    s11 = every / (every - 1) * sum(a[g] * d[g] + b[g] * c[g] for g in a)
    covariance = s10 / m + s01 / n + s11 / (m * n)
    alone = [clustered_auc(y, score, groups).standard_error ** 2 for score in (first, second)]
    found = clustered_auc_difference(y, first, second, groups)
    assert found.standard_error**2 == pytest.approx(sum(alone) - 2 * covariance, rel=1e-10)


def test_ignoring_the_patients_would_give_another_error():
    y, first, second, groups = _clustered(1)
    clustered = clustered_auc_difference(y, first, second, groups)
    naive = clustered_auc_difference(y, first, second, np.arange(len(y)))
    assert clustered.estimate == naive.estimate
    assert abs(clustered.standard_error / naive.standard_error - 1) > 0.05


def test_swapped_scores_change_the_sign_only():
    y, first, second, groups = _clustered(2)
    there = clustered_auc_difference(y, first, second, groups, confidence=0.8)
    back = clustered_auc_difference(y, second, first, groups, confidence=0.8)
    assert back.estimate == -there.estimate
    assert (back.ci_low, back.ci_high) == (-there.ci_high, -there.ci_low)
    assert back.p_value == there.p_value


def test_the_same_order_is_no_difference():
    y, first, _, groups = _clustered(3)
    found = clustered_auc_difference(y, first, 3 * first + 1, groups)
    assert (found.estimate, found.ci_low, found.ci_high, found.p_value) == (0.0, 0.0, 0.0, 1.0)


def test_a_difference_without_variation_claims_nothing():
    y = np.array([0, 0, 0, 1, 1, 1])
    found = clustered_auc_difference(y, y * 1.0, np.ones(6), np.arange(6))
    assert (found.estimate, found.standard_error) == (0.5, 0.0)
    assert np.isnan([found.ci_low, found.ci_high, found.p_value]).all()


def test_type_one_error_with_patients_of_several_vertebrae():
    """400 cohorts in which both scores are equally good: 5 % of the tests may reject."""
    rejected = 0
    for seed in range(400):
        rng = np.random.default_rng(seed)
        groups = np.repeat(np.arange(50), rng.integers(1, 5, 50))
        y = groups % 2
        scores = [0.8 * y + rng.normal(size=50)[groups] + rng.normal(size=len(y)) for _ in range(2)]
        rejected += clustered_auc_difference(y, *scores, groups).p_value < 0.05
    assert 0.03 <= rejected / 400 <= 0.08


def test_one_patient_in_a_class_is_refused():
    with pytest.raises(DatasetError, match="RV406"):
        clustered_auc_difference([1, 1, 0, 0], [1, 2, 3, 4], [4, 3, 2, 1], ["a", "a", "b", "c"])


@pytest.mark.parametrize("second", [[1.0, 2.0, 3.0], [1.0, 2.0, 3.0, np.nan]])
def test_scores_of_other_vertebrae_are_refused(second):
    with pytest.raises(AnalysisError, match="RV503"):
        clustered_auc_difference([1, 1, 0, 0], [1, 2, 3, 4], second, list("abcd"))
