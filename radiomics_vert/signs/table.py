"""The signs of a cohort: scan by scan, in parallel, with a cache, and a row for every case."""

from __future__ import annotations

import logging
import time
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from importlib import resources
from itertools import groupby
from pathlib import Path
from typing import Any

import pandas as pd
from threadpoolctl import threadpool_limits

from radiomics_vert import parallel
from radiomics_vert.cohort import Case, Cohort, Refusal, Scan
from radiomics_vert.cohort.loading import mask_digest
from radiomics_vert.content_cache import NEVER, ContentCache
from radiomics_vert.errors import Problem, RadiomicsVertError
from radiomics_vert.feature_table import IDENTITY, FeatureTable
from radiomics_vert.provenance import Provenance, run_facts, versions
from radiomics_vert.signs.loading import load_sign_scan
from radiomics_vert.signs.measuring import measure_scan
from radiomics_vert.signs.norms import Tables
from radiomics_vert.signs.registry import SEQUENCES, registry
from radiomics_vert.signs.results import ScanSigns
from radiomics_vert.storage import digest, sha256_file, write_table

logger = logging.getLogger("radiomics_vert.signs")

PREFIX = "sign_"
"""Begins the column of a sign in tables of features, so that a sign is never taken for texture."""
RELEASE = 9
"""Raised when a definition changes, so that the cache of older values is left behind."""
_PROBLEM = ("code", "title", "expected", "found", "where", "remedy")


@dataclass(frozen=True)
class SignTable:
    """Signs of a cohort.

    Parameters
    ----------
    features : FeatureTable
        A column `sign_<name>` for every sign that at least one case has; NaN where it is absent. Its
        diagnostics say, per case, where the body comes from, how good the frame is, and which vertebrae
        were the references.
    absences : DataFrame
        One row per absent value: `case_id`, `sign`, `code`, `reason`.
    """

    features: FeatureTable
    absences: pd.DataFrame

    def of(self, cohort: Cohort) -> SignTable:
        """Return the rows of a part of the cohort, with the same promise: every case is a row."""
        kept = {case.case_id for case in cohort.cases} | {refusal.case_id for refusal in cohort.refused}
        whole = self.features
        values, failures, facts = (
            frame[frame["case_id"].isin(kept)].reset_index(drop=True)
            for frame in (whole.values, whole.failures, whole.diagnostics)
        )
        part = FeatureTable(values, failures, facts, len(cohort), whole.provenance)
        absences = self.absences[self.absences["case_id"].isin(kept)].reset_index(drop=True)
        return SignTable(part, absences)

    def save(self, folder: Path) -> None:
        """Write the table of features and `absences.csv`."""
        self.features.save(folder)
        write_table(self.absences, folder / "absences.csv")

    @classmethod
    def load(cls, folder: Path) -> SignTable:
        """Read what :meth:`save` wrote."""
        return cls(FeatureTable.load(folder), pd.read_csv(folder / "absences.csv", keep_default_na=False))


@dataclass(frozen=True)
class Work:
    """One scan to measure.

    Parameters
    ----------
    cases : tuple of Case
        All its vertebrae.
    sequence : str
        As the registry spells it.
    companions : mapping of str to Scan
        Further images on the same grid, by sequence.
    fractured : frozenset of int
        Labels that the study knows to be fractured: never a reference.
    tables : Tables
        Of the patient: calibration and norm.
    """

    cases: tuple[Case, ...]
    sequence: str
    companions: Mapping[str, Scan]
    fractured: frozenset[int]
    tables: Tables = field(default_factory=dict)

    def content(self) -> dict[str, Any]:
        """Return all that determines the values."""
        scan = self.cases[0].scan
        return {
            "image": scan.image_digest,
            "mask": digest([mask_digest(scan), [case.mask_digest for case in self.cases]]),
            "subregions": sha256_file(scan.subregions) if scan.subregions else "",
            "cases": {case.case_id: case.label for case in self.cases},
            "companions": {name: other.image_digest for name, other in sorted(self.companions.items())},
            "fractured": sorted(self.fractured),
            "tables": {name: dict(self.tables[name]) for name in sorted(self.tables)},
            "definitions": {"sequence": self.sequence, "release": str(RELEASE), "registry": _registry()},
        }


def measure_signs(
    cohort: Cohort,
    *,
    sequences: Mapping[str, str] | None = None,
    fractured: set[str] | None = None,
    tables: Mapping[str, Tables] | None = None,
    n_jobs: int = 1,
    cache: Path | None = None,
    progress: parallel.Progress | None = None,
) -> SignTable:
    """Measure the imaging signs of every vertebra of a cohort.

    The unit is the scan, because signs compare a vertebra with its unfractured neighbours.

    Parameters
    ----------
    cohort : Cohort
        With all vertebrae of each mask; leaving neighbours out changes the references.
    sequences : mapping of str to str, optional
        From the sequences of the image table to those of the registry (`CT`, `T1`, `T2`, `STIR`,
        `T1_CONTRAST`, `ADC`, `IN_PHASE`, `OPPOSED_PHASE`, `FAT_FRACTION`); by default a sequence that the
        registry knows is taken as it is, and any other has the signs of every sequence only.
    fractured : set of str, optional
        Case ids that are no reference vertebrae whatever their shape; by default the vertebrae that have a
        clinical row of their own level.
    tables : mapping of str to Tables, optional
        By subject id, calibration and norm of :func:`radiomics_vert.signs.norms.patient_tables`; without
        them vBMD and the loss against a norm are absent.
    n_jobs : int, default 1
        Workers; the values do not depend on it.
    cache : Path, optional
        Folder of results by content, as of :func:`radiomics_vert.extract`.
    progress : callable, optional
        Called with (done, total) after each scan.

    Returns
    -------
    SignTable
        A scan that cannot be read, and a vertebra without a frame, are failures with their reason.
    """
    started = time.monotonic()
    works = scan_works(cohort, sequences, fractured, tables)
    store = ContentCache(cache / "signs") if cache is not None else None
    found = parallel.run(partial(_measure, store=store), works, n_jobs=n_jobs, progress=progress)
    used = Counter(reason for _, reason in found)
    for work, (_, reason) in zip(works, found, strict=True):
        logger.info("%s: signs: %s", work.cases[0].scan.scan_id, reason or "from the cache")
    origins = {
        "signs": {"release": RELEASE, "registry": _registry()},
        "manifest": cohort.manifest_digest,
        "versions": versions(),
    }
    hits = {"hits": used.pop("", 0), "misses": used.total(), "reasons": dict(used)}
    run = {**run_facts(), "n_jobs": n_jobs, "seconds": round(time.monotonic() - started, 3), "cache": hits}
    return _assemble(cohort, works, [result for result, _ in found], Provenance(origins, run))


def sign_column(name: str) -> str:
    """Return the column of a sign in tables of features."""
    return PREFIX + name


def _registry() -> str:
    return digest((resources.files("radiomics_vert.signs") / "registry.yaml").read_text("utf-8"))


def _known_fractures(cohort: Cohort) -> set[str]:
    if not cohort.unlabelled:
        return set()
    return {case.case_id for case in cohort.cases} - set(cohort.unlabelled)


def scan_works(
    cohort: Cohort,
    sequences: Mapping[str, str] | None = None,
    fractured: set[str] | None = None,
    tables: Mapping[str, Tables] | None = None,
) -> list[Work]:
    """Return what each scan of a cohort is measured from, in its order.

    Parameters
    ----------
    cohort, sequences, fractured, tables
        As of :func:`measure_signs`.
    """
    fractured = _known_fractures(cohort) if fractured is None else fractured
    sequences = sequences or {}
    groups = [tuple(group) for _, group in groupby(cohort.cases, key=lambda case: case.scan.scan_id)]
    spelt = {scan.sequence: _spelt(scan.sequence, sequences) for scan in cohort.scans}
    together: dict[tuple[str, str, str], list[Scan]] = defaultdict(list)
    for scan in cohort.scans:
        together[scan.subject_id, scan.session, scan.rater].append(scan)
    works = []
    for cases in groups:
        scan = cases[0].scan
        others = {
            spelt[other.sequence]: other
            for other in together[scan.subject_id, scan.session, scan.rater]
            if other.scan_id != scan.scan_id and spelt[other.sequence] in SEQUENCES
        }
        broken = frozenset(case.label for case in cases if case.case_id in fractured)
        works.append(
            Work(cases, spelt[scan.sequence], others, broken, (tables or {}).get(scan.subject_id, {}))
        )
    return works


def _spelt(sequence: str, sequences: Mapping[str, str]) -> str:
    return sequences.get(sequence, sequence).upper()


def _measure(work: Work, *, store: ContentCache | None) -> tuple[dict[str, Any], str]:
    """Return the signs of one scan as plain values, and why they were computed; runs in a worker."""
    name = (work.cases[0].scan.scan_id, "signs")
    try:
        content = work.content()
        reason = NEVER
        if store is not None:
            entry = store.load(content)
            if entry is not None:
                return entry, ""
            reason = store.reason(content, name)
        # The last bit of a matrix product can depend on the number of threads, and so on the workers.
        with threadpool_limits(limits=1):
            scan = load_sign_scan(work.cases, work.companions, fractured=work.fractured, tables=work.tables)
            entry = _plain(measure_scan(scan, work.sequence))
        if store is not None:
            store.store(content, name, entry)
        return entry, reason
    except RadiomicsVertError as error:
        return {"problem": vars(error.problems[0])}, error.problems[0].code
    except OSError as error:
        remedy = "check that the file can be opened, its permissions and the disk"
        problem = Problem("RV202", "a readable file", error.strerror or "no access", name[0], remedy)
        return {"problem": vars(problem)}, problem.code


def _plain(signs: ScanSigns) -> dict[str, Any]:
    values = signs.values.astype(object).where(signs.values.notna(), None)
    facts = signs.facts.astype(object).where(signs.facts.notna(), None)
    return {
        "values": values.to_dict("records"),
        "absences": signs.absences.to_dict("records"),
        "facts": facts.to_dict("records"),
    }


def _assemble(
    cohort: Cohort, works: Sequence[Work], found: Sequence[Mapping[str, Any]], provenance: Provenance
) -> SignTable:
    values, failures, facts, absences = [], [], [], []
    for work, result in zip(works, found, strict=True):
        if "problem" in result:
            problem = Problem(**result["problem"])
            failures += [Refusal.of_case(case, problem).row() for case in work.cases]
            continue
        measured = {row["case_id"]: row for row in result["values"]}
        about = {row["case_id"]: row for row in result["facts"]}
        why = {row["case_id"]: row for row in reversed(result["absences"])}
        absences += result["absences"]
        for case in work.cases:
            facts.append({**case.identity(), **_without_identity(about[case.case_id])})
            if about[case.case_id]["frame"] == "none":
                failures.append(Refusal.of_case(case, _no_frame(case, why[case.case_id])).row())
                continue
            row = measured[case.case_id]
            values.append({**case.identity(), **{sign_column(name): row[name] for name in registry()}})
    failures += [refusal.row() for refusal in cohort.refused]
    columns = [*IDENTITY, *(sign_column(name) for name in registry())]
    table = pd.DataFrame(values, columns=columns)
    signs = columns[len(IDENTITY) :]
    table[signs] = table[signs].astype(float)
    kept = [name for name in signs if table[name].notna().any()]
    return SignTable(
        FeatureTable(
            table[[*IDENTITY, *kept]],
            pd.DataFrame(failures, columns=[*IDENTITY, *_PROBLEM]),
            pd.DataFrame(facts) if facts else pd.DataFrame(columns=list(IDENTITY)),
            len(cohort),
            provenance,
        ),
        pd.DataFrame(absences, columns=["case_id", "sign", "code", "reason"]),
    )


def _without_identity(row: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in row.items() if name not in IDENTITY}


def _no_frame(case: Case, absence: Mapping[str, str]) -> Problem:
    remedy = "look at the mask of this vertebra on its page of quality control"
    return Problem(
        absence["code"], "a vertebral body whose axes can be found", absence["reason"], case.case_id, remedy
    )
