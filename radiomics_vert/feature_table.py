"""`FeatureTable`: one row per vertebra and scan, and one row per failure; nothing is lost between them."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import pandas as pd

from radiomics_vert.provenance import Provenance
from radiomics_vert.storage import read_json, read_table, write_json, write_table

IDENTITY = ("case_id", "subject_id", "session", "sequence", "rater", "site", "level", "label")


@dataclass(frozen=True)
class FeatureTable:
    """Features of a cohort.

    Parameters
    ----------
    values : DataFrame
        :data:`IDENTITY` columns, then one column per feature; NaN where a sequence does not have it.
    failures : DataFrame
        :data:`IDENTITY` columns, then `code, title, expected, found, where, remedy`.
    diagnostics : DataFrame
        Per case: voxels before and after resampling, grey levels, clipped share, engine, ...
    n_cases : int
        What `len(values) + len(failures)` must be.
    provenance : Provenance
        Parameters, engine, versions, input hashes.
    """

    values: pd.DataFrame
    failures: pd.DataFrame
    diagnostics: pd.DataFrame
    n_cases: int
    provenance: Provenance = field(default_factory=Provenance)

    def __post_init__(self) -> None:
        if len(self.values) + len(self.failures) != self.n_cases:
            raise ValueError(
                f"{len(self.values)} values and {len(self.failures)} failures "
                f"do not add up to {self.n_cases} cases"
            )

    @property
    def features(self) -> list[str]:
        """Names of the feature columns."""
        return [column for column in self.values.columns if column not in IDENTITY]

    def save(self, folder: Path) -> None:
        """Write `features.csv`, `failures.csv`, `diagnostics.csv` and `features.json`."""
        write_table(self.values, folder / "features.csv")
        write_table(self.failures, folder / "failures.csv")
        write_table(self.diagnostics, folder / "diagnostics.csv")
        head = {"n_cases": self.n_cases, "provenance": dict(self.provenance.reproducible)}
        write_json(folder / "features.json", head)

    @classmethod
    def load(cls, folder: Path) -> FeatureTable:
        """Read what :meth:`save` wrote."""
        head = read_json(folder / "features.json")
        values, failures, diagnostics = (
            _read(folder / f"{name}.csv") for name in ("features", "failures", "diagnostics")
        )
        return cls(values, failures, diagnostics, head["n_cases"], Provenance(head["provenance"]))


def _read(path: Path) -> pd.DataFrame:
    if path.read_text("utf-8").count("\n") <= 1:
        return pd.read_csv(path)
    frame = read_table(path).reset_index(drop=True)
    text = [column for column in IDENTITY if column in frame and column != "label"]
    frame[text] = read_table(path, text=True).reset_index(drop=True)[text].fillna("")
    return frame
