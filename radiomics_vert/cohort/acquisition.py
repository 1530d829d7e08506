"""How each scan was acquired: from DICOM headers or BIDS sidecars, from its grid, and from the image table.

The reporting items of IBSI and CLEAR ask for these facts, and the confounding audit compares them between
the classes. Only the names below are known; nothing that could name a person is among them.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

import pandas as pd

from radiomics_vert.cohort.nouns import Cohort, Scan
from radiomics_vert.errors import ImageError
from radiomics_vert.imaging import Geometry, Remark, acquisition_facts
from radiomics_vert.imaging.preprocessing import slice_axis

# name -> unit; the order of the columns of every table.
FACTS: Mapping[str, str] = {
    "modality": "",
    "manufacturer": "",
    "model": "",
    "software_version": "",
    "field_strength": "T",
    "kvp": "kV",
    "tube_current": "mA",
    "exposure": "mAs",
    "convolution_kernel": "",
    "contrast_agent": "",
    "contrast_phase": "",
    "scanning_sequence": "",
    "sequence_variant": "",
    "sequence_name": "",
    "acquisition_type": "",
    "fat_suppression": "",
    "coil": "",
    "echo_time": "ms",
    "repetition_time": "ms",
    "inversion_time": "ms",
    "flip_angle": "degrees",
    "echo_train_length": "",
    "b_value": "s/mm²",
    "pixel_spacing": "mm",
    "spacing_between_slices": "mm",
    "slice_thickness": "mm",
    "patient_position": "",
    "body_part": "",
    "lossy_compression": "",
    "dose": "",
}
# What people write in an image table, letters and digits only -> the name here.
_ALIASES = {
    **{name.replace("_", ""): name for name in FACTS},
    **{"kv": "kvp", "tubevoltage": "kvp", "kernel": "convolution_kernel", "tesla": "field_strength"},
    **{"contrast": "contrast_phase", "phase": "contrast_phase", "software": "software_version"},
    **{"vendor": "manufacturer", "scanner": "model", "manufacturersmodelname": "model"},
    **{"te": "echo_time", "tr": "repetition_time", "ti": "inversion_time"},
    **{"slicethicknessmm": "slice_thickness", "slicemm": "slice_thickness", "spacing": "pixel_spacing"},
}


def fact_name(column: str) -> str | None:
    """Return the name of a fact by a column of the image table, None when it is none.

    Examples
    --------
    >>> fact_name("kVp"), fact_name("Slice thickness (mm)"), fact_name("radiologist")
    ('kvp', 'slice_thickness', None)
    """
    return _ALIASES.get(re.sub(r"[^a-z0-9]", "", column.lower()))


def read_facts(scan: Scan, grid: Geometry) -> tuple[dict[str, str], tuple[Remark, ...]]:
    """Return what is known about the acquisition of a scan.

    Parameters
    ----------
    scan : Scan
        Its further columns of the image table go before what its files say.
    grid : Geometry
        Of its image: the spacing of the slices is measured, whatever a header claims.

    Returns
    -------
    facts : dict of str to str
        Names of :data:`FACTS`, and the other columns of the image table as they are.
    remarks : tuple of Remark
        Why the facts of a file could not be read.
    """
    remarks: tuple[Remark, ...] = ()
    try:
        told = acquisition_facts(scan.image, series=scan.series)
    except ImageError as error:
        problem = error.problems[0]
        told, remarks = {}, (Remark(problem.code, f"{problem.found} (expected {problem.expected})"),)
    return {**told, **_spacing(grid), **written_facts(scan)}, remarks


def written_facts(scan: Scan) -> dict[str, str]:
    """Return the further cells of a scan's row in the image table, by the names of :data:`FACTS`."""
    return {fact_name(name) or name: value for name, value in scan.facts.items()}


def _spacing(grid: Geometry) -> dict[str, str]:
    axis = slice_axis(grid.spacing)
    across = 2 if axis is None else axis
    plane = [grid.spacing[other] for other in range(3) if other != across]
    return {
        "pixel_spacing": " x ".join(f"{value:.4g}" for value in plane)
        if abs(plane[0] - plane[1]) > 1e-3 * plane[0]
        else f"{plane[0]:.4g}",
        "spacing_between_slices": f"{grid.spacing[across]:.4g}",
    }


def acquisition_table(cohort: Cohort) -> pd.DataFrame:
    """Return one row per scan with the facts of its acquisition.

    Parameters
    ----------
    cohort : Cohort
        What :func:`read_cohort` returned.

    Returns
    -------
    DataFrame
        `scan_id, subject_id, session, sequence, site`, then the facts that at least one scan has, as text;
        units are those of :data:`FACTS`.
    """
    identity = ("scan_id", "subject_id", "session", "sequence", "site")
    rows = [
        {**{name: getattr(scan, name) for name in identity}, **known_facts(scan)} for scan in cohort.scans
    ]
    present = [name for name in FACTS if any(name in row for row in rows)]
    return pd.DataFrame(rows, columns=[*identity, *present]).fillna("")


def known_facts(scan: Scan) -> dict[str, str]:
    """Return the facts of a scan that have a name here, in their order; other columns may name people."""
    return {name: scan.facts[name] for name in FACTS if scan.facts.get(name)}


def summarise(table: pd.DataFrame) -> pd.DataFrame:
    """Return what an acquisition table says, by sequence and fact.

    Parameters
    ----------
    table : DataFrame
        What :func:`acquisition_table` returned.

    Returns
    -------
    DataFrame
        `sequence, fact, unit, n, missing, summary`: median and range of numbers, counts of other values.
    """
    rows = []
    for sequence, scans in table.groupby("sequence", sort=True):
        for fact in FACTS:
            if fact not in scans:
                continue
            values = scans[fact][scans[fact] != ""]
            if len(values):
                missing = len(scans) - len(values)
                rows.append((sequence, fact, FACTS[fact], len(values), missing, _summary(values)))
    return pd.DataFrame(rows, columns=["sequence", "fact", "unit", "n", "missing", "summary"])


def _summary(values: pd.Series[str]) -> str:
    numbers = pd.to_numeric(values, errors="coerce")
    if numbers.notna().all() and numbers.nunique() > 3:
        return f"{numbers.median():.4g} ({numbers.min():.4g} to {numbers.max():.4g})"
    counts = values.value_counts()
    ordered = sorted(counts.items(), key=lambda item: (-item[1], str(item[0])))
    shown = [f"{value} ({number})" for value, number in ordered[:6]]
    return ", ".join(shown) + (f", and {len(ordered) - 6} more" if len(ordered) > 6 else "")
