"""Reading a validation result: its models, their metrics, and the model that the prose is about."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import pandas as pd

from radiomics_vert.reporting.cells import with_interval
from radiomics_vert.reporting.inputs import Inputs, column, numeric
from radiomics_vert.reporting.wording import ABSENT, interval, percent, sentence_case

METRICS: dict[str, tuple[str, str]] = {
    "auc": ("AUC", "chance that a random positive unit scores above a random negative one; 0.5 is guessing"),
    "auc_patient": (
        "AUC by patient",
        "the same between patients, each with one score made from its vertebrae",
    ),
    "pr_auc": ("PR-AUC", "area under precision and recall; guessing gives the share of positive units"),
    "sensitivity": ("Sensitivity", "share of positive units that the model calls positive"),
    "specificity": ("Specificity", "share of negative units that the model calls negative"),
    "ppv": ("PPV", "share of positive calls that are right, at this study's mix of classes"),
    "npv": ("NPV", "share of negative calls that are right, at this study's mix of classes"),
    "accuracy": ("Accuracy", "share of calls that are right"),
    "balanced_accuracy": ("Balanced accuracy", "mean of sensitivity and specificity"),
    "f1": ("F1", "harmonic mean of PPV and sensitivity; depends on the mix of classes"),
    "brier": ("Brier score", "mean squared error of the predicted probability; 0 is perfect"),
    "brier_scaled": ("Scaled Brier score", "0 is no better than the class share, 1 is perfect"),
    "calibration_intercept": ("Calibration intercept", "0 is ideal; above 0 predictions are too low"),
    "calibration_slope": ("Calibration slope", "1 is ideal; below 1 predictions are too extreme"),
    "ici": ("ICI", "mean distance between predicted and observed probability; 0 is ideal"),
}
_RULES = {"max": "Highest prediction", "mean": "Mean prediction"}
_ALIASES = {
    "roc_auc": "auc",
    "average_precision": "pr_auc",
    "brier_score": "brier",
    "scaled_brier": "brier_scaled",
    "intercept": "calibration_intercept",
    "slope": "calibration_slope",
}


class Model(NamedTuple):
    """One combination of feature set and model, as it stands in the tables."""

    feature_set: str
    model: str

    @property
    def label(self) -> str:
        """The name for a reader."""
        return f"{sentence_case(self.feature_set)}, {sentence_case(self.model).lower()}"


class Estimate(NamedTuple):
    """A metric with its interval; NaN where absent."""

    estimate: float
    low: float
    high: float

    def __str__(self) -> str:
        return interval(*self)


def metric_key(name: str) -> str:
    """Return the key in :data:`METRICS` for a metric's name, or the name itself.

    Examples
    --------
    >>> metric_key("PR-AUC"), metric_key("roc auc"), metric_key("net benefit")
    ('pr_auc', 'auc', 'net_benefit')
    """
    key = str(name).strip().lower().replace("-", "_").replace(" ", "_")
    return _ALIASES.get(key, key)


def metric_name(key: str) -> str:
    """Return a metric's name for a reader."""
    return METRICS[key][0] if key in METRICS else sentence_case(key)


def models(inputs: Inputs) -> list[Model]:
    """Return the validated models in the order of the metrics table."""
    frame = inputs.table("validation", "metrics")
    pairs = zip(column(frame, "feature_set"), column(frame, "model"), strict=True)
    return [Model(*map(str, pair)) for pair in dict.fromkeys(pairs)]


def of_model(frame: pd.DataFrame, model: Model) -> pd.DataFrame:
    """Return the rows of one model."""
    if frame.empty:
        return frame
    keep = column(frame, "feature_set").astype(str).eq(model.feature_set)
    return frame[keep & column(frame, "model").astype(str).eq(model.model)]


def estimate(inputs: Inputs, model: Model, key: str) -> Estimate:
    """Return one metric of one model."""
    frame = of_model(inputs.table("validation", "metrics"), model)
    if not frame.empty:
        frame = frame[column(frame, "metric").astype(str).map(metric_key).eq(key)]
    if frame.empty:
        return Estimate(float("nan"), float("nan"), float("nan"))
    return Estimate(*(float(numeric(frame, name).iloc[0]) for name in ("estimate", "ci_low", "ci_high")))


def primary(inputs: Inputs) -> Model | None:
    """Return the model that the prose is about.

    It is the one that the study named beforehand (`primary` in the specification of the validation,
    as `[feature_set, model]`), otherwise the one with the highest AUC: a choice after the fact, which
    the report then says.
    """
    candidates = models(inputs)
    named = inputs.spec("validation").get("primary")
    if named is not None and Model(*map(str, named)) in candidates:
        return Model(*map(str, named))
    if not candidates:
        return None
    aucs = {model: estimate(inputs, model, "auc").estimate for model in candidates}
    return max(candidates, key=lambda model: aucs[model] if aucs[model] == aucs[model] else -1.0)


def chosen_afterwards(inputs: Inputs) -> bool:
    """Tell whether :func:`primary` is the best of several, hence optimistic."""
    return len(models(inputs)) > 1 and inputs.spec("validation").get("primary") is None


def settings_of(inputs: Inputs, model: Model) -> dict[str, Any]:
    """Return the settings of one model's validation, flat; `folds` are the outer ones.

    Each run of `spec["runs"]` describes one feature set and model; a specification without runs
    describes all of them.
    """
    spec = inputs.spec("validation")
    run = next((run for run in spec.get("runs", ()) if _names(run) == model), spec)
    nested = run.get("validation")
    flat = {**run, **nested} if isinstance(nested, Mapping) else dict(run)
    if "outer_folds" in flat:
        flat["folds"] = flat.pop("outer_folds")
    return {name: value for name, value in flat.items() if name not in ("primary", "runs", "validation")}


def model_of_spec(spec: Mapping[str, Any]) -> str:
    """Return the name of the model that a specification is about, for a reader."""
    return _names(spec).label


def _names(run: Mapping[str, Any]) -> Model:
    model = run.get("model")
    name = model.get("name") if isinstance(model, Mapping) else model
    return Model(str(run.get("feature_set")), str(name))


def at_each_prevalence(frame: pd.DataFrame) -> list[dict[str, str]]:
    """Return per prevalence the printed predictive values: `Prevalence, PPV, NPV`."""
    rows = []
    for share, members in frame.groupby(numeric(frame, "prevalence"), sort=True):
        cells = dict(zip(members["metric"].astype(str), with_interval(members), strict=True))
        values = {name.upper(): cells.get(name, ABSENT) for name in ("ppv", "npv")}
        rows.append({"Prevalence": percent(float(share), 1.0), **values})
    return rows


def by_patient_rule(frame: pd.DataFrame) -> dict[str, dict[str, str]]:
    """Return per way of scoring a patient the printed metrics, by the name of the metric."""
    told = {}
    for rule in dict.fromkeys(column(frame, "rule").astype(str)):
        own = frame[frame["rule"].astype(str) == rule]
        cells = zip(own["metric"].astype(str), with_interval(own), strict=True)
        told[_RULES.get(rule, sentence_case(rule))] = dict(cells)
    return told
