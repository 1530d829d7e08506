"""Leakage probe and permutation test: whether the pipeline finds something where there is nothing."""

from __future__ import annotations

import pandas as pd

from radiomics_vert.reporting.cells import cells_of, missing, with_interval
from radiomics_vert.reporting.figures.resampling import STATISTICS, permutation, probe
from radiomics_vert.reporting.inputs import Inputs, column, numeric
from radiomics_vert.reporting.models import Model, metric_key, model_of_spec
from radiomics_vert.reporting.nouns import Item, Section, Table, Text
from radiomics_vert.reporting.wording import count, fixed, number, p_value, sentence_case

LEAK = "leak"
_TITLE = "Leakage probe"
_WHY = (
    "Without it nobody has shown that the pipeline is silent where there is nothing to find; a leak from "
    "test "
    "to training data is the most frequent reason for results that do not repeat."
)
_WHAT = (
    "The whole pipeline was run where there is nothing to find: with labels permuted between patients, "
    "and with "
    "features replaced by noise. An honest pipeline reaches an AUC of about 0.5 there. If the probe fails, "
    "something about the outcome reaches the training data, for example vertebrae of one patient on both "
    "sides "
    "of a split, selection before the split, or a copy of a patient under another name."
)


def section(inputs: Inputs) -> Section:
    """Return the section."""
    table = inputs.table("leakage_probe", "probe")
    items: list[Item] = [missing("the leakage probe", _WHY)] if table.empty else _probe(table, inputs)
    return Section("leakage", _TITLE, (*items, *_permutation(inputs), *_control(inputs)))


def verdict(inputs: Inputs) -> str:
    """Return `clean`, `pessimistic` or `leak`; empty when no probe was run."""
    given = str(inputs.spec("leakage_probe").get("verdict") or "")
    rows = column(inputs.table("leakage_probe", "probe"), "verdict").astype(str).tolist()
    return LEAK if LEAK in (given, *rows) else given


def leak_text(inputs: Inputs) -> str:
    """Say that the probe failed; empty when it did not."""
    if verdict(inputs) != LEAK:
        return ""
    table = inputs.table("leakage_probe", "probe")
    rows = table[column(table, "verdict").astype(str) == LEAK]
    worst = f" (AUC {with_interval(rows)[0]} on {rows['probe'].iloc[0]})" if len(rows) else ""
    return (
        f"The leakage probe failed: the pipeline finds something where there is nothing{worst}. No "
        "figure of the "
        "models can be believed until the cause is found."
    )


def control_text(inputs: Inputs) -> str:
    """Say that the models tell the classes on vertebrae without the fracture; empty when they do not."""
    aucs = _control_aucs(inputs)
    clear = aucs[numeric(aucs, "ci_low") > 0.5] if len(aucs) else aucs
    if clear.empty:
        return ""
    return (
        f"on unfractured vertebrae of the same patients the classes are told apart too (AUC "
        f"{with_interval(clear)[0]}), so part of what the models see is not the fracture."
    )


def _control_aucs(inputs: Inputs) -> pd.DataFrame:
    metrics = inputs.table("negative_control", "metrics")
    if metrics.empty:
        return metrics
    return metrics[metrics["metric"].astype(str).map(metric_key) == "auc"].reset_index(drop=True)


def _probe(table: pd.DataFrame, inputs: Inputs) -> list[Item]:
    failed = leak_text(inputs)
    meaning = str(inputs.spec("leakage_probe").get("meaning") or "")
    shown = pd.DataFrame(
        {
            "Where nothing can be found": cells_of(table, "probe", lambda name: sentence_case(str(name))),
            "Statistic": [STATISTICS.get(str(name), str(name)) for name in column(table, "statistic")],
            f"Mean AUC ({inputs.level_of('leakage_probe')} CI)": with_interval(table),
            "Runs": cells_of(table, "n_repeats", number),
            "Verdict": cells_of(table, "verdict"),
        },
        dtype=object,
    )
    return [
        Text((failed,), "warning") if failed else Text((f"Passed. {meaning}".strip(),)),
        Text((_WHAT,)),
        probe(table, inputs),
        Table(
            "leakage-probe",
            "Leakage probe. Mean over runs of the whole pipeline, "
            f"{model_of_spec(inputs.spec('leakage_probe'))}.",
            shown,
            data=table,
            note="AUC within folds compares vertebrae of the same fold only; 0.5 is its value on noise. "
            "The AUC "
            "as validated pools the folds and may lie below 0.5 on noise, which is no finding.",
        ),
    ]


def _permutation(inputs: Inputs) -> list[Item]:
    tests, null = inputs.table("permutation", "permutation"), inputs.table("permutation", "null")
    if tests.empty or not (column(tests, "statistic").astype(str) == "auc").any():
        return []
    shown = pd.DataFrame(
        {
            "Statistic": [STATISTICS.get(str(name), str(name)) for name in tests["statistic"]],
            "Observed": cells_of(tests, "observed", fixed),
            "Mean under permutation": cells_of(tests, "null_mean", fixed),
            "95 % of permutations": [
                f"{fixed(low)} to {fixed(high)}"
                for low, high in zip(column(tests, "null_low"), column(tests, "null_high"), strict=True)
            ],
            "p": cells_of(tests, "p_value", p_value),
            "Permutations": cells_of(tests, "n_permutations", number),
        },
        dtype=object,
    )
    caption = (
        "Permutation test of the whole pipeline. Labels permuted between patients, "
        f"{model_of_spec(inputs.spec('permutation'))}."
    )
    smallest = int(pd.to_numeric(tests["n_permutations"]).max()) + 1
    note = f"With this number of permutations p cannot be smaller than 1/{smallest}."
    table = Table("permutation", caption, shown, data=tests, note=note)
    return [permutation(null, tests, inputs), table] if len(null) else [table]


def _control(inputs: Inputs) -> list[Item]:
    aucs = _control_aucs(inputs)
    if aucs.empty:
        return []
    names = zip(column(aucs, "feature_set").astype(str), column(aucs, "model").astype(str), strict=True)
    shown = pd.DataFrame(
        {
            "Model": [Model(*pair).label for pair in names],
            f"AUC ({inputs.level} CI)": with_interval(aucs),
            inputs.unit[1].capitalize(): cells_of(aucs, "n", number),
            "Patients": cells_of(aucs, "n_subjects", number),
        },
        dtype=object,
    )
    return [
        Table(
            "negative-control",
            "Negative control: unfractured vertebrae of the same patients. "
            f"{count(len(aucs), 'model')}, trained and tested on vertebrae without the fracture.",
            shown,
            data=inputs.table("negative_control", "metrics"),
            note="An AUC clearly above 0.5 means that the classes can be told apart without the "
            "fracture: by the "
            "patient, the scanner, or because the disease is everywhere. That part of the main result is "
            "then "
            "no property of the fracture.",
        )
    ]
