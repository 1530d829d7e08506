"""Extract a sample of the user's own cases again with pyradiomics, and say how far the values are apart."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import groupby

import numpy as np

from radiomics_vert import parallel
from radiomics_vert.cohort import Case, Cohort, reference_cases
from radiomics_vert.extraction.extracting import References, Work, params_by_sequence, steps_for
from radiomics_vert.extraction.params import ExtractionParams, Step
from radiomics_vert.extraction.parity import relative_differences
from radiomics_vert.extraction.preparing import PreparedScan, compute_case, read_prepared


@dataclass(frozen=True)
class Verification:
    """How far two engines are apart on a sample of cases.

    Parameters
    ----------
    cases, values : int
        Cases drawn, and values of theirs that were computed twice; 0 values where the native engine
        computed none.
    largest : float
        The largest relative difference; NaN without values.
    feature : str
        Where it is.
    """

    cases: int
    values: int
    largest: float
    feature: str


def verify(
    cohort: Cohort,
    params: ExtractionParams | Mapping[str, ExtractionParams],
    *,
    sample: int = 3,
    seed: int = 0,
    among: Collection[str] | None = None,
    references: References | None = None,
    n_jobs: int = 1,
) -> Verification:
    """Compute a random sample of cases with the chosen engine and with pyradiomics.

    Parameters
    ----------
    cohort : Cohort
        The cases.
    params : ExtractionParams or mapping of str to ExtractionParams
        As in :func:`extract`. Only steps of the native engine are computed.
    sample : int, default 3
        Cases to draw.
    seed : int, default 0
        Of the draw.
    among : collection of str, optional
        Ids of the cases to draw from, such as those that gave values; all by default.
    references : mapping of str to tuple of Case, optional
        As in :func:`extract`.
    n_jobs : int, default 1
        Workers.
    """
    chosen = params_by_sequence(cohort, params)
    measured = [case for case in cohort.cases if case.scan.sequence in chosen]
    candidates = [case for case in measured if among is None or case.case_id in among]
    size = min(sample, len(candidates))
    drawn = np.random.default_rng(seed).permutation(len(candidates))[:size]
    known = reference_cases(cohort) if references is None else references
    cases = [candidates[index] for index in sorted(drawn)]
    works = []
    for scan_id, group in groupby(cases, key=lambda case: case.scan.scan_id):
        own = tuple(group)
        scan = own[0].scan
        steps = tuple(step for step in steps_for(scan, chosen) if step.engine == "native")
        parts = tuple((case, steps) for case in own)
        works.append(Work(scan, parts, chosen[scan.sequence].preprocessing, known.get(scan_id, ())))
    apart: dict[str, float] = {}
    for found in parallel.stream(_compare_scan, works, n_jobs=n_jobs):
        apart |= found
    if not apart:
        return Verification(size, 0, float("nan"), "")
    worst = max(apart, key=apart.__getitem__)
    return Verification(size, len(apart), apart[worst], worst.split(": ")[1])


def _compare_scan(work: Work) -> dict[str, float]:
    """Return the relative difference of each value of the cases drawn from a scan. Runs in a worker."""
    prepared = read_prepared(work.scan, work.preprocessing, work.references)
    apart: dict[str, float] = {}
    for case, steps in work.parts:
        apart |= _compare(prepared, case, steps)
    return apart


def _compare(prepared: PreparedScan, case: Case, steps: Sequence[Step]) -> dict[str, float]:
    """Return the relative difference of each value of one case; none where the case fails."""
    reference = [replace(step, engine="pyradiomics") for step in steps]
    ours, stock = (_values(prepared, case, part) for part in (steps, reference))
    return {f"{case.case_id}: {name}": value for name, value in relative_differences(ours, stock).items()}


def _values(prepared: PreparedScan, case: Case, steps: Sequence[Step]) -> dict[str, float]:
    outcomes = [outcome for _, outcome in compute_case(prepared, case, steps)]
    return {name: value for outcome in outcomes for name, value in outcome.values.items()}
