"""Published figures of a sign: a cut-off from the literature and what was found at it.

They are never estimated on the study's data: the study is set against them.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

DIAGNOSES = ("osteoporotic", "metastatic")
RULES = {">=": "{} or more", ">": "above {}", "<=": "{} or less", "<": "below {}"}
COMPARABLE, NOT_COMPARABLE, BY_EYE = "comparable", "not comparable", "by eye"
MEASURES = ("sensitivity", "specificity", "auc", "odds_ratio")
STATUS = ("S", "T")
_UNITLESS = ("flag", "ratio", "score", "share", "grade", "count")


class Share(NamedTuple):
    """A published figure.

    Parameters
    ----------
    value : float
        As published, or `part / whole`.
    part, whole : int
        Counts behind it; both 0 where they are not known.
    """

    value: float
    part: int = 0
    whole: int = 0

    @property
    def counts(self) -> str:
        """The counts in words; empty where they are not known."""
        return f"{self.part} of {self.whole}" if self.whole else ""


@dataclass(frozen=True)
class Published:
    """What a source found of a sign.

    Parameters
    ----------
    source : str
        Author and year, or what is known of it.
    evidence : {"S", "T"}
        Seen in the source, or recomputed from its table.
    calls : {"osteoporotic", "metastatic"}
        Diagnosis for which the sign speaks; the sensitivity is the share of its vertebrae with the sign.
    rule : {">=", ">", "<=", "<", ""}
        On which side of the cut-off (or in which direction) it speaks for that; empty without a measure.
    cut_off : float
        In the sign's unit; NaN where none is published.
    sensitivity, specificity, auc, odds_ratio : Share or None
        The published figures; the AUC is that of the diagnosis that the sign calls.
    sequences : tuple of str
        Sequences of the source; empty where it holds for all on which the sign is defined.
    compare : {"comparable", "not comparable", "by eye"}
        Whether a study's own value can be set against the figures; `by eye`: the source read a yes or no.
    remark : str
        What differs between the source and this measure; why not, where it cannot be compared.
    """

    source: str
    evidence: str
    calls: str
    rule: str = ""
    cut_off: float = math.nan
    sensitivity: Share | None = None
    specificity: Share | None = None
    auc: Share | None = None
    odds_ratio: Share | None = None
    sequences: tuple[str, ...] = ()
    compare: str = COMPARABLE
    remark: str = ""

    @property
    def high(self) -> bool:
        """Whether high values speak for the diagnosis."""
        return self.rule.startswith(">")

    def figures(self) -> dict[str, Share]:
        """Return the published figures by measure."""
        found = {name: getattr(self, name) for name in MEASURES}
        return {name: figure for name, figure in found.items() if figure is not None}

    def told(self) -> str:
        """Return the figures in words.

        Examples
        --------
        >>> found = Published("A 2001", "S", "metastatic", auc=Share(0.67), specificity=Share(0.5, 2, 4))
        >>> found.told()
        'specificity 0.5 (2 of 4), AUC 0.67'
        """
        parts = [
            f"{measure_name(name)} {figure.value:.3g}" + (f" ({figure.counts})" if figure.counts else "")
            for name, figure in self.figures().items()
        ]
        return ", ".join(parts)


def measure_name(measure: str) -> str:
    """Return a key of :data:`MEASURES` as a reader knows it.

    Examples
    --------
    >>> measure_name("auc"), measure_name("odds_ratio")
    ('AUC', 'odds ratio')
    """
    return {"auc": "AUC"}.get(measure, measure.replace("_", " "))


def written_unit(unit: str) -> str:
    """Return a sign's unit as it is written behind a number; nothing where the number says all.

    Examples
    --------
    >>> written_unit("deg"), written_unit("ratio")
    ('deg', '')
    """
    return "" if unit in _UNITLESS else unit


def limit(rule: str, cut_off: float, unit: str = "") -> str:
    """Return a cut-off with its side in words.

    Parameters
    ----------
    rule : str
        Key of :data:`RULES`.
    cut_off : float
        The limit.
    unit : str
        The sign's unit.

    Examples
    --------
    >>> limit(">=", 5, "deg"), limit("<", 2.0, "ratio")
    ('5 deg or more', 'below 2')
    """
    return RULES[rule].format(f"{cut_off:g} {written_unit(unit)}".strip())


def parse_published(entries: Any) -> tuple[Published, ...]:
    """Return the figures of one entry of the registry, after :func:`published_faults` found nothing.

    Parameters
    ----------
    entries : list of dict
        `source, evidence, calls` and any of the other fields of :class:`Published`; a share is a number or
        counts such as `21/29`.
    """
    return tuple(Published(**{name: _parsed(name, value) for name, value in e.items()}) for e in entries)


def _parsed(name: str, value: Any) -> Any:
    if name in MEASURES:
        return _share(value)
    if name == "sequences":
        return tuple(value)
    return float(value) if name == "cut_off" else value


def published_faults(entries: Any) -> list[tuple[str, str]]:
    """Return what is wrong with the published figures of an entry of the registry, as (expected, found).

    Parameters
    ----------
    entries : object
        What stands under `published`.
    """
    if not isinstance(entries, list) or not all(isinstance(entry, dict) for entry in entries):
        return [("published: a list of mappings", repr(entries)[:60])]
    return [(f"published: {expected}", found) for entry in entries for expected, found in _faults(entry)]


_FIELDS = {*Published.__dataclass_fields__}
_CHOICES = {
    "evidence": STATUS,
    "calls": DIAGNOSES,
    "rule": ("", *RULES),
    "compare": (COMPARABLE, NOT_COMPARABLE, BY_EYE),
}


def _faults(entry: Mapping[str, Any]) -> list[tuple[str, str]]:
    unknown = sorted(set(entry) - _FIELDS)
    if unknown or not {"source", "evidence", "calls"} <= set(entry):
        return [(f"source, evidence, calls and some of {', '.join(sorted(_FIELDS))}", repr(sorted(entry)))]
    found = {"rule": "", "compare": COMPARABLE, "remark": "", **entry}
    faults = [
        (f"{key}: one of {', '.join(allowed)}", repr(found[key]))
        for key, allowed in _CHOICES.items()
        if found[key] not in allowed
    ]
    faults += [
        (f"{name}: a number, or counts such as 21/29", repr(entry[name]))
        for name in MEASURES
        if name in entry and _share(entry[name]) is None
    ]
    return faults + _contradictions(found)


def _contradictions(entry: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Return where fields of an entry do not fit one another."""
    at_cut_off = "sensitivity" in entry or "specificity" in entry
    cases = (
        ("cut_off" in entry and not entry["rule"], "rule: the side of the cut-off", "none"),
        ("auc" in entry and not entry["rule"], "rule: the side that the AUC is of", "none"),
        (entry["compare"] == BY_EYE and "cut_off" in entry, "cut_off: none where read by eye", "one"),
        (entry["compare"] == NOT_COMPARABLE and not entry["remark"], "remark: why not comparable", "nothing"),
        (
            entry["compare"] == COMPARABLE and not ("auc" in entry or (at_cut_off and "cut_off" in entry)),
            "an AUC, or a figure and its cut-off, where compared",
            "neither",
        ),
    )
    return [(expected, found) for applies, expected, found in cases if applies]


def _share(value: Any) -> Share | None:
    """Return a share from a number or from counts; nothing where it is neither."""
    if isinstance(value, (int, float)) and not isinstance(value, bool) and value >= 0:
        return Share(float(value))
    part, slash, whole = str(value).partition("/")
    if not (slash and part.isdigit() and whole.isdigit() and int(part) <= int(whole) > 0):
        return None
    return Share(int(part) / int(whole), int(part), int(whole))
