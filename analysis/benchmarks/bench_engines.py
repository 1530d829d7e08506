"""Measure the engines side by side on single regions: compute only, one core, processor time.

One table: case, engine, median seconds, ratio to pyradiomics, values compared, how many of them are equal
(1e-6), largest relative difference; it is also written to engines.csv, with date and machine. Engines that
are installed in environments of their own stand beside ours: `--peer pictologics=ENVIRONMENT/bin/python`.
Then the start-up of a process, where the native engine's time goes, and the floor: a bare sweep over the
voxels and their neighbours.
"""

from __future__ import annotations

import argparse
import datetime
import json
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import SimpleITK as sitk
from radiomics import featureextractor
from threadpoolctl import threadpool_limits

from radiomics_vert.cohort import Cohort, read_cohort
from radiomics_vert.extraction import ExtractionParams
from radiomics_vert.extraction.engine import Volumes, compute_steps
from radiomics_vert.extraction.features import quiet
from radiomics_vert.extraction.grid import tight_box
from radiomics_vert.extraction.native import discretise, shape_features, texture_features
from radiomics_vert.extraction.params import Step
from radiomics_vert.extraction.parity import relative_difference, stock_features
from radiomics_vert.extraction.preparing import read_volumes
from radiomics_vert.parallel import available_cores
from radiomics_vert.synthetic import whole_spine_ct

CLASSES = dict.fromkeys(("shape", "firstorder", "glcm", "glrlm", "glszm", "gldm", "ngtdm"))
IMAGES: dict[str, dict[str, Any]] = {
    "original": {"Original": {}},
    "LoG 1, 2, 3 mm + wavelet": {"LoG": {"sigma": [1.0, 2.0, 3.0]}, "Wavelet": {}},
}
TABLE = Path(__file__).parent / "engines.csv"
EQUAL = 1e-6
ONE_THREAD = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "NUMBA_NUM_THREADS"), "1")
FIRST_USE = """
import resource, time
import radiomics_vert
imported = time.process_time()
import numpy as np, SimpleITK as sitk
from radiomics_vert.extraction import ExtractionParams
from radiomics_vert.extraction.engine import Volumes, compute_steps
from radiomics_vert.extraction.first_use import compile_ahead
voxels = np.random.default_rng(0).integers(0, 300, (20, 21, 22)).astype(np.int16)
mask = np.zeros(voxels.shape, np.uint8)
mask[5:15, 5:15, 5:15] = 1
volumes = Volumes(sitk.GetImageFromArray(voxels), sitk.GetImageFromArray(mask))
classes = dict.fromkeys(("shape", "firstorder", "glcm", "glrlm", "glszm", "gldm", "ngtdm"))
images = {"Original": {}, "LoG": {"sigma": [1.0]}, "Wavelet": {}}
content = {"imageType": images, "featureClass": classes}
steps = ExtractionParams.from_mapping(content).steps()
started = time.process_time()
compile_ahead(steps)
for _, outcome in compute_steps(volumes, 1, (5, 15, 5, 15, 5, 15), steps, "first use"):
    assert outcome.problem is None
child = resource.getrusage(resource.RUSAGE_CHILDREN)
print(imported, time.process_time() - started, child.ru_utime + child.ru_stime)
"""
DATA = Path(os.environ.get("RADIOMICS_VERT_TEST_DATA", "../shared/data"))


@dataclass(frozen=True)
class Region:
    """One case of the benchmark."""

    name: str
    volumes: Volumes
    label: int

    @cached_property
    def mask(self) -> np.ndarray:
        """The region in the whole image."""
        return np.asarray(sitk.GetArrayViewFromImage(self.volumes.labels) == self.label)

    @cached_property
    def box(self) -> tuple[int, ...]:
        """Bounding box along x, y, z, upper ends excluded."""
        return tuple(end for axis in tight_box(self.mask)[::-1] for end in (axis.start, axis.stop))


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure and print the tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--no-filters", action="store_true", help="original images only")
    parser.add_argument("--no-spine", action="store_true", help="no CT of 512 x 512 x 300 voxels")
    parser.add_argument(
        "--peer",
        action="append",
        default=[],
        metavar="NAME=PYTHON",
        help="engine of peers.py; may be repeated",
    )
    options = parser.parse_args(arguments)
    sitk.ProcessObject.SetGlobalDefaultNumberOfThreads(1)
    rows = []
    with threadpool_limits(limits=1):
        for region in _regions():
            for images in list(IMAGES)[: 1 if options.no_filters else 2]:
                rows += _measure(region, images, options.repeats)
                if images == "original":
                    rows += _measure_peers(region, options.peer, options.repeats, rows[-3:])
        if not options.no_spine:
            with tempfile.TemporaryDirectory() as folder:
                rows += _measure_spine(Path(folder), options.repeats)
        table = pd.DataFrame(rows)
        print(table.to_string(index=False))
        if not (options.no_spine or options.no_filters):
            machine = f"{platform.machine()}, {available_cores()} cores, Python {platform.python_version()}"
            table.assign(date=datetime.date.today(), machine=machine).to_csv(TABLE, index=False)
        print("\nstart-up (seconds of processor time)\n")
        print(pd.DataFrame(_start_up()).to_string(index=False))
        print("\nwhere the native engine's time goes (original image, milliseconds)\n")
        print(pd.DataFrame([_profile(region) for region in _regions()]).to_string(index=False))


def _regions() -> list[Region]:
    found = []
    for name in ("brain1", "breast1"):
        folder = DATA / "pyradiomics_samples"
        if folder.is_dir():
            image, mask = (sitk.ReadImage(str(folder / f"{name}_{part}.nrrd")) for part in ("image", "label"))
            found.append(_region(name, image, sitk.Cast(mask, sitk.sitkUInt8), 1))
    for radii in ((13, 18, 25), (25, 33, 37)):
        image, mask = _ellipsoid(radii)
        found.append(_region("ellipsoid", image, mask, 1))
    return found


def _region(name: str, image: sitk.Image, mask: sitk.Image, label: int) -> Region:
    region = Region(name, Volumes(image, mask), label)
    return replace(region, name=f"{name}, {int(region.mask.sum())} voxels")


def _ellipsoid(radii: tuple[int, int, int]) -> tuple[sitk.Image, sitk.Image]:
    """Return a textured image of 1 mm voxels with an ellipsoid of about the size of a vertebral body."""
    rng = np.random.default_rng(0)
    grids = np.indices([2 * radius + 40 for radius in radii])
    far = sum(((g - r - 20) / r) ** 2 for g, r in zip(grids, radii, strict=True))
    noise = sitk.GetImageFromArray(rng.normal(0, 1, far.shape))
    smooth = sitk.GetArrayFromImage(sitk.DiscreteGaussian(noise, 1.4))
    voxels = 200 + 900 * smooth + rng.normal(0, 40, far.shape)
    return sitk.GetImageFromArray(voxels.astype(np.int16)), sitk.GetImageFromArray((far < 1).astype(np.uint8))


def _measure(region: Region, images: str, repeats: int) -> list[dict[str, Any]]:
    params = ExtractionParams.from_mapping({"imageType": IMAGES[images], "featureClass": CLASSES})
    # Made once per study, as are the bounding boxes of a scan's labels.
    steps = {engine: replace(params, engine=engine).steps() for engine in ("pyradiomics", "native")}
    engines: dict[str, Callable[[], dict[str, float]]] = {
        "stock pyradiomics": lambda: _stock(region, steps["pyradiomics"]),
        "pyradiomics, cropped": lambda: _ours(region, steps["pyradiomics"]),
        "native": lambda: _ours(region, steps["native"]),
    }
    rows: list[dict[str, Any]] = []
    reference: dict[str, float] = {}
    for engine, run in engines.items():
        values = run()  # compiles, and fills caches that last for the process
        reference = reference or values
        seconds = _median(run, repeats if engine == "native" or images == "original" else 1)
        apart = [relative_difference(values[name], reference[name]) for name in reference]
        base = rows[0]["seconds"] if rows else seconds
        rows.append(
            {
                "case": region.name,
                "images": images,
                "engine": engine,
                "seconds": round(seconds, 5),
                "times faster": round(base / seconds, 1),
                **_agreement(apart),
            }
        )
    return rows


def _agreement(apart: Sequence[float]) -> dict[str, Any]:
    """Count the values that were compared, and those that are the same for practical purposes."""
    equal = sum(difference <= EQUAL for difference in apart)
    return {"values": len(apart), "equal": equal, "largest rel. difference": f"{max(apart):.1e}"}


def _measure_peers(
    region: Region, peers: Sequence[str], repeats: int, own: Sequence[dict[str, Any]]
) -> list[dict[str, Any]]:
    """Measure engines that are installed in other environments, one thread each, on the original image."""
    params = ExtractionParams.from_mapping({"imageType": IMAGES["original"], "featureClass": CLASSES})
    reference = _stock(region, replace(params, engine="pyradiomics").steps())
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "region.npz"
        spacing = region.volumes.image.GetSpacing()
        image = sitk.GetArrayFromImage(region.volumes.image)
        np.savez(file, image=image, mask=region.mask.astype(np.uint8), spacing=spacing)
        for peer in peers:
            name, _, python = peer.partition("=")
            command = [python, str(TABLE.with_name("peers.py")), name, str(file), str(repeats)]
            done = subprocess.run(command, env={**os.environ, **ONE_THREAD}, capture_output=True, text=True)
            row = {"case": region.name, "images": "original", "engine": name}
            if done.returncode:
                print(f"{name} on {region.name}: {done.stderr.strip().splitlines()[-1]}", file=sys.stderr)
                continue
            found = json.loads(done.stdout.splitlines()[-1])
            both = sorted(found["values"].keys() & reference.keys())
            apart = [relative_difference(found["values"][name], reference[name]) for name in both]
            faster = round(own[0]["seconds"] / found["seconds"], 1)
            row |= {"seconds": round(found["seconds"], 5), "times faster": faster}
            rows.append({**row, **_agreement(apart)})
    return rows


def _measure_spine(folder: Path, repeats: int) -> list[dict[str, Any]]:
    """Measure one CT of a whole spine with reading; stock pyradiomics reads the files for every label."""
    image, mask = whole_spine_ct(folder, seed=0)
    row = {"subject_id": "spine", "sequence": "CT", "image": image.name, "mask": mask.name}
    pd.DataFrame([row]).to_csv(folder / "images.csv", index=False)
    cohort = read_cohort(folder / "images.csv", scheme="verse")
    content = {"imageType": {"Original": {}}, "featureClass": CLASSES, "setting": {"binWidth": 25}}
    steps = replace(ExtractionParams.from_mapping(content), engine="native").steps()
    volumes, first, count = read_volumes(cohort.cases[0].scan), cohort.cases[0], len(cohort.cases)

    def stock() -> dict[str, Any]:
        extractor = featureextractor.RadiomicsFeatureExtractor(content)
        with quiet():
            return dict(extractor.execute(str(image), str(mask), label=first.label))

    started = time.process_time()
    reference = {name: float(value) for name, value in stock().items() if "diagnostics" not in name}
    stock_seconds = (time.process_time() - started) * count
    own = _all_labels(cohort, volumes, steps)[first.label]
    apart = [relative_difference(own[name], value) for name, value in reference.items()]
    compute = _median(lambda: _all_labels(cohort, volumes, steps), repeats)
    reading = _median(lambda: read_volumes(first.scan), repeats)
    engines = {
        "stock pyradiomics, one label times all": stock_seconds,
        "native, with reading": compute + reading,
        "native, compute only": compute,
    }
    return [
        {
            "case": f"CT 512 x 512 x 300, {count} labels",
            "images": "original",
            "engine": engine,
            "seconds": round(seconds, 3),
            "times faster": round(stock_seconds / seconds, 1),
            **_agreement(apart if seconds < stock_seconds else [0.0] * len(apart)),
        }
        for engine, seconds in engines.items()
    ]


def _all_labels(cohort: Cohort, volumes: Volumes, steps: Sequence[Step]) -> dict[int, dict[str, float]]:
    return {case.label: _ours(Region("spine", volumes, case.label), steps, case.box) for case in cohort.cases}


def _start_up() -> list[dict[str, Any]]:
    """Return what importing, the first extraction and compiling cost, without and with a cache of code."""
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        for process in ("first ever", "later"):
            environment = {**os.environ, "NUMBA_CACHE_DIR": folder}
            command = [sys.executable, "-c", FIRST_USE]
            printed = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
            imported, used, compiled = (round(float(value), 2) for value in printed.stdout.split())
            seconds = {"import of the package": imported, "first extraction": used, "compiling": compiled}
            rows.append({"process": process, **seconds})
    return rows


def _stock(region: Region, steps: Sequence[Step]) -> dict[str, float]:
    found: dict[str, float] = {}
    for step in steps:
        found |= stock_features(region.volumes, region.label, step)
    return found


def _ours(region: Region, steps: Sequence[Step], box: tuple[int, ...] | None = None) -> dict[str, float]:
    found: dict[str, float] = {}
    for _, outcome in compute_steps(region.volumes, region.label, box or region.box, steps, region.name):
        assert outcome.problem is None, outcome.problem
        found |= outcome.values
    return found


def _profile(region: Region) -> dict[str, Any]:
    """Return milliseconds per part, and those of a bare sweep over voxels and neighbours."""
    from radiomics_vert.extraction.native import counting
    from radiomics_vert.extraction.native.directions import directions

    box = tight_box(region.mask)
    image, mask = sitk.GetArrayFromImage(region.volumes.image)[box], region.mask[box]
    spacing, settings = np.array(region.volumes.image.GetSpacing()), {"binWidth": 25}
    levels = discretise(image, mask, settings)
    parts: dict[str, Callable[[], Any]] = {
        "binning": lambda: discretise(image, mask, settings),
        "shape": lambda: shape_features(mask, spacing, ()),
    }
    for name in ("firstorder", "glcm", "glrlm", "glszm", "gldm", "ngtdm"):
        parts[name] = lambda name=name: texture_features("x", levels, spacing[::-1], {name: ()}, settings)
    lookup = np.arange(int(levels.present[-1]) + 1, dtype=np.uint16)
    _, numbered, rows = counting.pad_levels(levels.levels, np.ones(3, np.int64), lookup)
    y, x = (int(n) + 2 for n in mask.shape[1:])
    offsets = directions(mask.shape, [1], None) @ np.array([y * x, x, 1])
    parts["floor"] = lambda: counting.count_pairs(numbered, rows, offsets, len(lookup))
    with quiet():
        found = {name: round(1000 * _median(run, 9), 2) for name, run in parts.items()}
    return {"case": region.name, "levels": len(levels.present), **found}


def _median(run: Callable[[], Any], repeats: int) -> float:
    run()
    seconds = []
    for _ in range(repeats):
        started = time.process_time()
        run()
        seconds.append(time.process_time() - started)
    return statistics.median(seconds)


if __name__ == "__main__":
    main()
