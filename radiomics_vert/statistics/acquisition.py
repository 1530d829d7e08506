"""The variables that a confounding audit looks at: acquisition facts, covariates, level and site."""

from __future__ import annotations

from typing import Any

import pandas as pd

from radiomics_vert.cohort.levels import Level
from radiomics_vert.dataset.dxa import ABSENT
from radiomics_vert.dataset.nouns import Dataset
from radiomics_vert.errors import AnalysisError, Problem

NOMINAL = ("site", "center", "centre", "hospital", "scanner", "manufacturer")
SLICE_THICKNESS = ("slice_thickness", "slice_thickness_mm", "SliceThickness", "spacing_between_slices")
_ROLES = ("subject_id", "session", "label", "image_digest", ABSENT)


def audited_variables(dataset: Dataset, info: pd.DataFrame | None) -> pd.DataFrame:
    """Return all variables beside the features, one column each, with the index of the dataset.

    A column of `info` goes before a covariate of the same name, and that before one of
    `dataset.info`. Empty text is missing. A level becomes its position from the head down.

    Parameters
    ----------
    dataset : Dataset
        Covariates, level and site.
    info : DataFrame, optional
        Further facts, such as scanner, kVp or slice thickness; its index holds the units.

    Returns
    -------
    DataFrame, shape (n, variables)

    Raises
    ------
    AnalysisError
        RV503: `info` lacks units of the dataset, or holds them twice.
    """
    own = dataset.info.drop(columns=[name for name in _ROLES if name in dataset.info.columns])
    tables = [dataset.covariates, own.loc[:, own.replace("", None).notna().any()]]
    if info is not None:
        tables.insert(0, _aligned(info, dataset))
    columns: dict[str, pd.Series[Any]] = {}
    for table in tables:
        for name in table.columns:
            columns.setdefault(str(name), table[name].replace("", None))
    if "level" in columns:
        columns["level"] = columns["level"].map(_level_order)
    return pd.DataFrame(columns, index=dataset.X.index)


def _aligned(info: pd.DataFrame, dataset: Dataset) -> pd.DataFrame:
    missing = dataset.X.index.difference(info.index)
    if len(missing) or not info.index.is_unique:
        raise AnalysisError(
            Problem(
                "RV503",
                f"one row for each of the {len(dataset)} units of the dataset",
                f"{len(missing)} units without a row" if len(missing) else "units with several rows",
                "info of audit_confounding",
                "give the table the unit ids as its index, as in dataset.X.index",
            )
        )
    return info.loc[dataset.X.index].drop(columns=[name for name in _ROLES if name in info.columns])


def _level_order(level: object) -> float | None:
    try:
        return float(Level.parse(str(level)).order) if level is not None and level == level else None
    except ValueError:
        return None


def is_ordered(name: str, values: pd.Series[Any]) -> bool:
    """Return whether a variable is a quantity: numbers with more than two values, not site codes."""
    number = pd.api.types.is_numeric_dtype(values) and not pd.api.types.is_bool_dtype(values)
    return number and values.nunique() > 2 and name.lower() not in NOMINAL
