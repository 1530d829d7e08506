"""What a model is worth in use: net benefit over thresholds, predictive values at a stated prevalence."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.special import expit, logit, ndtri

from radiomics_vert.errors import Problem, SettingsError
from radiomics_vert.results import Result
from radiomics_vert.roc import check_labels, patient_draws

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int_]

THRESHOLDS = np.arange(1, 100) / 100
"""Probabilities of 1 % to 99 % at which the net benefit is given."""


def decision_curve(
    y: IntArray,
    probability: FloatArray,
    groups: NDArray[np.object_],
    *,
    seed: int,
    n_boot: int,
    thresholds: FloatArray = THRESHOLDS,
    confidence: float = 0.95,
) -> pd.DataFrame:
    """Return the net benefit of acting on the model, on every vertebra, and on none.

    At threshold t a vertebra with predicted probability of t or more counts as positive, and one
    missed positive weighs as much as (1 - t) / t false alarms: the net benefit is
    TP / n - FP / n * t / (1 - t).

    Parameters
    ----------
    y, probability, groups : ndarray, shape (n,)
        Outcome, prediction and patient of each vertebra.
    seed : int
        Seed of the draws.
    n_boot : int
        Number of draws, among all patients, so that the prevalence varies as well.
    thresholds : ndarray, default 0.01 to 0.99
        Between 0 and 1, both excluded.
    confidence : float, default 0.95
        Level of the band at each threshold.

    Returns
    -------
    DataFrame
        `threshold, net_benefit, low, high, all, none`. The prevalence is that of the study, which a
        study that chose its patients by outcome does not share with the clinic.

    References
    ----------
    Vickers AJ, Elkin EB (2006). Decision curve analysis: a novel method for evaluating prediction
    models. Medical Decision Making 26:565-574. doi:10.1177/0272989X06295361
    """
    positive, patients = check_labels(y, groups, len(y))
    # Worth of each call: 1 for a positive vertebra, minus the odds of the threshold for a negative one.
    odds = thresholds / (1 - thresholds)
    worth = np.where(positive[:, None], 1.0, -odds[None, :])
    called = worth * (probability[:, None] >= thresholds[None, :])
    drawn = patient_draws(positive, patients, n_boot, np.random.default_rng(seed), within_kinds=False)
    weights = drawn[:, patients]
    draws = (weights @ called) / weights.sum(axis=1, keepdims=True)
    low, high = np.quantile(draws, [(1 - confidence) / 2, (1 + confidence) / 2], axis=0)
    return pd.DataFrame(
        {
            "threshold": thresholds,
            "net_benefit": called.mean(axis=0),
            "low": low,
            "high": high,
            "all": worth.mean(axis=0),
            "none": 0.0,
        }
    )


class Rate(NamedTuple):
    """Sensitivity or specificity with its limits.

    Parameters
    ----------
    estimate, low, high : float
        Between 0 and 1.
    """

    estimate: float
    low: float
    high: float


def predictive_value(right: Rate, other: Rate, share: float, confidence: float = 0.95) -> Rate:
    """Return a predictive value at a stated prevalence, by Bayes' rule.

    Parameters
    ----------
    right : Rate
        For the positive predictive value the sensitivity; for the negative one the specificity.
    other : Rate
        The other one of the two.
    share : float
        Share of the class that is called: the prevalence for the positive predictive value, 1 minus
        the prevalence for the negative one.
    confidence : float, default 0.95
        Level of the limits, here and in `right` and `other`.

    Returns
    -------
    Rate
        Limits by the delta method on the logit scale, as if sensitivity and specificity were
        independent; their errors are read off their own limits. Where one of the two is 0 or 1 that
        scale ends, and the limits are those with both at their lower (upper) limits: wider.

    References
    ----------
    Mercaldo ND, Lau KF, Zhou XH (2007). Confidence intervals for predictive values with an emphasis to
    case-control studies. Statistics in Medicine 26:2170-2183. doi:10.1002/sim.2677

    Examples
    --------
    >>> found = predictive_value(Rate(0.9, 0.8, 0.95), Rate(0.8, 0.7, 0.87), 0.1)
    >>> [round(value, 3) for value in found]
    [0.333, 0.246, 0.434]
    """
    if np.isnan([*right, *other]).any():
        return Rate(np.nan, np.nan, np.nan)
    inside = all(0 < value < 1 for value in (*right, *other))
    if not inside:
        return Rate(
            *(_bayes(a, b, share) for a, b in zip(right, other, strict=True)),
        )
    z = float(ndtri(0.5 + confidence / 2))
    # d log(right) = (1 - right) d logit(right), and d log(1 - other) = -other d logit(other).
    error = np.hypot(
        (1 - right.estimate) * (logit(right.high) - logit(right.low)) / (2 * z),
        other.estimate * (logit(other.high) - logit(other.low)) / (2 * z),
    )
    centre = logit(_bayes(right.estimate, other.estimate, share))
    return Rate(*(float(expit(centre + side * z * error)) for side in (0, -1, 1)))


def at_prevalence(result: Result, prevalence: Sequence[float]) -> Result:
    """Add predictive values at stated prevalences to a validation result.

    The PPV and NPV of the table `metrics` hold for the mix of classes in the study only.

    Parameters
    ----------
    result : Result
        From :func:`~radiomics_vert.modeling.validation.cross_validate`.
    prevalence : sequence of float
        Shares of positive vertebrae where the model is to be used, between 0 and 1.

    Returns
    -------
    Result
        The same tables and `predictive_values`: `feature_set, model, metric, prevalence, estimate,
        ci_low, ci_high, note`.

    Raises
    ------
    SettingsError
        RV602 for a prevalence that is not between 0 and 1.
    """
    wrong = [value for value in prevalence if not 0 < value < 1]
    if wrong:
        problem = Problem("RV602", "shares between 0 and 1", repr(wrong[0]), "prevalence", "correct it")
        raise SettingsError(problem)
    levels = {
        (run["feature_set"], run["model"]["name"]): run["validation"]["confidence"]
        for run in result.spec["runs"]
    }
    rows = []
    for (feature_set, model), table in result.frame("metrics").groupby(["feature_set", "model"], sort=False):
        rates = table.set_index("metric")[["estimate", "ci_low", "ci_high"]].astype(float)
        sensitivity, specificity = (Rate(*rates.loc[name]) for name in ("sensitivity", "specificity"))
        for share in prevalence:
            level = levels[feature_set, model]
            values = {
                "ppv": predictive_value(sensitivity, specificity, share, level),
                "npv": predictive_value(specificity, sensitivity, 1 - share, level),
            }
            rows += [(feature_set, model, name, share, *value, _NOTE) for name, value in values.items()]
    columns = ["feature_set", "model", "metric", "prevalence", "estimate", "ci_low", "ci_high", "note"]
    tables = {**result.tables, "predictive_values": pd.DataFrame(rows, columns=columns)}
    return Result(result.kind, tables, result.spec, result.provenance)


_NOTE = (
    "Bayes' rule from sensitivity and specificity, which are taken to hold at this prevalence too; limits "
    "by the delta method on the logit scale"
)


def _bayes(right: float, other: float, share: float) -> float:
    true, false = right * share, (1 - other) * (1 - share)
    return true / (true + false) if true + false > 0 else float("nan")
