"""Read one scan for the signs: image, vertebrae, bodies and further structures, in one orientation."""

from __future__ import annotations

from collections.abc import Mapping, Sequence, Set
from dataclasses import replace
from typing import TypeVar

import numpy as np
import numpy.typing as npt

from radiomics_vert.cohort import Case, LabelScheme, Scan, load_scheme, load_structures, load_vertebrae
from radiomics_vert.imaging import Geometry, read_geometry, read_image, read_label_map, require_same_geometry
from radiomics_vert.imaging.orientation import patient_axes
from radiomics_vert.imaging.regions import label_boxes
from radiomics_vert.signs.nouns import Box, Layer, SignScan

Number = TypeVar("Number", bound=np.generic)
# Schemes of masks that tell parts instead of vertebrae.
PARTS = ("spineps_subregions", "totalsegmentator_vertebrae_body")
MARGIN_MM = 60.0  # around the vertebrae: muscles and masses beside them. [O]


def canonical(array: npt.NDArray[Number], geometry: Geometry) -> npt.NDArray[Number]:
    """Permute and flip an array so that its axes (z, y, x) grow to the head, the back and the left.

    Parameters
    ----------
    array : ndarray, shape (z, y, x) of the file
        Image or labels.
    geometry : Geometry
        Of the file.

    Returns
    -------
    ndarray
        A view; no voxel is interpolated.
    """
    axes = patient_axes(geometry)
    turned = array.transpose([2 - axis for axis, _ in reversed(axes)])
    return turned[tuple(slice(None, None, sense) for _, sense in reversed(axes))]


def canonical_spacing(geometry: Geometry) -> tuple[float, float, float]:
    """Return the spacing along z, y, x after :func:`canonical`, mm."""
    x, y, z = (float(geometry.spacing[axis]) for axis, _ in patient_axes(geometry))
    return z, y, x


def load_sign_scan(
    cases: Sequence[Case],
    companions: Mapping[str, Scan] | None = None,
    *,
    fractured: frozenset[int] = frozenset(),
    tables: Mapping[str, Mapping[str, float]] | None = None,
) -> SignScan:
    """Read the scan of some cases.

    Parameters
    ----------
    cases : sequence of Case
        All vertebrae of one scan, from the head down; neighbours are used, so leave none out.
    companions : mapping of str to Scan, optional
        By sequence, further images of the patient, such as the pre-contrast T1; those on another grid are
        left out.
    fractured : frozenset of int, optional
        Labels that are known to be fractured.
    tables : mapping of str to mapping of str to float, optional
        Of the patient: `calibration` and `norm`, see :mod:`radiomics_vert.signs.norms`.

    Returns
    -------
    SignScan
        Cropped to the vertebrae and 60 mm around them.

    Raises
    ------
    ImageError
        A file cannot be read, or the grids differ.
    CohortError
        The mask holds no vertebra of its scheme.
    """
    scan = cases[0].scan
    geometry = read_geometry(scan.image, series=scan.series)
    whole = load_vertebrae(replace(scan, region="vertebra"))
    require_same_geometry(geometry, whole.geometry, scan.scan_id)
    spacing = canonical_spacing(geometry)
    labels = canonical(whole.array(), geometry)
    box = _around(labels, {case.label for case in cases}, spacing)
    labels = np.array(labels[box], order="C")
    del whole  # masks and image are never held whole together
    named = _structures(scan, geometry, box)
    body = None
    if scan.subregions is not None:
        parts = canonical(read_label_map(scan.subregions).array(), geometry)[box]
        named |= _companion_layers(scan.scheme, parts)
        body = np.isin(parts, scan.scheme.body) if scan.scheme.body else None
    return SignScan(
        scan_id=scan.scan_id,
        labels=labels,
        spacing=spacing,
        levels={case.label: case.level for case in cases},
        region=scan.scheme.region,
        image=_voxels(scan, geometry, box),
        body=body,
        layers=named,
        case_ids={case.label: case.case_id for case in cases},
        companions={
            name: found
            for name, other in sorted((companions or {}).items())
            if (found := _companion(other, geometry, box)) is not None
        },
        tables=tables or {},
        fractured=fractured,
    )


def _structures(scan: Scan, geometry: Geometry, box: Box) -> dict[str, Layer]:
    """Return the structures of the mask; those of a label map share one array."""
    found = load_structures(scan)
    if found.label_map is not None:
        return _layers(scan.scheme, canonical(found.label_map.array(), geometry)[box])
    return {
        name: Layer(canonical(found[name].astype(np.uint8), geometry)[box].copy(), (1,)) for name in found
    }


def _companion(scan: Scan, geometry: Geometry, box: Box) -> npt.NDArray[np.floating] | None:
    """Return the same part of another image; None when it lies on another grid, as most sequences do."""
    if not geometry.matches(read_geometry(scan.image, series=scan.series)):
        return None
    return _voxels(scan, geometry, box)


def _voxels(scan: Scan, geometry: Geometry, box: Box) -> npt.NDArray[np.floating]:
    volume = read_image(scan.image, series=scan.series)
    return np.array(canonical(volume.array(), geometry)[box], order="C")


def _around(labels: npt.NDArray[np.integer], wanted: Set[int], spacing: tuple[float, float, float]) -> Box:
    found = label_boxes(labels)
    boxes = [found[label] for label in wanted]
    spans = []
    for axis, extent in enumerate(labels.shape):
        step = int(np.ceil(MARGIN_MM / spacing[axis]))
        start, stop = min(box[axis].start for box in boxes), max(box[axis].stop for box in boxes)
        spans.append(slice(max(0, start - step), min(extent, stop + step)))
    return spans[0], spans[1], spans[2]


def _layers(scheme: LabelScheme, labels: npt.NDArray[np.integer]) -> dict[str, Layer]:
    """Return the structures of a scheme that occur in a mask."""
    present = label_boxes(labels).keys()
    named = dict(scheme.structures)
    named |= {f"disc_{level}": values for level, values in scheme.discs.items()}
    return {name: Layer(labels, values) for name, values in named.items() if present & set(values)}


def _companion_layers(scheme: LabelScheme, labels: npt.NDArray[np.integer]) -> dict[str, Layer]:
    """Return the structures of a sub-region mask: by the scheme of parts that has the same body labels."""
    for name in PARTS:
        parts = load_scheme(name)
        if parts.body == scheme.body:
            return _layers(parts, labels)
    return {}
