"""What a worker may use: one thread, and memory that the record of the run tells."""

from __future__ import annotations

import os
import time
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import scipy.linalg  # brings a BLAS of its own
import SimpleITK as sitk

from radiomics_vert import memory
from radiomics_vert.cohort import Cohort, read_cohort
from radiomics_vert.extraction import ExtractionParams, extract
from radiomics_vert.memory import Heap, Peak, peak, reset_peak
from radiomics_vert.parallel import memory_of_workers, run, stream, workers_at
from radiomics_vert.worker_memory import WorkersMemory, memory_sentence

MB = 1_000_000
linux = pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="needs /proc")


def occupy(megabytes: int) -> int:
    """Hold some memory for a moment; return the process."""
    held = np.ones(megabytes * MB, dtype=np.uint8)
    return os.getpid() if held[-1] else 0


def thread_facts(_: int) -> dict[str, object]:
    """What a worker could use more than one thread for, after each library was used in it."""
    import numba
    from threadpoolctl import threadpool_info

    noise = sitk.GetImageFromArray(np.random.default_rng(0).normal(size=(7, 8, 9)))
    sitk.DiscreteGaussian(noise, 1.0)
    scipy.linalg.eigh(np.linalg.inv(np.eye(20)))
    return {
        "process": os.getpid(),
        "blas": {pool["num_threads"] for pool in threadpool_info() if pool["user_api"] == "blas"},
        "itk": sitk.ProcessObject.GetGlobalDefaultNumberOfThreads(),
        "numba": numba.get_num_threads(),
    }


def seconds_of_one_scan(work: tuple[Cohort, ExtractionParams]) -> tuple[float, float]:
    """Extract a scan with every kind of image three times; return seconds of processor and clock."""
    cohort, params = work
    extract(cohort, params)  # compiles
    processor, clock = time.process_time(), time.perf_counter()
    for _ in range(3):
        extract(cohort, params)
    return time.process_time() - processor, time.perf_counter() - clock


def one_scan(folder: Path) -> tuple[Cohort, ExtractionParams]:
    """One textured scan with one vertebra, and parameters with every kind of image."""
    rng = np.random.default_rng(0)
    far = sum(((axis - axis.mean()) / (axis.max() / 3)) ** 2 for axis in np.indices((42, 50, 46)))
    sitk.WriteImage(
        sitk.GetImageFromArray(rng.integers(0, 500, far.shape).astype(np.int16)), folder / "a.nii"
    )
    sitk.WriteImage(sitk.GetImageFromArray((20 * (far < 1)).astype(np.uint8)), folder / "m.nii")
    (folder / "images.csv").write_text("subject_id,sequence,image,mask\na,CT,a.nii,m.nii\n", "utf-8")
    images = {"Original": {}, "Wavelet": {}, "LoG": {"sigma": [2.0]}}
    params = ExtractionParams.from_mapping({"imageType": images, "setting": {"binWidth": 25}})
    return read_cohort(folder / "images.csv", scheme="verse"), params


@pytest.mark.parametrize(("place", "workers"), [("processes", 1), ("processes", 2), ("threads", 2)])
def test_every_library_has_one_thread_in_a_worker(place: str, workers: int) -> None:
    itk = sitk.ProcessObject.GetGlobalDefaultNumberOfThreads()
    sitk.ProcessObject.SetGlobalDefaultNumberOfThreads(3)
    try:
        with workers_at(place):
            found = run(thread_facts, range(6), n_jobs=workers)
        assert sitk.ProcessObject.GetGlobalDefaultNumberOfThreads() == 3
    finally:
        sitk.ProcessObject.SetGlobalDefaultNumberOfThreads(itk)
    here = place == "threads" or workers == 1
    assert ({facts["process"] for facts in found} == {os.getpid()}) is here
    for facts in found:
        assert facts["blas"] == {1}
        assert facts["itk"] == 1
        # A process is told in its environment; in this one, no kernel would use them (the next test).
        assert here or facts["numba"] == 1


def test_no_kernel_is_compiled_for_several_threads() -> None:
    import radiomics_vert.extraction.native as native

    sources = sorted(Path(native.__file__).parent.glob("*.py"))
    assert len(sources) > 5
    for source in sources:
        text = source.read_text("utf-8")
        assert "parallel=True" not in text
        assert "prange" not in text


def test_a_worker_uses_no_more_than_one_core(tmp_path: Path) -> None:
    """Whatever pools exist: two busy threads would use more processor time than the clock has run."""
    work = one_scan(tmp_path)
    for processor, clock in run(seconds_of_one_scan, [work, work], n_jobs=2):
        assert processor > 0.05
        assert processor < 1.05 * clock  # both clocks tick in steps of about 1 ms


@linux
def test_the_peak_is_that_of_the_work_since_the_last_reset() -> None:
    occupy(200)
    reset_peak()
    before = peak()
    occupy(60)
    after = peak()
    assert before is not None
    assert after is not None
    assert 55 * MB < after.resident - before.resident < 70 * MB
    assert 0 < after.shared < after.resident


def test_linux_tells_the_peak_and_its_shared_part() -> None:
    text = "Name:\tpython\nVmPeak:\t  900 kB\nVmHWM:\t  700 kB\nVmRSS:\t  600 kB\nRssFile:\t  200 kB\n"
    found = memory._of_status(text)
    assert found == Peak(700 * 1024, 200 * 1024)
    assert found.own == 500 * 1024
    assert memory._of_status("Name:\tpython\n") is None


def test_other_systems_tell_the_peak_alone(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(memory, "_STATUS", tmp_path / "absent")
    monkeypatch.setattr(memory, "_RESET", tmp_path / "absent" / "too")
    reset_peak()
    found = peak()
    assert found is not None
    assert found.shared == 0
    assert found.own > 20 * MB


@linux
@pytest.mark.parametrize("place", ["processes", "threads"])
def test_each_worker_tells_its_largest_memory(place: str) -> None:
    with workers_at(place), memory_of_workers() as used:
        processes = set(run(occupy, [5, 150, 5, 5], n_jobs=2))
    found = used.facts(7 * MB)
    assert found["largest_scan_mb"] == 7
    assert len(found["workers"]) == len(processes)
    assert found["workers"][0]["own_mb"] > 150
    assert (os.getpid() in processes) is (place == "threads")


@linux
def test_one_worker_is_this_process_and_nobody_asks_outside_the_block() -> None:
    with memory_of_workers() as used:
        run(occupy, [100], n_jobs=1)
    run(occupy, [400], n_jobs=1)
    (only,) = used.facts(0)["workers"]
    base = peak()
    assert base is not None
    assert 100 < only["own_mb"] < base.own / MB - 200


def test_the_record_keeps_the_worst_of_each_worker_and_names_nobody() -> None:
    used = WorkersMemory()
    for name, peak_of_item in [("a:1", Peak(300 * MB, 50 * MB)), ("b:2", Peak(400 * MB, 60 * MB))]:
        used.add(name, peak_of_item)
    used.add("a:1", Peak(200 * MB, 50 * MB))
    used.add("a:1", None)
    assert used.facts(90 * MB) == {
        "largest_scan_mb": 90,
        "workers": [{"own_mb": 340, "shared_code_mb": 60}, {"own_mb": 250, "shared_code_mb": 50}],
    }
    sentence = (
        "memory: 2 workers, at most 340 MB each of its own (the largest scan 90 MB), and 60 MB of shared code"
    )
    assert memory_sentence(used.facts(90 * MB)) == sentence
    assert memory_sentence(WorkersMemory().facts(0)) == ""


@linux
def test_an_extraction_records_its_memory_apart_from_its_results(tmp_path: Path) -> None:
    cohort, params = one_scan(tmp_path)
    table = extract(cohort, params, cache=tmp_path / "cache")
    used = table.provenance.run["memory"]
    assert used["workers"][0]["own_mb"] > 20
    again = extract(cohort, params, cache=tmp_path / "cache")
    assert again.provenance.run["memory"] == {"largest_scan_mb": 0, "workers": []}
    table.save(tmp_path / "table")
    assert not any("own_mb" in path.read_text("utf-8") for path in (tmp_path / "table").iterdir())


@linux
def test_freed_memory_goes_back_when_there_is_much_of_it(monkeypatch: pytest.MonkeyPatch) -> None:
    trimmed = []
    sizes = iter([100, 60, 70, 80, 65])  # before and after the first; too little more; more, and after it
    library = SimpleNamespace(malloc_trim=trimmed.append)
    monkeypatch.setattr("ctypes.CDLL", lambda name: library)
    monkeypatch.setattr("radiomics_vert.memory._resident", lambda: next(sizes) << 20)
    heap = Heap()
    heap.release()
    assert (trimmed, heap.after) == ([0], 60 << 20)
    heap.release()
    assert trimmed == [0]
    heap.release()
    assert (trimmed, heap.after) == ([0, 0], 65 << 20)


def test_every_item_ends_with_a_release(monkeypatch: pytest.MonkeyPatch) -> None:
    released = []
    monkeypatch.setattr(Heap, "release", lambda heap: released.append(heap))
    assert list(stream(abs, [-1, 2, -3])) == [1, 2, 3]
    assert len(released) == 3
