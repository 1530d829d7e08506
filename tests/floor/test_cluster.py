"""The Dask backend, against a scheduler and workers that are processes of their own."""

from __future__ import annotations

import importlib
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import pytest

from radiomics_vert.cohort import Cohort, read_cohort
from radiomics_vert.errors import SettingsError
from radiomics_vert.extraction import ExtractionParams, extract, read_params
from radiomics_vert.feature_table import FeatureTable
from radiomics_vert.parallel import available_cores, run, workers_at
from tests_support import SMALL_PARAMETERS

pytest.importorskip("distributed")
pytestmark = [
    pytest.mark.slow,
    # What the cluster's own event loop leaves behind when a worker is killed is not ours to mend.
    pytest.mark.filterwarnings("default"),
]


HERE = Path(__file__).parent
# Workers import the functions of this module by name.
OWN_PATH = (HERE, HERE.parent)
ONE_THREAD = ("--nthreads", "1", "--no-nanny", "--no-dashboard")  # no nanny: a killed worker stays dead


def dask(*arguments: str, path: tuple[Path, ...] = OWN_PATH, **settings: str) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-m", "dask", *arguments]
    environment = {**os.environ, **settings, "PYTHONPATH": os.pathsep.join(map(str, path))}
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    return subprocess.Popen(command, env=environment, **quiet)


@dataclass(frozen=True)
class Cluster:
    """A scheduler and its workers, each a process of its own."""

    address: str
    scheduler: subprocess.Popen[bytes]
    workers: tuple[subprocess.Popen[bytes], ...]


@contextmanager
def running_cluster(folder: Path, **settings: str) -> Iterator[Cluster]:
    """Start a scheduler and two workers."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = str(free.getsockname()[1])
    address = f"tcp://127.0.0.1:{port}"
    where = ("--host", "127.0.0.1", "--port", port)
    running = [dask("scheduler", *where, "--no-dashboard", "--no-show", **settings)]
    options = (*ONE_THREAD, "--local-directory", str(folder))
    running += [dask("worker", address, *options) for _ in range(2)]
    try:
        wait_for_workers(address, 2)
        yield Cluster(address, running[0], tuple(running[1:]))
    finally:
        for process in reversed(running):
            process.terminate()
            process.wait(timeout=20)


@pytest.fixture
def cluster(tmp_path: Path) -> Iterator[Cluster]:
    with running_cluster(tmp_path) as started:
        yield started


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


def die(folder: Path, value: int) -> int:
    """Kill the own process on every visit of one item."""
    (folder / f"visited {value}").touch()
    if value == 5:
        os.kill(os.getpid(), signal.SIGKILL)
    return value


def test_an_item_that_ends_its_workers_ends_the_run(tmp_path: Path) -> None:
    ended = running_cluster(tmp_path, DASK_DISTRIBUTED__SCHEDULER__ALLOWED_FAILURES="0")
    with ended as cluster, workers_at("dask", cluster.address):
        with pytest.raises(SettingsError, match="RV606") as caught:
            run(partial(die, tmp_path), range(200), n_jobs=-1)
        assert "1 worker ended" in caught.value.problems[0].found
        # What was under way is taken back.
        assert not (tmp_path / "visited 199").exists()
        assert run(square_with_process, [3], n_jobs=-1)[0][0] == 9


FOREIGN = {
    "missing": "import sys; sys.modules['radiomics_vert'] = None",
    "other": "import radiomics_vert._version as own; own.__version__ = '0.0.1'",
}


@pytest.mark.parametrize(("kind", "told"), [("missing", "ModuleNotFoundError"), ("other", "vert 0.0.1 and")])
def test_a_worker_with_other_software_is_named(
    cluster: Cluster, tmp_path: Path, kind: str, told: str
) -> None:
    (tmp_path / "sitecustomize.py").write_text(FOREIGN[kind], "utf-8")
    own = ("--local-directory", str(tmp_path), "--name", "foreign")
    with workers_at("dask", cluster.address):
        foreign = dask("worker", cluster.address, *ONE_THREAD, *own, path=(tmp_path, *OWN_PATH))
        try:
            address = address_of(cluster.address, "foreign")
            # It joined after the others were asked, as jobs of a batch system do.
            with pytest.raises(SettingsError, match="RV605") as late:
                run(square_with_process, range(40), n_jobs=-1)
            with pytest.raises(SettingsError, match="RV605") as early, workers_at("dask", cluster.address):
                pass
        finally:
            foreign.terminate()
            foreign.wait(timeout=20)
    for caught in (late, early):
        found = caught.value.problems[0].found
        assert found.startswith(f"{address}: ")
        assert told in found
        assert found.count("tcp://") == 1


def address_of(scheduler: str, name: str) -> str:
    from distributed import Client

    with Client(scheduler, timeout="60s") as client:
        client.wait_for_workers(3, timeout=60)
        workers = client.scheduler_info(n_workers=-1)["workers"]
        return next(address for address, facts in workers.items() if facts["name"] == name)


def test_what_a_worker_cannot_import_is_named(
    cluster: Cluster, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "only_on_this_machine.py").write_text("def half(value):\n    return value / 2\n", "utf-8")
    monkeypatch.syspath_prepend(tmp_path)
    half = importlib.import_module("only_on_this_machine").half
    with workers_at("dask", cluster.address):
        with pytest.raises(SettingsError, match=r"RV605[\s\S]*only_on_this_machine") as caught:
            run(half, range(6), n_jobs=-1)
        # Whichever is the first to come back.
        assert caught.value.problems[0].where in {f"item {number} of 6" for number in range(1, 7)}
        # The workers are none the worse for it.
        assert run(square_with_process, [3], n_jobs=-1)[0][0] == 9


def fail(value: int) -> int:
    raise LookupError(f"no {value}")


def test_errors_of_the_function_itself_come_through(cluster: Cluster) -> None:
    with workers_at("dask", cluster.address), pytest.raises(LookupError, match="no 1"):
        run(fail, [1], n_jobs=-1)


def test_a_lost_scheduler_ends_the_run(cluster: Cluster) -> None:
    def kill_the_scheduler(done: int, _: int) -> None:
        if done == 3:
            cluster.scheduler.kill()

    with workers_at("dask", cluster.address), pytest.raises(SettingsError, match="RV605"):
        run(square_with_process, range(200), n_jobs=-1, progress=kill_the_scheduler)


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
