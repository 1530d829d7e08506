"""How much of the apparent performance is overfitting, and how stable single predictions are."""

from __future__ import annotations

import pandas as pd

from radiomics_vert.reporting.cells import cells_of, without_empty
from radiomics_vert.reporting.figures.resampling import instability
from radiomics_vert.reporting.inputs import Inputs, numeric
from radiomics_vert.reporting.models import metric_name, model_of_spec
from radiomics_vert.reporting.nouns import Item, Section, Table, Text
from radiomics_vert.reporting.wording import count, fixed, number

_TITLE = "Optimism and stability"
_TERMS = (
    "Apparent: measured on the patients the model was made from; always too good.",
    "Optimism: by how much, estimated by repeating the whole modelling on resampled patients; corrected is "
    "apparent minus optimism.",
    ".632+: a weighted mean of the apparent performance and that in patients who were not drawn, with more "
    "weight on the latter the more the model overfits.",
)


def section(inputs: Inputs) -> Section:
    """Return the section; without items when no bootstrap was run."""
    table = inputs.table("optimism", "optimism")
    if table.empty:
        return Section("optimism", _TITLE, ())
    items: list[Item] = [_lead(inputs), _table(table, inputs), Text(_TERMS, "terms")]
    units = inputs.table("optimism", "instability")
    if len(units):
        items.append(instability(units, mape(inputs), inputs))
    return Section("optimism", _TITLE, tuple(items))


def corrected_auc(inputs: Inputs) -> tuple[float, float]:
    """Return apparent and corrected AUC; NaN where absent."""
    table = inputs.table("optimism", "optimism")
    rows = table[table["metric"].astype(str) == "auc"] if len(table) else table
    if rows.empty:
        return float("nan"), float("nan")
    return float(rows["apparent"].iloc[0]), float(rows["corrected"].iloc[0])


def mape(inputs: Inputs) -> float:
    """Return the mean absolute distance between original and refitted predictions; NaN where absent."""
    summary = inputs.table("optimism", "summary")
    rows = summary[summary["quantity"].astype(str) == "mape"] if len(summary) else summary
    return float(rows["value"].iloc[0]) if len(rows) else float("nan")


def _lead(inputs: Inputs) -> Text:
    apparent, corrected = corrected_auc(inputs)
    samples = inputs.spec("optimism").get("n_boot")
    drawn = f" in {count(samples, 'sample')} of patients" if samples else ""
    few = " So few samples are for a first look only." if samples and int(samples) < 100 else ""
    label = model_of_spec(inputs.spec("optimism"))
    return Text(
        (
            f"The whole modelling was repeated{drawn} ({label}). The AUC on its own patients, "
            f"{fixed(apparent)}, "
            f"falls to {fixed(corrected)} once optimism is subtracted.{few}",
        )
    )


def _table(table: pd.DataFrame, inputs: Inputs) -> Table:
    shown = pd.DataFrame(
        {
            "Metric": cells_of(table, "metric", lambda name: metric_name(str(name))),
            "Apparent": cells_of(table, "apparent", _three),
            "Optimism": cells_of(table, "optimism", _three),
            "Corrected": cells_of(table, "corrected", _three),
            "Not drawn": cells_of(table, "out_of_bag", _three),
            ".632+": cells_of(table, "estimate_632_plus", _three),
            "Samples": cells_of(table, "n_boot", number),
            "Note": cells_of(table, "note"),
        },
        dtype=object,
    )
    wide = float(numeric(inputs.table("optimism", "instability"), "mape").max())
    worst = f" The least stable prediction moves by {fixed(wide)} on average." if wide == wide else ""
    return Table(
        "optimism",
        "Apparent and corrected performance. By bootstrap of patients.",
        without_empty(shown),
        data=table,
        note=f"Compare the corrected AUC with that of the cross-validation: both estimate the same.{worst}",
    )


def _three(value: object) -> str:
    return fixed(value, 3)
