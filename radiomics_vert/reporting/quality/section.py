"""The section of the report on image quality: the cohort in numbers, and the way to the pictures."""

from __future__ import annotations

import pandas as pd

from radiomics_vert.reporting.cells import listing_table, missing, printable
from radiomics_vert.reporting.inputs import Inputs, numeric, words
from radiomics_vert.reporting.nouns import Item, Section, Table, Text
from radiomics_vert.reporting.wording import count, listing

_WHY = "Nobody can see from this report whether the masks lie where they should."
_MEASURES = {
    "volume_ml": "Volume, ml",
    "voxels_resampled": "Voxels after resampling",
    "grey_levels": "Grey levels (bins)",
    "clipped_share": "Share of voxels left out by range",
    "hardware_share": "Share above 1500 HU",
    "gas_ml": "Below -200 HU, ml",
    "intensity_median": "Median grey value",
    "intensity_iqr": "Interquartile range of grey values",
    "volume_ratio": "Volume over that of the neighbours",
}
_SCANS = {
    "scan_id": "Scan",
    "verdict": "Verdict",
    "vertebrae": "Vertebrae",
    "unusable": "Unusable",
    "codes": "Codes",
    "why": "Why",
}


def section(inputs: Inputs) -> Section:
    """Return the section."""
    cases, scans = inputs.table("quality", "cases"), inputs.table("quality", "scans")
    if cases.empty and scans.empty:
        return Section("quality", "Image quality", (missing("quality control of the images", _WHY),))
    items: list[Item] = [Text((_told(scans),))]
    pages = str(inputs.spec("quality").get("pages") or "")
    if pages:
        items.append(
            Text((f"{pages}: pictures of every vertebra with its mask, and plots to find them",), "link")
        )
    items += [_spread(cases), *_unready(scans)]
    return Section("quality", "Image quality", tuple(items))


def _told(scans: pd.DataFrame) -> str:
    tally = words(scans, "verdict").value_counts()
    parts = [f"{tally[name]} {name}" for name in ("ready", "ready with warnings", "refused") if name in tally]
    return f"Of {count(len(scans), 'scan')}, {listing(parts)}."


def _spread(cases: pd.DataFrame) -> Table:
    """Return quartiles and range of the measures by sequence."""
    rows = []
    for sequence, group in cases.groupby("sequence", sort=True):
        for name, title in _MEASURES.items():
            values = numeric(group, name).dropna()
            if len(values):
                low, first, middle, third, high = values.quantile([0, 0.25, 0.5, 0.75, 1])
                rows.append((sequence, title, len(values), low, first, middle, third, high))
    heads = [
        "Sequence",
        "Measure",
        "Vertebrae",
        "Minimum",
        "1st quartile",
        "Median",
        "3rd quartile",
        "Maximum",
    ]
    caption = "Quality of the measured regions. Before any feature; the file has one row per vertebra."
    return Table("quality", caption, printable(pd.DataFrame(rows, columns=heads)), cases)


def _unready(scans: pd.DataFrame) -> list[Item]:
    unready = scans[words(scans, "verdict") != "ready"].reset_index(drop=True)
    if unready.empty:
        return []
    return [listing_table(unready, "quality-scans", "Scans that are not simply ready. And why.", _SCANS)]
