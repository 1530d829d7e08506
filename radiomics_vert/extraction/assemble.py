"""From outcomes of single steps to the feature table, in cohort order."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import isnan
from typing import Any

import pandas as pd

from radiomics_vert.cohort import Case, Cohort
from radiomics_vert.cohort.nouns import Refusal
from radiomics_vert.errors import CODES, Problem
from radiomics_vert.extraction.engine import Outcome
from radiomics_vert.feature_table import IDENTITY, FeatureTable
from radiomics_vert.imaging.preprocessing import AXES, slice_axis
from radiomics_vert.provenance import Provenance

Outcomes = dict[tuple[str, str], Outcome]
"""By case id and step; the step `""` holds a problem of the whole scan."""

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
    outcomes : dict
        What was computed, by case id and step.
    provenance : Provenance
        Handed on to the table.
    """
    values, failures, diagnostics = [], [], []
    for case in cohort.cases:
        parts = _parts(case, steps.get(case.scan.sequence, ()), outcomes)
        problems = [part.problem for part in parts if part.problem]
        merged = {name: value for part in parts for name, value in part.values.items()}
        if problems:
            failures.append(Refusal.of_case(case, problems[0]).row())
        else:
            values.append({**case.identity(), **merged})
        found = _diagnostics(case, parts, merged, problems[0] if problems else None)
        diagnostics.append({**found, "engine": provenance.reproducible["engine"]["engine"]})
    failures += [refusal.row() for refusal in cohort.refused]
    return FeatureTable(
        _frame(values, IDENTITY),
        _frame(failures, (*IDENTITY, *PROBLEM_COLUMNS)),
        _frame(diagnostics, (*IDENTITY, *DIAGNOSTIC_COLUMNS)),
        len(cohort),
        provenance,
    )


def _parts(case: Case, steps: Sequence[str], outcomes: Outcomes) -> list[Outcome]:
    whole = outcomes.get((case.case_id, ""))
    return [whole] if whole else [outcomes[case.case_id, step] for step in steps]


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
    if levels is not None and not FEW_LEVELS <= levels <= MANY_LEVELS:
        notes.append(_note("RV305", f"{levels} grey levels"))
    missing = [name for name, value in values.items() if isnan(value)]
    if missing:
        notes.append(_note("RV309", ", ".join(missing)))
    return notes


def _note(code: str, found: str) -> str:
    return f"{code} {CODES[code]}: {found}"
