"""The order in which a file stores its voxels changes no feature."""

from __future__ import annotations

from itertools import permutations, product
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import SimpleITK as sitk
from extraction_scans import blob, textured

from radiomics_vert.cohort import read_cohort
from radiomics_vert.extraction import ExtractionParams, extract

ORDERS = [(axes, flips) for axes in permutations(range(3)) for flips in product((False, True), repeat=3)]
SOME = [ORDERS[k] for k in (0, 7, 13, 22, 30, 41)]  # both hands, all kinds of permutation

# New voxels lie exactly between old ones (2 mm to 1 mm and 0.5 mm to 1 mm): the case where noise decides.
CT: dict[str, Any] = {
    "imageType": {"Original": {}, "LoG": {"sigma": [1.5]}, "Wavelet": {}},
    "setting": {"resampledPixelSpacing": [1, 1, 1], "binWidth": 20, "resegmentRange": [-200, 1500]},
    "preprocessing": {"exclude_above": 1500, "gas_below": -200},
}
MR: dict[str, Any] = {
    "imageType": {"Original": {}, "Wavelet": {}},
    "setting": {"force2D": True, "resampledPixelSpacing": [1, 1, 0], "binWidth": 0.25},
    "preprocessing": {"bias_correction": "n4", "intensity": "reference"},
}


def _volumes(spacing: tuple[float, ...], size: tuple[int, int, int]) -> tuple[sitk.Image, sitk.Image]:
    """Return image and mask with three vertebrae one above the other, in patient order, tilted."""
    labels = np.zeros(size, np.uint8)
    z, y, x = size
    for place, label in enumerate((21, 20, 19)):
        blob(labels, label, (z * (0.2 + 0.3 * place), y * 0.5, x * 0.45), (z * 0.11, y * 0.3, x * 0.32))
    voxels = textured(size, seed=3)
    voxels[z // 5, y // 2, x // 2] = 1600
    tilt = (np.cos(0.2), -np.sin(0.2), 0, np.sin(0.2), np.cos(0.2), 0, 0, 0, 1)
    volumes = []
    for array in (voxels, labels):
        volume = sitk.GetImageFromArray(array)
        volume.SetSpacing(spacing)
        volume.SetOrigin((-41.7, 13.3, 202.9))
        volume.SetDirection(tilt)
        volumes.append(volume)
    return volumes[0], volumes[1]


def _largest_difference(
    folder: Path, volumes: list[tuple[str, sitk.Image, sitk.Image]], content: dict[str, Any]
) -> float:
    """Extract the same scan in many orders; return the largest relative difference of any feature."""
    rows = []
    for name, image, mask in volumes:
        for kind, volume in (("image", image), ("mask", mask)):
            sitk.WriteImage(volume, str(folder / f"{name}_{kind}.nii.gz"))
        rows.append((name, "S", f"{name}_image.nii.gz", f"{name}_mask.nii.gz"))
    table = pd.DataFrame(rows, columns=["subject_id", "sequence", "image", "mask"])
    table.to_csv(folder / "images.csv", index=False)
    clinical = pd.DataFrame([(name, "L2") for name, *_ in rows], columns=["subject_id", "level"])
    clinical.to_csv(folder / "clinical.csv", index=False)
    cohort = read_cohort(folder / "images.csv", folder / "clinical.csv", scheme="verse")
    found = extract(cohort, ExtractionParams.from_mapping(content))
    assert found.failures.empty
    assert len(found.values) == len(cohort.cases) >= 2 * len(volumes)
    worst = 0.0
    for _, group in found.values.groupby("label"):
        values = group[found.features].to_numpy(float)
        apart = np.abs(values - values[0]) / np.maximum(np.abs(values[0]), 1e-300)
        worst = max(worst, float(np.where(values == values[0], 0, apart).max()))
    return worst


def _stored(
    image: sitk.Image, mask: sitk.Image, orders: list[Any]
) -> list[tuple[str, sitk.Image, sitk.Image]]:
    return [
        (f"s{k}", *(sitk.Flip(sitk.PermuteAxes(part, list(axes)), list(flips)) for part in (image, mask)))
        for k, (axes, flips) in enumerate(orders)
    ]


@pytest.mark.parametrize("orders", [SOME, pytest.param(ORDERS, marks=pytest.mark.slow)])
def test_three_dimensions_with_resampling_and_filters(tmp_path: Path, orders: list[Any]) -> None:
    image, mask = _volumes((0.5, 2.0, 2.0), (24, 18, 60))
    assert _largest_difference(tmp_path, _stored(image, mask, orders), CT) <= 1e-6


@pytest.mark.parametrize("orders", [SOME, pytest.param(ORDERS, marks=pytest.mark.slow)])
def test_thick_sagittal_slices_with_bias_correction_and_reference(tmp_path: Path, orders: list[Any]) -> None:
    image, mask = _volumes((4.0, 0.5, 0.75), (56, 40, 9))
    assert _largest_difference(tmp_path, _stored(image, mask, orders), MR) <= 1e-6


def _around_labels(image: sitk.Image, mask: sitk.Image, margin: int) -> tuple[sitk.Image, sitk.Image]:
    inside = np.argwhere(sitk.GetArrayFromImage(mask) > 0)[:, ::-1]
    start, stop = inside.min(axis=0) - margin, inside.max(axis=0) + 1 + margin
    assert (start >= 0).all()
    assert (stop <= np.array(image.GetSize())).all()
    size, index = (stop - start).tolist(), start.tolist()
    return sitk.RegionOfInterest(image, size, index), sitk.RegionOfInterest(mask, size, index)


@pytest.mark.data
@pytest.mark.slow
@pytest.mark.parametrize("content", [CT, {**MR, "setting": {**MR["setting"], "force2Ddimension": 2}}])
def test_forty_eight_files_that_no_one_here_made(
    real_data: Path, tmp_path: Path, content: dict[str, Any]
) -> None:
    """One head in every voxel order; made-up regions stand for vertebrae. Isotropic, so the axis is named.

    Each file is cut to the same part of the head, in its own voxel order.
    """
    volumes = []
    paths = sorted((real_data / "nasty_nifti" / "orientation48").glob("*.nii.gz"))
    assert len(paths) == 48
    drawn = sitk.DICOMOrient(sitk.ReadImage(str(paths[0])), "LPS")
    labels = np.zeros(drawn.GetSize()[::-1], np.uint8)
    for place, label in enumerate((21, 20, 19)):
        blob(labels, label, (24 + 10 * place, 40, 31), (4, 6, 7))
    mask = sitk.GetImageFromArray(labels)
    mask.CopyInformation(drawn)
    for path in paths:
        image = sitk.ReadImage(str(path))
        stored = sitk.Resample(mask, image, sitk.Transform(), sitk.sitkNearestNeighbor)
        volumes.append((path.name[:3], *_around_labels(image, stored, margin=5)))
    assert len({image.GetNumberOfPixels() for _, image, _ in volumes}) == 1
    settings = {
        **content["setting"],
        "binWidth": 0.25 if "bias_correction" in content["preprocessing"] else 2,
    }
    assert _largest_difference(tmp_path, volumes, {**content, "setting": settings}) <= 1e-6
