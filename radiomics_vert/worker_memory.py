"""The memory that each worker of a run has needed: for its record, and in words."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from radiomics_vert.memory import Peak
from radiomics_vert.phrases import count

_MB = 1_000_000


@dataclass
class WorkersMemory:
    """The largest memory of each worker; see :func:`radiomics_vert.parallel.memory_of_workers`.

    Parameters
    ----------
    peaks : dict of str to Peak
        By host and process.
    """

    peaks: dict[str, Peak] = field(default_factory=dict)

    def add(self, worker: str, found: Peak | None) -> None:
        """Note what a worker needed for an item, where its operating system tells."""
        known = self.peaks.get(worker)
        if found is not None and (known is None or found.own > known.own):
            self.peaks[worker] = found

    def facts(self, largest_scan: int) -> dict[str, Any]:
        """Return what belongs into the record of a run, in MB; no hosts and no processes.

        Parameters
        ----------
        largest_scan : int
            Bytes of image and mask of the largest scan.
        """
        workers = [
            {"own_mb": round(one.own / _MB), "shared_code_mb": round(one.shared / _MB)}
            for one in sorted(self.peaks.values(), key=lambda one: (-one.own, -one.shared))
        ]
        return {"largest_scan_mb": round(largest_scan / _MB), "workers": workers}


def memory_sentence(facts: Mapping[str, Any]) -> str:
    """Return :meth:`WorkersMemory.facts` in words; empty when nobody worked or nothing is known.

    Examples
    --------
    >>> memory_sentence({"largest_scan_mb": 315, "workers": [{"own_mb": 520, "shared_code_mb": 190}]})
    'memory: 1 worker, at most 520 MB of its own (the largest scan 315 MB), and 190 MB of shared code'
    """
    workers = facts.get("workers", ())
    if not workers:
        return ""
    shared = max(row["shared_code_mb"] for row in workers)
    each = "of its own" if len(workers) == 1 else "each of its own"
    return (
        f"memory: {count(len(workers), 'worker')}, at most {workers[0]['own_mb']} MB {each} "
        f"(the largest scan {facts['largest_scan_mb']} MB), and {shared} MB of shared code"
    )
