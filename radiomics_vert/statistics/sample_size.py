"""How many vertebrae and patients a prediction model needs, before any is measured (Riley's criteria)."""

from __future__ import annotations

from math import ceil, exp, log, log1p
from typing import Any

import numpy as np
import pandas as pd
from scipy.optimize import brentq
from scipy.special import log_expit, ndtri, xlogy

from radiomics_vert.errors import CODES, Problem, SettingsError, raise_all
from radiomics_vert.provenance import Provenance, versions
from radiomics_vert.results import Result

CRITERIA = {
    "overall_risk": "the share of positives known to within 0.05",
    "prediction_error": "mean absolute error of the predicted probabilities at most 0.05",
    "shrinkage": "predictor effects shrunk by overfitting no further than the factor asked for",
    "optimism": "apparent and adjusted Nagelkerke R2 apart by at most 0.05",
}
MARGIN = 0.05
# Without a better guess the model is assumed to reach 15 % of the largest possible Cox-Snell R2.
DEFAULT_SHARE = 0.15
# The formula of the prediction error was fitted to simulations with up to 30 parameters.
MOST_PARAMETERS = 30
METHODS = {
    "criteria": "Riley 2020, doi:10.1136/bmj.m441",
    "prediction_error": "van Smeden 2019, doi:10.1177/0962280218784726",
    "r2_from_auc": "binormal linear predictor (Riley 2021, doi:10.1002/sim.8806), integrated exactly",
    "design_effect": "1 + (vertebrae per patient - 1) x intraclass correlation",
}
_NODES, _WEIGHTS = np.polynomial.hermite_e.hermegauss(120)


def plan_sample_size(
    *,
    prevalence: float,
    candidate_parameters: int,
    anticipated_auc: float | None = None,
    r2_cs: float | None = None,
    shrinkage: float = 0.9,
    vertebrae_per_patient: float = 1.0,
    icc: float = 0.0,
) -> Result:
    """Return the smallest sample for developing a model of a binary outcome, by Riley's four criteria.

    Candidate parameters are all that the modelling looks at, before any selection: a texture study
    with 1000 features has 1000, however few the final model keeps. The criteria are for regression
    without penalty; penalties and forests may need fewer or more, but the order of size stays.

    Parameters
    ----------
    prevalence : float
        Share of positive vertebrae.
    candidate_parameters : int
        Number of predictor parameters considered.
    anticipated_auc : float, optional
        AUC that the model is expected to have in new patients; gives the Cox-Snell R2.
    r2_cs : float, optional
        That R2 itself. With neither, 15 % of the largest possible value is assumed, as Riley advises.
    shrinkage : float, default 0.9
        Smallest acceptable expected shrinkage factor.
    vertebrae_per_patient : float, default 1.0
        Mean number.
    icc : float, default 0.0
        Intraclass correlation of the outcome within patients: 1 when all fractures of a patient have
        one cause, and then only patients count.

    Returns
    -------
    Result
        Kind `sample_size`. Table `criteria`: one row per criterion with `n_independent` (vertebrae if
        each came from another patient), `n_vertebrae` (times the design effect), `n_patients`,
        `events`, `events_per_parameter`, `shrinkage` (expected at that size), `decides`, `note`.
        `overall`: the largest of them. `curve`: expected shrinkage over a range of sizes.

    Raises
    ------
    SettingsError
        RV602: a number outside its range, both `anticipated_auc` and `r2_cs`, or an R2 that is too
        large for the prevalence or the shrinkage.

    References
    ----------
    Riley RD et al. (2020). Calculating the sample size required for developing a clinical prediction
    model. BMJ 368:m441. doi:10.1136/bmj.m441

    Riley RD, Van Calster B, Collins GS (2021). A note on estimating the Cox-Snell R2 from a reported
    C statistic. Statistics in Medicine 40:859-864. doi:10.1002/sim.8806

    van Smeden M et al. (2019). Sample size for binary logistic prediction models: beyond events per
    variable criteria. Statistical Methods in Medical Research 28:2455-2474.
    doi:10.1177/0962280218784726

    Examples
    --------
    >>> plan = plan_sample_size(prevalence=0.174, candidate_parameters=24, r2_cs=0.288)
    >>> plan.frame()["n_independent"].tolist()
    [221, 801, 623, 662]
    """
    _require_plan(prevalence, candidate_parameters, shrinkage, vertebrae_per_patient, icc)
    r2, source = _anticipated_r2(prevalence, anticipated_auc, r2_cs, shrinkage)
    effect = 1 + (vertebrae_per_patient - 1) * icc
    needed = _needed(prevalence, candidate_parameters, r2, shrinkage)
    rows = [
        _row(name, n, effect, vertebrae_per_patient, prevalence, candidate_parameters, r2)
        for name, n in needed.items()
    ]
    criteria = pd.DataFrame(rows)
    criteria["decides"] = criteria["n_independent"] == criteria["n_independent"].max()
    overall = criteria[criteria["decides"]].head(1).drop(columns=["decides", "note"])
    spec = {
        **{"prevalence": prevalence, "candidate_parameters": candidate_parameters},
        **{"r2_cs": r2, "r2_source": source, "r2_max": max_r2(prevalence)},
        **{"r2_nagelkerke": r2 / max_r2(prevalence), "anticipated_auc": anticipated_auc},
        **{"shrinkage": shrinkage, "design_effect": effect},
        **{"vertebrae_per_patient": vertebrae_per_patient, "icc": icc, "methods": METHODS},
    }
    tables = {
        "criteria": criteria,
        "overall": overall.reset_index(drop=True),
        "curve": _curve(overall["n_vertebrae"].iloc[0], effect, candidate_parameters, r2),
    }
    return Result("sample_size", tables, spec, Provenance({"versions": versions()}))


def sample_size_check(
    n: int,
    events: int,
    parameters: int,
    *,
    anticipated_auc: float | None = None,
    r2_cs: float | None = None,
    shrinkage: float = 0.9,
    vertebrae_per_patient: float = 1.0,
    icc: float = 0.0,
) -> Result:
    """Return whether a study that exists is large enough for its number of candidate parameters.

    Parameters
    ----------
    n, events : int
        Vertebrae, and how many of them are positive.
    parameters : int
        Candidate predictor parameters.
    anticipated_auc, r2_cs, shrinkage, vertebrae_per_patient, icc
        As in :func:`plan_sample_size`.

    Returns
    -------
    Result
        Kind `sample_size_check`. Table `checks`: one row per criterion with `needed` and `available`
        vertebrae, `met`, `code` (RV505 where it is not met) and `message`. Table `expected`: one row
        with `events_per_parameter`, `effective_n`, `shrinkage` and `parameters_supported`, the largest
        number of parameters whose expected shrinkage reaches the one asked for.

    Raises
    ------
    SettingsError
        RV602, as :func:`plan_sample_size`, and where `events` is not between 0 and `n`.
    """
    if not 0 < events < n:
        raise SettingsError(_wrong("events", f"between 1 and {n - 1}", events))
    plan = plan_sample_size(
        prevalence=events / n,
        candidate_parameters=parameters,
        anticipated_auc=anticipated_auc,
        r2_cs=r2_cs,
        shrinkage=shrinkage,
        vertebrae_per_patient=vertebrae_per_patient,
        icc=icc,
    )
    criteria = plan.frame("criteria")
    checks = criteria[["criterion", "meaning"]].assign(needed=criteria["n_vertebrae"], available=n)
    checks["met"] = checks["available"] >= checks["needed"]
    checks["code"] = ["" if met else "RV505" for met in checks["met"]]
    checks["message"] = [
        "" if met else f"{CODES['RV505']}: {needed} vertebrae are needed for {meaning}, {n} are there"
        for met, needed, meaning in zip(checks["met"], checks["needed"], checks["meaning"], strict=True)
    ]
    effective, r2 = n / plan.spec["design_effect"], plan.spec["r2_cs"]
    smaller = min(events, n - events)
    expected = {
        "n": n,
        "events": events,
        "parameters": parameters,
        "events_per_parameter": smaller / parameters,
        "effective_n": effective,
        "shrinkage": expected_shrinkage(effective, parameters, r2),
        "parameters_supported": int(effective / _n_for_shrinkage(1, r2, shrinkage)),
    }
    tables = {"checks": checks, "expected": pd.DataFrame([expected])}
    return Result("sample_size_check", tables, dict(plan.spec), plan.provenance)


def max_r2(prevalence: float) -> float:
    """Return the largest Cox-Snell R2 that an outcome of this prevalence allows.

    Examples
    --------
    >>> round(max_r2(0.5), 2), round(max_r2(0.05), 2)
    (0.75, 0.33)
    """
    return float(1 - exp(2 * (xlogy(prevalence, prevalence) + xlogy(1 - prevalence, 1 - prevalence))))


def r2_from_auc(auc: float, prevalence: float) -> float:
    """Return the Cox-Snell R2 of a model with this AUC whose linear predictor is normal in both classes.

    The linear predictor of positives is delta = sqrt(2) Phi^-1(AUC) standard deviations above that of
    negatives. Then the logistic model is exactly true, and R2 = 1 - exp(-2 I) with I the mean gain in
    log likelihood over the prevalence alone, here integrated instead of simulated.

    Parameters
    ----------
    auc : float
        From 0.5 up to, but not, 1.
    prevalence : float
        Between 0 and 1.

    Examples
    --------
    >>> round(r2_from_auc(0.81, 0.77), 2)
    0.21
    """
    delta = float(np.sqrt(2) * ndtri(auc))
    odds = log(prevalence / (1 - prevalence))
    # Where x is the distance from the class mean: log odds of a positive, and of a negative.
    positive = odds + delta * (_NODES + delta / 2)
    negative = odds + delta * (_NODES - delta / 2)
    share = _WEIGHTS / _WEIGHTS.sum()
    model = prevalence * share @ log_expit(positive) + (1 - prevalence) * share @ log_expit(-negative)
    null = xlogy(prevalence, prevalence) + xlogy(1 - prevalence, 1 - prevalence)
    return float(1 - exp(-2 * (model - null)))


def expected_shrinkage(n: float, parameters: int, r2_cs: float) -> float:
    """Return the factor by which overfitting is expected to shrink predictor effects in new patients.

    It solves n = P / ((S - 1) ln(1 - R2 / S)), the first criterion of Riley, for S.

    Parameters
    ----------
    n : float
        Independent vertebrae.
    parameters : int
        Candidate predictor parameters.
    r2_cs : float
        Cox-Snell R2 in new patients.

    Examples
    --------
    >>> round(expected_shrinkage(623, 24, 0.288), 3)
    0.9
    """

    def excess(factor: float) -> float:
        # Multiplied out, so that it falls steadily from far above 0 at R2 to -P at 1.
        return -n * (1 - factor) * log1p(-r2_cs / factor) - parameters

    lowest = r2_cs * (1 + 1e-12)
    if excess(lowest) <= 0:
        return r2_cs
    return float(brentq(excess, lowest, 1.0, xtol=1e-12))


def _require_plan(
    prevalence: float, parameters: int, shrinkage: float, per_patient: float, icc: float
) -> None:
    rules = (
        ("prevalence", prevalence, 0 < prevalence < 1, "between 0 and 1, both excluded"),
        ("candidate_parameters", parameters, parameters >= 1, "at least 1"),
        ("shrinkage", shrinkage, 0 < shrinkage < 1, "between 0 and 1, both excluded"),
        ("vertebrae_per_patient", per_patient, per_patient >= 1, "at least 1"),
        ("icc", icc, 0 <= icc <= 1, "between 0 and 1"),
    )
    raise_all(SettingsError, [_wrong(name, rule, value) for name, value, good, rule in rules if not good])


def _anticipated_r2(
    prevalence: float, auc: float | None, r2_cs: float | None, shrinkage: float
) -> tuple[float, str]:
    """Return the Cox-Snell R2 to plan with, and where it comes from."""
    largest = max_r2(prevalence)
    if auc is not None and r2_cs is not None:
        raise SettingsError(_wrong("anticipated_auc, r2_cs", "one of the two", f"{auc:g} and {r2_cs:g}"))
    if auc is not None:
        if not 0.5 < auc < 1:
            raise SettingsError(_wrong("anticipated_auc", "above 0.5 and below 1", auc))
        r2, source = r2_from_auc(auc, prevalence), f"from an AUC of {auc:g}"
    elif r2_cs is not None:
        r2, source = r2_cs, "as given"
    else:
        r2, source = DEFAULT_SHARE * largest, f"{DEFAULT_SHARE:.0%} of the largest possible, by default"
    if not 0 < r2 < min(largest, shrinkage):
        rule = (
            f"above 0 and below {min(largest, shrinkage):.4g}: the largest Cox-Snell R2 at a prevalence "
            f"of {prevalence:g} is {largest:.4g}, and it must be below the shrinkage factor"
        )
        raise SettingsError(_wrong("r2_cs", rule, f"{r2:.4g} ({source})"))
    return r2, source


def _needed(prevalence: float, parameters: int, r2: float, shrinkage: float) -> dict[str, int]:
    """Return the number of independent vertebrae that each criterion asks for."""
    rarer = min(prevalence, 1 - prevalence)
    error = exp((-0.508 + 0.259 * log(rarer) + 0.504 * log(parameters) - log(MARGIN)) / 0.544)
    optimism = r2 / (r2 + MARGIN * max_r2(prevalence))
    return {
        "overall_risk": ceil((ndtri(0.975) / MARGIN) ** 2 * prevalence * (1 - prevalence)),
        "prediction_error": ceil(error),
        "shrinkage": ceil(_n_for_shrinkage(parameters, r2, shrinkage)),
        "optimism": ceil(_n_for_shrinkage(parameters, r2, optimism)),
    }


def _n_for_shrinkage(parameters: int, r2: float, shrinkage: float) -> float:
    return parameters / ((shrinkage - 1) * log1p(-r2 / shrinkage))


def _row(
    name: str, n: int, effect: float, per_patient: float, prevalence: float, parameters: int, r2: float
) -> dict[str, Any]:
    vertebrae = ceil(n * effect)
    outside = name == "prediction_error" and parameters > MOST_PARAMETERS
    return {
        "criterion": name,
        "meaning": CRITERIA[name],
        "n_independent": n,
        "n_vertebrae": vertebrae,
        "n_patients": ceil(vertebrae / per_patient),
        "events": ceil(vertebrae * prevalence),
        "events_per_parameter": vertebrae * min(prevalence, 1 - prevalence) / parameters,
        "shrinkage": expected_shrinkage(n, parameters, r2),
        "note": f"extrapolated: the formula was fitted for up to {MOST_PARAMETERS} parameters"
        if outside
        else "",
    }


def _curve(vertebrae: int, effect: float, parameters: int, r2: float) -> pd.DataFrame:
    """Return the expected shrinkage from a tenth to twice the size that is needed."""
    sizes = sorted({ceil(vertebrae * tenth / 10) for tenth in range(1, 21)})
    return pd.DataFrame(
        {
            "n_vertebrae": sizes,
            "shrinkage": [expected_shrinkage(size / effect, parameters, r2) for size in sizes],
        }
    )


def _wrong(name: str, rule: str, value: object) -> Problem:
    return Problem("RV602", rule, str(value), name, "correct the number; radiomics-vert plan needs no data")
