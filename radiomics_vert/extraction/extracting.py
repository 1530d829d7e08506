"""Extract features of a cohort: plan what is missing, compute it scan by scan, and make the table."""

from __future__ import annotations

import logging
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from itertools import groupby
from pathlib import Path
from typing import Any

from radiomics_vert import parallel
from radiomics_vert.cohort import Case, Cohort, Scan, reference_cases
from radiomics_vert.content_cache import NEVER
from radiomics_vert.errors import ImageError, Problem, RadiomicsVertError
from radiomics_vert.extraction.assemble import Outcomes, make_table
from radiomics_vert.extraction.cache import Cache, Ingredients
from radiomics_vert.extraction.engine import Outcome
from radiomics_vert.extraction.engines import Used, engine_version, engines_used
from radiomics_vert.extraction.first_use import compile_ahead
from radiomics_vert.extraction.params import ExtractionParams, Step
from radiomics_vert.extraction.plane import fit_to_scan
from radiomics_vert.extraction.preparing import compute_case, orientation_of, read_prepared, reference_digest
from radiomics_vert.extraction.preprocessing import Preprocessing
from radiomics_vert.feature_table import FeatureTable
from radiomics_vert.imaging import read_geometry
from radiomics_vert.provenance import Provenance, run_facts, versions

logger = logging.getLogger("radiomics_vert.extraction")

References = Mapping[str, tuple[Case, ...]]
"""Reference vertebrae by scan id."""


@dataclass(frozen=True, slots=True)
class Work:
    """What is left to compute for some vertebrae of one scan."""

    scan: Scan
    parts: tuple[tuple[Case, tuple[Step, ...]], ...]
    preprocessing: Preprocessing
    references: tuple[Case, ...]

    @property
    def reference_digest(self) -> str:
        """What the reference intensities of the scan depend on."""
        return reference_digest(self.scan, self.preprocessing, self.references)


@dataclass
class Plan:
    """What is known already, what has to be computed, and why; filled scan by scan."""

    store: Cache | None
    known: Outcomes = field(default_factory=Outcomes)
    works: list[Work] = field(default_factory=list)
    hits: int = 0
    reasons: Counter[str] = field(default_factory=Counter)

    def add(
        self,
        scan: Scan,
        cases: Sequence[Case],
        params: Mapping[str, ExtractionParams],
        references: tuple[Case, ...] = (),
    ) -> None:
        """Plan the vertebrae of one scan."""
        try:
            steps = steps_for(scan, params)
        except RadiomicsVertError as error:
            for case in cases:
                self.known.add(case.case_id, "", Outcome(problem=error.problems[0]))
            return
        work = Work(scan, (), params[scan.sequence].preprocessing, references)
        reference = work.reference_digest
        parts = [(case, self._missing(case, steps, reference)) for case in cases]
        needed = tuple((case, missing) for case, missing in parts if missing)
        if needed:
            self.works.append(replace(work, parts=needed))

    def _missing(self, case: Case, steps: Sequence[Step], reference: str) -> tuple[Step, ...]:
        """Load what the cache has, and return the rest; say why the rest is needed."""
        causes: dict[str, list[Step]] = {}
        for step in steps:
            ingredients = Ingredients.of(case, step, engine_version(step.engine), reference)
            outcome = self.store.load(ingredients) if self.store else None
            if outcome is not None:
                self.known.add(case.case_id, step.name, outcome)
                self.hits += 1
                continue
            cause = self.store.reason(ingredients, case, step) if self.store else NEVER
            causes.setdefault(cause, []).append(step)
        for cause, missing in causes.items():
            self.reasons[cause] += len(missing)
            logger.info("%s: compute %s: %s", case.case_id, ", ".join(s.name for s in missing), cause)
        needed = {step.name for missing in causes.values() for step in missing}
        return tuple(steps) if len(needed) == len(steps) else tuple(s for s in steps if s.name in needed)

    def taken(self) -> list[Work]:
        """Return the works; the plan does not hold them any longer."""
        works, self.works = self.works, []
        return works

    def cache_facts(self) -> dict[str, Any]:
        """Return how many steps came from the cache, and why the others did not."""
        return {"hits": self.hits, "misses": self.reasons.total(), "reasons": dict(self.reasons)}


def extract(
    cohort: Cohort,
    params: ExtractionParams | Mapping[str, ExtractionParams],
    *,
    engine: str | None = None,
    references: References | None = None,
    n_jobs: int = 1,
    cache: Path | None = None,
    progress: parallel.Progress | None = None,
) -> FeatureTable:
    """Compute the features of every vertebra of a cohort.

    Each scan is preprocessed once as its parameters say (:class:`Preprocessing`); on the resulting image the
    values are those of pyradiomics (relative difference below 1e-8). Rows, columns and bytes of the table do
    not depend on `n_jobs`, on the cache, or on the order in which a file stores its voxels.

    Parameters
    ----------
    cohort : Cohort
        What :func:`radiomics_vert.read_cohort` returned.
    params : ExtractionParams or mapping of str to ExtractionParams
        One for all scans, or one per sequence (`{"CT": ..., "T1": ...}`). Cases of a sequence without
        parameters become failures (RV114).
    engine : {"auto", "native", "pyradiomics"}, optional
        What computes the values; as the parameters say by default, which is `auto`: compiled kernels where
        they support what is asked for, pyradiomics for the rest. The provenance tells which.
    references : mapping of str to tuple of Case, optional
        Reference vertebrae by scan id, for parameters with `intensity: reference`. By default
        :func:`radiomics_vert.cohort.reference_cases` of `cohort`; give that of the whole cohort where
        `cohort` is a part of it.
    n_jobs : int, default 1
        Workers; -1 takes all cores. Each worker uses one core.
    cache : Path, optional
        Folder of results by content. What is there is not computed again, an interrupted run goes on
        where it stopped, and the log `radiomics_vert.extraction` says why anything is computed.
    progress : callable, optional
        Called with (done, total) after each piece of work: a scan, or a part of one.

    Returns
    -------
    FeatureTable
        One row per case in `values` or `failures`; refused scans of the cohort are failures, too.

    Notes
    -----
    Failures: RV301 too small, RV302 no spread to standardise by, RV308 empty after resegmentation, RV303
    the scan does not suit the parameters, RV304 pyradiomics failed, RV311 no reference tissue, RV312 too
    much hardware, RV313 no bias field, RV114 no parameters, RV2xx unreadable files.
    A single feature without a finite value does not fail its case: it is NaN, and the case's
    diagnostics say so (RV309).
    """
    started = time.monotonic()
    chosen = params_by_sequence(cohort, params)
    if engine is not None:
        chosen = {sequence: replace(own, engine=engine) for sequence, own in chosen.items()}
    plan = Plan(Cache(cache) if cache is not None else None)
    known = reference_cases(cohort) if references is None else references
    for scan_id, group in groupby(cohort.cases, key=lambda case: case.scan.scan_id):
        cases = tuple(group)
        plan.add(cases[0].scan, cases, chosen, known.get(scan_id, ()))
    run = partial(_run, store=plan.store)
    outcomes, largest = plan.known, 0
    with parallel.memory_of_workers() as memory:
        done = parallel.stream(
            run, _split(plan.taken(), parallel.resolve_workers(n_jobs)), n_jobs=n_jobs, progress=progress
        )
        for found, size in done:
            for (case_id, step), outcome in found:
                outcomes.add(case_id, step, outcome)
            largest = max(largest, size)
    used: dict[str, Any] = {"n_jobs": n_jobs, "seconds": round(time.monotonic() - started, 3)}
    used["memory"] = memory.facts(largest)
    return make_table(
        cohort,
        {sequence: [step.name for step in own.steps()] for sequence, own in chosen.items()},
        outcomes,
        Provenance(origins(cohort, chosen), {**run_facts(), **used, "cache": plan.cache_facts()}),
    )


def params_by_sequence(
    cohort: Cohort, params: ExtractionParams | Mapping[str, ExtractionParams]
) -> dict[str, ExtractionParams]:
    """Return the parameters of each sequence of a cohort that has some."""
    sequences = sorted({scan.sequence for scan in cohort.scans})
    if isinstance(params, ExtractionParams):
        return dict.fromkeys(sequences, params)
    return {sequence: params[sequence] for sequence in sequences if sequence in params}


def steps_for(scan: Scan, params: Mapping[str, ExtractionParams]) -> tuple[Step, ...]:
    """Return the steps with the scan's slice axis, as it is after re-orientation; reads the header only."""
    if scan.sequence not in params:
        raise ImageError(_no_params(scan, params))
    steps = params[scan.sequence].steps()
    if not any(step.settings["force2D"] for step in steps):
        return steps
    geometry = read_geometry(scan.image, series=scan.series)
    spacing = orientation_of(geometry, params[scan.sequence].preprocessing).spacing(geometry.spacing)
    return tuple(fit_to_scan(step, spacing, scan.scan_id) for step in steps)


def _no_params(scan: Scan, params: Mapping[str, ExtractionParams]) -> Problem:
    return Problem(
        "RV114",
        f"parameters for the sequence {scan.sequence!r}",
        f"parameters for {', '.join(sorted(params)) or 'no sequence of this cohort'}",
        scan.scan_id,
        f"name a parameter file for {scan.sequence!r}, or correct the sequence in the image table",
    )


def _split(works: Sequence[Work], workers: int) -> list[Work]:
    """Share out the vertebrae of a scan when there are fewer scans than workers."""
    if not works:
        return []
    shares = -(-workers // len(works))
    if shares == 1:
        return list(works)
    split = []
    for work in works:
        parts = (work.parts[start::shares] for start in range(shares))
        split += [replace(work, parts=part) for part in parts if part]
    return split


def _run(work: Work, *, store: Cache | None) -> tuple[list[tuple[tuple[str, str], Outcome]], int]:
    """Compute what is missing for one scan; return the bytes of its voxels, too. Runs in a worker."""
    compile_ahead(step for _, steps in work.parts for step in steps)
    try:
        prepared = read_prepared(work.scan, work.preprocessing, work.references)
    except RadiomicsVertError as error:
        return [((case.case_id, ""), Outcome(problem=error.problems[0])) for case, _ in work.parts], 0
    reference = work.reference_digest
    found = []
    for case, steps in work.parts:
        for step, outcome in compute_case(prepared, case, steps):
            if store:
                ingredients = Ingredients.of(case, step, engine_version(step.engine), reference)
                store.store(ingredients, case, step, outcome)
            found.append(((case.case_id, step.name), outcome))
    return found, prepared.volumes.nbytes


def origins(cohort: Cohort, params: Mapping[str, ExtractionParams]) -> dict[str, Any]:
    """Return what made a feature table: parameters, engine, manifest, versions."""
    used = {sequence: {"name": own.name, "digest": own.digest} for sequence, own in params.items()}
    several = len({own.digest for own in params.values()}) > 1
    steps = [
        Used(f"{step.name} of {sequence}" if several else step.name, step.image_type, step.engine)
        for sequence, own in params.items()
        for step in own.steps()
    ]
    return {
        "parameters": used,
        "engine": engines_used(steps),
        "manifest": cohort.manifest_digest,
        "versions": versions(),
    }
