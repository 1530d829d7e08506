"""From the outcomes of all folds to the tidy tables of a validation result."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from radiomics_vert.modeling.folds import FoldOutcome, Plan
from radiomics_vert.modeling.metrics import (
    Estimate,
    Predictions,
    all_metrics,
    calibration_bins,
)
from radiomics_vert.modeling.spec import ValidationSpec
from radiomics_vert.roc import roc_band

METRICS = (
    "auc",
    "pr_auc",
    "sensitivity",
    "specificity",
    "ppv",
    "npv",
    "brier",
    "brier_scaled",
    "calibration_intercept",
    "calibration_slope",
    "auc_patient",
)


def validation_tables(
    plan: Plan, outcomes: Sequence[FoldOutcome], feature_set: str
) -> dict[str, pd.DataFrame]:
    """Return the tables of a validation result; the columns `feature_set, model` come first in each.

    Parameters
    ----------
    plan : Plan
        Data and specifications.
    outcomes : sequence of FoldOutcome
        All folds of all repeats.
    feature_set : str
        Name for readers.

    Returns
    -------
    dict of str to DataFrame
        `metrics, predictions, roc, calibration, folds, selection`.
    """
    predictions = _predictions(plan, outcomes)
    by_repeat = [rows for _, rows in predictions.groupby("repeat", sort=True)]
    tables = {
        "metrics": _metrics(by_repeat, plan.validation),
        "predictions": predictions,
        "roc": _roc(by_repeat, plan.validation),
        "calibration": _calibration(predictions, plan),
        "folds": _folds(plan, outcomes),
        "selection": _selection(outcomes),
    }
    for table in tables.values():
        table.insert(0, "feature_set", feature_set)
        table.insert(1, "model", plan.model.name)
    return tables


def _predictions(plan: Plan, outcomes: Sequence[FoldOutcome]) -> pd.DataFrame:
    parts = []
    for outcome in outcomes:
        test = outcome.task.test
        parts.append(
            pd.DataFrame(
                {
                    "row": test,
                    "unit": np.asarray(plan.units, dtype=object)[test],
                    "subject_id": plan.groups[test],
                    "y": plan.y[test],
                    "repeat": outcome.task.repeat,
                    "fold": outcome.task.fold,
                    "probability": outcome.probability,
                    "threshold": outcome.threshold,
                    "decision": (outcome.probability >= outcome.threshold).astype(int),
                }
            )
        )
    table = pd.concat(parts).sort_values(["repeat", "row"], kind="stable")
    return table.drop(columns="row").reset_index(drop=True)


def _metrics(by_repeat: Sequence[pd.DataFrame], validation: ValidationSpec) -> pd.DataFrame:
    """Summarise each metric over the repeats: the median of the estimates and of each limit."""
    found = [
        all_metrics(
            Predictions(
                rows["y"].to_numpy(),
                rows["probability"].to_numpy(),
                rows["decision"].to_numpy(),
                rows["subject_id"].to_numpy(dtype=object),
            ),
            confidence=validation.confidence,
            patient_rule=validation.patient_rule,
        )
        for rows in by_repeat
    ]
    rows = [_median_row(name, [one[name] for one in found], validation) for name in METRICS]
    return pd.DataFrame(rows)


def _median_row(name: str, estimates: Sequence[Estimate], validation: ValidationSpec) -> dict[str, object]:
    defined = [one for one in estimates if not np.isnan(one.estimate)]
    values = np.array([one[:3] for one in defined]) if defined else np.full((1, 3), np.nan)
    middle = np.median(values, axis=0)
    counts = np.median([one[3:] for one in defined or estimates], axis=0)
    return {
        "metric": name,
        "estimate": middle[0],
        "ci_low": middle[1],
        "ci_high": middle[2],
        "n": int(counts[0]),
        "n_subjects": int(counts[1]),
        "note": _note(name, len(defined), validation),
    }


def _note(name: str, n_defined: int, validation: ValidationSpec) -> str:
    parts = ["out-of-fold predictions pooled per repeat"]
    if name in ("sensitivity", "specificity", "ppv", "npv"):
        parts.append(validation.threshold_text())
    if name == "auc_patient":
        rule = {"max": "highest", "mean": "mean"}[validation.patient_rule]
        parts.append(f"{rule} probability of a patient's vertebrae")
    parts.append(f"median of {n_defined} repeats")
    if n_defined < validation.repeats:
        parts.append(f"not defined in {validation.repeats - n_defined}")
    return "; ".join(parts)


def _roc(by_repeat: Sequence[pd.DataFrame], validation: ValidationSpec) -> pd.DataFrame:
    """Return the pointwise median over repeats of the ROC curve and of its limits."""
    bands = [
        roc_band(
            rows["y"].to_numpy(),
            rows["probability"].to_numpy(),
            rows["subject_id"].to_numpy(dtype=object),
            seed=validation.seed,
            n_boot=validation.n_boot,
            confidence=validation.confidence,
        )
        for rows in by_repeat
    ]
    columns = ["fpr", "tpr", "tpr_low", "tpr_high"]
    stacked = np.stack([band[columns].to_numpy() for band in bands])
    return pd.DataFrame(np.median(stacked, axis=0), columns=columns)


def _calibration(predictions: pd.DataFrame, plan: Plan) -> pd.DataFrame:
    mean = predictions.groupby("unit", sort=False)["probability"].mean()
    probability = mean.reindex(list(plan.units)).to_numpy()
    return calibration_bins(plan.y, probability, plan.groups, plan.validation.confidence)


def _folds(plan: Plan, outcomes: Sequence[FoldOutcome]) -> pd.DataFrame:
    return pd.DataFrame([_fold_row(plan, outcome) for outcome in outcomes])


def _fold_row(plan: Plan, outcome: FoldOutcome) -> dict[str, object]:
    train, test = outcome.task.train, outcome.task.test
    positive = plan.y[test] == 1
    wins = np.subtract.outer(outcome.probability[positive], outcome.probability[~positive])
    return {
        "repeat": outcome.task.repeat,
        "fold": outcome.task.fold,
        "n_train": len(train),
        "n_test": len(test),
        "subjects_train": len(np.unique(plan.groups[train])),
        "subjects_test": len(np.unique(plan.groups[test])),
        **outcome.point,
        "threshold": outcome.threshold,
        "n_selected": int((outcome.coefficients != 0).sum()),
        "inner_score": outcome.inner_score,
        "auc": float(np.mean((wins > 0) + 0.5 * (wins == 0))),
        "convergence_warnings": outcome.convergence_warnings,
    }


def _selection(outcomes: Sequence[FoldOutcome]) -> pd.DataFrame:
    """Return how often, how strongly and with how constant a sign each feature is in the model."""
    table = pd.concat([outcome.coefficients for outcome in outcomes], axis=1).fillna(0.0)
    used = table[(table != 0).any(axis=1)]
    count = (used != 0).sum(axis=1)
    same_sign = np.maximum((used > 0).sum(axis=1), (used < 0).sum(axis=1))
    found = pd.DataFrame(
        {
            "feature": used.index.astype(str),
            "frequency": (count / len(outcomes)).to_numpy(),
            "mean_coefficient": (used.sum(axis=1) / count).to_numpy(),
            "sign_consistency": (same_sign / count).to_numpy(),
        }
    )
    return found.sort_values(["frequency", "feature"], ascending=[False, True], kind="stable").reset_index(
        drop=True
    )
