"""Compiled filters with the bits of ITK's Laplacian of Gaussian and of PyWavelets' stationary transform.

One more rounding can move a voxel into the next bin, so operations and their order are those of the two
libraries. Only the lines that reach the region are filtered, axis by axis.
"""

from __future__ import annotations

from math import cos, exp, prod, sin

import numpy as np

from radiomics_vert.extraction.native.compiling import compiled

# Constants of the fourth-order recursion (Deriche, INRIA report RR-1893, 1993), as ITK has them.
_W1, _L1, _W2, _L2 = 0.6681, -1.3932, 2.0787, -1.3732
_SMOOTH = (1.3530, 1.8151, -0.3531, 0.0902)
_SECOND = (-1.3563, 5.2318, 0.3446, -2.2355)

TILE = 64
"""Lines filtered side by side; a tile of lines of 200 voxels fits into the second cache."""


def gaussian_coefficients(sigma: float, spacing: float, second: bool) -> np.ndarray:
    """Return the coefficients of ITK's recursive Gaussian or of its second derivative.

    Parameters
    ----------
    sigma : float
        Width in millimetres.
    spacing : float
        Millimetres per voxel along the line.
    second : bool
        The second derivative, normalised across scales.

    Returns
    -------
    ndarray of float, shape (20,)
        N0-N3, D1-D4, M1-M4, BN1-BN4, BM1-BM4 of ITK.
    """
    width = sigma / spacing
    cos1, cos2 = cos(_W1 / width), cos(_W2 / width)
    exp1, exp2 = exp(_L1 / width), exp(_L2 / width)
    d4 = exp1 * exp1 * exp2 * exp2
    d3 = -2 * cos1 * exp1 * exp2 * exp2
    d3 += -2 * cos2 * exp2 * exp1 * exp1
    d2 = 4 * cos2 * cos1 * exp1 * exp2
    d2 += exp1 * exp1 + exp2 * exp2
    d1 = -2 * (exp2 * cos2 + exp1 * cos1)
    sd = 1.0 + d1 + d2 + d3 + d4
    dd = d1 + 2 * d2 + 3 * d3 + 4 * d4
    ed = d1 + 4 * d2 + 9 * d3 + 16 * d4
    n, sn, _, _ = _numerator(width, *_SMOOTH)
    if not second:
        alpha = 2 * sn / sd - n[0]
        n = [value * (1.0 / alpha) for value in n]
    else:
        n2, sn2, dn2, en2 = _numerator(width, *_SECOND)
        n0, sn0, dn0, en0 = _numerator(width, *_SMOOTH)
        beta = -(2 * sn2 - sd * n2[0]) / (2 * sn0 - sd * n0[0])
        n = [b + beta * a for a, b in zip(n0, n2, strict=True)]
        sn, dn, en = sn2 + beta * sn0, dn2 + beta * dn0, en2 + beta * en0
        alpha = en * sd * sd - ed * sn * sd - 2 * dn * dd * sd + 2 * dd * dd * sn
        alpha /= sd * sd * sd
        n = [value * (sigma * sigma / alpha) for value in n]
    m = [n[1] - d1 * n[0], n[2] - d2 * n[0], n[3] - d3 * n[0], -d4 * n[0]]
    sn, sm = n[0] + n[1] + n[2] + n[3], m[0] + m[1] + m[2] + m[3]
    d = [d1, d2, d3, d4]
    return np.array([*n, *d, *m, *(one * sn / sd for one in d), *(one * sm / sd for one in d)])


def _numerator(
    width: float, a1: float, b1: float, a2: float, b2: float
) -> tuple[list[float], float, float, float]:
    sin1, sin2 = sin(_W1 / width), sin(_W2 / width)
    cos1, cos2 = cos(_W1 / width), cos(_W2 / width)
    exp1, exp2 = exp(_L1 / width), exp(_L2 / width)
    n0 = a1 + a2
    n1 = exp2 * (b2 * sin2 - (a2 + 2 * a1) * cos2)
    n1 += exp1 * (b1 * sin1 - (a1 + 2 * a2) * cos1)
    n2 = (a1 + a2) * cos2 * cos1
    n2 -= b1 * cos2 * sin1 + b2 * cos1 * sin2
    n2 *= 2 * exp1 * exp2
    n2 += a2 * exp1 * exp1 + a1 * exp2 * exp2
    n3 = exp2 * exp1 * exp1 * (b2 * sin2 - a2 * cos2)
    n3 += exp1 * exp2 * exp2 * (b1 * sin1 - a1 * cos1)
    return [n0, n1, n2, n3], n0 + n1 + n2 + n3, n1 + 2 * n2 + 3 * n3, n1 + 4 * n2 + 9 * n3


@compiled
def _forwards(data: np.ndarray, out: np.ndarray, k: np.ndarray, stop: int) -> None:
    """Filter a tile's lines from their first voxel up to `stop`; the border value goes on before them."""
    for i in range(min(stop, 4)):
        for x in range(TILE):
            edge, a, b = data[0, x], data[max(i - 1, 0), x], data[max(i - 2, 0), x]
            v = data[i, x] * k[0] + a * k[1] + b * k[2] + data[max(i - 3, 0), x] * k[3]
            s1 = out[i - 1, x] * k[4] if i > 0 else edge * k[12]
            s2 = out[i - 2, x] * k[5] if i > 1 else edge * k[13]
            s3 = out[i - 3, x] * k[6] if i > 2 else edge * k[14]
            out[i, x] = v - (s1 + s2 + s3 + edge * k[15])
    for i in range(4, stop):
        for x in range(TILE):
            v = data[i, x] * k[0] + data[i - 1, x] * k[1] + data[i - 2, x] * k[2] + data[i - 3, x] * k[3]
            s = out[i - 1, x] * k[4] + out[i - 2, x] * k[5] + out[i - 3, x] * k[6] + out[i - 4, x] * k[7]
            out[i, x] = v - s


@compiled
def _backwards(data: np.ndarray, out: np.ndarray, k: np.ndarray, first: int) -> None:
    """Filter a tile's lines from their last voxel down to `first`; the border value goes on behind them."""
    last = data.shape[0] - 1
    for i in range(last, max(first, last - 3) - 1, -1):
        c, d = min(i + 3, last), min(i + 4, last)
        for x in range(TILE):
            edge, a, b = data[last, x], data[min(i + 1, last), x], data[min(i + 2, last), x]
            v = a * k[8] + b * k[9] + data[c, x] * k[10] + data[d, x] * k[11]
            s1 = out[i + 1, x] * k[4] if i < last else edge * k[16]
            s2 = out[i + 2, x] * k[5] if i < last - 1 else edge * k[17]
            s3 = out[i + 3, x] * k[6] if i < last - 2 else edge * k[18]
            out[i, x] = v - (s1 + s2 + s3 + edge * k[19])
    for i in range(last - 4, first - 1, -1):
        for x in range(TILE):
            v = (
                data[i + 1, x] * k[8]
                + data[i + 2, x] * k[9]
                + data[i + 3, x] * k[10]
                + data[i + 4, x] * k[11]
            )
            s = out[i + 1, x] * k[4] + out[i + 2, x] * k[5] + out[i + 3, x] * k[6] + out[i + 4, x] * k[7]
            out[i, x] = v - s


@compiled
def _filter_tiles(volume: np.ndarray, coefficients: np.ndarray, first: int, stop: int) -> np.ndarray:
    """Filter along the middle axis, tile by tile: lines side by side, so that each step is one of vectors."""
    outer, n, inner = volume.shape
    result = np.empty((outer, stop - first, inner), np.float32)
    data, ahead, back = np.zeros((n, TILE)), np.zeros((n, TILE)), np.zeros((n, TILE))
    for start in range(0, outer * inner, TILE):
        width = min(TILE, outer * inner - start)
        x = 0
        while x < width:
            o, i0 = divmod(start + x, inner)
            together = min(inner - i0, width - x)
            if inner == 1:
                for i in range(n):
                    data[i, x] = volume[o, i, 0]
            else:
                for i in range(n):
                    for c in range(together):
                        data[i, x + c] = volume[o, i, i0 + c]
            x += together
        _forwards(data, ahead, coefficients, stop)
        _backwards(data, back, coefficients, first)
        x = 0
        while x < width:
            o, i0 = divmod(start + x, inner)
            together = min(inner - i0, width - x)
            for i in range(first, stop):
                for c in range(together):
                    result[o, i - first, i0 + c] = ahead[i, x + c] + back[i, x + c]
            x += together
    return result


def filter_lines(
    volume: np.ndarray, axis: int, coefficients: np.ndarray, first: int, stop: int
) -> np.ndarray:
    """Filter all lines along one axis and keep a part of each.

    Parameters
    ----------
    volume : ndarray of float, shape (z, y, x)
        Values.
    axis : int
        0, 1 or 2.
    coefficients : ndarray of float
        From :func:`gaussian_coefficients`.
    first, stop : int
        The part of each line to keep.

    Returns
    -------
    ndarray of float32
        In single precision, as ITK keeps images between two passes.
    """
    before, (n, *after) = volume.shape[:axis], volume.shape[axis:]
    lines = volume.reshape(prod(before), n, prod(after))
    return _filter_tiles(lines, coefficients, first, stop).reshape(*before, stop - first, *after)


def laplacian_of_gaussian(
    volume: np.ndarray, spacing: np.ndarray, sigma: float, kept: tuple[slice, slice, slice]
) -> np.ndarray:
    """Return a part of the Laplacian of Gaussian of a block, with the bits of ITK's filter.

    Parameters
    ----------
    volume : ndarray, shape (z, y, x)
        At least four voxels along each axis.
    spacing : ndarray, shape (3,)
        Millimetres along z, y, x.
    sigma : float
        Millimetres.
    kept : tuple of slice
        The part that is wanted.

    Returns
    -------
    ndarray of float32
        The part.
    """
    # Single precision holds these whole numbers exactly.
    single = volume.dtype == np.float32 or (volume.dtype.kind in "iu" and volume.dtype.itemsize < 3)
    block = np.ascontiguousarray(volume, dtype=np.float32 if single else float)
    total = np.zeros([part.stop - part.start for part in kept], dtype=np.float32)
    for derived in (2, 1, 0):
        found = block
        for axis in (derived, *(other for other in (2, 1, 0) if other != derived)):
            weights = gaussian_coefficients(sigma, float(spacing[axis]), axis == derived)
            found = filter_lines(found, axis, weights, kept[axis].start, kept[axis].stop)
        total = (total + found.astype(float) * (1.0 / float(spacing[derived]) ** 2)).astype(np.float32)
    return total


@compiled
def convolve(volume: np.ndarray, axis: int, taps: np.ndarray, first: int, stop: int) -> np.ndarray:
    """Convolve all lines along one axis as PyWavelets does, away from the borders.

    Parameters
    ----------
    volume : ndarray of float, shape (z, y, x)
        Values.
    axis : int
        0, 1 or 2.
    taps : ndarray of float
        The filter, of the type of `volume`.
    first, stop : int
        The part of each line to compute.
    """
    shape = volume.shape
    if axis == 0:
        result = np.zeros((stop - first, shape[1], shape[2]), volume.dtype)
    elif axis == 1:
        result = np.zeros((shape[0], stop - first, shape[2]), volume.dtype)
    else:
        result = np.zeros((shape[0], shape[1], stop - first), volume.dtype)
    shift = first + taps.size // 2
    for z in range(result.shape[0]):
        for y in range(result.shape[1]):
            row = result[z, y]
            for j in range(taps.size):
                tap = taps[j]
                if axis == 0:
                    source = volume[z + shift - j, y]
                elif axis == 1:
                    source = volume[z, y + shift - j]
                else:
                    source = volume[z, y, shift - j : shift - j + row.size]
                for x in range(row.size):
                    row[x] += tap * source[x]
    return result
