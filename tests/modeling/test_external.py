"""External validation: the locked numbers, updating beside them, and no patient twice."""

from __future__ import annotations

import gzip
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy.special import expit, logit
from sklearn.linear_model import LogisticRegression

from radiomics_vert.dataset.nouns import Dataset
from radiomics_vert.dataset.plain import read_dataset
from radiomics_vert.errors import AnalysisError, SettingsError
from radiomics_vert.modeling import (
    FittedModel,
    ModelSpec,
    ValidationSpec,
    fit_final,
    load_bundle,
    predict,
    recalibration,
    save_bundle,
    validate_external,
)
from radiomics_vert.modeling.overlap import row_fingerprints, telling_fingerprints
from radiomics_vert.provenance import Provenance
from radiomics_vert.results import Result

DatasetFactory = Callable[..., Dataset]
ONE_FOLD = ValidationSpec(inner_folds=3, n_boot=40)


@pytest.fixture(scope="module")
def fitted(make_dataset: DatasetFactory) -> FittedModel:
    dataset = replace(make_dataset(3, shift=0.7), provenance=Provenance({"images": ["i1", "i2"]}))
    model = ModelSpec(grid={"k": (4,), "l1_ratio": (0.1,), "C": (0.5,)})
    return fit_final(dataset, model, ValidationSpec(inner_folds=3, n_boot=40))


def elsewhere(dataset: Dataset, hospital: str) -> Dataset:
    """The same vertebrae under the ids of another hospital."""
    index = hospital + dataset.X.index
    groups = (hospital + dataset.groups).set_axis(index)
    parts = {name: getattr(dataset, name).set_axis(index) for name in ("X", "y", "covariates")}
    return replace(dataset, **parts, groups=groups, info=pd.DataFrame({"subject_id": groups}))


def rows_of(dataset: Dataset, rows: pd.Series[bool]) -> Dataset:
    """Some rows of a dataset."""
    names = ("X", "y", "groups", "covariates", "info")
    return replace(dataset, **{name: getattr(dataset, name)[rows] for name in names})


@pytest.fixture(scope="module")
def cohort(make_dataset: DatasetFactory) -> Dataset:
    return elsewhere(make_dataset(4, shift=0.7, patients=25), "B")


def test_metrics_are_those_of_the_locked_model(fitted: FittedModel, cohort: Dataset) -> None:
    result = validate_external(fitted, {"B": cohort}, prevalence=[0.1])
    y = cohort.y.to_numpy()
    p = fitted.pipeline.predict_proba(cohort.X.to_numpy())[:, 1]
    metrics = result.frame().set_index("metric")["estimate"]
    pairs = np.sign(p[y == 1][:, None] - p[y == 0][None, :])
    assert metrics["auc"] == pytest.approx(np.mean((pairs + 1) / 2))
    sensitivity, specificity = (p[y == 1] >= fitted.threshold).mean(), (p[y == 0] < fitted.threshold).mean()
    assert metrics["sensitivity"] == pytest.approx(sensitivity)
    assert metrics["specificity"] == pytest.approx(specificity)
    assert 0 < sensitivity < 1
    assert 0 < specificity < 1
    assert metrics["ppv"] == pytest.approx(y[p >= fitted.threshold].mean())
    assert metrics["brier"] == pytest.approx(np.mean((p - y) ** 2))
    highest = pd.Series(p).groupby(cohort.groups.to_numpy()).max()
    truth = pd.Series(y).groupby(cohort.groups.to_numpy()).max()
    pairs = np.sign(highest[truth == 1].to_numpy()[:, None] - highest[truth == 0].to_numpy()[None, :])
    assert metrics["auc_patient"] == pytest.approx(np.mean((pairs + 1) / 2))
    values = result.frame("predictive_values").set_index("metric")["estimate"]
    calls = (sensitivity * 0.1, (1 - specificity) * 0.9)
    assert values["ppv"] == pytest.approx(calls[0] / sum(calls))


def test_every_table_names_its_cohort(fitted: FittedModel, cohort: Dataset, tmp_path: Path) -> None:
    other = elsewhere(cohort, "C")
    result = validate_external(fitted, {"north": cohort, "south": other}, prevalence=[0.1, 0.4])
    assert list(result.tables) == [
        "metrics",
        "cohorts",
        "predictions",
        "inputs",
        "recalibration",
        "calibration",
        "roc",
        "pr",
        "calibration_curve",
        "decision_curve",
        "patients",
        "predictive_values",
    ]
    for table in result.tables.values():
        assert table["cohort"].unique().tolist() == ["north", "south"]
        north, south = (table[table["cohort"] == name].iloc[:, 1:] for name in ("north", "south"))
        assert len(north) == len(south)
    alone = validate_external(fitted, {"north": cohort}, prevalence=[0.1, 0.4])
    for name, table in alone.tables.items():
        together = result.frame(name).query("cohort == 'north'").reset_index(drop=True)
        pd.testing.assert_frame_equal(together, table)
    result.save(tmp_path)
    assert Result.load(tmp_path, "external").frame()["estimate"].equals(result.frame()["estimate"])


def test_a_loaded_bundle_gives_the_same_and_the_same_as_predict(
    fitted: FittedModel, cohort: Dataset, tmp_path: Path
) -> None:
    save_bundle(fitted, tmp_path / "model")
    loaded = load_bundle(tmp_path / "model")
    first, second = (validate_external(one, {"B": cohort}) for one in (fitted, loaded))
    for name, table in first.tables.items():
        pd.testing.assert_frame_equal(second.frame(name), table, check_exact=True)
    predictions = predict(loaded, cohort).frame()
    own = second.frame("predictions")
    np.testing.assert_array_equal(own["probability"], predictions["probability"])
    assert (own["decision"] == (predictions["decision"] == "metastatic")).all()
    assert (own["threshold"] == fitted.threshold).all()
    assert own["y"].tolist() == cohort.y.tolist()


@pytest.mark.parametrize(("shift", "slope"), [(0.7, 0.6), (-1.2, 1.0), (0.0, 1.8)])
def test_recalibration_recovers_a_planted_shift(shift: float, slope: float) -> None:
    rng = np.random.default_rng(11)
    linear = rng.normal(-0.3, 1.2, 8000)
    y = (rng.random(8000) < expit(shift + slope * linear)).astype(int)
    table = recalibration(y, expit(linear), np.arange(8000).astype(str)).set_index("update")
    both = table.loc["intercept+slope"]
    assert (both["intercept"], both["slope"]) == pytest.approx((shift, slope), abs=0.1)
    oracle = LogisticRegression(C=np.inf, tol=1e-10).fit(linear[:, None], y)
    assert both["intercept"] == pytest.approx(oracle.intercept_[0], abs=1e-5)
    assert both["slope"] == pytest.approx(oracle.coef_[0, 0], abs=1e-5)
    updated = oracle.predict_proba(linear[:, None])[:, 1]
    assert both["brier"] == pytest.approx(np.mean((updated - y) ** 2), abs=1e-6)
    # With the intercept alone, the mean prediction becomes the observed share.
    alone = table.loc["intercept"]
    assert alone["slope"] == 1.0
    assert expit(alone["intercept"] + linear).mean() == pytest.approx(y.mean(), abs=1e-9)
    assert table.loc["none", ["intercept", "slope"]].tolist() == [0.0, 1.0]
    assert table.loc["none", "brier"] == pytest.approx(np.mean((expit(linear) - y) ** 2))
    assert table["auc"].nunique() == 1  # a rising line keeps the order
    assert both["brier"] <= table.loc["none", "brier"]
    assert both["ici"] < 0.03
    if abs(shift) > 0.5:
        assert table.loc["none", "ici"] > 0.05


def test_updates_say_on_what_they_were_fitted(fitted: FittedModel, cohort: Dataset) -> None:
    notes = validate_external(fitted, {"B": cohort}).frame("recalibration").set_index("update")["note"]
    assert "nothing is fitted here" in notes["none"]
    assert notes["intercept"].startswith("fitted on this external cohort and measured on the same")
    assert notes["intercept+slope"] == notes["intercept"]


def test_recalibration_of_a_reversed_and_of_a_separating_model() -> None:
    rng = np.random.default_rng(3)
    linear = rng.normal(size=400)
    y = (rng.random(400) < expit(-linear)).astype(int)
    ids = np.arange(400).astype(str)
    table = recalibration(y, expit(linear), ids).set_index("update")
    assert table.loc["intercept+slope", "slope"] < -0.5
    assert table.loc["intercept+slope", "auc"] == pytest.approx(1 - table.loc["none", "auc"])
    separate = recalibration((linear > 0).astype(int), expit(linear), ids).set_index("update")
    assert np.isnan(separate.loc["intercept+slope", "slope"])
    assert "separate the classes" in separate.loc["intercept+slope", "note"]
    assert np.isfinite(separate.loc["intercept", "brier"])


def test_shared_patients_are_refused_in_all_cohorts_at_once(fitted: FittedModel, cohort: Dataset) -> None:
    spelled = replace(cohort, groups=cohort.groups.replace({"BP003": " p003", "BP004": "P004"}))
    spelled = replace(spelled, info=pd.DataFrame({"subject_id": spelled.groups}))
    same = replace(cohort, provenance=Provenance({"images": ["i2", "i3"]}))
    with pytest.raises(AnalysisError) as caught:
        validate_external(fitted, {"fine": cohort, "by id": spelled, "by image": same})
    by_id, by_image = caught.value.problems
    assert {by_id.code, by_image.code} == {"RV513"}
    assert by_id.found.startswith("2 of 25 patients by id, for example ' p003'")
    assert "1 written otherwise there, such as ' p003'" in by_id.found
    assert "hash" not in by_id.found
    assert "put the hospital before them" in by_id.remedy
    assert by_id.where == "external cohort 'by id'"
    assert by_image.found == "1 image by its hash"
    assert "whatever the id" in by_image.remedy


def test_shared_vertebrae_are_known_by_their_values_under_any_name(
    fitted: FittedModel, cohort: Dataset, make_dataset: DatasetFactory
) -> None:
    development = elsewhere(make_dataset(3, shift=0.7), "Z")
    X = cohort.X.copy()
    X.iloc[[3, 8]] = development.X.iloc[[10, 11]].to_numpy()
    # As another program writes it: six digits, other order, a column gone that the model does not use.
    unused = next(name for name in X.columns if name not in fitted.used)
    written = X.map(lambda value: float(f"{value:.6g}"))[X.columns[::-1]].drop(columns=unused)
    with pytest.raises(AnalysisError) as caught:
        validate_external(fitted, {"north": replace(cohort, X=written)})
    (problem,) = caught.value.problems
    assert problem.code == "RV513"
    first, second = cohort.X.index[[3, 8]]
    assert problem.found == f"2 of 50 vertebrae by the values of their features (rows {first}, {second})"
    nearly = X * (1 + 2e-5)
    assert len(validate_external(fitted, {"north": replace(cohort, X=nearly)}).frame())


def test_most_shared_vertebrae_are_known_in_a_table_of_seven_digits() -> None:
    rng = np.random.default_rng(0)
    names = [f"f{j}" for j in range(60)]
    first = pd.DataFrame(rng.normal(size=(70, 60)), columns=names)
    kept = set(telling_fingerprints(row_fingerprints(first, names), [str(row) for row in range(70)]))
    assert len(kept) == 70 * 8
    again = row_fingerprints(first.map(lambda value: float(f"{value:.7g}")), names)
    found = sum(2 * sum(one in kept for one in own) >= len(own) for own in again)
    assert found > 60
    constant = row_fingerprints(first.assign(**dict.fromkeys(names, 0.25)), names)
    assert telling_fingerprints(constant, [str(row) for row in range(70)]) == []


def test_rows_with_few_or_whole_values_are_never_taken_for_the_same(make_dataset: DatasetFactory) -> None:
    dataset = make_dataset(3, features=4, shift=0.7)
    signs = replace(make_dataset(3, shift=0.7), X=make_dataset(3, shift=0.7).X.round())
    for one in (dataset, signs):
        fitted = fit_final(one, ModelSpec(grid={"k": (4,), "l1_ratio": (0.1,), "C": (0.5,)}), ONE_FOLD)
        assert fitted.development.vertebrae == ()
        about = validate_external(fitted, {"B": elsewhere(one, "B")}).frame("cohorts")
        assert "vertebrae not compared by their values" in about["note"].iloc[0]


def test_a_table_made_elsewhere_is_known_by_its_image_column(
    cohort: Dataset, make_dataset: DatasetFactory, tmp_path: Path
) -> None:
    def table(dataset: Dataset, name: str, column: str, first: int) -> Dataset:
        digests = [f"{first + row:064X}" for row in range(len(dataset))]
        frame = dataset.X.assign(ID=dataset.groups, outcome=dataset.y, **{column: digests})
        frame.to_csv(tmp_path / name, index=False)
        return read_dataset(tmp_path / name, outcome="outcome", positive="1", group="ID")

    made = table(make_dataset(3, shift=0.7), "a.csv", "image_digest", 10)
    fitted = fit_final(made, ModelSpec(grid={"k": (4,), "l1_ratio": (0.1,), "C": (0.5,)}), ONE_FOLD)
    assert "image_digest" not in fitted.features
    assert len(fitted.development.images) == 60
    with pytest.raises(AnalysisError) as caught:
        validate_external(fitted, {"B": table(cohort, "b.csv", "image_sha256", 68)})
    (problem,) = caught.value.problems
    assert problem.found == "2 images by their hash (rows BP000_row1, BP000_row2)"
    apart = validate_external(fitted, {"B": table(cohort, "b.csv", "image_sha256", 500)})
    assert "images not compared" not in str(apart.frame("cohorts")["note"].iloc[0])


def test_a_subject_id_counts_also_where_groups_are_coarser(fitted: FittedModel, cohort: Dataset) -> None:
    families = replace(cohort, info=cohort.info.replace({"BP003": "P003"}))
    with pytest.raises(AnalysisError, match="RV513"):
        validate_external(fitted, {"B": families})


def test_a_cohort_with_one_class_is_reported(fitted: FittedModel, cohort: Dataset) -> None:
    one = rows_of(elsewhere(cohort, "C"), elsewhere(cohort, "C").y == 1)
    result = validate_external(fitted, {"both": cohort, "one": one}, prevalence=[0.2])
    metrics = result.frame().query("cohort == 'one'").set_index("metric")
    both = result.frame().query("cohort == 'both'").set_index("metric")
    assert metrics.loc["sensitivity", "estimate"] == both.loc["sensitivity", "estimate"]
    assert metrics.loc["sensitivity", "ci_low"] < metrics.loc["sensitivity", "ci_high"]
    assert metrics["estimate"].notna().sum() == 1
    assert "fewer than 2 patients of a class" in metrics.loc["auc", "note"]
    assert "only shares are given" in result.frame("cohorts").set_index("cohort").loc["one", "note"]
    assert result.frame("cohorts").set_index("cohort").loc["one", "prevalence"] == 1.0
    assert result.frame("roc")["cohort"].unique().tolist() == ["both"]
    alone = validate_external(fitted, {"one": one})
    assert "roc" not in alone.tables


def test_a_cohort_with_one_patient_of_a_class_is_reported(fitted: FittedModel, cohort: Dataset) -> None:
    few = rows_of(cohort, (cohort.y == 1) | (cohort.groups == "BP000"))
    metrics = validate_external(fitted, {"few": few}).frame().set_index("metric")["estimate"]
    assert metrics[["sensitivity", "specificity", "ppv"]].notna().all()
    assert np.isnan(metrics["auc"])


def test_what_is_unusual_in_a_cohort_is_said(fitted: FittedModel, cohort: Dataset) -> None:
    X = cohort.X.copy()
    used = list(fitted.used)
    X.loc[X.index[0], used] = np.nan
    X.loc[X.index[1], used[0]] = np.nan
    X.loc[X.index[2], used[0]] = 1e6
    odd = replace(cohort, X=X, positive="malignant")
    result = validate_external(fitted, {"B": odd})
    about = result.frame("cohorts").iloc[0]
    assert (about["n_not_predicted"], about["n_with_missing"]) == (1, 2)
    assert about["n_out_of_range"] >= 1
    assert "'malignant', in the model 'metastatic'" in about["note"]
    assert "extraction parameters not stated" in about["note"]
    assert result.frame()["n"].iloc[0] == len(cohort) - 1
    first = result.frame("predictions").iloc[0]
    assert np.isnan(first["probability"])
    assert pd.isna(first["decision"])


def test_what_cannot_be_right_is_refused(fitted: FittedModel, cohort: Dataset) -> None:
    turned = replace(cohort, positive="osteoporotic", negative="metastatic")
    with pytest.raises(AnalysisError, match=r"RV401[\s\S]*'metastatic' as the positive class"):
        validate_external(fitted, {"B": turned})
    with pytest.raises(SettingsError, match="RV602"):
        validate_external(fitted, {"B": cohort}, prevalence=[10])
    with pytest.raises(SettingsError, match="RV602"):
        validate_external(fitted, {})
    with pytest.raises(AnalysisError, match="RV501"):
        validate_external(fitted, {"B": replace(cohort, groups=pd.Series(cohort.X.index, cohort.X.index))})
    with pytest.raises(AnalysisError, match=r"RV512[\s\S]*f00[\s\S]*external cohort 'B'"):
        validate_external(fitted, {"B": replace(cohort, X=cohort.X[["f011"]])})


def test_other_parameters_are_refused(fitted: FittedModel, cohort: Dataset) -> None:
    made = replace(fitted, development=replace(fitted.development, parameters={"CT": ("d1",)}))
    other = Provenance({"features": [{"parameters": {"CT": {"digest": "d2"}}}]})
    with pytest.raises(AnalysisError, match="RV511"):
        validate_external(made, {"B": replace(cohort, provenance=other)})


def test_a_wider_interval_for_more_confidence(fitted: FittedModel, cohort: Dataset) -> None:
    narrow, wide = (
        validate_external(fitted, {"B": cohort}, confidence=level).frame().set_index("metric")
        for level in (0.8, 0.95)
    )
    assert (narrow["estimate"] == wide["estimate"]).all()
    for name in ("auc", "sensitivity", "brier"):
        assert wide.loc[name, "ci_low"] < narrow.loc[name, "ci_low"]


def test_validation_on_simulated_hospitals_finds_what_was_planted(make_dataset: DatasetFactory) -> None:
    """A hospital with more metastases: the order holds, the calibration in the large does not."""
    model = ModelSpec(grid={"k": (4,), "l1_ratio": (0.1,), "C": (2.0,)})
    development = make_dataset(5, shift=0.6, patients=150)
    fitted = fit_final(development, model, ValidationSpec(inner_folds=3, n_boot=20))
    new = elsewhere(make_dataset(6, shift=0.6, patients=300), "B")
    number = new.groups.str[2:].astype(int)
    many = rows_of(new, (new.y == 1) | (number % 8 == 0))  # one of four negative patients: 80 %
    table = validate_external(fitted, {"like": new, "many": many}).frame()
    found = table.set_index(["cohort", "metric"])["estimate"]
    assert found["many", "auc"] == pytest.approx(found["like", "auc"], abs=0.08)
    planted = logit(0.8) - logit(0.5)
    assert found["many", "calibration_intercept"] == pytest.approx(planted, abs=0.4)
    assert abs(found["like", "calibration_intercept"]) < 0.3


@pytest.mark.data
def test_real_lung_tables(real_data: Path, tmp_path: Path) -> None:
    def table(name: str) -> Dataset:
        packed = (real_data / "radmlbench" / "datasets" / f"{name}.gz").read_bytes()
        (tmp_path / f"{name}.csv").write_bytes(gzip.decompress(packed))
        return read_dataset(tmp_path / f"{name}.csv", outcome="Target", positive="1", group="ID")

    lung, neck = table("Hosny2018B"), table("HNSCC")
    half = pd.Series(np.arange(len(lung)) % 2 == 0, index=lung.X.index)
    spec = ModelSpec(grid={"k": (10,), "l1_ratio": (0.5,), "C": (0.1,)})
    made = fit_final(rows_of(lung, half), spec, ValidationSpec(inner_folds=3, n_boot=50))
    save_bundle(made, tmp_path / "model")
    loaded = load_bundle(tmp_path / "model")
    result = validate_external(loaded, {"other half": rows_of(lung, ~half)})
    auc = result.frame().set_index("metric").loc["auc"]
    assert (auc["n"], auc["n_subjects"]) == (103, 103)
    assert auc["ci_low"] < auc["estimate"] < auc["ci_high"]
    assert result.frame("recalibration")["brier"].notna().all()
    with pytest.raises(AnalysisError, match=r"RV513[\s\S]*103 of 206 patients by id"):
        validate_external(loaded, {"whole": lung})
    with pytest.raises(AnalysisError, match=r"RV512[\s\S]*external cohort 'neck'"):
        validate_external(loaded, {"neck": neck})
