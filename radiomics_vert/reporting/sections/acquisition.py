"""Image acquisition: scanners and protocols by sequence, as the reporting guidelines ask for them."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from typing import Any

from radiomics_vert.reporting.cells import missing, printable
from radiomics_vert.reporting.inputs import Inputs
from radiomics_vert.reporting.nouns import Section, Table
from radiomics_vert.reporting.wording import is_absent, sentence_case

_WHY = (
    "Features depend on scanner and protocol; without these facts no other group can tell whether "
    "its images are comparable."
)
_NOTE = (
    "Median (range) of numbers, scans in brackets for other values. From DICOM headers or BIDS sidecars, the "
    "spacing from the grid of the image; columns of the image table go before them. The confounding audit "
    "compares these facts between the classes."
)


def section(inputs: Inputs) -> Section:
    """Return the section."""
    summary = inputs.table("cohort", "acquisition_summary")
    title = "Image acquisition"
    if summary.empty:
        return Section("acquisition", title, (missing("how the scans were acquired", _WHY),))
    named = summary.assign(fact=[_name(row) for row in summary.to_dict("records")])
    heads = {"sequence": "Sequence", "fact": "Fact", "summary": "Value", "n": "Scans", "missing": "Missing"}
    scans = inputs.table("cohort", "acquisition_scans")
    caption = "Scanners and protocols. One row per sequence and fact; the file has one row per scan."
    table = Table("acquisition", caption, printable(named, heads, {"fact": str}), data=scans, note=_NOTE)
    return Section("acquisition", title, (table,))


def _name(row: Mapping[Hashable, Any]) -> str:
    unit = "" if is_absent(row["unit"]) or not row["unit"] else f" ({row['unit']})"
    known = {"kvp": "Tube voltage", "b_value": "b value"}
    return known.get(str(row["fact"]), sentence_case(str(row["fact"]))) + unit
