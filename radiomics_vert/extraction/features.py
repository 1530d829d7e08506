"""pyradiomics' feature classes, with the work that they repeat done once.

The definitions are pyradiomics' own: matrices, coefficients and formulas run unmodified. What is
replaced is how three numbers are found: grey levels are binned once per image instead of once per
class, the mesh of the shape class is measured by :mod:`radiomics_vert.extraction.mesh`, and the
eigenvalue of the maximal correlation coefficient comes from a symmetric matrix.
"""

from __future__ import annotations

import logging
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
import SimpleITK as sitk
from radiomics import getFeatureClasses, imageoperations
from radiomics.shape import RadiomicsShape

from radiomics_vert.extraction.ibsi import convention, grey_levels
from radiomics_vert.extraction.mesh import diameters, surface_and_volume

Classes = Mapping[str, tuple[str, ...]]

# Below this, rounding decides whether an eigenvalue is negative, and pyradiomics drops the direction then.
ROUNDING = 1e-7
# What is asymmetric moves an eigenvalue by about its square; so much of the eigenvalue is allowed.
ASYMMETRY = 1e-9


@dataclass(frozen=True)
class Binned:
    """An image whose grey levels inside the region are numbered from 1.

    Parameters
    ----------
    levels : ndarray of int, shape (z, y, x)
        0 outside the region.
    present : ndarray of int
        The levels that occur, ascending.
    """

    levels: np.ndarray
    present: np.ndarray

    def part(self, block: tuple[slice, ...]) -> Binned:
        """Return a block of the region, with the grey levels of the whole."""
        levels = self.levels[block]
        return Binned(levels, np.unique(levels[levels > 0]))


def discretise(image: np.ndarray, mask: np.ndarray, settings: Mapping[str, Any]) -> Binned:
    """Assign numbers to the grey levels inside the region as pyradiomics does.

    Parameters
    ----------
    image : ndarray, shape (z, y, x)
        Intensities.
    mask : ndarray of bool, shape (z, y, x)
        The region.
    settings : mapping
        `binWidth` or `binCount`.
    """
    inside = image[mask]
    levels = np.zeros(image.shape, dtype="int")
    if convention(settings, "bin_origin") is not None:
        numbers = grey_levels(inside, settings)
        levels[mask] = numbers
        return Binned(levels, np.flatnonzero(np.bincount(numbers)))
    # The edges depend on the extremes only; pyradiomics looks for them with Python's min and max.
    edges = imageoperations.getBinEdges(np.array([inside.min(), inside.max()]), **settings)
    numbers = np.digitize(inside, edges)
    levels[mask] = numbers
    return Binned(levels, np.flatnonzero(np.bincount(numbers)))


class _BinnedOnce:
    """Takes the grey levels that were numbered before, in place of numbering them again."""

    def _applyBinning(self, _matrix: np.ndarray) -> np.ndarray:  # noqa: N802 - pyradiomics' name
        binned: Binned = self.settings["binned"]  # type: ignore[attr-defined]
        self.coefficients["grayLevels"] = binned.present  # type: ignore[attr-defined]
        self.coefficients["Ng"] = int(binned.present[-1])  # type: ignore[attr-defined]
        return binned.levels


class _SymmetricCorrelation:
    """Finds the second eigenvalue of the maximal correlation coefficient with a symmetric solver."""

    def getMCCFeatureValue(self) -> float:  # noqa: N802 - pyradiomics' name
        """Return the maximal correlation coefficient, averaged over directions.

        Scaling row i by sqrt(px(i)) and column j by its inverse keeps the eigenvalues of pyradiomics'
        matrix Q and makes it symmetric, but for the epsilon in its denominator. What that leaves
        antisymmetric moves eigenvalues in second order only; where it is not small, or rounding decides
        about an eigenvalue, pyradiomics goes its own way.
        """
        joint = self.P_glcm[0].transpose(2, 0, 1)  # type: ignore[attr-defined]
        coefficients = self.coefficients  # type: ignore[attr-defined]
        if joint.shape[1] < 2:
            return super().getMCCFeatureValue()  # type: ignore[misc,no-any-return]
        rows = coefficients["px"][0].transpose(2, 0, 1)
        columns = coefficients["py"][0].transpose(2, 0, 1)
        q = joint / (rows * columns + coefficients["eps"]) @ joint.transpose(0, 2, 1)
        scale = np.sqrt(np.where(rows > 0, rows, 1))
        q *= scale / scale.transpose(0, 2, 1)
        mirrored = q.transpose(0, 2, 1)
        second = np.linalg.eigvalsh((q + mirrored) / 2)[:, -2]
        if second.min() > max(ROUNDING, np.abs(q - mirrored).max() ** 2 / ASYMMETRY):
            return float(np.sqrt(second).mean())
        return float(super().getMCCFeatureValue()[0])  # type: ignore[misc]


class _FastShape(RadiomicsShape):  # type: ignore[misc]
    """Shape with the mesh measured fast."""

    __module__ = RadiomicsShape.__module__

    def _initSegmentBasedCalculation(self) -> None:  # noqa: N802 - pyradiomics' name
        self.pixelSpacing = np.array(self.inputImage.GetSpacing()[::-1])
        region = sitk.GetArrayViewFromImage(self.inputMask) == self.label
        self.maskArray = np.pad(region, 1)
        self.labelledVoxelCoordinates = np.nonzero(self.maskArray)
        self.SurfaceArea, self.Volume = surface_and_volume(self.maskArray, self.pixelSpacing)
        self.diameters = diameters(self.maskArray, self.pixelSpacing)
        self.eigenValues = _principal_variances(self.labelledVoxelCoordinates, self.pixelSpacing)


def _principal_variances(voxels: tuple[np.ndarray, ...], spacing: np.ndarray) -> np.ndarray:
    """Return the variances of the voxel positions along the region's own axes, ascending."""
    positions = np.stack(voxels, axis=1) * spacing
    positions -= positions.mean(axis=0)
    positions /= np.sqrt(len(positions))
    values = np.linalg.eigvals(positions.T.copy() @ positions)
    # Rounding makes the zero variance of a flat region slightly negative.
    values[(values < 0) & (values > -1e-10)] = 0
    return np.sort(values)


@cache
def _texture_class(name: str) -> type:
    base = getFeatureClasses()[name]
    # pyradiomics logs under the name of the class's module.
    faster = (_BinnedOnce, _SymmetricCorrelation) if name == "glcm" else (_BinnedOnce,)
    return type(f"Fast{name}", (*faster, base), {"__module__": base.__module__})


def texture_features(
    prefix: str,
    image: sitk.Image,
    mask: sitk.Image,
    binned: Binned,
    classes: Classes,
    settings: Mapping[str, Any],
) -> dict[str, float]:
    """Compute first-order and texture features of one (filtered) image.

    Parameters
    ----------
    prefix : str
        Name of the image, such as `wavelet-LLH`.
    image, mask : SimpleITK.Image
        Cropped to the region, which has the value 1 in `mask`.
    binned : Binned
        The numbered grey levels of `image`.
    classes : mapping of str to tuple of str
        Feature classes and their features; an empty tuple means all.
    settings : mapping
        pyradiomics settings.

    Returns
    -------
    dict of str to float
        `<prefix>_<class>_<feature>`; NaN where pyradiomics cannot compute one.
    """
    values: dict[str, float] = {}
    for name, features in classes.items():
        computer = _texture_class(name)(image, mask, **{**settings, "label": 1, "binned": binned})
        values |= _execute(computer, f"{prefix}_{name}", features)
    return values


def shape_features(mask: np.ndarray, spacing: np.ndarray, features: tuple[str, ...]) -> dict[str, float]:
    """Compute 3-D shape features.

    Parameters
    ----------
    mask : ndarray of bool, shape (z, y, x)
        The region, cropped.
    spacing : ndarray, shape (3,)
        Millimetres along x, y, z.
    features : tuple of str
        Names; empty for all.
    """
    image = sitk.GetImageFromArray(mask.astype(np.uint8))
    image.SetSpacing(spacing.tolist())
    return _execute(_FastShape(image, image, label=1), "original_shape", features)


def _execute(computer: Any, prefix: str, features: tuple[str, ...]) -> dict[str, float]:
    for feature in features:
        computer.enableFeatureByName(feature)
    return {f"{prefix}_{name}": float(value) for name, value in computer.execute().items()}


@contextmanager
def quiet() -> Iterator[None]:
    """Silence what pyradiomics prints while it computes; problems are reported as diagnostics instead."""
    logger = logging.getLogger("radiomics")
    handlers, propagate = logger.handlers, logger.propagate
    # Not by its level: a change of level makes every logger of the process look its own up again.
    logger.handlers, logger.propagate = [logging.NullHandler()], False
    try:
        with np.errstate(all="ignore"), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logger.handlers, logger.propagate = handlers, propagate
