from __future__ import annotations

import numpy as np
import pytest
from sklearn.metrics import precision_recall_curve

from radiomics_vert.roc import patient_draws, precision_recall_band


def test_precision_by_hand():
    # Falling scores: 1 0 1 1 0 -> recall 1/3 (1/1), 2/3 (2/3), 1 (3/4).
    band = precision_recall_band(
        [1, 0, 1, 1, 0],
        [9, 8, 7, 6, 5],
        list("abcde"),
        seed=0,
        n_boot=5,
        grid=[0, 1 / 3, 0.34, 2 / 3, 0.9, 1],
    )
    assert band["precision"].tolist() == pytest.approx([1, 1, 2 / 3, 2 / 3, 3 / 4, 3 / 4])


def test_precision_equals_scikit_learn_at_its_own_recalls():
    rng = np.random.default_rng(1)
    y, scores = rng.integers(0, 2, 70), np.round(rng.random(70), 1)
    precision, recall, _ = precision_recall_curve(y, scores)
    # Of the points with one recall, the one of the highest threshold comes last.
    last = {value: share for value, share in zip(recall, precision, strict=True) if value > 0}
    grid = sorted(last)
    band = precision_recall_band(y, scores, np.arange(70), seed=0, n_boot=5, grid=grid)
    assert band["precision"].tolist() == pytest.approx([last[value] for value in grid])


def test_band_narrows_with_patients_not_with_copies():
    rng = np.random.default_rng(2)
    y = np.arange(40) % 2
    scores = y + rng.normal(size=40)
    one = precision_recall_band(y, scores, np.arange(40), seed=0, n_boot=300, grid=[0.5])
    copies = precision_recall_band(
        np.repeat(y, 4), np.repeat(scores, 4), np.repeat(np.arange(40), 4), seed=0, n_boot=300, grid=[0.5]
    )
    assert copies["precision"][0] == one["precision"][0]
    assert (copies["high"] - copies["low"])[0] == pytest.approx((one["high"] - one["low"])[0], abs=0.02)
    assert (one["low"] < one["precision"]).all()


def test_draws_keep_the_kinds_of_patient_when_asked():
    positive = np.array([True, False, True, True, False, False])
    patients = np.array([0, 0, 1, 2, 3, 4])
    kept = patient_draws(positive, patients, 200, np.random.default_rng(0))
    assert (kept[:, 0] == 1).all()
    assert (kept[:, 1:3].sum(axis=1) == 2).all()
    assert (kept[:, 3:].sum(axis=1) == 2).all()
    free = patient_draws(positive, patients, 200, np.random.default_rng(0), within_kinds=False)
    assert (free.sum(axis=1) == 5).all()
    assert free[:, 0].std() > 0.5
