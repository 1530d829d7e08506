from __future__ import annotations

import numpy as np
import pytest
from sklearn.base import BaseEstimator
from sklearn.feature_selection import f_classif
from sklearn.linear_model import Lasso
from sklearn.utils import ClassifierTags
from sklearn.utils.estimator_checks import parametrize_with_checks

from radiomics_vert.errors import AnalysisError
from radiomics_vert.modeling import L1Selector, MrmrSelector, StabilitySelector, UnivariateSelector
from radiomics_vert.modeling.selection import lasso_order


class _TwoClassTags(BaseEstimator):
    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.classifier_tags = ClassifierTags(multi_class=False)
        return tags


class TwoClassMrmr(_TwoClassTags, MrmrSelector):
    pass


class TwoClassL1(_TwoClassTags, L1Selector):
    pass


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.SkipTestWarning")
@parametrize_with_checks([TwoClassMrmr(), TwoClassL1()])
def test_selectors_pass_the_checks_of_scikit_learn(estimator, check):
    check(estimator)


def _signal(seed: int, n: int = 80, p: int = 30, strong: tuple[int, ...] = (4, 17), shift: float = 1.5):
    rng = np.random.default_rng(seed)
    y = np.arange(n) % 2
    X = rng.normal(size=(n, p))
    X[:, list(strong)] += shift * y[:, None]
    return X, y


def test_mrmr_by_hand():
    """The second best feature repeats the best one; the third best says something else and goes before."""
    y = np.array([0, 0, 0, 0, 1, 1, 1, 1])
    a = np.array([0.0, 1, 0, 1, 3, 4, 3, 4])
    b = np.array([-1.0, 1, -1, 1, 1.1, 3.1, 1.1, 3.1])
    c = np.array([-0.5, -0.5, 0.5, 0.5, 0.5, 0.5, 1.5, 1.5])
    X = np.column_stack([c, b, a])
    # Between and within classes: a 18 and 2, b 8.82 and 8, c 2 and 2; F = between / (within / 6).
    assert f_classif(X, y)[0] == pytest.approx([6.0, 6.615, 54.0])
    # Correlations with a: b 16.6 / sqrt(20 * 16.82) = 0.905, c 6 / sqrt(20 * 4) = 0.671.
    assert np.corrcoef(X.T)[2] == pytest.approx([0.671, 0.905, 1.0], abs=5e-4)
    # Quotients: b 6.615 / 0.905 = 7.31, c 6 / 0.671 = 8.94.
    assert MrmrSelector(k=3).fit(X, y).ranking_.tolist() == [2, 0, 1]
    assert UnivariateSelector(k=3).fit(X, y).ranking_.tolist()[-1] == 0


def test_mrmr_equals_the_rule_applied_to_the_whole_matrix():
    X, y = _signal(0, n=60, p=25)
    X[:, 5] = X[:, 4] + 0.2 * X[:, 9]
    F, _ = f_classif(X, y)
    r = np.abs(np.corrcoef(X.T))
    chosen = [int(np.argmax(F))]
    while len(chosen) < 25:
        rest = [j for j in range(25) if j not in chosen]
        chosen.append(max(rest, key=lambda j: F[j] / max(np.mean(r[j, chosen]), 0.001)))
    selector = MrmrSelector(k=6).fit(X, y)
    assert selector.ranking_.tolist() == chosen
    assert selector.get_support().nonzero()[0].tolist() == sorted(chosen[:6])


def test_features_enter_the_lasso_path_as_in_coordinate_descent():
    X, y = _signal(2)
    Z = (X - X.mean(axis=0)) / X.std(axis=0)
    order = lasso_order(X, y == 1, 6)
    for penalty in (0.18, 0.12, 0.09):
        used = set(np.flatnonzero(Lasso(alpha=penalty, tol=1e-8).fit(Z, y - y.mean()).coef_))
        assert 0 < len(used) <= 6
        assert used == set(order[: len(used)])
    assert set(order[:2]) == {4, 17}


def test_scale_of_a_feature_does_not_matter_to_l1():
    X, y = _signal(3)
    factor = 10.0 ** np.arange(30) / 1e10
    assert L1Selector().fit(X, y).ranking_.tolist() == L1Selector().fit(X * factor, y).ranking_.tolist()


def test_never_more_ranked_than_half_the_rows():
    X, y = _signal(4, n=20, p=40)
    assert len(L1Selector().fit(X, y).ranking_) == len(MrmrSelector().fit(X, y).ranking_) == 10


@pytest.mark.parametrize("selector", [UnivariateSelector, MrmrSelector, L1Selector, StabilitySelector])
def test_protected_columns_stay_and_are_not_ranked(selector):
    X, y = _signal(5)
    X[:, 0] = y  # would win if it were ranked
    further = {"groups": np.arange(80)} if selector is StabilitySelector else {}
    fitted = selector(k=1, n_protected=2).fit(X, y, **further)
    assert fitted.get_support()[:2].all()
    assert fitted.get_support()[2:].nonzero()[0] + 2 in ([4], [17])
    assert not {0, 1} & set(fitted.ranking_)
    none = selector(k=1, n_protected=30).fit(X, y, **further)
    assert none.get_support().all()


@pytest.mark.parametrize("selector", [UnivariateSelector, MrmrSelector, L1Selector])
def test_size_is_looked_at_after_fitting(selector):
    X, y = _signal(6)
    fitted = selector(k=3).fit(X, y)
    small = fitted.get_support()
    large = fitted.set_params(k=7).get_support()
    assert (small.sum(), large.sum()) == (3, 7)
    assert (large[small]).all()
    np.testing.assert_array_equal(large, selector(k=7).fit(X, y).get_support())


def test_stability_keeps_signal_and_drops_noise():
    X, y = _signal(7, n=120, p=60, shift=1.2)
    fitted = StabilitySelector(k=10).fit(X, y, groups=np.repeat(np.arange(60), 2))
    assert set(fitted.ranking_[:2]) == {4, 17}
    assert fitted.probability_[[4, 17]].min() > 0.8
    assert np.delete(fitted.probability_, [4, 17]).max() < 0.6
    # q = sqrt((2 * 0.6 - 1) * 60) = 3.46: three features are noted in each of 50 draws.
    assert fitted.probability_.sum() == pytest.approx(3.0)
    assert len(fitted.ranking_) == 2


def test_stability_draws_half_of_the_patients_with_all_their_vertebrae():
    rng = np.random.default_rng(8)
    patient = np.repeat(np.arange(30), rng.integers(1, 5, 30))
    positive = patient % 3 == 0
    selector = StabilitySelector()
    selector._groups = patient
    draws = selector._subsamples(positive)
    assert len(draws) == 50
    for rows in draws:
        drawn = set(patient[rows])
        assert len(rows) == np.isin(patient, list(drawn)).sum()
        assert (len([p for p in drawn if p % 3 == 0]), len([p for p in drawn if p % 3])) == (5, 10)
    assert len({tuple(rows) for rows in draws}) == 50


def test_stability_on_noise_keeps_at_least_one_and_repeats_exactly():
    X, y = _signal(9, strong=(), shift=0.0)
    first, again = (StabilitySelector(threshold=0.9).fit(X, y, groups=np.arange(80)) for _ in range(2))
    assert 1 <= len(first.ranking_) <= 3
    np.testing.assert_array_equal(first.probability_, again.probability_)


def test_stability_without_patients_is_refused():
    X, y = _signal(10)
    with pytest.raises(AnalysisError) as error:
        StabilitySelector().fit(X, y)
    (problem,) = error.value.problems
    assert (problem.code, problem.where) == ("RV405", "stability selection")
