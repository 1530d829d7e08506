"""What made a result: versions, hashes, seeds, git state. Times and host names stay apart.

`Provenance.reproducible` goes into tables and reports and is equal for equal runs;
`Provenance.run` (when, on what machine) is written to `provenance.json` only.
"""

from __future__ import annotations

import platform
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cache
from importlib import metadata
from pathlib import Path
from types import MappingProxyType
from typing import Any

from radiomics_vert._version import __version__

PACKAGES = (
    "numpy",
    "scipy",
    "pandas",
    "scikit-learn",
    "statsmodels",
    "SimpleITK",
    "PyWavelets",
    "joblib",
    "matplotlib",
)
PYRADIOMICS_DISTRIBUTIONS = ("pyradiomics", "pyradiomics-cuda")


@dataclass(frozen=True)
class Provenance:
    """Where a result comes from.

    Parameters
    ----------
    reproducible : mapping
        Versions, settings digests, input hashes, seeds: equal for equal runs.
    run : mapping
        Time, host, duration, workers: different in every run, never part of a table or report.
    """

    reproducible: Mapping[str, Any] = field(default_factory=dict)
    run: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        object.__setattr__(self, "reproducible", MappingProxyType(dict(self.reproducible)))
        object.__setattr__(self, "run", MappingProxyType(dict(self.run)))

    def __reduce__(self) -> tuple[type[Provenance], tuple[dict[str, Any], dict[str, Any]]]:
        return type(self), (dict(self.reproducible), dict(self.run))

    def as_dict(self) -> dict[str, Any]:
        """Return both halves as plain dictionaries, ready for JSON."""
        return {"reproducible": dict(self.reproducible), "run": dict(self.run)}


@cache  # scanning all installed packages takes a fifth of a second
def pyradiomics_distribution() -> tuple[str, str]:
    """Return name and version of the installed distribution that provides `radiomics`.

    Returns
    -------
    tuple of str
        For example `("pyradiomics-cuda", "1.0.4")`.
    """
    for name in metadata.packages_distributions().get("radiomics", ()):
        return name, metadata.version(name)
    return "pyradiomics", "not installed"


def versions(further: tuple[str, ...] = ()) -> dict[str, str]:
    """Return the versions of Python, of the packages that compute, of further ones, and of pyradiomics."""
    found = {"radiomics-vert": __version__, "python": platform.python_version()}
    for name in (*PACKAGES, *further):
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            found[name] = "not installed"
    name, version = pyradiomics_distribution()
    return {**found, name: version}


def git_state(folder: Path) -> str:
    """Return the commit of the repository that holds `folder`, marked when it has local changes.

    Returns
    -------
    str
        For example `3f2a9c1`, `3f2a9c1 with local changes`, or `not under version control`.
    """
    commit = _git(folder, "rev-parse", "--short=12", "HEAD")
    if not commit:
        return "not under version control"
    return f"{commit} with local changes" if _git(folder, "status", "--porcelain") else commit


def package_state() -> str:
    """Return the version of this package, with the commit when it is run from a checkout.

    Returns
    -------
    str
        For example `0.1.0`, or `0.1.0, commit 3f2a9c1 with local changes`. An installed package has no
        commit, also where its environment lies inside another repository.
    """
    root = Path(__file__).resolve().parent.parent
    if not ((root / ".git").exists() and (root / "pyproject.toml").is_file()):
        return __version__
    return f"{__version__}, commit {git_state(root)}"


def _git(folder: Path, *arguments: str) -> str:
    try:
        done = subprocess.run(  # noqa: S603 - fixed program, no shell
            ["git", "-C", str(folder), *arguments],  # noqa: S607
            capture_output=True,
            text=True,
            timeout=10,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return done.stdout.strip() if done.returncode == 0 else ""


def run_facts() -> dict[str, str]:
    """Return the facts that differ from run to run: time, host, platform."""
    return {
        "time": datetime.now(UTC).isoformat(timespec="seconds"),
        "host": platform.node(),
        "platform": platform.platform(),
    }
