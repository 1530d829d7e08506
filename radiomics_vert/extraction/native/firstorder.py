"""First-order statistics by pyradiomics' names, from one sorting of the voxels."""

from __future__ import annotations

import numpy as np

EPSILON = float(np.spacing(1))


def first_order(
    inside: np.ndarray, shares: np.ndarray, voxel_volume: float, shift: float
) -> dict[str, float]:
    """Compute first-order features.

    Parameters
    ----------
    inside : ndarray of float
        Intensities inside the region.
    shares : ndarray of float
        Share of each grey level that occurs.
    voxel_volume : float
        Cubic millimetres per voxel.
    shift : float
        Added to the intensities for energy and root mean square.
    """
    ordered = np.sort(inside)
    low, high = percentile(ordered, 10), percentile(ordered, 90)
    # The sums follow the order of the voxels, as pyradiomics' do.
    mean = inside.sum() / inside.size
    apart = inside - mean
    squared = apart * apart
    variance = squared.sum() / inside.size
    energy = ((inside + shift) ** 2).sum()
    robust = ordered[np.searchsorted(ordered, low) : np.searchsorted(ordered, high, side="right")]
    spread = variance or 1.0  # a flat region divides by 1
    return {
        "Energy": energy,
        "TotalEnergy": energy * voxel_volume,
        "Entropy": -(shares * np.log2(shares + EPSILON)).sum(),
        "Minimum": ordered[0],
        "10Percentile": low,
        "90Percentile": high,
        "Maximum": ordered[-1],
        "Mean": mean,
        "Median": (ordered[(inside.size - 1) // 2] + ordered[inside.size // 2]) / 2,
        "InterquartileRange": percentile(ordered, 75) - percentile(ordered, 25),
        "Range": ordered[-1] - ordered[0],
        "MeanAbsoluteDeviation": np.abs(apart).sum() / inside.size,
        "RobustMeanAbsoluteDeviation": np.abs(robust - robust.mean()).mean(),
        "RootMeanSquared": np.sqrt(energy / inside.size),
        "StandardDeviation": np.sqrt(variance),
        "Skewness": (squared * apart).sum() / inside.size / spread**1.5,
        "Kurtosis": (squared * squared).sum() / inside.size / spread**2,
        "Variance": variance,
        "Uniformity": (shares**2).sum(),
    }


def percentile(ordered: np.ndarray, percent: float) -> float:
    """Return a percentile of sorted values by linear interpolation, as numpy rounds it.

    Examples
    --------
    >>> percentile(np.array([1.0, 2.0, 4.0]), 75)
    3.0
    """
    position = (ordered.size - 1) * (percent / 100)
    below = int(position)
    part = position - below
    first, second = float(ordered[below]), float(ordered[min(below + 1, ordered.size - 1)])
    if part >= 0.5:
        return second - (second - first) * (1 - part)
    return first + (second - first) * part
