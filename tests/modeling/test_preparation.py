from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from sklearn.base import BaseEstimator, clone
from sklearn.metrics import roc_auc_score
from sklearn.utils import ClassifierTags
from sklearn.utils.estimator_checks import parametrize_with_checks

from radiomics_vert.errors import AnalysisError
from radiomics_vert.modeling import CorrelationFilter, NearConstantFilter, UnivariateSelector
from radiomics_vert.modeling.preparation import auc_distance


class _TwoClassTags(BaseEstimator):
    """Tells scikit-learn's checks to offer two classes; otherwise they offer three."""

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.classifier_tags = ClassifierTags(multi_class=False)
        return tags


class TwoClassCorrelationFilter(_TwoClassTags, CorrelationFilter):
    pass


class TwoClassUnivariateSelector(_TwoClassTags, UnivariateSelector):
    pass


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.SkipTestWarning")
@parametrize_with_checks([NearConstantFilter(), TwoClassCorrelationFilter(), TwoClassUnivariateSelector()])
def test_transformers_pass_the_checks_of_scikit_learn(estimator, check):
    check(estimator)


def test_auc_distance_equals_scikit_learn_with_and_without_ties():
    rng = np.random.default_rng(3)
    X = np.column_stack([rng.normal(size=(41, 3)), rng.integers(0, 4, (41, 3))]).astype(float)
    y = rng.random(41) < 0.4
    expected = [abs(roc_auc_score(y, column) - 0.5) for column in X.T]
    np.testing.assert_allclose(auc_distance(X, y), expected, atol=1e-12)


def test_near_constant_features_go_by_share_and_by_range():
    n = 40
    X = pd.DataFrame(
        {
            "varies": np.arange(n, dtype=float),
            "constant": np.full(n, 7.0),
            "one_of_forty": np.eye(n)[0],
            "three_of_forty": np.eye(n)[:3].sum(axis=0),
            "rounding_noise": 1e6 + 1e-5 * np.arange(n),
            "small_but_varies": 1e-12 * np.arange(n),
        }
    )
    kept = NearConstantFilter(max_share=0.95).fit(X).get_feature_names_out().tolist()
    assert kept == ["varies", "three_of_forty", "small_but_varies"]


def test_share_exactly_at_the_limit_stays():
    X = np.column_stack([np.arange(20.0), np.eye(20)[0]])
    assert NearConstantFilter(max_share=0.95).fit(X).get_support().tolist() == [True, True]
    assert NearConstantFilter(max_share=0.94).fit(X).get_support().tolist() == [True, False]


def test_near_constant_refuses_when_nothing_is_left():
    with pytest.raises(AnalysisError) as error:
        NearConstantFilter().fit(np.ones((8, 3)))
    (problem,) = error.value.problems
    assert problem.code == "RV503"
    assert problem.found == "none among 3 features in 8 training rows"


def test_protected_columns_pass_every_filter():
    rng = np.random.default_rng(0)
    signal = np.array([0.0, 0, 0, 0, 1, 1, 1, 1])
    X = np.column_stack([np.ones(8), signal * 2, signal + 0.01 * rng.normal(size=8), signal * 3])
    assert NearConstantFilter(n_protected=1).fit(X).get_support().tolist() == [True] * 4
    filtered = CorrelationFilter(0.9, "pearson", n_protected=2).fit(X, signal).get_support().tolist()
    assert filtered == [True, True, True, False]  # column 1 is no reason to drop column 2
    selected = UnivariateSelector(k=1, n_protected=1).fit(X, signal).get_support().tolist()
    assert selected == [True, True, False, False]


def test_of_two_correlated_features_the_one_closer_to_the_outcome_stays():
    y = np.array([0, 0, 0, 0, 1, 1, 1, 1])
    worse = np.array([1.0, 2, 3, 5, 4, 6, 7, 8])  # AUC 15/16
    better = np.array([1.0, 2, 3, 4, 5, 6, 7, 8])  # AUC 1
    other = np.array([1.0, -1, 1, -1, 1, -1, 1, -1])
    X = np.column_stack([worse, other, better])
    for method in ("spearman", "pearson"):
        kept = CorrelationFilter(0.9, method).fit(X, y).get_support().tolist()
        assert kept == [False, True, True]


def test_equally_related_features_stay_in_column_order_and_sign_does_not_matter():
    y = np.array([0, 0, 0, 1, 1, 1])
    column = np.array([1.0, 2, 3, 4, 5, 6])
    X = np.column_stack([-column, column])
    assert CorrelationFilter().fit(X, y).get_support().tolist() == [True, False]


def test_rank_correlation_sees_a_monotone_relation_that_linear_correlation_misses():
    y = np.array([0, 1] * 6)
    x = np.arange(12.0)
    X = np.column_stack([x, np.exp(2 * x)])
    assert CorrelationFilter(0.9, "spearman").fit(X, y).get_support().sum() == 1
    assert CorrelationFilter(0.9, "pearson").fit(X, y).get_support().sum() == 2


def test_correlation_filter_equals_the_rule_applied_to_the_whole_matrix():
    rng = np.random.default_rng(5)
    sources = rng.normal(size=(57, 30))
    X = sources[:, rng.integers(0, 30, 211)] + 0.35 * rng.normal(size=(57, 211))
    X[:, 17] = np.round(X[:, 17])
    y = (rng.random(57) < 0.4).astype(int)
    correlation = pd.DataFrame(X).corr(method="spearman").abs().to_numpy()
    strength = [-abs(roc_auc_score(y, column) - 0.5) for column in X.T]
    kept: list[int] = []
    for j in np.argsort(np.round(strength, 12), kind="stable"):
        if all(correlation[j, i] <= 0.8 for i in kept):
            kept.append(int(j))
    assert 25 < len(kept) < 190
    assert np.flatnonzero(CorrelationFilter(0.8).fit(X, y).get_support()).tolist() == sorted(kept)


def test_selector_keeps_the_k_best_and_all_when_there_are_fewer():
    rng = np.random.default_rng(1)
    y = np.repeat([0, 1], 20)
    X = rng.normal(size=(40, 6))
    X[:, 4] += 3 * y
    X[:, 1] -= 2 * y
    assert np.flatnonzero(UnivariateSelector(k=2).fit(X, y).get_support()).tolist() == [1, 4]
    assert UnivariateSelector(k=50).fit(X, y).get_support().all()


def test_dataframes_stay_dataframes_and_clones_start_unfitted():
    y = np.repeat([0, 1], 10)
    X = pd.DataFrame({"a": np.arange(20.0), "b": np.arange(20.0) % 7}, index=[f"u{i}" for i in range(20)])
    selector = UnivariateSelector(k=1).set_output(transform="pandas")
    out = selector.fit_transform(X, y)
    assert out.columns.tolist() == ["a"]
    assert out.index.equals(X.index)
    assert not hasattr(clone(selector), "support_")


def test_three_classes_are_refused():
    with pytest.raises(ValueError, match="y has 3 classes"):
        CorrelationFilter().fit(np.arange(6.0)[:, None], [0, 0, 1, 1, 2, 2])
