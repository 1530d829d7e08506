"""Predicting with a locked model: the same numbers, and everything unusual said or refused."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from radiomics_vert.dataset.nouns import Dataset
from radiomics_vert.errors import AnalysisError, DatasetError
from radiomics_vert.modeling import FittedModel, ModelSpec, ValidationSpec, fit_final, predict
from radiomics_vert.provenance import Provenance
from radiomics_vert.results import Result

DatasetFactory = Callable[..., Dataset]
CT = Provenance({"features": [{"parameters": {"CT": {"name": "ct", "digest": "d1"}}}]})


@pytest.fixture(scope="module")
def development(make_dataset: DatasetFactory) -> Dataset:
    return replace(make_dataset(3, shift=1.0), provenance=CT)


@pytest.fixture(scope="module")
def fitted(development: Dataset) -> FittedModel:
    model = ModelSpec(grid={"k": (4,), "l1_ratio": (0.1,), "C": (0.5,)})
    return fit_final(development, model, ValidationSpec(inner_folds=3), with_covariates=True)


@pytest.fixture
def table(make_dataset: DatasetFactory) -> pd.DataFrame:
    new = make_dataset(8, patients=7, per_patient=1)
    # The rows stand at values that the development data hold.
    frame = new.X.clip(-1, 1).assign(age=62.0, sex=new.covariates["sex"], subject_id=new.groups)
    return frame.rename_axis(index="unit").reset_index()


def test_probability_and_decision(fitted: FittedModel, table: pd.DataFrame) -> None:
    found = predict(fitted, table).frame()
    X = np.column_stack(
        [table["age"], (table["sex"] == "male").astype(float), table[[f"f{j:03d}" for j in range(12)]]]
    )
    expected = fitted.pipeline.predict_proba(X)[:, 1]
    np.testing.assert_array_equal(found["probability"], expected)
    positive = expected >= fitted.threshold
    assert found["decision"].tolist() == np.where(positive, "metastatic", "osteoporotic").tolist()
    assert found["unit"].tolist() == table["unit"].tolist()
    assert found["subject_id"].tolist() == table["subject_id"].tolist()
    assert (found["n_out_of_range"] == 0).all()
    assert (found["note"] == "").all()


def test_the_threshold_itself_is_positive(fitted: FittedModel, table: pd.DataFrame) -> None:
    probability = float(predict(fitted, table).frame()["probability"].iloc[0])
    assert predict(replace(fitted, threshold=probability), table).frame()["decision"].iloc[0] == "metastatic"
    above = replace(fitted, threshold=float(np.nextafter(probability, 1)))
    assert predict(above, table).frame()["decision"].iloc[0] == "osteoporotic"


def test_rows_and_columns_in_any_order_give_the_same(fitted: FittedModel, table: pd.DataFrame) -> None:
    whole = predict(fitted, table).frame().set_index("unit")["probability"]
    turned = table.iloc[::-1, ::-1]
    pd.testing.assert_series_equal(
        predict(fitted, turned).frame().set_index("unit")["probability"].loc[whole.index], whole
    )
    alone = predict(fitted, table.iloc[[2]]).frame()["probability"].iloc[0]
    assert alone == pytest.approx(whole.iloc[2], rel=1e-14)


def test_dataset_and_table_agree(fitted: FittedModel, development: Dataset) -> None:
    frame = pd.concat([development.covariates, development.X], axis=1)
    from_table = predict(fitted, frame).frame()
    from_dataset = predict(fitted, development).frame()
    np.testing.assert_array_equal(from_table["probability"], from_dataset["probability"])
    assert from_dataset["subject_id"].tolist() == development.groups.tolist()
    assert (from_table["subject_id"] == "").all()
    assert (from_dataset["n_out_of_range"] == 0).all()  # the development data lie within themselves


def test_a_feature_table_names_its_rows_by_case(fitted: FittedModel, table: pd.DataFrame) -> None:
    cases = table.rename(columns={"unit": "case_id"}).assign(level="L1", sequence="CT", label=20)
    result = predict(fitted, cases)
    assert result.frame()["unit"].tolist() == table["unit"].tolist()
    assert result.spec["n_ignored_columns"] == 0


def test_out_of_range_is_flagged_for_used_inputs(fitted: FittedModel, table: pd.DataFrame) -> None:
    used = [name for name in fitted.used if name.startswith("f")]
    unused = next(name for name in fitted.features if name not in fitted.used)
    limits = {one.name: one for one in fitted.inputs}
    table.loc[0, used[0]] = limits[used[0]].high + 1e-9  # type: ignore[operator]
    table.loc[1, used[1]] = limits[used[1]].low - 1e-9  # type: ignore[operator]
    table.loc[1, "age"] = 150.0
    table.loc[2, used[0]] = limits[used[0]].high
    table.loc[3, unused] = 1e6
    result = predict(fitted, table)
    found = result.frame()
    assert found["n_out_of_range"].tolist() == [1, 2, 0, 0, 0, 0, 0]
    assert found["out_of_range"].tolist()[:3] == [used[0], f"age, {used[1]}", ""]
    assert "2 of 6 used inputs outside the development data" in found["note"].iloc[1]
    inputs = result.frame("inputs").set_index("feature")
    assert inputs.loc[used[0], "share_out_of_range"] == pytest.approx(1 / 7)
    assert inputs.loc[unused, "share_out_of_range"] == pytest.approx(1 / 7)
    assert inputs.loc[used[0], "share_beyond_p01_p99"] == pytest.approx(2 / 7)
    assert inputs.loc[used[0], "train_max"] == limits[used[0]].high
    assert not inputs.loc[unused, "used"]


def test_missing_values_take_the_training_median(
    fitted: FittedModel, development: Dataset, table: pd.DataFrame
) -> None:
    name = next(name for name in fitted.used if name.startswith("f"))
    filled, gone = table.copy(), table.copy()
    filled.loc[0, name] = development.X[name].median()
    gone.loc[0, name] = np.nan
    result = predict(fitted, gone)
    np.testing.assert_array_equal(
        result.frame()["probability"], predict(fitted, filled).frame()["probability"]
    )
    assert result.frame()["n_missing"].tolist() == [1, 0, 0, 0, 0, 0, 0]
    assert "1 of 6 used inputs missing" in result.frame()["note"].iloc[0]
    share = result.frame("inputs").set_index("feature").loc[name, "share_missing"]
    assert share == pytest.approx(1 / 7)


def test_a_row_without_any_value_is_not_predicted(fitted: FittedModel, table: pd.DataFrame) -> None:
    table.loc[1, list(fitted.used)] = np.nan
    found = predict(fitted, table).frame()
    assert np.isnan(found["probability"].iloc[1])
    assert found["decision"].iloc[1] == ""
    assert "not predicted" in found["note"].iloc[1]
    assert found["probability"].drop(1).notna().all()


def test_text_that_the_development_data_did_not_hold(fitted: FittedModel, table: pd.DataFrame) -> None:
    unknown, gone = table.copy(), table.copy()
    unknown.loc[0, "sex"] = "M"
    gone.loc[0, "sex"] = None
    found = predict(fitted, unknown).frame()
    assert found["out_of_range"].iloc[0] == "sex"
    np.testing.assert_array_equal(found["probability"], predict(fitted, gone).frame()["probability"])


def test_every_missing_column_is_named(fitted: FittedModel, table: pd.DataFrame) -> None:
    used = [name for name in fitted.used if name.startswith("f")]
    with pytest.raises(AnalysisError, match="RV512") as caught:
        predict(fitted, table.drop(columns=["sex", *used[1:]]))
    (problem,) = caught.value.problems
    assert problem.found == f"no column for {', '.join(['sex', *used[1:]])}"


def test_a_column_that_filters_took_out_may_be_absent(fitted: FittedModel, table: pd.DataFrame) -> None:
    unused = [name for name in fitted.features if name not in fitted.used]
    result = predict(fitted, table.drop(columns=unused).assign(remark="x", f999=1.0))
    np.testing.assert_array_equal(
        result.frame()["probability"], predict(fitted, table).frame()["probability"]
    )
    assert result.spec["absent_unused_inputs"] == unused
    assert len(unused) == 8
    assert result.spec["n_ignored_columns"] == 2


def test_what_is_no_number_is_refused(fitted: FittedModel, table: pd.DataFrame) -> None:
    with pytest.raises(DatasetError, match=r"RV404[\s\S]*'1,5 HU'[\s\S]*f000"):
        predict(fitted, table.assign(f000="1,5 HU"))
    with pytest.raises(AnalysisError, match=r"RV309[\s\S]*f001"):
        predict(fitted, table.assign(f001=np.inf))
    with pytest.raises(AnalysisError, match=r"RV405[\s\S]*P000_L1"):
        predict(fitted, pd.concat([table, table.iloc[[0]]]))
    with pytest.raises(AnalysisError, match=r"RV405[\s\S]*f000"):
        predict(fitted, pd.concat([table, table[["f000"]]], axis=1))


def test_other_extraction_parameters_are_refused(
    fitted: FittedModel, development: Dataset, table: pd.DataFrame
) -> None:
    other = Provenance({"features": [{"parameters": {"CT": {"name": "ct", "digest": "d2"}}}]})
    with pytest.raises(AnalysisError, match=r"RV511[\s\S]*CT: digest d1[\s\S]*CT: d2"):
        predict(fitted, replace(development, provenance=other))
    with pytest.raises(AnalysisError, match=r"RV511[\s\S]*no such sequence"):
        predict(fitted, table, parameters={"T1": "d1"})
    equal = predict(fitted, table, parameters={"CT": "d1", "T1": "d9"})
    assert equal.spec["parameters"] == "equal to those of the model"
    assert predict(fitted, table).spec["parameters"] == "not stated, so not compared"


def test_nothing_is_refitted(fitted: FittedModel, table: pd.DataFrame) -> None:
    model = fitted.pipeline[-1]
    before = (model.coef_.copy(), model.intercept_.copy(), fitted.pipeline["impute"].statistics_.copy())
    predict(fitted, table.assign(f000=50.0))
    after = (model.coef_, model.intercept_, fitted.pipeline["impute"].statistics_)
    for one, other in zip(before, after, strict=True):
        np.testing.assert_array_equal(one, other)


def test_result_can_be_stored(fitted: FittedModel, table: pd.DataFrame, tmp_path: Path) -> None:
    result = predict(fitted, table)
    result.save(tmp_path)
    again = Result.load(tmp_path, "prediction")
    np.testing.assert_array_equal(again.frame()["probability"], result.frame()["probability"])
    assert again.spec == result.spec
