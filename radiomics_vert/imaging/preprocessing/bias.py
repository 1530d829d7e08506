"""The smooth brightening of MR images towards the coil: estimated by N4 and divided out."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np
import SimpleITK as sitk

# All [our own defaults], but for the numbers of N4 itself, which are ITK's.
BIAS_GRID_MM = 4.0  # a bias field changes over centimetres; 4 mm show it
MINIMUM_EXTENT = 8  # voxels that shrinking leaves along each axis, where there are as many
# At most, on each of three levels; ITK has four. The finest knots of three levels are a quarter of the image
# apart: a field that fine cannot take a few dark vertebrae for shading.
ITERATIONS = (50, 50, 50)
CONTROL_POINTS = 4  # per axis on the coarsest level, doubled on each further one; ITK's default
CONVERGENCE = 0.001  # coefficient of variation of the change of the field; ITK's default


@dataclass(frozen=True)
class BiasCorrection:
    """A corrected image, and what was divided out.

    Parameters
    ----------
    image : SimpleITK.Image
        32-bit floats on the grid of the input; its geometric mean over the foreground is that of the input.
    foreground_share : float
        Share of the voxels that the field was estimated from.
    field_low, field_high : float
        5th and 95th percentile of the field over the whole grid; 1 and 1 mean no correction.
    shrink : tuple of int
        Shrink factors along x, y, z.
    """

    image: sitk.Image
    foreground_share: float
    field_low: float
    field_high: float
    shrink: tuple[int, ...]


def correct_bias(image: sitk.Image, grid_mm: float = BIAS_GRID_MM) -> BiasCorrection:
    """Divide an MR image by its bias field, estimated by N4 (Tustison 2010, doi:10.1109/TMI.2010.2046908).

    The field is estimated on a shrunk image, in the foreground that Otsu's threshold separates, and
    evaluated on the full grid. One thread, no random numbers: equal input, equal bytes.

    Parameters
    ----------
    image : SimpleITK.Image
        Magnitudes; values of 0 and below are background.
    grid_mm : float
        Voxels are shrunk to about this size before the field is estimated.

    Returns
    -------
    BiasCorrection

    Raises
    ------
    ValueError
        The image has no foreground: it is constant, or nowhere positive.
    """
    values = sitk.Cast(image, sitk.sitkFloat32)
    shrink = shrink_factors(image.GetSize(), image.GetSpacing(), grid_mm)
    with _one_thread():
        coarse = sitk.Shrink(values, shrink)
        mask = _foreground(coarse)
        share = float(sitk.GetArrayViewFromImage(mask).mean())
        corrector = sitk.N4BiasFieldCorrectionImageFilter()
        corrector.SetMaximumNumberOfIterations(ITERATIONS)
        corrector.SetNumberOfControlPoints([CONTROL_POINTS] * 3)
        corrector.SetConvergenceThreshold(CONVERGENCE)
        corrector.SetMaskLabel(1)
        corrector.Execute(coarse, mask)
        log_field = sitk.GetArrayFromImage(corrector.GetLogBiasFieldAsImage(values)).astype(np.float64)
        coarse_field = sitk.GetArrayFromImage(corrector.GetLogBiasFieldAsImage(coarse))
        level = float(coarse_field[sitk.GetArrayViewFromImage(mask) == 1].mean(dtype=np.float64))
    field = np.exp(log_field - level)
    corrected = sitk.GetImageFromArray((sitk.GetArrayViewFromImage(values) / field).astype(np.float32))
    corrected.CopyInformation(image)
    low, high = np.percentile(field, [5, 95])
    return BiasCorrection(corrected, share, float(low), float(high), tuple(shrink))


def shrink_factors(size: tuple[int, ...], spacing: tuple[float, ...], grid_mm: float) -> list[int]:
    """Return by which whole number each axis is shrunk to reach about `grid_mm`.

    Slices that are thick or few already stay as they are.

    Examples
    --------
    >>> shrink_factors((15, 384, 384), (4.4, 0.75, 0.75), 4.0)
    [1, 5, 5]
    """
    return [
        max(1, min(round(grid_mm / step), extent // MINIMUM_EXTENT))
        for extent, step in zip(size, spacing, strict=True)
    ]


def _foreground(image: sitk.Image) -> sitk.Image:
    """Return 1 where the image is above Otsu's threshold and positive."""
    voxels = sitk.GetArrayViewFromImage(image)
    if voxels.min() == voxels.max() or voxels.max() <= 0:
        raise ValueError(f"no foreground: values from {voxels.min():g} to {voxels.max():g}")
    above = sitk.OtsuThreshold(image, 0, 1, 200)
    mask: sitk.Image = sitk.And(above, sitk.Cast(image > 0, sitk.sitkUInt8))
    return mask


@contextmanager
def _one_thread() -> Iterator[None]:
    """Keep ITK on one core, because sums over several threads differ in the last digit."""
    before = sitk.ProcessObject.GetGlobalDefaultNumberOfThreads()
    sitk.ProcessObject.SetGlobalDefaultNumberOfThreads(1)
    try:
        yield
    finally:
        sitk.ProcessObject.SetGlobalDefaultNumberOfThreads(before)
