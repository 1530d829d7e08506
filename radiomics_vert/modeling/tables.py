"""From the outcomes of all folds to the tidy tables of a validation result."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, get_args

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from radiomics_vert.modeling.calibration import calibration_curve
from radiomics_vert.modeling.decision import decision_curve
from radiomics_vert.modeling.folds import FoldOutcome, Plan
from radiomics_vert.modeling.metrics import (
    Estimate,
    PatientRule,
    Predictions,
    all_metrics,
    calibration_bins,
    patient_metrics,
)
from radiomics_vert.modeling.spec import ValidationSpec
from radiomics_vert.roc import precision_recall_band, roc_band

METRICS = (
    "auc",
    "pr_auc",
    "sensitivity",
    "specificity",
    "ppv",
    "npv",
    "balanced_accuracy",
    "f1",
    "brier",
    "brier_scaled",
    "calibration_intercept",
    "calibration_slope",
    "ici",
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
        `metrics, predictions, roc, pr, calibration, calibration_curve, decision_curve, patients, folds,
        selection`.
    """
    predictions = _predictions(plan, outcomes)
    repeats = predictions_by_repeat(predictions)
    mean = _mean_predictions(predictions, plan)
    tables = {
        "metrics": _metrics(repeats, plan.validation),
        "predictions": predictions,
        "roc": _median_curve(roc_band, repeats, plan.validation),
        "pr": _median_curve(precision_recall_band, repeats, plan.validation),
        "calibration": calibration_bins(plan.y, mean, plan.groups, plan.validation.confidence),
        "calibration_curve": calibration_curve(plan.y, mean, plan.groups, **_drawing(plan.validation)),
        "decision_curve": _median_curve(decision_curve, repeats, plan.validation),
        "patients": _patients(repeats, plan.validation),
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


def predictions_by_repeat(table: pd.DataFrame) -> list[Predictions]:
    """Return the predictions of each repeat, in the order of the repeats.

    Parameters
    ----------
    table : DataFrame
        Table `predictions` of one feature set and model.

    Returns
    -------
    list of Predictions
    """
    return [
        Predictions(
            rows["y"].to_numpy(),
            rows["probability"].to_numpy(),
            rows["threshold"].to_numpy(),
            rows["subject_id"].to_numpy(dtype=object),
        )
        for _, rows in table.groupby("repeat", sort=True)
    ]


def median_estimate(estimates: Sequence[Estimate]) -> tuple[Estimate, int]:
    """Summarise a metric over the repeats.

    Parameters
    ----------
    estimates : sequence of Estimate
        One per repeat.

    Returns
    -------
    Estimate
        The median of the estimates and of each limit, over the repeats in which it is defined.
    n_defined : int
        Repeats in which it is defined.
    """
    defined = [one for one in estimates if not np.isnan(one.estimate)]
    values = np.array([one[:3] for one in defined]) if defined else np.full((1, 3), np.nan)
    counts = np.median([one[3:] for one in defined or estimates], axis=0).astype(int)
    low, middle, high = (float(value) for value in np.median(values, axis=0)[[1, 0, 2]])
    return Estimate(middle, low, high, int(counts[0]), int(counts[1])), len(defined)


def _metrics(repeats: Sequence[Predictions], validation: ValidationSpec) -> pd.DataFrame:
    found = [
        all_metrics(one, confidence=validation.confidence, patient_rule=validation.patient_rule)
        for one in repeats
    ]
    rows = []
    for name in METRICS:
        estimate, n_defined = median_estimate([one[name] for one in found])
        note = _note(name, n_defined, len(repeats), validation)
        rows.append({"metric": name, **estimate._asdict(), "note": note})
    return pd.DataFrame(rows)


def _patients(repeats: Sequence[Predictions], validation: ValidationSpec) -> pd.DataFrame:
    """Return the metrics between patients, by each rule, as medians over the repeats."""
    rows = []
    for rule in get_args(PatientRule):
        found = [patient_metrics(one, rule, validation.confidence) for one in repeats]
        for name in found[0]:
            estimate, _ = median_estimate([one[name] for one in found])
            rows.append((rule, name, *estimate[:4]))
    return pd.DataFrame(rows, columns=["rule", "metric", "estimate", "ci_low", "ci_high", "n"])


def _note(name: str, n_defined: int, n_repeats: int, validation: ValidationSpec) -> str:
    parts = ["out-of-fold predictions pooled per repeat"]
    if name in ("sensitivity", "specificity", "ppv", "npv", "balanced_accuracy", "f1"):
        parts.append(validation.threshold_text())
    if name == "auc_patient":
        rule = {"max": "highest", "mean": "mean"}[validation.patient_rule]
        parts.append(f"{rule} probability of a patient's vertebrae")
    parts.append(f"median of {n_defined} repeats")
    if n_defined < n_repeats:
        parts.append(f"not defined in {n_repeats - n_defined}")
    return "; ".join(parts)


def _drawing(validation: ValidationSpec) -> dict[str, Any]:
    return {"seed": validation.seed, "n_boot": validation.n_boot, "confidence": validation.confidence}


def _median_curve(
    curve: Callable[..., pd.DataFrame], repeats: Sequence[Predictions], validation: ValidationSpec
) -> pd.DataFrame:
    """Return the pointwise median over repeats of a curve and of its limits."""
    found = [curve(one.y, one.probability, one.groups, **_drawing(validation)) for one in repeats]
    stacked = np.stack([table.to_numpy() for table in found])
    return pd.DataFrame(np.median(stacked, axis=0), columns=found[0].columns)


def _mean_predictions(predictions: pd.DataFrame, plan: Plan) -> NDArray[np.float64]:
    mean = predictions.groupby("unit", sort=False)["probability"].mean()
    return mean.reindex(list(plan.units)).to_numpy()


def _folds(plan: Plan, outcomes: Sequence[FoldOutcome]) -> pd.DataFrame:
    return pd.DataFrame([_fold_row(plan, outcome) for outcome in outcomes])


def _fold_row(plan: Plan, outcome: FoldOutcome) -> dict[str, object]:
    train, test = outcome.task.train, outcome.task.test
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
        "auc": _fold_auc(plan.y[test] == 1, outcome.probability),
        "convergence_warnings": outcome.convergence_warnings,
    }


def _fold_auc(positive: NDArray[np.bool_], probability: NDArray[np.float64]) -> float:
    """AUC of one fold; NaN where a class is missing, as may be with one site left out."""
    wins = np.subtract.outer(probability[positive], probability[~positive])
    return float(np.mean((wins > 0) + 0.5 * (wins == 0))) if wins.size else float("nan")


def _selection(outcomes: Sequence[FoldOutcome]) -> pd.DataFrame:
    """Return how often, how strongly and with how constant a sign each feature is in the model.

    A feature is in the model when its coefficient is not zero, or, in a model without coefficients,
    when it reaches the model; strength and sign are then missing.
    """
    table = pd.concat([outcome.coefficients for outcome in outcomes], axis=1)
    present = pd.concat([outcome.coefficients != 0 for outcome in outcomes], axis=1).eq(True)
    used = present.any(axis=1)
    table, count = table[used], present[used].sum(axis=1)
    signs = pd.concat([(table > 0).sum(axis=1), (table < 0).sum(axis=1)], axis=1).max(axis=1)
    found = pd.DataFrame(
        {
            "feature": table.index.astype(str),
            "frequency": (count / len(outcomes)).to_numpy(),
            "mean_coefficient": (table.sum(axis=1, min_count=1) / count).to_numpy(),
            "sign_consistency": (signs / count).where(signs > 0).to_numpy(),
        }
    )
    return found.sort_values(["frequency", "feature"], ascending=[False, True], kind="stable").reset_index(
        drop=True
    )
