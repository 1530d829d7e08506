"""The image table: one row per image and mask."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from pathlib import Path

import pandas as pd

from radiomics_vert.cohort.cells import (
    duplicated_row,
    identifier_problem,
    missing_columns,
    missing_value,
    rows_of,
)
from radiomics_vert.cohort.nouns import Scan
from radiomics_vert.cohort.pseudonyms import pseudonym
from radiomics_vert.cohort.schemes import LabelScheme, load_scheme
from radiomics_vert.errors import CohortError, Problem
from radiomics_vert.imaging import DEFAULT_THRESHOLD
from radiomics_vert.storage import read_table

# Between the files of a mask cell, when every vertebra has its own.
MASK_SEPARATOR = ";"
REQUIRED = ("subject_id", "sequence", "image", "mask")
OPTIONAL = (
    "series", "scheme", "threshold", "subregions", "subregions_scheme", "rater", "session", "site",
)  # fmt: skip
_IN_SCAN_ID = ("subject_id", "session", "sequence", "rater")


@dataclass
class Manifest:
    """The rows of an image table while they are read, with everything that is wrong.

    Parameters
    ----------
    path : Path
        The table; image paths are relative to its folder.
    scheme : LabelScheme, optional
        For rows that name none.
    region : {"vertebra", "body"}
        What is to be measured.
    secret : bytes
        Replaces subject ids by pseudonyms when it is not empty.
    """

    path: Path
    scheme: LabelScheme | None
    region: str
    secret: bytes = b""
    scans: list[Scan] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)
    _schemes: dict[str, LabelScheme | None] = field(default_factory=dict)

    def read(self) -> None:
        """Read the table; afterwards `scans` and `problems` tell the outcome.

        Raises
        ------
        TableError
            The table cannot be read at all.
        """
        frame = read_table(self.path, text=True)
        absent = missing_columns(frame, REQUIRED, self.path)
        self.problems.extend(absent)
        if absent:
            return
        if self.scheme is None and "scheme" not in frame.columns:
            self.problems.append(self._no_scheme(f"{self.path}, header"))
            return
        self._rows(frame)

    def _rows(self, frame: pd.DataFrame) -> None:
        seen: dict[str, int] = {}
        for line, written in rows_of(frame):
            before = len(self.problems)
            cells = written
            if self.secret:
                cells = {**written, "subject_id": pseudonym(written["subject_id"], self.secret)}
            scan = self._scan(line, cells)
            if scan is None or len(self.problems) > before:
                continue
            # Two ids that differ in case only would share one file name on Windows and macOS.
            key = scan.scan_id.casefold()
            if key in seen:
                remedy = "remove the row, or tell the scans apart by the column session or rater"
                self.problems.append(duplicated_row(scan.scan_id, line, seen[key], self.path, remedy))
                continue
            seen[key] = line
            self.scans.append(scan)

    def _scan(self, line: int, cells: dict[str, str]) -> Scan | None:
        where = f"{self.path}, line {line}"
        absent = [missing_value(column, where) for column in REQUIRED if not cells[column]]
        odd = [
            identifier_problem(column, cells[column], where) for column in _IN_SCAN_ID if cells.get(column)
        ]
        self.problems.extend([*absent, *(problem for problem in odd if problem)])
        scheme, threshold = self._scheme_of(cells, where), self._threshold(cells, where)
        if absent or scheme is None:
            return None
        folder, subregions = self.path.parent, cells.get("subregions", "")
        masks = [folder / part.strip() for part in cells["mask"].split(MASK_SEPARATOR) if part.strip()]
        companion = cells.get("subregions_scheme", "")
        used = (*REQUIRED, *OPTIONAL)
        return Scan(
            scan_id="_".join(cells[column] for column in _IN_SCAN_ID if cells.get(column)),
            subject_id=cells["subject_id"],
            sequence=cells["sequence"],
            image=folder / cells["image"],
            mask=masks[0],
            scheme=scheme,
            subregions=folder / subregions if subregions else None,
            region="body" if scheme.region == "body" else self.region,
            rater=cells.get("rater", ""),
            session=cells.get("session", ""),
            site=cells.get("site", ""),
            row=line,
            facts={name: cell for name, cell in cells.items() if name not in used and cell},
            series=cells.get("series", ""),
            threshold=threshold,
            further_masks=tuple(masks[1:]),
            pseudonymous=bool(self.secret),
            subregions_scheme=self._schemes.get(companion) if companion else None,
        )

    def _threshold(self, cells: dict[str, str], where: str) -> float:
        text = cells.get("threshold", "")
        if not text:
            return DEFAULT_THRESHOLD
        try:
            value = float(text)
        except ValueError:
            value = 0.0
        if not 0 < value <= 1:
            expected = "a threshold above 0 and up to 1, the share of the largest value"
            remedy = "write such a number, or leave the cell empty for 0.5"
            self.problems.append(Problem("RV602", expected, repr(text), f"{where}, column threshold", remedy))
        return value

    def _scheme_of(self, cells: dict[str, str], where: str) -> LabelScheme | None:
        text = cells.get("scheme", "")
        scheme = self._load(text, f"{where}, column scheme") if text else self.scheme
        if scheme is None:
            if not text:
                self.problems.append(self._no_scheme(where))
            return None
        if not scheme.separates_vertebrae:
            self.problems.append(unseparated(scheme, where))
            return None
        companion = cells.get("subregions_scheme", "")
        if companion:
            parts = self._load(companion, f"{where}, column subregions_scheme")
            if parts is None:
                return None
            scheme = replace(scheme, body=parts.body)
        problem = body_problem(scheme, self.region, bool(cells.get("subregions")), where)
        if problem:
            self.problems.append(problem)
        return scheme

    def _load(self, text: str, where: str) -> LabelScheme | None:
        """Load each scheme once, so that a faulty one is reported once, at its first row."""
        if text not in self._schemes:
            beside = self.path.parent / text
            is_file = text.lower().endswith((".yaml", ".yml", ".json"))
            try:
                self._schemes[text] = load_scheme(beside if is_file else text)
            except CohortError as error:
                self._schemes[text] = None
                self.problems.extend(
                    replace(problem, where=where) if problem.code == "RV107" else problem
                    for problem in error.problems
                )
        return self._schemes[text]

    def _no_scheme(self, where: str) -> Problem:
        return Problem(
            "RV107",
            "a label scheme, as the column 'scheme' or for the whole study",
            "none",
            where,
            "name the tool that made the masks, such as totalsegmentator; numbers alone are ambiguous",
        )


def unseparated(scheme: LabelScheme, where: str) -> Problem:
    """Return the problem of a scheme whose masks do not tell one vertebra from the next."""
    return Problem(
        "RV107",
        "a scheme that gives every vertebra its own label",
        f"{scheme.name!r}, which names structures but no single vertebra",
        where,
        "use a mask with vertebral levels here; a mask of sub-regions belongs into the column subregions",
    )


def body_problem(scheme: LabelScheme, region: str, has_subregions: bool, where: str) -> Problem | None:
    """Return why the bodies cannot be measured, None when they can or are not asked for."""
    if region != "body" or scheme.region == "body":
        return None
    if not has_subregions:
        return Problem(
            "RV105",
            "a sub-region mask, because the region is 'body' and the mask holds whole vertebrae",
            "no value for 'subregions'",
            where,
            "name the sub-region mask, use a mask of bodies, or measure the region 'vertebra'",
        )
    if not scheme.body:
        return Problem(
            "RV107",
            "a scheme that says which sub-region labels are the body",
            f"{scheme.name!r}, which does not",
            where,
            "name the scheme of that mask in the column subregions_scheme, such as spineps_subregions",
        )
    return None
