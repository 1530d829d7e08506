"""Compiled formulas on texture matrices.

The definitions are pyradiomics' own, term by term; see the feature classes of pyradiomics for each.
"""

from __future__ import annotations

import numpy as np

from radiomics_vert.extraction.native.compiling import compiled

EPSILON = float(np.spacing(1))
# Two grey levels of a million voxels have more variance than this.
NO_VARIANCE = 1e-12

# What `extent_features` returns, in its order. Extent is the length of a run, the size of a zone, or
# the number of dependent voxels.
EXTENT_FEATURES = (
    "small", "large", "level_nonuniformity", "level_nonuniformity_normalised", "extent_nonuniformity",
    "extent_nonuniformity_normalised", "percentage", "level_variance", "extent_variance", "entropy",
    "low", "high", "small_low", "small_high", "large_low", "large_high",
)  # fmt: skip

# What `pair_features` returns, in its order, by pyradiomics' names.
PAIR_FEATURES = (
    "Autocorrelation", "JointAverage", "ClusterProminence", "ClusterShade", "ClusterTendency", "Contrast",
    "Correlation", "DifferenceAverage", "DifferenceEntropy", "DifferenceVariance", "JointEnergy", "Idm",
    "Idmn", "Id", "Idn", "InverseVariance", "MaximumProbability", "SumAverage", "SumEntropy", "SumSquares",
)  # fmt: skip


@compiled
def extent_features(counts: np.ndarray, levels: np.ndarray, extents: np.ndarray) -> np.ndarray:
    """Return the features that GLRLM, GLSZM and GLDM have in common.

    Parameters
    ----------
    counts : ndarray of float, shape (n_levels, n_extents)
        How often a grey level occurs with an extent.
    levels, extents : ndarray of float
        What rows and columns stand for.

    Returns
    -------
    ndarray of float
        In the order of :data:`EXTENT_FEATURES`; NaN for an empty matrix.
    """
    found = np.zeros(16)
    by_level, by_extent = np.zeros(levels.size), np.zeros(extents.size)
    for i in range(levels.size):
        i2 = levels[i] * levels[i]
        for j in range(extents.size):
            n = counts[i, j]
            if n == 0:
                continue
            by_level[i] += n
            by_extent[j] += n
            j2 = extents[j] * extents[j]
            found[12] += n / (i2 * j2)
            found[13] += n * i2 / j2
            found[14] += n * j2 / i2
            found[15] += n * i2 * j2
    total = by_level.sum()
    voxels, mean_level, mean_extent = 0.0, 0.0, 0.0
    for i in range(levels.size):
        n, i2 = by_level[i], levels[i] * levels[i]
        found[2] += n * n
        found[10] += n / i2
        found[11] += n * i2
        mean_level += n / total * levels[i]
    for j in range(extents.size):
        n, j2 = by_extent[j], extents[j] * extents[j]
        found[4] += n * n
        found[0] += n / j2
        found[1] += n * j2
        voxels += n * extents[j]
        mean_extent += n / total * extents[j]
    for i in range(levels.size):
        found[7] += by_level[i] / total * (levels[i] - mean_level) ** 2
        for j in range(extents.size):
            if counts[i, j] != 0:
                share = counts[i, j] / total
                found[9] -= share * np.log2(share + EPSILON)
    for j in range(extents.size):
        found[8] += by_extent[j] / total * (extents[j] - mean_extent) ** 2
    found[3] = found[2] / total / total
    found[5] = found[4] / total / total
    found[6] = total / voxels
    for k in (0, 1, 2, 4, 10, 11, 12, 13, 14, 15):
        found[k] /= total
    return found


@compiled
def run_features(counts: np.ndarray, levels: np.ndarray) -> np.ndarray:
    """Return the mean of the features of several matrices of runs.

    Parameters
    ----------
    counts : ndarray of float, shape (n_matrices, n_levels, longest)
        Column 0 holds runs of length 1. Empty matrices do not count.
    levels : ndarray of float
        Grey levels.
    """
    lengths = np.arange(1.0, counts.shape[2] + 1)
    found, matrices = np.zeros(16), 0
    for a in range(counts.shape[0]):
        own = extent_features(counts[a], levels, lengths)
        if own[0] > 0:  # not NaN: there is a run
            matrices += 1
            for k in range(16):
                found[k] += own[k]
    for k in range(16):
        found[k] /= matrices
    return found


@compiled
def contrast_features(voxels: np.ndarray, contrast: np.ndarray, levels: np.ndarray) -> np.ndarray:
    """Return NGTDM coarseness, contrast, busyness, complexity and strength.

    Parameters
    ----------
    voxels : ndarray of float
        Voxels of each grey level, none of them 0.
    contrast : ndarray of float
        Sum of absolute differences between the voxels of a level and their neighbourhoods.
    levels : ndarray of float
        Grey levels.
    """
    n, total = levels.size, voxels.sum()
    share = voxels / total
    coarse, all_contrast = (share * contrast).sum(), contrast.sum()
    spread, apart, complexity, strength = 0.0, 0.0, 0.0, 0.0
    for i in range(n):
        for j in range(n):
            squared = (levels[i] - levels[j]) ** 2
            both = share[i] + share[j]
            spread += share[i] * share[j] * squared
            apart += abs(levels[i] * share[i] - levels[j] * share[j])
            mixed = share[i] * contrast[i] + share[j] * contrast[j]
            complexity += abs(levels[i] - levels[j]) * mixed / both
            strength += both * squared
    found = np.zeros(5)
    found[0] = 1 / coarse if coarse != 0 else 1e6
    found[1] = spread * all_contrast / total / (n * (n - 1)) if n > 1 else 0.0
    found[2] = coarse / apart if apart != 0 else 0.0
    found[3] = complexity / total
    found[4] = strength / all_contrast if all_contrast != 0 else 0.0
    return found


@compiled
def pair_features(joint: np.ndarray, levels: np.ndarray, highest: int) -> np.ndarray:
    """Return the GLCM features that need no logarithm of the joint distribution.

    Parameters
    ----------
    joint : ndarray of float, shape (n_levels, n_levels, n_directions)
        Probabilities per direction.
    levels : ndarray of int
        Grey levels.
    highest : int
        The highest grey level.

    Returns
    -------
    ndarray of float, shape (n_features, n_directions)
        In the order of :data:`PAIR_FEATURES`.
    """
    n, directions = levels.size, joint.shape[2]
    found = np.zeros((20, directions))
    rows, columns = np.zeros((n, directions)), np.zeros((n, directions))
    sums, differences = np.zeros((2 * highest + 1, directions)), np.zeros((highest, directions))
    for i in range(n):
        for j in range(n):
            product = float(levels[i] * levels[j])
            s, d = levels[i] + levels[j], abs(levels[i] - levels[j])
            for a in range(directions):
                p = joint[i, j, a]
                rows[i, a] += p
                columns[j, a] += p
                sums[s, a] += p
                differences[d, a] += p
                found[0, a] += p * product
                found[10, a] += p * p
                found[16, a] = max(found[16, a], p)
    mean_x, mean_y = _means(rows, levels), _means(columns, levels)
    for a in range(directions):
        found[1, a] = mean_x[a]
    _moments(found, joint, rows, columns, levels, mean_x, mean_y)
    _sum_features(found, sums, mean_x, mean_y)
    _difference_features(found, differences, highest)
    return found


@compiled
def _means(marginal: np.ndarray, levels: np.ndarray) -> np.ndarray:
    means = np.zeros(marginal.shape[1])
    for i in range(levels.size):
        for a in range(means.size):
            means[a] += marginal[i, a] * levels[i]
    return means


@compiled
def _moments(
    found: np.ndarray,
    joint: np.ndarray,
    rows: np.ndarray,
    columns: np.ndarray,
    levels: np.ndarray,
    mean_x: np.ndarray,
    mean_y: np.ndarray,
) -> None:
    """Fill in variance, and correlation but where rounding decides it (NaN)."""
    directions = mean_x.size
    variance_x, variance_y = np.zeros(directions), np.zeros(directions)
    covariance = np.zeros(directions)
    for i in range(levels.size):
        for a in range(directions):
            apart_x, apart_y = levels[i] - mean_x[a], levels[i] - mean_y[a]
            variance_x[a] += rows[i, a] * (apart_x * apart_x)
            variance_y[a] += columns[i, a] * (apart_y * apart_y)
        for j in range(levels.size):
            for a in range(directions):
                covariance[a] += joint[i, j, a] * (levels[i] - mean_x[a]) * (levels[j] - mean_y[a])
    for a in range(directions):
        found[19, a] = variance_x[a]
        if min(variance_x[a], variance_y[a]) < NO_VARIANCE:
            found[6, a] = np.nan
        else:
            scale = np.sqrt(variance_x[a]) * np.sqrt(variance_y[a])
            found[6, a] = covariance[a] / (scale + EPSILON)


@compiled
def _sum_features(found: np.ndarray, sums: np.ndarray, mean_x: np.ndarray, mean_y: np.ndarray) -> None:
    """Fill in what depends on the sum of two grey levels only."""
    for s in range(2, sums.shape[0]):
        for a in range(sums.shape[1]):
            p, apart = sums[s, a], s - mean_x[a] - mean_y[a]
            squared = apart * apart
            found[4, a] += p * squared
            found[3, a] += p * squared * apart
            found[2, a] += p * squared * squared
            found[17, a] += p * s
            if p != 0:
                found[18, a] -= p * np.log2(p + EPSILON)


@compiled
def _difference_features(found: np.ndarray, differences: np.ndarray, highest: int) -> None:
    """Fill in what depends on the difference of two grey levels only."""
    for d in range(highest):
        squared = float(d * d)
        for a in range(differences.shape[1]):
            p = differences[d, a]
            found[5, a] += p * squared
            found[7, a] += p * d
            if p != 0:
                found[8, a] -= p * np.log2(p + EPSILON)
            found[11, a] += p / (1 + squared)
            found[12, a] += p / (1 + squared / (highest * highest))
            found[13, a] += p / (1 + d)
            found[14, a] += p / (1 + d / highest)
            if d > 0:
                found[15, a] += p / squared
    for d in range(highest):
        for a in range(differences.shape[1]):
            apart = d - found[7, a]
            found[9, a] += differences[d, a] * (apart * apart)
