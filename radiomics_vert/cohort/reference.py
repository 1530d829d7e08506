"""Which vertebrae of a scan stand for its normal bone marrow."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from radiomics_vert.cohort.cells import missing_columns, rows_of
from radiomics_vert.cohort.levels import Level
from radiomics_vert.cohort.nouns import Case, Cohort
from radiomics_vert.errors import CohortError, Problem, raise_all

# Whole vertebral bodies of similar marrow [our own choice]: not the sacrum, not C1 and C2.
FIRST, LAST = Level.C3, Level.L7
# Levels that only some people have lie between the others, so that L1 is one level below T12 in everyone.
_BETWEEN = {Level.T13: (Level.T12, 0.5), Level.L6: (Level.L5, 1.0), Level.L7: (Level.L5, 2.0)}
_COUNTED = [level for level in Level if level not in _BETWEEN and level is not Level.SACRUM]
_PLACE: dict[Level, float] = {level: float(place) for place, level in enumerate(_COUNTED)}
_PLACE |= {level: _PLACE[above] + step for level, (above, step) in _BETWEEN.items()}
_PLACE[Level.SACRUM] = _PLACE[Level.S1]


@dataclass(frozen=True)
class ReferenceRule:
    """Which vertebrae are references.

    Parameters
    ----------
    column, value : str
        Vertebrae whose own clinical row has this value, such as `genant` and `0`. With an empty column:
        vertebrae that no clinical row names, where the clinical table names levels.
    span : int, optional
        Only references that lie at most so many levels from some vertebra that is no reference.

    Examples
    --------
    >>> ReferenceRule.parse("genant=0")
    ReferenceRule(column='genant', value='0', span=None)
    """

    column: str = ""
    value: str = ""
    span: int | None = None

    @classmethod
    def parse(cls, text: str) -> ReferenceRule:
        """Read `unlabelled` or `column=value`.

        Raises
        ------
        CohortError
            RV602: neither of the two.
        """
        column, sign, value = (part.strip() for part in text.partition("="))
        if text.strip() == "unlabelled":
            return cls()
        if not (sign and column and value):
            expected = "'unlabelled', or a clinical column and a value such as 'genant=0'"
            raise CohortError(
                Problem("RV602", expected, repr(text), "reference vertebrae", "correct the rule")
            )
        return cls(column, value)


TISSUES = ("muscle", "disc", "csf")
"""Tissues that can stand in for vertebrae where the same mask outlines them."""


def spine_position(level: Level) -> float:
    """Return how many levels lie above; levels that only some people have do not shift the others.

    Examples
    --------
    >>> spine_position(Level.L1) - spine_position(Level.T12), spine_position(Level.S1)
    (1.0, 24.0)
    """
    return _PLACE[level]


def reference_cases(cohort: Cohort, rule: ReferenceRule | None = None) -> dict[str, tuple[Case, ...]]:
    """Return the reference vertebrae of every scan, from the head down.

    Parameters
    ----------
    cohort : Cohort
        The whole cohort, with the vertebrae that are not measured.
    rule : ReferenceRule, optional
        Which; vertebrae without a clinical row of their own by default.

    Returns
    -------
    dict of str to tuple of Case
        By scan id, for every scan of the cohort; an empty tuple where there are none. Levels above C3 and
        below L7 are never references.

    Raises
    ------
    CohortError
        RV103: the clinical table has no such column.
    """
    rule = rule or ReferenceRule()
    chosen = set(cohort.unlabelled) if not rule.column else _with_value(cohort, rule)
    found: dict[str, tuple[Case, ...]] = {scan.scan_id: () for scan in cohort.scans}
    by_scan: dict[str, list[Case]] = defaultdict(list)
    for case in cohort.cases:
        by_scan[case.scan.scan_id].append(case)
    for scan_id, cases in by_scan.items():
        references = [case for case in cases if case.case_id in chosen and _usable(case.level)]
        others = [case for case in cases if case.case_id not in chosen]
        found[scan_id] = tuple(case for case in references if _near(case, others, rule.span))
    return found


def _usable(level: Level | None) -> bool:
    return level is None or FIRST <= level <= LAST


def _near(case: Case, others: Sequence[Case], span: int | None) -> bool:
    if span is None or case.level is None:
        return True
    here = spine_position(case.level)
    return any(abs(spine_position(other.level) - here) <= span for other in others if other.level)


def _with_value(cohort: Cohort, rule: ReferenceRule) -> set[str]:
    clinical = cohort.clinical
    raise_all(CohortError, missing_columns(clinical, (rule.column,), Path("clinical table")))
    rows = [cells for _, cells in rows_of(clinical) if _same(cells[rule.column], rule.value)]
    named = {(row["subject_id"], row.get("session", ""), row.get("level", ""), row.get("label", ""))
             for row in rows}  # fmt: skip
    return {case.case_id for case in cohort.cases if any(key in named for key in _keys(case))}


def _keys(case: Case) -> list[tuple[str, str, str, str]]:
    """Return the clinical keys that mean this vertebra; a row about the whole subject is not among them."""
    level, label = str(case.level) if case.level else "", str(case.label)
    places = [(level, ""), ("", label), (level, label)] if level else [("", label)]
    return [
        (case.scan.subject_id, session, *place) for session in (case.scan.session, "") for place in places
    ]


def _same(cell: str, value: str) -> bool:
    """Compare as numbers where both are, so that 0 and 0.0 are one value."""
    try:
        return float(cell) == float(value)
    except ValueError:
        return cell == value
