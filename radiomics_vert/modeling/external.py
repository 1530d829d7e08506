"""A locked model on cohorts that had no part in it, and what local updating would change."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.special import expit, logit

from radiomics_vert.dataset import Dataset
from radiomics_vert.errors import AnalysisError, Problem, SettingsError, raise_all
from radiomics_vert.modeling.calibration import calibration_curve, integrated_calibration_index
from radiomics_vert.modeling.decision import Rate, decision_curve, predictive_value
from radiomics_vert.modeling.final import dataset_images, dataset_parameters
from radiomics_vert.modeling.fitted import FittedModel
from radiomics_vert.modeling.metrics import (
    Estimate,
    Predictions,
    all_metrics,
    calibration_bins,
    calibration_fit,
    patient_metrics,
)
from radiomics_vert.modeling.overlap import row_fingerprints
from radiomics_vert.modeling.prediction import Scored, input_table, require_parameters, score
from radiomics_vert.modeling.splits import patients_per_class, require_patient_groups
from radiomics_vert.modeling.tables import METRICS
from radiomics_vert.phrases import count
from radiomics_vert.provenance import Provenance, versions
from radiomics_vert.results import Result
from radiomics_vert.roc import clustered_auc, clustered_proportion, precision_recall_band, roc_band

KIND = "external"
MIN_PATIENTS = 2
"""Patients of either class below which only shares are given."""
LOCKED = "locked model, as it left the development data; nothing is fitted here"
FITTED_HERE = (
    "fitted on this external cohort and measured on the same: what local updating could reach, not how the "
    "locked model does"
)
_RECALIBRATION = ["update", "intercept", "slope", "brier", "ici", "auc", "note"]
_EDGE = 1e-9
_NAMED = 5

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int_]


def validate_external(
    fitted: FittedModel,
    cohorts: Mapping[str, Dataset],
    *,
    confidence: float = 0.95,
    prevalence: Sequence[float] | None = None,
) -> Result:
    """Measure a locked model on one or several named cohorts.

    Nothing is refitted: probabilities and threshold are those of the bundle. Beside the locked model
    stands what two updates would change; they are fitted on the external cohort and say so.

    Parameters
    ----------
    fitted : FittedModel
        From :func:`~radiomics_vert.modeling.bundle.load_bundle`.
    cohorts : mapping of str to Dataset
        By the name of the cohort; no patient of the development data in any of them.
    confidence : float, default 0.95
        Level of the intervals, clustered by patient.
    prevalence : sequence of float, optional
        Shares of positive vertebrae at which predictive values are given as well.

    Returns
    -------
    Result
        Kind `external`; the first column of each table is `cohort`. `metrics` (main): as in internal
        validation, for a cohort with fewer than two patients of a class the shares only; `cohorts`:
        who is in it and what was unusual; `recalibration`: `update` (none, intercept,
        intercept+slope), `intercept, slope, brier, ici, auc, note`; `predictions, roc, pr,
        calibration, calibration_curve, decision_curve, patients, inputs`, and with a prevalence
        `predictive_values`. Draws and the patient rule are those of the model's validation.

    Raises
    ------
    AnalysisError
        RV513 shared patients, images or vertebrae, for all cohorts at once; RV401 classes named the other way
        round; RV405, RV501 groups missing or finer than patients; RV511, RV512, RV309 as in
        :func:`~radiomics_vert.modeling.prediction.predict`.
    DatasetError
        RV404 text in a column of numbers.
    SettingsError
        RV602 for a prevalence that is not between 0 and 1, or no cohort.

    References
    ----------
    Steyerberg EW, Vergouwe Y (2014). Towards better clinical prediction models: seven steps for
    development and an ABCD for validation. European Heart Journal 35:1925-1931.
    doi:10.1093/eurheartj/ehu207
    """
    _require_usable(fitted, cohorts, prevalence)
    parts = [_cohort_tables(fitted, name, one, confidence, prevalence) for name, one in cohorts.items()]
    names = list(dict.fromkeys(name for part in parts for name in part))
    tables = {
        name: pd.concat([part[name] for part in parts if name in part], ignore_index=True) for name in names
    }
    return Result(
        KIND,
        tables,
        {
            "model": fitted.model["name"],
            "positive": fitted.development.positive,
            "negative": fitted.development.negative,
            "threshold": fitted.threshold,
            "confidence": confidence,
            "patient_rule": fitted.validation["patient_rule"],
            "seed": fitted.validation["seed"],
            "n_boot": fitted.validation["n_boot"],
            "prevalence": list(prevalence or ()),
            "development": {
                "n": fitted.development.n,
                "n_subjects": fitted.development.n_subjects,
                "prevalence": fitted.development.prevalence,
            },
            "cohorts": list(cohorts),
            "bundle": fitted.bundle,
            "tables": {
                name: digest
                for name, one in cohorts.items()
                if (digest := str(one.provenance.reproducible.get("sha256", "")))
            },
        },
        Provenance(
            {
                "bundle": fitted.bundle,
                "bundle_versions": dict(fitted.versions),
                "versions": versions(),
                "cohorts": {name: dict(one.provenance.reproducible) for name, one in cohorts.items()},
            }
        ),
    )


def recalibration(y: IntArray, probability: FloatArray, groups: NDArray[np.object_]) -> pd.DataFrame:
    """Return what updating a model on new data changes: not at all, its intercept, intercept and slope.

    With L the logit of the prediction, the updated prediction has the logit `intercept + slope * L`:
    `intercept` holds the slope at 1 (recalibration in the large), `intercept+slope` frees both.

    Parameters
    ----------
    y, probability, groups : ndarray, shape (n,)
        Outcome, prediction and patient of each vertebra.

    Returns
    -------
    DataFrame
        `update, intercept, slope, brier, ici, auc, note`; NaN where no finite solution exists. Brier
        score and ICI of the updates are measured on the data that they were fitted on.

    References
    ----------
    Steyerberg EW, Borsboom GJ, van Houwelingen HC, Eijkemans MJ, Habbema JD (2004). Validation and
    updating of predictive logistic regression models. Statistics in Medicine 23:2567-2586.
    doi:10.1002/sim.1844
    """
    linear = logit(np.clip(probability, _EDGE, 1 - _EDGE))
    ones = np.ones(len(y))
    in_the_large, slope = calibration_fit(y, probability, ones)
    # Given the slope, its intercept is that of a model which predicts with this slope already.
    beside_slope = np.nan if np.isnan(slope) else calibration_fit(y, expit(slope * linear), ones)[0]
    rows: list[tuple[object, ...]] = [
        ("none", 0.0, 1.0, *_quality(y, probability, groups), LOCKED),
    ]
    for update, a, b in (("intercept", in_the_large, 1.0), ("intercept+slope", beside_slope, slope)):
        if np.isnan([a, b]).any():
            why = "no finite solution: the predictions separate the classes, or are all the same"
            rows.append((update, np.nan, np.nan, np.nan, np.nan, np.nan, why))
        else:
            rows.append((update, a, b, *_quality(y, expit(a + b * linear), groups), FITTED_HERE))
    return pd.DataFrame(rows, columns=_RECALIBRATION)


def _quality(y: IntArray, probability: FloatArray, groups: NDArray[np.object_]) -> tuple[float, float, float]:
    brier = float(np.mean((probability - y) ** 2))
    auc = clustered_auc(y, probability, groups).estimate
    return brier, integrated_calibration_index(y, probability), auc


def _cohort_tables(
    fitted: FittedModel,
    name: str,
    dataset: Dataset,
    confidence: float,
    prevalence: Sequence[float] | None,
) -> dict[str, pd.DataFrame]:
    where = f"external cohort {name!r}"
    compared = require_parameters(fitted, dataset_parameters(dataset, fitted.features), where)
    scored = score(fitted, dataset, where)
    known = ~np.isnan(scored.probability)
    predictions = Predictions(
        np.asarray(dataset.y, dtype=np.int_)[known],
        scored.probability[known],
        np.full(int(known.sum()), fitted.threshold),
        np.array(scored.subjects, dtype=object)[known],
    )
    few = min(patients_per_class(predictions.y, predictions.groups)) < MIN_PATIENTS
    metrics = _shares(predictions, confidence) if few else _metrics(fitted, predictions, confidence)
    tables = {
        "metrics": metrics,
        "cohorts": _about(fitted, dataset, scored, compared, few),
        "predictions": _predictions(fitted, dataset, scored),
        "inputs": input_table(fitted, scored),
    }
    if not few:
        tables |= _curves(fitted, predictions, confidence)
        tables["patients"] = _patients(predictions, confidence)
    if prevalence:
        tables["predictive_values"] = _predictive_values(metrics, prevalence, confidence)
    for table in tables.values():
        table.insert(0, "cohort", name)
    return tables


def _metrics(fitted: FittedModel, predictions: Predictions, confidence: float) -> pd.DataFrame:
    rule = fitted.validation["patient_rule"]
    found = all_metrics(predictions, confidence=confidence, patient_rule=rule)
    rows = [{"metric": name, **found[name]._asdict(), "note": LOCKED} for name in METRICS]
    return pd.DataFrame(rows)


def _shares(predictions: Predictions, confidence: float) -> pd.DataFrame:
    """Return what one class, or one patient of a class, still tells; the other metrics stay empty."""
    y, decision = predictions.y, predictions.decision
    members = {"sensitivity": y == 1, "specificity": y == 0, "ppv": decision == 1, "npv": decision == 0}
    # A predictive value of a single class is 0 or 1 whatever the model does.
    wanted = [name for name in ("sensitivity", "specificity") if members[name].any()]
    wanted += [name for name in ("ppv", "npv") if 0 < y.mean() < 1 and members[name].any()]
    n_subjects = len(np.unique(predictions.groups))
    rows = []
    for name in METRICS:
        estimate = Estimate(np.nan, np.nan, np.nan, len(y), n_subjects)
        note = f"not defined: fewer than {MIN_PATIENTS} patients of a class"
        if name in wanted:
            rows_of = members[name]
            groups = predictions.groups[rows_of]
            share = clustered_proportion((decision == y)[rows_of], groups, confidence)
            estimate, note = Estimate(*share, int(rows_of.sum()), len(np.unique(groups))), LOCKED
        rows.append({"metric": name, **estimate._asdict(), "note": note})
    return pd.DataFrame(rows)


def _curves(fitted: FittedModel, predictions: Predictions, confidence: float) -> dict[str, pd.DataFrame]:
    parts = (predictions.y, predictions.probability, predictions.groups)
    curves: dict[str, Callable[..., pd.DataFrame]] = {
        "roc": roc_band,
        "pr": precision_recall_band,
        "calibration_curve": calibration_curve,
        "decision_curve": decision_curve,
    }
    drawing = {"seed": fitted.validation["seed"], "n_boot": fitted.validation["n_boot"]}
    return {
        "recalibration": recalibration(*parts),
        "calibration": calibration_bins(*parts, confidence),
        **{name: curve(*parts, confidence=confidence, **drawing) for name, curve in curves.items()},
    }


def _patients(predictions: Predictions, confidence: float) -> pd.DataFrame:
    rows = [
        (rule, metric, *estimate[:4])
        for rule in ("max", "mean")
        for metric, estimate in patient_metrics(predictions, rule, confidence).items()
    ]
    return pd.DataFrame(rows, columns=["rule", "metric", "estimate", "ci_low", "ci_high", "n"])


def _predictive_values(metrics: pd.DataFrame, prevalence: Sequence[float], confidence: float) -> pd.DataFrame:
    rates = metrics.set_index("metric")[["estimate", "ci_low", "ci_high"]].astype(float)
    sensitivity, specificity = (Rate(*rates.loc[name]) for name in ("sensitivity", "specificity"))
    rows: list[tuple[object, ...]] = []
    for share in prevalence:
        rows.append(("ppv", share, *predictive_value(sensitivity, specificity, share, confidence)))
        rows.append(("npv", share, *predictive_value(specificity, sensitivity, 1 - share, confidence)))
    return pd.DataFrame(rows, columns=["metric", "prevalence", "estimate", "ci_low", "ci_high"])


def _about(fitted: FittedModel, dataset: Dataset, scored: Scored, compared: bool, few: bool) -> pd.DataFrame:
    used = list(fitted.used)
    lost = int(np.isnan(scored.probability).sum())
    notes = []
    if few:
        notes.append(f"fewer than {MIN_PATIENTS} patients of a class: only shares are given")
    if lost:
        notes.append(f"{lost} vertebrae without any value that the model uses take no part")
    if not compared:
        notes.append("extraction parameters not stated, so not compared")
    if not dataset_images(dataset) or not fitted.development.images:
        notes.append("images not compared with those of the development data: their hashes are not known")
    if not any(row_fingerprints(dataset.X, fitted.measured)) or not fitted.development.vertebrae:
        notes.append("vertebrae not compared by their values: too few features in common")
    if dataset.positive != fitted.development.positive:
        notes.append(
            f"positive class {dataset.positive!r}, in the model {fitted.development.positive!r}: taken to "
            "mean the same"
        )
    return pd.DataFrame(
        [
            {
                "n": len(dataset),
                "n_subjects": dataset.n_subjects,
                "n_positive": int((dataset.y == 1).sum()),
                "prevalence": float((dataset.y == 1).mean()),
                "n_not_predicted": lost,
                "n_with_missing": int(scored.missing[used].any(axis=1).sum()),
                "n_out_of_range": int(scored.beyond[used].any(axis=1).sum()),
                "n_ignored_columns": scored.n_ignored,
                "note": "; ".join(notes),
            }
        ]
    )


def _predictions(fitted: FittedModel, dataset: Dataset, scored: Scored) -> pd.DataFrame:
    used = list(fitted.used)
    return pd.DataFrame(
        {
            "unit": scored.units,
            "subject_id": scored.subjects,
            "y": np.asarray(dataset.y, dtype=np.int_),
            "probability": scored.probability,
            "threshold": fitted.threshold,
            # A row that could not be predicted is left empty, not called negative.
            "decision": pd.array(
                [pd.NA if np.isnan(p) else int(p >= fitted.threshold) for p in scored.probability],
                dtype="Int64",
            ),
            "n_out_of_range": scored.beyond[used].sum(axis=1).to_numpy(),
            "n_missing": scored.missing[used].sum(axis=1).to_numpy(),
        }
    )


def _require_usable(
    fitted: FittedModel, cohorts: Mapping[str, Dataset], prevalence: Sequence[float] | None
) -> None:
    if not cohorts:
        raise SettingsError(
            Problem("RV602", "at least one external cohort", "none", "cohorts", "name one by its table")
        )
    wrong = [value for value in prevalence or () if not 0 < value < 1]
    if wrong:
        problem = Problem("RV602", "shares between 0 and 1", repr(wrong[0]), "prevalence", "correct it")
        raise SettingsError(problem)
    for dataset in cohorts.values():
        require_patient_groups(dataset)
    raise_all(AnalysisError, [p for name, one in cohorts.items() for p in _problems(fitted, name, one)])


def _problems(fitted: FittedModel, name: str, dataset: Dataset) -> list[Problem]:
    own = fitted.development
    found = [problem] if (problem := _shared(fitted, name, dataset)) else []
    if dataset.positive == own.negative or dataset.negative == own.positive:
        found.append(
            Problem(
                "RV401",
                f"{own.positive!r} as the positive class, as in the model",
                f"{dataset.positive!r} as positive, {dataset.negative!r} as negative",
                f"external cohort {name!r}",
                f"set `positive` to {own.positive!r}",
            )
        )
    return found


def _shared(fitted: FittedModel, name: str, dataset: Dataset) -> Problem | None:
    """Return how a cohort overlaps with the development data: by id, by image, by the values of a row."""
    own = fitted.development
    ids = {*dataset.groups.astype(str), *dataset.info.get("subject_id", pd.Series(dtype=str)).astype(str)}
    patients, images = own.known_patients(ids), own.known_images(dataset_images(dataset))
    same = own.known_vertebrae(row_fingerprints(dataset.X, fitted.measured))
    rows = list(dataset.X.index[same].astype(str))
    if not (patients or images or rows):
        return None
    parts = [_by_id(patients, own.spelled_otherwise(patients), len(ids))] if patients else []
    if images:
        digests = dataset.info.get("image_digest", pd.Series("", index=dataset.X.index))
        on_them = list(dataset.X.index[digests.isin(images)].astype(str))
        by_hash = f"by {'its' if len(images) == 1 else 'their'} hash"
        parts.append(f"{count(len(images), 'image')} {by_hash}{_rows(on_them)}")
    if rows:
        parts.append(f"{len(rows)} of {len(dataset)} vertebrae by the values of their features{_rows(rows)}")
    remedy = "leave these patients out"
    if patients and not (images or rows):
        remedy += "; if the ids are equal by chance (1, 2, 3 in both hospitals), put the hospital before them"
    else:
        remedy += ": an equal image or equal values to 6 digits are the same patient, whatever the id"
    return Problem(
        "RV513",
        "no patient, no image and no vertebra of the development data",
        "; ".join(parts),
        f"external cohort {name!r}",
        remedy,
    )


def _by_id(patients: Sequence[str], otherwise: Sequence[str], n_ids: int) -> str:
    text = f"{len(patients)} of {n_ids} patients by id, for example {patients[0]!r}"
    if otherwise:
        text += (
            f" ({len(otherwise)} written otherwise there, such as {otherwise[0]!r}: case and outer spaces "
            "do not make another patient)"
        )
    return text


def _rows(units: Sequence[str]) -> str:
    if not units:
        return ""
    more = f" and {len(units) - _NAMED} more" if len(units) > _NAMED else ""
    return f" (rows {', '.join(units[:_NAMED])}{more})"
