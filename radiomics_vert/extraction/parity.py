"""Compare this package's values with those of stock pyradiomics on the whole image."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import groupby
from math import isnan
from typing import Any

import numpy as np
import pandas as pd
from radiomics import featureextractor

from radiomics_vert.cohort import Case, Cohort, reference_cases
from radiomics_vert.extraction.engine import Volumes, compute_steps
from radiomics_vert.extraction.extracting import References, steps_for
from radiomics_vert.extraction.features import quiet
from radiomics_vert.extraction.filters import LOG_MARGIN_SIGMAS
from radiomics_vert.extraction.params import ExtractionParams, Step
from radiomics_vert.extraction.preparing import PreparedScan, read_prepared
from radiomics_vert.extraction.settings import resamples

# By feature: how far values may be apart that are 0 but for rounding errors, which differ with the order of
# sums. docs/performance.md lists them with the reasons.
ROUNDING = {
    "Skewness": 1e-14,
    "ClusterShade": 1e-10,  # cubes of up to 80 grey levels
    "ClusterTendency": 1e-28,  # squares and fourth powers of rounding errors
    "ClusterProminence": 1e-45,
    "DifferenceEntropy": 1e-15,
    "RunVariance": 1e-29,
}
# Square roots of such values: of the thickness of a flat region and the width of a line, as parts of its
# length.
THIN = 1e-7
LENGTHS = ("LeastAxisLength", "MinorAxisLength")
RATIOS = ("Flatness", "Elongation")


def parity(
    cohort: Cohort,
    params: ExtractionParams | Mapping[str, ExtractionParams],
    sample: int | None = None,
    seed: int = 0,
    references: References | None = None,
) -> pd.DataFrame:
    """Extract again with stock pyradiomics, and report how far its values are from ours.

    Both sides get the scan after preprocessing: in the order and position, and with the intensities, that the
    parameters ask for. Voxels that preprocessing leaves out (hardware, cement) have no counterpart in
    pyradiomics; such cases are reported as RV315 and not compared. Nor are cases under conventions of IBSI,
    which stock pyradiomics does not have (RV351).

    pyradiomics resamples `padDistance` voxels around a region, which is too few for Laplacian of
    Gaussian filters (differences up to 0.68 were seen). Where images are resampled, both sides filter
    with a `padDistance` that is large enough.

    Parameters
    ----------
    cohort : Cohort
        The cases.
    params : ExtractionParams or mapping of str to ExtractionParams
        For all scans, or by sequence; sequences without parameters are left out.
    sample : int, optional
        Number of cases to compare, drawn at random; all when absent.
    seed : int, default 0
        Of the draw.
    references : mapping of str to tuple of Case, optional
        As in :func:`extract`.

    Returns
    -------
    DataFrame
        One row per compared case: `case_id, sequence, values` (how many were compared),
        `largest_relative_difference`, `feature` (where it is), `problem` (the code when our side has no
        values; empty otherwise).
    """
    rows = []
    known = reference_cases(cohort) if references is None else references
    for _, group in groupby(_draw(cohort.cases, sample, seed), key=lambda case: case.scan.scan_id):
        cases = list(group)
        scan = cases[0].scan
        own = params if isinstance(params, ExtractionParams) else params.get(scan.sequence)
        if own is None:
            continue
        prepared = read_prepared(scan, own.preprocessing, known.get(scan.scan_id, ()))
        steps = steps_for(scan, {scan.sequence: own})
        rows += [_compare(prepared, case, steps) for case in cases]
    columns = ["case_id", "sequence", "values", "largest_relative_difference", "feature", "problem"]
    return pd.DataFrame(rows, columns=columns)


def _draw(cases: Sequence[Case], sample: int | None, seed: int) -> list[Case]:
    if sample is None or sample >= len(cases):
        return list(cases)
    chosen = np.random.default_rng(seed).choice(len(cases), size=sample, replace=False)
    return [cases[index] for index in sorted(chosen)]


def _compare(prepared: PreparedScan, case: Case, steps: Sequence[Step]) -> dict[str, Any]:
    ours: dict[str, float] = {}
    stock: dict[str, float] = {}
    if any("conventions" in step.settings for step in steps):
        return _row(case, problem="RV351")
    box = prepared.box(case)
    measured = prepared.measured(case, box, prepared.volumes)
    if measured.problem or measured.volumes.excluded is not None:
        return _row(case, problem=measured.problem.code if measured.problem else "RV315")
    volumes = measured.volumes
    fitted = [_padded(step, volumes, box) for step in steps]
    for step, outcome in compute_steps(volumes, case.label, box, fitted, case.case_id):
        if outcome.problem:
            return _row(case, problem=outcome.problem.code)
        ours |= outcome.values
        stock |= stock_features(volumes, case.label, step)
    if ours.keys() != stock.keys():
        raise AssertionError(f"feature names differ: {sorted(ours.keys() ^ stock.keys())}")
    apart = relative_differences(ours, stock)
    worst = max(apart, key=lambda name: apart[name])
    return _row(case, len(apart), apart[worst], worst)


def _row(
    case: Case, values: int = 0, largest: float = float("nan"), feature: str = "", problem: str = ""
) -> dict[str, Any]:
    return {
        "case_id": case.case_id,
        "sequence": case.scan.sequence,
        "values": values,
        "largest_relative_difference": largest,
        "feature": feature,
        "problem": problem,
    }


def _padded(step: Step, volumes: Volumes, box: tuple[int, ...]) -> Step:
    """Widen what pyradiomics resamples, for the filters whose values depend on it."""
    settings = step.settings
    if step.image_type not in ("LoG", "Wavelet") or not resamples(settings):
        return step
    old = np.array(volumes.labels.GetSpacing())
    wanted = np.array(settings["resampledPixelSpacing"], dtype=float)
    spacing = np.where(wanted == 0, old, wanted)
    pad = 8
    if step.image_type == "LoG":
        pad = int(np.ceil(LOG_MARGIN_SIGMAS * settings["sigma"][0] / spacing.min()))
    elif _near_border(volumes, box, pad * spacing):
        pad = int(max(volumes.labels.GetSize()) * (old / spacing).max()) + 1  # periodic: the whole image
    return replace(step, settings={**settings, "padDistance": max(pad, settings["padDistance"])})


def _near_border(volumes: Volumes, box: tuple[int, ...], distance: np.ndarray) -> bool:
    size, old = np.array(volumes.labels.GetSize()), np.array(volumes.labels.GetSpacing())
    start, stop = np.array(box[0::2]), np.array(box[1::2])
    return bool((start * old < distance).any() or ((size - stop) * old < distance).any())


def stock_features(volumes: Volumes, label: int, step: Step) -> dict[str, float]:
    """Return the features of one step as `RadiomicsFeatureExtractor` computes them on the whole image.

    Parameters
    ----------
    volumes : Volumes
        Image and label map.
    label : int
        The region's value.
    step : Step
        With the slice axis filled in.
    """
    settings = {key: value for key, value in step.settings.items() if value is not None}
    classes = {name: list(features) for name, features in step.feature_classes.items()}
    image_type = step.image_type or "Original"
    with quiet():
        extractor = featureextractor.RadiomicsFeatureExtractor(
            {"imageType": {image_type: {}}, "featureClass": classes, "setting": settings}
        )
        extractor.settings["additionalInfo"] = False
        found = extractor.execute(volumes.image, volumes.labels, label=label)
    # Rounding makes equal axis lengths complex, with an imaginary part of 1e-16.
    return {name: float(np.real(value)) for name, value in found.items()}


def relative_difference(ours: float, stock: float) -> float:
    """Return |ours - stock| / |stock|; 0 where both are the same or both are not finite numbers."""
    if ours == stock or (isnan(ours) and not np.isfinite(stock)):
        return 0.0
    return abs(ours - stock) / abs(stock) if stock else float("inf")


def relative_differences(ours: Mapping[str, float], stock: Mapping[str, float]) -> dict[str, float]:
    """Return how far the values of one case are from pyradiomics', 0 where only rounding errors are left.

    Parameters
    ----------
    ours, stock : mapping of str to float
        By pyradiomics' full names; `ours` has all names of `stock`.

    Returns
    -------
    dict of str to float
        Relative differences, in the order of `stock`.
    """
    length = stock.get("original_shape_MajorAxisLength", float("nan"))
    return {name: _apart(name.split("_")[-1], ours[name], value, length) for name, value in stock.items()}


def _apart(feature: str, ours: float, stock: float, length: float) -> float:
    if abs(ours - stock) <= ROUNDING.get(feature, 0.0):
        return 0.0
    if feature in (*LENGTHS, *RATIOS) and max(ours, stock) < THIN * (length if feature in LENGTHS else 1.0):
        return 0.0
    found = relative_difference(ours, stock)
    return float("inf") if isnan(found) else found
