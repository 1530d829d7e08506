"""Which engine computes a step, and what it is made of."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib import metadata
from typing import Any

import radiomics_vert.extraction.native as native
from radiomics_vert.errors import Problem, SettingsError
from radiomics_vert.provenance import pyradiomics_distribution

ENGINES = ("auto", "native", "pyradiomics")
"""What can be asked for; `auto` takes `native` where it can, and `pyradiomics` for the rest."""


def choose_engine(
    wanted: str, step: str, classes: Mapping[str, tuple[str, ...]], settings: Mapping[str, Any]
) -> str:
    """Return the engine that computes a step.

    Parameters
    ----------
    wanted : str
        One of :data:`ENGINES`.
    step : str
        The step's name, for messages.
    classes : mapping of str to tuple of str
        Feature classes and their features.
    settings : mapping
        What the step reads.

    Returns
    -------
    str
        `native` or `pyradiomics`.

    Raises
    ------
    SettingsError
        RV351: no such engine, or `native` is asked for and cannot compute the step.
    """
    if wanted not in ENGINES:
        raise SettingsError(
            Problem("RV351", f"one of {', '.join(ENGINES)}", repr(wanted), "engine", "correct the name")
        )
    able, reason = native.supports(classes, settings)
    if wanted == "native" and not able:
        raise SettingsError(
            Problem("RV351", "what the native engine supports", reason, step, "choose the engine auto")
        )
    return "native" if able and wanted != "pyradiomics" else "pyradiomics"


@cache
def engine_version(engine: str) -> Mapping[str, str]:
    """Return what computes the numbers: engine, distribution of pyradiomics, and the libraries used.

    Parameters
    ----------
    engine : str
        `native` or `pyradiomics`. The native engine takes bin edges and filters from pyradiomics.
    """
    name, version = pyradiomics_distribution()
    libraries = {package: metadata.version(package) for package in ("SimpleITK", "PyWavelets", "numpy")}
    if engine == "native":
        title, compiler = f"radiomics_vert native {native.VERSION}", {"numba": metadata.version("numba")}
        return {"engine": title, name: version, **libraries, **compiler}
    return {"engine": engine, name: version, **libraries}


@dataclass(frozen=True)
class Used:
    """A step, as far as provenance names it.

    Parameters
    ----------
    name : str
        Of the step; with the sequence, where sequences have parameters of their own.
    image_type : str or None
        The pyradiomics image type; None for shape.
    engine : str
        `native` or `pyradiomics`.
    """

    name: str
    image_type: str | None
    engine: str


def engines_used(steps: Sequence[Used]) -> dict[str, str]:
    """Return what computes several steps, in words where engines differ.

    Parameters
    ----------
    steps : sequence of Used
        The steps.

    Returns
    -------
    dict of str to str
        The engine, with the steps that it leaves to pyradiomics; distributions and versions; and
        `filters`, where images of the native engine are filtered by ITK and PyWavelets, because its own
        kernels do not have their bits on this machine.
    """
    names = sorted({step.engine for step in steps}) or ["pyradiomics"]
    found = {key: value for name in reversed(names) for key, value in engine_version(name).items()}
    if len(names) > 1:
        others = ", ".join(dict.fromkeys(step.name for step in steps if step.engine == "pyradiomics"))
        found["engine"] += f" (pyradiomics: {others})"
    compiled = any(step.engine == "native" and step.image_type in native.FILTERS for step in steps)
    if compiled and not native.same_bits():
        found["filters"] = "of ITK and PyWavelets, whose bits the compiled ones do not have on this machine"
    return found
