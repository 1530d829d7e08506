from __future__ import annotations

import dataclasses

import numpy as np
import pandas as pd
import pytest

from radiomics_vert.errors import AnalysisError
from radiomics_vert.feature_table import IDENTITY, FeatureTable
from radiomics_vert.modeling import (
    ModelSpec,
    Preparation,
    ReliabilityFilter,
    ValidationSpec,
    cross_validate,
    repeated_measurements,
)
from radiomics_vert.modeling.preparation import icc_agreement
from radiomics_vert.statistics.icc import icc_estimate, mean_squares

SHROUT_FLEISS = np.array(
    [[9, 2, 5, 8], [6, 1, 3, 2], [8, 4, 6, 8], [7, 1, 2, 6], [10, 5, 6, 9], [6, 2, 4, 7]], dtype=float
)
SPEC = ModelSpec(grid={"k": (4,), "l1_ratio": (0.5,), "C": (0.5,)}, preparation=Preparation(min_icc=0.7))
QUICK = ValidationSpec(outer_folds=3, inner_folds=2, repeats=1, n_boot=10)


def _again(rng: np.random.Generator, X: pd.DataFrame, unreliable: int) -> pd.DataFrame:
    noise = np.where(np.arange(X.shape[1]) < unreliable, 3.0, 0.1)
    return X + noise * rng.normal(size=X.shape)


@pytest.fixture(scope="module")
def measured(make_dataset):
    """The strong features 0 and 1 are unreliable, the weaker others are not."""
    dataset = make_dataset(3, patients=30, features=6, shift=2.0)
    rng = np.random.default_rng(0)
    return dataset, [_again(rng, dataset.X, 2) for _ in range(2)]


def test_icc_of_the_published_example():
    assert icc_agreement(SHROUT_FLEISS[:, :, None])[0] == pytest.approx(0.2898, abs=5e-5)


def test_icc_equals_the_one_of_the_reliability_statistics():
    rng = np.random.default_rng(1)
    cube = rng.normal(size=(23, 1, 9)) * rng.uniform(0.2, 3, 9) + rng.normal(size=(23, 4, 9)) + 1e4
    cube[:, 2] += 1.0
    cube[3, 1, 0] = cube[7, 0, 0] = cube[7, 2, 4] = np.nan
    expected = icc_estimate(mean_squares(cube), "ICC(2,1)")
    np.testing.assert_allclose(icc_agreement(cube), expected, rtol=1e-8)


def test_icc_needs_five_rows_and_some_variation():
    cube = np.random.default_rng(2).normal(size=(6, 2, 3))
    cube[:2, 1, 0] = np.nan
    cube[:, :, 1] = 4.0
    found = icc_agreement(cube)
    assert np.isnan(found[:2]).all()
    assert np.isfinite(found[2])


def test_unreliable_features_go_and_protected_ones_stay(measured):
    dataset, repeats = measured
    cube = np.stack([table.to_numpy() for table in repeats], axis=1)
    X = dataset.X.to_numpy()
    assert ReliabilityFilter(0.7).fit(X, repeats=cube).get_support().tolist() == [False] * 2 + [True] * 4
    protected = np.column_stack([np.ones(len(X)), X])
    support = ReliabilityFilter(0.7, n_protected=1).fit(protected, repeats=cube).get_support()
    assert support.tolist() == [True, False, False, True, True, True, True]


def test_nothing_reliable_and_nothing_repeated_are_refused(measured):
    dataset, repeats = measured
    cube = np.stack([table.to_numpy() for table in repeats], axis=1)
    with pytest.raises(AnalysisError) as error:
        ReliabilityFilter(0.7).fit(dataset.X.to_numpy()[:, :2], repeats=cube[:, :, :2])
    (problem,) = error.value.problems
    assert problem.code == "RV503"
    assert problem.found.startswith("none among 2: the largest is 0.")
    with pytest.raises(AnalysisError, match="repeated measurements of the training rows"):
        ReliabilityFilter().fit(dataset.X.to_numpy())
    with pytest.raises(AnalysisError) as error:
        cross_validate(dataset, SPEC, QUICK)
    assert error.value.problems[0].where == "preparation, min_icc"


def test_the_filter_in_cross_validation_drops_unreliable_features(measured):
    dataset, repeats = measured
    free = cross_validate(dataset, dataclasses.replace(SPEC, preparation=Preparation()), QUICK)
    assert {"f000", "f001"} <= set(free.frame("selection")["feature"])
    filtered = cross_validate(dataset, SPEC, QUICK, repeats=repeats)
    assert not {"f000", "f001"} & set(filtered.frame("selection")["feature"])
    both = cross_validate(dataset, SPEC, QUICK, repeats=repeats, with_covariates=True)
    assert {"age"} <= set(both.frame("selection")["feature"])


def test_repeated_measurements_of_test_rows_teach_nothing(measured):
    dataset, repeats = measured
    first = cross_validate(dataset, SPEC, QUICK, repeats=repeats)
    test = first.frame("predictions").query("fold == 1")["unit"]
    poisoned = [table.copy() for table in repeats]
    for table in poisoned:
        table.loc[test, ["f004", "f005"]] += 50.0
    again = cross_validate(dataset, SPEC, QUICK, repeats=poisoned)
    pd.testing.assert_frame_equal(
        first.frame("predictions").query("fold == 1"), again.frame("predictions").query("fold == 1")
    )
    # In the other folds these are training rows: there the two features go.
    others = again.frame("folds").query("fold != 1")
    assert (others["k"] == 2).all() or not first.frame("predictions").equals(again.frame("predictions"))


def _table(dataset, raters: dict[str, pd.DataFrame]) -> FeatureTable:
    parts = []
    for rater, X in raters.items():
        part = X.copy()
        subject, level = zip(*(unit.split("_") for unit in X.index), strict=True)
        identity = {
            "case_id": list(X.index), "subject_id": subject, "session": "", "sequence": "CT",
            "rater": rater, "site": "", "level": level, "label": 1,
        }  # fmt: skip
        for place, name in enumerate(IDENTITY):
            part.insert(place, name, identity[name])
        parts.append(part)
    values = pd.concat(parts, ignore_index=True)
    return FeatureTable(values, values.iloc[:0, :8], values.iloc[:, :1], len(values))


def test_repeats_are_lined_up_with_the_dataset(measured):
    dataset, repeats = measured
    second = repeats[0].iloc[::-1].drop(index="P003_L1")
    extra = second.rename(index={"P004_L2": "P999_L2"})
    found = repeated_measurements(_table(dataset, {"A": dataset.X, "B": extra}), dataset)
    (table,) = found  # A is the first measurement itself
    pd.testing.assert_index_equal(table.index, dataset.X.index)
    assert table.isna().all(axis=1).sum() == 2
    assert table.loc["P007_L2"].tolist() == repeats[0].loc["P007_L2"].tolist()
    with pytest.raises(AnalysisError) as error:
        repeated_measurements(_table(dataset, {"A": dataset.X}), dataset)
    assert error.value.problems[0].found == "60 rows by 1 raters, none a second measurement"
