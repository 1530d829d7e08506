from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from scipy.special import expit
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import (
    average_precision_score,
    balanced_accuracy_score,
    brier_score_loss,
    f1_score,
    roc_auc_score,
)

from radiomics_vert.modeling.metrics import (
    Predictions,
    all_metrics,
    average_precision,
    calibration_bins,
    calibration_fit,
    patient_metrics,
)
from radiomics_vert.roc import clustered_auc


def _sample(seed: int, patients: int = 60, factor: float = 1.0, shift: float = 0.0) -> Predictions:
    """Outcomes drawn from known probabilities; the predictions distort their logit."""
    rng = np.random.default_rng(seed)
    groups = np.repeat(np.arange(patients), rng.integers(1, 4, patients))
    linear = rng.normal(size=len(groups))
    y = (rng.random(len(groups)) < expit(linear)).astype(int)
    p = expit(factor * linear + shift)
    ids = np.array([f"P{g:04d}" for g in groups], dtype=object)
    return Predictions(y, p, np.full(len(y), 0.5), ids)


def test_point_estimates_equal_scikit_learn():
    sample = _sample(0)
    found = all_metrics(sample)
    y, p = sample.y, sample.probability
    assert found["auc"].estimate == pytest.approx(roc_auc_score(y, p))
    assert found["pr_auc"].estimate == pytest.approx(average_precision_score(y, p))
    assert found["brier"].estimate == pytest.approx(brier_score_loss(y, p))
    share = y.mean()
    assert found["brier_scaled"].estimate == pytest.approx(1 - brier_score_loss(y, p) / (share * (1 - share)))
    assert found["f1"].estimate == pytest.approx(f1_score(y, sample.decision))
    assert found["balanced_accuracy"].estimate == pytest.approx(balanced_accuracy_score(y, sample.decision))
    table = pd.crosstab(y, sample.decision)
    assert found["sensitivity"].estimate == pytest.approx(table.loc[1, 1] / table.loc[1].sum())
    assert found["specificity"].estimate == pytest.approx(table.loc[0, 0] / table.loc[0].sum())
    assert found["ppv"].estimate == pytest.approx(table.loc[1, 1] / table[1].sum())
    assert found["npv"].estimate == pytest.approx(table.loc[0, 0] / table[0].sum())
    assert (found["ppv"].n, found["npv"].n) == (table[1].sum(), table[0].sum())
    assert found["sensitivity"].n == y.sum()


def test_auc_interval_is_the_clustered_one():
    sample = _sample(1)
    auc = clustered_auc(sample.y, sample.probability, sample.groups, confidence=0.9)
    found = all_metrics(sample, confidence=0.9)["auc"]
    assert (found.ci_low, found.ci_high) == (auc.ci_low, auc.ci_high)


def test_weighted_average_precision_equals_scikit_learn_with_ties():
    rng = np.random.default_rng(2)
    y, scores = rng.integers(0, 2, 80), np.round(rng.random(80), 1)
    weights = rng.integers(0, 3, 80).astype(float)
    assert average_precision(y, scores)(weights) == pytest.approx(
        average_precision_score(y, scores, sample_weight=weights)
    )


def test_calibration_slope_equals_an_unpenalised_logistic_regression():
    sample = _sample(3, factor=1.7, shift=0.4)
    linear = np.log(sample.probability / (1 - sample.probability))
    oracle = LogisticRegression(C=np.inf, tol=1e-10, max_iter=1000).fit(linear[:, None], sample.y)
    _, slope = calibration_fit(sample.y, sample.probability, np.ones(len(sample.y)))
    assert slope == pytest.approx(oracle.coef_[0, 0], abs=1e-5)


def test_known_miscalibration_is_recovered():
    too_extreme = _sample(4, patients=6000, factor=2.0)
    assert all_slopes(too_extreme) == pytest.approx((0.0, 0.5), abs=0.06)
    too_high = _sample(5, patients=6000, shift=1.0)
    assert all_slopes(too_high) == pytest.approx((-1.0, 1.0), abs=0.06)


def all_slopes(sample: Predictions) -> tuple[float, float]:
    return calibration_fit(sample.y, sample.probability, np.ones(len(sample.y)))


def test_intercept_makes_the_mean_prediction_right():
    sample = _sample(6, shift=0.8)
    intercept, _ = all_slopes(sample)
    linear = np.log(sample.probability / (1 - sample.probability))
    assert expit(linear + intercept).mean() == pytest.approx(sample.y.mean(), abs=1e-9)


def test_calibration_slope_is_missing_where_it_does_not_exist():
    y = np.array([0, 0, 1, 1])
    assert np.isnan(calibration_fit(y, np.full(4, 0.3), np.ones(4))[1])
    assert np.isnan(calibration_fit(y, np.array([0.1, 0.2, 0.8, 0.9]), np.ones(4))[1])


def test_jackknife_limits_of_the_brier_score_by_hand():
    # One vertebra per patient: the jackknife error of a mean is its standard error, s / sqrt(n).
    rng = np.random.default_rng(7)
    n = 40
    y, p = rng.integers(0, 2, n), rng.uniform(0.2, 0.8, n)
    ids = np.array([f"P{i}" for i in range(n)], dtype=object)
    found = all_metrics(Predictions(y, p, np.full(n, 0.5), ids))["brier"]
    loss = (p - y) ** 2
    b, se = loss.mean(), loss.std(ddof=1) / np.sqrt(n)
    centre, half = np.log(b / (1 - b)), 1.959963984540054 * se / (b * (1 - b))
    assert (found.ci_low, found.ci_high) == pytest.approx((expit(centre - half), expit(centre + half)))


def test_jackknife_interval_of_the_balanced_accuracy_agrees_with_a_cluster_bootstrap():
    sample = _sample(11, patients=150)
    found = all_metrics(sample)["balanced_accuracy"]
    rng = np.random.default_rng(0)
    rows = [np.flatnonzero(sample.groups == patient) for patient in np.unique(sample.groups)]
    draws = []
    for _ in range(400):
        drawn = np.concatenate([rows[i] for i in rng.integers(0, len(rows), len(rows))])
        draws.append(balanced_accuracy_score(sample.y[drawn], sample.decision[drawn]))
    assert (found.ci_low, found.ci_high) == pytest.approx(np.quantile(draws, [0.025, 0.975]), abs=0.015)


def test_copied_vertebrae_do_not_narrow_the_intervals():
    sample = _sample(8, patients=40)
    twice = Predictions(
        *(np.tile(part, 2) for part in (sample.y, sample.probability, sample.threshold, sample.groups))
    )
    one, two = all_metrics(sample), all_metrics(twice)
    for name in ("brier", "brier_scaled", "pr_auc", "calibration_slope", "sensitivity", "ppv", "f1"):
        assert two[name][:3] == pytest.approx(one[name][:3], abs=1e-8), name


def test_patient_level_auc_follows_the_stated_rule():
    y = np.array([1, 0, 1, 1, 0, 0, 0, 0])
    p = np.array([0.9, 0.1, 0.6, 0.6, 0.7, 0.1, 0.65, 0.5])
    ids = np.array(list("aabbccdd"), dtype=object)
    sample = Predictions(y, p, np.array([0.55] * 4 + [0.66] * 4), ids)
    # Highest: a 0.9, b 0.6 against c 0.7, d 0.65 -> 2 of 4. Mean: a 0.5, b 0.6 against 0.4, 0.575.
    highest, mean = patient_metrics(sample, "max"), patient_metrics(sample, "mean")
    assert highest["auc"].estimate == pytest.approx(0.5)
    assert mean["auc"].estimate == pytest.approx(0.75)
    assert highest["auc"].n == 4
    # Thresholds a, b 0.55, c, d 0.66: highest calls a, b, c; mean calls b.
    assert [highest[name].estimate for name in ("sensitivity", "specificity", "ppv")] == [1, 0.5, 2 / 3]
    assert [mean[name].estimate for name in ("sensitivity", "specificity", "npv")] == [0.5, 1, 2 / 3]
    assert mean["brier"].estimate == pytest.approx(np.mean([0.25, 0.16, 0.16, 0.575**2]))


def test_patient_level_auc_is_missing_when_all_patients_are_positive():
    sample = _sample(9)
    y = sample.y.copy()
    y[np.unique(sample.groups, return_index=True)[1]] = 1
    found = patient_metrics(Predictions(y, sample.probability, sample.threshold, sample.groups), "max")
    assert np.isnan(found["auc"].estimate)
    assert found["auc"].n == 60
    assert 0 < found["sensitivity"].estimate < 1


def test_no_positive_decision_leaves_the_predictive_value_empty():
    sample = _sample(10)
    found = all_metrics(Predictions(sample.y, sample.probability, np.full(len(sample.y), 2.0), sample.groups))
    assert np.isnan(found["ppv"].estimate)
    assert found["ppv"].n == 0
    assert found["npv"].estimate == pytest.approx(1 - sample.y.mean())


def test_calibration_bins_by_hand():
    n = 31
    p = np.linspace(0.1, 0.9, n)
    y = (np.arange(n) % 3 == 0).astype(int)
    ids = np.array([f"P{i // 2}" for i in range(n)], dtype=object)
    shuffled = np.random.default_rng(0).permutation(n)
    table = calibration_bins(y[shuffled], p[shuffled], ids[shuffled])
    assert table["n"].tolist() == [16, 15]
    assert table["observed"].tolist() == pytest.approx([y[:16].mean(), y[16:].mean()])
    assert table["predicted_mean"].tolist() == pytest.approx([p[:16].mean(), p[16:].mean()])
    assert (table["ci_low"] < table["observed"]).all()
    assert (table["observed"] < table["ci_high"]).all()
