"""The pages of quality control: one for the cohort, one per scan with a picture of each vertebra."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from radiomics_vert.checks import Finding
from radiomics_vert.checks.quality import OUTLYING
from radiomics_vert.reporting.cells import for_spreadsheets
from radiomics_vert.reporting.inputs import words
from radiomics_vert.reporting.quality.nouns import Picture, QualityPages
from radiomics_vert.reporting.quality.pictures import BETWEEN
from radiomics_vert.reporting.quality.plots import HEIGHT, LEFT, RIGHT, WIDTH, quality_plots
from radiomics_vert.reporting.wording import ABSENT, count, is_absent, listing, number, percent
from radiomics_vert.reporting.write import environment
from radiomics_vert.storage import write_table, write_text

INDEX = "index.html"
SCAN_PAGES = "scans"
SHOWN_CASES = 12
VERDICT_MARKS = {"ready": "ok", "ready with warnings": "warn", "refused": "bad"}


@dataclass(frozen=True)
class Measure:
    """A measure of a vertebra as it is printed: column, name, unit, and how it is written."""

    column: str
    title: str
    write: Callable[[Any], str] = number


def _share(value: Any) -> str:
    return ABSENT if is_absent(value) else percent(float(value), 1.0)


def _yes(value: Any) -> str:
    return ABSENT if is_absent(value) else "yes" if str(value) in ("True", "1", "1.0") else "no"


def _words(value: Any) -> str:
    return ABSENT if is_absent(value) else str(value)


VERTEBRA = (
    Measure("volume_ml", "Volume, ml"),
    Measure("voxels", "Voxels in the mask"),
    Measure("voxels_resampled", "Voxels after resampling"),
    Measure("slices", "Slices"),
    Measure("grey_levels", "Grey levels (bins)"),
    Measure("clipped_share", "Voxels left out by range", _share),
    Measure("intensity_median", "Median grey value"),
    Measure("intensity_iqr", "Interquartile range"),
    Measure("hardware_share", "Above 1500 HU", _share),
    Measure("gas_ml", "Below −200 HU, ml"),
    Measure("components", "Pieces"),
    Measure("largest_share", "Largest piece", _share),
    Measure("touches_border", "Touches the border", _yes),
    Measure("volume_ratio", "Volume / neighbours'"),
    Measure("gap_mm", "To the next centre below, mm"),
    Measure("gap_ratio", "That / gaps around"),
)
SCAN = (
    Measure("sequence", "Sequence", _words),
    Measure("spacing", "Voxels, mm", _words),
    Measure("slice_plane", "Slices are", _words),
    Measure("obliquity_degrees", "Tilt, degrees"),
    Measure("image_minimum", "Smallest value"),
    Measure("image_maximum", "Largest value"),
    Measure("duplicate_of", "Same image or mask as", _words),
)
LISTED = (
    Measure("subject_id", "Subject", _words),
    Measure("sequence", "Sequence", _words),
    Measure("level", "Level", _words),
    Measure("volume_ml", "Volume, ml"),
    Measure("voxels", "Voxels"),
    Measure("grey_levels", "Grey levels"),
    Measure("clipped_share", "Left out", _share),
    Measure("intensity_median", "Median"),
    Measure("intensity_iqr", "IQR"),
    Measure("volume_ratio", "Volume / neighbours'"),
    Measure("gap_ratio", "Gap / gaps around"),
)


def write_quality_pages(pages: QualityPages, folder: Path) -> Path:
    """Write the pages, beside the pictures that stand in `folder` already.

    Parameters
    ----------
    pages : QualityPages
        What they show.
    folder : Path
        Gets `index.html`, `scans/<scan_id>.html` and `quality.csv`; pages of an earlier run are removed.

    Returns
    -------
    Path
        `index.html`. The pages load nothing from elsewhere and hold no path of the machine.
    """
    shutil.rmtree(folder / SCAN_PAGES, ignore_errors=True)
    view = _View(pages)
    write_table(for_spreadsheets(pages.table), folder / "quality.csv")
    for position, scan_id in enumerate(view.scans):
        write_text(folder / SCAN_PAGES / f"{scan_id}.html", view.scan_page(position))
    write_text(folder / INDEX, view.index_page())
    return folder / INDEX


class _View:
    """The content of the pages in the form that the templates print."""

    def __init__(self, pages: QualityPages) -> None:
        self.pages = pages
        self.rows: dict[str, list[dict[str, Any]]] = {}
        for row in pages.table.to_dict("records"):
            self.rows.setdefault(str(row["scan_id"]), []).append({str(k): v for k, v in row.items()})
        self.scans = list(self.rows)
        self.links = {
            str(row["case_id"]): f"{SCAN_PAGES}/{scan_id}.html#{row['case_id']}"
            for scan_id, rows in self.rows.items()
            for row in rows
        }
        self.links |= {scan_id: f"{SCAN_PAGES}/{scan_id}.html" for scan_id in self.scans}
        self.verdicts: dict[str, dict[str, Any]] = {
            str(row["scan_id"]): {str(k): v for k, v in row.items()}
            for row in pages.verdicts.to_dict("records")
        }
        self.by_name: dict[str, list[Finding]] = {}
        for finding in pages.findings:
            for name in finding.cases:
                self.by_name.setdefault(name, []).append(finding)
        self.templates = environment()
        self.templates.globals |= {"synthetic": pages.synthetic, "title": pages.title}

    def scan_page(self, position: int) -> str:
        """Return the page of one scan."""
        scan_id = self.scans[position]
        rows = self.rows[scan_id]
        first = {**rows[0], "spacing": _spacing(rows[0])}
        around = self.scans[max(0, position - 1) : position] or [""], self.scans[position + 1 : position + 2]
        return self._render(
            "scan",
            scan_id=scan_id,
            subject=str(first["subject_id"]),
            previous=around[0][0],
            following=around[1][0] if around[1] else "",
            verdict=self._verdict(scan_id),
            sheet=self.pages.sheets.get(scan_id, ""),
            facts=_printed(SCAN, first),
            findings=self.by_name.get(scan_id, []),
            vertebrae=[self._vertebra(rows, place) for place in range(len(rows))],
        )

    def index_page(self) -> str:
        """Return the page of the cohort."""
        verdicts = [self._verdict(str(scan_id)) for scan_id in self.pages.verdicts["scan_id"]]
        return self._render(
            "index",
            verdicts=verdicts,
            told=_summary(self.pages),
            findings=[self._finding(row) for row in _ordered(self.pages.findings)],
            plots=quality_plots(self.pages.table, self.links),
            frame={"width": WIDTH, "height": HEIGHT, "left": LEFT, "right": WIDTH - RIGHT},
            outlying=OUTLYING,
            heads=[measure.title for measure in LISTED],
            rows=[self._listed(row) for rows in self.rows.values() for row in rows],
            refused=self.pages.refused.to_dict("records"),
        )

    def _render(self, name: str, **content: Any) -> str:
        return self.templates.get_template(f"quality/{name}.html.j2").render(**content) + "\n"

    def _verdict(self, scan_id: str) -> dict[str, Any]:
        known = self.verdicts.get(
            scan_id, {"verdict": "", "vertebrae": 0, "unusable": 0, "codes": "", "why": ""}
        )
        return {
            **known,
            "scan_id": scan_id,
            "link": self.links.get(scan_id, ""),
            "mark": VERDICT_MARKS.get(str(known["verdict"]), ""),
            "why": "" if is_absent(known["why"]) else str(known["why"]),
            "codes": "" if is_absent(known["codes"]) else str(known["codes"]),
        }

    def _vertebra(self, rows: Sequence[dict[str, Any]], place: int) -> dict[str, Any]:
        row = rows[place]
        case_id = str(row["case_id"])
        level = str(row["level"]) if not is_absent(row["level"]) else f"label {row['label']}"
        picture = self.pages.pictures.get(case_id)
        return {
            "id": case_id,
            "level": level,
            "above": str(rows[place - 1]["case_id"]) if place else "",
            "below": str(rows[place + 1]["case_id"]) if place + 1 < len(rows) else "",
            "picture": picture and _drawn(picture, level),
            "measures": _printed(VERTEBRA, row),
            "findings": self.by_name.get(case_id, []),
            "flagged": any(f.severity != "note" for f in self.by_name.get(case_id, [])),
        }

    def _finding(self, finding: Finding) -> dict[str, Any]:
        named = [(name, self.links.get(name, "")) for name in finding.cases]
        more = len(named) - SHOWN_CASES
        return {"finding": finding, "cases": named[:SHOWN_CASES], "more": max(0, more)}

    def _listed(self, row: dict[str, Any]) -> dict[str, Any]:
        case_id, scan_id = str(row["case_id"]), str(row["scan_id"])
        found = self.by_name.get(case_id, []) + self.by_name.get(scan_id, [])
        codes = sorted({finding.code for finding in found if finding.severity != "note"})
        notes = sorted({finding.code for finding in found} - set(codes))
        cells = [(m.write(row.get(m.column)), _sorted_by(row.get(m.column))) for m in LISTED]
        return {"id": case_id, "link": self.links[case_id], "cells": cells, "codes": codes, "notes": notes}


def _printed(measures: Sequence[Measure], row: dict[str, Any]) -> list[tuple[str, str]]:
    cells = [(measure.title, measure.write(row.get(measure.column))) for measure in measures]
    return [(title, text) for title, text in cells if text not in (ABSENT, "")]


def _spacing(row: dict[str, Any]) -> str:
    sides = [row[f"spacing_{axis}"] for axis in "xyz"]
    return "" if any(map(is_absent, sides)) else " × ".join(f"{float(side):.3g}" for side in sides)


def _sorted_by(value: Any) -> str:
    """Return what a cell is sorted by: a plain number, or text."""
    if is_absent(value):
        return ""
    return f"{float(value):.10g}" if isinstance(value, int | float) else str(value)


def _ordered(findings: Sequence[Finding]) -> list[Finding]:
    """Return the findings worst first, as the list of the checks has them."""
    ranks = {"error": 0, "warning": 1, "note": 2}
    return sorted(findings, key=lambda finding: (ranks[finding.severity], finding.code))


def _summary(pages: QualityPages) -> str:
    tally = words(pages.verdicts, "verdict").value_counts()
    parts = [f"{int(tally.get(verdict, 0))} {verdict}" for verdict in VERDICT_MARKS]
    found = [count(int((pages.table["sequence"] == s).sum()), "vertebra", "vertebrae") + f" on {s}"
             for s in sorted(set(pages.table["sequence"].astype(str)))]  # fmt: skip
    return f"{count(len(pages.verdicts), 'scan')}: {listing(parts)}. {listing(found) or 'No vertebra'}."


def _drawn(picture: Picture, level: str) -> dict[str, Any]:
    """Return a picture with the places of its planes, letters and scale bar, in pixels."""
    side = picture.side
    low, high = picture.window
    letters = " ".join(
        f"{view.name}: left edge {view.letters[0]}, upper edge {view.letters[2]};" for view in picture.views
    )
    return {
        "file": picture.file,
        "side": side,
        "width": side * len(picture.views) + BETWEEN * (len(picture.views) - 1),
        "views": [(place * (side + BETWEEN), view) for place, view in enumerate(picture.views)],
        "bar": round(10.0 / picture.pixel_mm, 1),
        "text": round(side * 0.06, 1),
        "alt": f"{level} in three planes with the outline of its mask. {letters}",
        "window": f"{number(low)} to {number(high)}",
        "field": f"{side * picture.pixel_mm:.0f} mm",
    }
