"""First-order and texture features of one image by compiled kernels."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache, cached_property
from typing import Any

import numpy as np
from radiomics import getFeatureClasses

from radiomics_vert.extraction.ibsi import convention, grey_levels
from radiomics_vert.extraction.native import counting
from radiomics_vert.extraction.native.directions import directions, squared_lengths
from radiomics_vert.extraction.native.firstorder import first_order
from radiomics_vert.extraction.native.pairs import glcm_features, joint_probabilities
from radiomics_vert.extraction.native.statistics import (
    EXTENT_FEATURES,
    contrast_features,
    extent_features,
    run_features,
)
from radiomics_vert.extraction.native.zones import count_zones, representatives

Classes = Mapping[str, tuple[str, ...]]

_EMPHASES = (
    "GrayLevelNonUniformity", "GrayLevelNonUniformityNormalized", "{long}NonUniformity",
    "{long}NonUniformityNormalized", "{short}Percentage", "GrayLevelVariance", "{short}Variance",
    "{short}Entropy", "LowGrayLevel{low}Emphasis", "HighGrayLevel{low}Emphasis",
    "{small}LowGrayLevelEmphasis", "{small}HighGrayLevelEmphasis", "{large}LowGrayLevelEmphasis",
    "{large}HighGrayLevelEmphasis",
)  # fmt: skip


def _names(small: str, large: str, long: str, short: str, low: str) -> tuple[str, ...]:
    """Return pyradiomics' names of :data:`EXTENT_FEATURES` for one kind of extent."""
    parts = {"small": small, "large": large, "long": long, "short": short, "low": low}
    return (f"{small}Emphasis", f"{large}Emphasis", *(name.format(**parts) for name in _EMPHASES))


_RUNS = _names("ShortRun", "LongRun", "RunLength", "Run", "Run")
_ZONES = _names("SmallArea", "LargeArea", "SizeZone", "Zone", "Zone")
_DEPENDENCES = _names("SmallDependence", "LargeDependence", "Dependence", "Dependence", "")
_CONTRASTS = ("Coarseness", "Contrast", "Busyness", "Complexity", "Strength")
assert len(_RUNS) == len(EXTENT_FEATURES)


# What pyradiomics knows by name and gives no value of: it equals another feature, or is always 1.
_WITHOUT_VALUE = {
    "glcm": ("Dissimilarity", "Homogeneity1", "Homogeneity2", "SumVariance"),
    "gldm": ("DependencePercentage", "GrayLevelNonUniformityNormalized"),
}


@dataclass(frozen=True)
class Levels:
    """An image's intensities inside the region and their grey levels, numbered from 1.

    Parameters
    ----------
    inside : ndarray of float
        Intensities, in the order of the voxels.
    levels : ndarray of uint16, shape (z, y, x)
        0 outside the region.
    present : ndarray of int
        The levels that occur, ascending.
    voxels : ndarray of int
        Voxels of each of them.
    """

    inside: np.ndarray
    levels: np.ndarray
    present: np.ndarray
    voxels: np.ndarray

    def part(self, block: tuple[slice, ...]) -> Levels:
        """Return a block of the region, with the grey levels of the whole."""
        intensities = np.zeros(self.levels.shape)
        intensities[self.levels > 0] = self.inside
        levels = np.ascontiguousarray(self.levels[block])
        inside = intensities[block][levels > 0]
        return _counted(inside, levels)


def _counted(inside: np.ndarray, levels: np.ndarray) -> Levels:
    voxels = np.bincount(levels[levels > 0])
    present = np.flatnonzero(voxels)
    return Levels(inside, levels, present, voxels[present])


def discretise(image: np.ndarray, mask: np.ndarray, settings: Mapping[str, Any]) -> Levels:
    """Assign numbers to the grey levels inside the region as pyradiomics does.

    Parameters
    ----------
    image : ndarray, shape (z, y, x)
        Intensities.
    mask : ndarray of bool, shape (z, y, x)
        The region.
    settings : mapping
        `binWidth` or `binCount`.

    Raises
    ------
    ValueError
        More than 65 534 grey levels: pyradiomics' matrices would not fit into memory, either.
    """
    found = image[mask]
    if convention(settings, "bin_origin") is not None:
        numbers = grey_levels(found, settings)
        _require_few(int(numbers.max()))
        levels = np.zeros(image.shape, np.uint16)
        levels[mask] = numbers
        return _counted(found.astype(float), levels)
    extremes = np.array([found.min(), found.max()])
    edges = _edges(extremes, settings)
    _require_few(edges.size - 1)
    inside = found.astype(float)
    levels, voxels = counting.bin_voxels(np.ascontiguousarray(mask), inside, edges)
    present = np.flatnonzero(voxels)
    return Levels(inside, levels, present, voxels[present])


def _require_few(levels: int) -> None:
    if levels >= np.iinfo(np.uint16).max:
        raise ValueError(f"{levels} grey levels are too many for texture; choose wider bins")


def _edges(extremes: np.ndarray, settings: Mapping[str, Any]) -> np.ndarray:
    """Return pyradiomics' bin edges, without the text that it writes about them each time."""
    count = settings.get("binCount")
    if count is not None:
        edges = np.histogram(extremes, count)[1]
        edges[-1] += 1
        return edges.astype(float)
    width = settings.get("binWidth", 25)
    low, high = extremes
    edges = np.arange(low - low % width, high + 2 * width, width)
    if len(edges) == 1:
        edges = np.array([edges[0] - 0.5, edges[0] + 0.5])
    return edges.astype(float)


@dataclass(frozen=True)
class _Region:
    """A region on a padded volume, with what several classes need of it."""

    binned: Levels
    spacing: np.ndarray
    settings: Mapping[str, Any]

    @property
    def shape(self) -> tuple[int, ...]:
        return tuple(self.binned.levels.shape)

    @property
    def grey(self) -> np.ndarray:
        return self.binned.present.astype(float)

    @cached_property
    def distances(self) -> tuple[int, ...]:
        return tuple(self.settings.get("distances", [1]))

    @cached_property
    def padding(self) -> np.ndarray:
        return np.full(3, max(self.distances), dtype=np.int64)

    @cached_property
    def padded_shape(self) -> np.ndarray:
        return np.asarray(self.shape + 2 * self.padding)

    @cached_property
    def voxels(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Padded grey levels, padded numbers of the levels that occur, rows."""
        present = self.binned.present
        lookup = np.zeros(int(present[-1]) + 1, np.uint16)
        lookup[present] = np.arange(1, len(present) + 1)
        padded, numbered, rows = counting.pad_levels(self.binned.levels, self.padding, lookup)
        return padded, numbered, rows

    def steps(self, distances: tuple[int, ...]) -> np.ndarray:
        flat = self.settings.get("force2Ddimension", 0) if self.settings.get("force2D", False) else None
        found = directions(self.shape, distances, flat)
        if not len(found):  # pyradiomics gives up here, too
            plane = "" if flat is None else f" without steps along axis {flat}"
            raise ValueError(f"no neighbours at distance {list(distances)}{plane} in {self.shape} voxels")
        return found

    def offsets(self, steps: np.ndarray) -> np.ndarray:
        _, y, x = (int(extent) for extent in self.padded_shape)
        return np.asarray(steps @ np.array([y * x, x, 1]))

    def weights(self, steps: np.ndarray, falling: bool) -> np.ndarray | None:
        """Return the weights of directions, falling or growing with their lengths; None for no weighting."""
        norm = self.settings.get("weightingNorm")
        if norm is None:
            return None
        if norm == "no_weighting":
            return np.ones(len(steps))
        squared = squared_lengths(steps, self.spacing, norm)
        return np.asarray(np.exp(-squared) if falling else np.sqrt(squared))

    @cached_property
    def equals(self) -> np.ndarray:
        """Which of the nearest neighbours on one side have the same grey level, as bits."""
        _, numbered, rows = self.voxels
        return counting.find_equals(numbered, rows, self.offsets(self.steps((1,))))

    @cached_property
    def neighbourhoods(self) -> tuple[np.ndarray, np.ndarray]:
        padded, _, rows = self.voxels
        offsets = self.offsets(self.steps(self.distances))
        highest = int(self.binned.present[-1])
        alike = int(self.settings.get("gldm_a", 0))
        dependences, contrast = counting.count_neighbourhoods(padded, rows, offsets, highest, alike)
        return dependences, contrast


def _glcm(region: _Region) -> dict[str, float]:
    steps = region.steps(region.distances)
    weights = region.weights(steps, falling=True)
    _, numbered, rows = region.voxels
    pairs = counting.count_pairs(numbered, rows, region.offsets(steps), len(region.grey))[:, 1:, 1:]
    joint = joint_probabilities(pairs, region.settings.get("symmetricalGLCM", True), weights)
    return glcm_features(joint, region.binned.present, len(steps) if weights is None else 1)


def _glrlm(region: _Region) -> dict[str, float]:
    steps = region.steps((1,))
    weights = region.weights(steps, falling=False)
    _, numbered, rows = region.voxels
    offsets, longest = region.offsets(steps), max(region.shape)
    found = counting.count_runs(numbered, region.equals, rows, offsets, len(region.grey), longest)
    runs = found[:, 1:, 1:].astype(float)
    # pyradiomics leaves out directions along which no line meets two voxels of the region.
    alone = np.flatnonzero(runs[:, :, 0].sum(axis=1) == region.binned.inside.size)
    if len(alone):
        met = counting.lines_meet(numbered, rows, steps[alone], region.padded_shape)
        runs[alone[~met]] = 0
    if weights is not None:
        runs = (runs * weights[:, None, None]).sum(axis=0, keepdims=True)
    values = dict(zip(_RUNS, run_features(runs, region.grey).tolist(), strict=True))
    if len(runs) == 1 and not runs.any():
        # A single direction is kept, and pyradiomics sums over no run lengths.
        values |= {"RunVariance": 0.0, "RunEntropy": 0.0}
    return values


def _glszm(region: _Region) -> dict[str, float]:
    _, numbered, rows = region.voxels
    steps = region.steps((1,))
    offsets, kept = region.offsets(steps), representatives(steps)
    zones, sizes = count_zones(numbered, region.equals, rows, offsets, kept, len(region.grey))
    return dict(zip(_ZONES, extent_features(zones, region.grey, sizes).tolist(), strict=True))


def _gldm(region: _Region) -> dict[str, float]:
    dependences = region.neighbourhoods[0][region.binned.present].astype(float)
    extents = np.arange(1.0, dependences.shape[1] + 1)
    values = extent_features(dependences, region.grey, extents)
    return dict(zip(_DEPENDENCES, values.tolist(), strict=True))


def _ngtdm(region: _Region) -> dict[str, float]:
    contrast = region.neighbourhoods[1][region.binned.present]
    values = contrast_features(region.binned.voxels.astype(float), contrast, region.grey)
    return dict(zip(_CONTRASTS, values.tolist(), strict=True))


def _firstorder(region: _Region) -> dict[str, float]:
    inside = region.binned.inside
    volume = float(np.multiply.reduce(region.spacing[::-1]))
    shift = region.settings.get("voxelArrayShift", 0)
    return first_order(inside, region.binned.voxels / inside.size, volume, shift)


_CLASSES: dict[str, Callable[[_Region], dict[str, float]]] = {
    "firstorder": _firstorder,
    "glcm": _glcm,
    "glrlm": _glrlm,
    "glszm": _glszm,
    "gldm": _gldm,
    "ngtdm": _ngtdm,
}


def texture_features(
    prefix: str,
    binned: Levels,
    spacing: np.ndarray,
    classes: Classes,
    settings: Mapping[str, Any],
) -> dict[str, float]:
    """Compute first-order and texture features of one (filtered) image.

    Parameters
    ----------
    prefix : str
        Name of the image, such as `wavelet-LLH`.
    binned : Levels
        The image inside the region.
    spacing : ndarray, shape (3,)
        Millimetres along z, y, x.
    classes : mapping of str to tuple of str
        Feature classes and their features; an empty tuple means all.
    settings : mapping
        pyradiomics settings.

    Returns
    -------
    dict of str to float
        `<prefix>_<class>_<feature>`; NaN where pyradiomics cannot compute one.
    """
    region = _Region(binned, spacing, settings)
    values: dict[str, float] = {}
    for name, features in classes.items():
        found = _CLASSES[name](region)
        wanted = feature_names(name, features)
        values |= {f"{prefix}_{name}_{feature}": float(found[feature]) for feature in wanted}
    return values


@cache
def feature_names(name: str, features: tuple[str, ...]) -> tuple[str, ...]:
    """Return the features of a class that pyradiomics computes, in its order.

    Parameters
    ----------
    name : str
        A feature class.
    features : tuple of str
        What is asked for; empty for all that are not deprecated. Deprecated features are computed when they
        are named, but for those of which pyradiomics gives no value: it leaves them out, and so does this.

    Examples
    --------
    >>> feature_names("gldm", ("DependencePercentage", "DependenceEntropy"))
    ('DependenceEntropy',)
    """
    known = getFeatureClasses()[name].getFeatureNames()
    wanted = features or tuple(feature for feature, deprecated in known.items() if not deprecated)
    return tuple(feature for feature in wanted if feature not in _WITHOUT_VALUE.get(name, ()))
