"""Signs of the tissue beside the vertebra, from its mask: thickness around the anterolateral wall, necrosis.

The wall is looked at from the middle of the body in sectors of 5 degrees, from 120 degrees on the right over
the front to 120 degrees on the left [O]; behind that the pedicles begin. In each sector, at five heights
between the endplates, a ray goes outwards. Thickness is how far the distance to the body grows along the ray
while it runs through the tissue, so that a ray that leaves the wall at a slant reads the same as one at right
angles. The thickness of a sector is the largest of the five [O]: a mass beside one endplate counts.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from scipy import ndimage

from radiomics_vert.signs.beside import (
    box_around,
    frame_of,
    in_image,
    local_mean,
    voxel_index,
)
from radiomics_vert.signs.enhancement import BEFORE, NONE_BELOW, relative_enhancement
from radiomics_vert.signs.nouns import Absent, Box, Frame, Mask, Points, SignScan, Value, Vertebra
from radiomics_vert.signs.results import Measured
from radiomics_vert.signs.spine import Spine
from radiomics_vert.signs.surfaces import Floats
from radiomics_vert.signs.tissues import LEAST_VOXELS

SECTOR_DEG = 5.0
HALF_DEG = 120.0
COVERED_MM = 2.0
"""A sector with more is covered, after the specification."""
THIN_MM, CIRCUMFERENTIAL = 10.0, 0.75
"""Thin and circumferential: below 10 mm everywhere, over at least 0.75 of the sectors."""
REACH_MM = 50.0
"""How far from the body tissue is looked for [O]."""
NONE_BELOW_HU = 10.0
"""Gain in HU below which tissue does not enhance on CT [O]."""
AVERAGED_MM = 1.5
"""Gaussian sigma of the average before tissue is called necrotic [O]: noise enhances by chance."""
SECTORS = np.arange(-HALF_DEG + SECTOR_DEG / 2, HALF_DEG, SECTOR_DEG)
"""Middle of the sectors, degrees; 0 in front, positive to the left."""
HEIGHTS = np.linspace(0.1, 0.9, 5)
_STEP_MM = 0.5
_SEEN = 0.9  # share of the rays that must stay in the image for 10 mm beside the body [O]
_RIM = ("rim_max_mm", "rim_coverage", "rim_lateral", "rim_thin_circumferential")


class Rays(NamedTuple):
    """Rays from the middle of a body outwards; r rays of s samples.

    Parameters
    ----------
    local : ndarray, shape (r, s, 3)
        Positions in the frame, mm; heights run faster than sectors.
    places : ndarray, shape (r, s, 3)
        The same as index (z, y, x) in the scan.
    """

    local: Points
    places: Points


def rim_thickness(spine: Spine, vertebra: Vertebra) -> Floats | Absent:
    """Return the thickness of the paravertebral tissue in each of :data:`SECTORS`, mm.

    Parameters
    ----------
    spine : Spine
        With a layer whose name begins with `paravertebral`.
    vertebra : Vertebra
        One of its vertebrae, with a frame.

    Returns
    -------
    ndarray, shape (48,), or Absent
        0 where there is none; RV334 where the image ends beside the body or within the tissue.
    """
    scan, frame = spine.scan, frame_of(vertebra)
    rays = _rays(scan, frame)
    wall = _wall_radius(vertebra, rays)
    if not wall.any():
        return Absent("RV338", "no wall is found around the middle of the body")
    beside = _at_radius(rays, wall + THIN_MM)[wall > 0]
    if float(in_image(scan, frame, beside).mean()) < _SEEN:
        return Absent("RV334", "the image ends beside the body")
    box = _around(scan, frame)
    tissue = None if box is None else _tissue(scan, box)
    if box is None or tissue is None or not tissue.any():
        return np.zeros(len(SECTORS))
    tight = _tight(tissue, vertebra.box, box)
    inside = _sampled(_tissue(scan, tight).astype(np.float32), tight, rays.places)
    if _cut_off(scan, rays, inside):
        return Absent("RV334", "the image ends within the tissue")
    body = np.zeros([axis.stop - axis.start for axis in tight], bool)
    place = tuple(
        slice(own.start - wide.start, own.stop - wide.start)
        for own, wide in zip(vertebra.box, tight, strict=True)
    )
    body[place] = vertebra.body
    distance = ndimage.distance_transform_edt(~body, sampling=scan.spacing).astype(np.float32)
    away = _sampled(distance, tight, rays.places)
    share = (inside[:, 1:] + inside[:, :-1]) / 2
    thickness = (share * np.maximum(np.diff(away, axis=1), 0)).sum(axis=1)
    return np.asarray(thickness.reshape(len(SECTORS), len(HEIGHTS)).max(axis=1))


def _rays(scan: SignScan, frame: Frame) -> Rays:
    angle = np.radians(SECTORS)
    far = np.hypot(frame.width, frame.depth) / 2 + REACH_MM
    radius = np.arange(0, far, _STEP_MM)
    x = np.sin(angle)[:, None, None] * radius
    p = frame.front + frame.depth / 2 - np.cos(angle)[:, None, None] * radius
    x, p = np.broadcast_arrays(x, p)
    # Beyond the body its endplates are continued level, so that a wedge's heights do not fan out.
    near_x = np.clip(x, -frame.width / 2, frame.width / 2)
    near_p = np.clip(p, frame.front, frame.front + frame.depth)
    low, high = frame.inferior.height(near_x, near_p), frame.superior.height(near_x, near_p)
    z = low + HEIGHTS[None, :, None] * (high - low)
    x, p, z = np.broadcast_arrays(x, p, z)
    local = np.stack([x, p, z], axis=-1).reshape(-1, len(radius), 3)
    index = voxel_index(scan, frame, local.reshape(-1, 3)).reshape(local.shape)
    return Rays(local, index)


def _sampled(array: np.ndarray, box: Box, index: Points) -> Floats:
    """Return linearly interpolated values at fractional indices of the scan; the edge value beyond a box."""
    at = (index - np.array([axis.start for axis in box])).reshape(-1, 3).T
    return np.asarray(ndimage.map_coordinates(array, at, order=1, mode="nearest").reshape(index.shape[:-1]))


def _wall_radius(vertebra: Vertebra, rays: Rays) -> Floats:
    """Return how far from the middle each ray leaves the body, mm; 0 where it never was inside."""
    at = np.rint(rays.places - np.array([axis.start for axis in vertebra.box])).astype(int)
    ok = ((at >= 0) & (at < np.array(vertebra.body.shape))).all(axis=-1)
    inside = np.zeros(ok.shape, bool)
    inside[ok] = vertebra.body[tuple(at[ok].T)]
    steps = np.arange(ok.shape[1])
    return np.asarray(np.where(inside, steps, 0).max(axis=1) * _STEP_MM)


def _at_radius(rays: Rays, radius: Floats) -> Points:
    steps = np.clip(np.rint(radius / _STEP_MM).astype(int), 0, rays.local.shape[1] - 1)
    return np.asarray(rays.local[np.arange(len(steps)), steps])


def _around(scan: SignScan, frame: Frame) -> Box | None:
    half = frame.width / 2 + REACH_MM
    z = sorted(
        float(plane.height(x, p))
        for plane in (frame.inferior, frame.superior)
        for x in (-frame.width / 2, frame.width / 2)
        for p in (frame.front, frame.front + frame.depth)
    )
    p = (frame.front - REACH_MM, frame.front + frame.depth + REACH_MM)
    return box_around(scan, frame, (-half, half), p, (z[0], z[-1]))


def _tissue(scan: SignScan, box: Box) -> Mask:
    """Return the paravertebral tissue in a box; what masks call bone is none."""
    layers = [layer for name, layer in sorted(scan.layers.items()) if name.startswith("paravertebral")]
    inside = np.logical_or.reduce([layer.mask(box) for layer in layers])
    return np.asarray(inside & (scan.labels[box] == 0))


def _tight(tissue: Mask, own: Box, box: Box) -> Box:
    """Return the smallest box that holds a body's box and the tissue, with one voxel around the tissue."""
    part = ndimage.find_objects(tissue.view(np.int8))[0]
    z, y, x = (
        slice(
            min(body.start, wide.start + max(0, found.start - 1)),
            max(body.stop, min(wide.stop, wide.start + found.stop + 1)),
        )
        for found, wide, body in zip(part, box, own, strict=True)
    )
    return z, y, x


def _cut_off(scan: SignScan, rays: Rays, inside: Floats) -> bool:
    """Tell whether a ray leaves the image within tissue."""
    size = np.array(scan.labels.shape)
    seen = ((rays.places > -0.5) & (rays.places < size - 0.5)).all(axis=-1)
    ends = np.count_nonzero(seen, axis=1)
    left = np.flatnonzero((ends > 0) & (ends < seen.shape[1]))
    return bool((inside[left, ends[left] - 1] >= 0.5).any())


def measure(spine: Spine) -> Measured:
    """Measure the tissue beside every vertebra."""
    if not any(name.startswith("paravertebral") for name in spine.scan.layers):
        return {}
    found: dict[int, dict[str, Value]] = {}
    for vertebra in spine.framed():
        thickness = rim_thickness(spine, vertebra)
        values = dict.fromkeys(_RIM, thickness) if isinstance(thickness, Absent) else describe_rim(thickness)
        found[vertebra.label] = {**values, "necrosis_frac": _necrosis(spine, vertebra)}
    return found


def describe_rim(thickness: Floats) -> dict[str, Value]:
    """Return the signs of the rim from the thickness in each of :data:`SECTORS`, mm.

    Examples
    --------
    >>> describe_rim(np.full(48, 5.0))["rim_thin_circumferential"]
    1.0
    """
    largest = float(thickness.max())
    coverage = float((thickness > COVERED_MM).mean())
    total = float(thickness.sum())
    sides = float(thickness[SECTORS > 0].sum() - thickness[SECTORS < 0].sum())
    thin = largest < THIN_MM and coverage >= CIRCUMFERENTIAL
    return {
        "rim_max_mm": largest,
        "rim_coverage": coverage,
        "rim_lateral": abs(sides) / total if total > 0 else Absent("RV338", "there is no soft tissue here"),
        "rim_thin_circumferential": float(thin),
    }


def _necrosis(spine: Spine, vertebra: Vertebra) -> Value:
    """Return the share of the tissue that does not enhance, between the heights of the endplates."""
    scan = spine.scan
    name = "CT" if spine.sequence == "CT" else BEFORE
    after, before = scan.image, scan.companions.get(name)
    if after is None or before is None:
        return Absent("RV339", f"no {name} before contrast medium on the same grid")
    frame = frame_of(vertebra)
    box = _around(scan, frame)
    tissue = None if box is None else _tissue(scan, box)
    if box is None or tissue is None or tissue.sum() < LEAST_VOXELS:
        return Absent("RV338", f"fewer than {LEAST_VOXELS} voxels of soft tissue beside the vertebra")
    post, pre = (local_mean(image[box], tissue, scan.spacing, AVERAGED_MM) for image in (after, before))
    if name == "CT":
        return float((post - pre < NONE_BELOW_HU).mean())
    gain = relative_enhancement(post, pre)
    return (
        float((gain < NONE_BELOW).mean())
        if len(gain)
        else Absent("RV338", "there is no signal before contrast")
    )
