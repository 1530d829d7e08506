"""Performance of out-of-fold predictions, with intervals that respect patients."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.special import expit, logit, ndtri

from radiomics_vert.modeling.calibration import integrated_calibration_index
from radiomics_vert.roc import clustered_auc, clustered_proportion

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int_]
BoolArray = NDArray[np.bool_]
PatientRule = Literal["max", "mean"]
Statistic = Callable[[FloatArray], float]
"""A metric as a function of the weight of each vertebra."""

_EDGE = 1e-9
_BOUNDED = ("pr_auc", "brier", "balanced_accuracy", "f1", "ici")


class Estimate(NamedTuple):
    """A metric with confidence limits and what it rests on.

    Parameters
    ----------
    estimate, ci_low, ci_high : float
        NaN where the metric is not defined.
    n, n_subjects : int
        Vertebrae (or patients, at patient level) and patients that it rests on.
    """

    estimate: float
    ci_low: float
    ci_high: float
    n: int
    n_subjects: int


@dataclass(frozen=True)
class Predictions:
    """Out-of-fold predictions of one repeat, one per vertebra.

    Parameters
    ----------
    y : ndarray of int, shape (n,)
        Outcome.
    probability : ndarray, shape (n,)
        Predicted probability of the positive class.
    threshold : ndarray, shape (n,)
        Decision threshold of the fold.
    groups : ndarray of str, shape (n,)
        The patient.
    """

    y: IntArray
    probability: FloatArray
    threshold: FloatArray
    groups: NDArray[np.object_]

    @property
    def decision(self) -> IntArray:
        """1 where the probability reaches the threshold of its fold, otherwise 0."""
        return (self.probability >= self.threshold).astype(np.int_)


def all_metrics(
    predictions: Predictions, *, confidence: float = 0.95, patient_rule: PatientRule = "max"
) -> dict[str, Estimate]:
    """Return every metric of one repeat.

    Parameters
    ----------
    predictions : Predictions
        Out-of-fold predictions, pooled over the folds.
    confidence : float, default 0.95
        Level of the intervals.
    patient_rule : {"max", "mean"}, default "max"
        How a patient's vertebrae become one probability.

    Returns
    -------
    dict of str to Estimate
        `auc` and `auc_patient` (Obuchowski interval), `sensitivity, specificity, ppv, npv` (clustered
        proportions), `balanced_accuracy, f1, pr_auc, brier, brier_scaled, calibration_intercept,
        calibration_slope, ici` (interval from the delete-one-patient jackknife).
    """
    y, p, groups = predictions.y, predictions.probability, predictions.groups
    found = {"auc": _auc(y, p, groups, confidence)}
    found |= {
        name: _jackknife(statistic, groups, confidence, bounded=name in _BOUNDED)
        for name, statistic in (
            _weighted_statistics(y, p) | _decision_statistics(y, predictions.decision)
        ).items()
    }
    found |= _shares(predictions, confidence)
    return {**found, "auc_patient": patient_metrics(predictions, patient_rule, confidence)["auc"]}


def by_patient(predictions: Predictions, rule: PatientRule) -> Predictions:
    """Return one prediction per patient.

    Parameters
    ----------
    predictions : Predictions
        One per vertebra.
    rule : {"max", "mean"}
        How the probabilities of a patient's vertebrae become one.

    Returns
    -------
    Predictions
        Patients in the order of their ids; positive where any vertebra is. The decision threshold is
        that of the patient's fold, chosen for vertebrae.
    """
    table = pd.DataFrame(
        {"y": predictions.y, "p": predictions.probability, "t": predictions.threshold}
    ).groupby(predictions.groups, sort=True)
    p = (table["p"].max() if rule == "max" else table["p"].mean()).to_numpy()
    # All vertebrae of a patient are in one fold and share its threshold.
    threshold = table["t"].first().to_numpy()
    ids = np.array(list(table.groups), dtype=object)
    return Predictions(table["y"].max().to_numpy(), p, threshold, ids)


def patient_metrics(
    predictions: Predictions, rule: PatientRule, confidence: float = 0.95
) -> dict[str, Estimate]:
    """Return the metrics between patients with a positive vertebra and patients without.

    Parameters
    ----------
    predictions : Predictions
        One per vertebra.
    rule : {"max", "mean"}
        How a patient's probabilities become one.
    confidence : float, default 0.95
        Level of the intervals.

    Returns
    -------
    dict of str to Estimate
        `auc, sensitivity, specificity, ppv, npv, brier`; the AUC is NaN where fewer than two patients
        have, or have not, a positive vertebra.
    """
    patients = by_patient(predictions, rule)
    y, p, ids = patients.y, patients.probability, patients.groups
    found = {"auc": Estimate(np.nan, np.nan, np.nan, len(y), len(y))}
    if min(int(y.sum()), int((1 - y).sum())) >= 2:
        found["auc"] = _auc(y, p, ids, confidence)
    brier = _jackknife(_weighted_statistics(y, p)["brier"], ids, confidence, bounded=True)
    return {**found, **_shares(patients, confidence), "brier": brier}


def average_precision(y: IntArray, scores: FloatArray) -> Statistic:
    """Return the area under the precision-recall curve as a function of the weights.

    It is the sum over thresholds of precision times the gain in recall, tied scores sharing one
    threshold, as in `sklearn.metrics.average_precision_score`; sorted once for many weights.

    Parameters
    ----------
    y : ndarray of int, shape (n,)
        Outcome.
    scores : ndarray, shape (n,)
        Higher means more likely positive.
    """
    order = np.argsort(-scores, kind="stable")
    ordered, positive = scores[order], y[order] == 1
    ends = np.flatnonzero(np.append(ordered[1:] != ordered[:-1], True))

    def statistic(weights: FloatArray) -> float:
        called = np.cumsum(weights[order])[ends]
        hits = np.cumsum(weights[order] * positive)[ends]
        precision = np.divide(hits, called, out=np.zeros_like(hits), where=called > 0)
        return float(np.sum(np.diff(hits, prepend=0.0) * precision) / hits[-1])

    return statistic


def calibration_fit(y: IntArray, probability: FloatArray, weights: FloatArray) -> tuple[float, float]:
    """Return calibration intercept (in the large) and calibration slope.

    The intercept is that of a logistic regression of the outcome on the logit of the prediction with
    the slope held at 1: 0 is right, below 0 the predictions are too high on average. The slope is that
    of the same regression with a free intercept: 1 is right, below 1 the predictions are too extreme.

    Parameters
    ----------
    y : ndarray of int, shape (n,)
        Outcome.
    probability : ndarray, shape (n,)
        Predictions; kept away from 0 and 1 by 1e-9.
    weights : ndarray, shape (n,)
        Weight of each vertebra.

    Returns
    -------
    intercept, slope : float
        NaN where it does not exist: the predictions separate the classes, or are all the same.

    References
    ----------
    Van Calster B, McLernon DJ, van Smeden M, Wynants L, Steyerberg EW (2019). Calibration: the
    Achilles heel of predictive analytics. BMC Medicine 17:230. doi:10.1186/s12916-019-1466-7
    """
    linear = logit(np.clip(probability, _EDGE, 1 - _EDGE))
    ones = np.ones((len(y), 1))
    intercept = _logistic(ones, y, linear, weights)
    slope = _logistic(np.column_stack([ones, linear]), y, np.zeros(len(y)), weights)
    return float(intercept[0]), float(slope[1])


def calibration_bins(
    y: IntArray, probability: FloatArray, groups: NDArray[np.object_], confidence: float = 0.95
) -> pd.DataFrame:
    """Return observed against predicted shares in bins of equal size.

    Parameters
    ----------
    y, probability, groups : ndarray, shape (n,)
        Outcome, prediction and patient of each vertebra.
    confidence : float, default 0.95
        Level of the intervals, clustered by patient.

    Returns
    -------
    DataFrame
        `bin, predicted_mean, observed, ci_low, ci_high, n`; 2 to 10 bins of about 15 vertebrae or more.
    """
    n_bins = int(np.clip(len(y) // 15, 2, 10))
    rows = []
    for number, members in enumerate(np.array_split(np.argsort(probability, kind="stable"), n_bins), start=1):
        observed = clustered_proportion(y[members] == 1, groups[members], confidence)
        rows.append((number, float(probability[members].mean()), *observed, len(members)))
    columns = ["bin", "predicted_mean", "observed", "ci_low", "ci_high", "n"]
    return pd.DataFrame(rows, columns=columns)


def _shares(predictions: Predictions, confidence: float) -> dict[str, Estimate]:
    y, decision = predictions.y, predictions.decision
    correct = decision == y
    rows = {"sensitivity": y == 1, "specificity": y == 0, "ppv": decision == 1, "npv": decision == 0}
    return {
        name: _proportion(correct[members], predictions.groups[members], confidence)
        for name, members in rows.items()
    }


def _decision_statistics(y: IntArray, decision: IntArray) -> dict[str, Statistic]:
    hits, calls = (y == 1) & (decision == 1), (y == 0) & (decision == 0)

    def balanced_accuracy(weights: FloatArray) -> float:
        return float(
            0.5 * weights[hits].sum() / weights[y == 1].sum()
            + 0.5 * weights[calls].sum() / weights[y == 0].sum()
        )

    def f1(weights: FloatArray) -> float:
        return float(2 * weights[hits].sum() / (weights[y == 1].sum() + weights[decision == 1].sum()))

    return {"balanced_accuracy": balanced_accuracy, "f1": f1}


def _weighted_statistics(y: IntArray, p: FloatArray) -> dict[str, Statistic]:
    def brier(weights: FloatArray) -> float:
        return float(np.average((p - y) ** 2, weights=weights))

    def brier_scaled(weights: FloatArray) -> float:
        prevalence = np.average(y, weights=weights)
        return float(1 - brier(weights) / (prevalence * (1 - prevalence)))

    return {
        "pr_auc": average_precision(y, p),
        "brier": brier,
        "brier_scaled": brier_scaled,
        "calibration_intercept": lambda weights: calibration_fit(y, p, weights)[0],
        "calibration_slope": lambda weights: calibration_fit(y, p, weights)[1],
        # The smoother takes rows, not weights; the jackknife asks for nothing but rows left out.
        "ici": lambda weights: integrated_calibration_index(y[weights > 0], p[weights > 0]),
    }


def _jackknife(
    statistic: Statistic, groups: NDArray[np.object_], confidence: float, *, bounded: bool
) -> Estimate:
    """Estimate, and limits from leaving out one patient at a time; bounded: on the logit scale."""
    codes = pd.factorize(groups)[0]
    n_subjects = int(codes.max()) + 1
    estimate = statistic(np.ones(len(groups)))
    left_out = np.array([statistic((codes != code).astype(float)) for code in range(n_subjects)])
    variance = (n_subjects - 1) / n_subjects * np.sum((left_out - left_out.mean()) ** 2)
    low, high = _limits(estimate, float(np.sqrt(variance)), confidence, bounded)
    return Estimate(estimate, low, high, len(groups), n_subjects)


def _limits(estimate: float, error: float, confidence: float, bounded: bool) -> tuple[float, float]:
    half = float(ndtri(0.5 + confidence / 2)) * error
    if not bounded:
        return estimate - half, estimate + half
    if not _EDGE < estimate < 1 - _EDGE:
        return estimate, estimate
    half /= estimate * (1 - estimate)
    centre = logit(estimate)
    return float(expit(centre - half)), float(expit(centre + half))


def _auc(y: IntArray, scores: FloatArray, groups: NDArray[np.object_], confidence: float) -> Estimate:
    auc = clustered_auc(y, scores, groups, confidence=confidence)
    return Estimate(auc.estimate, auc.ci_low, auc.ci_high, len(y), auc.n_subjects)


def _proportion(successes: BoolArray, groups: NDArray[np.object_], confidence: float) -> Estimate:
    if len(successes) == 0:
        return Estimate(np.nan, np.nan, np.nan, 0, 0)
    share = clustered_proportion(successes, groups, confidence)
    return Estimate(*share, len(successes), len(np.unique(groups)))


def _logistic(design: FloatArray, y: IntArray, offset: FloatArray, weights: FloatArray) -> FloatArray:
    """Unpenalised logistic regression by Newton's method; NaN where no finite solution exists."""
    beta = np.zeros(design.shape[1])
    failed = np.full_like(beta, np.nan)
    for _ in range(50):
        p = expit(offset + design @ beta)
        information = design.T @ (design * (weights * p * (1 - p))[:, None])
        if np.linalg.cond(information) > 1e12:
            return failed
        step = np.linalg.solve(information, design.T @ (weights * (y - p)))
        beta = beta + np.clip(step, -5.0, 5.0)
        if np.abs(step).max() < 1e-10:
            return np.asarray(beta)
    return failed
