"""A harmonised model leaves the building: stored as arrays, with its rule for new sites."""

from __future__ import annotations

import dataclasses
import sys

import numpy as np
import pandas as pd
import pytest

from radiomics_vert.errors import AnalysisError
from radiomics_vert.modeling import (
    ModelSpec,
    Preparation,
    ValidationSpec,
    fit_final,
    load_bundle,
    predict,
    save_bundle,
    validate_external,
)

RULES = ValidationSpec(outer_folds=3, inner_folds=2, repeats=1, n_boot=10)
GRID = {"k": (4,), "l1_ratio": (0.5,), "C": (0.5,)}


def _at_sites(dataset, names, factor):
    """Give patients sites in turn; the second site measures on another scale."""
    patients = {one: names[number % len(names)] for number, one in enumerate(sorted(set(dataset.groups)))}
    sites = dataset.groups.map(patients)
    X = dataset.X.copy()
    X[sites == names[1]] = factor * X[sites == names[1]] + 4
    return dataclasses.replace(dataset, X=X, info=dataset.info.assign(site=sites))


@pytest.fixture(scope="module")
def dataset(make_dataset):
    return _at_sites(make_dataset(2, patients=36, features=6, shift=1.5), ["A", "B", "B", "A", "B"], 2.0)


def _fitted(dataset, rule="reference", covariates=("age", "sex")):
    preparation = Preparation(harmonise="combat", harmonise_covariates=covariates, unseen_site=rule)
    return fit_final(dataset, ModelSpec(grid=GRID, preparation=preparation), RULES)


def _table(dataset, **columns):
    frame = pd.concat([dataset.X, dataset.covariates], axis=1)
    return frame.assign(subject_id=dataset.groups, site=dataset.info["site"], **columns)


def _probability(result):
    return result.frame("predictions")["probability"].to_numpy()


def test_the_bundle_predicts_what_the_model_predicted_and_needs_no_engine(dataset, tmp_path, monkeypatch):
    fitted = _fitted(dataset)
    first, second = (save_bundle(_fitted(dataset), tmp_path / name) for name in "12")
    assert first == second
    monkeypatch.setitem(sys.modules, "combatlearn", None)
    loaded = load_bundle(tmp_path / "1")
    assert loaded.harmonisation == fitted.harmonisation
    assert loaded.harmonisation.sites == ("A", "B")
    assert [one.name for one in loaded.harmonisation.covariates] == ["age", "sex"]
    np.testing.assert_array_equal(
        _probability(predict(loaded, dataset)), _probability(predict(fitted, dataset))
    )
    np.testing.assert_array_equal(
        _probability(predict(loaded, _table(dataset))), _probability(predict(fitted, dataset))
    )


def test_the_site_of_a_row_decides_how_it_is_harmonised(dataset):
    fitted = _fitted(dataset, covariates=())
    known, other = _table(dataset), _table(dataset)
    other["site"] = np.where(known["site"] == "A", "B", "A")
    assert np.abs(_probability(predict(fitted, known)) - _probability(predict(fitted, other))).max() > 0.2


def test_a_new_site_is_left_as_it_is_and_said_or_refused(dataset):
    new = _table(dataset).head(5).assign(site="Elsewhere")
    told = predict(_fitted(dataset), new).frame("predictions")
    assert told["note"].str.contains("does not know").all()
    assert told["probability"].between(0, 1).all()
    assert not predict(_fitted(dataset), dataset).frame("predictions")["note"].str.contains("site").any()
    with pytest.raises(AnalysisError, match="Elsewhere") as error:
        predict(_fitted(dataset, "refuse"), new)
    assert error.value.problems[0].code == "RV506"


def test_a_row_without_a_site_and_a_missing_covariate_are_refused(dataset):
    fitted = _fitted(dataset)
    with pytest.raises(AnalysisError, match="the model knows A, B") as error:
        predict(fitted, _table(dataset).drop(columns="site"))
    assert error.value.problems[0].code == "RV105"
    with pytest.raises(AnalysisError, match="no column for sex") as error:
        predict(fitted, _table(dataset).drop(columns="sex"))
    assert error.value.problems[0].code == "RV512"


def test_an_external_cohort_of_a_new_site_is_scored(dataset, make_dataset):
    other = make_dataset(8, patients=24, features=6, shift=1.5)
    other = _at_sites(other, ["North", "South"], 1.0)
    renamed = {name: [f"X{one}" for one in getattr(other, name).index] for name in ("X",)}["X"]
    parts = {
        name: getattr(other, name).set_axis(renamed, axis=0)
        for name in ("X", "y", "groups", "covariates", "info")
    }
    parts["groups"] = "X" + parts["groups"]
    parts["info"] = parts["info"].assign(subject_id=parts["groups"])
    found = validate_external(_fitted(dataset), {"other": dataclasses.replace(other, **parts)})
    metrics = found.frame()
    assert len(metrics)
    by_covariate = dataclasses.replace(
        other,
        **parts
        | {
            "info": parts["info"].assign(site=""),
            "covariates": parts["covariates"].assign(site=parts["info"]["site"]),
        },
    )
    again = validate_external(_fitted(dataset), {"other": by_covariate})
    pd.testing.assert_frame_equal(metrics, again.frame())
