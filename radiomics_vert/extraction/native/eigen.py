"""The second largest eigenvalue of several small symmetric matrices.

A library finds all eigenvalues of one matrix after the other, and is made for larger ones. Here: reduction to
tridiagonal form by Householder's reflections, then bisection with Sturm sequences for all matrices side by
side (Golub and Van Loan, Matrix Computations, sections 8.3 and 8.4).
"""

from __future__ import annotations

import numpy as np

from radiomics_vert.extraction.native.compiling import compiled

_BISECTIONS = 60
"""Halve an interval of length 1 to less than the rounding error of a double."""

_SMALLEST = 1e-300


def second_largest(matrices: np.ndarray) -> np.ndarray:
    """Return the second largest eigenvalue of each matrix, but for rounding errors of the largest one.

    Parameters
    ----------
    matrices : ndarray of float, shape (n_matrices, n, n)
        Symmetric, n at least 2.

    Returns
    -------
    ndarray of float, shape (n_matrices,)
        NaN for a matrix that has NaN.

    Examples
    --------
    >>> second_largest(np.array([np.diag([3.0, 1.0, 2.0])])).round(9).tolist()
    [2.0]
    """
    found = bisect_second(*tridiagonal(np.array(matrices, dtype=float, order="C")))
    found[np.isnan(matrices).any(axis=(1, 2))] = np.nan
    return found


@compiled
def tridiagonal(matrices: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Reduce symmetric matrices to tridiagonal form, in place.

    Parameters
    ----------
    matrices : ndarray of float, shape (n_matrices, n, n)
        Symmetric; overwritten.

    Returns
    -------
    diagonal, squares : ndarray of float, shape (n, n_matrices)
        The diagonal, and the squares of what stands beside it, of which the first is 0.
    """
    count, n = matrices.shape[0], matrices.shape[1]
    diagonal, squares = np.zeros((n, count)), np.zeros((n, count))
    reflector, moved = np.empty(n), np.empty(n)
    for m in range(count):
        matrix = matrices[m]
        for k in range(n - 1):
            diagonal[k, m] = matrix[k, k]
            size = n - k - 1
            v, w, square = reflector[:size], moved[:size], 0.0
            for i in range(size):
                v[i], w[i] = matrix[k, k + 1 + i], 0.0
                square += v[i] * v[i]
            squares[k + 1, m] = square
            rest = square - v[0] * v[0]
            if rest > _SMALLEST:  # else the column has its form already
                v[0] += np.sqrt(square) if v[0] >= 0 else -np.sqrt(square)
                _reflect(matrix[k + 1 :], v, w, 2 / (rest + v[0] * v[0]))
        diagonal[n - 1, m] = matrix[n - 1, n - 1]
    return diagonal, squares


@compiled
def _reflect(rows: np.ndarray, v: np.ndarray, w: np.ndarray, factor: float) -> None:
    """Apply a reflection from both sides to the last rows and columns; `w` is zeros, and overwritten."""
    size = v.size
    first = rows.shape[1] - size
    for i in range(size):
        row, by = rows[i, first:], v[i]
        for j in range(size):
            w[j] += by * row[j]
    along = 0.0
    for i in range(size):
        w[i] *= factor
        along += w[i] * v[i]
    for i in range(size):
        w[i] -= 0.5 * factor * along * v[i]
    for i in range(size):
        row, by, other = rows[i, first:], v[i], w[i]
        for j in range(size):
            row[j] -= by * w[j] + other * v[j]


@compiled
def bisect_second(diagonal: np.ndarray, squares: np.ndarray) -> np.ndarray:
    """Return the second largest eigenvalue of tridiagonal matrices, from what :func:`tridiagonal` returns."""
    n, count = diagonal.shape
    low, high = np.empty(count), np.empty(count)
    middle, q, above = np.empty(count), np.empty(count), np.empty(count)
    for m in range(count):
        low[m], high[m] = diagonal[0, m], diagonal[0, m]
        for i in range(n):
            reach = np.sqrt(squares[i, m]) + (np.sqrt(squares[i + 1, m]) if i + 1 < n else 0.0)
            low[m] = min(low[m], diagonal[i, m] - reach)
            high[m] = max(high[m], diagonal[i, m] + reach)
    for _ in range(_BISECTIONS):
        for m in range(count):
            middle[m], q[m], above[m] = 0.5 * (low[m] + high[m]), 1.0, 0.0
        for i in range(n):
            entry, square = diagonal[i], squares[i]
            for m in range(count):
                pivot = entry[m] - middle[m] - square[m] / q[m]
                pivot = pivot if abs(pivot) > _SMALLEST else -_SMALLEST
                above[m] += 1.0 if pivot > 0 else 0.0
                q[m] = pivot
        for m in range(count):
            low[m], high[m] = (middle[m], high[m]) if above[m] >= 2 else (low[m], middle[m])
    for m in range(count):
        middle[m] = 0.5 * (low[m] + high[m])
    return middle
