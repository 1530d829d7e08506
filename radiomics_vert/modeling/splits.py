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


def _both_classes(labels: NDArray[np.int_]) -> bool:
    return len(labels) > 0 and labels.min() != labels.max()


def _patients_per_class(labels: NDArray[np.int_], patients: NDArray[np.object_]) -> tuple[int, int]:
    """Return patients with a negative row, and patients with a positive row."""
    table = pd.Series(patients).groupby(labels).nunique()
    return int(table.get(0, 0)), int(table.get(1, 0))


def _require_enough_patients(
    labels: NDArray[np.int_], patients: NDArray[np.object_], n_folds: int, where: str
) -> None:
    if min(_patients_per_class(labels, patients)) < n_folds:
        raise AnalysisError(_too_few(labels, patients, n_folds, where))


def _too_few(labels: NDArray[np.int_], patients: NDArray[np.object_], n_folds: int, where: str) -> Problem:
    negative, positive = _patients_per_class(labels, patients)
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
