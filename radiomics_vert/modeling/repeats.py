"""Repeated measurements of the vertebrae of a dataset, lined up with its rows and columns."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from radiomics_vert.dataset.naming import SEQUENCE_SEPARATOR, unit_ids
from radiomics_vert.dataset.nouns import Dataset
from radiomics_vert.errors import AnalysisError, Problem
from radiomics_vert.feature_table import FeatureTable

Repeats = Sequence[pd.DataFrame]
"""Tables with the features of a dataset measured once more: index units, columns features."""


def repeated_measurements(table: FeatureTable, dataset: Dataset) -> list[pd.DataFrame]:
    """Return the measurements of each further rater (or perturbed mask) of a feature table.

    Parameters
    ----------
    table : FeatureTable
        With a second rater, or perturbed masks, told apart by the column `rater`. It may hold vertebrae
        that the dataset lacks and lack some that it has.
    dataset : Dataset
        The first measurement. A rater whose values are those of the dataset is no repetition and is
        left out.

    Returns
    -------
    list of DataFrame, shape (n, p)
        One per rater in the order of the table; index and columns of `dataset.X`, NaN where this rater
        did not measure.

    Raises
    ------
    AnalysisError
        RV503 when nobody measured a vertebra of the dataset a second time.
    """
    values = table.values
    several = len(values["sequence"].unique()) > 1
    found = []
    for _, rows in values.groupby("rater", sort=False, dropna=False):
        wide = _side_by_side(rows, table.features, several).reindex(
            index=dataset.X.index, columns=dataset.X.columns
        )
        measured = wide.notna().to_numpy()
        same = np.array_equal(wide.to_numpy()[measured], dataset.X.to_numpy(dtype=float)[measured])
        if measured.any() and not same:
            found.append(wide)
    if not found:
        raise AnalysisError(
            Problem(
                "RV503",
                "vertebrae of the dataset measured a second time",
                f"{len(values)} rows by {len(values['rater'].unique())} raters, none a second measurement",
                "column rater of the repeated measurements",
                "extract the masks of a second rater, or perturbed masks",
            )
        )
    return found


def stacked_repeats(
    repeats: Repeats | None, units: Sequence[str], features: Sequence[str]
) -> NDArray[np.float64]:
    """Line repeated measurements up with rows and columns.

    Parameters
    ----------
    repeats : sequence of DataFrame or None
        From :func:`repeated_measurements`.
    units, features : sequence of str
        Wanted rows and columns.

    Returns
    -------
    ndarray, shape (n, m, p)
        NaN where not measured.

    Raises
    ------
    AnalysisError
        RV503 without repeated measurements.
    """
    if not repeats:
        raise AnalysisError(
            Problem(
                "RV503",
                "repeated measurements of the vertebrae",
                "none",
                "preparation, min_icc",
                "give the features of a second rater or of perturbed masks, or leave min_icc out",
            )
        )
    tables = [table.reindex(index=list(units), columns=list(features)) for table in repeats]
    return np.stack([table.to_numpy(dtype=np.float64) for table in tables], axis=1)


def _side_by_side(rows: pd.DataFrame, features: Sequence[str], several: bool) -> pd.DataFrame:
    units = unit_ids(rows.fillna({"session": "", "level": ""}))
    blocks = []
    for sequence, part in rows.groupby("sequence", sort=False):
        block = part[list(features)].set_axis(pd.Index(units[part.index]), axis=0)
        blocks.append(block.add_prefix(f"{sequence}{SEQUENCE_SEPARATOR}") if several else block)
    return pd.concat(blocks, axis=1)
