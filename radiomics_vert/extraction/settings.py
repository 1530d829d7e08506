"""What each pyradiomics setting is for, and which of them a computation reads."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

# pyradiomics' own defaults, written out, so that a digest names every number that was used.
PREPARATION: dict[str, Any] = {
    "minimumROIDimensions": 2,
    "minimumROISize": None,
    "normalize": False,
    "normalizeScale": 1,
    "removeOutliers": None,
    "resampledPixelSpacing": None,
    "interpolator": "sitkBSpline",
    "padDistance": 5,
    "resegmentRange": None,
    "resegmentMode": "absolute",
    "resegmentShape": False,
}
_RESEGMENTATION = frozenset({"resegmentRange", "resegmentMode", "resegmentShape"})
PLANE: dict[str, Any] = {"force2D": False, "force2Ddimension": None}
TEXTURE: dict[str, Any] = {
    "binWidth": 25,
    "binCount": None,
    "voxelArrayShift": 0,
    "distances": [1],
    "symmetricalGLCM": True,
    "weightingNorm": None,
    "gldm_a": 0,
}
FILTERS: dict[str, dict[str, Any]] = {
    "Original": {},
    "LoG": {"sigma": None},
    "Wavelet": {"wavelet": "coif1", "start_level": 0, "level": 1},
    "Square": {},
    "SquareRoot": {},
    "Logarithm": {},
    "Exponential": {},
    "Gradient": {"gradientUseSpacing": True},
}
FEATURE_CLASSES = ("shape", "firstorder", "glcm", "glrlm", "glszm", "gldm", "ngtdm")

SHARED: dict[str, Any] = {**PREPARATION, **PLANE, **TEXTURE}
FILTER_SETTINGS: dict[str, Any] = {
    key: value for defaults in FILTERS.values() for key, value in defaults.items()
}
IGNORED = frozenset({"additionalInfo"})

UNSUITABLE: dict[str, str] = {
    "label": "remove it: the label scheme says which labels are which vertebra",
    "label_channel": "remove it: masks are label maps with one value per voxel",
    "correctMask": "remove it: that image and mask share one geometry is checked when they are read",
    "geometryTolerance": "remove it: that image and mask share one geometry is checked when they are read",
    "preCrop": "remove it: every image is cropped with the margin that keeps the values exact",
    "voxelSetting": "remove it: features are computed per vertebra, not per voxel",
    "voxelBased": "remove it: features are computed per vertebra, not per voxel",
    "kernelRadius": "remove it: features are computed per vertebra, not per voxel",
    "LBP2D": "remove it: local binary patterns in 2-D are not supported; pyradiomics needs scikit-image for "
    "them, which is no dependency here",
    "LBP3D": "remove it: local binary patterns in 3-D are not supported; pyradiomics computes them with a "
    "function (sph_harm) that SciPy has removed, and would leave the image out without an error",
    "shape2D": "use the class 'shape': a vertebra spans several slices, and 2-D shape needs exactly one",
}


def resamples(settings: Mapping[str, Any]) -> bool:
    """Tell whether the settings ask for a new voxel size."""
    wanted = settings.get("resampledPixelSpacing"), settings.get("interpolator")
    return None not in wanted


def reads_image(settings: Mapping[str, Any], image_type: str | None) -> bool:
    """Tell whether grey values matter: not to shape, unless it is measured on the resegmented mask."""
    resegmented = settings.get("resegmentShape") and settings.get("resegmentRange") is not None
    return image_type is not None or bool(resegmented)


def narrowed(settings: Mapping[str, Any], image_type: str | None) -> dict[str, Any]:
    """Return only the settings that a computation reads, so that others cannot make its result stale.

    Parameters
    ----------
    settings : mapping
        Complete settings, defaults included.
    image_type : str or None
        A key of :data:`FILTERS`; None for shape, which reads no grey levels.
    """
    kept = dict.fromkeys(PREPARATION) | dict.fromkeys(PLANE)
    if image_type is not None:
        kept |= dict.fromkeys(TEXTURE) | dict.fromkeys(FILTERS[image_type])
    unread = _unread(settings)
    if not reads_image(settings, image_type):
        unread |= {"normalize", "normalizeScale", "removeOutliers", *_RESEGMENTATION}
    for name in unread:
        kept.pop(name, None)
    return {key: settings[key] for key in kept}


def _unread(settings: Mapping[str, Any]) -> set[str]:
    """Return the settings that another setting switches off."""
    unread: set[str] = set()
    if not settings["normalize"]:
        unread |= {"normalizeScale", "removeOutliers"}
    if not resamples(settings):
        unread |= {"resampledPixelSpacing", "interpolator", "padDistance"}
    if settings["resegmentRange"] is None:
        unread |= _RESEGMENTATION - {"resegmentRange"}
    if not settings["force2D"]:
        unread.add("force2Ddimension")
    unread.add("binCount" if settings["binCount"] is None else "binWidth")
    return unread
