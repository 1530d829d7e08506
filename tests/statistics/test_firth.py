"""Firth regression: 2x2 tables by hand, a sign that separates, weights, separation."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy.optimize import brentq, minimize_scalar
from scipy.special import log_expit
from scipy.stats import chi2

from radiomics_vert.statistics.firth import firth_logistic
from radiomics_vert.statistics.gee import separates

GOLDEN = Path(__file__).parents[1] / "golden"


def table_2x2(a, b, c, d):
    """Rows with the sign: a positive, b negative; without: c positive, d negative."""
    sign = np.repeat([1.0, 1.0, 0.0, 0.0], [a, b, c, d])
    y = np.repeat([1.0, 0.0, 1.0, 0.0], [a, b, c, d])
    return np.column_stack([np.ones(len(y)), sign]), y


def profile_limits(a, b, c, d):
    """Likelihood-ratio limits of the log odds ratio of a table of any (also broken) counts."""

    def likelihood(log_odds):
        def minus(base):
            with_sign = base + log_odds
            return -(
                a * log_expit(with_sign)
                + b * log_expit(-with_sign)
                + c * log_expit(base)
                + d * log_expit(-base)
            )

        return -minimize_scalar(minus, bounds=(-30, 30), method="bounded", options={"xatol": 1e-10}).fun

    best = np.log(a * d / (b * c))

    def excess(value):
        return 2 * (likelihood(best) - likelihood(value)) - 3.841458820694124

    return brentq(excess, best - 15, best), brentq(excess, best, best + 15)


@pytest.mark.parametrize("cells", [(4, 2, 3, 11), (5, 0, 20, 25), (0, 7, 9, 3), (6, 0, 0, 5)])
def test_2x2_table_is_the_one_with_half_a_case_added_to_each_cell(cells):
    fit = firth_logistic(*table_2x2(*cells), 1)
    a, b, c, d = (cell + 0.5 for cell in cells)
    assert fit.log_odds == pytest.approx(np.log(a * d / (b * c)), abs=1e-5)
    # The information of a column of n vertebrae is n p (1 - p), at p = (a + 1/2) / (n + 1).
    variance = (a + b) ** 2 / (a * b * (a + b - 1)) + (c + d) ** 2 / (c * d * (c + d - 1))
    assert fit.standard_error == pytest.approx(np.sqrt(variance), rel=1e-5)
    low, high = profile_limits(a, b, c, d)
    assert (fit.ci_low, fit.ci_high) == (pytest.approx(low, abs=1e-4), pytest.approx(high, abs=1e-4))
    assert (fit.p_value < 0.05) == (fit.ci_low > 0 or fit.ci_high < 0)


def test_a_sign_that_only_positive_vertebrae_show_agrees_with_brglm2():
    golden = json.loads((GOLDEN / "firth_brglm2.json").read_text())
    data = pd.DataFrame(golden["data"])
    design = np.column_stack([np.ones(len(data)), data["gas"], data["height"], data["signal"]])
    y = data["positive"].to_numpy()
    assert separates(design, y)
    for column in range(4):
        fit = firth_logistic(design, y, column)
        assert fit.log_odds == pytest.approx(golden["params"][column], abs=1e-6)
        assert fit.standard_error == pytest.approx(golden["errors"][column], rel=1e-6)
    fit = firth_logistic(design, y, 1)
    assert fit.ci_low == pytest.approx(golden["low"], abs=1e-5)
    assert fit.ci_high == pytest.approx(golden["high"], abs=1e-5)
    assert fit.statistic**2 == pytest.approx(golden["statistic"], abs=1e-6)
    assert fit.p_value == pytest.approx(chi2.sf(golden["statistic"], 1), rel=1e-5)


def test_whole_weights_repeat_rows():
    rng = np.random.default_rng(0)
    design = np.column_stack([np.ones(30), rng.normal(size=(30, 2))])
    y = (rng.random(30) < 0.4).astype(float)
    times = rng.integers(1, 4, 30)
    weighted = firth_logistic(design, y, 1, weights=times.astype(float))
    repeated = firth_logistic(np.repeat(design, times, axis=0), np.repeat(y, times), 1)
    np.testing.assert_allclose(weighted, repeated, atol=1e-6)


def test_confidence_level_moves_the_limits_only():
    design, y = table_2x2(5, 0, 20, 25)
    wide, narrow = (firth_logistic(design, y, 1, confidence=level) for level in (0.99, 0.8))
    assert wide.log_odds == narrow.log_odds
    assert wide.ci_low < narrow.ci_low < narrow.log_odds < narrow.ci_high < wide.ci_high


def test_a_feature_with_a_gap_between_the_classes_has_finite_limits():
    rng = np.random.default_rng(1)
    y = (np.arange(200) >= 90).astype(float)
    design = np.column_stack([np.ones(200), 2 * y + 0.2 * rng.normal(size=200), rng.normal(size=(200, 3))])
    fit = firth_logistic(design, y, 1)
    assert np.isfinite(fit).all()
    assert 0 < fit.ci_low < fit.log_odds < fit.ci_high


def test_limits_beyond_all_use_are_no_limits():
    x = np.arange(200.0) / 57.7  # about standardised; no gap at all between the classes
    fit = firth_logistic(np.column_stack([np.ones(200), x]), (x > 1.5).astype(float), 1)
    assert fit.log_odds > 30
    assert np.isnan(fit.ci_high)


@pytest.mark.parametrize(
    ("x", "y", "expected"),
    [
        ([1, 2, 3, 4], [0, 0, 1, 1], True),
        ([1, 2, 2, 4], [0, 0, 1, 1], True),  # in part: one tie
        ([1, 3, 2, 4], [0, 0, 1, 1], False),
        ([0, 0, 0, 1], [0, 1, 0, 1], True),  # an empty cell
        ([4, 3, 2, 1], [0, 0, 1, 1], True),
    ],
)
def test_separation_is_recognised(x, y, expected):
    assert separates(np.column_stack([np.ones(4), x]), np.array(y, dtype=float)) is expected


def test_separation_by_a_combination_of_columns():
    rng = np.random.default_rng(2)
    x = rng.normal(size=(60, 2))
    y = (x.sum(axis=1) > 0).astype(float)
    assert separates(np.column_stack([np.ones(60), x]), y)
    assert not separates(np.column_stack([np.ones(60), x[:, 0]]), y)
