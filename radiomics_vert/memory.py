"""How much memory this process has needed, as the operating system counts it; giving back what is free."""

from __future__ import annotations

import ctypes
import os
import re
import sys
from dataclasses import dataclass
from pathlib import Path

_STATUS = Path("/proc/self/status")
_RESET = Path("/proc/self/clear_refs")
_PAGES = Path("/proc/self/statm")
# [O] Freed memory that may stay in a process: giving it back takes milliseconds, which many tiny scans feel.
_KEPT = 16 << 20


@dataclass(frozen=True)
class Peak:
    """The largest memory of a process.

    Parameters
    ----------
    resident : int
        Bytes in main memory at the worst moment.
    shared : int
        Those of `resident` that are code of libraries, in memory once for all processes; 0 where the
        operating system does not tell.
    """

    resident: int
    shared: int = 0

    @property
    def own(self) -> int:
        """Bytes that one more such process costs."""
        return self.resident - self.shared


def reset_peak() -> None:
    """Forget the largest memory so far, where the operating system can (Linux)."""
    try:
        _RESET.write_text("5", "ascii")  # proc(5): "Reset the peak resident set size"
    except OSError:
        return


def peak() -> Peak | None:
    """Return the largest memory since :func:`reset_peak`; without it, since the process started.

    Returns
    -------
    Peak or None
        None where the operating system does not tell (Windows).

    Notes
    -----
    Linux keeps a maximum of all resident memory, but not of its shared part, so the shared part is that of
    now. It hardly changes once the libraries are loaded.
    """
    try:
        return _of_status(_STATUS.read_text("ascii"))
    except OSError:
        pass
    try:
        import resource  # not on Windows
    except ImportError:
        return None
    # Bytes on macOS, kilobytes on other systems that have no /proc.
    unit = 1 if sys.platform == "darwin" else 1024
    return Peak(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit)


def _of_status(text: str) -> Peak | None:
    """Read what proc(5) calls VmHWM and RssFile."""
    found = dict(re.findall(r"^(VmHWM|RssFile):\s+(\d+) kB$", text, re.MULTILINE))
    if "VmHWM" not in found:
        return None
    return Peak(int(found["VmHWM"]) * 1024, int(found.get("RssFile", 0)) * 1024)


@dataclass
class Heap:
    """Memory that the C library keeps after it was freed.

    A process that works on one large scan after another would grow by the gaps between what is still used.

    Parameters
    ----------
    after : int
        Bytes in main memory after the last release.
    """

    after: int = 0

    def release(self) -> None:
        """Give freed memory back to the operating system, where that is worth its time (Linux, glibc)."""
        if sys.platform != "linux" or _resident() < self.after + _KEPT:
            return
        trim = getattr(ctypes.CDLL(None), "malloc_trim", None)  # malloc_trim(3); musl has none
        if trim is not None:
            trim(0)
        self.after = _resident()


def _resident() -> int:
    """Return the bytes in main memory: the second number of statm, in pages; see proc(5)."""
    return int(_PAGES.read_text("ascii").split()[1]) * os.sysconf("SC_PAGE_SIZE")
