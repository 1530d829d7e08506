"""How well features of a study bear another outline or another scan: each source of repeats for itself."""

from __future__ import annotations

from dataclasses import replace

import pandas as pd

from radiomics_vert.config.models import ReliabilitySettings
from radiomics_vert.dataset.naming import SEQUENCE_SEPARATOR
from radiomics_vert.feature_table import FeatureTable
from radiomics_vert.results import Result
from radiomics_vert.statistics.reliability import reliability

COLUMN = {"raters": "rater", "sessions": "session"}
"""What tells the measurements of a vertebra apart, by the name of the source."""
MIN_VERTEBRAE = 2
"""Repeated vertebrae below which no agreement can be computed."""


def repeated_rows(rows: pd.DataFrame, source: str, rater: str | None) -> pd.DataFrame:
    """Return the rows of vertebrae that were measured more than once.

    Parameters
    ----------
    rows : DataFrame
        With the columns of :data:`~radiomics_vert.feature_table.IDENTITY`.
    source : {"raters", "sessions"}
        Whose repeats are wanted.
    rater : str or None
        Whose masks are analysed: sessions are compared on these alone.
    """
    if source == "sessions" and rater:
        rows = rows[rows["rater"] == rater]
    vertebra = rows["level"].where(rows["level"] != "", "label" + rows["label"].astype(str))
    keys = [rows["subject_id"], rows["sequence"], vertebra]
    keys.append(rows["session"] if source == "raters" else rows["rater"])
    return rows[rows.groupby(keys)[COLUMN[source]].transform("nunique") > 1]


def agreement_results(
    settings: ReliabilitySettings, features: FeatureTable, perturbed: FeatureTable | None, rater: str | None
) -> list[Result]:
    """Return the agreement of repeated measurements, one result for each source.

    Parameters
    ----------
    settings : ReliabilitySettings
        Which sources, which coefficient.
    features : FeatureTable
        Of all raters and sessions.
    perturbed : FeatureTable or None
        Features on changed masks.
    rater : str or None
        Whose masks are analysed.

    Returns
    -------
    list of Result
        The first of kind `reliability`, whose ICC stands beside the association of each feature; the
        others of kind `reliability_raters` or `reliability_sessions`.
    """
    found = {} if perturbed is None else {"perturbations": _agreement(settings, perturbed, "perturbation")}
    for source in dict.fromkeys(settings.compare):
        rows = repeated_rows(features.values, source, rater)
        nothing = features.failures.iloc[:0]
        table = replace(features, values=rows, failures=nothing, n_cases=len(rows))
        result = _agreement(settings, table, COLUMN[source])
        found[source] = _prefixed(result, features, table)
    return [
        result if number == 0 else replace(result, kind=f"reliability_{source}")
        for number, (source, result) in enumerate(found.items())
    ]


def _agreement(settings: ReliabilitySettings, table: FeatureTable, by: str) -> Result:
    return reliability(table, by=by, form=settings.form, threshold=settings.threshold, seed=settings.seed)


def _prefixed(result: Result, whole: FeatureTable, part: FeatureTable) -> Result:
    """Name features as in the whole table, where only one of its sequences was repeated."""
    sequences, repeated = set(whole.values["sequence"]), set(part.values["sequence"])
    if len(sequences) == 1 or len(repeated) > 1:
        return result
    prefix = f"{repeated.pop()}{SEQUENCE_SEPARATOR}"
    tables = {
        name: table.assign(feature=prefix + table["feature"]) if "feature" in table else table
        for name, table in result.tables.items()
    }
    return replace(result, tables=tables)
