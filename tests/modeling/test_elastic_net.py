from __future__ import annotations

import numpy as np
import pytest
from scipy.special import expit
from sklearn.linear_model import LogisticRegression

from radiomics_vert.modeling import ModelSpec, build_pipeline
from radiomics_vert.modeling.elastic_net import ElasticNetLogistic


def _data(seed: int, n: int = 80, p: int = 12, share: float = 0.25):
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n, p)) + 0.7 * rng.normal(size=(n, 1))
    y = np.zeros(n, dtype=int)
    y[np.argsort(X[:, 0] + rng.normal(size=n))[-int(share * n) :]] = 1
    return (X - X.mean(axis=0)) / X.std(axis=0), y


def _model(C: float, l1_ratio: float, class_weight=None) -> ElasticNetLogistic:
    model = build_pipeline(ModelSpec(class_weight=class_weight))["model"]
    return model.set_params(C=C, l1_ratio=l1_ratio)


@pytest.mark.parametrize("l1_ratio", [0.1, 0.5, 0.9])
@pytest.mark.parametrize("C", [0.02, 0.1, 0.5, 2.0])
def test_the_solution_meets_the_conditions_of_optimality(C, l1_ratio):
    X, y = _data(1)
    model = _model(C, l1_ratio).fit(X, y)
    b = model.coef_[0]
    p = expit(X @ b + model.intercept_[0])
    # Gradient of C * loss + ridge part; the lasso part must be able to balance it.
    gradient = C * X.T @ (p - y) + (1 - l1_ratio) * b
    used = b != 0
    np.testing.assert_allclose(gradient[used], -l1_ratio * np.sign(b[used]), atol=0.02)
    assert (np.abs(gradient[~used]) <= l1_ratio + 0.02).all()
    assert p.mean() == pytest.approx(y.mean(), abs=1e-9)


@pytest.mark.parametrize("share", [0.5, 0.2, 0.05])
def test_an_empty_model_predicts_the_observed_share(share):
    X, y = _data(2, n=40, share=share)
    model = _model(0.001, 0.9)
    for _ in range(2):  # the second fit starts warm
        model.fit(X, y)
        assert not model.coef_.any()
        np.testing.assert_allclose(model.predict_proba(X)[:, 1], share, atol=1e-9)


def test_without_lasso_part_it_equals_another_solver():
    X, y = _data(3)
    oracle = LogisticRegression(C=0.5, tol=1e-10, max_iter=1000).fit(X, y)
    model = _model(0.5, 0.0).fit(X, y)
    np.testing.assert_allclose(model.coef_, oracle.coef_, atol=2e-3)
    np.testing.assert_allclose(model.intercept_, oracle.intercept_, atol=2e-3)


def test_balanced_weights_balance_the_mean_prediction():
    X, y = _data(4, share=0.1)
    p = _model(0.1, 0.5, "balanced").fit(X, y).predict_proba(X)[:, 1]
    assert (p[y == 1].mean() + p[y == 0].mean()) / 2 == pytest.approx(0.5, abs=1e-9)


def test_row_weights_count_like_copies():
    X, y = _data(5, n=30)
    weights = np.arange(30) % 3 + 1.0
    copies = np.repeat(np.arange(30), weights.astype(int))
    weighted = _model(0.01, 0.9).fit(X, y, weights)
    copied = _model(0.01, 0.9).fit(X[copies], y[copies])
    assert weighted.intercept_[0] == pytest.approx(copied.intercept_[0], abs=1e-6)
