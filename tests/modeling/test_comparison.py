from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from scipy.stats import ttest_1samp

from radiomics_vert.errors import AnalysisError
from radiomics_vert.modeling import ModelSpec, ValidationSpec, combine, cross_validate
from radiomics_vert.modeling.comparison import compare, corrected_resampled_t
from radiomics_vert.results import Result
from radiomics_vert.roc import clustered_auc_difference

SPEC = ModelSpec(grid={"k": (3,), "l1_ratio": (0.5,), "C": (1.0,)})
QUICK = ValidationSpec(outer_folds=4, inner_folds=2, repeats=3, seed=3, n_boot=10)


@pytest.fixture(scope="module")
def validated(make_dataset) -> Result:
    dataset = make_dataset(1, patients=36, features=10, shift=1.5)
    return combine(
        [
            cross_validate(dataset, SPEC, QUICK, feature_set="texture"),
            cross_validate(dataset, SPEC, QUICK, features=["f005", "f006"], feature_set="noise"),
        ]
    )


def test_corrected_t_is_the_ordinary_one_without_shared_rows():
    values = np.random.default_rng(0).normal(0.05, 0.1, 12)
    found, oracle = corrected_resampled_t(values, 0.0, 0.9), ttest_1samp(values, 0)
    assert found.p_value == pytest.approx(oracle.pvalue)
    assert found[1:3] == pytest.approx(tuple(oracle.confidence_interval(0.9)))


def test_corrected_t_by_hand():
    # Mean 0.04, s = 0.02, error = 0.02 * sqrt(1/3 + 0.25); t(2) has a closed form.
    found = corrected_resampled_t([0.02, np.nan, 0.04, 0.06], 0.25)
    t = 0.04 / (0.02 * np.sqrt(1 / 3 + 0.25))
    assert found.p_value == pytest.approx(1 - t / np.sqrt(2 + t**2))
    assert (found.estimate, found.n) == (pytest.approx(0.04), 3)


def test_corrected_t_where_nothing_varies():
    assert corrected_resampled_t([0.0, 0.0], 0.25) == (0.0, 0.0, 0.0, 1.0, 2)
    assert corrected_resampled_t([0.1, 0.1], 0.25).p_value == 0.0
    assert np.isnan(corrected_resampled_t([0.1], 0.25).p_value)


def test_a_better_feature_set_is_told(validated):
    result = compare(validated)
    assert result.kind == "comparison"
    table = result.frame("differences")
    assert table.columns.tolist() == [
        "a", "b", "estimate", "ci_low", "ci_high", "p_value", "p_nadeau_bengio", "n_repeats", "note",
    ]  # fmt: skip
    (row,) = table.to_dict("records")
    assert (row["a"], row["b"]) == ("texture, elastic_net", "noise, elastic_net")
    assert row["ci_low"] > 0.1
    assert row["p_value"] < 0.001
    # The test over folds also allows for the choice of training rows, with 12 folds only.
    assert row["p_value"] < row["p_nadeau_bengio"] < 0.1
    assert row["n_repeats"] == 3


def test_difference_is_the_median_over_repeats(validated):
    (row,) = compare(validated, confidence=0.8).frame().to_dict("records")
    predictions = validated.frame("predictions").set_index(["feature_set", "repeat"]).sort_index()
    each = []
    for repeat in (1, 2, 3):
        a, b = (predictions.loc[(name, repeat)] for name in ("texture", "noise"))
        found = clustered_auc_difference(
            a["y"], a["probability"], b["probability"], a["subject_id"], confidence=0.8
        )
        each.append((found.estimate, found.ci_low, found.ci_high, found.p_value))
    expected = np.median(each, axis=0)
    assert [row[name] for name in ("estimate", "ci_low", "ci_high", "p_value")] == pytest.approx(expected)
    auc = validated.frame().query("metric == 'auc'")["estimate"].to_numpy()
    assert row["estimate"] == pytest.approx(auc[0] - auc[1], abs=0.05)


def test_the_fold_test_uses_the_aucs_of_the_same_folds(validated):
    (row,) = compare(validated).frame().to_dict("records")
    folds = validated.frame("folds")
    gaps = folds["auc"].to_numpy()[:12] - folds["auc"].to_numpy()[12:]
    share = (folds["n_test"] / folds["n_train"]).mean()
    assert row["p_nadeau_bengio"] == pytest.approx(corrected_resampled_t(gaps, share).p_value)


def test_other_folds_leave_out_the_fold_test_only(validated):
    tables = dict(validated.tables)
    predictions = validated.frame("predictions")
    noise = predictions["feature_set"] == "noise"
    predictions.loc[noise, "fold"] = predictions.loc[noise, "fold"] % 4 + 1
    (row,) = compare(Result("validation", {**tables, "predictions": predictions})).frame().to_dict("records")
    assert np.isnan(row["p_nadeau_bengio"])
    assert "not on the same folds" in row["note"]
    assert row["estimate"] == compare(validated).frame()["estimate"][0]


def test_one_model_and_other_vertebrae_are_refused(validated):
    def only(keep) -> Result:
        return Result("validation", {name: table[keep(table)] for name, table in validated.tables.items()})

    with pytest.raises(AnalysisError, match="RV503"):
        compare(only(lambda table: table["feature_set"] == "noise"))
    tables = dict(validated.tables)
    predictions = validated.frame("predictions")
    tables["predictions"] = predictions.drop(predictions.index[[0]])
    with pytest.raises(AnalysisError, match="same vertebrae"):
        compare(Result("validation", tables))


def test_every_pair_once(validated):
    third = [table.assign(feature_set="third") for table in validated.tables.values()]
    tables = {
        name: pd.concat([table, extra[extra["model"].notna()].head(len(table) // 2)], ignore_index=True)
        for (name, table), extra in zip(validated.tables.items(), third, strict=True)
    }
    pairs = compare(Result("validation", tables)).frame()[["a", "b"]]
    names = [f"{name}, elastic_net" for name in ("texture", "noise", "third")]
    assert pairs.to_numpy().tolist() == [[names[0], names[1]], [names[0], names[2]], [names[1], names[2]]]
