"""How sharp the border between dark and bright tissue is: 10-90 % widths of sigmoid fits across it."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from radiomics_vert.imaging.preprocessing import slice_axis
from radiomics_vert.signs.components import foci
from radiomics_vert.signs.nouns import Absent, Mask
from radiomics_vert.signs.plates import continued

Floats = npt.NDArray[np.float64]

TEN_NINETY = 4.39
"""10-90 % width of 1 / (1 + exp(-t / w)), in units of w: 2 ln 9."""
THICK_MM = 1.5
"""Slices up to this thickness show a border across them, however fine their pixels are [O]."""
REACH_MM = 6.0
"""Profiles reach so far to both sides of the border, after the specification."""
WIDEST_MM = 2 * REACH_MM
# All [O].
_STEP_MM = 0.5
_SMOOTH_MM = 1.2  # to find the border and its normals, never to measure it
_ASIDE_MM = (-2.0, -1.0, 1.0, 2.0)  # lines beside a profile that are averaged with it
_SEEN_MM = 2.0  # a profile is seen so far on both sides
_ALONG = 0.85  # least cosine between the normal and the plane of thick slices
_EXPLAINED = 0.5  # least share of a profile's variance that its fit explains
_MOST, _LEAST = 300, 8  # profiles
_T = np.arange(-REACH_MM, REACH_MM + _STEP_MM / 2, _STEP_MM)
_WIDTHS = np.geomspace(0.1, WIDEST_MM / TEN_NINETY, 24)
_CENTRES = np.arange(-4.0, 4.01, 0.25)


def margin_width(
    image: npt.NDArray[np.floating], abnormal: Mask, inside: Mask, spacing: tuple[float, float, float]
) -> float | Absent:
    """Return the median 10-90 % width of the border of an abnormal region, mm.

    The border is the contour at half of the contrast between the region and the rest [O]: at the limit of
    two deviations, a wide transition would lie on one side of its profile. Across thick slices a border is
    as wide as a slice, so that normals must lie within their plane, and lengths along it are shortened
    by the cosine of the angle between them. Each profile is the mean of parallel lines up to 2 mm beside it
    [O]. The width includes the resolution of the image.

    Parameters
    ----------
    image : ndarray, shape (z, y, x)
        Intensities.
    abnormal : ndarray of bool, shape (z, y, x)
        The region, within `inside`.
    inside : ndarray of bool, shape (z, y, x)
        Where profiles may run.
    spacing : tuple of float
        Millimetres along z, y, x.

    Returns
    -------
    float or Absent
        RV338 with too short a border.
    """
    normal_part = inside & ~abnormal
    if not abnormal.any() or not normal_part.any():
        return Absent("RV338", "no border: all of the marrow is alike")
    level = (float(np.median(image[abnormal])) + float(np.median(image[normal_part]))) / 2
    tight = ndimage.find_objects(inside.view(np.int8))[0]
    crop, region = image[tight].astype(np.float64), inside[tight]
    across = slice_axis(spacing) if max(spacing) > THICK_MM else None
    points, normals, cosines = _border(crop, region, level, spacing, across)
    if len(points) > _MOST:
        chosen = np.linspace(0, len(points) - 1, _MOST).astype(np.intp)
        points, normals, cosines = points[chosen], normals[chosen], cosines[chosen]
    profiles, seen = _profiles(crop, region, points, normals, spacing, across)
    near = np.abs(_T) <= _SEEN_MM
    whole = seen[:, near].all(axis=1)
    if whole.sum() < _LEAST:
        return Absent("RV338", f"the border is seen from both sides at {int(whole.sum())} points")
    widths = sigmoid_widths(profiles[whole], seen[whole]) * cosines[whole]
    widths = widths[np.isfinite(widths)]
    if len(widths) < _LEAST:
        return Absent("RV338", f"{len(widths)} profiles across the border look like a border")
    return float(np.median(widths))


def sigmoid_widths(profiles: Floats, seen: npt.ArrayLike) -> Floats:
    """Return the 10-90 % widths of the best sigmoids a + b / (1 + exp(-(t - c) / w)), b > 0, in mm.

    Centre and width are searched on a grid, level and step solved for; the width is refined by a parabola.

    Parameters
    ----------
    profiles : ndarray, shape (n, 25)
        Intensities at -6 to 6 mm in steps of 0.5 mm, dark to bright.
    seen : array-like of bool, shape (n, 25)
        Which of them exist.

    Returns
    -------
    ndarray, shape (n,)
        NaN where the fit explains less than half of a profile's variance.

    Examples
    --------
    >>> t = np.arange(-6, 6.1, 0.5)
    >>> sigmoid_widths(10 + 5 / (1 + np.exp(-t[None] / 0.8)), np.ones((1, 25))).round(1).tolist()
    [3.5]
    """
    weights = np.asarray(seen, np.float64)
    count = weights.sum(axis=1, keepdims=True)
    mean = (weights * profiles).sum(axis=1, keepdims=True) / count
    apart = np.where(weights > 0, profiles - mean, 0.0)
    total = (apart**2).sum(axis=1)
    ratio = (_T[None, None, :] - _CENTRES[None, :, None]) / _WIDTHS[:, None, None]
    shapes = 1 / (1 + np.exp(-np.clip(ratio, -40, 40)))
    flat = shapes.reshape(-1, len(_T))
    variance = weights @ (flat**2).T - (weights @ flat.T) ** 2 / count
    shared = np.maximum(apart @ flat.T, 0)
    gain = np.where(variance > 1e-6, shared**2 / np.maximum(variance, 1e-6), 0.0)
    best = gain.reshape(len(profiles), len(_WIDTHS), len(_CENTRES)).max(axis=2)
    widths = _refined(best)
    explained = best.max(axis=1, initial=0) >= _EXPLAINED * np.maximum(total, 1e-12)
    return np.asarray(np.where(explained, TEN_NINETY * widths, np.nan))


def _refined(gain: Floats) -> Floats:
    """Return the widths of the largest gain, shape (n, widths), between the points of the grid."""
    top = np.clip(gain.argmax(axis=1), 1, len(_WIDTHS) - 2)
    rows = np.arange(len(gain))
    before, at, after = (gain[rows, top + step] for step in (-1, 0, 1))
    bend = before - 2 * at + after
    with np.errstate(divide="ignore", invalid="ignore"):
        shift = np.where(bend < 0, (before - after) / (2 * bend), np.sign(after - before))
    position = np.clip(top + np.clip(shift, -1, 1), 0, len(_WIDTHS) - 1)
    return np.asarray(_WIDTHS[0] * (_WIDTHS[1] / _WIDTHS[0]) ** position)


def _border(
    image: Floats, inside: Mask, level: float, spacing: Sequence[float], across: int | None
) -> tuple[Floats, Floats, Floats]:
    """Return points of the contour (index units), its unit normals to the bright side (mm), and cosines."""
    sigma = [0.0 if axis == across else _SMOOTH_MM / step for axis, step in enumerate(spacing)]
    weight = np.maximum(ndimage.gaussian_filter(inside.astype(np.float64), sigma), 1e-6)
    smooth = ndimage.gaussian_filter(np.where(inside, image, 0.0), sigma) / weight
    smooth = continued(smooth, inside, spacing)
    dark = foci(inside & (smooth < level), spacing).mask
    bright = foci(inside & ~dark, spacing).mask
    gradient = np.stack([np.asarray(slope) for slope in np.gradient(smooth, *spacing)], axis=-1)
    points, normals = [], []
    for axis in range(3):
        if axis == across or image.shape[axis] < 2:
            continue
        low, high = (_shifted(axis, part) for part in (slice(None, -1), slice(1, None)))
        faces = (dark[low] & bright[high]) | (bright[low] & dark[high])
        index = np.argwhere(faces).astype(np.float64)
        one, other = smooth[low][faces], smooth[high][faces]
        index[:, axis] += np.clip((level - one) / np.where(one == other, 1.0, other - one), 0, 1)
        points.append(index)
        normals.append((gradient[low][faces] + gradient[high][faces]) / 2)
    places, slopes = np.concatenate(points), np.concatenate(normals)
    steep = np.linalg.norm(slopes, axis=1)
    if across is not None:
        slopes[:, across] = 0
    within = np.linalg.norm(slopes, axis=1)
    cosines = within / np.maximum(steep, 1e-12)
    used = (within > 0) & (cosines >= _ALONG)
    return places[used], slopes[used] / within[used, None], cosines[used]


def _shifted(axis: int, part: slice) -> tuple[slice, ...]:
    return tuple(part if other == axis else slice(None) for other in range(3))


def _profiles(
    image: Floats,
    inside: Mask,
    points: Floats,
    normals: Floats,
    spacing: Sequence[float],
    across: int | None,
) -> tuple[Floats, Mask]:
    """Return profiles along normals, shape (n, 25), and which of their points lie inside."""
    tangents = _tangents(normals, across)
    beside = [np.asarray(step * tangent) for tangent in tangents for step in _ASIDE_MM]
    aside = [np.zeros_like(normals), *beside]
    offsets = np.stack(aside, axis=1)[:, :, None, :] + normals[:, None, None, :] * _T[:, None]
    index = points[:, None, None, :] + offsets / np.array(spacing)
    flat = index.reshape(-1, 3).T
    values = ndimage.map_coordinates(image, flat, order=1, mode="nearest").reshape(index.shape[:-1])
    within = ndimage.map_coordinates(inside.astype(np.uint8), flat, order=0, mode="constant")
    known = within.reshape(index.shape[:-1]).astype(np.float64)
    count = known.sum(axis=1)
    mean = (values * known).sum(axis=1) / np.maximum(count, 1)
    return mean, count >= len(aside) / 2


def _tangents(normals: Floats, across: int | None) -> list[Floats]:
    """Return unit vectors along the border: one within thick slices, two otherwise."""
    if across is not None:
        axis = np.zeros_like(normals)
        axis[:, across] = 1.0
        return [np.cross(normals, axis)]
    rows = np.arange(len(normals))
    axis = np.zeros_like(normals)
    axis[rows, np.abs(normals).argmin(axis=1)] = 1.0
    first = np.cross(normals, axis)
    first /= np.maximum(np.linalg.norm(first, axis=1, keepdims=True), 1e-12)
    return [first, np.cross(normals, first)]
