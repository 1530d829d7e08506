"""The only door to joblib: run one function over many items, in order, with progress.

One item is one scan, one fold or one patient. Workers are processes with one BLAS and one ITK thread
each, so that two workers on two cores do not fight over four threads.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import TypeVar

import joblib
from threadpoolctl import threadpool_limits

Item = TypeVar("Item")
Value = TypeVar("Value")
Progress = Callable[[int, int], None]
"""Called after each finished item with (done, total)."""


def available_cores() -> int:
    """Return the number of cores that this process may use."""
    return int(joblib.cpu_count())


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
    backend: str = "loky",
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
    backend : {"loky", "threading"}, default "loky"
        Processes or threads.

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
    for value in _stream(function, queue, min(resolve_workers(n_jobs), max(1, len(queue))), backend):
        values.append(value)
        if progress is not None:
            progress(len(values), len(queue))
    return values


def _stream(
    function: Callable[[Item], Value], items: Sequence[Item], workers: int, backend: str
) -> Iterator[Value]:
    if workers == 1:
        yield from map(function, items)
        return
    parallel = joblib.Parallel(
        n_jobs=workers,
        backend=backend,
        return_as="generator",
        batch_size=1,
        pre_dispatch="2*n_jobs",
    )
    yield from parallel(joblib.delayed(_single_threaded)(function, item) for item in items)


def _single_threaded(function: Callable[[Item], Value], item: Item) -> Value:
    os.environ["ITK_GLOBAL_DEFAULT_NUMBER_OF_THREADS"] = "1"
    with threadpool_limits(limits=1):
        return function(item)
