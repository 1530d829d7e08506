from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import numpy as np
import pytest
from scipy.special import expit
from sklearn.linear_model import LogisticRegression

from radiomics_vert.modeling import ModelSpec, ValidationSpec
from radiomics_vert.modeling.bootstrap import (
    Refit,
    draw_patients,
    instability_table,
    optimism,
    optimism_table,
    plus_632,
)

GOLDEN = Path(__file__).parents[1] / "golden" / "validate_rms.json"
SPEC = ModelSpec(grid={"k": (4,), "l1_ratio": (0.5,), "C": (0.2, 1.0)})
QUICK = ValidationSpec(inner_folds=3, repeats=1, n_boot=10)


def test_optimism_of_a_plain_logistic_model_equals_rms():
    """The same rows in every sample as R drew; unpenalised fits."""
    golden = json.loads(GOLDEN.read_text("utf-8"))
    X, y, rows = (np.array(golden[name]) for name in ("X", "y", "rows"))

    def predict(chosen):
        fitted = LogisticRegression(C=np.inf, tol=1e-12, solver="newton-cholesky").fit(X[chosen], y[chosen])
        return expit(X @ fitted.coef_[0] + fitted.intercept_[0])

    table = optimism_table(y, predict(np.arange(60)), [Refit(chosen, predict(chosen)) for chosen in rows])
    table = table.set_index("metric")
    for ours, theirs in (("auc", "Dxy"), ("calibration_slope", "Slope"), ("brier", "B")):
        place = golden["metric"].index(theirs)
        # Dxy = 2 AUC - 1
        scale, shift = (0.5, 0.5) if theirs == "Dxy" else (1.0, 0.0)
        assert table.loc[ours, "apparent"] == pytest.approx(
            scale * golden["apparent"][place] + shift, abs=1e-7
        )
        assert table.loc[ours, "optimism"] == pytest.approx(scale * golden["optimism"][place], abs=1e-6)
        assert table.loc[ours, "corrected"] == pytest.approx(
            scale * golden["corrected"][place] + shift, abs=1e-6
        )


def test_plus_632_by_hand():
    # R = (0.4 - 0.1) / (0.5 - 0.1) = 0.75; w = 0.632 / (1 - 0.276)
    estimate, weight = plus_632(0.1, 0.4, 0.5)
    assert weight == pytest.approx(0.632 / 0.724)
    assert estimate == pytest.approx(0.1 + 0.3 * weight)
    # The form of equation 32 of the paper: .632 estimate plus a correction.
    assert estimate == pytest.approx(
        0.368 * 0.1 + 0.632 * 0.4 + 0.3 * 0.368 * 0.632 * 0.75 / (1 - 0.368 * 0.75)
    )
    assert plus_632(0.2, 0.1, 0.5) == pytest.approx((0.368 * 0.2 + 0.632 * 0.1, 0.632))
    assert plus_632(0.1, 0.9, 0.5) == pytest.approx((0.5, 1.0))


def test_632_columns_by_hand():
    y = np.array([1, 1, 0, 0])
    original = np.array([0.8, 0.6, 0.4, 0.2])
    # Left out: rows 1 and 3 in the first sample, row 2 in the second.
    refits = [
        Refit(np.array([0, 0, 2, 2]), np.array([0.9, 0.3, 0.1, 0.5])),
        Refit(np.array([0, 1, 3, 3]), np.array([0.9, 0.9, 0.6, 0.1])),
    ]
    table = optimism_table(y, original, refits).set_index("metric")
    auc, brier = table.loc["auc"], table.loc["brier"]
    assert auc["out_of_bag"] == 0.0  # 0.3 for the positive, 0.5 for the negative; the other has one class
    assert auc["estimate_632_plus"] == pytest.approx(0.5)
    assert brier["out_of_bag"] == pytest.approx(np.mean([0.7**2, 0.5**2, 0.6**2]))
    every = [(a - b) ** 2 for a in y for b in original]
    assert brier["no_information"] == pytest.approx(np.mean(every))
    assert np.isnan(table.loc["calibration_slope", "estimate_632_plus"])


def test_instability_by_hand():
    refits = [Refit(np.arange(2), np.array([value, 0.5])) for value in (0.1, 0.2, 0.3, 0.4, 0.5)]
    table = instability_table(np.array([0.2, 0.5]), refits)
    assert table.loc[0, ["low", "median", "high"]].tolist() == pytest.approx([0.11, 0.3, 0.49])
    assert table["mape"].tolist() == pytest.approx([(0.1 + 0.1 + 0.2 + 0.3) / 5, 0.0])


def test_patients_are_drawn_whole_and_by_kind():
    y = np.array([1, 1, 0, 0, 1, 0, 0, 1])
    groups = np.array(list("aabbccdd"), dtype=object)
    for seed in range(20):
        rows = draw_patients(y, groups, np.random.default_rng(seed))
        times = {patient: np.bincount(rows, minlength=8)[groups == patient] for patient in "abcd"}
        assert all(len(set(each)) == 1 for each in times.values())
        # a is the only positive patient, b the only negative one; c and d have both classes.
        assert times["a"][0] == times["b"][0] == 1
        assert times["c"][0] + times["d"][0] == 2


@pytest.fixture(scope="module")
def noise_result(make_dataset):
    dataset = make_dataset(5, patients=40, features=60, informative=0)
    return dataset, optimism(dataset, SPEC, QUICK, n_boot=12, seed=4)


def test_noise_looks_good_and_is_corrected(noise_result):
    _, result = noise_result
    auc = result.frame().set_index("metric").loc["auc"]
    assert auc["apparent"] > 0.7
    assert auc["optimism"] > 0.1
    assert auc["corrected"] < auc["apparent"] - 0.1
    assert 0.3 < auc["out_of_bag"] < 0.65
    assert 0.3 < auc["estimate_632_plus"] < 0.7
    slope = result.frame().set_index("metric").loc["calibration_slope"]
    assert slope["corrected"] < min(1.0, slope["apparent"] - 0.3)


def test_tables_of_the_result(noise_result):
    dataset, result = noise_result
    assert (result.kind, list(result.tables)) == ("optimism", ["optimism", "instability", "summary"])
    assert result.frame().columns.tolist() == [
        "metric", "apparent", "optimism", "corrected", "standard_error", "out_of_bag", "no_information",
        "weight", "estimate_632_plus", "n_boot", "note",
    ]  # fmt: skip
    instability = result.frame("instability")
    assert instability["unit"].tolist() == dataset.X.index.tolist()
    assert instability["subject_id"].tolist() == dataset.groups.tolist()
    assert (instability["low"] <= instability["median"]).all()
    assert instability["mape"].between(0, 1).all()
    summary = result.frame("summary").set_index("quantity")["value"]
    assert summary["mape"] == instability["mape"].mean()
    assert result.spec["resampled"] == "patients"


def test_signal_is_stable(make_dataset, noise_result):
    strong = make_dataset(6, patients=40, features=12, shift=3.0)
    found = optimism(strong, SPEC, QUICK, n_boot=8)
    auc = found.frame().set_index("metric").loc["auc"]
    assert auc["corrected"] > 0.95
    assert found.frame("summary")["value"][0] < noise_result[1].frame("summary")["value"][0]


def test_the_same_bytes_with_two_workers(make_dataset, tmp_path):
    dataset = make_dataset(7, patients=24, features=8)
    for workers in (1, 2):
        optimism(dataset, SPEC, QUICK, n_boot=4, n_jobs=workers).save(tmp_path / str(workers))
    for path in sorted((tmp_path / "1").iterdir()):
        assert path.read_bytes() == (tmp_path / "2" / path.name).read_bytes()


def test_samples_with_too_few_patients_are_drawn_again(make_dataset):
    # Four patients per class and three inner folds: half of the samples hold too few of one class.
    dataset = make_dataset(8, patients=8, features=4)
    y, groups = dataset.y.to_numpy(), dataset.groups.to_numpy()
    few = 0
    for number in range(1, 9):
        rng = np.random.default_rng(np.random.SeedSequence([0, number, 0]))
        rows = draw_patients(y, groups, rng)
        few += min(len(set(groups[rows][y[rows] == label])) for label in (0, 1)) < 3
    assert few >= 2
    validation = dataclasses.replace(QUICK, outer_folds=2)
    found = optimism(dataset, SPEC, validation, n_boot=8, seed=0)
    assert found.frame()["n_boot"][1] == 8
