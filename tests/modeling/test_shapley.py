from __future__ import annotations

import subprocess
import sys

import numpy as np
import pandas as pd
import pytest
from scipy.special import logit

from radiomics_vert.errors import AnalysisError
from radiomics_vert.modeling import ModelSpec, Preparation, ValidationSpec, cross_validate, shapley_values
from radiomics_vert.modeling import shapley as explaining
from radiomics_vert.modeling.assessment import Study
from radiomics_vert.modeling.folds import FoldTask
from radiomics_vert.modeling.refits import refit_fold, validated_folds

QUICK = ValidationSpec(outer_folds=3, inner_folds=2, repeats=1, seed=4, n_boot=10)
GRIDS = {
    "elastic_net": {"k": (6,), "l1_ratio": (0.5,), "C": (0.5,)},
    "linear_svm": {"k": (6,), "C": (0.1,)},
    "rbf_svm": {"k": (5,), "C": (0.5,), "gamma": (0.05,)},
    "random_forest": {"k": (5,)},
    "hist_gradient_boosting": {"k": (6,), "max_iter": (20,)},
}


@pytest.fixture(scope="module")
def data(make_dataset):
    dataset = make_dataset(7, patients=21, features=8, informative=2, shift=1.2)
    dataset.X.iloc[3, 5] = np.nan
    dataset.X["f001"] *= -1  # lower values push to the positive class
    return dataset


def _made(data, name, **options):
    spec = ModelSpec(name, grid=GRIDS[name], **options)
    validated = cross_validate(data, spec, QUICK, with_covariates=True)
    return validated, shapley_values(
        data, spec, QUICK, validated, with_covariates=True, background=15, n_permutations=4, n_boot=50, top=4
    )


@pytest.mark.parametrize("name", GRIDS)
def test_values_and_base_add_up_to_the_prediction_that_was_validated(data, name):
    validated, found = _made(data, name)
    told = found.frame("vertebrae").set_index("unit")
    single = found.frame("values").pivot(index="unit", columns="feature", values="shapley").loc[told.index]
    total = told["base"] + told["others"] + single.sum(axis=1)
    np.testing.assert_allclose(total, told["log_odds"], atol=1e-9)
    predicted = validated.frame("predictions").query("repeat == 1").set_index("unit").loc[told.index]
    np.testing.assert_allclose(total, logit(predicted["probability"]), atol=1e-5)
    assert sorted(told.index) == sorted(data.X.index)
    assert single.shape == (len(data), 4)
    assert found.spec["scale"] == "log odds"


def test_weights_or_copies_for_a_rare_class_are_explained_too(data):
    _made(data, "rbf_svm", resampling="oversample")
    _made(data, "elastic_net", class_weight="balanced", preparation=Preparation(missing_indicator=True))


def test_the_linear_values_are_those_of_shap(data):
    shap = explaining._package()
    for name in ("elastic_net", "linear_svm"):
        validated, found = _made(data, name)
        spec = ModelSpec(name, grid=GRIDS[name])
        plan, tasks = Study(data, spec, QUICK, with_covariates=True).design()
        task, point = validated_folds(plan, tasks, validated, "all features")[0]
        assert isinstance(task, FoldTask)
        fitted = refit_fold(plan, task, point)

        def log_odds(X, fitted=fitted):
            return logit(fitted[-1].predict_proba(X)[:, 1])

        train, test = (fitted[:-1].transform(plan.X[rows]) for rows in (task.train, task.test))
        masker = shap.maskers.Independent(train, max_samples=len(train))
        expected = shap.PermutationExplainer(log_odds, masker, seed=0)(test, silent=True)
        names = list(fitted[:-1].get_feature_names_out(plan.columns))
        values = found.frame("values").pivot(index="unit", columns="feature", values="shapley")
        units = [plan.units[row] for row in task.test]
        for feature in values.columns:
            wanted = expected.values[:, names.index(feature)] if feature in names else 0.0
            np.testing.assert_allclose(values.loc[units, feature], wanted, atol=1e-6)


def test_the_summary_finds_the_features_and_their_direction(data):
    _, found = _made(data, "elastic_net")
    summary = found.frame("summary")
    strong = summary.set_index("feature")
    assert {"f000", "f001", "age"} & set(summary["feature"].head(3)) == set(summary["feature"].head(3))
    assert strong.loc["f000", "direction"] == "higher"
    assert strong.loc["f001", "direction"] == "lower"
    assert (summary["ci_low"] <= summary["mean_absolute"]).all()
    assert (summary["mean_absolute"] <= summary["ci_high"]).all()
    assert summary["mean_absolute"].is_monotonic_decreasing
    values = found.frame("values").query("feature == 'f000'")
    assert values["shapley"].abs().mean() == pytest.approx(strong.loc["f000", "mean_absolute"])
    assert values.set_index("unit")["value"].equals(
        data.X["f000"].loc[values["unit"]].rename_axis("unit").rename("value")
    )


@pytest.mark.parametrize("name", ["rbf_svm", "hist_gradient_boosting"])
def test_the_same_study_gives_the_same_values(data, name):
    first, second = _made(data, name)[1], _made(data, name)[1]
    for table in ("summary", "values", "vertebrae"):
        pd.testing.assert_frame_equal(first.frame(table), second.frame(table), check_exact=True)


def test_the_global_seed_is_left_alone():
    np.random.seed(3)  # noqa: NPY002
    expected = np.random.random()  # noqa: NPY002
    np.random.seed(3)  # noqa: NPY002
    with explaining._kept_randomness():
        np.random.seed(8)  # noqa: NPY002
    assert np.random.random() == expected  # noqa: NPY002


def test_without_shap_only_linear_models_are_explained(data, monkeypatch):
    monkeypatch.setattr(explaining, "find_spec", lambda name: None)
    validated, _ = _made(data, "elastic_net")
    with pytest.raises(AnalysisError, match=r"radiomics-vert\[explanation\]") as error:
        shapley_values(data, ModelSpec("random_forest"), QUICK, validated)
    assert error.value.problems[0].code == "RV514"


def test_values_that_do_not_add_up_are_an_error(data, monkeypatch):
    monkeypatch.setattr(explaining, "_linear", lambda model: (np.full(model.coef_.shape[1], 0.3), 0.0))
    with pytest.raises(AnalysisError, match="add up") as error:
        _made(data, "elastic_net")
    assert error.value.problems[0].code == "RV514"


def test_a_model_without_a_feature_has_nothing_to_explain(make_dataset):
    noise = make_dataset(1, patients=16, features=3, informative=0)
    spec = ModelSpec(grid={"k": (3,), "l1_ratio": (1.0,), "C": (1e-4,)})
    found = shapley_values(noise, spec, QUICK, cross_validate(noise, spec, QUICK), n_boot=10)
    assert found.frame("summary").empty
    assert found.frame("values").empty
    np.testing.assert_allclose(found.frame("vertebrae")["log_odds"], found.frame("vertebrae")["base"])


def test_loading_the_package_does_not_load_shap():
    code = "import sys, radiomics_vert.modeling, radiomics_vert.study; sys.exit('shap' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
