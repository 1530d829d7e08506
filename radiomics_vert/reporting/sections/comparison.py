"""Which model is better than which: paired differences of AUC."""

from __future__ import annotations

import pandas as pd

from radiomics_vert.reporting.cells import cells_of, with_interval
from radiomics_vert.reporting.figures.differences import differences
from radiomics_vert.reporting.inputs import Inputs
from radiomics_vert.reporting.models import models
from radiomics_vert.reporting.nouns import Section, Table, Text
from radiomics_vert.reporting.wording import count, p_value

_TITLE = "Differences between models"
_TERMS = (
    "p: paired test of the two AUCs on the same predictions, clustered by patient; it speaks of these "
    "patients "
    "and these models.",
    "p over folds: corrected resampled t test; it allows for the choice of the training patients too, and is "
    "usually larger.",
)


def section(inputs: Inputs) -> Section:
    """Return the section; without items when nothing was compared."""
    table = inputs.table("comparison", "differences")
    if table.empty:
        return Section("differences", _TITLE, ())
    names = {f"{model.feature_set}, {model.model}": model.label for model in models(inputs)}
    shown = pd.DataFrame(
        {
            "First": [names.get(str(name), str(name)) for name in table["a"]],
            "Second": [names.get(str(name), str(name)) for name in table["b"]],
            f"AUC difference ({inputs.level_of('comparison')} CI)": with_interval(table, decimals=3),
            "p": cells_of(table, "p_value", p_value),
            "p over folds": cells_of(table, "p_nadeau_bengio", p_value),
        },
        dtype=object,
    )
    items = (
        differences(table, names, inputs),
        Table(
            "differences",
            f"AUC of the first minus AUC of the second. {count(len(table), 'pair')}; not adjusted for "
            "their number.",
            shown,
            data=table,
        ),
        Text(_TERMS, "terms"),
    )
    return Section("differences", _TITLE, items)
