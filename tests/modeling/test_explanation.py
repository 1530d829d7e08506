from __future__ import annotations

import dataclasses

import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone
from sklearn.inspection import permutation_importance

from radiomics_vert.errors import AnalysisError
from radiomics_vert.modeling import ModelSpec, ValidationSpec, build_pipeline, combine, cross_validate
from radiomics_vert.modeling.explanation import explain, groups_of_features
from radiomics_vert.results import Result
from radiomics_vert.roc import clustered_auc

SPEC = ModelSpec(grid={"k": (4,), "l1_ratio": (0.1,), "C": (0.1, 1.0)})
QUICK = ValidationSpec(outer_folds=4, inner_folds=2, repeats=2, seed=1, n_boot=10)


@pytest.fixture(scope="module")
def study(make_dataset):
    """f000 and f001 separate the classes and are near copies; f002 separates a little; the rest is noise."""
    dataset = make_dataset(0, patients=60, features=8, informative=1, shift=2.0)
    X, rng = dataset.X.copy(), np.random.default_rng(0)
    X["f001"] = X["f000"] + 0.9 * rng.normal(size=len(X))
    X["f002"] += 1.2 * dataset.y
    dataset = dataclasses.replace(dataset, X=X)
    other = cross_validate(dataset, SPEC, QUICK, features=["f005"], feature_set="one")
    return dataset, combine([other, cross_validate(dataset, SPEC, QUICK)])


@pytest.fixture(scope="module")
def explained(study) -> Result:
    dataset, validated = study
    return explain(dataset, SPEC, QUICK, validated)


def test_tables(study, explained):
    assert (explained.kind, list(explained.tables)) == (
        "explanation",
        ["coefficients", "importance", "univariate"],
    )
    selection = study[1].frame("selection").query("feature_set == 'all features'")
    pd.testing.assert_frame_equal(
        explained.frame(), selection.iloc[:, 2:].reset_index(drop=True), check_exact=True
    )
    assert explained.frame("importance").columns.tolist() == [
        "feature", "importance", "ci_low", "ci_high", "frequency", "moved_with", "n_folds",
    ]  # fmt: skip
    assert explained.frame("univariate").columns.tolist() == [
        "feature", "auc", "ci_low", "ci_high", "frequency", "mean_coefficient", "agreement",
    ]  # fmt: skip
    assert explained.spec["together"] == 0.7


def test_correlated_features_move_together(explained):
    table = explained.frame("importance").set_index("feature")
    assert table.loc["f000", "moved_with"] == "f001"
    # Per fold in which it is used the copy loses what the original loses.
    per_use = table["importance"] / table["frequency"]
    assert per_use["f001"] == pytest.approx(per_use["f000"], abs=0.03)
    assert table["importance"].idxmax() in ("f000", "f001")
    assert table.loc["f000", "ci_low"] > 0.05
    assert table.loc["f000", "importance"] > table.loc["f002", "importance"] > 0.01
    noise = table.loc[table.index >= "f003", "importance"]
    assert noise.abs().max() < 0.03
    assert (table["n_folds"] == 8).all()


def test_alone_each_hides_behind_the_other(study, explained):
    dataset, validated = study
    alone = explain(dataset, SPEC, QUICK, validated, together=0.999).frame("importance").set_index("feature")
    together = explained.frame("importance").set_index("feature")
    assert alone.loc["f001", "moved_with"] == ""
    assert alone.loc["f001", "importance"] < 0.5 * together.loc["f001", "importance"]


def test_importance_of_a_lone_feature_agrees_with_scikit_learn(study):
    """Refit each fold as the validation did and let scikit-learn shuffle."""
    dataset, validated = study
    found = explain(dataset, SPEC, QUICK, validated, n_permutations=200).frame("importance")
    predictions = validated.frame("predictions").query("feature_set == 'all features'")
    folds = validated.frame("folds").query("feature_set == 'all features'")
    expected = []
    for row in folds.to_dict("records"):
        rows = predictions.query("repeat == @row['repeat'] and fold == @row['fold']")
        test = dataset.X.index.isin(rows["unit"])
        X, y = dataset.X.to_numpy(), dataset.y.to_numpy()
        pipeline = clone(build_pipeline(SPEC)).set_params(
            select__k=row["k"], model__C=row["C"], model__l1_ratio=row["l1_ratio"]
        )
        oracle = permutation_importance(
            pipeline.fit(X[~test], y[~test]),
            X[test],
            y[test],
            scoring="roc_auc",
            n_repeats=8,
            random_state=0,
        )
        expected.append(oracle.importances_mean[2])
    assert found.set_index("feature").loc["f002", "importance"] == pytest.approx(np.mean(expected), abs=0.01)


def test_features_alone_beside_the_model(study, explained):
    dataset, _ = study
    table = explained.frame("univariate").set_index("feature")
    auc = clustered_auc(dataset.y, dataset.X["f002"], dataset.groups)
    assert table.loc["f002", ["auc", "ci_low", "ci_high"]].tolist() == [auc.estimate, auc.ci_low, auc.ci_high]
    assert table.loc["f000", "agreement"] == "same direction"
    assert set(table.index) == set(dataset.X.columns)  # 8 features, all among the 20 strongest
    assert (table.loc[table["frequency"] == 0, "agreement"] == "never selected").all()


def test_an_opposite_direction_is_named(make_dataset):
    dataset = make_dataset(1, patients=60, features=2, informative=0, icc=0.0)
    X, rng = dataset.X.copy(), np.random.default_rng(1)
    shared = rng.normal(size=len(X))
    X["f000"] = 1.5 * dataset.y + shared
    X["f001"] = 0.3 * dataset.y + 0.8 * shared + 0.2 * rng.normal(size=len(X))
    dataset = dataclasses.replace(dataset, X=X)
    free = ModelSpec(grid={"k": (2,), "l1_ratio": (0.0,), "C": (10.0,)})
    result = explain(dataset, free, QUICK, cross_validate(dataset, free, QUICK))
    table = result.frame("univariate").set_index("feature")["agreement"]
    assert table.to_dict() == {"f000": "same direction", "f001": "opposite direction"}


def test_groups_are_connected_components():
    rng = np.random.default_rng(0)
    a, d = rng.normal(size=(2, 200))
    b = a + 0.6 * rng.normal(size=200)
    c = b + 1.0 * rng.normal(size=200)
    X = np.column_stack([a, d, b, np.full(200, 3.0), -c])
    X[::9, 0] = np.nan
    correlation = pd.DataFrame(X).corr(method="spearman")
    assert abs(correlation.loc[0, 4]) < 0.7 < abs(correlation.loc[2, 4])
    assert groups_of_features(X, 0.7).tolist() == [0, 1, 0, 2, 0]


def test_missing_values_and_covariates(make_dataset):
    dataset = make_dataset(2, patients=40, shift=2.0)
    X = dataset.X.copy()
    X.iloc[::4, 0] = np.nan
    dataset = dataclasses.replace(dataset, X=X)
    indicator = dataclasses.replace(SPEC.preparation, missing_indicator=True)
    spec = dataclasses.replace(SPEC, preparation=indicator)
    validated = cross_validate(dataset, spec, QUICK, with_covariates=True)
    found = explain(dataset, spec, QUICK, validated, with_covariates=True).frame("importance")
    assert "age" in set(found["feature"])
    assert set(found["feature"]) <= {*dataset.X.columns, "age", "sex=male"}


def test_the_same_bytes_with_two_workers_and_from_disk(study, explained, tmp_path):
    dataset, validated = study
    validated.save(tmp_path / "validated")
    loaded = Result.load(tmp_path / "validated", "validation")
    explained.save(tmp_path / "1")
    explain(dataset, SPEC, QUICK, loaded, n_jobs=2).save(tmp_path / "2")
    for path in sorted((tmp_path / "1").iterdir()):
        assert path.read_bytes() == (tmp_path / "2" / path.name).read_bytes()


@pytest.mark.parametrize(
    ("changes", "found"),
    [
        ({"feature_set": "texture"}, "one, elastic_net; all features, elastic_net"),
        ({"validation": dataclasses.replace(QUICK, seed=2)}, "other test vertebrae"),
        ({"model": ModelSpec(grid={"k": (3,)})}, "others in the folds"),
    ],
)
def test_another_validation_is_refused(study, changes, found):
    dataset, validated = study
    arguments = {"model": SPEC, "validation": QUICK, **changes}
    model, validation = arguments.pop("model"), arguments.pop("validation")
    with pytest.raises(AnalysisError) as error:
        explain(dataset, model, validation, validated, **arguments)
    (problem,) = error.value.problems
    assert (problem.code, problem.found) == ("RV503", found)
