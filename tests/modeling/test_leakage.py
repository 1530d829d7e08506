"""What leaks do to the AUC on pure noise, and that this package does not have them.

The leaky analyses exist in this file only: the package offers no way to run them.
"""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import StratifiedKFold

from radiomics_vert.errors import AnalysisError
from radiomics_vert.modeling import (
    ModelSpec,
    UnivariateSelector,
    ValidationSpec,
    build_pipeline,
    cross_validate,
    grouped_folds,
    require_grouped_split,
)

SPEC = ModelSpec(grid={"k": (20,), "l1_ratio": (0.1,), "C": (0.5,)})
VALIDATION = ValidationSpec(repeats=3, inner_folds=2, n_boot=20)


def _pooled_auc(X, y, splits, k: int = 20) -> float:
    pipeline = build_pipeline(SPEC).set_params(select__k=k, model__l1_ratio=0.1, model__C=0.5)
    p = np.empty(len(y))
    for train, test in splits:
        p[test] = clone(pipeline).fit(X[train], y[train]).predict_proba(X[test])[:, 1]
    return float(roc_auc_score(y, p))


def test_splitting_vertebrae_of_a_patient_makes_noise_look_like_disease(make_dataset):
    honest, leaky, covered = [], [], []
    for seed in range(2):
        # Nothing but patients: four similar vertebrae each, no difference between the classes.
        dataset = make_dataset(seed, patients=40, per_patient=4, features=200, icc=0.8)
        X, y = dataset.X.to_numpy(), dataset.y.to_numpy()
        split = list(StratifiedKFold(5, shuffle=True, random_state=seed).split(X, y))
        leaky.append(_pooled_auc(X, y, split))
        with pytest.raises(AnalysisError, match="RV501"):
            require_grouped_split(split, dataset.groups)
        row = cross_validate(dataset, SPEC, VALIDATION).frame().set_index("metric").loc["auc"]
        honest.append(row["estimate"])
        covered.append(row["ci_low"] <= 0.5 <= row["ci_high"])
    assert np.mean(leaky) > 0.8
    assert 0.35 < np.mean(honest) < 0.62
    assert all(covered)


def test_selection_before_the_split_makes_noise_look_like_disease(make_dataset):
    honest, leaky = [], []
    for seed in range(3):
        dataset = make_dataset(seed, patients=60, per_patient=1, features=1000, icc=0.0)
        X, y, groups = dataset.X.to_numpy(), dataset.y.to_numpy(), dataset.groups.to_numpy()
        split = grouped_folds(y, groups, 5, (seed,))
        chosen = UnivariateSelector(k=20).fit(X, y).get_support()
        leaky.append(_pooled_auc(X[:, chosen], y, split))
        honest.append(_pooled_auc(X, y, split))
    assert np.mean(leaky) > 0.85
    assert 0.35 < np.mean(honest) < 0.65


@pytest.mark.slow
def test_leakage_study_with_ten_repeats(make_dataset):
    """Ten cohorts of pure noise: the honest AUC stays at chance, on average and in the intervals."""
    rows = []
    for seed in range(10):
        clustered = make_dataset(seed, patients=40, per_patient=4, features=200, icc=0.8)
        X, y = clustered.X.to_numpy(), clustered.y.to_numpy()
        vertebra = list(StratifiedKFold(5, shuffle=True, random_state=seed).split(X, y))
        auc = cross_validate(clustered, SPEC, VALIDATION).frame().set_index("metric").loc["auc"]
        single = make_dataset(seed, patients=60, per_patient=1, features=1000, icc=0.0)
        Z, labels = single.X.to_numpy(), single.y.to_numpy()
        split = grouped_folds(labels, single.groups, 5, (seed,))
        chosen = UnivariateSelector(k=20).fit(Z, labels).get_support()
        covered = auc["ci_low"] <= 0.5 <= auc["ci_high"]
        rows.append(
            [
                _pooled_auc(X, y, vertebra),
                auc["estimate"],
                float(covered),
                _pooled_auc(Z[:, chosen], labels, split),
                _pooled_auc(Z, labels, split),
            ]
        )
    by_vertebra, by_patient, coverage, outside, inside = np.mean(rows, axis=0)
    print(
        f"vertebra split {by_vertebra:.2f}, patient split {by_patient:.2f} (0.5 covered in "
        f"{coverage:.0%}); selection outside {outside:.2f}, inside {inside:.2f}"
    )
    assert by_vertebra > 0.8
    assert by_patient == pytest.approx(0.5, abs=0.08)
    assert coverage >= 0.8
    assert outside > 0.85
    assert inside == pytest.approx(0.5, abs=0.08)
