"""All kernels of the native engine compiled at their first use, by a process that ends before a scan is read.

A compiler stays in the memory of the process that needed it, beside the scan that is read next.
"""

from __future__ import annotations

import logging
import os
import subprocess
import sys
from collections.abc import Iterable
from functools import cache
from threading import Lock

import numpy as np
import SimpleITK as sitk

from radiomics_vert.extraction.engine import Volumes, compute_steps
from radiomics_vert.extraction.params import ExtractionParams, Step

log = logging.getLogger("radiomics_vert.extraction")

_CLASSES = dict.fromkeys(("shape", "firstorder", "glcm", "glrlm", "glszm", "gldm", "ngtdm"))
_FILTERS = {"LoG": {"sigma": [1.0]}, "Wavelet": {}}
_CALLS = (
    (np.int16, 1, {"imageType": {"Original": {}, **_FILTERS}, "featureClass": _CLASSES}),
    (np.float64, 1, {"imageType": _FILTERS, "featureClass": {"firstorder": ["Mean"]}}),
    (np.int16, 2, {"imageType": {"Original": {}}, "featureClass": {"glrlm": None}}),
)
"""Voxels, label and parameters that call every kernel with every type of its arguments, as tests show."""
_PROCESS = f"from {__name__} import compile_kernels; compile_kernels()"
_lock = Lock()


def compile_ahead(steps: Iterable[Step]) -> None:
    """Have the kernels compiled where some step needs them and this machine has not done it; wait for it.

    Does nothing where numba can keep no compiled code: then every process compiles for itself.

    Parameters
    ----------
    steps : iterable of Step
        What will be computed.
    """
    if any(step.engine == "native" for step in steps):
        with _lock:  # threads of one process wait for each other
            _compile_once()


@cache
def _compile_once() -> None:
    from radiomics_vert.extraction.native.compiling import mark

    done = mark()
    if done is None or done.exists():
        return
    log.info("compiling the kernels of the native engine, once on this machine: about 15 s")
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    command = [sys.executable, "-c", _PROCESS]
    try:
        # Nothing but this module goes into the command.
        subprocess.run(command, env=environment, check=True, capture_output=True)  # noqa: S603
    except (OSError, subprocess.CalledProcessError) as error:
        log.info("this process compiles the kernels itself: %s", error)


def compile_kernels() -> None:
    """Call every kernel on a small region; note that their code is on disk now."""
    from radiomics_vert.extraction.native.compiling import mark

    voxels = np.random.default_rng(0).integers(0, 300, (20, 21, 22))
    mask = np.zeros(voxels.shape, np.uint8)
    mask[5:15, 5:15, 5:15] = 1
    mask[[16, 16, 17], [16, 17, 16], [16, 17, 17]] = 2  # along most directions, no line meets two voxels
    boxes = {1: (5, 15, 5, 15, 5, 15), 2: (16, 18, 16, 18, 16, 18)}
    for kind, label, content in _CALLS:
        volumes = Volumes(sitk.GetImageFromArray(voxels.astype(kind)), sitk.GetImageFromArray(mask))
        steps = ExtractionParams.from_mapping(content).steps()
        for _ in compute_steps(volumes, label, boxes[label], steps, "first use"):
            pass
    done = mark()
    if done is not None:
        done.touch()
