"""The locked model on other cohorts, and on single new cases."""

from __future__ import annotations

from collections.abc import Hashable, Mapping

import pandas as pd

from radiomics_vert.reporting.cells import (
    cells_of,
    distinct,
    facts,
    listing_table,
    with_interval,
    without_empty,
)
from radiomics_vert.reporting.figures.curves import Curve
from radiomics_vert.reporting.figures.external import (
    external_calibration,
    external_decision,
    external_precision_recall,
    external_roc,
    of_cohort,
)
from radiomics_vert.reporting.inputs import Inputs, column, numeric, truth
from radiomics_vert.reporting.models import (
    METRICS,
    at_each_prevalence,
    by_patient_rule,
    metric_key,
    metric_name,
)
from radiomics_vert.reporting.nouns import Item, Section, Table, Text
from radiomics_vert.reporting.wording import (
    ABSENT,
    count,
    fixed,
    is_absent,
    listing,
    number,
    percent,
    readable,
    sentence_case,
)

_TITLE = "External validation"
_MOST_INPUTS = 20
_UPDATES = {
    "none": "None (locked)",
    "intercept": "New intercept",
    "intercept+slope": "New intercept and slope",
}
_PREDICTIONS = {
    "unit": "Unit",
    "subject_id": "Patient",
    "probability": "Probability",
    "decision": "Decision",
    "n_out_of_range": "Inputs out of range",
    "n_missing": "Inputs missing",
    "note": "Note",
}


def section(inputs: Inputs) -> Section:
    """Return the section; without items when the model met no other data."""
    return Section("external", _TITLE, (*_external(inputs), *_prediction(inputs)))


def cohort_aucs(inputs: Inputs) -> dict[str, str]:
    """Return the AUC with interval of each external cohort, as text."""
    metrics = inputs.table("external", "metrics")
    if metrics.empty:
        return {}
    rows = metrics[metrics["metric"].astype(str).map(metric_key) == "auc"]
    return dict(zip(rows["cohort"].astype(str), with_interval(rows, absent="not defined"), strict=True))


def _external(inputs: Inputs) -> list[Item]:
    metrics = inputs.table("external", "metrics")
    if metrics.empty:
        return []
    names = distinct(metrics, "cohort")
    return [
        _lead(names, inputs),
        *_cohorts(inputs),
        _metrics(metrics, names, inputs),
        *_curves(names, inputs),
        *_recalibration(inputs),
        *_predictive_values(names, inputs),
        *_patients(names, inputs),
        *_inputs(names, inputs),
        *_source(inputs),
    ]


def _lead(names: list[str], inputs: Inputs) -> Text:
    spec = inputs.spec("external")
    threshold = f" The threshold stayed at {number(spec['threshold'])}." if "threshold" in spec else ""
    made = spec.get("development") or {}
    source = (
        f" It was made from {count(made['n'], *inputs.unit)} of {count(made['n_subjects'], 'patient')}."
        if {"n", "n_subjects"} <= set(made)
        else ""
    )
    aucs = cohort_aucs(inputs)
    told = listing([f"{name} {auc}" for name, auc in aucs.items()], 8)
    return Text(
        (
            f"The locked model ({sentence_case(str(spec.get('model', 'model'))).lower()}) was applied to "
            f"{count(len(names), 'cohort')} that had no part in making it; nothing was fitted again.{source}"
            f"{threshold} AUC: {told}.",
        )
    )


def _cohorts(inputs: Inputs) -> list[Item]:
    frame = inputs.table("external", "cohorts")
    if frame.empty:
        return []
    shown = pd.DataFrame(
        {
            "Cohort": cells_of(frame, "cohort", str),
            inputs.unit[1].capitalize(): cells_of(frame, "n", number),
            "Patients": cells_of(frame, "n_subjects", number),
            inputs.positive.capitalize(): [
                f"{number(n)} ({percent(share, 1.0)})"
                for n, share in zip(numeric(frame, "n_positive"), numeric(frame, "prevalence"), strict=True)
            ],
            "Not predicted": cells_of(frame, "n_not_predicted", number),
            "With missing inputs": cells_of(frame, "n_with_missing", number),
            "With inputs out of range": cells_of(frame, "n_out_of_range", number),
            "Note": cells_of(frame, "note"),
        },
        dtype=object,
    )
    caption = "The other cohorts. Who is in them, and what was unusual."
    note = (
        "Out of range: beyond what the development data held; the model extrapolates there. Missing "
        "inputs were "
        "taken at the training median."
    )
    return [Table("external-cohorts", caption, without_empty(shown), data=frame, note=note)]


def _metrics(metrics: pd.DataFrame, names: list[str], inputs: Inputs) -> Table:
    keys = metrics["metric"].astype(str).map(metric_key)
    order = [key for key in METRICS if (keys == key).any()]
    order += [key for key in dict.fromkeys(keys) if key not in METRICS]
    shown = pd.DataFrame({"Metric": [metric_name(key) for key in order]}, dtype=object)
    for name in names:
        own = metrics[metrics["cohort"].astype(str) == name]
        cells = dict(zip(own["metric"].astype(str).map(metric_key), with_interval(own), strict=True))
        shown[name] = [cells.get(key, "–") for key in order]
    shown["What it means"] = [METRICS[key][1] if key in METRICS else "" for key in order]
    return Table(
        "external-metrics",
        f"Performance of the locked model in other cohorts. Estimate with {inputs.level_of('external')} "
        "interval, "
        "clustered by patient.",
        shown,
        data=metrics,
    )


def _curves(names: list[str], inputs: Inputs) -> list[Item]:
    curves, aucs = inputs.table("external", "roc"), cohort_aucs(inputs)
    drawn = [
        Curve(f"{name}: {aucs.get(name, '–')}", rows)
        for name in names
        if len(rows := of_cohort(curves, name))
    ]
    items: list[Item] = [external_roc(drawn, inputs)] if drawn else []
    precision = inputs.table("external", "pr")
    if len(precision):
        items.append(external_precision_recall(precision, _shares(precision, inputs), inputs))
    bins = inputs.table("external", "calibration")
    if len(bins):
        smooth = inputs.table("external", "calibration_curve")
        items.append(external_calibration(bins, smooth, distinct(bins, "cohort"), inputs))
    decisions = inputs.table("external", "decision_curve")
    if len(decisions):
        items.append(external_decision(decisions, distinct(decisions, "cohort"), inputs))
    return items


def _shares(curves: pd.DataFrame, inputs: Inputs) -> dict[str, float]:
    about = inputs.table("external", "cohorts")
    known = dict(zip(column(about, "cohort").astype(str), numeric(about, "prevalence"), strict=True))
    return {name: float(known.get(name, float("nan"))) for name in distinct(curves, "cohort")}


def _recalibration(inputs: Inputs) -> list[Item]:
    frame = inputs.table("external", "recalibration")
    if frame.empty:
        return []
    shown = pd.DataFrame(
        {
            "Cohort": cells_of(frame, "cohort", str),
            "Update": cells_of(frame, "update", lambda name: _UPDATES.get(str(name), str(name))),
            "Intercept": cells_of(frame, "intercept", fixed),
            "Slope": cells_of(frame, "slope", fixed),
            "Brier score": cells_of(frame, "brier", _three),
            "ICI": cells_of(frame, "ici", _three),
            "AUC": cells_of(frame, "auc", fixed),
            "Note": cells_of(frame, "note"),
        },
        dtype=object,
    )
    return [
        Table(
            "recalibration",
            "What local updating would change. Only the first row of each cohort is the locked model.",
            shown,
            data=frame,
            note="The updates were fitted on the cohort on which they are measured here, so they look "
            "better than "
            "they would in the next patients. The AUC does not change, because the order of the predictions "
            "stays.",
        )
    ]


def _predictive_values(names: list[str], inputs: Inputs) -> list[Item]:
    frame = inputs.table("external", "predictive_values")
    rows = [
        {"Cohort": name, **cells} for name in names for cells in at_each_prevalence(of_cohort(frame, name))
    ]
    if not rows:
        return []
    caption = (
        "Predictive values of the locked model where the class is rarer or more frequent. Share of "
        f"{inputs.positive} as stated."
    )
    note = (
        "By Bayes' rule from the sensitivity and specificity in each cohort at the locked threshold, which "
        "are taken to hold there too."
    )
    shown = pd.DataFrame(rows, dtype=object)
    return [Table("external-predictive-values", caption, shown, data=frame, note=note)]


def _patients(names: list[str], inputs: Inputs) -> list[Item]:
    frame = inputs.table("external", "patients")
    if frame.empty:
        return []
    keys = list(dict.fromkeys(frame["metric"].astype(str)))
    rows = []
    for name in names:
        rules = by_patient_rule(of_cohort(frame, name)) if name in set(frame["cohort"].astype(str)) else {}
        for key in keys if rules else ():
            values = {rule: cells.get(key, ABSENT) for rule, cells in rules.items()}
            rows.append({"Cohort": name, "Metric": metric_name(metric_key(key)), **values})
    caption = "The locked model by patient. One score per patient, made from its vertebrae in two ways."
    note = f"A patient counts as {inputs.positive} when one of its {inputs.unit[1]} is."
    return [Table("external-patients", caption, pd.DataFrame(rows, dtype=object), data=frame, note=note)]


def _inputs(names: list[str], inputs: Inputs) -> list[Item]:
    """Return the inputs that were unusual somewhere: missing, or outside the development data."""
    frame = inputs.table("external", "inputs")
    if frame.empty:
        return []
    worst = numeric(frame, "share_out_of_range").fillna(0) + numeric(frame, "share_missing").fillna(0)
    unusual = frame[truth(frame, "used") & (worst > 0)].assign(_worst=worst)
    if unusual.empty:
        told = "Every input that the model uses had a value, inside the range of the development data, in "
        return [Text((f"{told}{listing(names, 8)}.",))]
    unusual = unusual.sort_values(["_worst", "feature", "cohort"], ascending=[False, True, True])
    unusual = unusual.head(_MOST_INPUTS)
    shown = pd.DataFrame(
        {
            "Input": cells_of(unusual, "feature", lambda name: readable(str(name))),
            "Cohort": cells_of(unusual, "cohort", str),
            "Development data": [_held(row) for row in unusual.to_dict("records")],
            "Unit": cells_of(unusual, "unit", str),
            "Out of range": cells_of(unusual, "share_out_of_range", _share),
            "Beyond the central 98 %": cells_of(unusual, "share_beyond_p01_p99", _share),
            "Missing": cells_of(unusual, "share_missing", _share),
        },
        dtype=object,
    )
    caption = "Inputs that were unusual in another cohort. Of those that the model uses, the worst first."
    note = (
        "A model extrapolates where its inputs lie outside the development data; many such rows mean another "
        "protocol, scanner or unit of measurement, and the performance there says little about the model."
    )
    return [Table("external-inputs", caption, without_empty(shown), data=frame, note=note)]


def _held(row: Mapping[Hashable, object]) -> str:
    """Say what an input held in the development data: its range, or its values."""
    values = row.get("train_values")
    return (
        str(values) if not is_absent(values) else f"{number(row['train_min'])} to {number(row['train_max'])}"
    )


def _source(inputs: Inputs) -> list[Item]:
    """Return what was measured on what, by checksum."""
    spec = inputs.spec("external")
    tables = dict(spec.get("tables") or {})
    pairs = {"Model bundle": spec.get("bundle")} | {f"Table of {name}": tables[name] for name in tables}
    known = {name: value for name, value in pairs.items() if value}
    return [facts("external-source", "The locked model and the tables, sha256.", known)] if known else []


def _share(value: object) -> str:
    return ABSENT if is_absent(value) else percent(float(str(value)), 1.0)


def _three(value: object) -> str:
    return fixed(value, 3)


def _prediction(inputs: Inputs) -> list[Item]:
    frame = inputs.table("prediction", "predictions")
    if frame.empty:
        return []
    spec = inputs.spec("prediction")
    outside = int((numeric(frame, "n_out_of_range").fillna(0) > 0).sum())
    silent = int(numeric(frame, "probability").isna().sum())
    positive = str(spec.get("positive") or inputs.positive)
    called = int((column(frame, "decision").astype(str) == positive).sum())
    at = f" at the locked threshold of {number(spec['threshold'])}" if "threshold" in spec else ""
    lead = Text(
        (
            f"The locked model predicted {count(len(frame) - silent, *inputs.unit)}: {number(called)} as "
            f"{positive}{at}. {number(outside)} of {number(len(frame))} hold inputs outside what the "
            "model has "
            f"seen, and {number(silent)} could not be predicted. The outcome of these cases is not known "
            "here.",
        )
    )
    caption = "Predictions for new cases. A probability from research software, not a diagnosis."
    return [lead, listing_table(frame, "predictions", caption, _PREDICTIONS, most=40)]
