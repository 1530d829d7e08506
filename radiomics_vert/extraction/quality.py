"""Quality of each vertebra before any feature: sizes, grey values, grey levels, neighbours."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from itertools import groupby, pairwise
from typing import Any

import numpy as np
import pandas as pd
import SimpleITK as sitk
from scipy import ndimage

from radiomics_vert import parallel
from radiomics_vert.cohort import Case, Cohort, Level, Scan, duplicate_images, reference_cases
from radiomics_vert.errors import Problem, RadiomicsVertError
from radiomics_vert.extraction.engine import Volumes
from radiomics_vert.extraction.engines import engine_version
from radiomics_vert.extraction.extracting import params_by_sequence, steps_for
from radiomics_vert.extraction.params import ExtractionParams
from radiomics_vert.extraction.preparing import (
    PreparedScan,
    compute_case,
    orientation_of,
    prepare,
    read_prepared,
    read_volumes,
    reference_digest,
)
from radiomics_vert.extraction.preprocessing import Preprocessing
from radiomics_vert.feature_table import IDENTITY
from radiomics_vert.imaging import Geometry
from radiomics_vert.imaging.orientation import obliquity, patient_axes, plane_across
from radiomics_vert.imaging.preprocessing import slice_axis

# HU: above lie cement and metal. Below -200 HU lies gas [O]; no published threshold is known to us.
HARDWARE_HU = 1500.0
GAS_HU = -200.0
CONNECTED = np.ones((3, 3, 3), dtype=bool)
# Levels that most people do not have; going past one of them skips nothing.
EXTRA_LEVELS = frozenset({Level.T13, Level.L6, Level.L7})
# [O] A gap is compared with up to so many gaps nearest to it.
NEAREST_GAPS = 4

MEASURES = (
    *("voxels", "voxels_resampled", "volume_ml", "grey_levels", "clipped_share"),
    *("components", "largest_share", "touches_border", "slices"),
    *("spacing_x", "spacing_y", "spacing_z", "obliquity_degrees", "slice_plane"),
    *("image_minimum", "image_maximum", "intensity_median", "intensity_iqr", "constant"),
    *("hardware_share", "gas_ml", "volume_ratio", "gap_mm", "gap_ratio", "levels_skipped", "in_order"),
    *("duplicate_of", "problem", "problem_found", "problem_remedy"),
)
COLUMNS = ("scan_id", *IDENTITY, *MEASURES)
MEASURING = 2
"""Version of the measures: raised with every change of what they mean, so that caches are not read."""

Row = dict[str, object]


def is_ct(sequence: str) -> bool:
    """Tell whether a sequence of the image table is computed tomography, so that its values are HU.

    Examples
    --------
    >>> [is_ct(name) for name in ("CT", "ct_venous", "LDCT", "T1", "contrast")]
    [True, True, True, False, False]
    """
    return re.search(r"(?<![A-Z])(LD|CB|Q|HR|PC|PCD)?CTA?(?![A-Z])", sequence.upper()) is not None


def measure_quality(
    cohort: Cohort,
    params: ExtractionParams | Mapping[str, ExtractionParams] | None = None,
    *,
    n_jobs: int = 1,
    progress: parallel.Progress | None = None,
) -> pd.DataFrame:
    """Measure the quality of every vertebra of a cohort; no feature is computed.

    Parameters
    ----------
    cohort : Cohort
        What :func:`radiomics_vert.read_cohort` returned.
    params : ExtractionParams or mapping of str to ExtractionParams, optional
        As for :func:`radiomics_vert.extract`; without them the columns that depend on them are empty.
    n_jobs : int, default 1
        Workers; the table does not depend on it.
    progress : callable, optional
        Called with (done, total) after each scan.

    Returns
    -------
    DataFrame
        One row per case in the order of the cohort: :data:`COLUMNS`. `volume_ml` is counted on the
        image's own voxels; `voxels_resampled`, `grey_levels` and `clipped_share` are those of the
        original image under the parameters, grey levels counted before any bias correction.
        `hardware_share` and `gas_ml` are for CT only. `volume_ratio`
        is the volume over the mean of the neighbours', `gap_mm` the distance to the centre of the next
        vertebra below, `gap_ratio` that over the median of the gaps around it. `problem` is the code of
        what would keep the case from being extracted.
    """
    chosen = None if params is None else params_by_sequence(cohort, params)
    references = reference_cases(cohort)
    works = [
        ScanWork(cases, cases, references.get(scan_id, ()))
        for scan_id, cases in cases_by_scan(cohort).items()
    ]
    rows = parallel.run(partial(_measured, params=chosen), works, n_jobs=n_jobs, progress=progress)
    return quality_table(cohort, [row for found in rows for row in found])


@dataclass(frozen=True)
class ScanWork:
    """The vertebrae of one scan.

    Parameters
    ----------
    wanted : tuple of Case
        Those to measure; at least one.
    around : tuple of Case
        All, as neighbours to compare with.
    references : tuple of Case
        Reference vertebrae, for parameters that want them.
    """

    wanted: tuple[Case, ...]
    around: tuple[Case, ...]
    references: tuple[Case, ...] = ()

    @property
    def scan(self) -> Scan:
        """The scan."""
        return self.wanted[0].scan


def cases_by_scan(cohort: Cohort) -> dict[str, tuple[Case, ...]]:
    """Return the cases of each scan id."""
    grouped = groupby(cohort.cases, key=lambda case: case.scan.scan_id)
    return {scan_id: tuple(cases) for scan_id, cases in grouped}


def quality_table(cohort: Cohort, rows: Sequence[Row]) -> pd.DataFrame:
    """Put the rows of all scans together and name the scans that share an image or a mask.

    Parameters
    ----------
    cohort : Cohort
        Where the rows come from.
    rows : sequence of dict
        What :func:`scan_quality` returned, scan by scan.
    """
    shared = duplicate_images(cohort)
    twins: dict[str, dict[str, None]] = {}
    for _, group in shared.groupby("digest", sort=False):
        for scan in group["scan_id"]:
            others = twins.setdefault(str(scan), {})
            others |= dict.fromkeys(str(other) for other in group["scan_id"] if other != scan)
    table = pd.DataFrame(list(rows), columns=list(COLUMNS))
    table["duplicate_of"] = ["; ".join(twins.get(str(scan), {})) for scan in table["scan_id"]]
    return table


def _measured(work: ScanWork, params: Mapping[str, ExtractionParams] | None) -> list[Row]:
    """Measure the cases of one scan; runs in a worker."""
    try:
        held = [read_volumes(work.scan)]
    except RadiomicsVertError as error:
        return unreadable(work.wanted, error.problems[0])
    return scan_quality(held.pop(), work, params)


def unreadable(cases: Sequence[Case], problem: Problem) -> list[Row]:
    """Return the rows of a scan whose files can no longer be read."""
    return [{"scan_id": case.scan.scan_id, **case.identity(), **_told(problem)} for case in cases]


def scan_quality(
    volumes: Volumes, work: ScanWork, params: Mapping[str, ExtractionParams] | None
) -> list[Row]:
    """Measure the quality of some vertebrae of one scan.

    Parameters
    ----------
    volumes : Volumes
        Image and vertebra label map of the scan, as the files have them.
    work : ScanWork
        The vertebrae.
    params : mapping of str to ExtractionParams or None
        Per sequence.

    Returns
    -------
    list of dict
        One row per wanted case, with the columns of :func:`measure_quality` but `duplicate_of`.
    """
    scan, geometry = work.scan, Geometry.of(volumes.image)
    whole = _scan_facts(volumes.image, geometry)
    around = neighbourhood(work.around, geometry)
    plain = None if params is None else {name: _plainest(own) for name, own in params.items()}
    own = None if plain is None else plain.get(scan.sequence)
    rows = [
        {"scan_id": scan.scan_id, **case.identity(), **whole, **_region_facts(volumes, case, geometry)}
        for case in work.wanted
    ]
    held = [volumes]
    del volumes  # what the caller does not keep either is moved, not copied
    try:
        prepared = None if own is None else _prepared(held, geometry, work, own.preprocessing)
    except RadiomicsVertError as error:
        return unreadable(work.wanted, error.problems[0])
    return [
        {**row, **_prepared_facts(prepared, case, plain), **around.get(case.case_id, {})}
        for case, row in zip(work.wanted, rows, strict=True)
    ]


def _prepared(
    held: list[Volumes], geometry: Geometry, work: ScanWork, preprocessing: Preprocessing
) -> PreparedScan:
    """Take a scan out of a list and prepare it, or read it again where that needs less memory."""
    if orientation_of(geometry, preprocessing).keeps_axes:
        return prepare(work.scan, held.pop(), preprocessing, work.references)
    # An image is in memory twice while its axes change places; the mask need not be there as well.
    held.clear()
    return read_prepared(work.scan, preprocessing, work.references)


def _scan_facts(volume: sitk.Image, geometry: Geometry) -> Row:
    voxels = sitk.GetArrayViewFromImage(volume)
    axis = slice_axis(geometry.spacing)
    return {
        **dict(zip(("spacing_x", "spacing_y", "spacing_z"), geometry.spacing, strict=True)),
        "obliquity_degrees": obliquity(geometry),
        "slice_plane": "" if axis is None else plane_across(geometry, axis),
        "image_minimum": float(voxels.min()),
        "image_maximum": float(voxels.max()),
    }


def _region_facts(volumes: Volumes, case: Case, geometry: Geometry) -> Row:
    """Return what the vertebra's own voxels tell, before any resampling."""
    x0, x1, y0, y1, z0, z1 = case.box
    box = (slice(z0, z1), slice(y0, y1), slice(x0, x1))
    inside = sitk.GetArrayViewFromImage(volumes.labels)[box] == case.label
    values = sitk.GetArrayViewFromImage(volumes.image)[box][inside].astype(np.float64)
    low, middle, high = np.percentile(values, (25, 50, 75))
    axis = slice_axis(geometry.spacing)
    through = patient_axes(geometry)[2][0] if axis is None else axis
    facts: Row = {
        "voxels": case.voxels,
        "volume_ml": case.voxels * geometry.voxel_volume / 1000.0,
        "components": case.components,
        "largest_share": _largest_share(inside) if case.components > 1 else 1.0,
        "touches_border": case.touches_border,
        "slices": case.box[2 * through + 1] - case.box[2 * through],
        "intensity_median": float(middle),
        "intensity_iqr": float(high - low),
        "constant": bool(values.min() == values.max()),
    }
    if is_ct(case.scan.sequence):
        facts["hardware_share"] = float((values > HARDWARE_HU).mean())
        facts["gas_ml"] = int((values < GAS_HU).sum()) * geometry.voxel_volume / 1000.0
    return facts


def _largest_share(inside: np.ndarray) -> float:
    sizes = np.bincount(ndimage.label(inside, structure=CONNECTED)[0].ravel())[1:]
    return float(sizes.max() / sizes.sum())


def _prepared_facts(
    prepared: PreparedScan | None, case: Case, params: Mapping[str, ExtractionParams] | None
) -> Row:
    """Return what the extraction would work on: voxels and grey levels of the original image."""
    if params is None:
        return _told(None)
    try:
        steps = steps_for(case.scan, params)
    except RadiomicsVertError as error:
        return _told(error.problems[0])
    if prepared is None:
        return _told(None)
    ((_, outcome),) = compute_case(prepared, case, steps)
    names = ("voxels_resampled", "grey_levels", "clipped_share")
    known = {name: outcome.diagnostics[name] for name in names if name in outcome.diagnostics}
    return {**known, **_told(outcome.problem)}


def _plainest(params: ExtractionParams) -> ExtractionParams:
    """Return the parameters reduced to one cheap number of the original image.

    N4 would take most of the time of a check, and moves the number of grey levels by far less than its
    limits (16 and 256) are apart.
    """
    return replace(
        params,
        image_types={"Original": dict(params.image_types.get("Original", {}))},
        feature_classes={"firstorder": ("Minimum",)},
        preprocessing=replace(params.preprocessing, bias_correction="none"),
        engine="pyradiomics",  # nothing to compile before the first answer
    )


def measured_content(work: ScanWork, params: Mapping[str, ExtractionParams] | None) -> dict[str, Any]:
    """Return all that the measures of a scan depend on, as plain values: the key of a cache.

    Parameters
    ----------
    work : ScanWork
        The vertebrae.
    params : mapping of str to ExtractionParams or None
        Per sequence.
    """
    own = None if params is None else params.get(work.scan.sequence)
    return {
        "version": MEASURING,
        "engine": {} if own is None else dict(engine_version("pyradiomics")),
        "image": work.scan.image_digest,
        "wanted": [case.case_id for case in work.wanted],
        "around": [[*case.identity().values(), case.mask_digest] for case in work.around],
        "parameters": "none" if params is None else [] if own is None else _steps_content(own),
        "reference": "" if own is None else reference_digest(work.scan, own.preprocessing, work.references),
    }


def _steps_content(params: ExtractionParams) -> list[dict[str, Any]]:
    return [dict(step.content()) for step in _plainest(params).steps()]


def _told(problem: Problem | None) -> Row:
    if problem is None:
        return {"problem": "", "problem_found": "", "problem_remedy": ""}
    return {
        "problem": problem.code,
        "problem_found": problem.found,
        "problem_remedy": problem.remedy,
    }


@dataclass(frozen=True)
class _Gap:
    """The distance from one vertebra to the next below."""

    upper: Case
    lower: Case
    mm: float
    skipped: int
    downwards: bool

    @property
    def per_level(self) -> float:
        """Millimetres per level, as if skipped levels were evenly spaced."""
        return self.mm / (self.skipped + 1)


def neighbourhood(cases: Sequence[Case], geometry: Geometry) -> dict[str, Row]:
    """Compare each vertebra with its neighbours in the scan.

    Parameters
    ----------
    cases : sequence of Case
        All vertebrae of one scan. Those without a level, the sacrum and the coccyx are passed over, and
        so are distances to vertebrae that are cut off by the border.
    geometry : Geometry
        Of the image.

    Returns
    -------
    dict of str to dict
        Case id -> `volume_ratio, gap_mm, gap_ratio, levels_skipped, in_order`; absent where there is
        nothing to compare with.
    """
    named = sorted((case for case in cases if _comparable(case)), key=lambda case: case.level.order)  # type: ignore[union-attr]
    found: dict[str, Row] = {case.case_id: {} for case in cases}
    for case in named:
        around = [other.voxels for other in named if _adjacent(case, other) and not other.touches_border]
        if around and not case.touches_border:
            found[case.case_id]["volume_ratio"] = case.voxels / float(np.mean(around))
    gaps = _gaps(named, geometry)
    for position, gap in enumerate(gaps):
        facts = found[gap.upper.case_id]
        facts |= {"levels_skipped": gap.skipped, "in_order": gap.downwards}
        if gap.upper.touches_border or gap.lower.touches_border:
            continue
        facts["gap_mm"] = gap.mm
        usual = _usual_gap(gaps, position)
        if usual is not None:
            facts["gap_ratio"] = gap.per_level / usual
    return found


def _comparable(case: Case) -> bool:
    return case.level is not None and case.level.region not in ("sacral", "coccygeal")


def skipped_levels(upper: Level, lower: Level) -> list[Level]:
    """Return the levels between two, without those that most people do not have.

    Examples
    --------
    >>> skipped_levels(Level.T12, Level.L1), skipped_levels(Level.L1, Level.L3)
    ([], [<Level.L2: 'L2'>])
    """
    return [level for level in Level if upper < level < lower and level not in EXTRA_LEVELS]


def _adjacent(case: Case, other: Case) -> bool:
    if case.level is None or other.level is None or case.level is other.level:
        return False
    return not skipped_levels(*sorted((case.level, other.level)))


def _gaps(named: Sequence[Case], geometry: Geometry) -> list[_Gap]:
    if len(named) < 2:
        return []
    matrix = np.array(geometry.direction).reshape(3, 3) * np.array(geometry.spacing)
    boxes = np.array([case.box for case in named], dtype=float)
    centres = ((boxes[:, ::2] + boxes[:, 1::2] - 1) / 2) @ matrix.T
    along = centres[-1] - centres[0]
    gaps = []
    for (first, upper), (second, lower) in pairwise(enumerate(named)):
        step = centres[second] - centres[first]
        skipped = len(skipped_levels(upper.level, lower.level))  # type: ignore[arg-type]
        mm = round(float(np.linalg.norm(step)), 4)
        gaps.append(_Gap(upper, lower, mm, skipped, bool(step @ along > 0)))
    return gaps


def _usual_gap(gaps: Sequence[_Gap], position: int) -> float | None:
    """Return the median of the gaps nearest to one, None with fewer than two."""
    others = [
        (abs(place - position), gap.per_level)
        for place, gap in enumerate(gaps)
        if place != position and not (gap.upper.touches_border or gap.lower.touches_border)
    ]
    nearest = [value for _, value in sorted(others, key=lambda pair: pair[0])[:NEAREST_GAPS]]
    return float(np.median(nearest)) if len(nearest) > 1 else None
