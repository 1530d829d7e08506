"""How cost grows with the number of scans: overhead per scan, memory, and a run that finds all in the cache.

Tiny scans on purpose: what is measured is the cost around the computation, in processor time, one worker.
`python analysis/benchmarks/bench_scale.py 100 1000 10000` measures each size in a process of its own and
writes `scale.csv` beside this file.
"""

from __future__ import annotations

import json
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

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
    (folder / "first.csv").write_text("\n".join(rows[:2]) + "\n", "utf-8")
    (folder / "tiny.yaml").write_text(PARAMETERS, "utf-8")
    return folder


def peak_mb() -> float:
    """Return the largest memory that this process has used, in MB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def measure(folder: Path, scans: int) -> dict[str, float]:
    """Read, check and extract a cohort once, and do it all again with what the cache has."""
    write_cohort(folder, scans)
    params: ExtractionParams = rv.read_params(folder / "tiny.yaml")
    rv.extract(rv.read_cohort(folder / "first.csv", scheme="verse"), params)  # imports and compiles
    time.sleep(3)  # files that changed in the last two seconds are never taken from the cache
    read = partial(rv.read_cohort, folder / "images.csv", scheme="verse", cache=folder / "cache")
    found: dict[str, Any] = {}
    steps: dict[str, Callable[[], Any]] = {
        "read": read,
        "check": lambda: rv.check_cohort(found["read"]),
        "extract": lambda: rv.extract(found["read"], params, cache=folder / "cache"),
        "resumed_read": read,
        "resumed_extract": lambda: rv.extract(found["resumed_read"], params, cache=folder / "cache"),
    }
    seconds = {}
    for name, step in steps.items():
        started = time.process_time()
        found[name] = step()
        seconds[name] = time.process_time() - started
    assert found["resumed_read"].cases == found["read"].cases
    assert found["resumed_extract"].provenance.run["cache"]["misses"] == 0
    pd.testing.assert_frame_equal(found["extract"].values, found["resumed_extract"].values)
    per_scan = {f"{name}_ms_per_scan": round(1000 * used / scans, 2) for name, used in seconds.items()}
    resumed = seconds["resumed_read"] + seconds["resumed_extract"]
    return {"scans": scans, **per_scan, "resumed_seconds": round(resumed, 1), "peak_mb": round(peak_mb())}


def main(sizes: list[int]) -> None:
    """Measure each size, print the table and write it."""
    rows = []
    for size in sizes:
        command = [sys.executable, __file__, "--one", str(size)]
        printed = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True).stdout
        rows.append(json.loads(printed))
        print(pd.DataFrame(rows).to_string(index=False), flush=True)
    table = pd.DataFrame(rows)
    if OUTPUT.is_file():  # a short run replaces its own sizes only
        known = pd.read_csv(OUTPUT)
        table = pd.concat([table, known[~known["scans"].isin(sizes)]]).sort_values("scans")
    table.to_csv(OUTPUT, index=False, lineterminator="\n")


if __name__ == "__main__":
    if sys.argv[1:2] == ["--one"]:
        with tempfile.TemporaryDirectory(prefix="rv-scale-") as place:
            print(json.dumps(measure(Path(place), int(sys.argv[2]))))
    else:
        main([int(argument) for argument in sys.argv[1:]] or [100, 1000])
