"""The only door to joblib and Dask: run one function over many items, in order, with progress.

One item is one scan, one fold or one patient. Workers are processes with one BLAS and one ITK thread
each, so that two workers on two cores do not fight over four threads. Where they are, in this machine or
in a cluster, is chosen once, around the work (:func:`workers_at`); no function in between has to know.
"""

from __future__ import annotations

import os
import sys
import warnings
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from contextvars import ContextVar
from typing import Any, TypeVar

import joblib
from threadpoolctl import threadpool_limits

from radiomics_vert._version import __version__
from radiomics_vert.errors import Problem, SettingsError

BACKENDS = ("processes", "threads", "dask")
_JOBLIB = {"processes": "loky", "threads": "threading", "dask": "dask"}
_backend: ContextVar[str] = ContextVar("backend", default="processes")
_cluster: ContextVar[Any] = ContextVar("cluster", default=None)

Item = TypeVar("Item")
Value = TypeVar("Value")
Progress = Callable[[int, int], None]
"""Called after each finished item with (done, total)."""


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
        installed here, not reachable, without workers, or with other versions than this machine.

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
        _require_same_software(client, scheduler)
        yield client


def _require_same_software(client: Any, scheduler: str) -> None:
    found = client.run(_software)
    if not found:
        remedy = "start workers: `dask worker ADDRESS --nthreads 1` on each core"
        raise SettingsError(Problem("RV605", "at least one worker", "none", scheduler, remedy))
    other = sorted({str(software) for software in found.values() if software != _software()})
    if other:
        expected = f"radiomics_vert {__version__} and Python {_software()[1]} on every worker"
        remedy = "install the same environment on all machines; other versions give other values"
        raise SettingsError(Problem("RV605", expected, ", ".join(other), scheduler, remedy))


def _software() -> tuple[str, str]:
    return __version__, ".".join(map(str, sys.version_info[:2]))


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
    queue = list(items)
    values: list[Value] = []
    chosen = _JOBLIB[backend or _backend.get()]
    for value in _stream(function, queue, min(resolve_workers(n_jobs), max(1, len(queue))), chosen):
        values.append(value)
        if progress is not None:
            progress(len(values), len(queue))
    return values


def _stream(
    function: Callable[[Item], Value], items: Sequence[Item], workers: int, backend: str
) -> Iterator[Value]:
    if workers == 1 and backend != "dask":
        yield from map(function, items)
        return
    # The Dask backend is known to joblib only through its configuration.
    with joblib.parallel_config(backend=backend, n_jobs=workers):
        parallel = joblib.Parallel(return_as="generator", batch_size=1, pre_dispatch="2*n_jobs")
    with warnings.catch_warnings():
        # A worker whose memory has grown (compiled kernels stay in it) is replaced by a new one; nothing is
        # lost. The remark on it would alarm users, and as an error it would end the thread that replaces.
        warnings.filterwarnings("ignore", message="A worker stopped while some jobs")
        yield from parallel(joblib.delayed(_single_threaded)(function, item) for item in items)


def _single_threaded(function: Callable[[Item], Value], item: Item) -> Value:
    os.environ["ITK_GLOBAL_DEFAULT_NUMBER_OF_THREADS"] = "1"
    with threadpool_limits(limits=1):
        return function(item)
