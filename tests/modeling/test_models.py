from __future__ import annotations

import numpy as np
import pytest

from radiomics_vert.errors import SettingsError
from radiomics_vert.modeling import FAMILIES, ModelSpec, Preparation, build_pipeline


def test_pipeline_learns_everything_in_one_place_and_in_order():
    pipeline = build_pipeline(ModelSpec(), n_protected=3)
    assert [name for name, _ in pipeline.steps] == [
        "impute",
        "near_constant",
        "correlation",
        "select",
        "scale",
        "model",
    ]
    assert {
        pipeline.get_params()[f"{step}__n_protected"] for step in ("near_constant", "correlation", "select")
    } == {3}


def test_settings_of_the_preparation_reach_the_pipeline():
    preparation = Preparation(0.8, 0.7, "pearson", missing_indicator=True)
    pipeline = build_pipeline(ModelSpec(preparation=preparation, class_weight="balanced"))
    assert pipeline["near_constant"].max_share == 0.8
    assert pipeline["correlation"].threshold == 0.7
    assert pipeline["correlation"].method == "pearson"
    assert pipeline["impute"].add_indicator is True
    assert pipeline["model"].class_weight == "balanced"


def test_missing_values_are_filled_from_the_training_rows_and_empty_features_go():
    X = np.array([[1.0, np.nan, 5.0], [3.0, np.nan, 1.0], [np.nan, np.nan, 4.0], [8.0, np.nan, 2.0]])
    pipeline = build_pipeline(ModelSpec())[:2]
    out = pipeline.fit_transform(X)
    np.testing.assert_array_equal(out, [[1, 5], [3, 1], [3, 4], [8, 2]])


def test_missing_indicator_becomes_a_column_of_its_own():
    X = np.column_stack([np.where(np.arange(10) % 2, np.nan, np.arange(10)), np.arange(10.0)])
    spec = ModelSpec(preparation=Preparation(missing_indicator=True))
    names = build_pipeline(spec)[:1].fit(X).get_feature_names_out(["a", "b"]).tolist()
    assert names == ["a", "b", "missingindicator_a"]


def test_grid_runs_from_simple_to_complex_with_the_penalty_fastest():
    points = ModelSpec(grid={"k": (5, 10), "l1_ratio": (0.1, 0.9), "C": (0.1, 1.0)}).points(100)
    assert len(points) == 8
    assert points[0] == {"k": 5, "l1_ratio": 0.1, "C": 0.1}
    assert points[1] == {"k": 5, "l1_ratio": 0.1, "C": 1.0}
    assert points[-1] == {"k": 10, "l1_ratio": 0.9, "C": 1.0}


def test_selection_sizes_beyond_the_features_are_one_point():
    spec = ModelSpec(grid={"k": (2, 5, 10), "l1_ratio": (0.5,), "C": (1.0,)})
    assert [point["k"] for point in spec.points(4)] == [2, 4]
    assert [point["k"] for point in spec.points(0)] == [0]


def test_a_partial_grid_keeps_the_other_defaults():
    spec = ModelSpec(grid={"C": [0.3]})
    assert spec.as_dict()["grid"] == {
        "k": list(FAMILIES["elastic_net"].grid["k"]),
        "l1_ratio": list(FAMILIES["elastic_net"].grid["l1_ratio"]),
        "C": [0.3],
    }


@pytest.mark.parametrize(
    ("settings", "expected", "found", "where"),
    [
        (
            {"name": "forest"},
            "one of: elastic_net, linear_svm, rbf_svm, random_forest, hist_gradient_boosting, "
            "single_feature, takigawa, published",
            "'forest'",
            "model specification, model",
        ),
        ({"grid": {"gamma": (1,)}}, "keys among: k, l1_ratio, C", "'gamma'", "model specification, grid"),
        ({"grid": {"C": ()}}, "at least one value", "'an empty list'", "model specification, grid.C"),
        (
            {"class_weight": "heavy"},
            "none or balanced",
            "'heavy'",
            "model specification, class_weight",
        ),
        (
            {"resampling": "smote"},
            "none or oversample",
            "'smote'",
            "model specification, resampling",
        ),
        (
            {"resampling": "oversample", "class_weight": "balanced"},
            "none beside a class weight",
            "'oversample'",
            "model specification, resampling",
        ),
    ],
)
def test_wrong_model_settings_are_named(settings, expected, found, where):
    with pytest.raises(SettingsError) as error:
        ModelSpec(**settings)
    (problem,) = error.value.problems
    assert (problem.code, problem.expected, problem.found, problem.where) == (
        "RV602",
        expected,
        found,
        where,
    )


@pytest.mark.parametrize(
    "settings",
    [
        {"max_share": 0.0},
        {"correlation_threshold": 1.2},
        {"correlation_method": "kendall"},
        {"selection": "boruta"},
        {"min_icc": 1.5},
        {"harmonise": "cyclegan"},
        {"unseen_site": "guess"},
    ],
)
def test_wrong_preparation_settings_are_refused(settings):
    with pytest.raises(SettingsError) as error:
        Preparation(**settings)
    assert [problem.code for problem in error.value.problems] == ["RV602"]
    assert next(iter(settings)) in error.value.problems[0].where
