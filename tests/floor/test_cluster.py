"""The Dask backend, against a scheduler and workers that are processes of their own."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import pytest

from radiomics_vert.cohort import Cohort, read_cohort
from radiomics_vert.errors import SettingsError
from radiomics_vert.extraction import ExtractionParams, FeatureTable, extract, read_params
from radiomics_vert.parallel import available_cores, run, workers_at
from tests_support import SMALL_PARAMETERS

pytest.importorskip("distributed")
pytestmark = [
    pytest.mark.slow,
    # What the cluster's own event loop leaves behind when a worker is killed is not ours to mend.
    pytest.mark.filterwarnings("default"),
]


def dask(*arguments: str) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-m", "dask", *arguments]
    # Workers import the functions of this module by name.
    here = Path(__file__).parent
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join((str(here), str(here.parent)))}
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    return subprocess.Popen(command, env=environment, **quiet)


@dataclass(frozen=True)
class Cluster:
    """A scheduler and its workers, each a process of its own."""

    address: str
    workers: tuple[subprocess.Popen[bytes], ...]


@pytest.fixture
def cluster(tmp_path: Path) -> Iterator[Cluster]:
    """Start a scheduler and two workers without a nanny, so that a killed worker stays dead."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = str(free.getsockname()[1])
    address = f"tcp://127.0.0.1:{port}"
    running = [dask("scheduler", "--host", "127.0.0.1", "--port", port, "--no-dashboard", "--no-show")]
    options = ("--nthreads", "1", "--no-nanny", "--no-dashboard", "--local-directory", str(tmp_path))
    running += [dask("worker", address, *options) for _ in range(2)]
    try:
        wait_for_workers(address, 2)
        yield Cluster(address, tuple(running[1:]))
    finally:
        for process in reversed(running):
            process.terminate()
            process.wait(timeout=20)


def wait_for_workers(address: str, number: int) -> None:
    from distributed import Client

    with Client(address, timeout="60s") as client:
        client.wait_for_workers(number, timeout=60)


def square_with_process(value: int) -> tuple[int, int]:
    time.sleep(0.02)
    return value**2, os.getpid()


def die_once(folder: Path, value: int) -> int:
    """Kill the own process on the first visit of one item; note every visit."""
    with (folder / "visits.txt").open("a", encoding="utf-8") as stream:
        stream.write(f"{value}\n")
    mark = folder / "died"
    if value == 5 and not mark.exists():
        mark.touch()
        os.kill(os.getpid(), signal.SIGKILL)
    time.sleep(0.05)
    return value + 100


def test_values_come_in_order_from_the_workers_of_the_cluster(cluster: Cluster) -> None:
    with workers_at("dask", cluster.address):
        assert available_cores() == 2
        found = run(square_with_process, range(20), n_jobs=-1)
    assert [value for value, _ in found] == [number**2 for number in range(20)]
    processes = {process for _, process in found}
    assert len(processes) == 2
    assert os.getpid() not in processes


def test_a_killed_worker_costs_only_its_own_items(cluster: Cluster, tmp_path: Path) -> None:
    with workers_at("dask", cluster.address):
        found = run(partial(die_once, tmp_path), range(30), n_jobs=-1)
    assert found == [number + 100 for number in range(30)]
    visits = (tmp_path / "visits.txt").read_text("utf-8").split()
    assert visits.count("5") == 2
    # What the dead worker had already handed back to nobody is done again; what others did is not.
    assert len(visits) <= 30 + 10


def small(small_cohort: Path, folder: Path) -> tuple[Cohort, ExtractionParams]:
    (folder / "small.yaml").write_text(SMALL_PARAMETERS, "utf-8")
    return read_cohort(small_cohort / "images.csv"), read_params(folder / "small.yaml")


def saved(table: FeatureTable, folder: Path) -> dict[str, bytes]:
    table.save(folder)
    return {path.name: path.read_bytes() for path in sorted(folder.iterdir())}


def test_tables_are_the_same_bytes_wherever_the_workers_are(
    cluster: Cluster, small_cohort: Path, tmp_path: Path
) -> None:
    cohort, params = small(small_cohort, tmp_path)
    expected = saved(extract(cohort, params), tmp_path / "one")
    for place in ("processes", "threads", "dask"):
        with workers_at(place, cluster.address):
            found = saved(extract(cohort, params, n_jobs=2), tmp_path / place)
        assert found == expected, place


def test_a_worker_killed_in_the_middle_of_an_extraction_costs_only_its_scans(
    cluster: Cluster, small_cohort: Path, tmp_path: Path
) -> None:
    cohort, params = small(small_cohort, tmp_path)
    expected = saved(extract(cohort, params), tmp_path / "one")

    def kill_one_worker(done: int, _: int) -> None:
        if done == 3:
            cluster.workers[0].kill()

    with workers_at("dask", cluster.address):
        table = extract(cohort, params, n_jobs=-1, cache=tmp_path / "cache", progress=kill_one_worker)
        assert cluster.workers[0].poll() is not None
        again = extract(cohort, params, n_jobs=-1, cache=tmp_path / "cache")
    assert saved(table, tmp_path / "killed") == expected
    assert again.provenance.run["cache"]["misses"] == 0


def test_a_cluster_that_does_not_answer_is_named() -> None:
    with pytest.raises(SettingsError, match="RV605"), workers_at("dask", "tcp://127.0.0.1:18799"):
        pass


@pytest.mark.parametrize(("backend", "words"), [("dask", "scheduler"), ("ray", "processes, threads, dask")])
def test_wrong_choices_are_told_why(backend: str, words: str) -> None:
    with pytest.raises(SettingsError, match=words), workers_at(backend):
        pass
