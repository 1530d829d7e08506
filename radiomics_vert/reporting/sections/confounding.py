"""Confounding audit: other reasons than the disease why the classes may differ."""

from __future__ import annotations

import pandas as pd

from radiomics_vert.reporting.cells import (
    cells_of,
    flagged_first,
    listing_table,
    missing,
    with_interval,
    without_empty,
)
from radiomics_vert.reporting.inputs import Inputs, numeric, truth
from radiomics_vert.reporting.nouns import Item, Section, Table, Text
from radiomics_vert.reporting.wording import (
    count,
    fixed,
    listing,
    number,
    p_value,
    percent,
    readable,
    sentence_case,
)

_TITLE = "Confounding audit"
_MOST = 20
_WHY = (
    "Without it a model may have learned the scanner, the site or the age of the patients instead of the "
    "disease, and nobody would notice."
)
_TRAP = (
    "Why this is a trap: a model that fills gaps, or that takes a gap as a value, can tell the classes from "
    "the gaps alone. A feature may be missing because of how patients of one class were examined, and then "
    "the model recognises the examination. Leave such features out, or measure them in everybody.",
)
_DUPLICATES = {
    "unit_a": "First",
    "unit_b": "Second",
    "subject_a": "Patient",
    "subject_b": "Other patient",
    "distance": "Distance",
    "n_features": "Features compared",
    "remark": "Remark",
}


def section(inputs: Inputs) -> Section:
    """Return the section."""
    if "confounding" not in inputs:
        return Section("confounding", _TITLE, (missing("the confounding audit", _WHY),))
    items: list[Item] = [
        _lead(inputs),
        *_missingness(inputs),
        *_variables(inputs),
        *_sites(inputs),
        *_features(inputs),
        *_duplicates(inputs),
    ]
    return Section("confounding", _TITLE, tuple(items))


def flagged(inputs: Inputs, table: str, name: str = "flagged") -> pd.DataFrame:
    """Return the flagged rows of a table of the audit."""
    frame = inputs.table("confounding", table)
    return frame[truth(frame, name)] if len(frame) else frame


def trap_text(inputs: Inputs) -> str:
    """Name the features whose absence predicts the class; empty when there is none."""
    rows = flagged(inputs, "missingness")
    rows = rows[rows["role"] != "sign"] if len(rows) else rows
    if rows.empty:
        return ""
    told = [
        f"{_named(row)} (missing in {percent(float(row['share_positive']), 1.0)} of {inputs.positive} and "
        f"{percent(float(row['share_negative']), 1.0)} of {inputs.negative})"
        for _, row in rows.iterrows()
    ]
    return (
        f"Missing values predict the class in {count(len(rows), 'column')}: {listing(told, 3)}. "
        "A model that sees these gaps needs no image."
    )


def duplicate_text(inputs: Inputs) -> str:
    """Tell of patients that seem to be in the data twice; empty when there is none."""
    rows = flagged(inputs, "near_duplicates", "identical")
    if rows.empty:
        return ""
    pairs = [f"{a} and {b}" for a, b in zip(rows["subject_a"], rows["subject_b"], strict=True)]
    return (
        f"The same vertebra seems to stand under two patient names in {count(len(rows), 'pair')} "
        f"({listing(list(dict.fromkeys(pairs)), 3)}): one patient would then be in training and test data."
    )


def _named(row: pd.Series) -> str:
    name = str(row["feature"])
    return readable(name) if str(row.get("role", "feature")) != "variable" else sentence_case(name)


def _lead(inputs: Inputs) -> Text:
    variables, features = inputs.table("confounding", "variables"), inputs.table("confounding", "features")
    differ = flagged(inputs, "variables")
    names = [sentence_case(str(name)) for name in differ["variable"]] if len(differ) else []
    told = f": {listing(names)}" if names else ""
    size = flagged(inputs, "features")
    return Text(
        (
            f"{number(len(differ))} of {count(len(variables), 'variable')} beside the features differ "
            "between "
            f"the classes{told}. {number(len(size))} of {count(len(features), 'feature')} mainly measure "
            "volume "
            "or slice thickness. How well the covariates alone predict the class is part of the model "
            "validation; features have to do better than that.",
        )
    )


def _missingness(inputs: Inputs) -> list[Item]:
    frame = inputs.table("confounding", "missingness")
    if frame.empty:
        return [Text(("No feature and no variable has missing values.",))]
    order = flagged_first(frame).reset_index(drop=True)
    top = order.head(_MOST)
    shown = pd.DataFrame(
        {
            "Flagged": cells_of(top, "flagged"),
            "Column": [_named(row) for _, row in top.iterrows()],
            f"Missing, {inputs.negative}": _missing_cells(top, "negative"),
            f"Missing, {inputs.positive}": _missing_cells(top, "positive"),
            f"AUC of the gap ({inputs.level_of('confounding')} CI)": with_interval(top),
            "q": cells_of(top, "p_adjusted", p_value),
            "Remark": cells_of(top, "remark"),
        },
        dtype=object,
    )
    table = Table(
        "missingness",
        f"Missing values by class. {count(int(truth(order, 'flagged').sum()), 'column is', 'columns are')} "
        "flagged: their absence alone predicts the class.",
        shown,
        data=order,
        note="AUC of the gap: how well the mere fact that the value is missing tells the classes apart; "
        "0.5 is "
        "not at all.",
    )
    text = trap_text(inputs)
    return [Text((text,), "warning"), Text(_TRAP), table] if text else [table]


def _missing_cells(frame: pd.DataFrame, side: str) -> list[str]:
    numbers, shares = numeric(frame, f"missing_{side}"), numeric(frame, f"share_{side}")
    return [f"{number(n)} ({percent(share, 1.0)})" for n, share in zip(numbers, shares, strict=True)]


def _variables(inputs: Inputs) -> list[Item]:
    frame = inputs.table("confounding", "variables")
    if frame.empty:
        return []
    order = flagged_first(frame).reset_index(drop=True)
    shown = pd.DataFrame(
        {
            "Flagged": cells_of(order, "flagged"),
            "Variable": cells_of(order, "variable", lambda name: sentence_case(str(name))),
            "Measure": cells_of(order, "measure"),
            f"Estimate ({inputs.level_of('confounding')} CI)": with_interval(order),
            "Std. difference": cells_of(order, "standardized_difference", fixed),
            "q": cells_of(order, "p_adjusted", p_value),
            "n": cells_of(order, "n", number),
            "Remark": cells_of(order, "remark"),
        },
        dtype=object,
    )
    return [
        Table(
            "confounders",
            "Variables that may explain a difference. Flagged ones first.",
            shown,
            data=order,
            note="AUC for quantities (0.5 is no difference), Cramer's V for categories (0 is no "
            "association). "
            "A variable that is not flagged is not thereby balanced. Age and sex may differ because the "
            "diseases do; whether to adjust is a decision of the study.",
        )
    ]


def _sites(inputs: Inputs) -> list[Item]:
    frame = inputs.table("confounding", "sites")
    if frame.empty:
        return []
    order = flagged_first(frame, "one_label").reset_index(drop=True)
    shown = pd.DataFrame(
        {
            "Site": cells_of(order, "site"),
            inputs.unit[1].capitalize(): cells_of(order, "n", number),
            "Patients": cells_of(order, "n_subjects", number),
            inputs.positive.capitalize(): [
                f"{number(n)} ({percent(share, 1.0)})"
                for n, share in zip(
                    numeric(order, "n_positive"), numeric(order, "positive_share"), strict=True
                )
            ],
            "Remark": cells_of(order, "remark"),
        },
        dtype=object,
    )
    caption = "Classes by site. Where a site has one class only, disease and site cannot be told apart."
    return [Table("sites", caption, shown, data=order)]


def _features(inputs: Inputs) -> list[Item]:
    frame = inputs.table("confounding", "features")
    rows = flagged(inputs, "features").reset_index(drop=True)
    if frame.empty or rows.empty:
        return []
    sizes = [numeric(rows, f"{name}_correlation").abs() for name in ("volume", "thickness")]
    strongest = rows.assign(_s=-pd.concat(sizes, axis=1).max(axis=1))
    top = strongest.sort_values(["_s", "feature"], kind="stable").head(_MOST)
    shown = pd.DataFrame(
        {
            "Feature": [readable(str(name)) for name in top["feature"]],
            "Volume ρ": cells_of(top, "volume_correlation", fixed),
            "Slice thickness ρ": cells_of(top, "thickness_correlation", fixed),
            "Remark": cells_of(top, "remark"),
        },
        dtype=object,
    )
    caption = (
        f"Features that mainly measure something else. {count(len(rows), 'feature')} with a Spearman "
        "correlation "
        "beyond ±0.8; the file has all features."
    )
    return [Table("size-features", caption, without_empty(shown), data=frame)]


def _duplicates(inputs: Inputs) -> list[Item]:
    frame = inputs.table("confounding", "near_duplicates")
    if frame.empty:
        return [Text(("No two vertebrae of different patients have nearly the same features.",))]
    text = duplicate_text(inputs)
    caption = "Vertebrae of different patients with nearly the same features. Nearest first."
    table = listing_table(frame, "near-duplicates", caption, _DUPLICATES, most=_MOST)
    return [Text((text,), "warning"), table] if text else [table]
