"""What a first process and a later one wait for: processor time, with a fresh folder of compiled code."""

from __future__ import annotations

import json
import logging
import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from radiomics_vert.extraction import ExtractionParams, first_use
from radiomics_vert.extraction.native import compiling

PROCESS = """
import importlib, json, pkgutil, resource, time
import radiomics_vert
imported = time.process_time()
import sys
assert "numba" not in sys.modules
import numpy as np, SimpleITK as sitk
from radiomics_vert.extraction import ExtractionParams, native
from radiomics_vert.extraction.engine import Volumes, compute_steps
from radiomics_vert.extraction.first_use import compile_ahead

classes = dict.fromkeys(("shape", "firstorder", "glcm", "glrlm", "glszm", "gldm", "ngtdm"))
images = {"Original": {}, "LoG": {"sigma": [1.0]}, "Wavelet": {}}
voxels = np.random.default_rng(0).integers(0, 255, (20, 21, 22))
mask = np.zeros(voxels.shape, np.uint8)
mask[5:15, 5:15, 5:15] = 1

def values(kind, setting):
    content = {"imageType": images, "featureClass": classes, "setting": setting}
    steps = ExtractionParams.from_mapping(content).steps()
    compile_ahead(steps)
    volumes = Volumes(sitk.GetImageFromArray(voxels.astype(kind)), sitk.GetImageFromArray(mask))
    found = 0
    for step, outcome in compute_steps(volumes, 1, (5, 15, 5, 15, 5, 15), steps, "first use"):
        assert step.engine == "native" and outcome.problem is None, outcome.problem
        found += len(outcome.values)
    return found

first, own = values(np.int16, {}), time.process_time()
child = resource.getrusage(resource.RUSAGE_CHILDREN)
for kind in (np.int16, np.uint8, np.int32, np.float32, np.float64):
    for setting in (
        {},
        {"force2D": True, "force2Ddimension": 0, "weightingNorm": "euclidean", "distances": [1, 2]},
        {"resampledPixelSpacing": [1.2, 1.2, 1.2], "symmetricalGLCM": False, "binCount": 8},
        {"normalize": True, "normalizeScale": 100, "resegmentRange": [-150, 150]},
    ):
        values(kind, setting)
from numba.core.dispatcher import Dispatcher
names = [f"{native.__name__}.{part.name}" for part in pkgutil.iter_modules(native.__path__)]
parts = [vars(importlib.import_module(name)) for name in names]
kernels = {name: it for part in parts for name, it in part.items() if isinstance(it, Dispatcher)}
print(json.dumps({
    "imported": imported,
    "own": own,
    "compiling": child.ru_utime + child.ru_stime,
    "values": first,
    "kernels": len(kernels),
    "compiled here": [name for name, kernel in kernels.items() if kernel.stats.cache_misses],
}))
"""


@pytest.mark.slow
def test_first_use_compiles_for_less_than_20_s_elsewhere_and_later_processes_start_within_2_s(
    tmp_path: Path,
) -> None:
    environment = {**os.environ, "NUMBA_CACHE_DIR": str(tmp_path)}
    command = [sys.executable, "-c", PROCESS]
    for limit in (20.0, 0.0):
        printed = subprocess.run(command, env=environment, capture_output=True, text=True, check=True).stdout
        found = json.loads(printed)
        assert found["values"] == 14 + 10 * 93
        assert found["imported"] < 1
        assert found["own"] < 2  # imports of every library, and the values
        assert found["compiling"] <= limit  # with its imports; none in the later process
        assert found["kernels"] > 30
        assert found["compiled here"] == []
    assert any(tmp_path.rglob("*.nbi"))


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Callable[..., list[list[str]]]:
    """Ask for compiled kernels under changed conditions; returns the processes that were started."""

    def ask(engine: str, mark: Path | None, error: Exception | None = None) -> list[list[str]]:
        started: list[list[str]] = []

        def start(command: list[str], **_: object) -> None:
            started.append(command)
            if error is not None:
                raise error
            if mark is not None:
                mark.touch()

        monkeypatch.setattr(subprocess, "run", start)
        monkeypatch.setattr(compiling, "mark", lambda: mark)
        first_use._compile_once.cache_clear()
        params = ExtractionParams.from_mapping({"imageType": {"Original": {}}})
        steps = replace(params, engine=engine).steps()
        first_use.compile_ahead(steps)
        first_use.compile_ahead(steps)
        first_use._compile_once.cache_clear()
        return started

    return ask


def test_kernels_are_compiled_once_by_another_process(asked, tmp_path) -> None:
    mark = tmp_path / "compiled"
    (command,) = asked("auto", mark)
    assert command[0] == sys.executable
    assert asked("auto", mark) == []
    assert asked("pyradiomics", tmp_path / "none") == []
    assert asked("auto", None) == []  # numba keeps nothing here


def test_a_process_that_cannot_be_started_leaves_the_work_to_this_one(asked, tmp_path, caplog) -> None:
    with caplog.at_level(logging.INFO, logger="radiomics_vert.extraction"):
        assert len(asked("auto", tmp_path / "compiled", OSError("no such program"))) == 1
    assert "this process compiles the kernels itself: no such program" in caplog.text


def test_compiled_code_of_other_sources_is_another(monkeypatch, tmp_path) -> None:
    here = compiling.mark()
    assert here is not None
    assert here == compiling.mark()
    monkeypatch.setattr(compiling, "__file__", str(tmp_path / "compiling.py"))
    (tmp_path / "compiling.py").write_text("pass\n", "utf-8")
    elsewhere = compiling.mark()
    assert elsewhere is not None
    assert elsewhere.parent == here.parent
    assert elsewhere.name != here.name
