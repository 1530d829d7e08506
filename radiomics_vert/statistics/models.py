"""The adjusted models of one feature as table rows; nothing infinite or meaningless leaves here."""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy.stats import t as student

from radiomics_vert.statistics.designs import Design
from radiomics_vert.statistics.firth import firth_logistic
from radiomics_vert.statistics.gee import GeeFit, fit_gee, separates
from radiomics_vert.statistics.mixed import fit_random_intercept

SPARSE_CELL = 5
WIDEST = 1e6
EVENTS_PER_PARAMETER = 5
GEE = "GEE logistic, Kauermann-Carroll variance"
FIRTH = "Firth logistic, profile likelihood divided by the design effect"
NONE = "not estimable"
_EMPTY = dict.fromkeys(
    ("estimate", "ci_low", "ci_high", "log_odds", "standard_error", "statistic", "p_value"), np.nan
)
_ONE_CLASS_PER_PATIENT = (
    "no patient has vertebrae of both classes: read the independence estimate (Pepe and Anderson 1994)"
)


def gee_rows(design: Design, correlation: tuple[str, ...], confidence: float) -> list[dict[str, Any]]:
    """Return the adjusted odds ratio, one row per working correlation.

    Parameters
    ----------
    design : Design
        Of one feature.
    correlation : tuple of str
        Working correlations.
    confidence : float
        Confidence level.

    Returns
    -------
    list of dict
        Firth's estimate stands in every row where the GEE cannot be trusted.
    """
    head = {
        "n": len(design.y),
        "n_subjects": design.n_subjects,
        "n_events": int(design.y.sum()),
        "contrast": "higher against lower value" if design.binary else "per standard deviation",
        "covariates": ", ".join(design.names),
    }
    if design.obstacle:
        rows = [_gap(design.obstacle, design.notes)] * len(correlation)
    elif (reason := _needs_penalty(design)) or (fits := _fits(design, correlation, confidence)) is None:
        rows = [_firth(design, reason or f"limits beyond {WIDEST:g}", confidence)] * len(correlation)
    else:
        rows = fits
    return [{**head, "correlation": name, **row} for name, row in zip(correlation, rows, strict=True)]


def _gap(reason: str, notes: tuple[str, ...], method: str = NONE) -> dict[str, Any]:
    note = "; ".join((f"{NONE}: {reason}", *notes))
    return {**_EMPTY, "working_correlation": np.nan, "method": method, "note": note}


def _needs_penalty(design: Design) -> str:
    if design.binary and (cell := design.smallest_cell()) < SPARSE_CELL:
        return f"sparse sign: {cell} patients in the smallest cell of its 2x2 table"
    if separates(design.matrix(design.feature), design.y):
        return "feature and covariates separate the classes"
    return ""


def _fits(design: Design, correlation: tuple[str, ...], confidence: float) -> list[dict[str, Any]] | None:
    """Return the rows of the GEE; None where a limit is so wide that it means nothing."""
    rows = []
    for name in correlation:
        row = _gee(design, name, confidence)
        if max(row["ci_high"], 1 / max(row["ci_low"], 1e-300)) > WIDEST:
            return None
        rows.append(row)
    return rows


def _gee(design: Design, correlation: str, confidence: float) -> dict[str, Any]:
    single = design.n_subjects == len(design.y)
    structure = "independence" if single else correlation
    fit = fit_gee(design.matrix(design.feature), design.y, design.patients, structure)
    if fit is None:
        return _gap(f"the equations with {correlation} correlation have no solution", design.notes)
    notes = (*_gee_notes(design, correlation, single), *design.notes)
    estimate, error = float(fit.params[1]), float(np.sqrt(fit.covariance[1, 1]))
    half = float(student.ppf(0.5 + confidence / 2, design.freedom)) * error
    with np.errstate(over="ignore"):
        odds, low, high = (float(np.exp(value)) for value in (estimate, estimate - half, estimate + half))
    return {
        "estimate": odds,
        "ci_low": low,
        "ci_high": high,
        "log_odds": estimate,
        "standard_error": error,
        **_wald(estimate, error, design.freedom),
        "working_correlation": _correlation(fit, correlation, single),
        "method": GEE,
        "note": "; ".join(notes),
    }


def _correlation(fit: GeeFit, correlation: str, single: bool) -> float:
    return fit.working_correlation if correlation == "independence" or not single else np.nan


def _wald(estimate: float, error: float, freedom: int) -> dict[str, float]:
    statistic = estimate / error
    return {"statistic": statistic, "p_value": float(2 * student.sf(abs(statistic), freedom))}


def _gee_notes(design: Design, correlation: str, single: bool) -> list[str]:
    notes = []
    if correlation == "exchangeable" and single:
        notes.append("one vertebra per patient: no correlation to estimate")
    elif correlation == "exchangeable" and not design.class_varies_within():
        notes.append(_ONE_CLASS_PER_PATIENT)
    parameters = design.n_subjects - design.freedom
    patients = min(len(np.unique(design.patients[design.y == label])) for label in (0, 1))
    if patients < EVENTS_PER_PARAMETER * parameters:
        notes.append(f"RV505: {patients} patients in the smaller class for {parameters} parameters")
    return notes


def _firth(design: Design, reason: str, confidence: float) -> dict[str, Any]:
    effect = design.design_effect()
    weights = np.full(len(design.y), 1 / effect)
    fit = firth_logistic(design.matrix(design.feature), design.y, 1, weights=weights, confidence=confidence)
    limits = np.array([fit.ci_low, fit.ci_high])
    if not np.isfinite(fit.log_odds) or not (np.abs(limits) < np.log(WIDEST)).all():
        return _gap(reason, design.notes, FIRTH)
    odds, low, high = np.exp([fit.log_odds, fit.ci_low, fit.ci_high]).tolist()
    return {
        "estimate": odds,
        "ci_low": low,
        "ci_high": high,
        "log_odds": fit.log_odds,
        "standard_error": fit.standard_error,
        "statistic": fit.statistic,
        "p_value": fit.p_value,
        "working_correlation": np.nan,
        "method": FIRTH,
        "note": "; ".join((reason, f"design effect {effect:.2f}", *design.notes)),
    }


def mixed_row(design: Design, confidence: float) -> dict[str, Any]:
    """Return the adjusted difference of the standardised feature between the classes.

    Parameters
    ----------
    design : Design
        Of one feature.
    confidence : float
        Confidence level.

    Returns
    -------
    dict
        NaN with a note where the feature does not vary within patients.
    """
    head = {"n": len(design.y), "n_subjects": design.n_subjects, "covariates": ", ".join(design.names)}
    names = ("estimate", "ci_low", "ci_high", "standard_error", "statistic", "p_value", "icc")
    gap: dict[str, Any] = dict.fromkeys(names, np.nan)
    if obstacle := design.obstacle or _fixed_within(design):
        return {**head, **gap, "note": "; ".join((f"{NONE}: {obstacle}", *design.notes))}
    response = design.feature / design.feature.std(ddof=1)
    fit = fit_random_intercept(design.matrix(design.y), response, design.patients)
    estimate, error = float(fit.params[1]), float(np.sqrt(fit.covariance[1, 1]))
    half = float(student.ppf(0.5 + confidence / 2, design.freedom)) * error
    single = design.n_subjects == len(design.y)
    notes = ["one vertebra per patient: ordinary least squares"] if single else []
    notes += ["a feature with two values: the difference of its shares"] if design.binary else []
    return {
        **head,
        "estimate": estimate,
        "ci_low": estimate - half,
        "ci_high": estimate + half,
        "standard_error": error,
        **_wald(estimate, error, design.freedom),
        "icc": np.nan if single else fit.icc,
        "note": "; ".join((*notes, *design.notes)),
    }


def _fixed_within(design: Design) -> str:
    """Say whether the feature is one value per patient: no variation is left to the residual."""
    if design.n_subjects == len(design.y):
        return ""
    mean = np.bincount(design.patients, weights=design.feature) / np.bincount(design.patients)
    spread = np.abs(design.feature - mean[design.patients]).max()
    return "the feature does not vary within patients" if spread < 1e-9 else ""
