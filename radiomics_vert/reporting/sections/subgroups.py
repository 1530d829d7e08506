"""Does the model work alike in every subgroup? Numbers only where there are enough patients."""

from __future__ import annotations

import pandas as pd

from radiomics_vert.reporting.cells import cells_of, with_interval
from radiomics_vert.reporting.figures.rows import Row
from radiomics_vert.reporting.figures.subgroups import subgroup_forest
from radiomics_vert.reporting.inputs import Inputs, column, numeric
from radiomics_vert.reporting.models import Model, estimate, of_model, primary
from radiomics_vert.reporting.nouns import Section, Table, Text
from radiomics_vert.reporting.sections.counts import counts
from radiomics_vert.reporting.wording import count, listing, number, sentence_case

_TITLE = "Subgroups"


def section(inputs: Inputs) -> Section:
    """Return the section; without items when no subgroup was looked at."""
    table = inputs.table("subgroups", "subgroups")
    if table.empty:
        return Section("subgroups", _TITLE, ())
    model = primary(inputs) or Model(str(table["feature_set"].iloc[0]), str(table["model"].iloc[0]))
    own = of_model(table, model).reset_index(drop=True)
    if own.empty:
        model = Model(str(table["feature_set"].iloc[0]), str(table["model"].iloc[0]))
        own = of_model(table, model).reset_index(drop=True)
    items = (
        _lead(own, inputs),
        subgroup_forest(own, _overall(inputs, model), model.label, inputs),
        _table(own, table, model, inputs),
    )
    return Section("subgroups", _TITLE, items)


def _lead(own: pd.DataFrame, inputs: Inputs) -> Text:
    spec = inputs.spec("subgroups")
    silent = int(numeric(own, "estimate").isna().sum())
    least = spec.get("minimum")
    rule = f" with fewer than {number(least)} {inputs.unit[1]} of a class" if least is not None else ""
    absent = [sentence_case(str(name)).lower() for name in spec.get("absent", ())]
    unknown = f" Not recorded in this study: {listing(absent)}." if absent else ""
    return Text(
        (
            f"{count(len(own), 'subgroup')} by {count(own['variable'].nunique(), 'variable')}. No claim "
            "is made "
            f"for {number(silent)} of them{rule}. Subgroups were compared by eye, not tested against each "
            f"other.{unknown}",
        )
    )


def _overall(inputs: Inputs, model: Model) -> Row:
    auc, found = estimate(inputs, model, "auc"), counts(inputs)
    cells = (f"{number(found.units)} ({number(found.positive)})", number(found.subjects), str(auc))
    return Row("All", *auc, cells)


def _table(own: pd.DataFrame, table: pd.DataFrame, model: Model, inputs: Inputs) -> Table:
    shown = pd.DataFrame(
        {
            "Variable": cells_of(own, "variable", lambda name: sentence_case(str(name))),
            "Subgroup": cells_of(own, "subgroup", str),
            f"AUC ({inputs.level_of('subgroups')} CI)": with_interval(own, absent="no claim"),
            inputs.positive.capitalize(): cells_of(own, "n_positive", number),
            inputs.negative.capitalize(): cells_of(own, "n_negative", number),
            "Patients": cells_of(own, "n_subjects", number),
        },
        dtype=object,
    )
    others = (
        len(list(dict.fromkeys(zip(column(table, "feature_set"), column(table, "model"), strict=True)))) - 1
    )
    more = f" The file has {count(others, 'further model')} too." if others else ""
    caption = f"AUC within subgroups. {model.label}.{more}"
    return Table("subgroups", caption, shown, data=table)
