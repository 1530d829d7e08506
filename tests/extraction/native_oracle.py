"""Random regions, and unmodified pyradiomics as the oracle of the native engine."""

from __future__ import annotations

from typing import Any

import numpy as np
import SimpleITK as sitk
from hypothesis import HealthCheck, Phase
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from radiomics import getFeatureClasses

from radiomics_vert.extraction.engine import Volumes
from radiomics_vert.extraction.features import quiet
from radiomics_vert.extraction.grid import tight_box
from radiomics_vert.extraction.parity import relative_differences

TEXTURES = ("firstorder", "glcm", "glrlm", "glszm", "gldm", "ngtdm")


_ALWAYS: dict[str, Any] = {"deadline": None, "suppress_health_check": list(HealthCheck), "print_blob": True}


def same_examples(count: int) -> hypothesis_settings:
    """Draw the same examples in every run, so that a change alone can make a test fail."""
    return hypothesis_settings(max_examples=count, derandomize=True, **_ALWAYS)


def fresh_examples(count: int) -> hypothesis_settings:
    """Draw other examples in every run; a failure prints the line that repeats it (`reproduce_failure`)."""
    # Shrinking a failure of minutes takes hours; who repeats it can ask for it.
    phases = [Phase.generate]
    return hypothesis_settings(max_examples=count, derandomize=False, database=None, phases=phases, **_ALWAYS)


LIMIT = 1e-8
"""The largest relative difference of a value."""


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
    """Return the relative differences; both engines must give the same values in the same order."""
    assert list(ours) == list(stock)
    return relative_differences(ours, stock)


def assert_equal(ours: dict[str, float], stock: dict[str, float]) -> None:
    """Fail where names or values differ."""
    differences = apart(ours, stock)
    if not differences:
        return  # pyradiomics leaves out a filter for which the image is too small
    worst = max(differences, key=differences.__getitem__)
    assert differences[worst] < LIMIT, (worst, ours[worst], stock[worst])


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


def scan(
    seed: int, shape: tuple[int, int, int], kind: str, smooth: int, spacing: np.ndarray
) -> tuple[Volumes, tuple[int, ...]]:
    """Return a region somewhere in a larger image, and its bounding box along x, y, z."""
    rng = np.random.default_rng(seed)
    _, mask = region(seed, shape, kind, smooth)
    before = rng.integers(0, 5, 3)
    size = [int(n) for n in before + mask.shape + rng.integers(4, 8, 3)]
    voxels = rng.normal(100, 60, size)
    for _ in range(smooth):
        for axis in range(3):
            voxels = (voxels + np.roll(voxels, 1, axis)) * 0.7
    labels = np.zeros(size, np.uint8)
    start = tuple(slice(int(b), int(b) + n) for b, n in zip(before, mask.shape, strict=True))
    labels[start] = mask
    kept = voxels if seed % 3 == 0 else voxels.round().astype(np.int16)
    images = [sitk.GetImageFromArray(array) for array in (kept, labels)]
    for image in images:
        image.SetSpacing(spacing[::-1].tolist())
    return Volumes(*images), tuple(bound for s in start[::-1] for bound in (s.start, s.stop))


resegmentations = st.one_of(
    st.just({}),
    st.fixed_dictionaries(
        {
            "resegmentRange": st.sampled_from([[60, 180], [-400, 400], [90]]),
            "resegmentMode": st.just("absolute"),
            "resegmentShape": st.booleans(),
        }
    ),
    st.fixed_dictionaries(
        {
            "resegmentRange": st.sampled_from([[-1, 1.5], [-3, 3]]),
            "resegmentMode": st.just("sigma"),
            "resegmentShape": st.booleans(),
        }
    ),
    st.fixed_dictionaries(
        {"resegmentRange": st.sampled_from([[0.2, 0.9]]), "resegmentMode": st.just("relative")}
    ),
)
filters = st.fixed_dictionaries(
    {
        "Original": st.just({}),
        "LoG": st.fixed_dictionaries({"sigma": st.lists(st.floats(0.4, 4), min_size=1, max_size=1)}),
        "Wavelet": st.fixed_dictionaries(
            {
                "wavelet": st.sampled_from(["coif1", "haar", "db2", "sym3", "bior1.3"]),
                "start_level": st.sampled_from([0, 0, 1]),
                "level": st.sampled_from([1, 1, 2]),
            }
        ),
    }
)
spacings = st.tuples(*[st.floats(0.3, 6)] * 3).map(np.array)
scans = st.builds(
    scan,
    st.integers(0, 10**6),
    st.tuples(st.integers(2, 7), st.integers(2, 8), st.integers(2, 9)),
    st.sampled_from(["ball", "full", "holes"]),
    st.integers(0, 2),
    spacings,
)
