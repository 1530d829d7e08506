"""What separates the classes beyond the covariates."""

from __future__ import annotations

import pandas as pd

from radiomics_vert.reporting.cells import cells_of, with_interval, without_empty
from radiomics_vert.reporting.figures.adjusted import odds_ratios
from radiomics_vert.reporting.inputs import Inputs, column, numeric, words
from radiomics_vert.reporting.nouns import Section, Table, Text
from radiomics_vert.reporting.wording import count, listing, number, p_value, readable, sentence_case

TOP = 20
_TITLE = "Adjusted for covariates"
_TERMS = (
    "Odds ratio per SD: by which factor the odds of {positive} rise when the feature is one standard "
    "deviation "
    "higher and the covariates stay the same; 1 is no association.",
    "Mixed model: the difference of the feature between the classes in standard deviations, adjusted "
    "alike; a "
    "second opinion with other assumptions, which should point the same way.",
    "Firth: a penalised estimate, used where few patients show a sign or the classes are separated, because "
    "the ordinary odds ratio would then be infinite.",
)


def section(inputs: Inputs) -> Section:
    """Return the section; without items when nothing was adjusted."""
    adjusted = preferred(inputs)
    if adjusted.empty:
        return Section("adjusted", _TITLE, ())
    plain = inputs.table("adjusted", "unadjusted")
    terms = tuple(term.replace("{positive}", inputs.positive) for term in _TERMS)
    items = (
        _lead(adjusted, inputs),
        odds_ratios(adjusted, plain, inputs),
        _table(adjusted, plain, inputs),
        Text(terms, "terms"),
    )
    return Section("adjusted", _TITLE, items)


def preferred(inputs: Inputs) -> pd.DataFrame:
    """Return the rows of the working correlation to read, from the smallest p value on."""
    gee = inputs.table("adjusted", "gee")
    if gee.empty:
        return gee
    names = column(gee, "correlation").astype(str)
    wanted = str(inputs.spec("adjusted").get("preferred_correlation") or names.iloc[0])
    rows = gee[names == wanted] if (names == wanted).any() else gee[names == names.iloc[0]]
    order = rows.assign(_p=numeric(rows, "p_value").fillna(2.0)).sort_values(["_p", "feature"], kind="stable")
    return order.drop(columns="_p").reset_index(drop=True)


def _lead(adjusted: pd.DataFrame, inputs: Inputs) -> Text:
    spec = inputs.spec("adjusted")
    covariates = [sentence_case(str(name)).lower() for name in spec.get("covariates", ())]
    passed = int((numeric(adjusted, "p_adjusted") < inputs.fdr).sum())
    method = words(adjusted, "method")
    firth, silent = int(method.str.startswith("Firth").sum()), int(numeric(adjusted, "estimate").isna().sum())
    parts = [
        f"{count(len(adjusted), 'feature')} were adjusted for {listing(covariates, 12) or 'no covariate'}; "
        f"{number(passed)} keep an adjusted p below {inputs.fdr:g}.",
        f"Working correlation within the patient: {column(adjusted, 'correlation').iloc[0]}.",
    ]
    if firth:
        come = "comes" if firth == 1 else "come"
        parts.append(f"{count(firth, 'odds ratio')} {come} from Firth's penalised method; the note says why.")
    if silent:
        parts.append(f"{count(silent, 'feature')} could not be estimated; the note says why.")
    lost = spec.get("n_without_a_covariate")
    if lost:
        parts.append(f"{count(lost, *inputs.unit)} without one of the covariates were left out.")
    return Text((" ".join(parts),))


def _table(adjusted: pd.DataFrame, plain: pd.DataFrame, inputs: Inputs) -> Table:
    top = adjusted.head(TOP)
    mixed = inputs.table("adjusted", "mixed")
    level = inputs.level_of("adjusted")
    shown = pd.DataFrame({"Feature": [readable(str(name)) for name in top["feature"]]}, dtype=object)
    shown[f"Adjusted odds ratio per SD ({level} CI)"] = with_interval(top, absent="not estimable")
    if len(plain):
        shown["Unadjusted"] = with_interval(_matched(plain, top))
    shown["p"] = cells_of(top, "p_value", p_value)
    shown["q"] = cells_of(top, "p_adjusted", p_value)
    if len(mixed):
        own = _matched(mixed, top)
        shown[f"Mixed model, SD ({level} CI)"] = with_interval(own, absent="not estimable")
        shown["Mixed model, p"] = cells_of(own, "p_value", p_value)
    shown["n"] = cells_of(top, "n", number)
    shown["Note"] = cells_of(top, "note")
    return Table(
        "adjusted",
        f"Adjusted association of {count(len(top), 'feature')}. Ordered by p value; the file has all "
        "columns.",
        without_empty(shown),
        data=inputs.table("adjusted", "gee"),
        note="q: p adjusted over all features of this table. A feature with two values: odds ratio of the "
        "higher against the lower.",
    )


def _matched(frame: pd.DataFrame, top: pd.DataFrame) -> pd.DataFrame:
    """Return the rows of the same features in the same order."""
    by_name = frame.drop_duplicates("feature").set_index(frame["feature"].drop_duplicates().astype(str))
    return by_name.reindex(top["feature"].astype(str)).reset_index(drop=True)
