from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from radiomics_vert.errors import SettingsError
from radiomics_vert.modeling.decision import Rate, at_prevalence, decision_curve, predictive_value
from radiomics_vert.results import Result

GOLDEN = Path(__file__).parents[1] / "golden" / "dcurves.json"


def test_net_benefit_equals_dcurves():
    golden = json.loads(GOLDEN.read_text("utf-8"))
    y, p, thresholds = (np.array(golden[name]) for name in ("y", "p", "thresholds"))
    ids = np.arange(len(y)).astype(object)
    found = decision_curve(y, p, ids, seed=0, n_boot=5, thresholds=thresholds)
    for column, name in (("net_benefit", "p"), ("all", "all"), ("none", "none")):
        np.testing.assert_allclose(found[column], golden["net_benefit"][name], rtol=0, atol=1e-14)


def test_net_benefit_by_hand():
    # At 0.25 one false alarm costs a third: 2 hits and 1 false alarm of 5 vertebrae.
    y, p = np.array([1, 1, 1, 0, 0]), np.array([0.9, 0.25, 0.1, 0.6, 0.2])
    ids = np.array(list("abcde"), dtype=object)
    row = decision_curve(y, p, ids, seed=0, n_boot=5, thresholds=np.array([0.25])).iloc[0]
    assert row["net_benefit"] == pytest.approx(2 / 5 - 1 / 5 / 3)
    assert row["all"] == pytest.approx(3 / 5 - 2 / 5 / 3)


def test_band_follows_the_binomial_spread_of_patients():
    # All are called positive at t = 0.5: the net benefit is 2 * prevalence - 1.
    y = np.arange(80) % 2
    ids = np.arange(80).astype(object)
    args = {"seed": 0, "n_boot": 4000, "thresholds": np.array([0.5])}
    row = decision_curve(y, np.full(80, 0.7), ids, **args).iloc[0]
    half = 2 * 1.96 * np.sqrt(0.25 / 80)
    assert (row["low"], row["high"]) == pytest.approx((-half, half), abs=0.03)
    copies = decision_curve(np.repeat(y, 3), np.full(240, 0.7), np.repeat(ids, 3), **args).iloc[0]
    assert (copies["low"], copies["high"]) == pytest.approx((row["low"], row["high"]), abs=1e-12)


def test_predictive_values_equal_mercaldos_formula():
    """Simple binomial errors: 90 of 100 positive and 160 of 200 negative right, prevalence 10 %."""
    z = 1.959963984540054
    limits = []
    for hits, n in ((90, 100), (160, 200)):
        share = hits / n
        half = z / np.sqrt(n * share * (1 - share))  # on the logit scale
        centre = np.log(share / (1 - share))
        limits.append(Rate(share, *(1 / (1 + np.exp(-(centre + side * half))) for side in (-1, 1))))
    found = predictive_value(*limits, 0.1)
    assert found.estimate == pytest.approx(0.09 / (0.09 + 0.18))
    # var(logit PPV) = (1 - se) / (n se) + sp / (n (1 - sp))
    half = z * np.sqrt(0.1 / (100 * 0.9) + 0.8 / (200 * 0.2))
    centre = np.log(found.estimate / (1 - found.estimate))
    expected = [1 / (1 + np.exp(-(centre + side * half))) for side in (-1, 1)]
    assert found[1:] == pytest.approx(expected)


def test_a_perfect_specificity_keeps_honest_limits():
    found = predictive_value(Rate(0.8, 0.6, 0.9), Rate(1.0, 0.85, 1.0), 0.2)
    assert (found.estimate, found.high) == (1.0, 1.0)
    assert found.low == pytest.approx(0.6 * 0.2 / (0.6 * 0.2 + 0.15 * 0.8))


def _validation() -> Result:
    metrics = pd.DataFrame(
        {
            "feature_set": "texture",
            "model": "elastic_net",
            "metric": ["auc", "sensitivity", "specificity"],
            "estimate": [0.9, 0.9, 0.8],
            "ci_low": [0.8, 0.8, 0.7],
            "ci_high": [0.95, 0.95, 0.87],
        }
    )
    run = {"feature_set": "texture", "model": {"name": "elastic_net"}, "validation": {"confidence": 0.95}}
    return Result("validation", {"metrics": metrics}, {"runs": [run]})


def test_predictive_values_are_added_for_each_prevalence():
    found = at_prevalence(_validation(), [0.1, 0.4])
    assert list(found.tables) == ["metrics", "predictive_values"]
    table = found.frame("predictive_values").set_index(["prevalence", "metric"])["estimate"]
    assert table.to_dict() == pytest.approx(
        {
            (0.1, "ppv"): 0.09 / 0.27,
            (0.1, "npv"): 0.72 / 0.73,
            (0.4, "ppv"): 0.36 / 0.48,
            (0.4, "npv"): 0.48 / 0.52,
        }
    )


def test_a_prevalence_in_percent_is_refused():
    with pytest.raises(SettingsError, match="RV602"):
        at_prevalence(_validation(), [0.1, 25])
