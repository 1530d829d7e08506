"""Measure one other engine on one region, in the environment in which it is installed.

Called by `bench_engines.py --peer NAME=PYTHON`: `PYTHON peers.py NAME REGION.npz REPEATS` prints seconds of
processor time and the values under pyradiomics' names. Imports nothing of this repository.
"""

from __future__ import annotations

import csv
import json
import re
import statistics
import sys
import tempfile
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

BIN_WIDTH = 25.0
CODES = Path(__file__).parents[2] / "radiomics_vert" / "extraction" / "ibsi_codes.csv"
Values = dict[str, float]


def flash_radiomics(image: np.ndarray, mask: np.ndarray, spacing: tuple[float, ...]) -> Callable[[], Values]:
    """Flash-radiomics 1.0 (C): it writes a file for every extraction, which is part of its time."""
    import SimpleITK as sitk
    from flash_radiomics import RadiomicsFeatureExtractor

    volume, labels = sitk.GetImageFromArray(image), sitk.GetImageFromArray(mask)
    volume.SetSpacing(spacing)
    labels.SetSpacing(spacing)
    extractor = RadiomicsFeatureExtractor(
        backend="cpu", num_threads=1, binWidth=BIN_WIDTH, distances=[1], additionalInfo=False
    )
    place = Path(tempfile.mkdtemp()) / "values.h5"

    def run() -> Values:
        place.unlink(missing_ok=True)
        found = extractor.execute(volume, labels, label=1, output_hdf5_path=str(place), case_id="region")
        return {name: float(value) for name, value in found.items()}

    return run


def fastrad(image: np.ndarray, mask: np.ndarray, spacing: tuple[float, ...]) -> Callable[[], Values]:
    """Fastrad (torch, CPU): the tensors are made once and are not part of the time."""
    import torch
    from fastrad import FeatureExtractor, FeatureSettings, Mask, MedicalImage

    torch.set_num_threads(1)
    volume = MedicalImage(torch.from_numpy(image.astype(np.float32)), spacing[::-1])
    labels = Mask(torch.from_numpy(mask.astype(np.float32)), spacing[::-1])
    extractor = FeatureExtractor(FeatureSettings(bin_width=BIN_WIDTH, device="cpu"))

    def run() -> Values:
        return {
            _like_pyradiomics(name): float(value) for name, value in extractor.extract(volume, labels).items()
        }

    return run


def _like_pyradiomics(name: str) -> str:
    """Turn `glcm:joint_energy` into `original_glcm_JointEnergy`."""
    family, _, feature = name.partition(":")
    short = {"10th_percentile": "10Percentile", "90th_percentile": "90Percentile", "mcc": "MCC"}
    spelled = "".join(
        part.upper() if part in ("2d", "3d") else part.capitalize() for part in feature.split("_")
    )
    return f"original_{family}_{short.get(feature, spelled)}"


def pictologics(image: np.ndarray, mask: np.ndarray, spacing: tuple[float, ...]) -> Callable[[], Values]:
    """Pictologics (numba) by its functions: statistics, morphology and the five families of pyradiomics.

    The bins are pyradiomics': multiples of the width. Features are matched by their IBSI code.
    """
    from pictologics import Image
    from pictologics.features.intensity import calculate_intensity_features
    from pictologics.features.morphology import calculate_morphology_features
    from pictologics.features.texture import calculate_all_texture_features
    from pictologics.preprocessing import discretise_image

    voxels, inside = np.asfortranarray(image.T.astype(np.float64)), np.asfortranarray(mask.T)
    volume, region = (
        Image(array=array, spacing=spacing, origin=(0.0, 0.0, 0.0)) for array in (voxels, inside)
    )
    lowest = float(np.floor(voxels[inside > 0].min() / BIN_WIDTH) * BIN_WIDTH)
    names = {
        row["code"]: f"original_{row['feature']}" for row in csv.DictReader(CODES.open(encoding="utf-8"))
    }
    families = ["glcm", "glrlm", "glszm", "ngtdm", "ngldm"]

    def run() -> Values:
        levels = discretise_image(voxels, "FBS", roi_mask=inside, bin_width=BIN_WIDTH, min_val=lowest)
        found = calculate_intensity_features(voxels[inside > 0])
        found |= calculate_morphology_features(region, volume)
        found |= calculate_all_texture_features(
            levels, inside, int(levels[inside > 0].max()), families=families
        )
        coded = {name.rpartition("_")[2]: float(value) for name, value in found.items()}
        return {names[code]: value for code, value in coded.items() if code in names}

    return run


def main(engine: str, file: str, repeats: str) -> None:
    """Print seconds and values as JSON."""
    with np.load(file) as region:
        arrays = region["image"], region["mask"]
        spacing = tuple(float(step) for step in region["spacing"])
    run: Callable[[], Values] = globals()[re.sub("-", "_", engine)](*arrays, spacing)
    values: dict[str, Any] = run()  # compiles, or fills caches
    seconds = []
    for _ in range(int(repeats)):
        started = time.process_time()
        run()
        seconds.append(time.process_time() - started)
    print("\n" + json.dumps({"seconds": statistics.median(seconds), "values": values}))


if __name__ == "__main__":
    warnings.simplefilter("ignore")  # fastrad's remark on spacing
    main(*sys.argv[1:])
