"""`Finding`: something that a reader of the study should know, with a code, a severity and a remedy."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

import pandas as pd

from radiomics_vert.errors import CODES
from radiomics_vert.results import Result

Severity = Literal["error", "warning", "note"]
_RANK = {"error": 0, "warning": 1, "note": 2}
COLUMNS = ("code", "severity", "title", "explanation", "n_cases", "cases", "remedy")


@dataclass(frozen=True)
class Finding:
    """One observation about a cohort, a feature table or a dataset.

    Parameters
    ----------
    code : str
        A key of :data:`radiomics_vert.errors.CODES`.
    severity : {"error", "warning", "note"}
        An error keeps cases or the whole study from being used, a warning may distort results, a note
        informs.
    explanation : str
        What was found and why it matters.
    remedy : str
        What to do.
    cases : tuple of str
        The cases, scans, rows or columns concerned.
    """

    code: str
    severity: Severity
    explanation: str
    remedy: str
    cases: tuple[str, ...] = ()

    @property
    def title(self) -> str:
        """The short name of the code."""
        return CODES[self.code]

    def __str__(self) -> str:
        concerned = ", ".join(self.cases[:6]) + (" ..." if len(self.cases) > 6 else "")
        where = f"\n  where:  {concerned}" if concerned else ""
        return (
            f"{self.severity:8}{self.code} {self.title}\n  found:  {self.explanation}{where}\n"
            f"  remedy: {self.remedy}"
        )

    def row(self) -> dict[str, object]:
        """Return the finding as one table row."""
        return {
            "code": self.code,
            "severity": self.severity,
            "title": self.title,
            "explanation": self.explanation,
            "n_cases": len(self.cases),
            "cases": "; ".join(self.cases),
            "remedy": self.remedy,
        }


def findings_result(findings: Iterable[Finding]) -> Result:
    """Return findings as a result of kind `checks`, worst first."""
    ordered = sorted(findings, key=lambda finding: (_RANK[finding.severity], finding.code))
    table = pd.DataFrame([finding.row() for finding in ordered], columns=list(COLUMNS))
    return Result("checks", {"findings": table})


def worst(findings: Sequence[Finding]) -> Severity | None:
    """Return the highest severity among findings, None without any."""
    return min((finding.severity for finding in findings), key=_RANK.__getitem__, default=None)
