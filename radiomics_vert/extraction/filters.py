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
from radiomics_vert.extraction.grid import Grid, NativeGrid, Span, crop
from radiomics_vert.extraction.params import Step

# The recursive Gaussian of ITK remembers; what lies further away than this many sigma changes no
# value by more than 1e-12 of the image's range (measured; see tests/extraction).
LOG_MARGIN_SIGMAS = 20

Filtered = Iterator[tuple[str, sitk.Image]]


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
    tuple of (str, SimpleITK.Image)
        pyradiomics' image name, such as `wavelet-LLH`, and the image cropped to `span`.
    """
    assert step.image_type is not None
    yield from _FILTERS[step.image_type](grid, span, step)


def _original(grid: Grid, span: Span, step: Step) -> Filtered:
    if step.engine == "native" and isinstance(grid, NativeGrid):
        # A copy of the block costs less than ITK's filter; the engine reads voxels and spacing only.
        whole = sitk.GetArrayViewFromImage(grid.volume)
        yield from _as_images(iter([("original", whole[_part(*span)])]), grid)
    else:
        yield "original", grid.image(*span)


def _log(grid: Grid, span: Span, step: Step) -> Filtered:
    (sigma,) = step.settings["sigma"]
    margin = np.ceil(LOG_MARGIN_SIGMAS * sigma / grid.spacing).astype(int)
    if step.engine != "native" or not native.same_bits():
        yield from _local(grid, span, step, margin)
        return
    start, stop = np.maximum(span[0] - margin, 0), np.minimum(span[1] + margin, grid.size)
    block = grid.image(start, stop)  # named, because the view below does not keep it
    kept, view = _part(span[0] - start, span[1] - start), sitk.GetArrayViewFromImage(block)
    yield from _as_images(native.log_image(view, grid.spacing[::-1], kept, step.settings), grid)


def _gradient(grid: Grid, span: Span, step: Step) -> Filtered:
    return _local(grid, span, step, np.full(3, 2))


def _local(grid: Grid, span: Span, step: Step, margin: np.ndarray) -> Filtered:
    """Filter a block whose margin ends at the image's border, as the filter on the whole image does."""
    start, stop = np.maximum(span[0] - margin, 0), np.minimum(span[1] + margin, grid.size)
    for name, image in _run(grid.image(start, stop), step):
        yield name, crop(image, span[0] - start, span[1] - start)


def _wavelet(grid: Grid, span: Span, step: Step) -> Filtered:
    """Filter a block that wraps around at the image's border, as the periodic transform does."""
    length = pywt.Wavelet(step.settings["wavelet"]).dec_len
    margin = np.full(3, (length - 1) * (step.settings["start_level"] + step.settings["level"]))
    if step.settings["force2D"]:
        margin[2 - step.settings["force2Ddimension"]] = 0
    if step.engine == "native" and native.same_bits():
        block = _periodic(grid, span[0] - margin, span[1] + margin)
        kept, view = _part(margin, margin + span[1] - span[0]), sitk.GetArrayViewFromImage(block)
        yield from _as_images(native.wavelet_images(view, kept, step.settings), grid)
        return
    # The transform takes even lengths only.
    odd = (span[1] - span[0] + 2 * margin) % 2
    start, stop = span[0] - margin, span[1] + margin + odd
    for name, image in _run(_periodic(grid, start, stop), step):
        yield name, crop(image, margin, margin + span[1] - span[0])


def _part(start: np.ndarray, stop: np.ndarray) -> tuple[slice, slice, slice]:
    """Return slices along z, y, x from indices along x, y, z."""
    x, y, z = (slice(int(first), int(end)) for first, end in zip(start, stop, strict=True))
    return z, y, x


def _as_images(arrays: Iterator[tuple[str, np.ndarray]], grid: Grid) -> Filtered:
    for name, array in arrays:
        image = sitk.GetImageFromArray(array)
        image.SetSpacing(grid.spacing.tolist())
        yield name, image


def _periodic(grid: Grid, start: np.ndarray, stop: np.ndarray) -> sitk.Image:
    """Return a block of the working image repeated without end.

    pyradiomics first makes odd lengths even by repeating the first voxel behind the last one.
    """
    inside = (start >= 0) & (stop <= grid.size)
    if inside.all():
        return grid.image(start, stop)
    lower, upper = np.where(inside, start, 0), np.where(inside, stop, grid.size)
    block = grid.image(lower, upper)
    indices = []
    for axis in range(3):
        wanted = np.arange(start[axis], stop[axis])
        period = grid.size[axis] + grid.size[axis] % 2
        wrapped = wanted % period
        wrapped = np.where(wrapped == grid.size[axis], 0, wrapped)
        indices.append(wanted - lower[axis] if inside[axis] else wrapped)
    image = sitk.GetImageFromArray(sitk.GetArrayViewFromImage(block)[np.ix_(*indices[::-1])])
    image.SetSpacing(block.GetSpacing())
    return image


def _pointwise(grid: Grid, span: Span, step: Step) -> Filtered:
    """Filter the region beside the extremum of what pyradiomics loads, which scales these filters."""
    block = grid.image(*span)
    voxels = sitk.GetArrayFromImage(block)
    whole = grid.image(*grid.frame)
    loaded = sitk.GetArrayViewFromImage(whole)
    extremum = max(loaded.max(), loaded.min(), key=lambda value: abs(float(value)))
    framed = np.concatenate([voxels, np.full_like(voxels[:1], extremum)])
    for name, image in _run(sitk.GetImageFromArray(framed), step):
        kept = crop(image, np.zeros(3, int), span[1] - span[0])
        kept.CopyInformation(block)
        yield name, kept


def _run(block: sitk.Image, step: Step) -> Filtered:
    function: Callable[..., Any] = getattr(imageoperations, f"get{step.image_type}Image")
    for image, name, _ in function(block, None, **step.settings):
        yield name, image


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
