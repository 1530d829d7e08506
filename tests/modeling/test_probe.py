from __future__ import annotations

import dataclasses

import numpy as np
import pandas as pd
import pytest
from sklearn.model_selection import StratifiedKFold

from radiomics_vert.errors import AnalysisError, Problem
from radiomics_vert.modeling import ModelSpec, ValidationSpec, cross_validate, design
from radiomics_vert.modeling.assessment import Study, cross_validated_auc, with_retries
from radiomics_vert.modeling.probe import (
    clustered_noise,
    leakage_probe,
    one_way_icc,
    overall_verdict,
    permutation_test,
    permute_patients,
)

SPEC = ModelSpec(grid={"k": (6,), "l1_ratio": (0.1,), "C": (1.0,)})
QUICK = ValidationSpec(outer_folds=4, inner_folds=2, repeats=1, n_boot=10)


def _mixed(dataset, seed: int = 0):
    """Give a third of the patients both classes."""
    y = dataset.y.copy()
    for patient in dataset.groups.unique()[::3]:
        y[dataset.groups == patient] = np.arange((dataset.groups == patient).sum()) % 2
    return dataclasses.replace(dataset, y=y)


def test_labels_move_between_patients_and_keep_their_structure():
    groups = np.array(list("aaabbccdd"), dtype=object)
    y = np.array([1, 1, 1, 0, 0, 1, 1, 0, 1])
    seen = set()
    for seed in range(200):
        permuted = permute_patients(y, groups, np.random.default_rng(seed))
        by_patient = {name: permuted[groups == name] for name in "abcd"}
        kinds = sorted("both" if len(set(own)) == 2 else str(own[0]) for own in by_patient.values())
        assert kinds == ["0", "1", "1", "both"]
        seen.add(next(name for name, own in by_patient.items() if len(set(own)) == 2))
    assert seen == set("abcd")


def test_labels_of_mixed_patients_are_dealt_out_in_random_order():
    groups = np.array(list("aaab"), dtype=object)
    y = np.array([1, 0, 0, 1])
    found = {tuple(permute_patients(y, groups, np.random.default_rng(seed))) for seed in range(100)}
    # a keeps its own three labels in some order, or hands one of them to b and becomes positive.
    assert found == {(1, 0, 0, 1), (0, 1, 0, 1), (0, 0, 1, 1), (1, 1, 1, 0), (1, 1, 1, 1)}


def test_icc_equals_the_analysis_of_variance():
    rng = np.random.default_rng(0)
    patients = np.repeat(np.arange(30), 3)
    X = 1.5 * rng.normal(size=(30, 2))[patients] + rng.normal(size=(90, 2))
    table = X[:, 0].reshape(30, 3)
    between = 3 * table.mean(axis=1).var(ddof=1)
    within = table.var(axis=1, ddof=1).mean()
    assert one_way_icc(X, patients)[0] == pytest.approx((between - within) / (between + 2 * within))
    assert one_way_icc(X, np.arange(90)).tolist() == [0.0, 0.0]
    assert one_way_icc(np.ones((90, 1)), patients).tolist() == [0.0]


def test_noise_has_the_clustering_of_the_data_and_nothing_else():
    rng = np.random.default_rng(1)
    patients = np.repeat(np.arange(400), rng.integers(1, 4, 400))
    groups = patients.astype(str).astype(object)
    X = np.column_stack([rng.normal(size=400)[patients] * 2, rng.normal(size=len(patients))])
    X[:, 0] += rng.normal(size=len(patients))
    X[::7, 0] = np.nan
    noise = clustered_noise(X, groups, rng)
    assert noise.shape == X.shape
    assert np.isfinite(noise).all()
    np.testing.assert_allclose(noise.std(axis=0), 1, atol=0.1)
    np.testing.assert_allclose(one_way_icc(noise, patients), one_way_icc(X, patients), atol=0.12)
    assert abs(np.corrcoef(noise[:, 0], np.nan_to_num(X[:, 0]))[0, 1]) < 0.1


def test_auc_is_that_of_the_validation(make_dataset):
    dataset = _mixed(make_dataset(2, patients=24, shift=1.0))
    validation = dataclasses.replace(QUICK, repeats=2)
    found = cross_validated_auc(*Study(dataset, SPEC, validation).design())
    result = cross_validate(dataset, SPEC, validation)
    assert found.pooled == pytest.approx(result.frame()["estimate"][0])
    predictions = result.frame("predictions")
    shares = []
    for _, rows in predictions.groupby("repeat"):
        wins = pairs = 0.0
        for _, fold in rows.groupby("fold"):
            high, low = (fold.loc[fold["y"] == label, "probability"].to_numpy() for label in (1, 0))
            wins += (high[:, None] > low).sum() + 0.5 * (high[:, None] == low).sum()
            pairs += high.size * low.size
        shares.append(wins / pairs)
    assert found.within == pytest.approx(np.median(shares))


def test_a_model_that_learns_nothing_is_below_half_only_when_pooled(make_dataset):
    dataset = _mixed(make_dataset(3, patients=30))
    blind = ModelSpec(grid={"k": (1,), "l1_ratio": (1.0,), "C": (1e-6,)})
    found = cross_validated_auc(*Study(dataset, blind, QUICK).design())
    assert found.within == 0.5
    assert found.pooled < 0.5


def test_signal_is_significant_and_noise_is_not(make_dataset):
    strong = permutation_test(make_dataset(4, patients=24, shift=3.0), SPEC, QUICK, n_permutations=9)
    assert strong.frame()["p_value"].tolist() == [0.1, 0.1]
    assert strong.frame("null")["auc"].max() < strong.frame()["observed"][0]
    nothing = permutation_test(make_dataset(4, patients=24, informative=0), SPEC, QUICK, n_permutations=9)
    assert nothing.frame()["p_value"].min() > 0.1


def test_p_value_counts_the_permutations_that_reach_the_observed(make_dataset):
    result = permutation_test(make_dataset(5, patients=20, shift=0.3), SPEC, QUICK, n_permutations=8, seed=2)
    assert (result.kind, list(result.tables)) == ("permutation", ["permutation", "null"])
    for row, column in zip(result.frame().to_dict("records"), ("auc", "auc_within_folds"), strict=True):
        null = result.frame("null")[column]
        assert row["statistic"] == column
        assert row["p_value"] == (1 + (null >= row["observed"]).sum()) / 9
        assert row["null_mean"] == pytest.approx(null.mean())
    assert result.frame("null")["auc"].nunique() > 4


def test_honest_pipeline_shows_no_leak_with_mixed_patients(make_dataset):
    dataset = _mixed(make_dataset(6, patients=30, per_patient=3, features=20, shift=1.0, icc=0.6))
    result = leakage_probe(dataset, SPEC, QUICK, n_probes=6, with_covariates=True)
    table = result.frame("probe")
    assert table["probe"].tolist() == ["permuted labels"] * 2 + ["pure noise"] * 2
    assert table["covers_half"].dtype == bool
    within = table[table["statistic"] == "auc_within_folds"]
    assert within["covers_half"].all()
    assert (table["n_repeats"] == 6).all()
    assert result.spec["verdict"] in ("clean", "pessimistic")
    runs = result.frame("runs").groupby("probe", sort=False)["auc"].mean()
    assert runs.tolist() == pytest.approx(table.loc[[0, 2], "estimate"].tolist())


def test_splitting_patients_is_found_out(make_dataset, monkeypatch):
    def by_vertebra(y, groups, n_folds, seed, where=""):
        return list(StratifiedKFold(n_folds, shuffle=True, random_state=0).split(y, y))

    monkeypatch.setattr(design, "grouped_folds", by_vertebra)
    dataset = make_dataset(7, patients=30, per_patient=4, features=40, icc=0.8, informative=0)
    result = leakage_probe(
        dataset, ModelSpec(grid={"k": (20,), "l1_ratio": (0.1,), "C": (1.0,)}), QUICK, n_probes=3
    )
    assert result.spec["verdict"] == "leak"
    assert (result.frame()["ci_low"] > 0.5).all()
    assert "Do not trust" in result.spec["meaning"]


def test_verdict_names_the_worst():
    table = pd.DataFrame({"verdict": ["clean", "pessimistic", "leak"]})
    assert [overall_verdict(table.iloc[:rows]) for rows in (1, 2, 3)] == ["clean", "pessimistic", "leak"]


def test_one_run_gives_no_interval(make_dataset):
    with pytest.raises(ValueError, match="at least 2"):
        leakage_probe(make_dataset(0), SPEC, QUICK, n_probes=1)


def test_the_same_bytes_with_two_workers(make_dataset, tmp_path):
    dataset = _mixed(make_dataset(8, patients=20))
    for workers in (1, 2):
        folder = tmp_path / str(workers)
        permutation_test(dataset, SPEC, QUICK, n_permutations=3, n_jobs=workers).save(folder)
        leakage_probe(dataset, SPEC, QUICK, n_probes=2, n_jobs=workers).save(folder)
    names = sorted(path.name for path in (tmp_path / "1").iterdir())
    assert len(names) == 6
    for name in names:
        assert (tmp_path / "1" / name).read_bytes() == (tmp_path / "2" / name).read_bytes()


def test_retries_are_for_too_few_patients_only():
    def fails(code: str, until: int):
        calls = []

        def task(rng):
            calls.append(rng.random())
            if len(calls) < until:
                raise AnalysisError(Problem(code, "a", "b", "c", "d"))
            return calls

        return task

    draws = with_retries(fails("RV502", 3), (1, 2))
    assert len(set(draws)) == 3
    with pytest.raises(AnalysisError, match="RV503"):
        with_retries(fails("RV503", 2), (1, 2))
    with pytest.raises(AnalysisError, match="RV502"):
        with_retries(fails("RV502", 99), (1, 2))
