"""Random regions, and unmodified pyradiomics as the oracle of the native engine."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import SimpleITK as sitk
from hypothesis import strategies as st
from radiomics import getFeatureClasses

from radiomics_vert.extraction.features import quiet
from radiomics_vert.extraction.grid import tight_box

TEXTURES = ("firstorder", "glcm", "glrlm", "glszm", "gldm", "ngtdm")


# Where rounding errors are all that is left of a value, they differ: below its floor, a value's
# difference counts relative to the floor.
FLOOR = 1e-6
FLOORS = {
    "Skewness": 1e-4,
    "ClusterShade": 1e-2,
    "Correlation": 1e-4,
    "DifferenceEntropy": 1e-4,
    "SumEntropy": 1e-4,
    "JointEntropy": 1e-4,
    "Imc1": 1e-4,
    "Imc2": 10.0,  # a square root
    "MCC": 10.0,  # a square root
}


def region(seed: int, shape: tuple[int, int, int], kind: str, smooth: int) -> tuple[np.ndarray, np.ndarray]:
    """Return image and mask, cropped to the region: shapes (z, y, x)."""
    rng = np.random.default_rng(seed)
    image = rng.normal(0, 50, shape)
    if kind == "two levels":
        image = np.where(image > 0, 90.0, -20.0)
    for _ in range(smooth):
        for axis in range(3):
            image = (image + np.roll(image, 1, axis)) * 0.7
    if kind == "ball":
        grids = np.indices(shape)
        far = sum(((g - (n - 1) / 2) / (n / 2 + 0.3)) ** 2 for g, n in zip(grids, shape, strict=True))
        mask = np.asarray(far < 1)
    else:
        mask = rng.random(shape) < {"full": 1.1, "two levels": 0.8, "holes": 0.7, "dust": 0.15}[kind]
    if not mask.any():
        mask[0, 0, 0] = True
    box = tight_box(mask)
    return image[box], mask[box]


def stock_features(
    name: str, image: np.ndarray, mask: np.ndarray, spacing: np.ndarray, settings: dict[str, Any]
) -> dict[str, float]:
    """Return what a pyradiomics class computes; spacing along z, y, x."""
    images = []
    for array in (image, mask.astype(np.uint8)):
        volume = sitk.GetImageFromArray(np.ascontiguousarray(array))
        volume.SetSpacing(spacing[::-1].tolist())
        images.append(volume)
    given = {key: value for key, value in settings.items() if value is not None}
    with quiet():
        found = getFeatureClasses()[name](*images, label=1, **given).execute()
    return {f"original_{name}_{feature}": float(value.real) for feature, value in found.items()}


def apart(ours: dict[str, float], stock: dict[str, float]) -> dict[str, float]:
    """Return the relative differences; below a floor, differences are relative to the floor."""
    assert list(ours) == list(stock)
    found = {}
    for name, value in stock.items():
        if math.isnan(ours[name]) and not math.isfinite(value):
            found[name] = 0.0
            continue
        floor = FLOORS.get(name.split("_")[-1], FLOOR)
        found[name] = abs(ours[name] - value) / max(abs(value), floor)
    return found


settings = st.fixed_dictionaries(
    {
        "binWidth": st.sampled_from([5, 25, 60.5]),
        "binCount": st.sampled_from([None, None, 2, 16, 40]),
        "distances": st.sampled_from([[1], [1], [2], [1, 3], [3, 1, 2]]),
        "weightingNorm": st.sampled_from([None, None, "manhattan", "euclidean", "infinity", "no_weighting"]),
        "symmetricalGLCM": st.booleans(),
        "gldm_a": st.sampled_from([0, 1, 4]),
        "voxelArrayShift": st.sampled_from([0, 300]),
        "force2D": st.booleans(),
        "force2Ddimension": st.sampled_from([0, 1, 2]),
    }
)
regions = st.builds(
    region,
    st.integers(0, 10**6),
    st.tuples(st.integers(1, 7), st.integers(1, 8), st.integers(1, 9)),
    st.sampled_from(["ball", "full", "two levels", "holes", "dust"]),
    st.integers(0, 3),
)
spacings = st.tuples(*[st.floats(0.3, 6)] * 3).map(np.array)
