"""Why the model calls a vertebra what it calls it: Shapley values of out-of-fold predictions."""

from __future__ import annotations

import pandas as pd

from radiomics_vert.reporting.cells import cells_of, with_interval
from radiomics_vert.reporting.figures.shapley import beeswarm
from radiomics_vert.reporting.inputs import Inputs
from radiomics_vert.reporting.models import model_of_spec
from radiomics_vert.reporting.nouns import Item, Section, Table, Text
from radiomics_vert.reporting.wording import count, is_absent, percent, readable

TOP = 20
_TITLE = "What speaks for a class in single vertebrae"
_TERMS = (
    "Shapley value: what the value of a feature adds to the log odds of one vertebra, compared with a "
    "vertebra of which the feature is not known, averaged over all orders in which features could become "
    "known. 0.69 doubles the odds. Together with the base they add up to the log odds of the prediction.",
    "Correlated features share the credit, so that a small value does not mean that the feature says "
    "nothing alone. The values explain this model, not the disease: none of them is an effect.",
)
_WORDS = {"higher": "higher values", "lower": "lower values", "mixed": "no clear direction"}


def section(inputs: Inputs) -> Section:
    """Return the section; without items when single vertebrae were not explained."""
    summary, values = inputs.table("shapley", "summary"), inputs.table("shapley", "values")
    items: list[Item] = []
    label = model_of_spec(inputs.spec("shapley"))
    if len(summary) and len(values):
        items += [beeswarm(values, label, inputs), _table(summary, label, inputs), Text(_TERMS, "terms")]
    elif "shapley" in inputs:
        items.append(Text((f"No fold of the model ({label}) uses any feature: nothing to explain.",)))
    return Section("shapley", _TITLE, tuple(items))


def _table(summary: pd.DataFrame, label: str, inputs: Inputs) -> Table:
    top = summary.head(TOP)
    level = inputs.level_of("shapley")
    limits = ("mean_absolute", "ci_low", "ci_high")
    shown = pd.DataFrame(
        {
            "Feature": [readable(str(name)) for name in top["feature"]],
            f"Mean size, log odds ({level} CI)": with_interval(top, limits, decimals=3),
            f"Speaks for {inputs.positive}": cells_of(
                top, "direction", lambda one: _WORDS.get(str(one), "–")
            ),
            "Used in folds": cells_of(top, "frequency", _share),
        },
        dtype=object,
    )
    return Table(
        "shapley",
        f"Shapley values of the first {count(len(top), 'feature')}. {label}; the file has {len(summary)}.",
        shown,
        data=summary,
        note="Intervals from resampled patients, with the models of the folds held fixed: they do not tell "
        "how the values would change with another training set.",
    )


def _share(value: object) -> str:
    return "–" if is_absent(value) else percent(float(str(value)), 1.0)
