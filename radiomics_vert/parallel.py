"""The only door to joblib and Dask: run one function over many items, in order, with progress.

One item is one scan, one fold or one patient. Workers are processes with one BLAS and one ITK thread
each, so that two workers on two cores do not fight over four threads. Where they are, in this machine or
in a cluster, is chosen once, around the work (:func:`workers_at`); no function in between has to know. How
much memory they needed is asked in the same way (:func:`memory_of_workers`).
"""

from __future__ import annotations

import os
import pickle
import platform
import sys
import warnings
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import BrokenExecutor, Future
from contextlib import ExitStack, contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from functools import partial
from itertools import islice
from typing import Any, TypeVar

import joblib
from joblib.externals.loky import ProcessPoolExecutor, get_reusable_executor
from joblib.parallel import ParallelBackendBase
from threadpoolctl import threadpool_limits

from radiomics_vert._version import __version__
from radiomics_vert.errors import Problem, SettingsError
from radiomics_vert.memory import Heap, Peak, peak, reset_peak
from radiomics_vert.phrases import count
from radiomics_vert.worker_memory import WorkersMemory

BACKENDS = ("processes", "threads", "dask")
_JOBLIB = {"processes": "loky", "threads": "threading"}
_heap = Heap()
_backend: ContextVar[str] = ContextVar("backend", default="processes")
_cluster: ContextVar[Any] = ContextVar("cluster", default=None)
# The variables that joblib sets for its workers, too.
_ONE_THREAD = dict.fromkeys(ParallelBackendBase.MAX_NUM_THREADS_VARS, "1")
_NAMED = 3
"""Workers that a message names; a cluster can have hundreds with one and the same fault."""

Item = TypeVar("Item")
Value = TypeVar("Value")
Progress = Callable[[int, int], None]
"""Called after each finished item with (done, total)."""


_memory: ContextVar[WorkersMemory | None] = ContextVar("memory", default=None)


@contextmanager
def memory_of_workers() -> Iterator[WorkersMemory]:
    """Note how much memory each worker needs for everything inside the block.

    Yields
    ------
    WorkersMemory
        Filled while :func:`run` and :func:`stream` work. One worker, and threads, are this process itself.
        Empty where the operating system does not tell.

    Examples
    --------
    >>> with memory_of_workers() as memory:
    ...     values = run(abs, [-1, 2])
    >>> len(memory.facts(largest_scan=0)["workers"]) <= 1
    True
    """
    memory = WorkersMemory()
    token = _memory.set(memory)
    try:
        yield memory
    finally:
        _memory.reset(token)


def available_cores() -> int:
    """Return the number of cores that this process, or the cluster in use, may use."""
    client = _cluster.get()
    if client is not None:
        return max(1, sum(int(threads) for threads in client.nthreads().values()))
    return int(joblib.cpu_count())


@contextmanager
def workers_at(backend: str = "processes", scheduler: str | None = None) -> Iterator[None]:
    """Choose where the workers of everything inside the block are.

    Parameters
    ----------
    backend : {"processes", "threads", "dask"}, default "processes"
        Processes or threads of this machine, or the workers of a Dask cluster.
    scheduler : str, optional
        Address of the cluster's scheduler, such as `tcp://10.0.0.5:8786`; needed for `dask`.

    Raises
    ------
    SettingsError
        RV602 an unknown backend, or `dask` without a scheduler; RV605 the cluster cannot be used: not
        installed here, not reachable, without workers, or with a worker that lacks this package or has
        other versions than this machine.

    Notes
    -----
    The workers of a cluster must see images, masks and cache under the same paths as this machine. Values
    and their order do not depend on the backend. When a worker dies, its items are given to others.
    """
    with ExitStack() as stack:
        if backend not in BACKENDS:
            remedy = "choose one of them"
            raise SettingsError(Problem("RV602", ", ".join(BACKENDS), repr(backend), "backend", remedy))
        if backend == "dask":
            _set(stack, _cluster, stack.enter_context(_connected(scheduler)))
        _set(stack, _backend, backend)
        yield


def _set(stack: ExitStack, variable: ContextVar[Any], value: object) -> None:
    stack.callback(variable.reset, variable.set(value))


@contextmanager
def _connected(scheduler: str | None) -> Iterator[Any]:
    """Yield a client of the cluster, or say why it cannot be used."""
    if not scheduler:
        remedy = "name it with --scheduler or execution.scheduler, such as tcp://10.0.0.5:8786"
        raise SettingsError(
            Problem("RV602", "the address of a Dask scheduler", "none", "backend dask", remedy)
        )
    try:
        from distributed import Client  # an extra: most studies run on one machine
    except ImportError:
        remedy = "pip install 'radiomics-vert[cluster]', on every machine of the cluster"
        raise SettingsError(
            Problem("RV605", "the package dask.distributed", "not installed", "backend dask", remedy)
        ) from None
    try:
        client: Any = Client(scheduler, timeout="10s", set_as_default=True)  # type: ignore[no-untyped-call]
    except (OSError, ValueError, TimeoutError) as error:
        remedy = "start `dask scheduler` and `dask worker`, and check address, port and firewall"
        found = f"{type(error).__name__}: no answer within 10 seconds"
        raise SettingsError(Problem("RV605", "a running Dask scheduler", found, scheduler, remedy)) from error
    with client:
        _require_same_software(client)
        yield client


def _require_same_software(client: Any) -> None:
    """Ask every worker for its versions; a worker that cannot answer cannot import this package."""
    scheduler, found = client.scheduler.address, client.run(_software, on_error="return")
    if not found:
        remedy = "start workers: `dask worker ADDRESS --nthreads 1` on each core"
        raise SettingsError(Problem("RV605", "at least one worker", "none", scheduler, remedy))
    other = [f"{worker}: {_told(it)}" for worker, it in sorted(found.items()) if it != _software()]
    if other:
        more = f" and {len(other) - _NAMED} more workers" if len(other) > _NAMED else ""
        expected = f"{_told(_software())} on every worker"
        remedy = (
            "install the same environment on these workers' machines and start them in it; other versions "
            "give other values"
        )
        found_there = "; ".join(other[:_NAMED]) + more
        raise SettingsError(Problem("RV605", expected, found_there, scheduler, remedy))


def _software() -> tuple[str, str]:
    return __version__, ".".join(map(str, sys.version_info[:2]))


def _told(software: tuple[str, str] | Exception) -> str:
    if isinstance(software, Exception):
        return f"{type(software).__name__}: {' '.join(str(software).split())}"
    return f"radiomics_vert {software[0]} and Python {software[1]}"


@dataclass
class _Single:
    """One worker that is a process of its own; started when there is work."""

    pool: ProcessPoolExecutor | None = None

    def submit(self, function: Callable[[Item], Value], item: Item) -> Future[Value]:
        if self.pool is None:
            self.pool = ProcessPoolExecutor(1, env=_ONE_THREAD)
        submitted: Future[Value] = self.pool.submit(_single_threaded, function, item)
        return submitted

    def dismiss(self) -> None:
        if self.pool is not None:
            self.pool.shutdown(wait=True, kill_workers=True)
        self.pool = None


_single: ContextVar[_Single | None] = ContextVar("single", default=None)


@contextmanager
def separate_workers() -> Iterator[None]:
    """Let one worker, too, be a process of its own for everything inside the block.

    What this process has imported and holds is then not beside a large scan. Threads and the workers of a
    cluster stay what they are.

    Examples
    --------
    >>> with separate_workers():
    ...     run(abs, [-1, 2], n_jobs=1)
    [1, 2]
    """
    single = _Single()
    token = _single.set(single)
    try:
        yield
    finally:
        _single.reset(token)
        single.dismiss()


def dismiss_workers() -> None:
    """End the processes that worked for this one; the next piece of work starts new ones.

    Workers stay for the next stage, and with them what they imported and compiled for this one.
    """
    get_reusable_executor().shutdown(wait=True)
    single = _single.get()
    if single is not None:
        single.dismiss()


def resolve_workers(n_jobs: int) -> int:
    """Translate `n_jobs` as scikit-learn does: -1 is all cores, -2 all but one."""
    if n_jobs == 0:
        raise ValueError("n_jobs must not be 0: use 1 for no parallelism or -1 for all cores")
    return n_jobs if n_jobs > 0 else max(1, available_cores() + 1 + n_jobs)


def run(
    function: Callable[[Item], Value],
    items: Iterable[Item],
    *,
    n_jobs: int = 1,
    progress: Progress | None = None,
    backend: str | None = None,
) -> list[Value]:
    """Apply `function` to every item; the order of the values is the order of the items.

    Parameters
    ----------
    function : callable
        Takes one item. It must be importable (a module-level function or a partial of one) when
        `n_jobs` is not 1.
    items : iterable
        What to work on.
    n_jobs : int, default 1
        Number of workers; -1 takes all cores. One worker runs in this process.
    progress : callable, optional
        Called with (done, total) after each item.
    backend : {"processes", "threads", "dask"}, optional
        What :func:`workers_at` chose, processes by default.

    Returns
    -------
    list
        One value per item, in the order of `items`.

    Examples
    --------
    >>> run(abs, [-1, 2, -3])
    [1, 2, 3]
    """
    return list(stream(function, items, n_jobs=n_jobs, progress=progress, backend=backend))


def stream(
    function: Callable[[Item], Value],
    items: Iterable[Item],
    *,
    n_jobs: int = 1,
    progress: Progress | None = None,
    backend: str | None = None,
) -> Iterator[Value]:
    """Yield the values of :func:`run` one after the other, as soon as each is there; none is kept.

    Parameters
    ----------
    function, items, n_jobs, progress, backend
        As for :func:`run`.

    Yields
    ------
    object
        One value per item, in the order of `items`.

    Examples
    --------
    >>> sum(stream(abs, [-1, 2, -3]))
    6
    """
    queue, memory = list(items), _memory.get()
    chosen = backend or _backend.get()
    workers = min(resolve_workers(n_jobs), max(1, len(queue)))
    alone = chosen != "threads"  # an item of another thread must not forget the peak of this one
    if memory is not None and not alone:
        reset_peak()
    work = partial(_measured, function, memory is not None, alone)
    for done, (value, worker, found) in enumerate(_given_out(work, queue, workers, chosen), start=1):
        if memory is not None:
            memory.add(worker, found)
        yield value
        if progress is not None:
            progress(done, len(queue))


def _measured(
    function: Callable[[Item], Value], asked: bool, alone: bool, item: Item
) -> tuple[Value, str, Peak | None]:
    """Work on one item; tell who did it and, when asked, what memory it needed. Runs in the worker."""
    if asked and alone:
        reset_peak()
    value = function(item)
    _heap.release()
    return value, f"{platform.node()}:{os.getpid()}", peak() if asked else None


def _given_out(
    function: Callable[[Item], Value], items: Sequence[Item], workers: int, backend: str
) -> Iterator[Value]:
    if backend == "dask":
        yield from _on_cluster(function, items)
        return
    single = _single.get()
    if workers == 1 and single is not None and backend == "processes":
        with _outlived():
            yield from _ahead(partial(single.submit, function), items)
        return
    if workers == 1:
        with _one_thread():
            yield from map(function, items)
        return
    if backend == "threads":
        with _one_thread():  # around all: the limits are of the process, and the first to end would lift them
            yield from joblib.Parallel(workers, backend="threading", return_as="generator", batch_size=1)(
                joblib.delayed(function)(item) for item in items
            )
        return
    with joblib.parallel_config(backend="loky", n_jobs=workers, inner_max_num_threads=1):
        parallel = joblib.Parallel(return_as="generator", batch_size=1, pre_dispatch="2*n_jobs")
    with _outlived(), warnings.catch_warnings():
        # A worker whose memory has grown (compiled kernels stay in it) is replaced by a new one; nothing is
        # lost. The remark on it would alarm users, and as an error it would end the thread that replaces.
        warnings.filterwarnings("ignore", message="A worker stopped while some jobs")
        yield from parallel(joblib.delayed(_single_threaded)(function, item) for item in items)


@contextmanager
def _outlived() -> Iterator[None]:
    """Say what to do where a worker of this machine was ended from outside."""
    try:
        yield
    except BrokenExecutor as error:
        expected, found = "workers that outlive each item", "a worker ended before its item was done"
        remedy = (
            "most often memory ran out: use fewer workers, or a machine with more memory (docs/cluster.md); "
            "start again, what is done is in the cache"
        )
        raise SettingsError(Problem("RV606", expected, found, "this machine", remedy)) from error


def _ahead(submit: Callable[[Item], Future[Value]], items: Sequence[Item]) -> Iterator[Value]:
    """Yield the values in order; one item waits while another is worked on."""
    under_way = deque[Future[Value]]()
    for item in items:
        under_way.append(submit(item))
        if len(under_way) > 1:
            yield under_way.popleft().result()
    while under_way:
        yield under_way.popleft().result()


def _on_cluster(function: Callable[[Item], Value], items: Sequence[Item]) -> Iterator[Value]:
    """Yield the values in order; twice as many items as the cluster has cores are under way.

    Without joblib: its backend for Dask waits for ever when a task ends outside of its function, because a
    worker cannot import what it needs, died again and again, or lost its scheduler.
    """
    from distributed import as_completed
    from distributed.protocol.pickle import dumps

    client = _cluster.get()
    if client is None:
        remedy = "work inside `with workers_at('dask', ADDRESS):`"
        raise SettingsError(Problem("RV602", "a cluster that is connected", "none", "backend dask", remedy))
    coming, places, done = iter(enumerate(items)), dict[Any, int](), dict[int, Value]()
    under_way: Any = as_completed(loop=client.loop)  # type: ignore[no-untyped-call]

    def submit_more() -> None:
        for place, item in islice(coming, max(0, 2 * available_cores() - len(places))):
            task = dumps(_Task(_software(), function, item))  # type: ignore[no-untyped-call]
            future = client.submit(pickle.loads, task, pure=False)
            places[future] = place
            under_way.add(future)

    try:
        submit_more()
        following = 0
        for future in under_way:
            place = places.pop(future)
            done[place] = _value(future, client, f"item {place + 1} of {len(items)}")
            submit_more()
            while following in done:
                yield done.pop(following)
                following += 1
    finally:
        if places and client.status == "running":
            client.cancel(list(places))


@dataclass(frozen=True)
class _Task:
    """What unpickles to the value of its function.

    Dask unpickles a task where a worker reads its messages. What cannot be imported breaks that stream off,
    nobody is told, and the client waits for ever; in `pickle.loads` as the task itself it is an error of
    the task.
    """

    software: tuple[str, str]
    function: Callable[[Any], Any]
    item: Any

    def __reduce__(self) -> tuple[Callable[..., Any], tuple[Any, ...]]:
        return _on_worker, (self.software, self.function, self.item)


def _on_worker(software: tuple[str, str], function: Callable[[Item], Value], item: Item) -> Value:
    # Workers may join at any time, after all others were asked.
    if _software() != software:
        raise ImportError(f"{_told(_software())} instead of {_told(software)}")
    return _single_threaded(function, item)


def _value(future: Any, client: Any, where: str) -> Any:
    """Return the value of a task; where a worker or the cluster is at fault, say which and why."""
    from distributed import CancelledError, KilledWorker
    from distributed.comm.core import CommClosedError

    try:
        return future.result()
    except KilledWorker as error:
        found = f"{count(error.allowed_failures + 1, 'worker')} ended, at last {error.last_worker.address}"
        remedy = (
            "see the workers' logs; give them more memory (docs/cluster.md); what is done is in the cache"
        )
        expected = "workers that outlive each item"
        raise SettingsError(
            Problem("RV606", expected, found, f"{where}, or one beside it", remedy)
        ) from error
    except (CancelledError, CommClosedError) as error:  # lost before, or while, the value was fetched
        remedy = "see the scheduler's log and start again; what is done is in the cache"
        expected, found = "a scheduler until the end", "the connection to it was lost"
        raise SettingsError(Problem("RV605", expected, found, where, remedy)) from error
    except (ImportError, AttributeError) as error:  # what a worker with another, or no, package raises
        _require_same_software(client)
        if isinstance(error, AttributeError):
            raise
        expected, remedy = "workers that can import what the work needs", "install it on all machines"
        raise SettingsError(Problem("RV605", expected, _told(error), where, remedy)) from error


def _single_threaded(function: Callable[[Item], Value], item: Item) -> Value:
    # Where the first item of a worker is what loads ITK, ITK reads this.
    os.environ["ITK_GLOBAL_DEFAULT_NUMBER_OF_THREADS"] = "1"
    with _one_thread():
        return function(item)


@contextmanager
def _one_thread() -> Iterator[None]:
    """Let BLAS, OpenMP and ITK use one thread each, in this process.

    The last bit of a matrix product can depend on the number of threads, and so on the workers; and for a
    small image ITK waits longer for its threads than it works.
    """
    itk = getattr(sys.modules.get("SimpleITK"), "ProcessObject", None)  # the floor need not load it
    before = None if itk is None else itk.GetGlobalDefaultNumberOfThreads()
    if itk is not None:
        itk.SetGlobalDefaultNumberOfThreads(1)
    try:
        with threadpool_limits(limits=1):
            yield
    finally:
        if itk is not None:
            itk.SetGlobalDefaultNumberOfThreads(before)
