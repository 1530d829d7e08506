"""Read a cohort: image table + clinical table -> scans, vertebrae, and what could not be used."""

from __future__ import annotations

import hashlib
import logging
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TypeVar

import pandas as pd

from radiomics_vert.cohort.clinical import match_clinical, read_clinical
from radiomics_vert.cohort.examination_cache import (
    ExaminationCache,
    Examined,
    Record,
    examine_to_record,
    from_record,
)
from radiomics_vert.cohort.manifest import Manifest
from radiomics_vert.cohort.nouns import Cohort, Scan
from radiomics_vert.cohort.pseudonyms import read_secret
from radiomics_vert.cohort.scheme_parsing import REGIONS
from radiomics_vert.cohort.schemes import LabelScheme, load_scheme
from radiomics_vert.errors import CohortError, Problem, RadiomicsVertError, raise_all
from radiomics_vert.parallel import Progress, stream
from radiomics_vert.storage import sha256_file

log = logging.getLogger("radiomics_vert.cohort")

Value = TypeVar("Value")
_DUPLICATE_COLUMNS = ["file", "digest", "scan_id", "subject_id", "session", "sequence", "rater"]


def read_cohort(
    images: str | Path,
    clinical: str | Path | None = None,
    *,
    scheme: LabelScheme | str | Path | None = None,
    region: str = "vertebra",
    hash_ids: str | Path | None = None,
    n_jobs: int = 1,
    cache: Path | None = None,
    progress: Progress | None = None,
) -> Cohort:
    """Read the image table and the clinical table, and find the vertebrae in every mask.

    Parameters
    ----------
    images : str or Path
        Table (CSV, TSV, XLSX, Parquet) with `subject_id, sequence, image, mask` and optionally `series,
        scheme, threshold, subregions, subregions_scheme, rater, session, site`; further columns are kept
        as facts of the scan. Paths are relative to the folder of the table; several mask files, one per
        vertebra, are separated by `;`.
    clinical : str or Path, optional
        See :func:`read_clinical`.
    scheme : LabelScheme, str or Path, optional
        What the numbers in the masks mean (see :func:`load_scheme`); the column `scheme` overrides it.
    region : {"vertebra", "body"}, default "vertebra"
        What is measured. `body` needs the column `subregions`, or a scheme of bodies. Masks of bodies are
        always measured as bodies.
    hash_ids : str or Path, optional
        File with a secret: every subject id becomes a pseudonym (see :func:`pseudonym`) before anything else
        is done, in both tables alike.
    n_jobs : int, default 1
        Worker processes; the result does not depend on it.
    cache : Path, optional
        Folder of what was found in each scan, the same as for :func:`radiomics_vert.extract`. A scan whose
        files have the same paths, sizes, times and inodes as then, and whose row says the same, is not
        opened again; the result does not depend on it. The log `radiomics_vert.cohort` says how many.
    progress : callable, optional
        Called with (done, total) after each scan that is examined.

    Returns
    -------
    Cohort
        A scan that cannot be used is listed in `refused` with the reason, and does not stop the others.

    Raises
    ------
    CohortError
        The tables or a label scheme are wrong: one error with all problems, each with its file and line.

    Examples
    --------
    >>> cohort = read_cohort("images.csv", "clinical.csv", scheme="totalsegmentator")  # doctest: +SKIP
    """
    problems: list[Problem] = []
    if region not in REGIONS:
        remedy = "choose one of the two"
        problems.append(Problem("RV602", "vertebra or body", repr(region), "region", remedy))
    default = _collect(lambda: _as_scheme(scheme), problems)
    secret = _collect(lambda: read_secret(hash_ids), problems) if hash_ids else b""
    manifest = Manifest(Path(images), default, region, secret or b"")
    if default is not None or scheme is None:
        _collect(manifest.read, problems)
    problems.extend(manifest.problems)
    table = None if clinical is None else _collect(lambda: read_clinical(clinical, secret or b""), problems)
    raise_all(CohortError, problems)
    return _examine_all(manifest, pd.DataFrame() if table is None else table, n_jobs, cache, progress)


def _as_scheme(scheme: LabelScheme | str | Path | None) -> LabelScheme | None:
    return scheme if scheme is None or isinstance(scheme, LabelScheme) else load_scheme(scheme)


def _collect(step: Callable[[], Value], problems: list[Problem]) -> Value | None:
    """Run one step; its problems join the others, so that the user sees all faults at once."""
    try:
        return step()
    except RadiomicsVertError as error:
        problems.extend(error.problems)
        return None


def _examine_all(
    manifest: Manifest, clinical: pd.DataFrame, n_jobs: int, cache: Path | None, progress: Progress | None
) -> Cohort:
    examined = _examined(manifest.scans, n_jobs, cache, progress)
    cases = tuple(case for found, _ in examined for case in found)
    unmatched, unlabelled = match_clinical(cases, clinical) if len(clinical) else (pd.DataFrame(), ())
    return Cohort(
        scans=tuple(found[0].scan for found, _ in examined if found),
        cases=cases,
        refused=tuple(refusal for _, refused in examined for refusal in refused),
        clinical=clinical,
        unmatched_clinical=unmatched,
        unlabelled=unlabelled,
        manifest_digest=sha256_file(manifest.path),
    )


def _examined(
    scans: Sequence[Scan], n_jobs: int, cache: Path | None, progress: Progress | None
) -> list[Examined]:
    """Return what is in each scan: from the cache, or by examining it.

    A record lives only until it is turned into cases: of a large cohort, all records need more memory than
    all cases.
    """
    store = None if cache is None else ExaminationCache.at(cache)
    known = [None if store is None else _known(store, scan) for scan in scans]
    unknown = [scan for scan, found in zip(scans, known, strict=True) if found is None]
    if store is not None:
        unchanged = len(scans) - len(unknown)
        log.info("%d of %d scans did not change and were not opened again", unchanged, len(scans))
    records = stream(examine_to_record, unknown, n_jobs=n_jobs, progress=progress)
    fresh = iter([_kept(store, scan, record) for scan, record in zip(unknown, records, strict=True)])
    return [next(fresh) if found is None else found for found in known]


def _known(store: ExaminationCache, scan: Scan) -> Examined | None:
    record = store.load(scan)
    return None if record is None else from_record(scan, record)


def _kept(store: ExaminationCache | None, scan: Scan, record: Record) -> Examined:
    if store is not None:
        store.store(scan, record)
    return from_record(scan, record)


def duplicate_images(cohort: Cohort) -> pd.DataFrame:
    """Return the scans that share an image or a mask where none should be shared.

    One image outlined by several raters, and one mask used for several sequences of one session, are
    in order and not listed.

    Parameters
    ----------
    cohort : Cohort
        What :func:`read_cohort` returned.

    Returns
    -------
    DataFrame
        One row per scan and shared file: `file` (`image` or `mask`), `digest` (equal within a group),
        `scan_id, subject_id, session, sequence, rater`. Images are compared by the bytes of their files,
        masks by geometry and voxels of their vertebrae, whatever their numbers.
    """
    images = [(scan.image_digest, scan) for scan in cohort.scans]
    parts: dict[str, list[str]] = defaultdict(list)
    for case in cohort.cases:
        parts[case.scan.scan_id].append(case.mask_digest)
    masks = [(_joined_digest(parts[scan.scan_id]), scan) for scan in cohort.scans]
    rows = [
        *_shared("image", images, ("subject_id", "session", "sequence")),
        *_shared("mask", masks, ("subject_id", "session", "rater")),
    ]
    return pd.DataFrame(rows, columns=_DUPLICATE_COLUMNS)


def _joined_digest(parts: list[str]) -> str:
    return hashlib.sha256("".join(sorted(parts)).encode("ascii")).hexdigest()


def _shared(file: str, digests: list[tuple[str, Scan]], apart: tuple[str, ...]) -> Iterator[dict[str, str]]:
    groups: dict[str, list[Scan]] = {}
    for digest, scan in digests:
        groups.setdefault(digest, []).append(scan)
    for digest, scans in groups.items():
        if len({tuple(getattr(scan, name) for name in apart) for scan in scans}) > 1:
            for scan in scans:
                identity = {name: getattr(scan, name) for name in _DUPLICATE_COLUMNS[2:]}
                yield {"file": file, "digest": digest, **identity}
