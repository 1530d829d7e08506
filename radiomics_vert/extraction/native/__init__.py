"""The native engine: pyradiomics' names and values by compiled kernels.

Values equal pyradiomics' with a relative difference below 1e-8. Where rounding alone is left of a value
(a skewness that is 0, the thickness of a flat region), the rounding errors differ: docs/performance.md has
the list.

numba, and all modules that need it, are imported when something is computed, not with the package.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from radiomics_vert.extraction.native.texture import Levels

VERSION = "3"
"""Part of every cache key; a change of any value by more than rounding gives it a new number."""

Classes = Mapping[str, tuple[str, ...]]

FILTERS = frozenset({"LoG", "Wavelet"})
"""Image types that have compiled filters."""

_CLASSES = frozenset({"shape", "firstorder", "glcm", "glrlm", "glszm", "gldm", "ngtdm"})
_NORMS = (None, "manhattan", "euclidean", "infinity", "no_weighting")


def supports(classes: Classes, settings: Mapping[str, Any]) -> tuple[bool, str]:
    """Tell whether this engine computes what is asked for, and if not, why.

    Parameters
    ----------
    classes : mapping of str to tuple of str
        Feature classes and their features.
    settings : mapping
        pyradiomics settings.

    Examples
    --------
    >>> supports({"glcm": ()}, {"distances": [1, 2]})
    (True, '')
    >>> supports({"shape2D": ()}, {})
    (False, 'feature class shape2D')
    """
    for name in classes:
        if name not in _CLASSES:
            return False, f"feature class {name}"
    if settings.get("weightingNorm") not in _NORMS:
        return False, f"weightingNorm {settings['weightingNorm']}"
    distances = settings.get("distances", [1])
    whole = all(isinstance(distance, int) and distance > 0 for distance in distances)
    if not whole or not distances or len(set(distances)) < len(distances):
        return False, f"distances {distances}"
    return True, ""


def discretise(image: np.ndarray, mask: np.ndarray, settings: Mapping[str, Any]) -> Levels:
    """Assign numbers to the grey levels inside the region; see :func:`.texture.discretise`."""
    from radiomics_vert.extraction.native import texture

    return texture.discretise(image, mask, settings)


def texture_features(
    prefix: str, levels: Levels, spacing: np.ndarray, classes: Classes, settings: Mapping[str, Any]
) -> dict[str, float]:
    """Compute first-order and texture features; see :func:`.texture.texture_features`."""
    from radiomics_vert.extraction.native import texture

    return texture.texture_features(prefix, levels, spacing, classes, settings)


def shape_features(mask: np.ndarray, spacing: np.ndarray, features: tuple[str, ...]) -> dict[str, float]:
    """Compute 3-D shape features; see :func:`.shape.shape_features`."""
    from radiomics_vert.extraction.native import shape

    return shape.shape_features(mask, spacing, features)


def same_bits() -> bool:
    """Tell whether the filters have the bits of ITK and PyWavelets here; see :func:`.images.same_bits`."""
    from radiomics_vert.extraction.native import images

    return images.same_bits()


def floating(volume: np.ndarray) -> np.ndarray:
    """Return voxels as the filters work on them; see :func:`.filtering.floating`."""
    from radiomics_vert.extraction.native import filtering

    return filtering.floating(volume)


def log_image(
    volume: np.ndarray,
    spacing: np.ndarray,
    kept: tuple[slice, slice, slice],
    settings: Mapping[str, Any],
) -> Iterator[tuple[str, np.ndarray]]:
    """Yield a Laplacian of Gaussian; see :func:`.images.log_image`."""
    from radiomics_vert.extraction.native import images

    return images.log_image(volume, spacing, kept, settings)


def wavelet_images(
    volume: np.ndarray, kept: tuple[slice, slice, slice], settings: Mapping[str, Any]
) -> Iterator[tuple[str, np.ndarray]]:
    """Yield the images of a wavelet transform; see :func:`.images.wavelet_images`."""
    from radiomics_vert.extraction.native import images

    return images.wavelet_images(volume, kept, settings)
