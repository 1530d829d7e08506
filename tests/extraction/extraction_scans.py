"""Small scans on disk, and stock pyradiomics as the oracle."""

from __future__ import annotations

import logging
import math
import warnings
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import SimpleITK as sitk
from radiomics import featureextractor

from radiomics_vert.cohort import Cohort

CLASSES = dict.fromkeys(("shape", "firstorder", "glcm", "glrlm", "glszm", "gldm", "ngtdm"))
MakeCohort = Callable[..., Cohort]

OBLIQUE = (math.cos(0.3), -math.sin(0.3), 0.0, math.sin(0.3), math.cos(0.3), 0.0, 0.0, 0.0, 1.0)


def textured(shape: tuple[int, int, int], seed: int = 0, dtype: Any = np.int16) -> np.ndarray:
    """Return smooth structure plus noise around 150, shape (z, y, x)."""
    rng = np.random.default_rng(seed)
    wave = sum(np.sin(g / (3 + axis)) for axis, g in enumerate(np.indices(shape)))
    return np.round(150 + 60 * wave + rng.normal(0, 40, shape)).astype(dtype)


def blob(labels: np.ndarray, value: int, centre: Sequence[float], radii: Sequence[float]) -> None:
    """Draw a rounded box into `labels`, indices (z, y, x)."""
    distance = sum(
        np.abs((g - c) / r) ** 3 for g, c, r in zip(np.indices(labels.shape), centre, radii, strict=True)
    )
    labels[distance < 1] = value


def two_vertebrae(shape: tuple[int, int, int]) -> np.ndarray:
    """Return label 21 well inside, and 20 above it, touching the border in x and near it in y."""
    labels = np.zeros(shape, np.uint8)
    z, y, x = shape
    blob(labels, 21, (z * 0.3, y * 0.4, x * 0.4), (z * 0.2, y * 0.2, x * 0.25))
    blob(labels, 20, (z * 0.75, y * 0.75, x * 0.9), (z * 0.18, y * 0.2, x * 0.2))
    return labels


def write_scan(
    folder: Path,
    name: str,
    voxels: np.ndarray,
    labels: np.ndarray,
    spacing: Sequence[float] = (1.0, 1.0, 1.0),
    direction: Sequence[float] | None = None,
) -> tuple[Path, Path]:
    """Write image and mask as NRRD, which keeps geometry exactly."""
    paths = []
    for kind, array in (("image", voxels), ("mask", labels)):
        image = sitk.GetImageFromArray(array)
        image.SetSpacing(tuple(spacing))
        image.SetOrigin((12.5, -30.25, 7.125))
        if direction is not None:
            image.SetDirection(tuple(direction))
        path = folder / f"{name}_{kind}.nrrd"
        sitk.WriteImage(image, str(path))
        paths.append(path)
    return paths[0], paths[1]


def in_patient_order(path: Path) -> Path:
    """Write the file again with axes to the left, back and head and without position; ITK turns it."""
    turned = sitk.DICOMOrient(sitk.ReadImage(str(path)), "LPS")
    turned.SetOrigin((0.0, 0.0, 0.0))
    turned.SetDirection((1.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 1.0))
    target = path.with_name(f"{path.stem}_lps.nrrd")
    sitk.WriteImage(turned, str(target))
    return target


def stock(image: Path, mask: Path, label: int, content: dict[str, Any], **settings: Any) -> dict[str, float]:
    """Return what stock pyradiomics computes from the files."""
    whole = {
        **content,
        "featureClass": content.get("featureClass", CLASSES),
        "setting": {**content.get("setting", {}), **settings},
    }
    logging.getLogger("radiomics").setLevel(logging.CRITICAL)
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")
        extractor = featureextractor.RadiomicsFeatureExtractor(whole)
        found = extractor.execute(str(image), str(mask), label=label)
    return {name: float(value) for name, value in found.items() if not name.startswith("diagnostics_")}


def largest_difference(ours: dict[str, float], reference: dict[str, float]) -> float:
    """Return the largest relative difference; the names and their order must be equal."""
    assert list(ours) == list(reference)
    pairs = [(ours[name], reference[name]) for name in reference]
    pairs = [(a, b) for a, b in pairs if not (math.isnan(a) and not math.isfinite(b))]
    assert len(pairs) > 50
    return max(0.0 if a == b else abs(a - b) / abs(b) for a, b in pairs)
