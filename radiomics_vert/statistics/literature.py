"""A study's own figures at cut-offs from the literature, and whether its intervals hold what was published.

The cut-off is never chosen on the study's data, so that its sensitivity and specificity are not optimistic.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import pandas as pd

from radiomics_vert.dataset.nouns import Dataset
from radiomics_vert.roc import clustered_proportion
from radiomics_vert.signs.literature import BY_EYE, COMPARABLE, Published

AGREES, LOWER, HIGHER = "agrees", "lower", "higher"
NOT_COMPARABLE, NOT_TESTED, NO_VERDICT = "not comparable", "not tested", "no verdict"
VERDICTS = (AGREES, LOWER, HIGHER, NOT_COMPARABLE, NOT_TESTED, NO_VERDICT)
READ_BY_EYE = "read by eye, no published cut-off"
NOTHING_PUBLISHED = "no figure is known to us"
LITERATURE_COLUMNS = (
    *("name", "label", "sequence", "feature", "unit"),
    *("entry", "source", "evidence", "calls", "rule", "cut_off", "measure", "published", "published_counts"),
    *("n", "n_subjects", "estimate", "ci_low", "ci_high", "verdict", "remark"),
)
_OPERATORS = {">=": pd.Series.ge, ">": pd.Series.gt, "<=": pd.Series.le, "<": pd.Series.lt}


class Own(NamedTuple):
    """What the study finds itself.

    Parameters
    ----------
    n, n_subjects : int
        Vertebrae and patients behind it.
    estimate, ci_low, ci_high : float
        NaN where there is none.
    """

    n: int = 0
    n_subjects: int = 0
    estimate: float = math.nan
    ci_low: float = math.nan
    ci_high: float = math.nan


def literature_figures(
    dataset: Dataset,
    signs: pd.DataFrame,
    published: Mapping[str, Sequence[Published]],
    classes: Mapping[str, str],
    confidence: float = 0.95,
) -> pd.DataFrame:
    """Set the study against every published figure of its signs.

    Parameters
    ----------
    dataset : Dataset
        With the columns that `signs` names.
    signs : DataFrame
        `name, sequence, feature, unit, n, auc, ci_low, ci_high` of each measured sign.
    published : mapping of str to sequence of Published
        By sign.
    classes : mapping of str to str
        The study's class of each diagnosis; empty where its classes are others, and then nothing is compared.
    confidence : float, default 0.95
        Confidence level of the intervals.

    Returns
    -------
    DataFrame
        One row per sign, sequence, published entry and measure. `sensitivity` and `specificity` of a
        published cut-off, both even where one alone was published, with intervals clustered by patient; `auc`
        in the direction of the diagnosis that the source calls. `verdict` is `agrees` where the interval
        holds the published figure, `lower` or `higher` where it lies wholly below or above it, `not
        comparable` and `no verdict` (read by eye) with the reason in `remark`, `not tested` without own
        values. The published figure is taken as exact. A source of other
        sequences is left out; where the study does not name its sequence, none is.
    """
    rows = [
        {**_head(sign, place, entry, classes[entry.calls]), **row}
        for sign in (signs.to_dict("records") if classes else [])
        for place, entry in enumerate(published.get(str(sign["name"]), ()))
        if not entry.sequences or sign["sequence"] in ("", *entry.sequences)
        for row in _rows(dataset, sign, entry, classes, confidence)
    ]
    return pd.DataFrame(rows, columns=list(LITERATURE_COLUMNS))


def verdict(low: float, high: float, published: float) -> str:
    """Tell whether an interval holds a published figure.

    Parameters
    ----------
    low, high : float
        Limits of the study's own figure; NaN where it has none.
    published : float
        The published figure.

    Examples
    --------
    >>> verdict(0.5, 0.7, 0.67), verdict(0.5, 0.6, 0.67), verdict(0.7, 0.9, 0.67)
    ('agrees', 'lower', 'higher')
    """
    if math.isnan(low) or math.isnan(high):
        return NOT_TESTED
    if high < published:
        return LOWER
    return HIGHER if low > published else AGREES


def in_short(figures: pd.DataFrame) -> str:
    """Return the verdicts of one measured sign in one line.

    Parameters
    ----------
    figures : DataFrame
        Its rows of :func:`literature_figures`.

    Examples
    --------
    >>> row = {"entry": 0, "source": "A 2001", "measure": "auc", "verdict": "agrees"}
    >>> in_short(pd.DataFrame([row, {**row, "entry": 1, "source": "B 2002", "verdict": "no verdict"}]))
    'AUC agrees (A 2001)'
    """
    judged = figures[figures["verdict"].isin((AGREES, LOWER, HIGHER))]
    if judged.empty:
        return " or ".join(dict.fromkeys(figures["verdict"]))
    parts = [
        f"{', '.join(f'{_short(row.measure)} {row.verdict}' for row in rows.itertuples())} ({source})"
        for (_, source), rows in judged.groupby(["entry", "source"], sort=False)
    ]
    return "; ".join(parts)


def _short(measure: object) -> str:
    return "AUC" if measure == "auc" else str(measure)


def _head(sign: Mapping[Any, Any], place: int, entry: Published, calls: str) -> dict[str, Any]:
    return {
        **{name: sign[name] for name in ("name", "label", "sequence", "feature", "unit")},
        "entry": place,
        "source": entry.source,
        "evidence": entry.evidence,
        "calls": calls,
        "rule": entry.rule,
        "cut_off": entry.cut_off,
    }


def _rows(
    dataset: Dataset,
    sign: Mapping[Any, Any],
    entry: Published,
    classes: Mapping[str, str],
    confidence: float,
) -> Iterator[dict[str, Any]]:
    """Give one row per measure of an entry: own figure beside the published one."""
    figures = entry.figures()
    at_cut_off = () if math.isnan(entry.cut_off) else ("sensitivity", "specificity")
    for measure in dict.fromkeys((*at_cut_off, *figures)):
        own = Own()
        if measure in at_cut_off:
            own = _at_cut_off(dataset, str(sign["feature"]), entry, classes, measure, confidence)
        elif measure == "auc":
            own = _auc(sign, dataset, entry.high == (classes[entry.calls] == dataset.positive))
        figure = figures.get(measure)
        told, remark = _judged(entry, own, None if figure is None else figure.value)
        yield {
            "measure": measure,
            "published": math.nan if figure is None else figure.value,
            "published_counts": "" if figure is None else figure.counts,
            **own._asdict(),
            "verdict": told,
            "remark": remark,
        }


def _judged(entry: Published, own: Own, published: float | None) -> tuple[str, str]:
    """Return the verdict, and what must be said of it."""
    if entry.compare == BY_EYE:
        return NO_VERDICT, READ_BY_EYE
    if entry.compare != COMPARABLE:
        return NOT_COMPARABLE, entry.remark
    if published is None:
        return NOT_COMPARABLE, NOTHING_PUBLISHED
    return verdict(own.ci_low, own.ci_high, published), entry.remark


def _at_cut_off(
    dataset: Dataset,
    feature: str,
    entry: Published,
    classes: Mapping[str, str],
    measure: str,
    confidence: float,
) -> Own:
    """Return the share of a class that a published cut-off puts on its right side."""
    called = dataset.y.eq(1 if classes[entry.calls] == dataset.positive else 0)
    members = called if measure == "sensitivity" else ~called
    values = dataset.X.loc[members, feature].astype(float).dropna()
    if values.empty:
        return Own()
    hits = _OPERATORS[entry.rule](values, entry.cut_off)
    groups = dataset.groups.loc[values.index]
    right = hits if measure == "sensitivity" else ~hits
    found = clustered_proportion(right.to_numpy(), groups.to_numpy(), confidence)
    return Own(len(values), int(groups.nunique()), *found)


def _auc(sign: Mapping[Any, Any], dataset: Dataset, upwards: bool) -> Own:
    """Return the study's AUC in the direction of the source."""
    auc, low, high = (float(sign[name]) for name in ("auc", "ci_low", "ci_high"))
    present = dataset.X[str(sign["feature"])].notna()
    counts = int(present.sum()), int(dataset.groups[present].nunique())
    return Own(*counts, auc, low, high) if upwards else Own(*counts, 1 - auc, 1 - high, 1 - low)
