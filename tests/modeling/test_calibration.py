from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from scipy.special import expit

from radiomics_vert.modeling.calibration import (
    calibrated,
    calibration_curve,
    integrated_calibration_index,
    lowess,
)
from radiomics_vert.modeling.metrics import calibration_fit

GOLDEN = Path(__file__).parents[1] / "golden" / "val_prob_rms.json"


@pytest.fixture(scope="module")
def golden():
    return {
        name: np.array(value) if isinstance(value, list) else value
        for name, value in json.loads(GOLDEN.read_text("utf-8")).items()
    }


def test_val_prob_of_rms(golden):
    y, p, known = golden["y"], golden["p"], golden["val_prob"]
    assert integrated_calibration_index(y, p) == pytest.approx(known["Eavg"], abs=1e-12)
    assert np.abs(p - calibrated(y, p)).max() == pytest.approx(known["Emax"], abs=1e-12)
    _, slope = calibration_fit(y, p, np.ones(len(y)))
    assert slope == pytest.approx(known["Slope"], abs=1e-5)
    assert np.mean((p - y) ** 2) == pytest.approx(known["Brier"], abs=1e-14)


def test_the_smoother_is_r_lowess_also_where_it_skips(golden):
    smooth = calibrated(golden["outcome"], golden["dense"])
    order = np.argsort(golden["dense"])
    np.testing.assert_allclose(golden["dense"][order], golden["lowess_x"])
    np.testing.assert_allclose(smooth[order], np.clip(golden["lowess_y"], 0, 1), atol=1e-12)


def test_the_smoother_by_hand():
    # 4 of 6 rows around x = 2: 1, 2, 3 and, as far as reach goes (distance 2), 0 with weight 0.
    x, y = np.arange(6.0), np.array([9.0, 1.0, 0.0, 2.0, 9.0, 9.0])
    side = (1 - 0.5**3) ** 3
    assert lowess(x, y, np.array([2.0]))[0] == pytest.approx(3 * side / (1 + 2 * side))


def test_equal_predictions_give_the_observed_share():
    y = np.array([1, 0, 0, 1, 1, 0, 0, 0])
    assert integrated_calibration_index(y, np.full(8, 0.5)) == pytest.approx(0.125)
    curve = calibration_curve(y, np.full(8, 0.5), np.arange(8).astype(object), seed=0, n_boot=20)
    assert curve["observed"].tolist() == pytest.approx([0.375])


def _cohort(seed: int, patients: int, shift: float = 0.0, factor: float = 1.0):
    rng = np.random.default_rng(seed)
    groups = np.repeat(np.arange(patients), rng.integers(1, 4, patients)).astype(object)
    linear = rng.normal(size=len(groups))
    y = (rng.random(len(groups)) < expit(linear)).astype(int)
    return y, expit(factor * linear + shift), groups


def test_known_miscalibration_is_measured():
    y, p, _ = _cohort(0, 4000)
    assert integrated_calibration_index(y, p) < 0.02
    y, p, _ = _cohort(0, 4000, shift=1.0)
    # The true distance is the mean of expit(x + 1) - expit(x) over the predictions.
    truth = np.mean(p - expit(np.log(p / (1 - p)) - 1))
    assert integrated_calibration_index(y, p) == pytest.approx(truth, abs=0.02)


def test_the_band_holds_the_diagonal_when_calibrated_and_leaves_it_when_not():
    y, p, groups = _cohort(1, 300)
    curve = calibration_curve(y, p, groups, seed=0, n_boot=200)
    inner = curve[curve["predicted"].between(0.2, 0.8)]
    assert (inner["low"] <= inner["observed"]).all()
    assert (inner["observed"] <= inner["high"]).all()
    assert inner["predicted"].between(inner["low"], inner["high"]).mean() > 0.8
    y, p, groups = _cohort(1, 300, shift=1.5)
    curve = calibration_curve(y, p, groups, seed=0, n_boot=200)
    inner = curve[curve["predicted"].between(0.4, 0.8)]
    assert (inner["high"] < inner["predicted"]).all()


def test_the_band_is_that_of_patients_not_of_copies():
    y, p, groups = _cohort(2, 40)
    one = calibration_curve(y, p, groups, seed=3, n_boot=100)
    # Four copies of every vertebra: the same points, and with the same draws nearly the same band.
    many = calibration_curve(*(np.repeat(part, 4) for part in (y, p, groups)), seed=3, n_boot=100)
    width = [(curve["high"] - curve["low"]).mean() for curve in (one, many)]
    assert width[1] == pytest.approx(width[0], rel=0.05)
