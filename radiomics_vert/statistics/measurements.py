"""From tables to cubes of targets x raters x features: what every reliability statistic works on."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from radiomics_vert.dataset.naming import SEQUENCE_SEPARATOR
from radiomics_vert.errors import AnalysisError, DatasetError, Problem, TableError
from radiomics_vert.extraction.perturbed import RATER_SEPARATOR
from radiomics_vert.feature_table import FeatureTable
from radiomics_vert.roc.clusters import Floats

REPEATS = ("rater", "session", "perturbation")
"""What can tell the measurements of one target apart."""


@dataclass(frozen=True)
class Measurements:
    """Repeated measurements of the features of one sequence.

    Parameters
    ----------
    values : ndarray, shape (n, k, p)
        Targets x raters x features; NaN where a measurement is missing.
    targets : DataFrame
        `target` and `subject_id`, one row per target.
    raters : tuple of str
        In order of appearance.
    features : tuple of str
        Names, with the sequence in front when there are several.
    sequence : str
        Empty when the table does not say.
    """

    values: Floats
    targets: pd.DataFrame
    raters: tuple[str, ...]
    features: tuple[str, ...]
    sequence: str

    @property
    def patients(self) -> NDArray[np.intp]:
        """Number of each target's patient."""
        return np.asarray(pd.factorize(self.targets["subject_id"])[0], dtype=np.intp)

    def groups(self) -> Iterator[tuple[NDArray[np.intp], NDArray[np.intp]]]:
        """Yield raters and features that belong together: features measured by the same raters.

        A rater counts for a feature when he measured at least half of the targets that anyone
        measured; otherwise one rater with few values would leave few complete targets to all.

        Yields
        ------
        raters, features : ndarray of int
            Positions.
        """
        finite = np.isfinite(self.values)
        measured = finite.any(axis=1).sum(axis=0)
        takes_part = 2 * finite.sum(axis=0) >= np.maximum(measured, 1)
        patterns, group = np.unique(takes_part, axis=1, return_inverse=True)
        for number in range(patterns.shape[1]):
            yield np.flatnonzero(patterns[:, number]), np.flatnonzero(group.reshape(-1) == number)


def measurements(table: FeatureTable | pd.DataFrame, by: str) -> list[Measurements]:
    """Return the repeated measurements in a table, one item per sequence.

    Parameters
    ----------
    table : FeatureTable or DataFrame
        Of a cohort, or a long table with the columns `case_id` (the target, equal for all its
        measurements), `feature`, `value` and the one named by `by`; `subject_id` and `sequence` are
        optional.
    by : {"rater", "session", "perturbation"}
        What tells the measurements of one target apart. In a feature table a target is a vertebra of
        a patient, by level or label; perturbations stand in its `rater` column.

    Raises
    ------
    AnalysisError
        RV503: `by` is something else, or there are not two raters.
    TableError
        RV103 a column is missing, RV112 no row.
    DatasetError
        RV404 values that are no numbers, RV407 one rater measured a target twice.
    """
    if by not in REPEATS:
        raise AnalysisError(
            Problem(
                "RV503",
                f"one of {', '.join(REPEATS)}",
                repr(by),
                "reliability, by",
                "name the column that tells the measurements of one vertebra apart",
            )
        )
    found = _from_features(table, by) if isinstance(table, FeatureTable) else _from_long(table, by)
    if not any(len(part.raters) > 1 for part in found):
        raise AnalysisError(
            Problem(
                "RV503",
                f"at least two different values of {by}",
                f"{found[0].raters[0]!r} only",
                f"column {by}",
                "reliability needs repeated measurements: masks of a second rater, a second session, or "
                "perturbed masks (perturbed_features)",
            )
        )
    return found


def _from_features(table: FeatureTable, by: str) -> list[Measurements]:
    frame = table.values
    if frame.empty:
        raise TableError(_no_rows("the feature table", "look at its failures"))
    vertebra = frame["level"].where(frame["level"] != "", "label" + frame["label"].astype(str))
    rater, rest = frame["rater"].astype(str), frame["session"].astype(str)
    if by == "session":
        rater, rest = rest, rater
    elif by == "perturbation":
        parts = rater.str.rpartition(RATER_SEPARATOR)
        rater, rest = parts[2], rest + " " + parts[0]
    target = (frame["subject_id"] + " " + rest.str.strip()).str.strip() + " " + vertebra
    keys = pd.DataFrame(
        {
            "target": target,
            "subject_id": frame["subject_id"].astype(str),
            "rater": rater,
            "sequence": frame["sequence"],
        }
    )
    several = len(keys["sequence"].unique()) > 1
    return [
        _wide(part, frame.loc[part.index, table.features], sequence, several)
        for sequence, part in keys.groupby("sequence", sort=False)
    ]


def _wide(keys: pd.DataFrame, values: pd.DataFrame, sequence: Any, several: bool) -> Measurements:
    values = values.dropna(axis="columns", how="all")
    row, targets = pd.factorize(keys["target"])
    column, raters = pd.factorize(keys["rater"])
    _refuse_repeats(keys["target"], keys["rater"], row * len(raters) + column)
    cube = np.full((len(targets), len(raters), values.shape[1]), np.nan)
    cube[row, column] = values.to_numpy(dtype=np.float64)
    prefix = f"{sequence}{SEQUENCE_SEPARATOR}" if several else ""
    return Measurements(
        cube,
        _targets(keys),
        tuple(map(str, raters)),
        tuple(prefix + name for name in values.columns),
        str(sequence),
    )


def _from_long(table: pd.DataFrame, by: str) -> list[Measurements]:
    name = by if by in table.columns or by != "perturbation" else "rater"
    needed = ("case_id", "feature", "value", name)
    missing = [column for column in needed if column not in table.columns]
    if missing:
        raise TableError(
            Problem(
                "RV103",
                f"the columns {', '.join(needed)}",
                f"no column {', '.join(missing)}",
                "the long table of reliability",
                "rename the columns of the table, one row per target, feature and measurement",
            )
        )
    if table.empty:
        raise TableError(_no_rows("the long table of reliability", "give at least one measurement"))
    _require_numbers(table["value"])
    keys = pd.DataFrame(
        {
            "target": table["case_id"].astype(str),
            "subject_id": table[("subject_id" if "subject_id" in table else "case_id")].astype(str),
            "rater": table[name].astype(str),
            "sequence": table["sequence"].astype(str) if "sequence" in table else "",
            "feature": table["feature"].astype(str),
        }
    )
    values = table["value"].reset_index(drop=True)
    return [
        _long(part, values[part.index], sequence)
        for sequence, part in keys.reset_index(drop=True).groupby("sequence", sort=False)
    ]


def _long(keys: pd.DataFrame, values: pd.Series[Any], sequence: Any) -> Measurements:
    row, targets = pd.factorize(keys["target"])
    column, raters = pd.factorize(keys["rater"])
    layer, features = pd.factorize(keys["feature"])
    _refuse_repeats(
        keys["target"] + ", " + keys["feature"],
        keys["rater"],
        (row * len(raters) + column) * len(features) + layer,
    )
    cube = np.full((len(targets), len(raters), len(features)), np.nan)
    cube[row, column, layer] = values.to_numpy(dtype=np.float64)
    return Measurements(
        cube, _targets(keys), tuple(map(str, raters)), tuple(map(str, features)), str(sequence)
    )


def _targets(keys: pd.DataFrame) -> pd.DataFrame:
    return keys[["target", "subject_id"]].drop_duplicates("target").reset_index(drop=True)


def _refuse_repeats(targets: pd.Series[Any], raters: pd.Series[Any], place: NDArray[np.intp]) -> None:
    repeated = pd.Series(place).duplicated().to_numpy()
    if repeated.any():
        first = int(np.flatnonzero(repeated)[0])
        raise DatasetError(
            Problem(
                "RV407",
                "one measurement of each target by each rater",
                f"{int(repeated.sum())} more, the first of {targets.iloc[first]} by {raters.iloc[first]!r}",
                "the table of reliability",
                "keep one row each; test-retest scans need different sessions, and by='session'",
            )
        )


def _require_numbers(values: pd.Series[Any]) -> None:
    if not pd.api.types.is_numeric_dtype(values):
        raise DatasetError(
            Problem(
                "RV404",
                "numbers",
                f"values of type {values.dtype}",
                "column value of the long table of reliability",
                "convert the column, for example with pandas.to_numeric",
            )
        )


def _no_rows(where: str, remedy: str) -> Problem:
    return Problem("RV112", "at least one measurement", "no row", where, remedy)
