"""`table_one`: whom the study describes, patients and vertebrae counted apart."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from radiomics_vert.cohort.levels import Level
from radiomics_vert.dataset.nouns import Dataset
from radiomics_vert.errors import AnalysisError, Problem
from radiomics_vert.provenance import Provenance, versions
from radiomics_vert.results import Result

COLUMNS = (
    *("variable", "category", "unit", "statistic", "overall", "negative", "positive"),
    *("missing", "standardized_difference"),
)
LEVEL_REGION = "level_region"
METHODS = {
    "unit": "a variable with one value in every patient is counted once per patient, others per vertebra",
    "vertebrae_per_patient": "in a class column: vertebrae of that class, in patients who have one",
    "classes": "a patient with vertebrae of both classes counts in both class columns, once overall",
    "standardized_difference": "difference (positive - negative) of means, or of the share of the "
    "category, over the root of the mean of the two variances (Austin 2009, doi:10.1002/sim.3697)",
}


@dataclass(frozen=True)
class _Sample:
    """One variable, one row per unit and class; `values` overall, and of each class."""

    unit: str
    overall: pd.Series[Any]
    negative: pd.Series[Any]
    positive: pd.Series[Any]

    @property
    def parts(self) -> dict[str, pd.Series[Any]]:
        return {"overall": self.overall, "negative": self.negative, "positive": self.positive}


def table_one(dataset: Dataset, variables: pd.DataFrame | None = None) -> Result:
    """Describe patients and vertebrae, overall and per class.

    Parameters
    ----------
    dataset : Dataset
        Outcome, patients, levels and covariates.
    variables : DataFrame, optional
        Columns to describe, with the index of the dataset; by default its covariates. A numeric column
        with more than two different values is given as median [first quartile - third quartile], any
        other as n (%) per category.

    Returns
    -------
    Result
        Kind `table_one`, table `table` with the columns :data:`COLUMNS`. `unit` says whether a row
        counts patients or vertebrae, `missing` how many of these units have no value, and
        `standardized_difference` is NaN where it is not defined.

    Raises
    ------
    AnalysisError
        RV503: `variables` has another index than the dataset.
    """
    described = dataset.covariates if variables is None else variables
    if not described.index.equals(dataset.X.index):
        raise AnalysisError(
            Problem(
                "RV503",
                f"the {len(dataset)} units of the dataset, in its order",
                f"a table of {len(described)} rows with another index",
                "variables of table_one",
                "give the table the index of dataset.X, for example with variables.loc[dataset.X.index]",
            )
        )
    rows = list(_count_rows(dataset))
    if LEVEL_REGION not in described.columns:
        region = dataset.info["level"].map(_region)
        rows += _category_rows(LEVEL_REGION, _by_vertebra(region, dataset.y))
    for name in described.columns:
        rows += _variable_rows(str(name), described[name], dataset)
    return Result(
        "table_one",
        {"table": pd.DataFrame(rows, columns=list(COLUMNS))},
        {
            "outcome": dataset.outcome,
            "positive": dataset.positive,
            "negative": dataset.negative,
            "methods": METHODS,
        },
        Provenance({"versions": versions(), "dataset": dict(dataset.provenance.reproducible)}),
    )


def _region(level: object) -> str | None:
    return Level.parse(level).region if isinstance(level, str) and level else None


def _count_rows(dataset: Dataset) -> Iterator[dict[str, Any]]:
    per_patient = pd.crosstab(dataset.groups.to_numpy(), dataset.y.to_numpy()).reindex(
        columns=[0, 1], fill_value=0
    )
    sizes = {
        "overall": per_patient.sum(axis=1),
        "negative": per_patient[0][per_patient[0] > 0],
        "positive": per_patient[1][per_patient[1] > 0],
    }
    both = int((per_patient > 0).all(axis=1).sum())
    yield _row("patients", "", "patient", "n", {name: str(len(size)) for name, size in sizes.items()})
    yield _row("patients", "with vertebrae of both classes", "patient", "n", dict.fromkeys(sizes, str(both)))
    yield _row("vertebrae", "", "vertebra", "n", {name: str(size.sum()) for name, size in sizes.items()})
    sample = _Sample("patient", **sizes)
    yield from _quantity_rows("vertebrae_per_patient", sample)


def _variable_rows(name: str, values: pd.Series[Any], dataset: Dataset) -> list[dict[str, Any]]:
    constant = values.groupby(dataset.groups.to_numpy()).nunique().max() <= 1
    sample = _by_patient(values, dataset.y, dataset.groups) if constant else _by_vertebra(values, dataset.y)
    numeric = pd.api.types.is_numeric_dtype(values) and values.nunique() > 2
    return list(_quantity_rows(name, sample)) if numeric else _category_rows(name, sample)


def _by_vertebra(values: pd.Series[Any], y: pd.Series[int]) -> _Sample:
    return _Sample("vertebra", values, values[y == 0], values[y == 1])


def _by_patient(values: pd.Series[Any], y: pd.Series[int], groups: pd.Series[str]) -> _Sample:
    """Take each patient's value once overall, and once in each class of which he has a vertebra."""
    value = values.groupby(groups.to_numpy()).first()
    with_class = [value.loc[sorted(groups[y == label].unique())] for label in (0, 1)]
    return _Sample("patient", value, *with_class)


def _quantity_rows(name: str, sample: _Sample) -> Iterator[dict[str, Any]]:
    parts = {part: values.dropna().astype(float) for part, values in sample.parts.items()}
    difference = _standardized(
        *(parts[part].mean() for part in ("positive", "negative")),
        *(parts[part].var() for part in ("positive", "negative")),
    )
    cells = {part: _median(values) for part, values in parts.items()}
    missing = int(sample.overall.isna().sum())
    yield _row(name, "", sample.unit, "median [Q1-Q3]", cells, missing, difference)


def _category_rows(name: str, sample: _Sample) -> list[dict[str, Any]]:
    parts = {part: values.dropna().map(_text) for part, values in sample.parts.items()}
    missing = int(sample.overall.isna().sum())
    if parts["overall"].empty:
        return [_row(name, "no value", sample.unit, "n (%)", dict.fromkeys(parts, "0"), missing)]
    rows = []
    for category in _categories(sample.overall):
        share = {part: float((values == category).mean()) for part, values in parts.items()}
        cells = {part: _count(values == category) for part, values in parts.items()}
        p, q = share["positive"], share["negative"]
        difference = _standardized(p, q, p * (1 - p), q * (1 - q))
        rows.append(_row(name, category, sample.unit, "n (%)", cells, missing, difference))
    return rows


def _categories(values: pd.Series[Any]) -> list[str]:
    """Return the categories in natural order: numbers by size, regions from the head down, text by letter."""
    present = values.dropna().unique().tolist()
    regions = list(dict.fromkeys(level.region for level in Level))
    if set(present) <= set(regions):
        return [region for region in regions if region in present]
    if pd.api.types.is_numeric_dtype(values):
        return [_text(value) for value in sorted(present)]
    return sorted(_text(value) for value in present)


def _text(value: object) -> str:
    """Write a category; a whole number without the .0 that a column with missing values gives it."""
    return f"{value:g}" if isinstance(value, float) else str(value)


def _standardized(positive: float, negative: float, var_positive: float, var_negative: float) -> float:
    spread = np.sqrt((var_positive + var_negative) / 2)
    if spread > 0:
        return float((positive - negative) / spread)
    return 0.0 if positive == negative else np.nan


def _row(
    variable: str,
    category: str,
    unit: str,
    statistic: str,
    cells: dict[str, str],
    missing: int = 0,
    difference: float = np.nan,
) -> dict[str, Any]:
    return {
        "variable": variable,
        "category": category,
        "unit": unit,
        "statistic": statistic,
        **cells,
        "missing": missing,
        "standardized_difference": difference,
    }


def _median(values: pd.Series[float]) -> str:
    if values.empty:
        return "no value"
    q1, median, q3 = (_number(part) for part in values.quantile([0.25, 0.5, 0.75]))
    return f"{median} [{q1}-{q3}]"


def _number(value: float) -> str:
    """Three significant digits, without an exponent for ordinary sizes and without trailing zeros."""
    if abs(value) >= 100:
        return f"{value:.0f}"
    return f"{value:.3g}"


def _count(hits: pd.Series[bool]) -> str:
    return f"{int(hits.sum())} ({100 * hits.mean():.1f})" if len(hits) else "0"
