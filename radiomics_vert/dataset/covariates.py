"""Covariates as numbers, by a fixed code that learns nothing from the data."""

from __future__ import annotations

import pandas as pd


def covariate_columns(covariates: pd.DataFrame) -> pd.DataFrame:
    """Return numeric columns for covariates of any kind.

    Numbers and truth values stay one column. Text becomes 0/1 columns named `sex=male`, one for each
    value except the alphabetically first, which is the reference. A missing value stays missing: a
    model's pipeline imputes it in the training rows, an adjusted association leaves the row out. A text
    covariate with one value only gives no column.

    Parameters
    ----------
    covariates : DataFrame, shape (n, q)
        As in :class:`~radiomics_vert.dataset.nouns.Dataset`.

    Returns
    -------
    DataFrame of float
        Same index.

    Examples
    --------
    >>> covariate_columns(pd.DataFrame({"age": [70, 81], "sex": ["male", "female"]})).to_dict("list")
    {'age': [70.0, 81.0], 'sex=male': [1.0, 0.0]}
    """
    columns: dict[str, pd.Series[float]] = {}
    for name in covariates.columns:
        column = covariates[name]
        if pd.api.types.is_bool_dtype(column) or pd.api.types.is_numeric_dtype(column):
            columns[str(name)] = column.astype("float64")
            continue
        text = column.astype("string")
        for value in sorted(text.dropna().unique())[1:]:
            indicator = (text == value).astype("Float64")
            columns[f"{name}={value}"] = indicator.astype("float64")
    return pd.DataFrame(columns, index=covariates.index)
