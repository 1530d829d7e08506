"""Reliability: whether features stay the same when somebody else, or another day, measures them."""

from __future__ import annotations

import pandas as pd

from radiomics_vert.reporting.cells import cells_of, missing, with_interval, without_empty
from radiomics_vert.reporting.figures.reliability import bland_altman, icc_overview
from radiomics_vert.reporting.inputs import Inputs, column, numeric, words
from radiomics_vert.reporting.nouns import Item, Section, Table, Text
from radiomics_vert.reporting.wording import count, family_name, fixed, listing, number, percent, readable

_LEAST = 15
SOURCES = ("reliability", "reliability_raters", "reliability_sessions")
"""Kinds of results: the source that counts, and what a study compared beside it."""
_TITLE = "Reliability of the features"
_WHY = (
    "Without it nobody knows which features would change if another reader drew the contour or the patient "
    "were scanned again; such features cannot be trusted in a model."
)
_BY = {
    "rater": "the masks of different readers or programs",
    "session": "repeated scans",
    "perturbation": "slightly changed masks",
}
_TERMS = (
    "ICC: intraclass correlation, the share of the variation that is between vertebrae rather than between "
    "measurements of one vertebra; 1 is perfect, 0 is none.",
    "Limits of agreement: the range that holds 95 % of the differences between two measurements, if these "
    "are normally distributed.",
    "Category: by the lower limit of the ICC; poor below 0.5, moderate below 0.75, good below 0.9, excellent "
    "from 0.9.",
)


def section(inputs: Inputs) -> Section:
    """Return the section."""
    features = inputs.table("reliability", "features")
    if features.empty:
        return Section("reliability", _TITLE, (missing("the reliability of the features", _WHY),))
    threshold = float(inputs.spec("reliability").get("threshold", 0.75))
    items: list[Item] = [
        _lead(features, threshold, inputs, "reliability"),
        *_suspects(inputs),
        icc_overview(features, threshold, inputs),
        *_tables(inputs, "reliability"),
        Text(_TERMS, "terms"),
        *_raters(inputs, "reliability"),
    ]
    for kind in SOURCES[1:]:
        if kind in inputs:
            own = inputs.table(kind, "features")
            items += [_lead(own, threshold, inputs, kind), *_tables(inputs, kind), *_raters(inputs, kind)]
    pairs = inputs.table("reliability", "pairs")
    if len(pairs):
        items.append(bland_altman(pairs, inputs))
    return Section("reliability", _TITLE, tuple(items))


def _tables(inputs: Inputs, kind: str) -> list[Item]:
    features, threshold = inputs.table(kind, "features"), float(inputs.spec(kind).get("threshold", 0.75))
    return [*_families(inputs, threshold, kind), _least_reliable(features, inputs, kind)]


def _key(kind: str, name: str) -> str:
    """Return the key of an item, with the source in it where it is not the first one."""
    return name + kind.removeprefix("reliability").replace("_", "-by-")


def unit_errors(inputs: Inputs, *kinds: str) -> pd.DataFrame:
    """Return the rows of raters whose values look as if they were in another unit; by default of all."""
    raters = pd.concat([inputs.table(kind, "raters") for kind in kinds or SOURCES], ignore_index=True)
    return raters[numeric(raters, "power_of_ten").fillna(0) != 0] if len(raters) else raters


def unit_error_text(inputs: Inputs) -> str:
    """Name raters and features with a probable unit error; empty when there is none."""
    rows = unit_errors(inputs)
    if rows.empty:
        return ""
    named = [
        f"{rater} ({listing([readable(str(name)) for name in own['feature']], 3)}: "
        f"{listing(list(dict.fromkeys(_factor(power) for power in numeric(own, 'power_of_ten'))), 3)})"
        for rater, own in rows.groupby(rows["rater"].astype(str), sort=True)
    ]
    return (
        f"Probable unit error: values that differ from those of all others by a power of ten in "
        f"{listing(named, 4)}. Correct the unit and repeat the analysis."
    )


def _factor(power: float) -> str:
    return f"{10 ** int(power)} times" if power > 0 else f"1/{10 ** int(-power)}"


def _suspects(inputs: Inputs) -> list[Item]:
    text = unit_error_text(inputs)
    return [Text((text,), "warning")] if text else []


def _lead(features: pd.DataFrame, threshold: float, inputs: Inputs, kind: str) -> Text:
    spec = inputs.spec(kind)
    estimate, low = numeric(features, "estimate"), numeric(features, "ci_low")
    above, sure = int((estimate >= threshold).sum()), int((low >= threshold).sum())
    raters = [str(name) for name in spec.get("raters", ())]
    among = f" ({listing(raters, 10)})" if raters else ""
    scale = (
        f"{count(spec['n_targets'], *inputs.unit)} of {count(spec['n_subjects'], 'patient')} were measured "
        if "n_targets" in spec
        else "The features were measured "
    )
    assumption = str(spec.get("assumption") or "")
    note = f" Intervals: {assumption}." if assumption else ""
    return Text(
        (
            f"{scale}repeatedly, on {_BY.get(str(spec.get('by')), 'repeated measurements')}{among}. "
            f"{number(above)} of {count(len(features), 'feature')} ({percent(above, len(features))}) have an "
            f"{spec.get('form', 'ICC')} of {threshold:g} or more; of {number(sure)} the lower limit of the "
            f"interval is above it too.{note}",
        )
    )


def _families(inputs: Inputs, threshold: float, kind: str) -> list[Item]:
    families = inputs.table(kind, "families")
    if families.empty:
        return []
    shown = pd.DataFrame(
        {
            "Family": column(families, "family").astype(str).map(family_name),
            "Sequence": cells_of(families, "sequence"),
            "Features": cells_of(families, "n", number),
            "Median ICC": cells_of(families, "median_icc", fixed),
            f"ICC ≥ {threshold:g}": _shares(families, "share_reliable"),
            f"Lower limit ≥ {threshold:g}": _shares(families, "share_reliable_lower_limit"),
        },
        dtype=object,
    )
    if not words(families, "sequence").any():
        shown = shown.drop(columns="Sequence")
    caption = "Reliability by feature family. Share of features that reach the threshold."
    return [Table(_key(kind, "reliability-families"), caption, shown, data=families)]


def _shares(frame: pd.DataFrame, name: str) -> list[str]:
    return [percent(share, 1.0) if share == share else "–" for share in numeric(frame, name)]


def _least_reliable(features: pd.DataFrame, inputs: Inputs, kind: str) -> Table:
    order = features.assign(
        _low=numeric(features, "ci_low").fillna(-9.0), _name=features["feature"].astype(str)
    )
    order = order.sort_values(["_low", "_name"], kind="stable").drop(columns=["_low", "_name"])
    least = order.head(_LEAST)
    shown = pd.DataFrame(
        {
            "Feature": [readable(str(name)) for name in least["feature"]],
            f"ICC ({inputs.level_of(kind)} CI)": with_interval(least),
            "Category": cells_of(least, "category"),
            "Concordance": cells_of(least, "concordance", fixed),
            "Bias": cells_of(least, "bias"),
            "Limits of agreement": [
                f"{number(low)} to {number(high)}" if low == low else "–"
                for low, high in zip(numeric(least, "loa_low"), numeric(least, "loa_high"), strict=True)
            ],
            "Pair": cells_of(least, "pair"),
            "Note": cells_of(least, "note"),
        },
        dtype=object,
    )
    caption = (
        f"The {len(least)} least reliable features. Ordered by the lower limit of the ICC; the file has all "
        f"{len(order)} with every column."
    )
    note = "Bias and limits of agreement are in the unit of the feature, for the pair that agrees least."
    data = order.reset_index(drop=True)
    return Table(_key(kind, "reliability"), caption, without_empty(shown), data=data, note=note)


def _raters(inputs: Inputs, kind: str) -> list[Item]:
    raters = inputs.table(kind, "raters")
    if raters.empty:
        return []
    suspects = unit_errors(inputs, kind)
    rows = []
    for rater, own in raters.groupby(raters["rater"].astype(str), sort=False):
        wrong = suspects[suspects["rater"].astype(str) == rater]
        names = [
            f"{readable(str(name))} ({_factor(power)})"
            for name, power in zip(wrong["feature"], numeric(wrong, "power_of_ten"), strict=True)
        ]
        rows.append(
            {
                "Rater": str(rater),
                "Features": number(len(own)),
                "Typical ratio to the others": number(numeric(own, "median_ratio").median()),
                "Unit errors": number(len(wrong)),
                "Which": listing(names, 4) or "–",
            }
        )
    rows.sort(key=lambda row: row["Unit errors"] == "0")
    return [
        Table(
            _key(kind, "raters"),
            "Each rater against the others. Those with a probable unit error first.",
            pd.DataFrame(rows, dtype=object),
            data=raters,
            note="Ratio: value divided by the median of the other raters, median over vertebrae and "
            "features; "
            "1 is agreement. A unit error is suspected where nearly all ratios lie at one power of ten.",
        )
    ]
