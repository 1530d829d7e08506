"""What separates the classes, feature by feature."""

from __future__ import annotations

import pandas as pd

from radiomics_vert.reporting.cells import missing
from radiomics_vert.reporting.figures.association import forest, ranked, strips, volcano
from radiomics_vert.reporting.figures.correlation import heat_map
from radiomics_vert.reporting.inputs import Inputs, column, numeric, words
from radiomics_vert.reporting.nouns import Item, Section, Table, Text
from radiomics_vert.reporting.wording import (
    count,
    family_name,
    fixed,
    interval,
    number,
    p_value,
    readable,
)

TOP = 20
ICC = "ICC"
_TERMS = (
    "Hedges g: the difference of the class means in standard deviations, corrected for small samples; "
    "0.2 is small, 0.5 medium, 0.8 large.",
    "Cliff's delta: 2 × AUC − 1; from −1 over 0 (no difference) to 1.",
    "Volume ρ: Spearman correlation with the volume of the vertebra; near ±1 the feature mostly "
    "measures size.",
    "ICC, where it was measured: agreement under other masks; 1 is perfect, below 0.5 poor.",
)
_WHY = "Without it this report cannot say which features differ between the classes."


def section(inputs: Inputs) -> Section:
    """Return the section."""
    title = "What separates the classes"
    features = inputs.table("association", "features")
    tested = features[numeric(features, "estimate").notna()] if len(features) else features
    if tested.empty:
        return Section("association", title, (missing("the comparison feature by feature", _WHY),))
    order = ranked(features)
    items: list[Item] = [
        _lead(tested, features, inputs),
        forest(tested, inputs),
        volcano(tested, inputs),
        *_strips(inputs, order),
        _top(order, inputs),
        Text(_TERMS, "terms"),
        *_families(inputs, tested),
        *_correlation(inputs),
        *_volume(tested, inputs),
    ]
    return Section("association", title, tuple(items))


def _lead(tested: pd.DataFrame, features: pd.DataFrame, inputs: Inputs) -> Text:
    passed = int((numeric(tested, "p_adjusted") < inputs.fdr).sum())
    left = len(features) - len(tested)
    text = (
        f"{count(len(tested), 'feature')} were compared one by one; {number(passed)} passed a false "
        "discovery rate of "
        f"{100 * inputs.fdr:g} % (Benjamini-Hochberg over all features). By chance alone about "
        f"{number(round(0.05 * len(tested)))} would have "
        "p < 0.05 before adjustment."
    )
    extra = (
        f" {count(left, 'feature')} could not be tested; the note in the full table tells why."
        if left
        else ""
    )
    return Text((text + extra,))


def _strips(inputs: Inputs, order: pd.DataFrame) -> list[Item]:
    values = inputs.table("values", "top")
    drawable = set(column(values, "feature").astype(str)) & set(order["feature"].astype(str))
    if not drawable:
        return [
            missing(
                "the single values of the top features",
                "Without them overlap and influential patients cannot be seen.",
            )
        ]
    return [strips(values, order["feature"].astype(str).tolist(), inputs)]


def _top(order: pd.DataFrame, inputs: Inputs) -> Table:
    top = order[numeric(order, "estimate").notna()].head(TOP)
    rows = [_row(rank, row, inputs) for rank, (_, row) in enumerate(top.iterrows(), start=1)]
    shown = pd.DataFrame(rows, dtype=object)
    if numeric(top, "icc").isna().all():
        shown = shown.drop(columns=ICC)
    return Table(
        "features",
        f"Top {len(top)} features. Ordered by p value; the file has all {len(order)} with every column.",
        shown,
        data=order,
        note=f"AUC above 0.5: higher in {inputs.positive}. q: p adjusted over all features; q family: "
        "within the family only.",
    )


def _row(rank: int, row: pd.Series, inputs: Inputs) -> dict[str, str]:
    return {
        "Rank": str(rank),
        "Feature": readable(str(row["feature"])),
        f"AUC ({inputs.level} CI)": interval(row.get("estimate"), row.get("ci_low"), row.get("ci_high")),
        "q": p_value(row.get("p_adjusted")),
        f"{inputs.negative}, median [IQR]": _median(row, "negative"),
        f"{inputs.positive}, median [IQR]": _median(row, "positive"),
        "n": number(row.get("n")),
        "p": p_value(row.get("p_value")),
        "q family": p_value(row.get("p_adjusted_family")),
        f"Hedges g ({inputs.level} CI)": interval(
            row.get("hedges_g"), row.get("hedges_g_low"), row.get("hedges_g_high")
        ),
        f"Cliff's delta ({inputs.level} CI)": interval(
            row.get("cliffs_delta"), row.get("cliffs_delta_low"), row.get("cliffs_delta_high")
        ),
        "Volume ρ": fixed(row.get("volume_correlation")),
        ICC: fixed(row.get("icc")),
        "Technical name": str(row["feature"]),
    }


def _median(row: pd.Series, group: str) -> str:
    middle, low, high = (number(row.get(f"{part}_{group}")) for part in ("median", "q1", "q3"))
    return f"{middle} [{low} to {high}]"


def _families(inputs: Inputs, tested: pd.DataFrame) -> list[Item]:
    families = inputs.table("association", "families")
    if families.empty:
        return []
    best = words(families, "best_feature")
    aucs = dict(zip(tested["feature"].astype(str), numeric(tested, "estimate"), strict=True))
    shown = pd.DataFrame(
        {
            "Family": column(families, "family").astype(str).map(family_name),
            "Features": numeric(families, "n_features").map(number),
            "q below 0.05": numeric(families, "n_significant_05").map(number),
            "Best feature": best.map(readable),
            "Its AUC": best.map(aucs).map(fixed),
        }
    )
    caption = "Feature families. How many features each holds, and its best."
    return [Table("families", caption, shown, data=families)]


def _correlation(inputs: Inputs) -> list[Item]:
    pairs = inputs.table("values", "correlation")
    known = column(pairs, "feature_a").nunique() if len(pairs) else 0
    return [heat_map(pairs, inputs)] if known > 2 else []


def _volume(tested: pd.DataFrame, inputs: Inputs) -> list[Item]:
    passed = tested[numeric(tested, "p_adjusted") < inputs.fdr]
    size = numeric(passed, "volume_correlation").abs()
    if not size.notna().any():
        return []
    often = int((size > 0.8).sum())
    return [
        Text(
            (
                f"{number(often)} of the {count(len(passed), 'feature')} that passed correlate with "
                "volume beyond ±0.8: "
                "such features may say no more than that the vertebra is larger or smaller.",
            )
        )
    ]
