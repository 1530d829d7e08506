"""The book of everything that was left out of a dataset, and why."""

from __future__ import annotations

from collections.abc import Hashable, Mapping

import pandas as pd

from radiomics_vert.storage import blanks_filled

COLUMNS = ("unit", "subject_id", "level", "sequence", "code", "reason")


class Audit:
    """Collects rows that were left out; :meth:`frame` gives them as a table."""

    def __init__(self) -> None:
        self._rows: list[dict[str, str]] = []

    def add(self, unit: str, subject_id: str, level: str, sequence: str, code: str, reason: str) -> None:
        """Note one unit, row or column that was left out."""
        self._rows.append(dict(zip(COLUMNS, (unit, subject_id, level, sequence, code, reason), strict=True)))

    def rows(self, values: pd.DataFrame, code: str, reason: str) -> None:
        """Note rows of a feature table."""
        for row in values.to_dict("records"):
            self._of_case(row, code, reason)

    def failures(self, failures: pd.DataFrame) -> None:
        """Note cases whose features could not be computed."""
        for row in blanks_filled(failures).to_dict("records"):
            self._of_case(row, str(row["code"]), f"{row['title']}: {row['found']}")

    def _of_case(self, row: Mapping[Hashable, object], code: str, reason: str) -> None:
        unit, subject_id, level, sequence = (
            str(row[key]) for key in ("case_id", "subject_id", "level", "sequence")
        )
        self.add(unit, subject_id, level, sequence, code, reason)

    def units(self, units: pd.Index, info: pd.DataFrame, code: str, reason: str) -> None:
        """Note vertebrae."""
        for unit in units:
            where = info.loc[unit]
            self.add(str(unit), str(where["subject_id"]), str(where.get("level", "")), "", code, reason)

    def frame(self) -> pd.DataFrame:
        """Return all notes, in the order in which they were made."""
        return pd.DataFrame(self._rows, columns=list(COLUMNS))
