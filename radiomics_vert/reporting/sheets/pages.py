"""The pages of the sign sheets: one for the study, one per scan with a sheet for each vertebra."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pandas as pd

from radiomics_vert.errors import CODES
from radiomics_vert.reporting.inputs import words
from radiomics_vert.reporting.quality.pictures import BETWEEN
from radiomics_vert.reporting.sheets.nouns import ScanSheet, SheetPicture, SignSheets
from radiomics_vert.reporting.wording import count, is_absent, number, sign_label
from radiomics_vert.reporting.write import environment
from radiomics_vert.signs.families import family_title
from radiomics_vert.signs.registry import Sign, registry
from radiomics_vert.storage import write_text

INDEX = "index.html"
SCAN_PAGES = "scans"
FRAME_MARKS = {"good": "ok", "doubtful": "warn", "none": "bad"}
BODY_SOURCES = {
    "mask": "from a mask of sub-regions",
    "scheme": "the label is the body",
    "separated": "separated from the posterior elements by geometry",
    "whole": "the whole label: no arch was found behind it",
}
_OTHER_SEQUENCE = "RV332"
LEGEND: Mapping[str, str] = {
    "body": "body that was measured",
    "posterior": "posterior elements",
    "other": "other labels",
    "endplate": "endplate profiles of the middle third",
    "height": "heights at the three places, mm",
    "plane": "endplate planes, and the angle between them seen from the front",
    "wall": "posterior wall",
    "chord": "line through its corners",
    "bulge": "farthest from that line, mm, before the references' is subtracted",
    "axis": "axes of the frame",
    "edge": "width and depth of the frame",
    "band": "middle third",
    "replaced": "replaced marrow (T1 below the references)",
    "edema": "edema (brighter than the references, in foci)",
    "lytic": "lytic areas",
    "blastic": "blastic areas",
    "gas": "gas",
    "pedicles": "pedicle region",
    "canal": "canal, cord or CSF",
    "tissue": "paravertebral tissue",
    "disc": "discs",
}
"""What is drawn, in the order of the legend."""
LINES = ("endplate", "height", "plane", "wall", "chord", "bulge", "axis", "edge", "band")
"""Which of it are lines; the rest are regions with an outline."""


def write_sign_sheets(sheets: SignSheets, folder: Path) -> Path:
    """Write the pages, beside the pictures that stand in `folder` already.

    Parameters
    ----------
    sheets : SignSheets
        What they show.
    folder : Path
        Gets `index.html` and `scans/<scan_id>.html`; pages of an earlier run are removed.

    Returns
    -------
    Path
        `index.html`. The pages load nothing from elsewhere and hold no path of the machine.
    """
    shutil.rmtree(folder / SCAN_PAGES, ignore_errors=True)
    templates = environment()
    templates.globals |= {
        "synthetic": sheets.synthetic, "title": sheets.title, "quality": sheets.quality, "between": BETWEEN,
    }  # fmt: skip
    for scan in sheets.scans:
        page = templates.get_template("sheets/scan.html.j2").render(
            scan=scan, vertebrae=[_vertebra(scan, facts) for facts in scan.facts.to_dict("records")]
        )
        write_text(folder / SCAN_PAGES / f"{scan.scan_id}.html", page + "\n")
    rows = [_listed(scan) for scan in sheets.scans]
    write_text(folder / INDEX, templates.get_template("sheets/index.html.j2").render(rows=rows) + "\n")
    return folder / INDEX


def _listed(scan: ScanSheet) -> dict[str, Any]:
    frames = words(scan.facts, "frame")
    cases = scan.facts.to_dict("records")
    return {
        "scan_id": scan.scan_id,
        "sequence": scan.sequence,
        "vertebrae": [(str(row["case_id"]), _level(scan, row), row["frame"] != "good") for row in cases],
        "told": f"{count(int((frames == 'good').sum()), 'good frame')} of {len(frames)}",
    }


def _vertebra(scan: ScanSheet, facts: Mapping[Any, Any]) -> dict[str, Any]:
    case_id = str(facts["case_id"])
    own = scan.values[words(scan.values, "case_id") == case_id]
    absences = scan.absences[words(scan.absences, "case_id") == case_id]
    picture = scan.pictures.get(case_id)
    frame = str(facts["frame"])
    level = _level(scan, facts)
    return {
        "id": case_id,
        "level": level,
        "frame": frame,
        "mark": FRAME_MARKS[frame],
        "facts": _printed(facts),
        "flags": "" if is_absent(facts.get("flags")) else str(facts["flags"]),
        "picture": picture and _drawn(picture, level),
        "families": _families(own.iloc[0]) if len(own) and frame != "none" else [],
        "absences": _grouped(absences, scan.sequence),
        "absent": len(absences),
    }


def _level(scan: ScanSheet, facts: Mapping[Any, Any]) -> str:
    """Return the level; where the scheme names none, what tells the case from the others of its scan."""
    if is_absent(facts.get("level")):
        return str(facts["case_id"]).removeprefix(f"{scan.scan_id}_")
    return str(facts["level"])


def _printed(facts: Mapping[Any, Any]) -> list[tuple[str, str]]:
    texts = {
        "Body": BODY_SOURCES.get(str(facts.get("body_source")), ""),
        "Reference vertebrae": _references(facts),
        "Width × depth of the body, mm": _pair(facts, "width_mm", "depth_mm"),
        "Unevenness of the endplates, superior and inferior, mm": _pair(facts, "superior_mm", "inferior_mm"),
        "Axis against the neighbours, degrees": _cell(facts, "tilt_deg"),
    }
    return [(name, text) for name, text in texts.items() if text]


def _references(facts: Mapping[Any, Any]) -> str:
    named = facts.get("references")
    return "none within three levels" if is_absent(named) else ", ".join(str(named).split())


def _pair(facts: Mapping[Any, Any], *names: str) -> str:
    cells = [_cell(facts, name) for name in names]
    return " × ".join(cells) if all(cells) else ""


def _cell(facts: Mapping[Any, Any], name: str) -> str:
    return "" if is_absent(facts.get(name)) else number(facts[name])


def _families(values: pd.Series) -> list[tuple[str, list[dict[str, str]]]]:
    """Return the measured signs of a vertebra by family."""
    found: dict[str, list[dict[str, str]]] = {}
    for sign in registry().values():
        value = values.get(sign.name)
        if not is_absent(value):
            found.setdefault(sign.family, []).append(_row(sign, value))
    return [(family_title(family), rows) for family, rows in found.items()]


def _row(sign: Sign, value: Any) -> dict[str, str]:
    return {
        "name": sign.name,
        "label": sign.label,
        "title": sign.title,
        "value": number(value),
        "unit": sign.unit,
        "direction": "" if sign.direction == "none" else sign.direction,
        "seed": sign.seed,
        "scope": "" if sign.scope == "vertebra" else "of the whole scan",
    }


def _grouped(absences: pd.DataFrame, sequence: str) -> list[dict[str, str]]:
    """Return why signs are absent: each reason once, with its signs."""
    found: dict[tuple[str, str], list[str]] = {}
    for row in absences.to_dict("records"):
        code, reason = str(row["code"]), str(row["reason"])
        if code == _OTHER_SEQUENCE:
            reason = f"defined on other sequences than {sequence}"
        found.setdefault((code, reason), []).append(sign_label(str(row["sign"])))
    return [
        {"code": code, "title": CODES.get(code, ""), "reason": reason, "signs": ", ".join(signs)}
        for (code, reason), signs in sorted(found.items())
    ]


def _drawn(picture: SheetPicture, level: str) -> dict[str, Any]:
    """Return a picture with the places of its planes and scale bar, in pixels."""
    side = picture.side
    low, high = picture.window
    kinds = picture.kinds
    return {
        "file": picture.file,
        "side": side,
        "width": side * len(picture.views) + BETWEEN * (len(picture.views) - 1),
        "views": [(place * (side + BETWEEN), view) for place, view in enumerate(picture.views)],
        "bar": round(10.0 / picture.pixel_mm, 1),
        "text": round(side * 0.045, 1),
        "legend": [(kind, text, kind in LINES) for kind, text in LEGEND.items() if kind in kinds],
        "alt": f"{level} in three planes of its own frame, with what was measured drawn on it.",
        "window": f"{number(low)} to {number(high)}",
        "field": f"{side * picture.pixel_mm:.0f} mm",
    }
