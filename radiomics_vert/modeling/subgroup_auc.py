"""Discrimination within subgroups, where there are enough patients to say anything."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from radiomics_vert.dataset.nouns import Dataset
from radiomics_vert.errors import AnalysisError, Problem
from radiomics_vert.modeling.metrics import Estimate
from radiomics_vert.modeling.tables import median_estimate
from radiomics_vert.results import Result
from radiomics_vert.roc import clustered_auc

VARIABLES = ("level_region", "genant_grade", "sex", "age", "site")
TOO_FEW = "no claim: too few"
CAUTION = (
    "subgroups were not randomised and are compared by eye only: overlapping intervals are no proof of "
    "equality, and a difference between subgroups needs a test of interaction in a study planned for it"
)
_REGIONS = {"C": "cervical", "T": "thoracic", "L": "lumbar", "S": "sacral"}
_MAX_VALUES = 6


def subgroups(
    result: Result,
    dataset: Dataset,
    by: Sequence[str] = VARIABLES,
    *,
    minimum: int = 10,
    confidence: float = 0.95,
) -> Result:
    """Return the AUC of a validated model within subgroups.

    Parameters
    ----------
    result : Result
        Kind `validation`; its out-of-fold predictions are used, nothing is refitted.
    dataset : Dataset
        The dataset that was validated.
    by : sequence of str
        Covariates or columns of `dataset.info`; `level_region` is read off the level where it is not a
        covariate. Numbers with more than six values are split at the median over vertebrae. Variables
        that the dataset does not have are named in `spec["absent"]`.
    minimum : int, default 10
        Vertebrae per class, and half as many patients per class, below which no AUC is given.
    confidence : float, default 0.95
        Level of the intervals.

    Returns
    -------
    Result
        Kind `subgroups`, table `subgroups`: `feature_set, model, variable, subgroup, n, n_positive,
        n_negative, n_subjects, estimate, ci_low, ci_high, note`. The AUC compares vertebrae of the
        subgroup only, median over repeats, with an interval clustered by patient. Vertebrae without a
        value are the subgroup `not recorded`.

    Raises
    ------
    AnalysisError
        RV503: the predictions are of other vertebrae than the dataset.
    """
    units = set(result.frame("predictions")["unit"])
    if not units <= set(dataset.X.index):
        raise AnalysisError(_other_vertebrae(len(units - set(dataset.X.index))))
    found = {name: labels for name in by if (labels := subgroup_labels(dataset, name)) is not None}
    rows = [
        {"feature_set": feature_set, "model": model, "variable": name, "subgroup": label, **row}
        for (feature_set, model), table in result.frame("predictions").groupby(
            ["feature_set", "model"], sort=False
        )
        for name, labels in found.items()
        for label in _in_order(labels)
        for row in [_row(table[table["unit"].map(labels) == label], minimum, confidence)]
    ]
    columns = ["feature_set", "model", "variable", "subgroup", *_COLUMNS]
    spec = {
        "by": list(found),
        "absent": [name for name in by if name not in found],
        "minimum": minimum,
        "confidence": confidence,
    }
    return Result("subgroups", {"subgroups": pd.DataFrame(rows, columns=columns)}, spec, result.provenance)


def subgroup_labels(dataset: Dataset, name: str) -> pd.Series[str] | None:
    """Return the subgroup of each vertebra by one variable; None where the dataset does not have it.

    Parameters
    ----------
    dataset : Dataset
        With covariates and info.
    name : str
        The variable.
    """
    if name in dataset.covariates.columns:
        values = dataset.covariates[name]
    elif name in dataset.info.columns:
        values = dataset.info[name]
    elif name == "level_region" and "level" in dataset.info.columns:
        values = dataset.info["level"].astype("string").str[0].map(_REGIONS)
    else:
        return None
    if values.isna().all():
        return None
    number = pd.api.types.is_numeric_dtype(values) and not pd.api.types.is_bool_dtype(values)
    if number and values.nunique() > _MAX_VALUES:
        middle = _cut(values)
        labels = pd.Series(
            np.where(values < middle, f"below {middle:g}", f"{middle:g} or more"), index=values.index
        )
    elif number:
        labels = values.map("{:g}".format)
    else:
        labels = values.astype("string").astype(object)
    return labels.where(values.notna(), "not recorded")


def _cut(values: pd.Series[float]) -> float:
    """Return the median at three digits, so that a reader can repeat the split; exact where it must be."""
    exact = float(values.median())
    rounded = float(f"{exact:.3g}")
    return rounded if (values < rounded).any() and (values >= rounded).any() else exact


_COLUMNS = (
    "n",
    "n_positive",
    "n_negative",
    "n_subjects",
    "estimate",
    "ci_low",
    "ci_high",
    "note",
)


def _in_order(labels: pd.Series[str]) -> list[str]:
    """Order of the names, but "below" first and "not recorded" last."""
    return sorted(
        labels.unique(), key=lambda name: (name == "not recorded", not name.startswith("below"), name)
    )


def _row(rows: pd.DataFrame, minimum: int, confidence: float) -> dict[str, Any]:
    first = rows[rows["repeat"] == rows["repeat"].min()]
    positive = first["y"] == 1
    counts = {
        "n": len(first),
        "n_positive": int(positive.sum()),
        "n_negative": int((~positive).sum()),
        "n_subjects": int(first["subject_id"].nunique()),
    }
    patients = first.groupby("y")["subject_id"].nunique().reindex([0, 1], fill_value=0)
    if min(counts["n_positive"], counts["n_negative"]) < minimum or patients.min() < max(2, minimum / 2):
        missing = {"estimate": np.nan, "ci_low": np.nan, "ci_high": np.nan}
        return {**counts, **missing, "note": TOO_FEW}
    each = []
    for _, one in rows.groupby("repeat", sort=True):
        auc = clustered_auc(one["y"], one["probability"], one["subject_id"], confidence=confidence)
        each.append(Estimate(auc.estimate, auc.ci_low, auc.ci_high, auc.n_positive, auc.n_subjects))
    middle, _ = median_estimate(each)
    limits = {"estimate": middle.estimate, "ci_low": middle.ci_low, "ci_high": middle.ci_high}
    return {**counts, **limits, "note": CAUTION}


def _other_vertebrae(count: int) -> Problem:
    return Problem(
        "RV503",
        "the dataset that was validated",
        f"{count} predicted vertebrae that it does not have",
        "subgroups",
        "pass the dataset that went into the validation",
    )
