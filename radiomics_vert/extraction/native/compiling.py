"""The only door to numba: functions compiled when they are first called, and kept on disk.

numba keeps compiled code beside the source, or in the user's cache folder where that is read-only, or
in `NUMBA_CACHE_DIR`. Where it can write nowhere, the code is compiled anew by each process. Modules that
use this one are imported only when the native engine computes something.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar, cast

import numba

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


def compiler_version() -> str:
    """Return the version of numba."""
    return str(numba.__version__)
