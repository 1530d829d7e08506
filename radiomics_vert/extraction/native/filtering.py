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

TILE = 48
"""Lines filtered side by side: a tile of lines of 200 voxels fits into the second cache. A power of two
would put the column of a tile into few sets of the first cache."""


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
def _recurse(
    data: np.ndarray, out: np.ndarray, n: np.ndarray, d: np.ndarray, border: np.ndarray, rows: int
) -> None:
    """Filter a tile's lines in one direction.

    Four rows at a time, so that what one row needs of those before is still in registers.

    Parameters
    ----------
    data : ndarray of float, shape (4 + rows, TILE)
        Row i is combined from rows i to i + 3; those before the first voxel repeat it.
    out : ndarray of float
        Filled up to `rows`, and up to three rows behind.
    n, d, border : ndarray of float, shape (4,)
        Of the data, of the rows of `out` before, and of the border value in their place.
    rows : int
        How many are wanted.
    """
    for i in range(4):
        for x in range(TILE):
            edge = data[0, x]
            v = data[i + 3, x] * n[0] + data[i + 2, x] * n[1] + data[i + 1, x] * n[2] + data[i, x] * n[3]
            s1 = out[i - 1, x] * d[0] if i > 0 else edge * border[0]
            s2 = out[i - 2, x] * d[1] if i > 1 else edge * border[1]
            s3 = out[i - 3, x] * d[2] if i > 2 else edge * border[2]
            out[i, x] = v - (s1 + s2 + s3 + edge * border[3])
    n0, n1, n2, n3 = n[0], n[1], n[2], n[3]
    d1, d2, d3, d4 = d[0], d[1], d[2], d[3]
    for i in range(4, rows, 4):
        y0, y1, y2, y3 = data[i], data[i + 1], data[i + 2], data[i + 3]
        y4, y5, y6 = data[i + 4], data[i + 5], data[i + 6]
        u0, u1, u2, u3 = out[i - 4], out[i - 3], out[i - 2], out[i - 1]
        u4, u5, u6, u7 = out[i], out[i + 1], out[i + 2], out[i + 3]
        for x in range(TILE):
            a, b, c = y1[x], y2[x], y3[x]
            p, q, r = u1[x], u2[x], u3[x]
            s = r * d1 + q * d2 + p * d3 + u0[x] * d4
            e = (c * n0 + b * n1 + a * n2 + y0[x] * n3) - s
            s = e * d1 + r * d2 + q * d3 + p * d4
            f = (y4[x] * n0 + c * n1 + b * n2 + a * n3) - s
            s = f * d1 + e * d2 + r * d3 + q * d4
            g = (y5[x] * n0 + y4[x] * n1 + c * n2 + b * n3) - s
            s = g * d1 + f * d2 + e * d3 + r * d4
            # All four are stored at the end: a store in between would keep the loop from vectors.
            h = (y6[x] * n0 + y5[x] * n1 + y4[x] * n2 + c * n3) - s
            u4[x], u5[x], u6[x], u7[x] = e, f, g, h


@compiled
def _load_tile(volume: np.ndarray, ahead: np.ndarray, back: np.ndarray, start: int, width: int) -> None:
    """Copy lines side by side into a tile, in both directions; the border value is repeated before them."""
    _, n, inner = volume.shape
    x = 0
    while x < width:
        o, i0 = divmod(start + x, inner)
        together = min(inner - i0, width - x)
        if inner == 1:
            for i in range(n):
                ahead[i + 3, x] = volume[o, i, 0]
        else:
            for i in range(n):
                target, source = ahead[i + 3, x : x + together], volume[o, i, i0 : i0 + together]
                for c in range(together):
                    target[c] = source[c]
        x += together
    for i in range(3):
        for x in range(TILE):
            ahead[i, x] = ahead[3, x]
    for i in range(n + 4):  # the backward direction starts one voxel later
        target, source = back[i], ahead[n + 2 - max(i - 4, 0)]
        for x in range(TILE):
            target[x] = source[x]


@compiled
def _store_tile(result: np.ndarray, tile: np.ndarray, start: int, width: int) -> None:
    """Copy the lines of a tile to where they belong."""
    _, n, inner = result.shape
    x = 0
    while x < width:
        o, i0 = divmod(start + x, inner)
        together = min(inner - i0, width - x)
        if inner == 1:
            line = result[o]
            for i in range(n):
                line[i, 0] = tile[i, x]
        else:
            for i in range(n):
                target, source = result[o, i, i0 : i0 + together], tile[i, x : x + together]
                for c in range(together):
                    target[c] = source[c]
        x += together


@compiled
def _filter_tiles(volume: np.ndarray, coefficients: np.ndarray, first: int, stop: int) -> np.ndarray:
    """Filter along the middle axis, tile by tile: lines side by side, so that each step is one of vectors."""
    outer, n, inner = volume.shape
    result = np.empty((outer, stop - first, inner), np.float32)
    data, mirrored = np.zeros((n + 8, TILE)), np.zeros((n + 8, TILE))
    ahead, back = np.zeros((n + 4, TILE)), np.zeros((n + 4, TILE))
    both = np.zeros((stop - first, TILE), np.float32)
    d, forward, backward = coefficients[4:8], coefficients[12:16], coefficients[16:]
    for start in range(0, outer * inner, TILE):
        width = min(TILE, outer * inner - start)
        _load_tile(volume, data, mirrored, start, width)
        _recurse(data, ahead, coefficients[:4], d, forward, stop)
        _recurse(mirrored, back, coefficients[8:12], d, backward, n - first)
        for i in range(first, stop):
            target, one, other = both[i - first], ahead[i], back[n - 1 - i]
            for x in range(TILE):
                target[x] = one[x] + other[x]
        _store_tile(result, both, start, width)
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


@compiled
def _add_scaled(total: np.ndarray, part: np.ndarray, factor: float) -> None:
    """Add a multiple in double precision, and round to single, as ITK does."""
    for i in range(total.size):
        total[i] = total[i] + np.float64(part[i]) * factor


def floating(volume: np.ndarray) -> np.ndarray:
    """Return voxels as contiguous floating-point numbers, in single precision where it holds them exactly.

    Never read-only: that is a type of its own, for which kernels would be compiled again.
    """
    single = volume.dtype == np.float32 or (volume.dtype.kind in "iu" and volume.dtype.itemsize < 3)
    return np.require(volume, np.float32 if single else float, ["C", "W"])


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
    block = floating(volume)
    total = np.zeros([part.stop - part.start for part in kept], dtype=np.float32)
    for derived in (2, 1, 0):
        found = block
        for axis in (derived, *(other for other in (2, 1, 0) if other != derived)):
            weights = gaussian_coefficients(sigma, float(spacing[axis]), axis == derived)
            found = filter_lines(found, axis, weights, kept[axis].start, kept[axis].stop)
        _add_scaled(total.reshape(-1), found.reshape(-1), 1.0 / float(spacing[derived]) ** 2)
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
