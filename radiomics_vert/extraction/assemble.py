"""From outcomes of single steps to the feature table, in cohort order."""

from __future__ import annotations

from array import array
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from math import isnan
from sys import intern
from typing import Any

import numpy as np
import pandas as pd

from radiomics_vert.cohort import Case, Cohort
from radiomics_vert.cohort.nouns import Refusal
from radiomics_vert.errors import CODES, Problem
from radiomics_vert.extraction.engine import Outcome
from radiomics_vert.feature_table import IDENTITY, FeatureTable
from radiomics_vert.imaging.preprocessing import AXES, slice_axis
from radiomics_vert.provenance import Provenance

# Fewer grey levels carry hardly any texture, more make the matrices sparse [our own defaults].
FEW_LEVELS, MANY_LEVELS = 16, 256

PROBLEM_COLUMNS = ("code", "title", "expected", "found", "where", "remedy")
DIAGNOSTIC_COLUMNS = (
    "voxels",
    "voxels_resampled",
    "voxels_resegmented",
    "clipped_share",
    "excluded_share",
    "gas_ml",
    "grey_levels",
    "bias_correction",
    "bias_low",
    "bias_high",
    "intensity",
    "reference",
    "reference_mu",
    "reference_sigma",
    "reference_vertebrae",
    "reference_voxels",
    "reference_passed",
    "components",
    "touches_border",
    "spacing_x",
    "spacing_y",
    "spacing_z",
    "slice_axis",
    "image_digest",
    "mask_digest",
    "engine",
    "notes",
)


@dataclass(frozen=True, slots=True)
class _Packed:
    """An :class:`Outcome` in little memory: names that many share, and bare numbers."""

    names: tuple[str, ...]
    values: array[float]
    facts: tuple[str, ...]
    found: tuple[Any, ...]
    problem: Problem | None

    def outcome(self) -> Outcome:
        """Return what was packed."""
        values = dict(zip(self.names, self.values, strict=True))
        return Outcome(values, dict(zip(self.facts, self.found, strict=True)), self.problem)


@dataclass
class Outcomes:
    """What single steps gave, by case and step, until the table is made.

    As the dictionaries that the engines return, the values of a large cohort would need twenty times the
    memory of its table.
    """

    _packed: dict[tuple[str, str], _Packed] = field(default_factory=dict)
    _layouts: dict[tuple[str, ...], tuple[str, ...]] = field(default_factory=dict)

    def add(self, case_id: str, step: str, outcome: Outcome) -> None:
        """Keep an outcome; the step `""` holds a problem of the whole scan."""
        self._packed[case_id, intern(step)] = _Packed(
            self._layout(outcome.values),
            array("d", outcome.values.values()),
            self._layout(outcome.diagnostics),
            tuple(intern(fact) if type(fact) is str else fact for fact in outcome.diagnostics.values()),
            outcome.problem,
        )

    def of(self, case_id: str, steps: Sequence[str]) -> list[Outcome]:
        """Return what the steps gave; for a scan with a problem, that problem alone."""
        whole = self._packed.get((case_id, ""))
        packed = [whole] if whole else [self._packed[case_id, step] for step in steps]
        return [one.outcome() for one in packed]

    def drop(self, case_id: str, steps: Sequence[str]) -> None:
        """Forget what the steps gave, once it stands elsewhere."""
        for step in ("", *steps):
            self._packed.pop((case_id, step), None)

    def _layout(self, cells: Mapping[str, Any]) -> tuple[str, ...]:
        names = tuple(cells)
        return self._layouts.setdefault(names, names)


def make_table(
    cohort: Cohort, steps: Mapping[str, Sequence[str]], outcomes: Outcomes, provenance: Provenance
) -> FeatureTable:
    """Return the table of a cohort: one row per case and refused scan, in cohort order.

    Parameters
    ----------
    cohort : Cohort
        The cases.
    steps : mapping of str to sequence of str
        Step names of each sequence, in the order of the columns.
    outcomes : Outcomes
        What was computed; what enters the table is dropped from it, so that it is not in memory twice.
    provenance : Provenance
        Handed on to the table.
    """
    measured: list[Case] = []
    failures = []
    features: dict[str, None] = {}
    diagnostics = np.empty((len(cohort.cases), len(IDENTITY) + len(DIAGNOSTIC_COLUMNS)), dtype=object)
    for row, case in enumerate(cohort.cases):
        parts = outcomes.of(case.case_id, steps.get(case.scan.sequence, ()))
        problem = next((part.problem for part in parts if part.problem), None)
        merged = {name: value for part in parts for name, value in part.values.items()}
        if problem:
            failures.append(Refusal.of_case(case, problem).row())
        else:
            measured.append(case)
            features.update(dict.fromkeys(merged))
        found = _diagnostics(case, parts, merged, problem)
        diagnostics[row] = [*{**found, "engine": provenance.reproducible["engine"]["engine"]}.values()]
    failures += [refusal.row() for refusal in cohort.refused]
    return FeatureTable(
        _values(measured, list(features), steps, outcomes),
        _frame(failures, (*IDENTITY, *PROBLEM_COLUMNS)),
        _cells(diagnostics, (*IDENTITY, *DIAGNOSTIC_COLUMNS)),
        len(cohort),
        provenance,
    )


def _values(
    cases: Sequence[Case], features: Sequence[str], steps: Mapping[str, Sequence[str]], outcomes: Outcomes
) -> pd.DataFrame:
    """Return identity and features of the cases that were measured; drops their outcomes."""
    identity = np.empty((len(cases), len(IDENTITY)), dtype=object)
    row_of = {name: row for row, name in enumerate(features)}
    # Each page of it costs memory only when it is written to, while outcomes are dropped.
    numbers = np.empty((len(features), len(cases)))
    for column, case in enumerate(cases):
        identity[column] = [*case.identity().values()]
        own = steps.get(case.scan.sequence, ())
        parts = outcomes.of(case.case_id, own)
        merged = {name: value for part in parts for name, value in part.values.items()}
        if len(merged) < len(features):
            numbers[:, column] = np.nan
        numbers[[row_of[name] for name in merged], column] = list(merged.values())
        outcomes.drop(case.case_id, own)
    measured = pd.DataFrame(numbers.T, columns=list(features), copy=False)
    return pd.concat([_cells(identity, IDENTITY), measured], axis=1)


def _cells(cells: np.ndarray, columns: Sequence[str]) -> pd.DataFrame:
    """Return cells of any type as a table whose columns have the types of what they hold."""
    if not len(cells):
        return _frame([], columns)
    return pd.DataFrame(cells, columns=list(columns), copy=False).infer_objects()


def _frame(rows: list[dict[str, Any]], columns: Sequence[str]) -> pd.DataFrame:
    frame = pd.DataFrame(rows)
    missing = [column for column in columns if column not in frame]
    frame = frame.reindex(columns=[*frame.columns, *missing])
    return frame[[*columns, *(column for column in frame if column not in columns)]]


def _diagnostics(
    case: Case, parts: Sequence[Outcome], values: Mapping[str, float], problem: Problem | None
) -> dict[str, Any]:
    facts = {name: value for part in parts for name, value in part.diagnostics.items()}
    spacing = tuple(facts.get(f"spacing_{axis}", float("nan")) for axis in AXES)
    axis = None if any(isnan(value) for value in spacing) else slice_axis(spacing)
    own = {
        "voxels": case.voxels,
        "components": case.components,
        "touches_border": case.touches_border,
        "slice_axis": "" if axis is None else AXES[axis],
        "image_digest": case.scan.image_digest,
        "mask_digest": case.mask_digest,
        "notes": "; ".join(_notes(case, facts, values, problem)),
    }
    row = dict.fromkeys(DIAGNOSTIC_COLUMNS, float("nan"))
    return {**case.identity(), **row, **facts, **own}


def _notes(
    case: Case, facts: Mapping[str, Any], values: Mapping[str, float], problem: Problem | None
) -> list[str]:
    notes = [_note(problem.code, problem.found)] if problem else []
    if case.touches_border:
        notes.append(_note("RV306", f"{case.voxels} voxels are inside"))
    if case.components > 1:
        notes.append(_note("RV307", f"{case.components} components"))
    if facts.get("excluded_share", 0) > 0:
        notes.append(_note("RV315", f"{100 * facts['excluded_share']:.1f} % of the voxels"))
    if facts.get("reference_passed"):
        notes.append(_note("RV314", f"{facts['reference']}, because {facts['reference_passed']}"))
    levels = facts.get("grey_levels")
    if levels == 1:
        notes.append(_note("RV302", f"1 grey level in {facts['voxels_resegmented']} voxels, so no texture"))
    elif levels is not None and not FEW_LEVELS <= levels <= MANY_LEVELS:
        notes.append(_note("RV305", f"{levels} grey levels"))
    missing = [name for name, value in values.items() if isnan(value)]
    if missing:
        notes.append(_note("RV309", ", ".join(missing)))
    return notes


def _note(code: str, found: str) -> str:
    return f"{code} {CODES[code]}: {found}"
