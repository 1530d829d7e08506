from __future__ import annotations

import numpy as np
import pytest
from sklearn.calibration import CalibratedClassifierCV
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import log_loss
from sklearn.svm import SVC
from threadpoolctl import threadpool_limits

from radiomics_vert.errors import AnalysisError
from radiomics_vert.modeling import (
    FAMILIES,
    ModelSpec,
    Rows,
    build_pipeline,
    classifiers,
    fit_pipeline,
    predict_pipeline,
)
from radiomics_vert.modeling.baselines import TAKIGAWA_SIGNS, TakigawaLogit
from radiomics_vert.modeling.classifiers import CalibratedSVC, PatientOversampler, balanced_rows


def _patients(seed: int, patients: int = 40, per_patient: int = 3, p: int = 4, shift: float = 1.5):
    rng = np.random.default_rng(seed)
    groups = np.repeat([f"P{i:02d}" for i in range(patients)], per_patient).astype(object)
    y = np.repeat(np.arange(patients) % 2, per_patient)
    X = rng.normal(size=(len(y), p)) + np.repeat(rng.normal(size=(patients, p)), per_patient, axis=0)
    X[:, 0] += shift * y
    return X, y, groups


@pytest.mark.parametrize("kernel", ["linear", "rbf"])
def test_svm_orders_as_its_machine_and_its_probabilities_fit_the_frequencies(kernel):
    X, y, groups = _patients(0, patients=150)
    model = CalibratedSVC(kernel, C=0.5, gamma=0.1).fit(X, y, groups=groups)
    p = model.predict_proba(X)
    np.testing.assert_allclose(p.sum(axis=1), 1)
    scores = SVC(kernel=kernel, C=0.5, gamma=0.1).fit(X, y).decision_function(X)
    assert (np.diff(p[np.argsort(scores), 1]) >= -1e-12).all()
    new, truth, _ = _patients(1, patients=400)
    predicted = model.predict_proba(new)[:, 1]
    for low, high in ((0.0, 0.35), (0.35, 0.65), (0.65, 1.0)):
        inside = (predicted >= low) & (predicted < high)
        assert predicted[inside].mean() == pytest.approx(truth[inside].mean(), abs=0.12)
    assert model.predict(new).tolist() == (predicted >= 0.5).astype(int).tolist()


def test_calibration_folds_keep_patients_together(monkeypatch):
    X, y, groups = _patients(2)
    seen = []

    def spy(machine, cv, **further):
        seen.extend(cv)
        return CalibratedClassifierCV(machine, cv=cv, **further)

    monkeypatch.setattr(classifiers, "CalibratedClassifierCV", spy)
    CalibratedSVC(n_folds=4).fit(X, y, groups=groups)
    assert len(seen) == 4
    assert sorted(np.concatenate([test for _, test in seen])) == list(range(len(y)))
    for train, test in seen:
        assert not set(groups[train]) & set(groups[test])
        assert set(y[train]) == {0, 1}
        assert (len(set(groups[test][y[test] == 1])), len(set(groups[test][y[test] == 0]))) == (5, 5)


def test_calibration_by_vertebra_would_be_overconfident():
    """Vertebrae of a patient are alike: folds that part them calibrate on rows already seen."""
    X, y, groups = _patients(3, patients=60, per_patient=4, shift=0.8)
    X = np.repeat(X[::4], 4, axis=0)
    new, truth, _ = _patients(4, patients=300, shift=0.8)
    machine = CalibratedSVC("rbf", C=5.0, gamma=0.2)
    honest = log_loss(truth, machine.fit(X, y, groups=groups).predict_proba(new))
    leaky = log_loss(truth, machine.fit(X, y, groups=np.arange(len(y))).predict_proba(new))
    assert honest < 0.72
    assert leaky > honest + 0.1


def test_svm_without_patients_or_with_too_few_is_refused():
    X, y, groups = _patients(4)
    with pytest.raises(AnalysisError) as error:
        CalibratedSVC().fit(X, y)
    assert error.value.problems[0].code == "RV405"
    one = np.where(y == 1, "same", groups)
    with pytest.raises(AnalysisError) as error:
        CalibratedSVC().fit(X, y, groups=one)
    (problem,) = error.value.problems
    assert problem.code == "RV502"
    assert problem.found == "1 patients with the positive class, 20 with the negative class"


def test_only_the_linear_machine_has_coefficients():
    X, y, groups = _patients(5)
    linear = CalibratedSVC("linear").fit(X, y, groups=groups)
    assert linear.coef_.shape == (1, 4)
    assert linear.coef_[0, 0] > np.abs(linear.coef_[0, 1:]).max()
    assert not hasattr(CalibratedSVC("rbf").fit(X, y, groups=groups), "coef_")


def test_oversampling_repeats_whole_patients_of_the_rarer_class():
    groups = np.array(["a", "a", "b", "c", "c", "c", "d", "e", "f", "g"])
    y = np.array([1, 1, 1, 0, 0, 0, 0, 0, 0, 0])
    rows = balanced_rows(y, groups, seed=1)
    assert rows[:10].tolist() == list(range(10))
    added = rows[10:]
    assert (y[added] == 1).all()
    assert np.isin(added, 0).sum() == np.isin(added, 1).sum()  # the two of patient a come together
    assert 7 <= (y[rows] == 1).sum() <= 8
    assert balanced_rows([0, 1], ["a", "b"], 0).tolist() == [0, 1]


def test_oversampling_lets_the_classes_weigh_the_same():
    X, y, groups = _patients(6, patients=60)
    rare = (y == 0) | np.isin(groups, [f"P{i:02d}" for i in (1, 3, 5, 7, 9, 11)])
    X, y, groups = X[rare], y[rare], groups[rare]
    plain = LogisticRegression().fit(X, y)
    balanced = PatientOversampler(LogisticRegression()).fit(X, y, groups=groups)
    repeated = balanced_rows(y, groups, 0)
    oracle = LogisticRegression().fit(X[repeated], y[repeated])
    np.testing.assert_array_equal(balanced.coef_, oracle.coef_)
    assert plain.predict_proba(X)[:, 1].mean() == pytest.approx(y.mean(), abs=0.02)
    assert balanced.predict_proba(X)[:, 1].mean() > y.mean() + 0.15
    assert balanced.predict(X).sum() > plain.predict(X).sum()
    with pytest.raises(AnalysisError, match="RV405"):
        PatientOversampler(LogisticRegression()).fit(X, y)


@pytest.mark.parametrize("name", [name for name, family in FAMILIES.items() if not family.fixed])
@pytest.mark.parametrize("resampling", [None, "oversample"])
def test_every_family_fits_predicts_and_repeats_exactly(name, resampling):
    X, y, groups = _patients(7, patients=24)
    spec = ModelSpec(name, resampling=resampling)
    with threadpool_limits(limits=1):
        found = [
            predict_pipeline(fit_pipeline(build_pipeline(spec), X, y, Rows(groups)), X, Rows(groups))
            for _ in range(2)
        ]
    np.testing.assert_array_equal(*found)
    assert ((found[0] >= 0) & (found[0] <= 1)).all()
    assert found[0][y == 1].mean() > found[0][y == 0].mean() + 0.1


def test_takigawa_by_hand():
    signs = np.array([[0, 0, 0, 0], [1, 0, 0, 0], [1, 1, 0, 0], [1, 1, 1, 0], [0, 0, 0, 1]])
    rule = TakigawaLogit().fit(np.zeros((2, 4)), [0, 1])
    found = rule.predict_proba(signs)[:, 1]
    assert np.round(found, 4).tolist() == [0.0067, 0.246, 0.8732, 0.993, 0.0003]
    assert rule.predict(signs).tolist() == [0, 0, 1, 1, 0]
    assert dict(zip(TAKIGAWA_SIGNS, rule.coef_[0], strict=True))["band"] == -3.05
    with pytest.raises(ValueError, match="4 signs"):
        TakigawaLogit().fit(np.zeros((2, 3)), [0, 1])
