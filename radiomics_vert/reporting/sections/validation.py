"""Model validation on patients that the model has not seen."""

from __future__ import annotations

import pandas as pd

from radiomics_vert.reporting.cells import cells_of, facts, missing
from radiomics_vert.reporting.figures.curves import Curve, decision, precision_recall
from radiomics_vert.reporting.figures.validation import calibration, comparison, roc, selection
from radiomics_vert.reporting.inputs import Inputs
from radiomics_vert.reporting.models import (
    METRICS,
    Estimate,
    Model,
    at_each_prevalence,
    by_patient_rule,
    chosen_afterwards,
    estimate,
    metric_key,
    metric_name,
    models,
    of_model,
    primary,
    settings_of,
)
from radiomics_vert.reporting.nouns import Item, Section, Table, Text
from radiomics_vert.reporting.sections.counts import counts
from radiomics_vert.reporting.wording import count, listing, sentence_case

_TERMS = (
    "Calibration slope: how far predicted probabilities spread compared with what was observed; 1 is "
    "ideal, below 1 the model is too sure of itself.",
    "Threshold: the probability above which a unit is called positive; chosen inside the training "
    "data of each fold, never on the data being scored.",
)
_WHY = (
    "Features that differ between groups need not classify a new patient; only predictions on "
    "unseen patients can show that."
)


def section(inputs: Inputs) -> Section:
    """Return the section."""
    title = "Model validation"
    model = primary(inputs)
    if model is None:
        return Section("validation", title, (missing("the validation of a model", _WHY),))
    aucs = {each: estimate(inputs, each, "auc") for each in _first(model, models(inputs))}
    items: list[Item] = [
        _lead(inputs, model),
        _metrics(inputs, list(aucs)),
        *_predictive_values(inputs, list(aucs)),
        *_patients(inputs, model),
        Text(_TERMS, "terms"),
    ]
    if len(aucs) > 1:
        items.append(comparison(aucs, inputs))
    items += [*_curves(inputs, model, aucs), *_use(inputs, list(aucs))]
    items += [*_selection(inputs, model), *_settings(inputs, model)]
    return Section("validation", title, tuple(items))


def _first(model: Model, every: list[Model]) -> list[Model]:
    return [model, *(other for other in every if other != model)]


def _lead(inputs: Inputs, model: Model) -> Text:
    shown = f"Where one model is shown, it is {model.label}"
    if not chosen_afterwards(inputs):
        return Text((f"{shown}.",))
    return Text(
        (
            f"{shown}, the one with the highest AUC of {count(len(models(inputs)), 'model')}. It was "
            "chosen after seeing "
            "the results, so its figures are somewhat optimistic.",
        )
    )


def _metrics(inputs: Inputs, order: list[Model]) -> Table:
    frame = inputs.table("validation", "metrics")
    present = list(dict.fromkeys(frame["metric"].astype(str).map(metric_key)))
    keys = [key for key in METRICS if key in present] + [key for key in present if key not in METRICS]
    shown = pd.DataFrame({"Metric": [metric_name(key) for key in keys]}, dtype=object)
    for model in order:
        shown[model.label] = [str(estimate(inputs, model, key)) for key in keys]
    shown["What it means"] = [METRICS[key][1] if key in METRICS else "" for key in keys]
    return Table(
        "metrics",
        f"Performance on patients not seen in training. Estimate with {inputs.level} interval, "
        "clustered by patient.",
        shown,
        data=frame,
        note="Predictive values hold for this study's mix of classes only; in a clinic with another "
        "mix they differ.",
    )


def _curves(inputs: Inputs, model: Model, aucs: dict[Model, Estimate]) -> list[Item]:
    items: list[Item] = []
    curves = inputs.table("validation", "roc")
    if any(len(of_model(curves, each)) for each in aucs):
        items.append(roc(curves, aucs, inputs))
    else:
        items.append(missing("the ROC curve", "A single AUC hides at which threshold a model is useful."))
    points = of_model(inputs.table("validation", "calibration"), model)
    if len(points):
        predictions = of_model(inputs.table("validation", "predictions"), model)
        items.append(calibration(points.reset_index(drop=True), predictions, model, inputs))
    else:
        items.append(
            missing("the calibration curve", "A model can rank well and still give wrong probabilities.")
        )
    return items


def _use(inputs: Inputs, order: list[Model]) -> list[Item]:
    """Return precision-recall and decision curves, where the validation holds them."""
    items: list[Item] = []
    table = inputs.table("validation", "pr")
    curves = [
        Curve(f"{one.label}: {estimate(inputs, one, 'pr_auc')}", rows)
        for one in order
        if len(rows := of_model(table, one))
    ]
    if curves:
        found = counts(inputs)
        total = found.positive + found.negative
        items.append(precision_recall(curves, found.positive / total if total else float("nan"), inputs))
    table = inputs.table("validation", "decision_curve")
    curves = [Curve(one.label, rows) for one in order if len(rows := of_model(table, one))]
    if curves:
        items.append(decision(curves, inputs))
    return items


def _predictive_values(inputs: Inputs, order: list[Model]) -> list[Item]:
    frame = inputs.table("validation", "predictive_values")
    if frame.empty:
        return []
    rows = [
        {"Model": model.label, **cells}
        for model in order
        for cells in at_each_prevalence(of_model(frame, model))
    ]
    return [
        Table(
            "predictive-values",
            f"Predictive values where the class is rarer or more frequent. Share of {inputs.positive} as "
            "stated.",
            pd.DataFrame(rows, dtype=object),
            data=frame,
            note="By Bayes' rule from sensitivity and specificity, which are taken to hold there too.",
        )
    ]


def _patients(inputs: Inputs, model: Model) -> list[Item]:
    frame = of_model(inputs.table("validation", "patients"), model)
    if frame.empty:
        return []
    keys = list(dict.fromkeys(frame["metric"].astype(str)))
    shown = pd.DataFrame({"Metric": [metric_name(metric_key(key)) for key in keys]}, dtype=object)
    for rule, cells in by_patient_rule(frame).items():
        shown[rule] = [cells.get(key, "–") for key in keys]
    counted = cells_of(frame[frame["metric"].astype(str) == "auc"].head(1), "n")
    patients = f" {counted[0]} patients." if counted else ""
    return [
        Table(
            "patients",
            f"The same by patient. {model.label};{patients or ' one score per patient.'}",
            shown,
            data=inputs.table("validation", "patients"),
            note=f"A patient counts as {inputs.positive} when one of its {inputs.unit[1]} is.",
        )
    ]


def _selection(inputs: Inputs, model: Model) -> list[Item]:
    rows = of_model(inputs.table("validation", "selection"), model)
    if rows.empty:
        return []
    return [selection(rows.reset_index(drop=True), model, inputs)]


def _settings(inputs: Inputs, model: Model) -> list[Item]:
    settings = settings_of(inputs, model)
    if not settings:
        return []
    pairs = {sentence_case(name): settings[name] for name in sorted(settings) if settings[name] != []}
    note = f"Models: {listing([each.label for each in models(inputs)], 12)}."
    return [facts("validation-settings", f"Settings of the validation. Model: {model.label}.", pairs, note)]
