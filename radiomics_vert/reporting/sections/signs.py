"""The radiologist's signs, first of the findings: what each shows, and whether that is what was expected."""

from __future__ import annotations

import pandas as pd

from radiomics_vert.errors import CODES
from radiomics_vert.reporting.cells import cells_of, with_interval, without_empty
from radiomics_vert.reporting.figures.signs import family_figure
from radiomics_vert.reporting.inputs import Inputs, column, numeric, words
from radiomics_vert.reporting.nouns import Item, Section, Table, Text
from radiomics_vert.reporting.sections.sign_words import (
    limit_words,
    published_words,
    sign_name,
    sign_names,
    sign_sentence,
)
from radiomics_vert.reporting.wording import (
    ABSENT,
    count,
    listing,
    number,
    p_value,
    sign_label,
)
from radiomics_vert.signs.families import family_title
from radiomics_vert.signs.literature import measure_name

_NAMED = 8
_EVIDENCE = (
    "Seed: file and lines of the statement that is tested here (S0 and S2 are the two seed documents).",
    "Expected: the class in which a high value was expected before looking at this study.",
    "Agrees: the whole interval of the AUC lies on the expected side of 0.5; disagrees: the whole interval "
    "lies on the other side; not shown: it reaches 0.5, which is no proof of absence; not tested: there is "
    "no interval, for the reason given.",
    "No expectation: the seeds name no class in which it is high; the interval still says whether it "
    "separates the classes.",
    "Literature: a published figure and this study's own, at the published cut-off, which was not chosen on "
    "these data. Agrees: the study's interval holds the published figure, which is taken as exact; lower and "
    "higher: the whole interval lies below or above it; a wide interval holds much. No verdict where a "
    "reader's yes or no was published without a cut-off; not comparable where the source is of "
    "something else.",
    "Evidence: S seen in a source, T recomputed from a published table, K an established definition, "
    "O this project's own proposal, to be studied and not to be believed.",
)


def section(inputs: Inputs) -> Section:
    """Return the section; without items where no sign was measured."""
    signs = inputs.table("signs", "signs")
    title = "Imaging signs"
    if signs.empty:
        return Section("signs", title, ())
    values = inputs.table("signs", "values")
    items: list[Item] = [
        _lead(signs, inputs),
        *_sheets(inputs),
        _summary(signs, inputs),
        *_literature(inputs),
        Text(_EVIDENCE, "terms"),
    ]
    for family in dict.fromkeys(words(signs, "family")):
        items += _family(family, signs[words(signs, "family") == family], values, inputs)
    return Section("signs", title, (*items, *_absent(inputs, signs)))


def _lead(signs: pd.DataFrame, inputs: Inputs) -> Text:
    found = words(signs, "agreement")
    directed = signs[words(signs, "expected") != ""]
    if directed.empty:
        start = (
            f"{_counted(signs, inputs)}. The seeds compare metastatic with osteoporotic fractures; the "
            f"classes of this study ({inputs.negative}, {inputs.positive}) are others, so that nothing was "
            "expected of any sign."
        )
        return Text((start, *_untested(signs)))
    agree, disagree = (signs[found == name] for name in ("agrees", "disagrees"))
    one, many = _nouns(signs)
    start = (
        f"{_counted(signs, inputs)}. Of {count(len(directed), one, many)} the seeds say in which class "
        f"{'it is' if len(directed) == 1 else 'they are'} high. {_agreed(agree, 'agree')} "
        f"{_agreed(disagree, 'disagree')} {count(int((found == 'not shown').sum()), one, many)} "
        "did not show a difference in either direction."
    )
    judged = int((words(directed, "agreement") != "not tested").sum())
    chance = (
        "Each sign was named before the data were seen, but there are many: q is the p value adjusted over "
        f"all {many} (Benjamini-Hochberg). Agreement is judged by the interval of one alone; about "
        f"{number(round(0.05 * judged))} of {number(judged)} would leave 0.5 by chance, to either side."
    )
    return Text((start, *_untested(signs), *_literature_lead(inputs), chance))


def _literature_lead(inputs: Inputs) -> list[str]:
    """Count what agrees with published figures."""
    tally = inputs.spec("signs").get("n_by_verdict") or {}
    agree, lower, higher = (int(tally.get(name, 0)) for name in ("agrees", "lower", "higher"))
    if not agree + lower + higher:
        return []
    return [
        f"{count(agree + lower + higher, 'comparison')} with a published sensitivity, specificity or AUC "
        f"could be made: the study's interval holds the published figure in {number(agree)}, lies wholly "
        f"below it in {number(lower)} and wholly above it in {number(higher)} (second table)."
    ]


def _nouns(signs: pd.DataFrame) -> tuple[str, str]:
    """Return what the rows are: signs, or measurements where one sign has several of them."""
    several = words(signs, "name").duplicated().any()
    return ("measurement", "measurements") if several else ("sign", "signs")


def _counted(signs: pd.DataFrame, inputs: Inputs) -> str:
    """Say how many signs were measured, and how often."""
    n = words(signs, "name").nunique()
    told = (
        f"{number(n)} of the {number(inputs.spec('signs').get('n_registry'))} imaging signs of the registry"
    )
    if n == len(signs):
        return f"{told} could be measured"
    return (
        f"{told} could be measured, in {number(len(signs))} measurements: a sign that several sequences show "
        "is measured on each"
    )


def _untested(signs: pd.DataFrame) -> list[str]:
    """Name what has values but no interval, by reason."""
    lost = signs[words(signs, "agreement") == "not tested"]
    if lost.empty:
        return []
    by_reason = [
        f"{listing(sign_names(group), most=12)} ({reason})"
        for reason, group in lost.groupby(words(lost, "note"), sort=False)
    ]
    return [f"{count(len(lost), *_nouns(signs))} could not be tested: {'; '.join(by_reason)}."]


def _agreed(signs: pd.DataFrame, verb: str) -> str:
    if signs.empty:
        return f"None {verb}s with them."
    names = sign_names(signs)
    if len(names) > _NAMED:
        names = [*names[:_NAMED], count(len(names) - _NAMED, "further sign")]
    told = listing(names, most=len(names))
    return f"{number(len(signs))} {verb}{'s' if len(signs) == 1 else ''} with them ({told})."


def _sheets(inputs: Inputs) -> list[Item]:
    address = str(inputs.spec("signs").get("sheets") or "")
    told = "the sign sheets: every vertebra with the lines and voxels from which its signs were measured"
    return [Text((f"{address}: {told}",), "link")] if address else []


def _summary(signs: pd.DataFrame, inputs: Inputs) -> Table:
    shown = pd.DataFrame(
        {
            "Sign": [sign_name(row) for _, row in signs.iterrows()],
            "Finding": words(signs, "agreement"),
            "Expected high in": words(signs, "expected").replace("", ABSENT),
            f"AUC ({inputs.level} CI)": with_interval(signs, ("auc", "ci_low", "ci_high")),
            "q": cells_of(signs, "p_adjusted", p_value),
            "Seed": words(signs, "seed").replace("", ABSENT),
            "n": cells_of(signs, "n", number),
            "Literature": words(signs, "literature").replace("", ABSENT),
            "Unit": words(signs, "unit"),
            f"{inputs.negative}, median": cells_of(signs, "median_negative", number),
            f"{inputs.positive}, median": cells_of(signs, "median_positive", number),
            "Evidence": words(signs, "evidence"),
            "Absent": cells_of(signs, "n_absent", number),
        },
        dtype=object,
    )
    return Table(
        "signs",
        f"{_heading(signs)}. Against what the seeds expect of them.",
        without_empty(shown),
        data=signs,
        note=f"AUC above 0.5: higher in {inputs.positive}. Signs of the whole scan are the same for all its "
        "vertebrae. Of a sign with a side the size is tested, as an asymmetry to either side is meant; "
        "association and models have it with its side. The file has titles, references and caveats as well.",
    )


def _literature(inputs: Inputs) -> list[Item]:
    """Set the study's own figures beside the published ones, where it has some."""
    figures = inputs.table("signs", "literature")
    own = figures[numeric(figures, "estimate").notna()] if len(figures) else figures
    if own.empty:
        return []
    rows = [row for _, row in own.iterrows()]
    shown = pd.DataFrame(
        {
            "Sign": [sign_name(row) for row in rows],
            "Source": words(own, "source"),
            "Cut-off": [limit_words(row) or ABSENT for row in rows],
            "Speaks for": words(own, "calls"),
            "Figure": [measure_name(str(row["measure"])) for row in rows],
            f"Here ({inputs.level} CI)": with_interval(own, ("estimate", "ci_low", "ci_high")),
            "Published": [published_words(row) for row in rows],
            "Verdict": words(own, "verdict"),
            "Remark": words(own, "remark").replace("", ABSENT),
            "n": cells_of(own, "n", number),
        },
        dtype=object,
    )
    return [
        Table(
            "signs-literature",
            "The study at published cut-offs. Its own figures beside those of the literature.",
            without_empty(shown),
            data=figures,
            note="Cut-offs are those of the sources. Intervals are clustered by patient. The file also has "
            "the figures that were read by eye.",
        )
    ]


def _heading(signs: pd.DataFrame) -> str:
    n = words(signs, "name").nunique()
    return f"All {n} measured signs" + ("" if n == len(signs) else f", in {len(signs)} measurements")


def _family(family: str, signs: pd.DataFrame, values: pd.DataFrame, inputs: Inputs) -> list[Item]:
    title = family_title(family)
    drawn = values[words(values, "sign").isin(words(signs, "name"))] if len(values) else values
    items: list[Item] = [family_figure(family, title, signs, drawn, inputs)] if len(drawn) else []
    figures = inputs.table("signs", "literature")
    told = tuple(sign_sentence(row, figures, inputs) for _, row in signs.iterrows())
    return [*items, Text(told, "points")]


def _absent(inputs: Inputs, signs: pd.DataFrame) -> list[Item]:
    absences = inputs.table("signs", "absences")
    if absences.empty:
        return []
    measured = set(words(signs, "name"))
    never = [name for name in dict.fromkeys(words(absences, "sign")) if name not in measured]
    table = absences.assign(measured=~words(absences, "sign").isin(never))
    order = table.sort_values("measured", kind="stable").reset_index(drop=True)
    shown = pd.DataFrame(
        [
            {
                "Why": f"{code} {CODES.get(str(code), '')}".strip(),
                "For instance": str(group["reason"].iloc[0]),
                "Signs": listing(
                    list(dict.fromkeys(sign_label(name) for name in words(group, "sign"))), most=12
                ),
                "Values": number(numeric(group, "n").sum()),
            }
            for code, group in order.groupby(column(order, "code"), sort=True)
        ],
        dtype=object,
    )
    lead = f"{count(len(never), 'sign')} of the registry could not be measured on any vertebra"
    text = (
        f"{lead}: {listing([sign_label(name) for name in never], most=40)}."
        if never
        else "Every sign was measured on some vertebra."
    )
    return [
        Text(
            (f"{text} An absent value is absent, never zero; a median or AUC above is of the present ones.",)
        ),
        Table(
            "signs-absent",
            "Why signs are absent. By reason; the file has every sign.",
            shown,
            data=absences,
        ),
    ]
