"""How cost grows with the number of scans: overhead per scan, memory, and a run that finds all in the cache.

Tiny scans on purpose: what is measured is the cost around the computation, in processor time, one worker.
As for a user, the first run and the resumed one are processes of their own; what a process needs before it
sees the cohort (imports, compiled kernels) is measured apart, and so is what its results need, which a third
process does nothing but hold. `python analysis/benchmarks/bench_scale.py 100 1000 10000` writes `scale.csv`
beside this file.
"""

from __future__ import annotations

import hashlib
import json
import pickle
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
from radiomics_vert.memory import peak, reset_peak

OUTPUT = Path(__file__).with_name("scale.csv")
STEPS = ("read", "check", "extract", "save")
PARAMETERS = """
imageType:
  Original: {}
featureClass:
  firstorder: [Mean, Entropy]
setting:
  binWidth: 25
"""


def write_cohort(folder: Path, scans: int) -> None:
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
    time.sleep(3)  # files that changed in the last two seconds are never taken from the cache


def resident_mb() -> float:
    """Return the memory that this process needs now, in MB."""
    reset_peak()
    return peak_mb()


def peak_mb() -> float:
    """Return the largest memory that this process has needed since :func:`resident_mb`, in MB."""
    found = peak()
    assert found is not None, "needs an operating system that tells the memory of a process"
    return found.resident / 2**20


def study(folder: Path, images: str, output: Path, told: Callable[[str], None]) -> tuple[Any, Any]:
    """Read, check and extract a cohort and save its table; tell when each step is done."""
    params: ExtractionParams = rv.read_params(folder / "tiny.yaml")
    cohort = rv.read_cohort(folder / images, scheme="verse", cache=output.parent / "cache")
    told("read")
    rv.check_cohort(cohort)
    told("check")
    table = rv.extract(cohort, params, cache=output.parent / "cache")
    told("extract")
    table.save(output)
    told("save")
    return cohort, table


def run(folder: Path) -> dict[str, Any]:
    """Work on one scan, then on the cohort; return seconds, memory and a digest of all that was found."""
    with tempfile.TemporaryDirectory(prefix="rv-scale-") as place:
        study(folder, "first.csv", Path(place) / "out", lambda step: None)  # imports and compiles
    started, ends = time.process_time(), []
    start_mb = resident_mb()
    cohort, table = study(folder, "images.csv", folder / "out", lambda step: ends.append(time.process_time()))
    used = dict(zip(STEPS, np.diff([started, *ends]).tolist(), strict=True))
    found = {"start_seconds": started, **used, "start_mb": start_mb, "peak_mb": peak_mb()}
    found |= {"computed": table.provenance.run["cache"]["misses"], "digest": digest(cohort, folder / "out")}
    (folder / "held.pickle").write_bytes(pickle.dumps((cohort, table)))
    return found


def digest(cohort: Any, output: Path) -> str:
    """Return a digest of every file of the table, and of what the cohort says."""
    parts = [path.read_bytes() for path in sorted(output.iterdir())]
    parts.append(repr((cohort.scans, cohort.cases, cohort.refused)).encode())
    return hashlib.sha256(b"".join(hashlib.sha256(part).digest() for part in parts)).hexdigest()


def hold(folder: Path) -> dict[str, Any]:
    """Return the memory of the cohort and the table themselves, in a process that has only read them back."""
    one = folder / "one"
    study(folder, "first.csv", one / "out", lambda step: None)
    content = (folder / "held.pickle").read_bytes()
    before = resident_mb()
    held = pickle.loads(content)  # noqa: S301 - written by this script
    return {"held_mb": resident_mb() - before, "cases": len(held[0].cases)}


def in_process(what: Callable[[Path], dict[str, Any]], folder: Path) -> dict[str, Any]:
    """Return what one of the functions above returns in a process of its own."""
    command = [sys.executable, __file__, f"--{what.__name__}", str(folder)]
    printed = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True).stdout
    return dict(json.loads(printed))


def measure(scans: int) -> dict[str, float]:
    """Return the row of one size."""
    with tempfile.TemporaryDirectory(prefix="rv-scale-") as place:
        folder = Path(place)
        write_cohort(folder, scans)
        first, resumed = in_process(run, folder), in_process(run, folder)
        held = in_process(hold, folder)["held_mb"]
    assert (first["computed"], resumed["computed"]) == (scans, 0)
    assert first["digest"] == resumed["digest"], "the resumed run found something else"
    row: dict[str, float] = {"scans": scans, "start_seconds": first["start_seconds"]}
    for name, found in (("first", first), ("resumed", resumed)):
        row |= {f"{name}_{step}_seconds": found[step] for step in STEPS}
        row[f"{name}_ms_per_scan"] = 1000 * sum(found[step] for step in STEPS) / scans
    row |= {"start_mb": first["start_mb"], "peak_mb": first["peak_mb"]}
    row |= {"resumed_peak_mb": resumed["peak_mb"], "held_mb": held}
    for name, found in (("beyond", first), ("resumed_beyond", resumed)):
        row[f"{name}_mb"] = found["peak_mb"] - found["start_mb"] - held
    return {name: round(value, 2) for name, value in row.items()}


def with_slopes(table: pd.DataFrame) -> pd.DataFrame:
    """Return the table by size, with what each scan more costs since the size before."""
    table = table.sort_values("scans").reset_index(drop=True)
    more = table["scans"].diff()
    for name in ("first", "resumed"):
        seconds = table[[f"{name}_{step}_seconds" for step in STEPS]].sum(axis=1)
        table[f"{name}_ms_per_further_scan"] = (1000 * seconds.diff() / more).round(2)
    table["beyond_kb_per_further_scan"] = (1024 * table["beyond_mb"].diff() / more).round(2)
    return table


def main(sizes: list[int]) -> None:
    """Measure each size, print the table and write it."""
    rows = []
    for size in sizes:
        rows.append(measure(size))
        print(with_slopes(pd.DataFrame(rows)).T.to_string(header=False), flush=True)
    table = pd.DataFrame(rows)
    if OUTPUT.is_file():  # a short run replaces its own sizes only
        known = pd.read_csv(OUTPUT)
        table = pd.concat([table, known[~known["scans"].isin(sizes)]])
    with_slopes(table).to_csv(OUTPUT, index=False, lineterminator="\n")


if __name__ == "__main__":
    asked = {f"--{one.__name__}": partial(one, Path(sys.argv[-1])) for one in (run, hold)}
    if sys.argv[1:2] and sys.argv[1] in asked:
        print(json.dumps(asked[sys.argv[1]]()))
    else:
        main([int(argument) for argument in sys.argv[1:]] or [100, 1000])
