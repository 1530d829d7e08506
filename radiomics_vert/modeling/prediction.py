"""Using a locked model on a new table: nothing is refitted, everything unusual is said."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sklearn import config_context
from threadpoolctl import threadpool_limits

from radiomics_vert.dataset import Dataset
from radiomics_vert.errors import AnalysisError, DatasetError, Problem
from radiomics_vert.feature_table import IDENTITY
from radiomics_vert.modeling.final import dataset_parameters
from radiomics_vert.modeling.fitted import FittedModel, Input
from radiomics_vert.modeling.new_rows import new_sites, prediction_rows
from radiomics_vert.modeling.rows import Rows, predict_pipeline
from radiomics_vert.provenance import Provenance, versions
from radiomics_vert.results import Result

KIND = "prediction"
WHERE = "table to predict"
_UNIT_COLUMNS = ("unit", "case_id")
_SUBJECT = "subject_id"
_NAMED = 30

FloatArray = NDArray[np.float64]
BoolArray = NDArray[np.bool_]


@dataclass(frozen=True)
class Scored:
    """The rows of a table as a locked model sees them.

    Parameters
    ----------
    units, subjects : tuple of str, length n
        Names of the rows, and patients (empty where the table does not tell).
    probability : ndarray, shape (n,)
        Of the positive class; NaN for a row without any value that the model uses.
    missing, beyond : DataFrame of bool, shape (n, inputs)
        Where an input has no value, and where its value is outside what the development data held.
    rare : Series of float
        Per input the share of values outside the 1st to 99th percentile; NaN for text.
    absent : tuple of str
        Inputs that the table does not have and the model does not use.
    n_ignored : int
        Columns of the table that are no input.
    new_site : ndarray of bool, shape (n,)
        Rows of a site that a harmonised model does not know.
    """

    units: tuple[str, ...]
    subjects: tuple[str, ...]
    probability: FloatArray
    missing: pd.DataFrame
    beyond: pd.DataFrame
    rare: pd.Series[float]
    absent: tuple[str, ...]
    n_ignored: int
    new_site: BoolArray


def predict(
    fitted: FittedModel,
    table: pd.DataFrame | Dataset,
    *,
    parameters: Mapping[str, str] | None = None,
) -> Result:
    """Predict the vertebrae of a table with a locked model.

    Parameters
    ----------
    fitted : FittedModel
        From :func:`~radiomics_vert.modeling.bundle.load_bundle`.
    table : DataFrame or Dataset
        One row per vertebra with the columns `fitted.features`; the row is named by a column `unit` or
        `case_id`, else by the index. Columns that the model does not read are ignored and counted;
        inputs that it reads but does not use (filters took them out) may be absent.
    parameters : mapping of str to str, optional
        For a DataFrame the digest of the extraction parameters per sequence; a dataset brings its own.

    Returns
    -------
    Result
        Kind `prediction`. Table `predictions`: `unit, subject_id, probability, decision` (the class at
        the locked threshold), `n_out_of_range, out_of_range` (used inputs outside what the development
        data held), `n_missing` (used inputs filled with the training median), `note`; no probability
        for a row without any used value. Table `inputs`: per input what the development data held,
        and the shares of rows out of this range and missing.

    Raises
    ------
    AnalysisError
        RV511 other extraction parameters; RV512 columns are missing, all of them named; RV309 an
        infinite value; RV405 a row named twice; of a harmonised model RV506 a site that it does not
        know and refuses, RV105 a row without a site.
    DatasetError
        RV404 text in a column of numbers.
    """
    if isinstance(table, Dataset):
        parameters = _own_parameters(fitted, table)
    checked = require_parameters(fitted, parameters)
    scored = score(fitted, table)
    return Result(
        KIND,
        {"predictions": _predictions(fitted, scored), "inputs": input_table(fitted, scored)},
        {
            "model": fitted.model["name"],
            "positive": fitted.development.positive,
            "negative": fitted.development.negative,
            "threshold": fitted.threshold,
            "n": len(scored.units),
            "n_ignored_columns": scored.n_ignored,
            "absent_unused_inputs": list(scored.absent),
            "parameters": "equal to those of the model" if checked else "not stated, so not compared",
        },
        Provenance(
            {
                "bundle": fitted.bundle,
                "bundle_versions": dict(fitted.versions),
                "versions": versions(),
                **({"table": dict(table.provenance.reproducible)} if isinstance(table, Dataset) else {}),
            }
        ),
    )


def score(fitted: FittedModel, table: pd.DataFrame | Dataset, where: str = WHERE) -> Scored:
    """Predict the rows of a table and note what is unusual in them.

    Parameters and errors are those of :func:`predict`; extraction parameters are not compared.

    Parameters
    ----------
    fitted, table
        As in :func:`predict`.
    where : str
        What errors call the table.

    Returns
    -------
    Scored
    """
    frame, units, subjects = _rows(fitted, table, where)
    absent = tuple(name for name in fitted.features if name not in frame.columns)
    _require_columns(fitted, absent, frame, where)
    columns = [_column(frame, one) for one in fitted.inputs]
    _require_numbers(fitted.inputs, columns, where)
    X = np.hstack([one.encode(column) for one, column in zip(fitted.inputs, columns, strict=True)])
    pairs = {one.name: (one, column) for one, column in zip(fitted.inputs, columns, strict=True)}
    beyond = pd.DataFrame({name: one.out_of_range(own) for name, (one, own) in pairs.items()}, index=units)
    missing = pd.DataFrame({name: own.isna().to_numpy() for name, (_, own) in pairs.items()}, index=units)
    known = [name for name in frame.columns if name in pairs]
    rows = prediction_rows(fitted, table, subjects, where)
    return Scored(
        units,
        subjects,
        _probability(fitted, X, missing, rows),
        missing,
        beyond,
        pd.Series({name: _share_rare(one, own) for name, (one, own) in pairs.items()}, dtype="float64"),
        absent,
        frame.shape[1] - len(known),
        new_sites(fitted, rows),
    )


def require_parameters(
    fitted: FittedModel, stated: Mapping[str, str | Sequence[str]] | None, where: str = WHERE
) -> bool:
    """Refuse features that were extracted with other parameters than those of the development data.

    Parameters
    ----------
    fitted : FittedModel
        The model.
    stated : mapping of str to digest or digests, or None
        Per sequence, what is known about the table.
    where : str
        What the error calls the table.

    Returns
    -------
    bool
        Whether there was something to compare on both sides.

    Raises
    ------
    AnalysisError
        RV511.
    """
    wanted = fitted.development.parameters
    if not wanted or not stated:
        return False
    found = {name: (own,) if isinstance(own, str) else tuple(own) for name, own in stated.items()}
    differing = [name for name, own in wanted.items() if found.get(name) != tuple(own)]
    if differing:
        raise AnalysisError(
            Problem(
                "RV511",
                "; ".join(f"{name}: digest {', '.join(wanted[name])}" for name in differing),
                "; ".join(
                    f"{name}: {', '.join(found[name]) if name in found else 'no such sequence'}"
                    for name in differing
                ),
                f"extraction parameters, {where}",
                "extract the features again with the parameter file that belongs to the model",
            )
        )
    return True


def input_table(fitted: FittedModel, scored: Scored) -> pd.DataFrame:
    """Return per input what the development data held and how the new rows compare.

    Returns
    -------
    DataFrame
        `feature, unit, used, train_min, train_p01, train_p99, train_max, train_values, train_missing,
        share_out_of_range, share_beyond_p01_p99, share_missing`; shares of the rows, those of the range
        among the rows with a value.
    """
    rows = []
    for one in fitted.inputs:
        n_present = int((~scored.missing[one.name]).sum())
        share = float(scored.beyond[one.name].sum() / n_present) if n_present else np.nan
        rows.append(
            {
                "feature": one.name,
                "unit": one.unit,
                "used": one.used,
                "train_min": one.low,
                "train_p01": one.p01,
                "train_p99": one.p99,
                "train_max": one.high,
                "train_values": ", ".join(one.values),
                "train_missing": one.missing,
                "share_out_of_range": share,
                "share_beyond_p01_p99": scored.rare[one.name],
                "share_missing": float(scored.missing[one.name].mean()),
            }
        )
    numbers = {f"train_{name}": "float64" for name in ("min", "p01", "p99", "max")}
    return pd.DataFrame(rows).astype(numbers)


def _own_parameters(fitted: FittedModel, dataset: Dataset) -> dict[str, Any]:
    return dict(dataset_parameters(dataset, fitted.features))


def _rows(
    fitted: FittedModel, table: pd.DataFrame | Dataset, where: str
) -> tuple[pd.DataFrame, tuple[str, ...], tuple[str, ...]]:
    """Return the columns that may be inputs, the names of the rows, and the patients."""
    if isinstance(table, Dataset):
        frame = pd.concat([table.covariates, table.X], axis=1)
        units, subjects = table.X.index.astype(str), table.groups.astype(str)
    else:
        frame = table
        named = next((table[name] for name in _UNIT_COLUMNS if name in table.columns), None)
        units = pd.Index(table.index if named is None else named).astype(str)
        own = table[_SUBJECT] if _SUBJECT in table.columns else pd.Series("", index=table.index)
        subjects = own.fillna("").astype(str)
        names = {"unit", *IDENTITY} - set(fitted.features)  # a site may be an input
        frame = table.drop(columns=[name for name in table.columns if name in names])
    _require_once(units, "a name of its own for each row", where, "rename or remove the repeated rows")
    _require_once(frame.columns, "each column once", where, "rename or remove the repeated columns")
    return frame, tuple(units), tuple(subjects)


def _column(frame: pd.DataFrame, one: Input) -> pd.Series[Any]:
    if one.name in frame.columns:
        return frame[one.name]
    return pd.Series(np.nan, index=frame.index, dtype="float64")


def _probability(fitted: FittedModel, X: FloatArray, missing: pd.DataFrame, rows: Rows) -> FloatArray:
    used = list(fitted.used)
    known = ~missing[used].to_numpy().all(axis=1) if used else np.ones(len(X), dtype=bool)
    probability = np.full(len(X), np.nan)
    if known.any():
        # One thread: the last digits of a matrix product depend on the number of threads.
        with threadpool_limits(limits=1), config_context(assume_finite=True):
            probability[known] = predict_pipeline(fitted.pipeline, X[known], rows.take(np.flatnonzero(known)))
    return probability


def _share_rare(one: Input, column: pd.Series[Any]) -> float:
    if one.p01 is None or one.p99 is None or not column.notna().any():
        return float("nan")
    present = column.dropna().astype("float64")
    return float(((present < one.p01) | (present > one.p99)).mean())


def _predictions(fitted: FittedModel, scored: Scored) -> pd.DataFrame:
    used = list(fitted.used)
    missing, beyond = scored.missing[used], scored.beyond[used]
    classes = np.where(
        scored.probability >= fitted.threshold, fitted.development.positive, fitted.development.negative
    )
    names = [", ".join(beyond.columns[row]) for row in beyond.to_numpy()]
    counts = zip(beyond.sum(axis=1), missing.sum(axis=1), scored.new_site, strict=True)
    return pd.DataFrame(
        {
            "unit": scored.units,
            "subject_id": scored.subjects,
            "probability": scored.probability,
            "decision": np.where(np.isnan(scored.probability), "", classes),
            "n_out_of_range": beyond.sum(axis=1).to_numpy(),
            "out_of_range": names,
            "n_missing": missing.sum(axis=1).to_numpy(),
            "note": [_note(int(out), int(gone), len(used), bool(new)) for out, gone, new in counts],
        }
    )


def _note(n_beyond: int, n_missing: int, n_used: int, new_site: bool) -> str:
    if n_used and n_missing == n_used:
        return "none of the inputs that the model uses has a value: not predicted"
    notes = []
    if n_beyond:
        notes.append(f"{n_beyond} of {n_used} used inputs outside the development data: an extrapolation")
    if n_missing:
        notes.append(f"{n_missing} of {n_used} used inputs missing, taken at the training median")
    if new_site:
        notes.append("a site that the model does not know: its features are not harmonised")
    return "; ".join(notes)


def _require_once(names: pd.Index, expected: str, where: str, remedy: str) -> None:
    repeated = sorted(set(map(str, names[names.duplicated()])))
    if repeated:
        found = f"{len(repeated)} more than once, for example {repeated[0]!r}"
        raise AnalysisError(Problem("RV405", expected, found, where, remedy))


def _require_columns(fitted: FittedModel, absent: Sequence[str], frame: pd.DataFrame, where: str) -> None:
    lacking = [name for name in absent if name in set(fitted.used)]
    if lacking:
        more = f" and {len(lacking) - _NAMED} more" if len(lacking) > _NAMED else ""
        raise AnalysisError(
            Problem(
                "RV512",
                f"a column for each of the {len(fitted.used)} inputs that the model uses",
                f"no column for {', '.join(lacking[:_NAMED])}{more}",
                f"{where}, {frame.shape[1]} columns",
                "extract these features with the parameter file of the model, or add the columns; write "
                "the names as in model.json",
            )
        )


def _require_numbers(inputs: Sequence[Input], columns: Sequence[pd.Series[Any]], where: str) -> None:
    text, infinite = [], []
    for one, column in zip(inputs, columns, strict=True):
        if one.values or not column.notna().any():
            continue
        if not pd.api.types.is_numeric_dtype(column):
            text.append((one.name, column.dropna().iloc[0]))
        elif np.isinf(column.dropna().to_numpy(dtype=np.float64)).any():
            infinite.append(one.name)
    if text:
        found = f"{len(text)} columns of text, such as {text[0][1]!r}"
        names = ", ".join(name for name, _ in text[:4])
        remedy = "correct the cells (decimal point, no unit, an empty cell for a missing value)"
        raise DatasetError(
            Problem("RV404", "numbers in every input", found, f"{where}, columns {names}", remedy)
        )
    if infinite:
        names = ", ".join(infinite[:4])
        found = f"infinite values in {len(infinite)} columns"
        raise AnalysisError(
            Problem(
                "RV309", "finite or missing values", found, f"{where}, columns {names}", "empty the cells"
            )
        )
