from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.impute import SimpleImputer
from sklearn.metrics import log_loss, roc_auc_score
from sklearn.preprocessing import StandardScaler

from radiomics_vert.modeling import (
    CorrelationFilter,
    ModelSpec,
    UnivariateSelector,
    build_pipeline,
    grouped_folds,
)
from radiomics_vert.modeling.models import pipeline_parameters
from radiomics_vert.modeling.sharing import Candidate, Ledger, TrainTest, fit_candidates
from radiomics_vert.modeling.tuning import (
    Contender,
    choose_points,
    choose_threshold,
    point_scores,
)

SPEC = ModelSpec(grid={"k": (2, 5), "l1_ratio": (0.1, 0.9), "C": (0.05, 0.5)})


@pytest.fixture
def rows(make_dataset):
    dataset = make_dataset(4, patients=40, features=9, shift=0.8)
    return dataset.X.to_numpy(), dataset.y.to_numpy(), dataset.groups.to_numpy()


def _path(parameters, X_train, y_train, X_test):
    """Predictions of every point, shape (points, test rows), without repeating shared work."""
    out = np.empty((len(parameters), len(X_test)))
    pipeline = build_pipeline(SPEC)
    candidates = [Candidate.of(0, place, pipeline, own) for place, own in enumerate(parameters)]
    for one, _, predicted in fit_candidates(candidates, TrainTest(X_train, y_train, X_test), Ledger()):
        out[one.point] = predicted
    return out


def _choose(spec, X, y, splits, *scoring):
    contender = Contender(spec, build_pipeline(spec), spec.points(9))
    return choose_points([contender], X, y, splits, *scoring)[0]


def test_shared_work_gives_the_predictions_of_separate_fits(rows):
    X, y, _ = rows
    train, test = np.arange(60), np.arange(60, 80)
    points = SPEC.points(9)
    # Backwards, so that points that share steps are not served in the order of the grid.
    parameters = [pipeline_parameters(SPEC, point) for point in points][::-1]
    shared = _path(parameters, X[train], y[train], X[test])
    for row, own in zip(shared, parameters, strict=True):
        alone = build_pipeline(SPEC).set_params(**own).fit(X[train], y[train])
        np.testing.assert_allclose(row, alone.predict_proba(X[test])[:, 1], atol=2e-3)
    assert np.ptp(shared, axis=0).max() > 0.05


def test_no_step_is_fitted_more_often_than_its_parameters_differ(rows, monkeypatch):
    X, y, _ = rows
    fits: Counter[str] = Counter()
    for step in (SimpleImputer, CorrelationFilter, UnivariateSelector, StandardScaler):

        def fit(self, *data, _original=step.fit, **further):
            fits[type(self).__name__] += 1
            return _original(self, *data, **further)

        monkeypatch.setattr(step, "fit", fit)
    parameters = [pipeline_parameters(SPEC, point) for point in SPEC.points(9)]
    _path(parameters, X, y, X)
    # One ranking serves both sizes; what follows differs between them.
    assert fits == {"SimpleImputer": 1, "CorrelationFilter": 1, "UnivariateSelector": 1, "StandardScaler": 2}


def test_choice_is_the_best_point_and_its_own_predictions(rows):
    X, y, groups = rows
    splits = grouped_folds(y, groups, 4, (0,))
    points = SPEC.points(9)
    choice = _choose(SPEC, X, y, splits)
    losses = []
    for point in points:
        pipeline = build_pipeline(SPEC).set_params(**pipeline_parameters(SPEC, point))
        p = np.empty(len(y))
        for train, test in splits:
            p[test] = clone(pipeline).fit(X[train], y[train]).predict_proba(X[test])[:, 1]
        losses.append(log_loss(y, p))
    assert choice.point == points[int(np.argmin(losses))]
    assert choice.score == pytest.approx(-min(losses), abs=1e-4)
    assert log_loss(y, choice.probabilities) == pytest.approx(-choice.score)


def test_scores_by_hand():
    y = np.array([0, 1, 0, 1])
    splits = [(np.array([2, 3]), np.array([0, 1])), (np.array([0, 1]), np.array([2, 3]))]
    # Within the folds every pair is concordant; across folds one of two pairs is not.
    p = np.array([[0.6, 0.9, 0.1, 0.2], [0.5, 0.5, 0.5, 0.5]])
    np.testing.assert_allclose(point_scores(p, y, splits, "auc"), [1.0, 0.5])
    expected = [-log_loss(y, p[0]), np.log(0.5)]
    np.testing.assert_allclose(point_scores(p, y, splits, "log_loss"), expected)
    assert roc_auc_score(y, p[0]) == 0.75


def test_the_simplest_of_equal_points_wins(rows):
    X, y, groups = rows
    spec = ModelSpec(grid={"k": (3,), "l1_ratio": (1.0,), "C": (1e-6, 1e-5)})  # all are empty models
    choice = _choose(spec, X, y, grouped_folds(y, groups, 4, (0,)), "auc")
    assert choice.point["C"] == 1e-6
    assert choice.score == 0.5


def test_threshold_rules_by_hand():
    y = np.array([0, 0, 0, 1, 0, 1, 1])
    p = np.array([0.1, 0.2, 0.3, 0.35, 0.5, 0.6, 0.9])
    # At 0.6: sensitivity 2/3, specificity 1, J = 0.667; at 0.35: 1 and 3/4, J = 0.75.
    assert choose_threshold(y, p, "youden", 0.9) == 0.35
    assert choose_threshold(y, p, "sensitivity", 0.6) == 0.6
    assert choose_threshold(y, p, "sensitivity", 0.9) == 0.35


def test_the_highest_of_equally_good_thresholds_is_taken():
    y = np.array([0, 1, 0, 1])
    p = np.array([0.1, 0.2, 0.3, 0.4])  # J = 0.5 at 0.4 and at 0.2
    assert choose_threshold(y, p, "youden", 0.9) == 0.4


def test_constant_predictions_give_a_finite_threshold():
    assert choose_threshold(np.array([0, 1, 1]), np.full(3, 0.4), "youden", 0.9) == 0.4
