"""Filtered images of one region by compiled kernels, under pyradiomics' names."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import cache
from typing import Any

import numpy as np
import pywt
import SimpleITK as sitk

from radiomics_vert.extraction.native.filtering import convolve, laplacian_of_gaussian

Part = tuple[slice, slice, slice]
Images = Iterator[tuple[str, np.ndarray]]


def log_image(volume: np.ndarray, spacing: np.ndarray, kept: Part, settings: Mapping[str, Any]) -> Images:
    """Yield the Laplacian of Gaussian of a part of a block, with the bits of ITK.

    Parameters
    ----------
    volume : ndarray, shape (z, y, x)
        The block.
    spacing : ndarray, shape (3,)
        Millimetres along z, y, x.
    kept : tuple of slice
        The part.
    settings : mapping
        `sigma`, a list of one width.

    Yields
    ------
    tuple of (str, ndarray of float32)
        Nothing where pyradiomics leaves the image out because the block is too small.
    """
    (sigma,) = settings["sigma"]
    shape = np.array(volume.shape)
    if shape.min() >= 4 and (shape >= np.ceil(sigma / spacing) + 1).all():
        name = f"log-sigma-{str(sigma).replace('.', '-')}-mm-3D"
        yield name, laplacian_of_gaussian(volume, spacing, sigma, kept)


def wavelet_images(volume: np.ndarray, kept: Part, settings: Mapping[str, Any]) -> Images:
    """Yield the images of the stationary wavelet transform of a part of a block, with the bits of PyWavelets.

    Parameters
    ----------
    volume : ndarray, shape (z, y, x)
        The block, with a margin of (filter length - 1) voxels per level around the part.
    kept : tuple of slice
        The part.
    settings : mapping
        `wavelet`, `start_level`, `level`, `force2D`, `force2Ddimension`.

    Yields
    ------
    tuple of (str, ndarray)
        `wavelet-LLH`, ..., with the approximation last; of type float32 where `volume` is.
    """
    axes = [2, 1, 0]
    if settings["force2D"]:
        axes.remove(settings["force2Ddimension"])
    kind = np.dtype(np.float32 if volume.dtype == np.float32 else np.float64)
    taps = dict(zip("LH", wavelet_taps(settings["wavelet"], kind), strict=True))
    reach, skipped = len(taps["L"]) - 1, settings["start_level"]
    levels = skipped + settings["level"]
    data, origin = np.ascontiguousarray(volume, dtype=kind), np.zeros(3, dtype=int)
    for level in range(levels):
        margin = reach * (levels - 1 - level)
        parts = {"": data}
        for axis in axes:
            first = kept[axis].start - origin[axis] - margin
            stop = kept[axis].stop - origin[axis] + margin
            parts = {
                name + letter: convolve(part, axis, taps[letter], first, stop)
                for name, part in parts.items()
                for letter in "LH"
            }
            origin[axis] += first
        data = parts.pop("L" * len(axes))
        inner = tuple(slice(k.start - o, k.stop - o) for k, o in zip(kept, origin, strict=True))
        prefix = "wavelet" if level - skipped < 1 else f"wavelet{level - skipped + 1}"
        for name, part in parts.items() if level >= skipped else ():
            yield f"{prefix}-{name}", part[inner]
    yield f"{prefix}-{'L' * len(axes)}", data[inner]


@cache
def wavelet_taps(name: str, kind: np.dtype[Any]) -> tuple[np.ndarray, np.ndarray]:
    """Return the low-pass and the high-pass filter as PyWavelets uses them for a type of values."""
    wavelet = pywt.Wavelet(name)
    impulse = np.zeros(2 * wavelet.dec_len, kind)
    impulse[wavelet.dec_len] = 1
    low, high = pywt.swt(impulse, wavelet, level=1)[0]
    at = wavelet.dec_len // 2 + np.arange(wavelet.dec_len)
    return low[at], high[at]


@cache
def same_bits() -> bool:
    """Tell whether the kernels give the bits of ITK and PyWavelets on this machine, by an example.

    A library that was compiled to fuse multiplications with additions rounds differently.
    """
    grids = np.indices((12, 14, 16))
    volume = ((grids[0] * 7919 + grids[1] * 104729 + grids[2] * 1299709) % 1009).astype(np.int16)
    image, spacing = sitk.GetImageFromArray(volume), np.array([1.3, 0.9, 0.7])
    image.SetSpacing(spacing[::-1].tolist())
    gaussian = sitk.LaplacianRecursiveGaussianImageFilter()
    gaussian.SetNormalizeAcrossScale(True)
    gaussian.SetSigma(1.1)
    whole = (slice(0, 12), slice(0, 14), slice(0, 16))
    ours = laplacian_of_gaussian(volume, spacing, 1.1, whole)
    if not np.array_equal(ours, sitk.GetArrayFromImage(gaussian.Execute(image))):
        return False
    kept = (slice(5, 7), slice(5, 9), slice(5, 11))
    for values in (volume.astype(np.float32), volume.astype(float)):
        stock = pywt.swtn(values, "coif1", level=1, axes=(2, 1, 0))[0]
        settings = {"wavelet": "coif1", "start_level": 0, "level": 1, "force2D": False}
        for name, part in wavelet_images(values, kept, settings):
            letters = name.split("-")[1].replace("L", "a").replace("H", "d")
            if not np.array_equal(part, stock[letters][kept]):
                return False
    return True
