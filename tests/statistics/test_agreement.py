"""Concordance, limits of agreement and repeatability against R, hand computation and simulated truth."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats
from test_icc import CLASSIC, GOLDEN, MADE

from radiomics_vert.statistics.agreement import bland_altman, concordance, repeatability


def test_concordance_of_two_raters_equals_lins():
    found = concordance(MADE[:, [0, 2], None])
    assert [float(part[0]) for part in found] == pytest.approx(GOLDEN["lin"]["CCC"], rel=1e-10)


def test_overall_concordance_is_the_weighted_mean_over_pairs():
    pairs = [(0, 1), (0, 2), (0, 3), (1, 2), (1, 3), (2, 3)]
    top = sum(2 * np.cov(CLASSIC[:, a], CLASSIC[:, b], ddof=0)[0, 1] for a, b in pairs)
    spread = CLASSIC.var(axis=0)
    centre = CLASSIC.mean(axis=0)
    bottom = sum(spread[a] + spread[b] + (centre[a] - centre[b]) ** 2 for a, b in pairs)
    found = concordance(CLASSIC[:, :, None])
    assert found.estimate[0] == pytest.approx(top / bottom)
    assert np.isnan([found.ci_low[0], found.ci_high[0]]).all()


def test_an_offset_lowers_concordance_though_the_correlation_is_one():
    x = np.array([1.0, 2.0, 3.0, 4.0])
    cube = np.stack([np.column_stack([x, x + 1]), np.column_stack([x, x])], axis=2)
    # variance 1.25 each, covariance 1.25, offset 1: 2.5 / 3.5
    assert concordance(cube).estimate.tolist() == pytest.approx([2.5 / 3.5, 1.0])
    assert concordance(cube).ci_low[1] == 1.0


def test_the_interval_of_concordance_covers():
    rng = np.random.default_rng(8)
    truth = rng.normal(size=(50, 1, 3000))
    values = truth + rng.normal(size=(50, 2, 3000)) * 0.5
    found = concordance(values)
    assert 0.93 < ((found.ci_low < 0.8) & (found.ci_high > 0.8)).mean() < 0.965


def test_bias_and_limits_by_hand():
    # Differences 1, 2, 3, 4, 5: mean 3, variance 2.5; the sixth target has one measurement only.
    first = np.array([10.0, 20, 30, 40, 50, 60])[:, None]
    second = first + np.array([1.0, 2, 3, 4, 5, np.nan])[:, None]
    found = bland_altman(first, second)
    sd, t = 2.5**0.5, stats.t.ppf(0.975, 4)
    z = stats.norm.ppf(0.975)
    around_limit = t * sd * (1 / 5 + z**2 / 8) ** 0.5
    expected = [5, 3, 3 - t * sd / 5**0.5, 3 + t * sd / 5**0.5]
    expected += [3 - z * sd, 3 - z * sd - around_limit, 3 - z * sd + around_limit]
    expected += [3 + z * sd, 3 + z * sd - around_limit, 3 + z * sd + around_limit]
    assert [float(part[0]) for part in found] == pytest.approx(expected)


def test_one_target_has_no_limits():
    found = bland_altman(np.array([[1.0], [np.nan]]), np.array([[2.0], [3.0]]))
    assert found.n[0] == 1
    assert np.isnan([float(part[0]) for part in found[1:]]).all()


def test_repeatability_by_hand():
    # Targets (9, 11), (19, 21), (30, 30): variances 2, 2, 0; within variance 4 / 3 with 3 degrees.
    values = np.array([[9.0, 11], [19, 21], [30, 30]])
    found = repeatability(np.stack([values, values - 25], axis=2))
    width = stats.norm.ppf(0.975) * 2**0.5
    assert found.within_sd == pytest.approx([(4 / 3) ** 0.5] * 2)
    assert found.coefficient[0] == pytest.approx(width * (4 / 3) ** 0.5)
    assert found.coefficient_low[0] == pytest.approx(width * (4 / stats.chi2.ppf(0.975, 3)) ** 0.5)
    assert found.coefficient_high[0] == pytest.approx(width * (4 / stats.chi2.ppf(0.025, 3)) ** 0.5)
    assert found.within_cv[0] == pytest.approx(((2 / 100 + 2 / 400) / 3) ** 0.5)
    # Means on both sides of zero: a coefficient of variation has no sense.
    assert np.isnan(found.within_cv[1])
