"""What a locked model asks about new rows beside their inputs: the patient, and for ComBat the site."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from radiomics_vert.dataset import Dataset
from radiomics_vert.errors import AnalysisError, Problem
from radiomics_vert.modeling.fitted import FittedModel
from radiomics_vert.modeling.rows import Rows


def prediction_rows(
    fitted: FittedModel, table: pd.DataFrame | Dataset, subjects: Sequence[str], where: str
) -> Rows:
    """Return what the steps of a locked model may ask about the rows of a table.

    Parameters
    ----------
    fitted : FittedModel
        The model.
    table : DataFrame or Dataset
        A harmonised model reads the column `site` (of a dataset: of its `info`, else of its covariates)
        and the covariates whose differences harmonisation keeps.
    subjects : sequence of str
        Patients.
    where : str
        What errors call the table.

    Returns
    -------
    Rows

    Raises
    ------
    AnalysisError
        RV105 a row without a site, RV512 a covariate of harmonisation is no column.
    """
    groups = np.array(subjects, dtype=object)
    asked = fitted.harmonisation
    if asked is None:
        return Rows(groups)
    frame = _facts(table)
    absent = [one.name for one in asked.covariates if one.name not in frame.columns]
    if absent:
        expected = "a column for each covariate of harmonisation"
        remedy = "add the columns, with the names and units of the development data"
        raise AnalysisError(Problem("RV512", expected, f"no column for {', '.join(absent)}", where, remedy))
    sites = frame["site"] if "site" in frame.columns else pd.Series("", index=frame.index)
    named = sites.astype("string").fillna("")
    empty = int((named.str.strip() == "").sum())
    if empty:
        raise AnalysisError(_no_site(empty, asked.sites, where))
    blocks = [one.encode(frame[one.name]) for one in asked.covariates]
    kept = np.hstack(blocks) if blocks else np.empty((len(groups), 0))
    return Rows(groups, named.to_numpy(dtype=object), kept)


def new_sites(fitted: FittedModel, rows: Rows) -> NDArray[np.bool_]:
    """Return which rows come from a site that a harmonised model does not know, shape (n,)."""
    if fitted.harmonisation is None or rows.sites is None:
        return np.zeros(len(rows.groups), dtype=bool)
    return ~np.isin(rows.sites, fitted.harmonisation.sites)


def _facts(table: pd.DataFrame | Dataset) -> pd.DataFrame:
    if not isinstance(table, Dataset):
        return table
    site: pd.Series[Any] = table.info.get("site", pd.Series("", index=table.X.index))
    known = site.astype("string").fillna("").str.strip().ne("").any()
    if "site" in table.covariates.columns and not known:
        site = table.covariates["site"]
    return table.covariates.drop(columns="site", errors="ignore").assign(site=site)


def _no_site(n: int, known: Sequence[str], where: str) -> Problem:
    return Problem(
        "RV105",
        f"the site of every row; the model knows {', '.join(known) or 'none'}",
        f"{n} rows without one",
        f"{where}, column site",
        "add the column `site`; give a hospital that the model does not know its own name",
    )
