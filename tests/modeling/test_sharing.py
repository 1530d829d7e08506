from __future__ import annotations

import dataclasses
import logging
from collections import Counter

import numpy as np
import pandas as pd
import pytest
from sklearn.impute import SimpleImputer

from radiomics_vert.errors import AnalysisError
from radiomics_vert.modeling import (
    CorrelationFilter,
    ModelSpec,
    Preparation,
    Rows,
    StabilitySelector,
    UnivariateSelector,
    ValidationSpec,
    build_pipeline,
    cross_validate,
    cross_validate_many,
    fit_pipeline,
    make_design,
    predict_pipeline,
)
from radiomics_vert.modeling.folds import run_shared_fold
from radiomics_vert.modeling.models import pipeline_parameters
from radiomics_vert.modeling.sharing import Candidate, Ledger, TrainTest, fit_candidates

SMALL = {
    "elastic_net": ModelSpec(grid={"k": (3, 6), "l1_ratio": (0.5,), "C": (0.1, 1.0)}),
    "linear_svm": ModelSpec("linear_svm", grid={"k": (3, 6), "C": (0.1,)}),
    "rbf_svm": ModelSpec("rbf_svm", grid={"k": (3,), "C": (1.0,), "gamma": (0.05,)}),
    "random_forest": ModelSpec("random_forest", grid={"k": (6,), "min_samples_leaf": (4,)}),
    "hist_gradient_boosting": ModelSpec("hist_gradient_boosting", grid={"k": (6,), "max_iter": (20,)}),
}
QUICK = ValidationSpec(outer_folds=3, inner_folds=2, repeats=1, seed=3, n_boot=20)


@pytest.fixture(scope="module")
def signal(make_dataset):
    return make_dataset(1, patients=30, features=10, shift=1.2)


@pytest.fixture(scope="module")
def together(signal):
    return cross_validate_many(signal, list(SMALL.values()), QUICK)


def test_a_list_of_models_gives_what_its_models_give_one_by_one(signal, together):
    for name in ("linear_svm", "hist_gradient_boosting"):
        alone = cross_validate(signal, SMALL[name], QUICK)
        for table in ("metrics", "predictions", "folds"):
            of_list = together.frame(table).query("model == @name").reset_index(drop=True)
            expected = alone.frame(table)
            pd.testing.assert_frame_equal(of_list[expected.columns], expected, check_dtype=False)


def test_all_models_see_the_same_folds_and_find_the_signal(together):
    folds = together.frame("predictions").pivot(index="unit", columns="model", values="fold")
    assert (folds.nunique(axis=1) == 1).all()
    auc = together.frame().query("metric == 'auc'").set_index("model")["estimate"]
    assert auc.index.tolist() == list(SMALL)
    assert (auc > 0.75).all()


def test_one_worker_or_two_give_the_same_bytes(signal, together, tmp_path):
    again = cross_validate_many(signal, list(SMALL.values()), QUICK, n_jobs=2)
    together.save(tmp_path / "one")
    again.save(tmp_path / "two")
    for path in (tmp_path / "one").iterdir():
        assert path.read_bytes() == (tmp_path / "two" / path.name).read_bytes(), path.name


def test_what_models_prepare_alike_is_prepared_once_per_fold(signal, monkeypatch):
    fits: Counter[str] = Counter()
    for step in (SimpleImputer, CorrelationFilter, UnivariateSelector):

        def fit(self, *data, _original=step.fit, **further):
            fits[type(self).__name__] += 1
            return _original(self, *data, **further)

        monkeypatch.setattr(step, "fit", fit)
    cross_validate_many(signal, list(SMALL.values()), QUICK)
    per_outer_fold = QUICK.inner_folds + 1
    assert set(fits.values()) == {QUICK.outer_folds * per_outer_fold}


def test_other_preparations_are_not_shared(signal):
    """Two models, one with another filter: each gives what it gives alone."""
    strict = dataclasses.replace(SMALL["linear_svm"], preparation=Preparation(correlation_threshold=0.2))
    both = cross_validate_many(signal, [SMALL["elastic_net"], strict], QUICK).frame("folds")
    alone = cross_validate(signal, strict, QUICK).frame("folds")
    of_list = both.query("model == 'linear_svm'").reset_index(drop=True)
    assert of_list["auc"].tolist() == alone["auc"].tolist()
    loose = cross_validate(signal, SMALL["linear_svm"], QUICK).frame("folds")
    assert of_list["auc"].tolist() != loose["auc"].tolist()


@pytest.mark.parametrize(
    "preparation",
    [Preparation(), Preparation(selection="stability"), Preparation(harmonise="combat", min_icc=0.3)],
)
def test_the_walk_equals_a_pipeline_of_scikit_learn(signal, preparation):
    spec = dataclasses.replace(SMALL["linear_svm"], preparation=preparation)
    rng = np.random.default_rng(0)
    X, y = signal.X.to_numpy(), signal.y.to_numpy()
    sites = np.where(np.arange(60) // 2 % 3 == 0, "A", "B").astype(object)
    repeats = X[:, None, :] + rng.normal(scale=0.5, size=(60, 2, 10))
    rows = Rows(signal.groups.to_numpy(dtype=object), sites, rng.normal(size=(60, 1)), repeats)
    train, test = np.arange(40), np.arange(40, 60)
    candidates = [
        Candidate.of(0, place, build_pipeline(spec), pipeline_parameters(spec, point))
        for place, point in enumerate(spec.points(10))
    ]
    walked = fit_candidates(candidates, TrainTest.of(X, y, rows, train, test), Ledger())
    for (candidate, _, predicted), point in zip(walked, spec.points(10), strict=True):
        pipeline = build_pipeline(spec).set_params(**pipeline_parameters(spec, point))
        fit_pipeline(pipeline, X[train], y[train], rows.take(train))
        np.testing.assert_allclose(
            predicted, predict_pipeline(pipeline, X[test], rows.take(test)), rtol=1e-10
        )
        assert candidate.point == spec.points(10).index(point)


def test_a_ranking_is_shared_by_all_sizes_of_the_grid(signal, monkeypatch):
    fits = []
    original = StabilitySelector.fit
    monkeypatch.setattr(
        StabilitySelector, "fit", lambda self, *data, **f: fits.append(1) or original(self, *data, **f)
    )
    stable = Preparation(selection="stability")
    models = [dataclasses.replace(SMALL[name], preparation=stable) for name in ("elastic_net", "linear_svm")]
    cross_validate_many(signal, models, QUICK)
    assert len(fits) == QUICK.outer_folds * (QUICK.inner_folds + 1)


def test_features_of_test_rows_change_nothing_that_any_model_learned(signal, together):
    test = together.frame("predictions").query("fold == 1 and model == 'elastic_net'")["unit"]
    X = signal.X.copy()
    X.loc[test] = 1e3 * np.random.default_rng(0).normal(size=(len(test), X.shape[1]))
    poisoned = cross_validate_many(dataclasses.replace(signal, X=X), list(SMALL.values()), QUICK)
    learned = ["model", "k", "C", "max_iter", "threshold", "inner_score"]
    before, after = (one.frame("folds").query("fold == 1")[learned] for one in (together, poisoned))
    assert len(before) == len(SMALL)
    pd.testing.assert_frame_equal(before, after)


@pytest.mark.parametrize("selection", ["mrmr", "stability", "l1"])
def test_selection_learns_from_training_rows_only(signal, selection):
    spec = dataclasses.replace(SMALL["elastic_net"], preparation=Preparation(selection=selection))
    first = cross_validate(signal, spec, QUICK)
    test = first.frame("predictions").query("fold == 1")["unit"]
    X, y = signal.X.copy(), signal.y.copy()
    X.loc[test] = -50.0 * X.loc[test]
    again = cross_validate(dataclasses.replace(signal, X=X, y=y), spec, QUICK)
    learned = ["k", "C", "threshold", "inner_score", "n_selected"]
    assert first.frame("folds").loc[0, learned].tolist() == again.frame("folds").loc[0, learned].tolist()


def test_trees_have_no_coefficients_to_report(signal, together):
    used = together.frame("folds").set_index("model")["n_selected"]
    assert (used["random_forest"] == 6).all()
    design = make_design(signal, [SMALL["random_forest"], SMALL["linear_svm"]], QUICK)
    forest, svm = run_shared_fold(design.plans, design.tasks[0])
    assert forest.coefficients.isna().all()
    assert {"f000", "f001"} <= set(forest.coefficients.index)
    assert svm.coefficients[["f000", "f001"]].min() > 0


def test_the_time_of_each_stage_is_in_the_log_and_in_no_table(signal, caplog):
    with caplog.at_level(logging.INFO, "radiomics_vert.modeling"):
        result = cross_validate_many(signal, [SMALL["elastic_net"], SMALL["linear_svm"]], QUICK)
    assert "3 outer folds in" in caplog.text
    assert "shared by 2 models" in caplog.text
    for name in ("elastic_net", "linear_svm"):
        assert f"all features, {name}: tuning" in caplog.text
    assert not any("second" in column for table in result.tables.values() for column in table.columns)


def test_the_same_model_twice_is_refused(signal):
    with pytest.raises(AnalysisError) as error:
        make_design(signal, [SMALL["elastic_net"], ModelSpec()], QUICK)
    assert error.value.problems[0].code == "RV407"
    with pytest.raises(ValueError, match="at least one model"):
        make_design(signal, [], QUICK)


def test_no_family_sees_a_signal_in_noise(make_dataset):
    """Patients resemble themselves strongly; there is no difference between the classes."""
    aucs: dict[str, list[float]] = {}
    for seed in range(3):
        noise = make_dataset(seed, patients=40, per_patient=3, features=40, informative=0, icc=0.7)
        result = cross_validate_many(noise, list(SMALL.values()), dataclasses.replace(QUICK, seed=seed))
        rows = result.frame().query("metric == 'auc'")
        assert ((rows["ci_low"] <= 0.5) & (rows["ci_high"] >= 0.5)).sum() >= 4
        for name, auc in zip(rows["model"], rows["estimate"], strict=True):
            aucs.setdefault(name, []).append(auc)
    for name, found in aucs.items():
        assert np.mean(found) == pytest.approx(0.5, abs=0.1), name
