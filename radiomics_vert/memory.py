"""How much memory this process has needed, as the operating system counts it."""

from __future__ import annotations

import re
import sys
from dataclasses import dataclass
from pathlib import Path

_STATUS = Path("/proc/self/status")
_RESET = Path("/proc/self/clear_refs")


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
