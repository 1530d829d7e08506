"""The only door to numba: functions compiled when they are first called, and kept on disk.

numba keeps compiled code beside the source, or in the user's cache folder where that is read-only, or
in `NUMBA_CACHE_DIR`. Where it can write nowhere, the code is compiled anew by each process. Modules that
use this one are imported only when the native engine computes something.
"""

from __future__ import annotations

import hashlib
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar, cast

import numba
from llvmlite import binding

Function = TypeVar("Function", bound=Callable[..., Any])


def compiled(function: Function) -> Function:
    """Compile a function of numbers and arrays on its first call.

    Divisions follow numpy (0 / 0 is NaN), and floating-point operations keep their order: values do not
    depend on the processor.
    """
    kernel: Any
    try:
        kernel = numba.njit(function, cache=True, error_model="numpy", nogil=True)
    except RuntimeError:  # no folder that numba could write to
        kernel = numba.njit(function, error_model="numpy", nogil=True)
    return cast("Function", kernel)


def mark() -> Path | None:
    """Return the file that says "all kernels are compiled" beside their code; None where none is kept.

    Its name depends on what numba looks at before it takes code from its disk: sources and processor.
    """
    folder = cast("Any", _probe).stats.cache_path
    if folder is None:
        return None
    sources = [path.read_bytes() for path in sorted(Path(__file__).parent.glob("*.py"))]
    processor = binding.get_host_cpu_name(), binding.get_host_cpu_features().flatten()
    made_of = repr((numba.__version__, sys.version, processor, sources))
    return Path(folder) / f"compiled-{hashlib.sha256(made_of.encode()).hexdigest()[:16]}"


@compiled
def _probe() -> None:
    """Tell by its statistics where numba keeps compiled code."""
