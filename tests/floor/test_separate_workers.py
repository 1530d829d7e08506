"""One worker as a process of its own, and workers that are ended."""

from __future__ import annotations

import os
import signal
from functools import partial

import pytest

from radiomics_vert.errors import SettingsError
from radiomics_vert.parallel import dismiss_workers, memory_of_workers, run, separate_workers, workers_at


def process(_: object) -> int:
    return os.getpid()


def threads(name: str) -> str:
    return os.environ[name]


def half(number: int) -> float:
    return 1 / number


def die_at(fatal: int, number: int) -> int:
    if number == fatal:
        os.kill(os.getpid(), signal.SIGKILL)
    return number


def test_one_worker_is_this_process_unless_it_is_to_be_another() -> None:
    assert run(process, range(3)) == [os.getpid()] * 3
    with separate_workers():
        (other,) = set(run(process, range(3)))
        assert other != os.getpid()
        assert run(process, [0]) == [other]  # the next piece of work finds it again
        assert run(process, range(2), backend="threads") == [os.getpid()] * 2
        with workers_at("threads"):
            assert run(process, [0]) == [os.getpid()]
    assert run(process, [0]) == [os.getpid()]
    with pytest.raises(ProcessLookupError):
        os.kill(other, 0)


def test_a_separate_worker_keeps_order_progress_threads_and_tells_its_memory() -> None:
    seen = []
    with separate_workers(), memory_of_workers() as memory:
        values = run(abs, range(0, -5, -1), progress=lambda done, total: seen.append((done, total)))
        assert run(threads, ["OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"]) == ["1", "1"]
    assert values == [0, 1, 2, 3, 4]
    assert seen == [(done, 5) for done in range(1, 6)]
    (worker,) = memory.peaks
    assert worker.endswith(f":{os.getpid()}") is False


def test_an_error_in_a_separate_worker_is_raised_here_and_does_not_end_it() -> None:
    with separate_workers():
        before = run(process, [0])
        with pytest.raises(ZeroDivisionError):
            run(half, [1, 0, 2])
        assert run(process, [0]) == before


def test_dismissed_workers_are_followed_by_new_ones() -> None:
    with separate_workers():
        one = run(process, [0])
        dismiss_workers()
        assert run(process, [0]) != one
        several = set(run(process, range(8), n_jobs=2))
        dismiss_workers()
        assert not several & set(run(process, range(8), n_jobs=2))


@pytest.mark.parametrize("n_jobs", [1, 2])
def test_a_worker_that_is_killed_ends_the_run_with_advice(n_jobs: int) -> None:
    with separate_workers():
        with pytest.raises(SettingsError, match=r"(?s)RV606.*use fewer workers") as caught:
            run(partial(die_at, 2), range(4), n_jobs=n_jobs)
        assert caught.value.__cause__ is not None
        dismiss_workers()
        assert run(abs, [-1, 2], n_jobs=n_jobs) == [1, 2]
