"""The same extraction on perturbed masks: what reliability against the contour is measured from."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from itertools import groupby
from pathlib import Path

from threadpoolctl import threadpool_limits

from radiomics_vert import parallel
from radiomics_vert.cohort import Case, Cohort, Scan, reference_cases
from radiomics_vert.errors import Problem, RadiomicsVertError, SettingsError
from radiomics_vert.extraction.assemble import Outcomes, make_table
from radiomics_vert.extraction.cache import Cache, Ingredients
from radiomics_vert.extraction.engine import Outcome
from radiomics_vert.extraction.engines import engine_version
from radiomics_vert.extraction.extracting import (
    References,
    origins,
    params_by_sequence,
    steps_for,
)
from radiomics_vert.extraction.first_use import compile_ahead
from radiomics_vert.extraction.params import ExtractionParams, Step
from radiomics_vert.extraction.preparing import PreparedScan, compute_case, read_prepared, reference_digest
from radiomics_vert.feature_table import FeatureTable
from radiomics_vert.imaging import DEFAULT_PERTURBATIONS, LabelMap, Perturbation, label_regions, perturb
from radiomics_vert.imaging.preprocessing import slice_axis
from radiomics_vert.provenance import Provenance, run_facts

RATER_SEPARATOR = ":"
"""Between the rater who drew the mask and the perturbation, in the `rater` column."""

Found = dict[tuple[str, str], Outcome]
"""By case id and step; the step `""` holds a problem of the whole scan."""


@dataclass(frozen=True)
class Work:
    """Some perturbations of all vertebrae of one scan."""

    scan: Scan
    cases: tuple[Case, ...]
    perturbations: tuple[Perturbation, ...]
    references: tuple[Case, ...]


@dataclass(frozen=True)
class Steps:
    """How the vertebrae of one scan are computed.

    Parameters
    ----------
    steps : tuple of Step
        With the slice axis filled in.
    store : Cache or None
        Where outcomes are kept.
    reference : str
        Digest of the reference regions.
    """

    steps: tuple[Step, ...]
    store: Cache | None
    reference: str

    def compute(self, prepared: PreparedScan, case: Case, labels: LabelMap) -> dict[str, Outcome]:
        """Return the outcome of each step for one changed outline, from the cache where it is there."""
        keys = {
            step.name: Ingredients.of(case, step, engine_version(step.engine), self.reference)
            for step in self.steps
        }
        known = {name: self.store.load(key) for name, key in keys.items()} if self.store else {}
        found = {name: outcome for name, outcome in known.items() if outcome is not None}
        missing = [step for step in self.steps if step.name not in found]
        for step, outcome in compute_case(prepared, case, missing, labels.volume):
            if self.store:
                self.store.store(keys[step.name], case, step, outcome)
            found[step.name] = outcome
        return found


def perturbed_features(
    cohort: Cohort,
    params: ExtractionParams | Mapping[str, ExtractionParams],
    *,
    references: References | None = None,
    perturbations: Sequence[str] = DEFAULT_PERTURBATIONS,
    n_jobs: int = 1,
    seed: int = 0,
    cache: Path | None = None,
    progress: parallel.Progress | None = None,
) -> FeatureTable:
    """Compute the features of every vertebra on perturbed masks.

    Each scan is read once for all its perturbations (once per worker where there are fewer scans than
    workers), and each perturbed mask goes through the same steps as in :func:`extract`.

    Parameters
    ----------
    cohort : Cohort
        What :func:`radiomics_vert.read_cohort` returned.
    params : ExtractionParams or mapping of str to ExtractionParams
        As in :func:`extract`.
    references : mapping of str to tuple of Case, optional
        As in :func:`extract`. Their outlines are not perturbed: only the measured outline changes, not what
        intensities are compared with.
    perturbations : sequence of str
        Names as :meth:`Perturbation.parse` reads them; `original` is the mask as it is.
    n_jobs : int, default 1
        Workers; the table does not depend on it.
    seed : int, default 0
        Of random contours. Each case has its own stream, fixed by seed, perturbation and case id.
    cache : Path, optional
        Folder of results by content, as in :func:`extract`.
    progress : callable, optional
        Called with (done, total) after each piece of work.

    Returns
    -------
    FeatureTable
        One row per case and perturbation; the perturbation stands in the `rater` column (after the
        rater and a colon where the mask has a rater) and at the end of `case_id`. A vertebra that
        vanishes becomes a failure (RV207). Give it to `reliability(table, by="perturbation")`.

    Raises
    ------
    SettingsError
        RV602: a name is not a perturbation, or is there twice.
    """
    started = time.monotonic()
    chosen = tuple(Perturbation.parse(name) for name in perturbations)
    _require_different(perturbations)
    used = params_by_sequence(cohort, params)
    by_scan = _by_scan(cohort)
    known = reference_cases(cohort) if references is None else references
    works = _works(by_scan, chosen, known, parallel.resolve_workers(n_jobs))
    store = Cache(cache) if cache is not None else None
    run = partial(_run, params=used, seed=seed, store=store)
    perturbed: dict[str, Case] = {}
    outcomes = Outcomes()
    for cases, found in parallel.stream(run, works, n_jobs=n_jobs, progress=progress):
        perturbed |= {case.case_id: case for case in cases}
        for (case_id, step), outcome in found.items():
            outcomes.add(case_id, step, outcome)
    ordered = [perturbed[_case_id(case, one)] for cases in by_scan for one in chosen for case in cases]
    return make_table(
        replace(cohort, cases=tuple(ordered)),
        {sequence: [step.name for step in own.steps()] for sequence, own in used.items()},
        outcomes,
        Provenance(
            {
                **origins(cohort, used),
                "perturbations": list(perturbations),
                "seed": seed,
            },
            {**run_facts(), "n_jobs": n_jobs, "seconds": round(time.monotonic() - started, 3)},
        ),
    )


def _require_different(perturbations: Sequence[str]) -> None:
    repeated = sorted({name for name in perturbations if list(perturbations).count(name) > 1})
    if repeated or not perturbations:
        raise SettingsError(
            Problem(
                "RV602",
                "different perturbations, at least one",
                ", ".join(repeated) or "none",
                "perturbations",
                "name each once; contour1, contour2, ... are different random contours",
            )
        )


def _by_scan(cohort: Cohort) -> list[tuple[Case, ...]]:
    return [tuple(cases) for _, cases in groupby(cohort.cases, key=lambda case: case.scan.scan_id)]


def _works(
    by_scan: Sequence[tuple[Case, ...]],
    perturbations: Sequence[Perturbation],
    references: References,
    workers: int,
) -> list[Work]:
    """Share out the perturbations of a scan when there are fewer scans than workers."""
    shares = -(-workers // max(1, len(by_scan)))
    parts = [part for start in range(shares) if (part := tuple(perturbations[start::shares]))]
    known = [(cases[0].scan, cases, references.get(cases[0].scan.scan_id, ())) for cases in by_scan]
    return [Work(scan, cases, part, own) for scan, cases, own in known for part in parts]


def _run(
    work: Work, *, params: Mapping[str, ExtractionParams], seed: int, store: Cache | None
) -> tuple[list[Case], Found]:
    """Compute one scan; runs in a worker."""
    try:
        fitted = steps_for(work.scan, params)
        compile_ahead(fitted)
        preprocessing = params[work.scan.sequence].preprocessing
        prepared = read_prepared(work.scan, preprocessing, work.references)
    except RadiomicsVertError as error:
        cases = [_renamed(case, one) for one in work.perturbations for case in work.cases]
        return cases, {(case.case_id, ""): Outcome(problem=error.problems[0]) for case in cases}
    reference = reference_digest(work.scan, preprocessing, work.references)
    steps = Steps(fitted, store, reference)
    found: list[Case] = []
    outcomes: Found = {}
    # The last bit of a matrix product can depend on the number of threads, and so on the workers.
    with threadpool_limits(limits=1):
        for one in work.perturbations:
            cases, part = _perturbed(work, one, prepared, steps, seed)
            found += cases
            outcomes |= part
    return found, outcomes


def _perturbed(
    work: Work, one: Perturbation, prepared: PreparedScan, steps: Steps, seed: int
) -> tuple[list[Case], Found]:
    """Perturb the masks of one scan in one way, and compute its vertebrae."""
    labels = {case.label: case.case_id for case in work.cases}
    before = LabelMap(prepared.volumes.labels)
    changed = perturb(before, one, labels, axis=slice_axis(before.geometry.spacing), seed=seed)
    # Regions as a reader of the changed mask would find them: in voxels of the file.
    regions = label_regions(LabelMap(prepared.as_in_file(changed.volume)), labels.keys())
    cases: list[Case] = []
    outcomes: Found = {}
    for original in work.cases:
        case, region = _renamed(original, one), regions.get(original.label)
        if region is None:
            outcomes[case.case_id, ""] = Outcome(problem=_vanished(original, one))
            cases.append(replace(case, voxels=0))
            continue
        facts = {name: value for name, value in vars(region).items() if name not in ("label", "digest")}
        case = replace(case, mask_digest=region.digest, **facts)
        cases.append(case)
        for name, outcome in steps.compute(prepared, case, changed).items():
            outcomes[case.case_id, name] = outcome
    return cases, outcomes


def _case_id(case: Case, one: Perturbation) -> str:
    return f"{case.case_id}_{one.name}"


def _renamed(case: Case, one: Perturbation) -> Case:
    rater = RATER_SEPARATOR.join(filter(None, (case.scan.rater, one.name)))
    scan = replace(case.scan, scan_id=f"{case.scan.scan_id}_{one.name}", rater=rater)
    return replace(case, case_id=_case_id(case, one), scan=scan)


def _vanished(case: Case, one: Perturbation) -> Problem:
    return Problem(
        "RV207",
        f"voxels of the vertebra after {one.name}",
        f"none of {case.voxels} left",
        _case_id(case, one),
        "the vertebra is too small for this perturbation: check its mask, or leave the perturbation out",
    )
