from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from sklearn.model_selection import KFold, StratifiedKFold

from radiomics_vert.errors import AnalysisError
from radiomics_vert.modeling import grouped_folds, require_grouped_split
from radiomics_vert.modeling.splits import require_patient_groups


def _cohort(seed: int, patients: int = 40):
    rng = np.random.default_rng(seed)
    groups = np.repeat(np.arange(patients), rng.integers(1, 5, patients)).astype(str)
    y = (groups.astype(int) % 3 == 0).astype(int)
    mixed = rng.random(len(y)) < 0.1
    return np.where(mixed, 1 - y, y), groups


@pytest.mark.parametrize("seed", range(5))
def test_folds_keep_patients_together_and_hold_both_classes(seed):
    y, groups = _cohort(seed)
    splits = grouped_folds(y, groups, 5, (seed, 1))
    assert sorted(np.concatenate([test for _, test in splits])) == list(range(len(y)))
    for train, test in splits:
        assert not set(groups[train]) & set(groups[test])
        assert sorted([*train, *test]) == list(range(len(y)))
        assert set(y[test]) == {0, 1}
        assert set(y[train]) == {0, 1}


def test_folds_are_stratified():
    y = np.repeat([1] * 10 + [0] * 30, 2)
    groups = np.repeat(np.arange(40), 2)
    for _, test in grouped_folds(y, groups, 5, (0,)):
        assert y[test].sum() == 4
        assert len(test) == 16


def test_folds_repeat_for_the_same_seed_and_change_with_it():
    y, groups = _cohort(0)
    first, again, other = (grouped_folds(y, groups, 5, seed) for seed in ((7, 1), (7, 1), (7, 2)))
    for one, two in zip(first, again, strict=True):
        np.testing.assert_array_equal(one[1], two[1])
    assert any(not np.array_equal(one[1], two[1]) for one, two in zip(first, other, strict=True))


def test_another_shuffle_is_tried_when_a_fold_lacks_a_class():
    # Few positive patients, one of them with most positive vertebrae: the first shuffle often fails.
    y = np.array([1] * 12 + [1, 1, 1] + [0] * 12)
    groups = np.array(["a"] * 12 + ["b", "c", "d"] + [f"n{i}" for i in range(12)])
    for seed in range(20):
        for train, test in grouped_folds(y, groups, 3, (seed,)):
            assert set(y[train]) == set(y[test]) == {0, 1}


def test_too_few_patients_per_class_are_refused_with_counts_and_remedy():
    y = np.array([1] * 9 + [0] * 10)
    groups = np.array(["a", "b", "c"] * 3 + [f"n{i}" for i in range(10)])
    with pytest.raises(AnalysisError) as error:
        grouped_folds(y, groups, 5, (0,), where="outer folds of repeat 1")
    (problem,) = error.value.problems
    assert problem.code == "RV502"
    assert problem.expected == "both classes in each of 5 folds, so at least 5 patients per class"
    assert problem.found == (
        "3 patients with the positive class, 10 with the negative class, 13 patients and 19 vertebrae in all"
    )
    assert problem.where == "outer folds of repeat 1"
    assert problem.remedy == "use fewer folds (at most 3), or add patients"


def test_one_class_is_refused_without_offering_fewer_folds():
    with pytest.raises(AnalysisError) as error:
        grouped_folds(np.zeros(12, dtype=int), np.arange(12), 3, (0,))
    (problem,) = error.value.problems
    assert problem.code == "RV502"
    assert problem.found.startswith("0 patients with the positive class, 12 with the negative class")
    assert problem.remedy.startswith("add patients of the rarer class")


def test_folds_that_cannot_hold_both_classes_are_refused():
    # Six positive rows in two patients that are also the only negative ones of theirs: 2 folds work,
    # but one patient with every negative vertebra leaves the other fold without a negative one.
    y = np.array([1, 1, 1, 1, 0, 0])
    groups = np.array(["a", "b", "c", "d", "e", "e"])
    with pytest.raises(AnalysisError) as error:
        grouped_folds(y, groups, 2, (0,))
    assert error.value.problems[0].code == "RV502"


def test_a_vertebra_level_split_is_refused_with_the_number_of_patients():
    groups = np.repeat([f"P{i}" for i in range(10)], 3)
    train, test = next(iter(KFold(5).split(groups)))  # rows 0-5 are P0 and P1, entirely
    require_grouped_split([(train, test)], groups)
    shifted = [(np.r_[0:2, 8:30], np.arange(2, 8))]  # P0 and P2 on both sides
    with pytest.raises(AnalysisError) as error:
        require_grouped_split(shifted, groups)
    (problem,) = error.value.problems
    assert (problem.code, problem.found, problem.where) == (
        "RV501",
        "2 of 10 patients on both sides",
        "split 1",
    )


def test_the_faulty_split_of_several_is_named():
    groups = np.repeat(np.arange(10), 2)
    y = groups % 2
    good = [(np.arange(10, 20), np.arange(10))]
    bad = list(StratifiedKFold(2, shuffle=True, random_state=0).split(y, y))
    with pytest.raises(AnalysisError) as error:
        require_grouped_split(good + bad, groups)
    assert error.value.problems[0].where == "split 2"


def test_groups_finer_than_patients_are_refused(make_dataset):
    dataset = make_dataset(patients=12, per_patient=3)
    require_patient_groups(dataset)
    torn = dataset.groups.copy()
    torn[:] = dataset.X.index.to_numpy()
    with pytest.raises(AnalysisError) as error:
        require_patient_groups(dataclasses.replace(dataset, groups=torn))
    (problem,) = error.value.problems
    assert problem.code == "RV501"
    assert problem.found == "12 of 12 patients with vertebrae in several groups"
    assert "P000" in problem.where


def test_a_vertebra_without_patient_is_refused(make_dataset):
    dataset = make_dataset(patients=12)
    groups = dataset.groups.copy()
    groups.iloc[[3, 4]] = None
    with pytest.raises(AnalysisError) as error:
        require_patient_groups(dataclasses.replace(dataset, groups=groups))
    (problem,) = error.value.problems
    assert (problem.code, problem.found) == ("RV405", "2 of 24 vertebrae without one")
    assert "P001_L2" in problem.where
