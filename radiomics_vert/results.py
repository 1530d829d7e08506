"""`Result`: what a statistic or a model hands to the report, as tidy tables with their origin."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Any

import pandas as pd

from radiomics_vert.provenance import Provenance
from radiomics_vert.storage import read_json, read_table, write_json, write_table


@dataclass(frozen=True)
class Result:
    """Named tidy tables, the specification that made them, and their provenance.

    Parameters
    ----------
    kind : str
        What it is: `association`, `validation`, ...
    tables : mapping of str to DataFrame
        The first one is the main table, the one that :meth:`frame` returns.
    spec : mapping
        The settings that made the result, as plain values.
    provenance : Provenance
        Versions, hashes and seeds.
    """

    kind: str
    tables: Mapping[str, pd.DataFrame]
    spec: Mapping[str, Any] = field(default_factory=dict)
    provenance: Provenance = field(default_factory=Provenance)

    def __post_init__(self) -> None:
        if not self.tables:
            raise ValueError("a result needs at least one table")
        object.__setattr__(self, "tables", MappingProxyType(dict(self.tables)))
        object.__setattr__(self, "spec", MappingProxyType(dict(self.spec)))

    def frame(self, name: str | None = None) -> pd.DataFrame:
        """Return a copy of one table; without a name, of the main one."""
        return self.tables[next(iter(self.tables)) if name is None else name].copy()

    def save(self, folder: Path) -> None:
        """Write every table as `<folder>/<kind>_<table>.csv` and the rest as `<kind>.json`."""
        for name, table in self.tables.items():
            write_table(table, folder / f"{self.kind}_{name}.csv")
        write_json(
            folder / f"{self.kind}.json",
            {
                "kind": self.kind,
                "tables": list(self.tables),
                "spec": dict(self.spec),
                "provenance": dict(self.provenance.reproducible),
            },
        )

    @classmethod
    def load(cls, folder: Path, kind: str) -> Result:
        """Read what :meth:`save` wrote."""
        head = read_json(folder / f"{kind}.json")
        tables = {name: _read(folder / f"{kind}_{name}.csv") for name in head["tables"]}
        return cls(kind, tables, head["spec"], Provenance(head["provenance"]))


def remove_results(folder: Path, kinds: Iterable[str]) -> None:
    """Remove saved results, so that those of other settings cannot enter a report.

    Parameters
    ----------
    folder : Path
        Where they were saved.
    kinds : iterable of str
        Which; absent ones are passed over.
    """
    for kind in kinds:
        head = folder / f"{kind}.json"
        if head.is_file():
            for name in read_json(head)["tables"]:
                (folder / f"{kind}_{name}.csv").unlink(missing_ok=True)
            head.unlink()


def _read(path: Path) -> pd.DataFrame:
    """Read a result table; a result may rightly have no row (no feature was skipped)."""
    if path.read_text("utf-8").count("\n") <= 1:
        return pd.read_csv(path)
    return read_table(path).reset_index(drop=True)
