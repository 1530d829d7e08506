"""What the feature-by-feature statistics share: checks, names, volume, multiplicity."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from statsmodels.stats.multitest import multipletests

from radiomics_vert.dataset.naming import parse_feature
from radiomics_vert.dataset.nouns import Dataset
from radiomics_vert.errors import AnalysisError, DatasetError, Problem
from radiomics_vert.roc import check_labels
from radiomics_vert.roc.clusters import Bools, Floats
from radiomics_vert.statistics.effects import spearman

VOLUMES = ("MeshVolume", "VoxelVolume")


def check_features(dataset: Dataset) -> tuple[Bools, NDArray[np.intp]]:
    """Check that a dataset has features, and two patients or more in each class.

    Returns
    -------
    positive : ndarray of bool, shape (n,)
        Where the outcome is the positive class.
    patients : ndarray of int, shape (n,)
        Number of each vertebra's patient.

    Raises
    ------
    DatasetError
        RV402: one class only. RV406: fewer than two patients in a class.
    AnalysisError
        RV503: the dataset has no feature.
    """
    if dataset.X.shape[1] == 0:
        raise AnalysisError(
            Problem(
                "RV503",
                "at least one feature",
                "a dataset without features",
                "dataset.X",
                "extract features, or name the feature columns of the table",
            )
        )
    positive, patients = check_labels(dataset.y, dataset.groups, len(dataset))
    subjects = {
        dataset.positive: len(np.unique(patients[positive])),
        dataset.negative: len(np.unique(patients[~positive])),
    }
    if min(subjects.values()) < 2:
        raise DatasetError(
            Problem(
                "RV406",
                "two patients or more in each class",
                ", ".join(f"{name}: {count}" for name, count in subjects.items()),
                f"outcome {dataset.outcome}",
                "add patients: with one patient in a class, the variation between patients is unknown",
            )
        )
    return positive, patients


def name_columns(columns: Iterable[Any]) -> pd.DataFrame:
    """Return `feature, sequence, filter, feature_class, family` of features, one row each."""
    names = [str(name) for name in columns]
    parsed = [parse_feature(name) for name in names]
    return pd.DataFrame(
        {
            "feature": names,
            "sequence": [name.sequence for name in parsed],
            "filter": [name.filter for name in parsed],
            "feature_class": [name.feature_class for name in parsed],
            "family": [name.family for name in parsed],
        }
    )


def adjusted_p(p: pd.Series[float], family: pd.Series[str]) -> dict[str, pd.Series[float]]:
    """Return `p_adjusted` over all tested features and `p_adjusted_family` within the family."""
    return {
        "p_adjusted": benjamini_hochberg(p),
        "p_adjusted_family": p.groupby(family, sort=False).transform(benjamini_hochberg),
    }


def benjamini_hochberg(p: pd.Series[float]) -> pd.Series[float]:
    """Adjust for the false discovery rate; a missing p value stays missing and does not count."""
    adjusted, tested = p.copy(), p.notna()
    if tested.any():
        adjusted[tested] = multipletests(p[tested].to_numpy(), method="fdr_bh")[1]
    return adjusted


def volume_correlation(rows: Floats, names: pd.DataFrame) -> Floats:
    """Return the Spearman correlation of each feature with the volume measured in its sequence.

    Parameters
    ----------
    rows : ndarray, shape (p, n)
        Features.
    names : DataFrame
        Of :func:`name_columns`, or a table that holds its columns, with the index 0 to p - 1.

    Returns
    -------
    ndarray, shape (p,)
        NaN where the sequence has no volume.
    """
    correlation = np.full(len(rows), np.nan)
    for _, members in names.groupby("sequence", sort=False):
        volume = volume_row(members)
        if volume is not None:
            index = members.index.to_numpy()
            correlation[index] = spearman(rows[index], rows[volume])
    return correlation


def volume_row(members: pd.DataFrame) -> int | None:
    """Row of the volume among the features of one sequence: the mesh volume where there is one."""
    shapes = members[members["feature_class"] == "shape"]
    for volume in VOLUMES:
        rows = shapes.index[shapes["feature"].str.endswith(f"_{volume}")]
        if len(rows):
            return int(rows[0])
    return None
