"""GLCM features by pyradiomics' names from counted pairs."""

from __future__ import annotations

import numpy as np

from radiomics_vert.extraction.features import ASYMMETRY, ROUNDING
from radiomics_vert.extraction.native.eigen import second_largest
from radiomics_vert.extraction.native.statistics import EPSILON, PAIR_FEATURES, pair_features

# Below this, rounding errors (1e-16 per operation) are not small beside a correlation.
_LEAST_CORRELATION = 1e-6


def joint_probabilities(pairs: np.ndarray, symmetric: bool, weights: np.ndarray | None) -> np.ndarray:
    """Normalise counted pairs.

    Parameters
    ----------
    pairs : ndarray of int, shape (n_directions, n_levels, n_levels)
        Counts.
    symmetric : bool
        Count each pair in both orders.
    weights : ndarray of float, shape (n_directions,), optional
        Weights with which the directions are summed to one.

    Returns
    -------
    ndarray of float, shape (n_levels, n_levels, n_directions)
        Probabilities; directions without pairs are left out.
    """
    # The layout in memory is pyradiomics' own, with columns before rows: it decides the order of sums.
    joint = pairs.transpose(2, 1, 0).astype(float, order="C").transpose(1, 0, 2)
    if symmetric:
        joint = np.ascontiguousarray(joint + joint.transpose(1, 0, 2))
    if weights is not None:
        joint = (joint * weights).sum(axis=2, keepdims=True)
    total = joint.sum(axis=(0, 1))
    filled = total > 0
    if not filled.all():
        # As pyradiomics does it, for the layout in memory: it is another for one direction than for several.
        joint, total = np.delete(joint, np.flatnonzero(~filled), axis=2), total[filled]
    return np.asarray(joint / total)


def glcm_features(joint: np.ndarray, levels: np.ndarray, directions: int) -> dict[str, float]:
    """Compute GLCM features, averaged over directions.

    Parameters
    ----------
    joint : ndarray of float, shape (n_levels, n_levels, n_filled)
        From :func:`joint_probabilities`.
    levels : ndarray of int
        Grey levels.
    directions : int
        Matrices before empty ones were left out.
    """
    names = (*PAIR_FEATURES, "JointEntropy", "Imc1", "Imc2", "MCC")
    if joint.shape[2] == 0:
        found = dict.fromkeys(names, float("nan"))
        # pyradiomics keeps a single empty direction, as NaN, and leaves out several.
        if len(levels) == 1:
            found |= {"InverseVariance": 0.0} if directions == 1 else {"MCC": 1.0}
        return found
    values = pair_features(np.ascontiguousarray(joint), levels, int(levels[-1])).mean(axis=1)
    found = dict(zip(PAIR_FEATURES, values.tolist(), strict=True))
    if not abs(found["Correlation"]) > _LEAST_CORRELATION:
        found["Correlation"] = _correlation(joint, levels)
    found["JointEntropy"], found["Imc1"], found["Imc2"] = _information(joint)
    found["MCC"] = maximal_correlation(joint)
    return found


def _information(joint: np.ndarray) -> tuple[float, float, float]:
    """Return joint entropy and both informational measures of correlation.

    Where the two grey levels of a pair are independent, both measures are rounding errors; the order
    of the operations is pyradiomics' own, so that the errors are, too.
    """
    rows, columns = joint.sum(axis=1, keepdims=True), joint.sum(axis=0, keepdims=True)
    product = rows * columns
    logarithm = np.log2(product + EPSILON)
    axes = (0, 1)
    joint_entropy = -np.sum(joint * np.log2(joint + EPSILON), axes)
    cross_entropy = -np.sum(joint * logarithm, axes)
    product_entropy = -np.sum(product * logarithm, axes)
    row_entropy = -np.sum(rows * np.log2(rows + EPSILON), axes)
    column_entropy = -np.sum(columns * np.log2(columns + EPSILON), axes)
    larger = np.fmax(row_entropy, column_entropy)
    first = np.where(larger != 0, (joint_entropy - cross_entropy) / np.where(larger != 0, larger, 1), 0)
    second = (1 - np.e ** (-2 * (product_entropy - joint_entropy))) ** 0.5
    second[product_entropy == joint_entropy] = 0
    return float(joint_entropy.mean()), float(first.mean()), _mean_of_numbers(second)


def _correlation(joint: np.ndarray, levels: np.ndarray) -> float:
    """Return the correlation where rounding decides it: pyradiomics' operations in pyradiomics' order.

    Where some direction has one grey level only, on one side of its pairs, it decides between 0 / 0, which
    counts as 1, and a small value. Where the grey levels of pairs are independent, all that is left is
    rounding errors.
    """
    i, j = levels.astype(float)[:, None, None], levels.astype(float)[None, :, None]
    axes = (0, 1)
    mean_x, mean_y = (np.sum(level * joint, axes, keepdims=True) for level in (i, j))
    spread_x = np.sum(joint * ((i - mean_x) ** 2), axes, keepdims=True) ** 0.5
    spread_y = np.sum(joint * ((j - mean_y) ** 2), axes, keepdims=True) ** 0.5
    covariance = np.sum(joint * (i - mean_x) * (j - mean_y), axes, keepdims=True)
    correlation = covariance / (spread_x * spread_y + EPSILON)
    correlation[spread_x * spread_y == 0] = 1
    return float(correlation.mean())


def _mean_of_numbers(values: np.ndarray) -> float:
    numbers = values[~np.isnan(values)]
    return float(numbers.mean()) if numbers.size else float("nan")


def maximal_correlation(joint: np.ndarray) -> float:
    """Return the maximal correlation coefficient, averaged over directions.

    Scaling row i by sqrt(px(i)) and column j by its inverse keeps the eigenvalues of pyradiomics' matrix
    Q and makes it symmetric, but for the epsilon in its denominator. What that leaves antisymmetric moves
    eigenvalues in second order only; where it is not small (weights make probabilities smaller than
    epsilon), pyradiomics' own operations are used.

    Parameters
    ----------
    joint : ndarray of float, shape (n_levels, n_levels, n_directions)
        Probabilities.
    """
    if joint.shape[0] < 2:
        return 1.0  # one grey level, as pyradiomics has it
    matrices = np.ascontiguousarray(joint.transpose(2, 0, 1))
    rows, columns = matrices.sum(axis=2, keepdims=True), matrices.sum(axis=1, keepdims=True)
    q = matrices / (rows * columns + EPSILON) @ matrices.transpose(0, 2, 1)
    scale = np.sqrt(np.where(rows > 0, rows, 1))
    scaled = q * (scale / scale.transpose(0, 2, 1))
    mirrored = scaled.transpose(0, 2, 1)
    second = second_largest((scaled + mirrored) / 2)
    asymmetry = np.abs(scaled - mirrored).max()
    if second.min() > max(ROUNDING, asymmetry**2 / ASYMMETRY):
        return float(np.sqrt(second).mean())
    return _unsymmetric_correlation(joint)


def _unsymmetric_correlation(joint: np.ndarray) -> float:
    """Return the maximal correlation coefficient with pyradiomics' own operations, in its order."""
    rows, columns = joint.sum(axis=1), joint.sum(axis=0)
    q = np.zeros((len(joint), *joint.shape[1:]))
    for k in range(len(joint)):
        q += (joint[:, None, k] * joint[None, :, k]) / (rows[:, None] * columns[None, k] + EPSILON)
    # Of several directions, pyradiomics drops those with a negative eigenvalue, unless one is complex.
    ordered = np.sort(np.linalg.eigvals(q.transpose(2, 0, 1)))
    return float(np.nanmean(np.sqrt(ordered[:, -2])).real)
