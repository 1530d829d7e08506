"""The final model: chosen by grouped folds, fitted on all rows, described without naming anyone."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from sklearn.model_selection import cross_val_predict

from radiomics_vert.dataset.nouns import Dataset
from radiomics_vert.modeling import (
    ModelSpec,
    ValidationSpec,
    build_pipeline,
    feature_unit,
    fit_final,
    grouped_folds,
)
from radiomics_vert.provenance import Provenance

ONE_POINT = ModelSpec(grid={"k": (5,), "l1_ratio": (0.5,), "C": (0.5,)})
RULES = ValidationSpec(inner_folds=3, seed=4)
DatasetFactory = Callable[..., Dataset]


def test_threshold_is_the_best_youden_cut_of_the_grouped_folds(make_dataset: DatasetFactory) -> None:
    dataset = make_dataset(1, shift=0.8)
    fitted = fit_final(dataset, ONE_POINT, RULES)
    X, y, groups = dataset.X.to_numpy(), dataset.y.to_numpy(), dataset.groups.to_numpy()
    pipeline = build_pipeline(ONE_POINT).set_params(select__k=5, model__l1_ratio=0.5, model__C=0.5)
    folds = grouped_folds(y, groups, 3, (4, 0, 0))
    p = cross_val_predict(pipeline, X, y, cv=folds, method="predict_proba")[:, 1]
    youden = {cut: (p[y == 1] >= cut).mean() - (p[y == 0] >= cut).mean() for cut in p}
    best = max(youden.values())
    assert fitted.threshold == pytest.approx(max(cut for cut, j in youden.items() if j > best - 1e-9))
    assert fitted.point == {"k": 5, "l1_ratio": 0.5, "C": 0.5}


def test_is_fitted_once_on_all_rows(make_dataset: DatasetFactory) -> None:
    dataset = make_dataset(1, shift=0.8)
    fitted = fit_final(dataset, ONE_POINT, RULES)
    assert fitted.pipeline["scale"].n_samples_seen_ == len(dataset) == 60
    plain = build_pipeline(ONE_POINT).set_params(select__k=5, model__l1_ratio=0.5, model__C=0.5)
    expected = plain.fit(dataset.X.to_numpy(), dataset.y.to_numpy()).predict_proba(dataset.X.to_numpy())
    np.testing.assert_array_equal(fitted.pipeline.predict_proba(dataset.X.to_numpy()), expected)


def test_the_better_grid_point_of_the_folds_wins(make_dataset: DatasetFactory) -> None:
    dataset = make_dataset(2, shift=1.5)
    useless = ModelSpec(grid={"k": (5,), "l1_ratio": (0.9,), "C": (1e-4, 1.0)})
    assert fit_final(dataset, useless, RULES).point["C"] == 1.0


def test_no_measure_of_its_own_fit_is_kept(make_dataset: DatasetFactory) -> None:
    facts = fit_final(make_dataset(), ONE_POINT, RULES).as_dict()
    assert set(facts) == {
        "inputs",
        "threshold",
        "point",
        "model",
        "validation",
        "development",
        "versions",
        "harmonisation",
    }
    assert set(facts["development"]) == {
        "n",
        "n_subjects",
        "prevalence",
        "outcome",
        "positive",
        "negative",
        "parameters",
        "data",
        "salt",
        "patients",
        "images",
        "spellings",
        "vertebrae",
    }


def test_ranges_of_the_development_data(make_dataset: DatasetFactory) -> None:
    dataset = make_dataset(patients=102, per_patient=1)
    values = np.random.default_rng(0).permutation(np.append(np.arange(101.0), np.nan))
    X = dataset.X.assign(f003=values, f004=7.0)
    fitted = fit_final(replace(dataset, X=X), ONE_POINT, RULES)
    one = next(i for i in fitted.inputs if i.name == "f003")
    assert (one.low, one.p01, one.p99, one.high) == (0.0, 1.0, 99.0, 100.0)
    assert one.missing == pytest.approx(1 / 102)
    assert "f004" in fitted.features
    assert "f004" not in fitted.used
    assert set(fitted.used) < set(fitted.features)
    assert len(fitted.used) == 5
    assert fitted.development.prevalence == 0.5
    assert fitted.development.n_subjects == 102


def test_covariates_are_coded_by_the_values_of_the_development_data(make_dataset: DatasetFactory) -> None:
    dataset = make_dataset()
    center = pd.Series("one hospital", index=dataset.X.index)
    dataset = replace(dataset, covariates=dataset.covariates.assign(center=center))
    fitted = fit_final(dataset, ONE_POINT, RULES, with_covariates=True)
    assert fitted.features[:3] == ("age", "sex", "f000")  # one value only: no column
    assert fitted.columns[:3] == ("age", "sex=male", "f000")
    sex = fitted.inputs[1]
    column = pd.Series(["male", "female", "diverse", None])
    np.testing.assert_array_equal(sex.encode(column)[:, 0], [1.0, 0.0, np.nan, np.nan])
    assert sex.out_of_range(column).tolist() == [False, False, True, False]
    assert "sex" not in fit_final(dataset, ONE_POINT, RULES).features


def test_patients_are_known_by_salted_hash_only(make_dataset: DatasetFactory) -> None:
    dataset = replace(make_dataset(), provenance=Provenance({"images": ["aa", "bb"]}))
    own = fit_final(dataset, ONE_POINT, RULES).development
    assert own.known_patients(["P000", " p001 ", "P030", "Q000"]) == [" p001 ", "P000"]
    assert own.known_images(["bb", "cc"]) == ["bb"]
    assert len(own.patients) == 30
    assert not any("P0" in one or "p0" in one for one in own.patients)
    other = fit_final(make_dataset(5), ONE_POINT, RULES).development
    assert set(own.patients).isdisjoint(other.patients)  # same ids, other data, other salt


def test_parameters_of_the_sequences_that_the_features_come_from(make_dataset: DatasetFactory) -> None:
    dataset = make_dataset()
    tables = [
        {"parameters": {"T1": {"name": "t1", "digest": "11"}, "T2": {"name": "t2", "digest": "22"}}},
        {"parameters": {"T1": {"name": "signs", "digest": "01"}}},
    ]
    dataset = replace(dataset, provenance=Provenance({"features": tables}))
    both = {"T1": ("01", "11"), "T2": ("22",)}
    assert fit_final(dataset, ONE_POINT, RULES).development.parameters == both
    named = replace(dataset, X=dataset.X.add_prefix("T1__"))
    assert fit_final(named, ONE_POINT, RULES).development.parameters == {"T1": ("01", "11")}
    assert fit_final(make_dataset(), ONE_POINT, RULES).development.parameters == {}


def test_units_know_the_only_sequence(make_dataset: DatasetFactory) -> None:
    dataset = make_dataset(features=3)
    X = dataset.X.set_axis(["original_firstorder_Mean", "original_glcm_Contrast", "f"], axis=1)
    ct = Provenance({"features": [{"parameters": {"CT": {"digest": "11"}}}]})
    inputs = fit_final(replace(dataset, X=X, provenance=ct), ONE_POINT, RULES).inputs
    assert [one.unit for one in inputs] == ["HU", "none", "not known"]


@pytest.mark.parametrize(
    ("name", "unit"),
    [
        ("original_shape_Maximum3DDiameter", "mm"),
        ("original_shape_SurfaceArea", "mm2"),
        ("original_shape_VoxelVolume", "mm3"),
        ("original_shape_SurfaceVolumeRatio", "1/mm"),
        ("original_shape_Sphericity", "none"),
        ("original_shape2D_Perimeter", "mm"),
        ("T1__original_firstorder_90Percentile", "grey value"),
        ("CT__original_firstorder_Variance", "HU^2"),
        ("CT__log-sigma-2-0-mm-3D_firstorder_Mean", "grey value"),
        ("CT__original_firstorder_TotalEnergy", "mm3 HU^2"),
        ("CT__original_firstorder_Kurtosis", "none"),
        ("CT__original_glszm_ZoneVariance", "none"),
        ("age", "not known"),
    ],
)
def test_unit(name: str, unit: str) -> None:
    assert feature_unit(name) == unit


def test_all_sites_take_part_also_where_validation_left_one_out(make_dataset: DatasetFactory) -> None:
    dataset = make_dataset()
    number = pd.Series(range(60), index=dataset.X.index) // 2
    # Site c holds patients of one class only, which leave-one-site-out cannot test.
    site = np.where(number % 2 == 1, "c", np.where(number < 14, "a", "b"))
    site = np.where((number % 2 == 1) & (number > 4), np.where(number < 14, "a", "b"), site)
    dataset = replace(dataset, info=dataset.info.assign(site=site))
    fitted = fit_final(dataset, ONE_POINT, replace(RULES, scheme="leave_one_site_out", repeats=1))
    assert fitted.development.n == 60
    assert fitted.pipeline["scale"].n_samples_seen_ == 60
