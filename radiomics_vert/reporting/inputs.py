"""The results of one run, looked up by kind; what is absent reads as empty, never as an error."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd

from radiomics_vert.errors import Problem, ReportError
from radiomics_vert.reporting.wording import is_absent
from radiomics_vert.results import Result

KINDS = (
    *("study", "flow", "checks", "quality", "extraction", "table_one", "association", "validation", "values"),
    *("reliability", "adjusted", "confounding", "sample_size_check", "comparison", "optimism"),
    *("permutation", "leakage_probe", "negative_control", "subgroups", "explanation", "external"),
    "provenance",
)
"""What a whole report is made of; `sample_size` (a plan), `prediction` and `shapley` are shown when given."""


_NAMING = ("study", "association", "table_one", "external", "prediction")


class Inputs:
    """Results by kind.

    Parameters
    ----------
    results : sequence of Result
        At most one of each kind; kinds that this report does not know are ignored.

    Raises
    ------
    ReportError
        RV702 when two results have the same kind.
    """

    def __init__(self, results: Sequence[Result]) -> None:
        kinds = [result.kind for result in results]
        twice = sorted({kind for kind in kinds if kinds.count(kind) > 1})
        if twice:
            raise ReportError(
                Problem(
                    "RV702",
                    "one result of each kind",
                    f"more than one of {', '.join(twice)}",
                    "the results handed to the report",
                    "build one report per study, or leave out the older result",
                )
            )
        self._results = {result.kind: result for result in results}

    def __contains__(self, kind: object) -> bool:
        return kind in self._results

    def table(self, kind: str, name: str | None = None) -> pd.DataFrame:
        """Return a copy of a table (without a name, the main one), or an empty frame when absent."""
        result = self._results.get(kind)
        if result is None or (name is not None and name not in result.tables):
            return pd.DataFrame()
        return result.frame(name).reset_index(drop=True)

    def spec(self, kind: str) -> Mapping[str, Any]:
        """Return the specification of a result, or an empty mapping."""
        return self._results[kind].spec if kind in self._results else {}

    @property
    def title(self) -> str:
        """Title of the study."""
        return str(self.spec("study").get("title") or "Radiomics of vertebral fractures")

    @property
    def positive(self) -> str:
        """Name of the positive class."""
        return self._named("positive")

    @property
    def negative(self) -> str:
        """Name of the negative class."""
        return self._named("negative")

    @property
    def names(self) -> tuple[str, str]:
        """Negative and positive class."""
        return self.negative, self.positive

    def _named(self, side: str) -> str:
        # A study may leave the negative class open ("all others"); the statistics know its name.
        found = (self.spec(kind).get(side) for kind in _NAMING)
        return next((str(name) for name in found if not is_absent(name)), side)

    @property
    def level(self) -> str:
        """Confidence level of the intervals, as text such as `95 %`."""
        return self.level_of("association", "study")

    def level_of(self, *kinds: str) -> str:
        """Confidence level that the first of these results names, or that of the study."""
        found = (self.spec(kind).get("confidence") for kind in (*kinds, "association", "study"))
        return f"{100 * float(next((value for value in found if value), 0.95)):g} %"

    @property
    def fdr(self) -> float:
        """False discovery rate below which a feature is called different."""
        study, association = self.spec("study"), self.spec("association")
        return float(study.get("fdr") or association.get("significance") or 0.05)

    @property
    def unit(self) -> tuple[str, str]:
        """The unit of analysis, singular and plural."""
        unit = str(self.spec("study").get("unit") or "vertebra").split(",")[0]
        return unit, "vertebrae" if unit == "vertebra" else f"{unit}s"

    @property
    def synthetic(self) -> bool:
        """Whether the data were generated."""
        return bool(self.spec("study").get("synthetic", False))


def column(frame: pd.DataFrame, name: str) -> pd.Series[Any]:
    """Return a column, or missing values where the table lacks it."""
    if name in frame:
        return frame[name]
    return pd.Series([None] * len(frame), index=frame.index, dtype=object)


def words(frame: pd.DataFrame, name: str) -> pd.Series[str]:
    """Return a column as text; what is absent, even a whole column read back as NaN, is empty."""
    cells = ["" if is_absent(value) else str(value) for value in column(frame, name)]
    return pd.Series(cells, index=frame.index, dtype=object)


def truth(frame: pd.DataFrame, name: str) -> pd.Series[bool]:
    """Return a column of yes or no as booleans, also where it was read back from a file as text."""
    return column(frame, name).astype(str).str.lower().isin(["true", "1", "1.0", "yes"])


def numeric(frame: pd.DataFrame, name: str) -> pd.Series[float]:
    """Return a column as floats; anything else is NaN."""
    return pd.to_numeric(column(frame, name), errors="coerce").astype(float)
