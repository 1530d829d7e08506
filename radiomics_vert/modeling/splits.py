"""Folds that keep the vertebrae of one patient together and hold both classes."""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Sequence

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray
from sklearn.model_selection import StratifiedGroupKFold

from radiomics_vert.dataset.nouns import Dataset
from radiomics_vert.errors import AnalysisError, Problem

IndexArray = NDArray[np.intp]
Split = tuple[IndexArray, IndexArray]
"""Row positions for training and for testing."""

MAX_ATTEMPTS = 100


def require_grouped_split(splits: Iterable[Split], groups: ArrayLike) -> None:
    """Refuse splits that put vertebrae of one patient on both sides.

    Such a split lets a model recognise the patient instead of the disease, and its results are too
    good: on pure noise with several vertebrae per patient it reaches AUCs far above 0.5.

    Parameters
    ----------
    splits : iterable of (train, test)
        Row positions.
    groups : array-like, shape (n,)
        The patient of each row.

    Raises
    ------
    AnalysisError
        RV501, with the number of patients on both sides.

    Examples
    --------
    >>> require_grouped_split([(np.array([0, 1]), np.array([2]))], ["a", "a", "b"])
    """
    patients = np.asarray(groups)
    for number, (train, test) in enumerate(splits, start=1):
        both = np.intersect1d(patients[np.asarray(train)], patients[np.asarray(test)])
        if len(both):
            raise AnalysisError(
                Problem(
                    "RV501",
                    "every patient entirely in the training rows or entirely in the test rows",
                    f"{len(both)} of {len(np.unique(patients))} patients on both sides",
                    f"split {number}",
                    "split by patient, for example with StratifiedGroupKFold and groups=patient",
                )
            )


def require_patient_groups(dataset: Dataset) -> None:
    """Refuse a dataset whose groups are missing or finer than its patients.

    Raises
    ------
    AnalysisError
        RV405, with the number of rows without a group; RV501, with the number of patients whose
        vertebrae are in several groups.
    """
    missing = dataset.groups.isna()
    if missing.any():
        raise AnalysisError(
            Problem(
                "RV405",
                "a patient for every vertebra",
                f"{int(missing.sum())} of {len(missing)} vertebrae without one",
                f"groups of the dataset, for example unit {dataset.X.index[missing][0]}",
                "fill in the patient, or leave the vertebra out",
            )
        )
    if "subject_id" not in dataset.info.columns:
        return
    per_subject = dataset.groups.groupby(dataset.info["subject_id"].to_numpy()).nunique()
    torn = per_subject.index[per_subject > 1]
    if len(torn):
        raise AnalysisError(
            Problem(
                "RV501",
                "one group per patient",
                f"{len(torn)} of {len(per_subject)} patients with vertebrae in several groups",
                f"groups of the dataset, for example patient {torn[0]}",
                "use the patient (subject_id) as group, not the vertebra",
            )
        )


def grouped_folds(
    y: ArrayLike, groups: ArrayLike, n_folds: int, seed: Sequence[int], *, where: str = "folds"
) -> list[Split]:
    """Split into folds by patient, with about the same share of the positive class in each.

    Parameters
    ----------
    y : array-like of int, shape (n,)
        1 for the positive class.
    groups : array-like, shape (n,)
        The patient of each row. A patient may have rows of both classes.
    n_folds : int
        Number of folds.
    seed : sequence of int
        Root of the randomness, for example `(seed, repeat)`. When a fold lacks a class, the next
        shuffle of the same root is tried, up to 100 times.
    where : str
        Named in the error.

    Returns
    -------
    list of (train, test)
        Row positions, ascending; each row is in one test part.

    Raises
    ------
    AnalysisError
        RV502 when there are fewer patients per class than folds, or no shuffle gives folds with both
        classes.
    """
    labels, patients = np.asarray(y), np.asarray(groups)
    _require_enough_patients(labels, patients, n_folds, where)
    for attempt in range(MAX_ATTEMPTS):
        state = int(np.random.SeedSequence([*seed, attempt]).generate_state(1)[0])
        splitter = StratifiedGroupKFold(n_folds, shuffle=True, random_state=state)
        with warnings.catch_warnings():
            # It warns of few rows per class; what matters is tested right below.
            warnings.filterwarnings("ignore", "The least populated class", UserWarning)
            splits = list(splitter.split(labels, labels, patients))
        if all(_both_classes(labels[part]) for split in splits for part in split):
            require_grouped_split(splits, patients)
            return splits
    raise AnalysisError(_too_few(labels, patients, n_folds, where))


def site_folds(y: ArrayLike, groups: ArrayLike, sites: ArrayLike) -> tuple[list[Split], list[str]]:
    """Split into folds by site: each site is the test part once.

    A site with one class only is left out altogether: it could not be judged as a test part, and in a
    training part it would teach the site in place of the disease.

    Parameters
    ----------
    y : array-like of int, shape (n,)
        1 for the positive class.
    groups : array-like, shape (n,)
        The patient of each row.
    sites : array-like of str, shape (n,)
        The site of each row.

    Returns
    -------
    splits : list of (train, test)
        Row positions, in the alphabetical order of the sites that are tested.
    left_out : list of str
        Sites with one class only, sorted.

    Raises
    ------
    AnalysisError
        RV507 when fewer than two sites have both classes; RV501 when a patient was scanned at two.

    Examples
    --------
    >>> splits, left_out = site_folds([0, 1, 0, 1, 1], list("abcde"), ["X", "X", "Y", "Y", "Z"])
    >>> [test.tolist() for _, test in splits], left_out
    ([[0, 1], [2, 3]], ['Z'])
    """
    labels, patients, places = np.asarray(y), np.asarray(groups), np.asarray(sites)
    names = np.unique(places)
    tested = [str(name) for name in names if _both_classes(labels[places == name])]
    left_out = sorted({str(name) for name in names} - set(tested))
    if len(tested) < 2:
        raise AnalysisError(_too_few_sites(tested, left_out))
    used = np.isin(places, tested)
    splits = [(np.flatnonzero(used & (places != name)), np.flatnonzero(places == name)) for name in tested]
    require_grouped_split(splits, patients)
    return splits, left_out


def _too_few_sites(tested: Sequence[str], left_out: Sequence[str]) -> Problem:
    return Problem(
        "RV507",
        "at least two sites with both classes",
        f"{', '.join(tested) or 'none'}" + (f"; one class only at {', '.join(left_out)}" if left_out else ""),
        "leave-one-site-out, column site",
        "use repeated_kfold, and show the association of site and outcome beside its results",
    )


def _both_classes(labels: NDArray[np.int_]) -> bool:
    return len(labels) > 0 and labels.min() != labels.max()


def patients_per_class(labels: NDArray[np.int_], patients: NDArray[np.object_]) -> tuple[int, int]:
    """Return the number of patients with a negative row, and with a positive row.

    Parameters
    ----------
    labels : ndarray of int, shape (n,)
        Outcome.
    patients : ndarray, shape (n,)
        The patient of each row.

    Returns
    -------
    negative, positive : int
        A patient with both counts in both.
    """
    table = pd.Series(patients).groupby(labels).nunique()
    return int(table.get(0, 0)), int(table.get(1, 0))


def _require_enough_patients(
    labels: NDArray[np.int_], patients: NDArray[np.object_], n_folds: int, where: str
) -> None:
    if min(patients_per_class(labels, patients)) < n_folds:
        raise AnalysisError(_too_few(labels, patients, n_folds, where))


def _too_few(labels: NDArray[np.int_], patients: NDArray[np.object_], n_folds: int, where: str) -> Problem:
    negative, positive = patients_per_class(labels, patients)
    return Problem(
        "RV502",
        f"both classes in each of {n_folds} folds, so at least {n_folds} patients per class",
        f"{positive} patients with the positive class, {negative} with the negative class, "
        f"{len(np.unique(patients))} patients and {len(labels)} vertebrae in all",
        where,
        f"use fewer folds (at most {min(negative, positive)}), or add patients"
        if min(negative, positive) >= 2
        else "add patients of the rarer class; with fewer than 2 nothing can be validated",
    )
