"""Two workers against one, on a cohort of whole-spine CTs. Writes `workers.csv`.

Every run is a process of its own that starts its workers and loads the compiled kernels itself; its clock
starts when the cohort is known. Beside it stands what the machine allows: two processes of one worker each
that share the cohort and know nothing of each other.

The clock means something on an idle machine only. So the processor time of the longest chain is measured,
too: that of the process itself and of its busiest worker, start included. It is what the clock would show if
every process had a core.
"""

from __future__ import annotations

import argparse
import datetime
import json
import os
import pickle
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pandas as pd

from radiomics_vert.cohort import Cohort, read_cohort
from radiomics_vert.extraction import ExtractionParams, extract
from radiomics_vert.parallel import available_cores
from radiomics_vert.synthetic import whole_spine_ct

CLASSES = dict.fromkeys(("shape", "firstorder", "glcm", "glrlm", "glszm", "gldm", "ngtdm"))
IMAGES: dict[str, dict[str, Any]] = {
    "original": {"Original": {}},
    "LoG 1, 2, 3 mm + wavelet": {"Original": {}, "LoG": {"sigma": [1.0, 2.0, 3.0]}, "Wavelet": {}},
}
TABLE = Path(__file__).with_name("workers.csv")


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure pairs of runs, print the table and write it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--scans", type=int, default=12)
    parser.add_argument("--pairs", type=int, default=3)
    parser.add_argument("--images", choices=list(IMAGES), default="original")
    parser.add_argument("--folder", type=Path, help="keeps the CT for the next call")
    parser.add_argument("--one", nargs=2, help=argparse.SUPPRESS)
    options = parser.parse_args(arguments)
    if options.one:
        print(json.dumps(_extract(Path(options.one[0]), options.images, int(options.one[1]))))
        return
    with tempfile.TemporaryDirectory() as place:
        folder = options.folder or Path(place)
        whole = _cohort(folder, options.scans)
        halves = [_every_second(whole, start) for start in (0, 1)]
        rows = [_pair(folder, whole, halves, options.images) for _ in range(options.pairs)]
    machine = f"{platform.machine()}, {available_cores()} cores, Python {platform.python_version()}"
    row = {name: _median([row[name] for row in rows]) for name in rows[0]}
    named = {"images": options.images, "scans": options.scans, "pairs": options.pairs, **row}
    table = pd.DataFrame([named | {"date": str(datetime.date.today()), "machine": machine}])
    if TABLE.is_file():
        known = pd.read_csv(TABLE)
        table = pd.concat([known[known["images"] != options.images], table])
    print(table.T.to_string(header=False))
    table.to_csv(TABLE, index=False, lineterminator="\n")


def _cohort(folder: Path, scans: int) -> Cohort:
    """One CT of 512 x 512 x 300 voxels under so many names: only the work counts here."""
    if not (folder / "images.csv").is_file():
        image, mask = whole_spine_ct(folder, seed=0)
        row = {"subject_id": "spine", "sequence": "CT", "image": image.name, "mask": mask.name}
        pd.DataFrame([row]).to_csv(folder / "images.csv", index=False)
    found = read_cohort(folder / "images.csv", scheme="verse")
    copies = [replace(found.scans[0], scan_id=f"s{n:03d}", subject_id=f"s{n:03d}") for n in range(scans)]
    cases = [
        replace(case, scan=scan, case_id=f"{scan.scan_id}_{case.level}")
        for scan in copies
        for case in found.cases
    ]
    return replace(found, scans=tuple(copies), cases=tuple(cases))


def _every_second(cohort: Cohort, start: int) -> Cohort:
    kept = {scan.scan_id for scan in cohort.scans[start::2]}
    return cohort.only({case.case_id for case in cohort.cases if case.scan.scan_id in kept})


def _pair(folder: Path, whole: Cohort, halves: Sequence[Cohort], images: str) -> dict[str, float]:
    """Run one worker, two workers, and two processes of one worker each, one after the other."""
    runs = {
        "one_worker": _run([whole], folder, images, 1),
        "two_workers": _run([whole], folder, images, 2),
        "two_processes": _run(halves, folder, images, 1),
    }
    row: dict[str, float] = {}
    for unit in ("clock", "processor"):
        longest = {name: max(run[unit] for run in found) for name, found in runs.items()}
        row |= {f"{name}_{unit}_s": seconds for name, seconds in longest.items()}
        for name in ("two_workers", "two_processes"):
            row[f"{name}_{unit}_ratio"] = longest["one_worker"] / longest[name]
    memory = runs["two_workers"][0]["memory"]
    row["own_mb_per_worker"] = max(worker["own_mb"] for worker in memory["workers"])
    return row | {"workers_started": len(memory["workers"]), "scan_mb": memory["largest_scan_mb"]}


def _run(cohorts: Sequence[Cohort], folder: Path, images: str, workers: int) -> list[dict[str, Any]]:
    """Extract each cohort in a process of its own, at the same time."""
    started = []
    for number, cohort in enumerate(cohorts):
        file = folder / f"part{number}.pickle"
        file.write_bytes(pickle.dumps(cohort))
        command = [sys.executable, __file__, "--images", images, "--one", str(file), str(workers)]
        started.append(subprocess.Popen(command, stdout=subprocess.PIPE, text=True))
    return [json.loads(process.communicate()[0]) for process in started]


def _extract(file: Path, images: str, workers: int) -> dict[str, Any]:
    cohort: Cohort = pickle.loads(file.read_bytes())  # noqa: S301 - written by this script
    content = {"imageType": IMAGES[images], "featureClass": CLASSES, "setting": {"binWidth": 25}}
    params = ExtractionParams.from_mapping(content)
    clock, processor = time.perf_counter(), time.process_time()
    table = extract(cohort, params, n_jobs=workers)
    clock, processor = time.perf_counter() - clock, time.process_time() - processor
    assert len(table.values) == len(cohort.cases)
    busiest = max(_processor_time_of_children(), default=0.0)
    return {"clock": clock, "processor": processor + busiest, "memory": table.provenance.run["memory"]}


def _processor_time_of_children() -> list[float]:
    """Return the seconds that each living worker has used (Linux)."""
    found = []
    for file in Path("/proc").glob("[0-9]*/stat"):
        fields = file.read_text("utf-8").rpartition(")")[2].split()
        if int(fields[1]) == os.getpid():
            found.append((int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK"))
    return found


def _median(values: Sequence[float]) -> float:
    return round(statistics.median(values), 2)


if __name__ == "__main__":
    main()
