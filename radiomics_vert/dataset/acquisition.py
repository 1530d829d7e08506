"""Covariates that the scans know: slice thickness, contrast phase, scanner, and the other facts."""

from __future__ import annotations

import pandas as pd

from radiomics_vert.cohort import Cohort
from radiomics_vert.cohort.acquisition import FACTS, known_facts
from radiomics_vert.dataset.naming import unit_ids
from radiomics_vert.errors import DatasetError, Problem
from radiomics_vert.feature_table import IDENTITY
from radiomics_vert.storage import blanks_filled

ACQUISITION_COVARIATES = tuple(FACTS)
"""Facts of acquisition that may be named as covariates, such as `slice_thickness`."""


def case_acquisition(cohort: Cohort) -> pd.DataFrame:
    """Return the facts of acquisition of each case, as :func:`radiomics_vert.merge` takes them.

    Parameters
    ----------
    cohort : Cohort
        What :func:`radiomics_vert.read_cohort` returned.

    Returns
    -------
    DataFrame
        One row per case: :data:`~radiomics_vert.feature_table.IDENTITY`, then the facts that at least one
        scan has; a fact that is missing is empty.
    """
    facts = {scan.scan_id: known_facts(scan) for scan in cohort.scans}
    present = [name for name in FACTS if any(name in own for own in facts.values())]
    return pd.DataFrame(
        [{**case.identity(), **facts[case.scan.scan_id]} for case in cohort.cases],
        columns=[*IDENTITY, *present],
    )


def unit_fact(table: pd.DataFrame | None, name: str) -> pd.Series[str]:
    """Return one fact of each vertebra, from the first sequence that has it.

    Facts of different sequences are never mixed: a vertebra without that sequence has no value.

    Parameters
    ----------
    table : DataFrame or None
        What :func:`case_acquisition` returned.
    name : str
        One of :data:`ACQUISITION_COVARIATES`.

    Returns
    -------
    Series
        Indexed by unit id, vertebrae without a value left out.

    Raises
    ------
    DatasetError
        RV103 no scan has this fact.
    """
    rows = None if table is None or name not in table else blanks_filled(table)
    rows = None if rows is None else rows[rows[name].astype(str).str.strip() != ""]
    if rows is None or rows.empty:
        raise DatasetError(
            Problem(
                "RV103",
                f"the covariate {name!r} in the clinical table, or known of at least one scan",
                "no table of acquisition" if table is None else "no scan with this fact",
                "facts of acquisition",
                f"add the column {name} to the image table or to the clinical table, or leave it out",
            )
        )
    rows = rows[rows["sequence"] == rows["sequence"].iloc[0]]
    keys = list(IDENTITY[:-1])
    values = pd.Series(rows[name].to_numpy(), pd.Index(unit_ids(rows.assign(**rows[keys].astype(str)))))
    return values[~values.index.duplicated()]
