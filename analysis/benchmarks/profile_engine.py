"""Where the native engine's time goes, part by part, and how far each part is from what the machine can do.

    python analysis/benchmarks/profile_engine.py

Three ROI sizes, original image + LoG 1, 2, 3 mm + wavelet (12 images), one core, processor time. First, three
rates of this machine are measured in the same run: copying memory, multiplications and additions of doubles
(not fused, as the engine needs them to have pyradiomics' bits) in registers, and increments of a small table
at places that are looked up. Then each part is timed, with what it must do at least: bytes read and written
once, floating-point operations, increments. Floor: the sum of the three at the measured rates.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Any

import bench_engines
import numba
import numpy as np
import pandas as pd
import SimpleITK as sitk
from threadpoolctl import threadpool_limits

from radiomics_vert.extraction import ExtractionParams, native
from radiomics_vert.extraction.native import counting, images, pairs, texture

IMAGES: dict[str, dict[str, Any]] = {"Original": {}, "LoG": {"sigma": [1.0, 2.0, 3.0]}, "Wavelet": {}}
TAPS = 6
"""Of the filters of coif1."""

Work = tuple[float, float, float]
"""Bytes, floating-point operations, increments."""


@dataclass
class Ledger:
    """What each part took, and what it had to do."""

    seconds: dict[str, float] = field(default_factory=lambda: defaultdict(float))
    work: dict[str, np.ndarray] = field(default_factory=lambda: defaultdict(lambda: np.zeros(3)))
    running: list[float] = field(default_factory=list)

    def timed(
        self, part: str, function: Callable[..., Any], least: Callable[..., Work]
    ) -> Callable[..., Any]:
        """Return a function that enters its own time, without that of parts inside it."""

        def measured(*args: Any) -> Any:
            self.running.append(0.0)
            started = time.process_time()
            found = function(*args)
            took = time.process_time() - started
            self.seconds[part] += took - self.running.pop()
            if self.running:
                self.running[-1] += took
            self.work[part] += least(found, *args)
            return found

        return measured


def main() -> None:
    """Measure the machine, then the engine, and print both."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--repeats", type=int, default=9)
    repeats = parser.parse_args().repeats
    sitk.ProcessObject.SetGlobalDefaultNumberOfThreads(1)
    with threadpool_limits(limits=1):
        rates = machine_rates()
        print(
            f"copy {rates[0] / 1e9:.1f} GB/s, arithmetic {rates[1] / 1e9:.1f} Gflop/s, "
            f"table increments {rates[2] / 1e9:.2f} G/s"
        )
        for region in bench_engines._regions():
            if "breast1" not in region.name:
                print(f"\n{region.name}\n{profile(region, rates, repeats).to_string()}")


def profile(region: bench_engines.Region, rates: np.ndarray, repeats: int) -> pd.DataFrame:
    """Return one row per part: milliseconds, share, least work, floor, times floor."""
    params = ExtractionParams.from_mapping({"imageType": IMAGES, "featureClass": bench_engines.CLASSES})
    steps = replace(params, engine="native").steps()
    bench_engines._ours(region, steps)
    ledgers, whole = [], []
    for _ in range(repeats):
        ledger = Ledger()
        with instrumented(ledger):
            started = time.process_time()
            bench_engines._ours(region, steps)
            whole.append(time.process_time() - started)
        ledgers.append(ledger)
    rows = {}
    for part, work in ledgers[0].work.items():
        milliseconds = 1000 * statistics.median(ledger.seconds[part] for ledger in ledgers)
        floor = 1000 * float((work / rates).sum())
        rows[part] = {"ms": milliseconds, "MB": work[0] / 1e6, "Mflop": work[1] / 1e6}
        rows[part] |= {"M increments": work[2] / 1e6, "floor ms": floor}
    table = pd.DataFrame(rows).T
    total = 1000 * statistics.median(whole)
    table.loc["calls from Python, the rest"] = [total - table["ms"].sum(), 0, 0, 0, 0]
    table.loc["all"] = table.sum()
    table["share"] = table["ms"] / total
    table["times floor"] = table["ms"] / table["floor ms"].where(table["floor ms"] > 0)
    return table.round({"share": 2, "times floor": 1}).round(2)


@contextmanager
def instrumented(ledger: Ledger) -> Iterator[None]:
    """Time the parts of the engine while the context lasts."""
    parts: list[tuple[Any, str, str, Callable[..., Work]]] = [
        (images, "laplacian_of_gaussian", "LoG", _log_work),
        (images, "convolve", "wavelet", lambda out, *_: (2 * out.nbytes, 2 * TAPS * out.size, 0)),
        (
            native,
            "discretise",
            "grey levels",
            lambda out, image, *_: (image.nbytes + 12 * out.inside.size, 0, 0),
        ),
        (native, "shape_features", "shape", lambda _, mask, *__: (8 * mask.nbytes, 0, 0)),
        (
            texture,
            "first_order",
            "first order",
            lambda _, inside, *__: (6 * inside.nbytes, 8 * inside.size, 0),
        ),
        (
            counting,
            "pad_levels",
            "padding",
            lambda out, levels, *_: (levels.nbytes + 2 * out[0].nbytes, 0, 0),
        ),
        (counting, "find_equals", "equal neighbours", lambda out, *_: (2 * out.nbytes, 0, 0)),
        (counting, "count_pairs", "GLCM counts", lambda out, *_: (0, 0, float(out.sum()))),
        (counting, "count_runs", "GLRLM counts", _run_work),
        (texture, "count_zones", "GLSZM counts", _zone_work),
        (counting, "count_neighbourhoods", "GLDM, NGTDM counts", _neighbourhood_work),
        (texture, "joint_probabilities", "GLCM features", lambda out, *_: (2 * out.nbytes, 0, 0)),
        (
            texture,
            "glcm_features",
            "GLCM features",
            lambda _, joint, *__: (8 * joint.nbytes, 60 * joint.size, 0),
        ),
        (pairs, "maximal_correlation", "GLCM eigenvalues", _eigenvalue_work),
        (
            texture,
            "run_features",
            "other features",
            lambda _, counts, *__: (counts.nbytes, 10 * counts.size, 0),
        ),
        (
            texture,
            "extent_features",
            "other features",
            lambda _, counts, *__: (counts.nbytes, 10 * counts.size, 0),
        ),
        (texture, "contrast_features", "other features", lambda _, n, *__: (0, 20 * n.size**2, 0)),
    ]
    before = [getattr(module, name) for module, name, _, _ in parts]
    for (module, name, part, least), function in zip(parts, before, strict=True):
        setattr(module, name, ledger.timed(part, function, least))
    try:
        yield
    finally:
        for (module, name, _, _), function in zip(parts, before, strict=True):
            setattr(module, name, function)


def _log_work(_: Any, volume: np.ndarray, spacing: np.ndarray, sigma: float, kept: Any) -> Work:
    """Count nine passes: 15 operations per voxel and direction, and the sum; in and out once, in 4 bytes."""
    size, operations, moved = np.array(volume.shape), 0.0, 0.0
    inside = np.array([part.stop - part.start for part in kept])
    for derived in (2, 1, 0):
        shape = size.astype(float)
        for axis in (derived, *(other for other in (2, 1, 0) if other != derived)):
            lines, part = shape.prod() / shape[axis], kept[axis]
            operations += lines * 15 * (part.stop + size[axis] - part.start)
            moved += 4 * shape.prod()
            shape[axis] = inside[axis]
            operations += shape.prod()
            moved += 4 * shape.prod()
    return moved, operations, 0


def _run_work(_: Any, numbered: np.ndarray, equals: np.ndarray, rows: np.ndarray, *__: Any) -> Work:
    """Count bits read, passed on twice and begun, and two tallies of two words per voxel."""
    return 7 * equals.nbytes, 0, 4 * float(rows[:, 1].sum())


def _zone_work(_: Any, numbered: np.ndarray, equals: np.ndarray, rows: np.ndarray, *__: Any) -> Work:
    """Count a label read and written per voxel, and one step of its zone's size."""
    voxels = float(rows[:, 1].sum())
    return equals.nbytes + 12 * voxels, 0, voxels


def _neighbourhood_work(_: Any, padded: np.ndarray, rows: np.ndarray, offsets: np.ndarray, *__: Any) -> Work:
    """Count five operations per neighbour (4 bytes each, two to a double), a division, two increments."""
    voxels = float(rows[:, 1].sum())
    return padded.nbytes, voxels * (2 * offsets.size * 5 / 2 + 1), 2 * voxels


def _eigenvalue_work(_: Any, joint: np.ndarray) -> Work:
    """Count one product of matrices and one reduction to tridiagonal form for each direction."""
    n, _, directions = joint.shape
    return 4 * joint.nbytes, directions * (2 + 4 / 3) * n**3, 0


def machine_rates() -> np.ndarray:
    """Return bytes, floating-point operations and increments per second that one core reaches."""
    source = np.ones(8_000_000)
    target = np.empty_like(source)
    copied = 2 * source.nbytes / _fastest(lambda: np.copyto(target, source))
    lanes = np.ones(512)
    computed = 2 * 16 * lanes.size * 10_000 / _fastest(lambda: _multiply_add(lanes, 10_000))
    places = np.random.default_rng(0).integers(0, 32, (2, 4096)).astype(np.uint16)
    table = np.zeros((32, 32), np.int32)
    counted = 4096 * 2_000 / _fastest(lambda: _increment(table, places[0], places[1], 2_000))
    return np.array([copied, computed, counted])


@numba.njit(error_model="numpy")
def _multiply_add(lanes: np.ndarray, times: int) -> None:
    for _ in range(times):
        for x in range(512):
            value = lanes[x]
            for _ in range(16):
                value = value * 0.5 + 0.25
            lanes[x] = value


@numba.njit(error_model="numpy")
def _increment(table: np.ndarray, rows: np.ndarray, columns: np.ndarray, times: int) -> None:
    for _ in range(times):
        for k in range(rows.size):
            table[rows[k], columns[k]] += 1


def _fastest(run: Callable[[], Any]) -> float:
    run()
    seconds = []
    for _ in range(7):
        started = time.process_time()
        run()
        seconds.append(time.process_time() - started)
    return min(seconds)


if __name__ == "__main__":
    main()
