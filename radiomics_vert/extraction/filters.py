"""Filtered images of one region, equal to those of the filter on the whole image.

Each filter gets a block with the margin that it needs and no more. pyradiomics' own filter functions do the
work, or, for the native engine, kernels that give the same bits.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pywt
import SimpleITK as sitk
from radiomics import imageoperations

import radiomics_vert.extraction.native as native
from radiomics_vert.extraction.grid import Grid, NativeGrid, Span, slices, view
from radiomics_vert.extraction.params import Step

# The recursive Gaussian of ITK remembers; what lies further away than this many sigma changes no
# value by more than 1e-12 of the image's range (measured; see tests/extraction).
LOG_MARGIN_SIGMAS = 20

Filtered = Iterator[tuple[str, np.ndarray]]


def filtered_images(grid: Grid, span: Span, step: Step) -> Filtered:
    """Yield name and voxels of each image of a step, cropped to the region.

    Parameters
    ----------
    grid : Grid
        The working image.
    span : tuple of ndarray
        First and last voxel + 1 (x, y, z) of the region.
    step : Step
        Which filter, with its settings.

    Yields
    ------
    tuple of (str, ndarray)
        pyradiomics' image name, such as `wavelet-LLH`, and the voxels of `span`, shape (z, y, x).
    """
    assert step.image_type is not None
    yield from _FILTERS[step.image_type](grid, span, step)


def _original(grid: Grid, span: Span, step: Step) -> Filtered:
    yield "original", _voxels(grid, *span)


def _log(grid: Grid, span: Span, step: Step) -> Filtered:
    (sigma,) = step.settings["sigma"]
    margin = np.ceil(LOG_MARGIN_SIGMAS * sigma / grid.spacing).astype(int)
    if step.engine != "native" or not native.same_bits():
        yield from _local(grid, span, step, margin)
        return
    start, stop = np.maximum(span[0] - margin, 0), np.minimum(span[1] + margin, grid.size)
    kept = slices(span[0] - start, span[1] - start)
    # Only what the filter works on is held: the block is large.
    block = native.floating(_voxels(grid, start, stop))
    yield from native.log_image(block, grid.spacing[::-1], kept, step.settings)


def _gradient(grid: Grid, span: Span, step: Step) -> Filtered:
    return _local(grid, span, step, np.full(3, 2))


def _local(grid: Grid, span: Span, step: Step, margin: np.ndarray) -> Filtered:
    """Filter a block whose margin ends at the image's border, as the filter on the whole image does."""
    start, stop = np.maximum(span[0] - margin, 0), np.minimum(span[1] + margin, grid.size)
    yield from _run(grid.image(start, stop), step, slices(span[0] - start, span[1] - start))


def _wavelet(grid: Grid, span: Span, step: Step) -> Filtered:
    """Filter a block that wraps around at the image's border, as the periodic transform does."""
    length = pywt.Wavelet(step.settings["wavelet"]).dec_len
    margin = np.full(3, (length - 1) * (step.settings["start_level"] + step.settings["level"]))
    if step.settings["force2D"]:
        margin[2 - step.settings["force2Ddimension"]] = 0
    kept = slices(margin, margin + span[1] - span[0])
    if step.engine == "native" and native.same_bits():
        block = _periodic(grid, span[0] - margin, span[1] + margin)
        yield from native.wavelet_images(block, kept, step.settings)
        return
    # The transform takes even lengths only.
    odd = (span[1] - span[0] + 2 * margin) % 2
    block = _periodic(grid, span[0] - margin, span[1] + margin + odd)
    yield from _run(sitk.GetImageFromArray(block), step, kept)  # the transform knows no spacing


def _voxels(grid: Grid, start: np.ndarray, stop: np.ndarray) -> np.ndarray:
    """Return a block of the working image; of an image's own voxels a view, which costs nothing."""
    if isinstance(grid, NativeGrid):
        return view(grid.volume, start, stop)
    return np.asarray(sitk.GetArrayFromImage(grid.image(start, stop)))


def _periodic(grid: Grid, start: np.ndarray, stop: np.ndarray) -> np.ndarray:
    """Return a block of the working image repeated without end.

    pyradiomics first makes odd lengths even by repeating the first voxel behind the last one.
    """
    inside = (start >= 0) & (stop <= grid.size)
    if inside.all():
        return _voxels(grid, start, stop)
    lower, upper = np.where(inside, start, 0), np.where(inside, stop, grid.size)
    indices = []
    for axis in range(3):
        wanted = np.arange(start[axis], stop[axis])
        period = grid.size[axis] + grid.size[axis] % 2
        wrapped = wanted % period
        wrapped = np.where(wrapped == grid.size[axis], 0, wrapped)
        indices.append(wanted - lower[axis] if inside[axis] else wrapped)
    return np.asarray(_voxels(grid, lower, upper)[np.ix_(*indices[::-1])])


def _pointwise(grid: Grid, span: Span, step: Step) -> Filtered:
    """Filter the region beside the extremum of what pyradiomics loads, which scales these filters."""
    block, loaded = _voxels(grid, *span), _voxels(grid, *grid.frame)
    extremum = max(loaded.max(), loaded.min(), key=lambda value: abs(float(value)))
    framed = np.concatenate([block, np.full_like(block[:1], extremum)])
    yield from _run(sitk.GetImageFromArray(framed), step, slices(np.zeros(3, int), span[1] - span[0]))


def _run(block: sitk.Image, step: Step, kept: tuple[slice, slice, slice]) -> Filtered:
    function: Callable[..., Any] = getattr(imageoperations, f"get{step.image_type}Image")
    for image, name, _ in function(block, None, **step.settings):
        yield name, sitk.GetArrayViewFromImage(image)[kept].copy()


_FILTERS: dict[str, Callable[[Grid, Span, Step], Filtered]] = {
    "Original": _original,
    "LoG": _log,
    "Wavelet": _wavelet,
    "Gradient": _gradient,
    "Square": _pointwise,
    "SquareRoot": _pointwise,
    "Logarithm": _pointwise,
    "Exponential": _pointwise,
}
