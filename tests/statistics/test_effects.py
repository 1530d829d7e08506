"""Effect sizes and descriptions against hand-worked numbers, scipy, and a jackknife over patients."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import spearmanr
from scipy.stats import t as student

from radiomics_vert.statistics.effects import hedges_g, quartiles, spearman


def test_hedges_g_of_three_against_three_by_hand():
    effect = hedges_g(np.array([[2.0, 4, 6, 1, 2, 3]]), np.array([1, 1, 1, 0, 0, 0]) == 1, np.arange(6))
    # s^2 = (8 + 2) / 4, d = 2 / s = 1.264911, J = 1 - 3 / 15 = 0.8. The contributions of the positives
    # are -0.477855, 0.112437, 0.365419, of the negatives 0.196764, 0.028109, -0.224873; the variance
    # of d is 3/2 of their squares, 0.696889; t of 4 degrees of freedom is 2.776445.
    assert effect.estimate.item() == pytest.approx(1.011929, abs=1e-6)
    half = 0.8 * np.sqrt(0.696889) * 2.776445
    assert effect.ci_low.item() == pytest.approx(1.011929 - half, abs=3e-6)
    assert effect.ci_high.item() == pytest.approx(1.011929 + half, abs=3e-6)


def test_interval_of_independent_normal_values_is_the_classical_one():
    rng = np.random.default_rng(0)
    y = np.arange(6000) < 2500
    effect = hedges_g(rng.normal(size=(1, 6000)) + 0.8 * y, y, np.arange(6000))
    half = 1.96 * np.sqrt(1 / 2500 + 1 / 3500 + 0.8**2 / 12000)
    assert effect.estimate.item() == pytest.approx(0.8, abs=2 * half)
    assert effect.ci_high.item() - effect.estimate.item() == pytest.approx(half, rel=0.03)


def cohens_d(values, positive):
    a, b = values[positive], values[~positive]
    pooled = (len(a) - 1) * a.var(ddof=1) + (len(b) - 1) * b.var(ddof=1)
    return (a.mean() - b.mean()) / np.sqrt(pooled / (len(values) - 2))


def test_interval_agrees_with_a_jackknife_over_patients():
    rng = np.random.default_rng(4)
    groups = np.repeat(np.arange(120), rng.integers(1, 5, 120))
    positive = rng.random(len(groups)) < 0.3 + 0.4 * (groups % 2)  # many patients with both classes
    values = rng.normal(size=120)[groups] + rng.normal(size=len(groups)) * (1 + positive) + positive
    left_out = [cohens_d(values[groups != i], positive[groups != i]) for i in range(120)]
    error = np.sqrt(119 / 120 * np.square(left_out - np.mean(left_out)).sum())
    effect = hedges_g(values[None], positive, groups)
    half = (effect.ci_high - effect.ci_low).item() / 2
    assert half == pytest.approx(student.ppf(0.975, 118) * error, rel=0.03)


def test_copies_within_patients_do_not_narrow_the_interval_and_features_stand_alone():
    rng = np.random.default_rng(5)
    groups = np.repeat(np.arange(30), 2)
    positive, rows = groups % 2 == 0, rng.normal(size=(3, 60))
    rows[1, :7] = np.nan
    once = hedges_g(rows, positive, groups)
    copies = hedges_g(np.repeat(rows, 50, axis=1), np.repeat(positive, 50), np.repeat(groups, 50))
    np.testing.assert_allclose(copies.ci_high - copies.ci_low, once.ci_high - once.ci_low, rtol=0.04)
    alone = hedges_g(rows[1:2, 7:], positive[7:], np.unique(groups[7:], return_inverse=True)[1])
    assert [part[1] for part in once] == pytest.approx([part[0] for part in alone], rel=1e-12)


def test_no_spread_within_the_classes_has_no_hedges_g():
    positive = np.array([1, 1, 0, 0]) == 1
    rounding = [0.1 + 0.2, 0.3, 0.1, 0.1]  # the first two differ in the last bit
    effect = hedges_g(np.array([[0.3, 0.3, 0.1, 0.1], rounding]), positive, np.arange(4))
    assert np.isnan(effect).all()


def test_quartiles_are_those_of_numpy():
    rng = np.random.default_rng(1)
    rows = rng.normal(size=(7, 40))
    rows[2, rng.random(40) < 0.4] = np.nan
    rows[3, 1:] = np.nan
    rows[4] = np.nan
    kept = [0, 1, 2, 3, 5, 6]
    expected = np.nanpercentile(rows[kept], [25, 50, 75], axis=1)
    np.testing.assert_allclose(quartiles(rows)[:, kept], expected, rtol=1e-14)
    assert np.isnan(quartiles(rows)[:, 4]).all()


def test_spearman_is_that_of_scipy_over_common_values():
    rng = np.random.default_rng(2)
    volume = np.round(rng.normal(size=50), 1)
    rows = np.round(volume + rng.normal(size=(5, 50)), 1)
    rows[1, :9], volume[45:], rows[4] = np.nan, np.nan, 3.0
    result = spearman(rows, volume)
    for row, found in zip(rows[:4], result[:4], strict=True):
        keep = ~np.isnan(row) & ~np.isnan(volume)
        assert found == pytest.approx(spearmanr(row[keep], volume[keep]).statistic, rel=1e-12)
    assert np.isnan(result[4])
