"""How cost grows with the number of scans: overhead per scan, memory, and a run that finds all in the cache.

Tiny scans on purpose: what is measured is the cost around the computation. `python
analysis/benchmarks/bench_scale.py 100 1000 10000` writes `scale.csv` beside this file.
"""

from __future__ import annotations

import resource
import shutil
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import pandas as pd
import SimpleITK as sitk

import radiomics_vert as rv
from radiomics_vert.extraction import ExtractionParams

OUTPUT = Path(__file__).with_name("scale.csv")
PARAMETERS = """
imageType:
  Original: {}
featureClass:
  firstorder: [Mean, Entropy]
setting:
  binWidth: 25
"""


def write_cohort(folder: Path, scans: int) -> Path:
    """Write so many scans of 9 x 8 x 7 voxels with one vertebra each; every image is different."""
    rng = np.random.default_rng(0)
    mask = np.zeros((7, 8, 9), dtype=np.uint8)
    mask[2:5, 2:6, 2:7] = 20
    labels = sitk.GetImageFromArray(mask)
    rows = ["subject_id,sequence,image,mask"]
    for number in range(scans):
        image = sitk.GetImageFromArray(rng.integers(0, 500, mask.shape).astype(np.int16))
        name = f"s{number:05d}"
        sitk.WriteImage(image, folder / f"{name}.nii")
        sitk.WriteImage(labels, folder / f"{name}_mask.nii")
        rows.append(f"{name},CT,{name}.nii,{name}_mask.nii")
    (folder / "images.csv").write_text("\n".join(rows) + "\n", "utf-8")
    (folder / "tiny.yaml").write_text(PARAMETERS, "utf-8")
    return folder


def peak_mb() -> float:
    """Return the largest memory that this process has used, in MB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def measure(scans: int) -> dict[str, float]:
    """Read, check and extract a cohort once, and extract it again from the cache."""
    folder = Path(tempfile.mkdtemp(prefix="rv-scale-"))
    try:
        write_cohort(folder, scans)
        params: ExtractionParams = rv.read_params(folder / "tiny.yaml")
        times = [time.perf_counter()]
        cohort = rv.read_cohort(folder / "images.csv", scheme="verse")
        times.append(time.perf_counter())
        rv.check_cohort(cohort)
        times.append(time.perf_counter())
        first = rv.extract(cohort, params, cache=folder / "cache")
        times.append(time.perf_counter())
        again = rv.extract(cohort, params, cache=folder / "cache")
        times.append(time.perf_counter())
        pd.testing.assert_frame_equal(first.values, again.values)
        read, check, extract, resumed = np.diff(times)
        return {
            "scans": scans,
            "read_ms_per_scan": 1000 * read / scans,
            "check_ms_per_scan": 1000 * check / scans,
            "extract_ms_per_scan": 1000 * extract / scans,
            "resumed_seconds": resumed,
            "resumed_ms_per_scan": 1000 * resumed / scans,
            "peak_mb": peak_mb(),
        }
    finally:
        shutil.rmtree(folder)


def main(sizes: list[int]) -> None:
    """Measure each size, print the table and write it."""
    table = pd.DataFrame([measure(size) for size in sizes]).round(3)
    print(table.to_string(index=False))
    table.to_csv(OUTPUT, index=False, lineterminator="\n")


if __name__ == "__main__":
    main([int(argument) for argument in sys.argv[1:]] or [100, 1000])
