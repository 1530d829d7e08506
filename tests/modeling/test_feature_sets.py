from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from radiomics_vert.errors import AnalysisError
from radiomics_vert.modeling import (
    TAKIGAWA_SIGNS,
    FeatureSet,
    ModelSpec,
    ValidationSpec,
    baseline_sets,
    cross_validate,
    feature_sets,
    negative_control,
    validate_baselines,
)

SPEC = ModelSpec(grid={"k": (4,), "l1_ratio": (0.5,), "C": (0.5,)})
QUICK = ValidationSpec(outer_folds=3, inner_folds=2, repeats=1, n_boot=10)


@pytest.fixture(scope="module")
def signed(make_dataset):
    """Signs that follow the class with errors, a volume, and texture."""
    dataset = make_dataset(8, patients=40, features=4, shift=1.0)
    rng = np.random.default_rng(0)
    present = (rng.random((80, 4)) < np.where(dataset.y.to_numpy()[:, None] == 1, 0.6, 0.15)).astype(float)
    present[:, 3] = 1 - present[:, 3]
    X = dataset.X.assign(**dict(zip(TAKIGAWA_SIGNS, present.T, strict=True)))
    return dataclasses.replace(dataset, X=X.assign(original_shape_MeshVolume=rng.normal(30, 4, 80)))


def test_sets_of_a_study_with_signs_and_covariates(signed):
    sets = feature_sets(signed, signs=("band", "pedicle"))
    assert list(sets) == ["covariates", "signs", "texture", "combined"]
    assert sets["covariates"] == FeatureSet((), True)
    assert sets["signs"] == FeatureSet(("pedicle", "band"), False)  # in the order of the table
    assert len(sets["texture"].features) == len(signed.X.columns) - 2
    assert sets["combined"].with_covariates
    assert set(sets["combined"].features) == set(signed.X.columns)


def test_sets_without_a_column_are_absent(signed):
    bare = dataclasses.replace(signed, covariates=signed.covariates.iloc[:, :0])
    assert list(feature_sets(bare)) == ["texture"]
    assert list(feature_sets(signed)) == ["covariates", "texture", "combined"]
    with_signs = feature_sets(bare, signs=("band",))
    assert list(with_signs) == ["signs", "texture", "combined"]
    assert not with_signs["combined"].with_covariates


def test_unknown_signs_are_refused(signed):
    with pytest.raises(AnalysisError) as error:
        feature_sets(signed, signs=("band", "gas"))
    (problem,) = error.value.problems
    assert (problem.code, problem.found) == ("RV103", "1 of 2 unknown, for example 'gas'")


def test_a_set_goes_into_a_validation_as_it_is(signed):
    chosen = feature_sets(signed, signs=TAKIGAWA_SIGNS)["signs"]
    result = cross_validate(
        signed, SPEC, QUICK, features=chosen.features, with_covariates=chosen.with_covariates
    )
    assert set(result.frame("selection")["feature"]) <= set(TAKIGAWA_SIGNS)


def test_baselines_are_there_or_say_why_not(signed, make_dataset):
    found = baseline_sets(signed)
    assert found["best single sign"].reason == "no sign was measured"
    assert {name: rule.model.name for name, rule in found.items() if rule.model} == {
        "takigawa": "takigawa",
        "best single feature": "single_feature",
        "volume": "single_feature",
    }
    assert found["volume"].features == ("original_shape_MeshVolume",)
    bare = baseline_sets(make_dataset())
    assert bare["takigawa"].model is bare["volume"].model is None
    assert bare["takigawa"].reason == f"signs not measured: {', '.join(TAKIGAWA_SIGNS)}"
    unclear = dataclasses.replace(signed, X=signed.X.assign(pedicle=signed.X["pedicle"].replace(1.0, 0.7)))
    assert baseline_sets(unclear)["takigawa"].reason.endswith("with a sign that is neither 0 nor 1")


def test_validated_baselines(signed):
    result = validate_baselines(signed, QUICK)
    predictions = result.frame("predictions").query("model == 'takigawa'").set_index("unit")
    x = signed.X[list(TAKIGAWA_SIGNS)] @ [3.88, 3.05, 3.02, -3.05] - 5.0
    expected = 1 / (1 + np.exp(-x))
    np.testing.assert_allclose(predictions["probability"], expected[predictions.index])
    assert (result.frame("folds").query("feature_set == 'best single feature'")["n_selected"] == 1).all()
    auc = result.frame().query("metric == 'auc'").set_index("feature_set")["estimate"]
    assert auc["takigawa"] > 0.7
    assert auc["volume"] < 0.65
    assert result.spec["absent"] == {"best single sign": "no sign was measured"}


def test_the_best_single_feature_is_chosen_in_the_training_rows(make_dataset):
    """On noise the best of 200 features would look good if it were chosen before the split."""
    noise = make_dataset(4, patients=120, per_patient=1, features=200, informative=0)
    result = validate_baselines(noise, QUICK)
    assert result.spec["absent"].keys() == {"takigawa", "best single sign", "volume"}
    assert result.frame().query("metric == 'auc'")["estimate"].item() < 0.63


def test_measured_signs_have_their_own_baselines(signed):
    score = (signed.y * 0.5 + 0.2).astype(float)
    X = signed.X.assign(T1__sign_takigawa_p=score, T1__sign_gas_ml=signed.X["band"])
    measured = dataclasses.replace(signed, X=X)
    found = baseline_sets(measured)
    assert found["best single sign"].features == ("T1__sign_takigawa_p", "T1__sign_gas_ml")
    assert (found["takigawa"].features, found["takigawa"].model.name) == (
        ("T1__sign_takigawa_p",),
        "published",
    )
    result = validate_baselines(measured, QUICK)
    predictions = result.frame("predictions").query("model == 'published'").set_index("unit")
    np.testing.assert_allclose(predictions["probability"], score[predictions.index])
    gap = dataclasses.replace(signed, X=X.assign(T1__sign_takigawa_p=score.where(score > 0.5)))
    assert baseline_sets(gap)["takigawa"].reason.endswith("of 80 vertebrae without the measured score")


def test_a_published_rule_refuses_other_columns(signed):
    with pytest.raises(AnalysisError, match="one column of probabilities"):
        cross_validate(signed, ModelSpec("published"), QUICK, features=("original_shape_MeshVolume",))
    with pytest.raises(AnalysisError) as error:
        cross_validate(signed, ModelSpec("takigawa"), QUICK, features=TAKIGAWA_SIGNS[::-1])
    assert error.value.problems[0].code == "RV503"
    gap = signed.X["band"].copy()
    gap.iloc[0] = np.nan
    with pytest.raises(AnalysisError) as error:
        cross_validate(
            dataclasses.replace(signed, X=signed.X.assign(band=gap)),
            ModelSpec("takigawa"),
            QUICK,
            features=TAKIGAWA_SIGNS,
        )
    assert error.value.problems[0].found.endswith("1 missing values")


def test_negative_control_is_at_chance_for_a_local_disease_and_not_for_a_systemic_one(make_dataset):
    local = make_dataset(1, patients=60, features=10, shift=0.0)
    result = negative_control(local, [SPEC], QUICK)
    assert result.kind == "negative_control"
    auc = result.frame().loc[0]
    assert (auc["feature_set"], auc["model"], auc["metric"]) == ("negative control", "elastic_net", "auc")
    assert auc["ci_low"] < 0.5 < auc["ci_high"]
    systemic = make_dataset(9, patients=60, features=10, shift=1.5)
    assert negative_control(systemic, [SPEC], QUICK).frame().loc[0, "ci_low"] > 0.6


def test_reference_vertebrae_carry_the_class_of_their_patient(make_dataset):
    dataset = make_dataset(2, patients=20)
    y = dataset.y.copy()
    y.iloc[0] = 1 - y.iloc[0]
    with pytest.raises(AnalysisError) as error:
        negative_control(dataclasses.replace(dataset, y=y), [SPEC], QUICK)
    (problem,) = error.value.problems
    assert (problem.code, problem.found) == ("RV407", "1 of 20 patients with both classes, for example P000")
