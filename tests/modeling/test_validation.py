from __future__ import annotations

import dataclasses
import logging

import numpy as np
import pandas as pd
import pytest
from sklearn.exceptions import ConvergenceWarning
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression

from radiomics_vert.errors import AnalysisError, SettingsError
from radiomics_vert.modeling import ModelSpec, ValidationSpec, combine, cross_validate, models
from radiomics_vert.modeling.metrics import Predictions, all_metrics
from radiomics_vert.results import Result

SMALL = ModelSpec(grid={"k": (3, 6), "l1_ratio": (0.5,), "C": (0.1, 1.0)})
QUICK = ValidationSpec(outer_folds=4, inner_folds=3, repeats=2, seed=3, n_boot=40)


@pytest.fixture(scope="module")
def signal(make_dataset):
    return make_dataset(1, patients=36, features=10, shift=1.2)


@pytest.fixture(scope="module")
def result(signal) -> Result:
    return cross_validate(signal, SMALL, QUICK)


def test_a_strong_signal_is_found(make_dataset):
    dataset = make_dataset(2, patients=40, features=60, informative=3, shift=2.5)
    result = cross_validate(dataset, SMALL, QUICK)
    auc = result.frame().set_index("metric").loc["auc"]
    assert auc["estimate"] > 0.95
    assert auc["ci_low"] > 0.8
    leading = result.frame("selection").head(3)
    assert set(leading["feature"]) == {"f000", "f001", "f002"}
    assert (leading["frequency"] == 1.0).all()
    assert (leading["mean_coefficient"] > 0).all()
    assert (leading["sign_consistency"] == 1.0).all()


def test_tables_have_their_columns_in_order(result):
    assert result.kind == "validation"
    head = ["feature_set", "model"]
    columns = {name: table.columns.tolist() for name, table in result.tables.items()}
    assert list(columns) == [
        "metrics", "predictions", "roc", "pr", "calibration", "calibration_curve", "decision_curve",
        "patients", "folds", "selection",
    ]  # fmt: skip
    assert columns["metrics"] == [
        *head, "metric", "estimate", "ci_low", "ci_high", "n", "n_subjects", "note",
    ]  # fmt: skip
    assert columns["predictions"] == [
        *head, "unit", "subject_id", "y", "repeat", "fold", "probability", "threshold", "decision",
    ]  # fmt: skip
    assert columns["roc"] == [*head, "fpr", "tpr", "tpr_low", "tpr_high"]
    assert columns["pr"] == [*head, "recall", "precision", "low", "high"]
    assert columns["calibration_curve"] == [*head, "predicted", "observed", "low", "high"]
    assert columns["decision_curve"] == [
        *head, "threshold", "net_benefit", "low", "high", "all", "none",
    ]  # fmt: skip
    assert columns["patients"] == [*head, "rule", "metric", "estimate", "ci_low", "ci_high", "n"]
    assert columns["calibration"] == [
        *head, "bin", "predicted_mean", "observed", "ci_low", "ci_high", "n",
    ]  # fmt: skip
    assert columns["folds"] == [
        *head, "repeat", "fold", "n_train", "n_test", "subjects_train", "subjects_test", "k",
        "l1_ratio", "C", "threshold", "n_selected", "inner_score", "auc", "convergence_warnings",
    ]  # fmt: skip
    assert columns["selection"] == [
        *head, "feature", "frequency", "mean_coefficient", "sign_consistency",
    ]  # fmt: skip
    assert result.frame()["metric"].tolist() == [
        "auc", "pr_auc", "sensitivity", "specificity", "ppv", "npv", "balanced_accuracy", "f1", "brier",
        "brier_scaled", "calibration_intercept", "calibration_slope", "ici", "auc_patient",
    ]  # fmt: skip


def test_every_vertebra_is_predicted_once_per_repeat_with_its_patient(signal, result):
    predictions = result.frame("predictions")
    for _, rows in predictions.groupby("repeat"):
        assert rows["unit"].tolist() == signal.X.index.tolist()
        assert rows["subject_id"].tolist() == signal.groups.tolist()
        assert rows["y"].tolist() == signal.y.tolist()
        assert (rows.groupby("subject_id")["fold"].nunique() == 1).all()
    expected = (predictions["probability"] >= predictions["threshold"]).astype(int)
    assert predictions["decision"].tolist() == expected.tolist()


def test_metrics_are_medians_over_the_repeats(signal, result):
    single = []
    for _, rows in result.frame("predictions").groupby("repeat"):
        arrays = (rows[name].to_numpy() for name in ("y", "probability", "threshold", "subject_id"))
        single.append(all_metrics(Predictions(*arrays)))
    table = result.frame().set_index("metric")
    for name in ("auc", "brier", "sensitivity", "auc_patient"):
        expected = np.median([one[name][:3] for one in single], axis=0)
        found = table.loc[name, ["estimate", "ci_low", "ci_high"]].astype(float)
        np.testing.assert_allclose(found, expected)
    assert (table.loc["auc", "n"], table.loc["auc", "n_subjects"]) == (72, 36)
    assert table.loc["sensitivity", "n"] == signal.y.sum()
    assert "median of 2 repeats" in table.loc["auc", "note"]
    assert "Youden" in table.loc["sensitivity", "note"]


def test_results_do_not_depend_on_workers_and_repeat_exactly(signal, result, tmp_path):
    again = cross_validate(signal, SMALL, QUICK, n_jobs=2)
    result.save(tmp_path / "one")
    again.save(tmp_path / "two")
    files = sorted(path.name for path in (tmp_path / "one").iterdir())
    assert len(files) == 11
    for name in files:
        assert (tmp_path / "one" / name).read_bytes() == (tmp_path / "two" / name).read_bytes()


def test_another_seed_gives_other_folds(signal, result):
    other = cross_validate(signal, SMALL, dataclasses.replace(QUICK, seed=4))
    assert not other.frame("predictions").equals(result.frame("predictions"))


def test_result_survives_the_disk(result, tmp_path):
    result.save(tmp_path)
    back = Result.load(tmp_path, "validation")
    pd.testing.assert_frame_equal(back.frame("folds"), result.frame("folds"))
    assert back.spec["runs"][0]["model"]["name"] == "elastic_net"
    assert back.spec["runs"][0]["n_subjects"] == 36


def test_no_step_ever_sees_a_test_row(signal, monkeypatch):
    """The first feature carries the row number; every fit is recorded."""
    X = signal.X.copy()
    X["f000"] = np.arange(len(X), dtype=float)
    seen: list[set[int]] = []

    class Spy(SimpleImputer):
        def fit(self, X, y=None):
            seen.append({int(value) for value in X[:, 0]})
            return super().fit(X, y)

    monkeypatch.setattr(models, "SimpleImputer", Spy)
    validation = dataclasses.replace(QUICK, repeats=1)
    result = cross_validate(dataclasses.replace(signal, X=X), SMALL, validation)
    predictions = result.frame("predictions")
    per_fold = validation.inner_folds + 1  # each inner training part, then the refit
    assert len(seen) == validation.outer_folds * per_fold
    for fold in range(1, validation.outer_folds + 1):
        test = set(np.flatnonzero(predictions["fold"] == fold))
        *inner, refit = seen[(fold - 1) * per_fold : fold * per_fold]
        assert refit == set(range(len(X))) - test
        patients = signal.groups.to_numpy()
        for rows in inner:
            assert rows < refit
            held_out = refit - rows
            assert not set(patients[list(rows)]) & set(patients[list(held_out)])
        assert set.intersection(*inner) == set()  # every training row is held out once


def test_features_of_test_rows_change_nothing_that_was_learned(signal, result):
    """Hyper-parameters, selection and threshold come from the training rows: poison shows it."""
    predictions = result.frame("predictions")
    first = predictions[(predictions["repeat"] == 1) & (predictions["fold"] == 1)]
    X = signal.X.copy()
    X.loc[first["unit"]] = 1e3 * np.random.default_rng(0).normal(size=(len(first), X.shape[1]))
    poisoned = cross_validate(dataclasses.replace(signal, X=X), SMALL, QUICK)
    learned = ["k", "l1_ratio", "C", "threshold", "n_selected", "inner_score"]
    before, after = result.frame("folds").loc[0, learned], poisoned.frame("folds").loc[0, learned]
    assert before.tolist() == after.tolist()
    assert result.frame("folds").loc[0, "auc"] != poisoned.frame("folds").loc[0, "auc"]


def test_sensitivity_rule_reaches_lower_thresholds(signal, result):
    rule = dataclasses.replace(QUICK, threshold="sensitivity", target_sensitivity=0.99)
    careful = cross_validate(signal, SMALL, rule)
    sensitivity = [
        one.frame().set_index("metric").loc["sensitivity", "estimate"] for one in (result, careful)
    ]
    assert sensitivity[1] > sensitivity[0]
    assert (careful.frame("folds")["threshold"] <= result.frame("folds")["threshold"]).all()
    assert "sensitivity of at least 0.99" in careful.frame().loc[2, "note"]


def test_covariates_bypass_selection_and_can_stand_alone(signal):
    spec = ModelSpec(grid={"k": (1,), "l1_ratio": (0.0,), "C": (1.0,)})
    both = cross_validate(signal, spec, QUICK, with_covariates=True, feature_set="combined")
    used = both.frame("selection").set_index("feature")["frequency"]
    assert used["age"] == used["sex=male"] == 1.0
    assert (both.frame("folds")["n_selected"] == 3).all()
    alone = cross_validate(signal, spec, QUICK, features=(), with_covariates=True)
    assert set(alone.frame("selection")["feature"]) == {"age", "sex=male"}
    assert alone.spec["runs"][0]["covariates"] == ["age", "sex=male"]
    assert alone.spec["runs"][0]["n_features"] == 0
    assert alone.frame().loc[0, "estimate"] > 0.95  # age differs by 10 SD


def test_features_can_be_chosen(signal):
    result = cross_validate(signal, SMALL, QUICK, features=["f003", "f000"], feature_set="two")
    assert set(result.frame("selection")["feature"]) <= {"f000", "f003"}
    assert set(result.frame()["feature_set"]) == {"two"}
    assert (result.frame("folds")["k"] == 2).all()


def test_missing_values_are_no_obstacle(signal):
    X = signal.X.copy()
    X.iloc[::5, 0] = np.nan
    X["f009"] = np.nan
    result = cross_validate(dataclasses.replace(signal, X=X), SMALL, QUICK)
    assert result.frame("predictions")["probability"].notna().all()
    assert "f009" not in set(result.frame("selection")["feature"])


def test_unconverged_fits_are_counted_and_logged(signal, monkeypatch, caplog):
    family = dataclasses.replace(
        models.FAMILIES["elastic_net"],
        build=lambda _: LogisticRegression(solver="saga", l1_ratio=0.5, max_iter=1, random_state=0),
    )
    monkeypatch.setattr(models, "FAMILIES", {"elastic_net": family})
    with caplog.at_level(logging.WARNING, "radiomics_vert.modeling"):
        result = cross_validate(signal, SMALL, dataclasses.replace(QUICK, repeats=1))
    # 3 inner folds x 4 points, and the refit
    assert result.frame("folds")["convergence_warnings"].tolist() == [13] * 4
    assert "RV504" in caplog.text
    assert "52 fits" in caplog.text


def test_other_warnings_are_not_swallowed(signal, monkeypatch):
    class Loud(LogisticRegression):
        def fit(self, X, y):
            import warnings

            warnings.warn("something else", FutureWarning, stacklevel=1)
            warnings.warn("slow", ConvergenceWarning, stacklevel=1)
            return super().fit(X, y)

    family = dataclasses.replace(
        models.FAMILIES["elastic_net"], build=lambda _: Loud(solver="saga", l1_ratio=0.5)
    )
    monkeypatch.setattr(models, "FAMILIES", {"elastic_net": family})
    with pytest.raises(FutureWarning, match="something else"):
        cross_validate(signal, SMALL, dataclasses.replace(QUICK, repeats=1))


def test_converged_fits_are_not_counted(result):
    assert (result.frame("folds")["convergence_warnings"] == 0).all()


def test_duration_goes_to_the_log_and_never_to_a_table(signal, caplog):
    with caplog.at_level(logging.INFO, "radiomics_vert.modeling"):
        result = cross_validate(signal, SMALL, dataclasses.replace(QUICK, repeats=1))
    assert "4 outer folds in" in caplog.text
    assert not any("second" in name for table in result.tables.values() for name in table.columns)


def test_progress_is_told_after_each_fold(signal):
    told: list[tuple[int, int]] = []
    cross_validate(
        signal,
        SMALL,
        dataclasses.replace(QUICK, repeats=1),
        progress=lambda done, total: told.append((done, total)),
    )
    assert told == [(1, 4), (2, 4), (3, 4), (4, 4)]


def test_combine_stacks_feature_sets(signal, result):
    other = cross_validate(signal, SMALL, QUICK, features=["f005"], feature_set="one feature")
    both = combine([result, other])
    assert both.kind == "validation"
    assert both.frame()["feature_set"].unique().tolist() == ["all features", "one feature"]
    assert len(both.frame("predictions")) == 2 * len(result.frame("predictions"))
    assert [run["feature_set"] for run in both.spec["runs"]] == ["all features", "one feature"]


def test_combine_refuses_the_same_thing_twice(result):
    with pytest.raises(AnalysisError) as error:
        combine([result, result])
    (problem,) = error.value.problems
    assert (problem.code, problem.found) == (
        "RV407",
        "'all features' with 'elastic_net' more than once",
    )


def test_a_dataset_grouped_by_vertebra_is_refused(signal):
    groups = pd.Series(signal.X.index.to_numpy(), index=signal.X.index)
    with pytest.raises(AnalysisError) as error:
        cross_validate(dataclasses.replace(signal, groups=groups), SMALL, QUICK)
    assert [problem.code for problem in error.value.problems] == ["RV501"]


def test_too_few_patients_are_refused_with_the_place(make_dataset):
    with pytest.raises(AnalysisError) as error:
        cross_validate(make_dataset(0, patients=8), SMALL, ValidationSpec())
    (problem,) = error.value.problems
    assert (problem.code, problem.where) == ("RV502", "outer folds of repeat 1")
    with pytest.raises(AnalysisError) as error:
        cross_validate(make_dataset(0, patients=10), SMALL, ValidationSpec())
    (problem,) = error.value.problems
    assert (problem.code, problem.where) == ("RV502", "inner folds of repeat 1, outer fold 1")


@pytest.mark.parametrize(
    ("features", "code", "found"),
    [
        (["f000", "volume"], "RV103", "1 of 2 unknown, for example 'volume'"),
        ([], "RV503", "none"),
    ],
)
def test_wrong_features_are_refused(signal, features, code, found):
    with pytest.raises(AnalysisError) as error:
        cross_validate(signal, SMALL, QUICK, features=features)
    (problem,) = error.value.problems
    assert (problem.code, problem.found) == (code, found)


def test_infinite_values_are_refused(signal):
    X = signal.X.copy()
    X.iloc[4, 2] = np.inf
    with pytest.raises(AnalysisError) as error:
        cross_validate(dataclasses.replace(signal, X=X), SMALL, QUICK)
    (problem,) = error.value.problems
    assert (problem.code, problem.where) == ("RV309", "for example f002")


def test_wrong_settings_are_told_all_at_once():
    with pytest.raises(SettingsError) as error:
        ValidationSpec(outer_folds=1, repeats=0, confidence=95, threshold="best", scoring="accuracy")
    assert [problem.where.split(", ")[1] for problem in error.value.problems] == [
        "outer_folds",
        "repeats",
        "confidence",
        "scoring",
        "threshold",
    ]
    assert {problem.code for problem in error.value.problems} == {"RV602"}
