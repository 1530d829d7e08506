"""Texture slice by slice: IBSI's 2D aggregation, with features averaged over slices."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np

Classes = Mapping[str, tuple[str, ...]]
Block = tuple[slice, ...]
Measure = Callable[[Block, Classes], dict[str, float]]


def slice_means(kept: np.ndarray, axis: int, classes: Classes, measure: Measure) -> dict[str, float]:
    """Return first-order features of the whole region, and texture features averaged over its slices.

    Slices of one voxel have no texture and are left out, as are single features of single slices that have
    no finite value; IBSI does not say what to do with them [our own choice].

    Parameters
    ----------
    kept : ndarray of bool, shape (z, y, x)
        The region.
    axis : int
        Across the slices; 0 is z.
    classes : mapping of str to tuple of str
        Feature classes and their features.
    measure : callable
        Computes features of a block of the region; grey levels must be those of the whole region.
    """
    whole: Block = (slice(None),) * 3
    found: dict[str, list[float]] = {}
    values: dict[str, float] = {}
    for name, features in classes.items():
        if name == "firstorder":
            values |= measure(whole, {name: features})
            continue
        for index in np.flatnonzero(np.moveaxis(kept, axis, 0).sum(axis=(1, 2)) > 1).tolist():
            block = (*whole[:axis], slice(index, index + 1), *whole[axis + 1 :])
            for feature, value in measure(block, {name: features}).items():
                found.setdefault(feature, []).append(value)
    means = {feature: _mean(np.array(each)) for feature, each in found.items()}
    return values | means


def _mean(values: np.ndarray) -> float:
    finite = values[np.isfinite(values)]
    return float(finite.mean()) if finite.size else float("nan")
