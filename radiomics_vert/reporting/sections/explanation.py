"""What the model looks at: importance, frequency of selection, and each feature alone beside it."""

from __future__ import annotations

import pandas as pd

from radiomics_vert.reporting.cells import cells_of, with_interval
from radiomics_vert.reporting.figures.explanation import importance
from radiomics_vert.reporting.inputs import Inputs, column
from radiomics_vert.reporting.models import model_of_spec
from radiomics_vert.reporting.nouns import Item, Section, Table, Text
from radiomics_vert.reporting.wording import count, fixed, is_absent, listing, percent, readable

TOP = 20
_TITLE = "What the model looks at"
_TERMS = (
    "Importance: by how much the AUC on unseen patients falls when a feature, together with those that "
    "correlate with it, is shuffled between patients; 0 is no use.",
    "Opposite direction: the coefficient in the model points the other way than the feature alone. It then "
    "corrects another feature and must not be read as an effect of its own.",
)


def section(inputs: Inputs) -> Section:
    """Return the section; without items when the model was not explained."""
    table, alone = inputs.table("explanation", "importance"), inputs.table("explanation", "univariate")
    items: list[Item] = []
    label = model_of_spec(inputs.spec("explanation"))
    if len(table):
        items += [importance(table, label, inputs), _importance(table, label, inputs)]
    if len(alone):
        items.append(_alone(alone, label, inputs))
    if items:
        items.append(Text(_TERMS, "terms"))
    return Section("explanation", _TITLE, tuple(items))


def _importance(table: pd.DataFrame, label: str, inputs: Inputs) -> Table:
    top = table.head(TOP)
    level = inputs.level_of("explanation")
    shown = pd.DataFrame(
        {
            "Feature": [readable(str(name)) for name in top["feature"]],
            f"Loss of AUC ({level} CI)": with_interval(top, ("importance", "ci_low", "ci_high"), decimals=3),
            "Used in folds": _shares(top),
            "Shuffled together with": cells_of(top, "moved_with", _mates),
        },
        dtype=object,
    )
    caption = f"Importance of the first {count(len(top), 'feature')}. {label}; the file has all {len(table)}."
    return Table("importance", caption, shown, data=table)


def _mates(value: object) -> str:
    names = [readable(name) for name in str(value).split("; ")] if not is_absent(value) else []
    return listing(names, 3) or "–"


def _shares(frame: pd.DataFrame) -> list[str]:
    return cells_of(frame, "frequency", lambda share: "–" if is_absent(share) else percent(float(share), 1.0))


def _alone(alone: pd.DataFrame, label: str, inputs: Inputs) -> Table:
    top = alone.head(TOP)
    shown = pd.DataFrame(
        {
            "Feature": [readable(str(name)) for name in top["feature"]],
            f"AUC alone ({inputs.level_of('explanation')} CI)": with_interval(
                top, ("auc", "ci_low", "ci_high")
            ),
            "Used in folds": _shares(top),
            "Mean coefficient": cells_of(top, "mean_coefficient", fixed),
            "Alone and in the model": cells_of(top, "agreement"),
        },
        dtype=object,
    )
    opposite = int((column(alone, "agreement").astype(str) == "opposite direction").sum())
    return Table(
        "univariate",
        f"Each feature alone, and its part in the model. {label}.",
        shown,
        data=alone,
        note=f"AUC alone is a description on all rows, no validation. {count(opposite, 'feature')} of "
        f"{len(alone)} point in opposite directions alone and in the model.",
    )
