"""How many: the counts that several sections quote, each taken from one table."""

from __future__ import annotations

from typing import Any, NamedTuple

import pandas as pd

from radiomics_vert.reporting.figures.association import is_positive
from radiomics_vert.reporting.figures.flow import steps
from radiomics_vert.reporting.inputs import Inputs, column, numeric


class Counts(NamedTuple):
    """Counts of a run; 0 where no table tells.

    Parameters
    ----------
    units, positive, negative, subjects : int
        What was analysed.
    cases, extracted, failed : int
        Vertebrae that extraction saw, summed over sequences.
    refused : int
        Scans that could not be used; how many vertebrae they show is not known.
    """

    units: int = 0
    positive: int = 0
    negative: int = 0
    subjects: int = 0
    cases: int = 0
    extracted: int = 0
    failed: int = 0
    refused: int = 0


def counts(inputs: Inputs) -> Counts:
    """Return the counts of a run from the first source that tells: flow, predictions, tests, values."""
    positive, negative, subjects = _classes(inputs)
    units = positive + negative
    flow = inputs.table("flow", "flow")
    if not units and len(flow):
        units = int(steps(flow)[-1].remained)
    summary = inputs.table("extraction", "summary")
    cases, extracted, failed = (
        int(numeric(summary, name).sum()) for name in ("cases", "extracted", "failed")
    )
    # A scan that was refused stands among the failures once, without a label.
    refused = int((numeric(inputs.table("extraction", "failures"), "label") == 0).sum())
    return Counts(units, positive, negative, subjects, cases - refused, extracted, failed - refused, refused)


def _classes(inputs: Inputs) -> tuple[int, int, int]:
    flow = inputs.spec("flow")
    if flow.get("counts"):
        by_class = [int(flow["counts"].get(name, 0)) for name in (inputs.positive, inputs.negative)]
        return by_class[0], by_class[1], int(flow.get("patients", 0))
    predictions = inputs.table("validation", "predictions")
    if len(predictions):
        units = predictions.drop_duplicates("unit")
        positive = int((numeric(units, "y") == 1).sum())
        return positive, len(units) - positive, int(column(units, "subject_id").nunique())
    features = inputs.table("association", "features")
    if len(features):
        most = features.iloc[int(numeric(features, "n").fillna(0).to_numpy().argmax())]
        return _whole(most["n_positive"]), _whole(most["n_negative"]), _whole(most["n_subjects"])
    values = inputs.table("values", "top")
    if len(values):
        units = values.drop_duplicates("unit")
        positive = int(is_positive(units, (inputs.negative, inputs.positive)).sum())
        return positive, len(units) - positive, int(column(units, "subject_id").nunique())
    return 0, 0, 0


def _whole(value: Any) -> int:
    return 0 if pd.isna(value) else int(value)
