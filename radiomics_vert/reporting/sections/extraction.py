"""Extraction and quality: what could be measured, what failed, what the checks found."""

from __future__ import annotations

import pandas as pd

from radiomics_vert.reporting.cells import facts, listing_table, missing, printable
from radiomics_vert.reporting.inputs import Inputs, column, numeric
from radiomics_vert.reporting.nouns import Item, Section, Table, Text
from radiomics_vert.reporting.sections.counts import counts
from radiomics_vert.reporting.wording import count, number, percent

_SHOWN_CASES = 4
_SEVERITIES = ("error", "warning", "note")
_SUMMARY = {
    "sequence": "Sequence",
    "images": "Image types",
    "cases": "Cases",
    "extracted": "Extracted",
    "failed": "Failed",
    "features": "Features",
}
_FAILURES = {
    "case_id": "Case",
    "sequence": "Sequence",
    "level": "Level",
    "code": "Code",
    "title": "Problem",
    "expected": "Expected",
    "found": "Found",
    "where": "Where",
    "remedy": "Remedy",
}
_FINDINGS = {
    "severity": "Severity",
    "code": "Code",
    "title": "Finding",
    "explanation": "What it means",
    "n_cases": "Cases",
    "cases": "Which",
    "remedy": "Remedy",
}
_IDENTITY = ("case_id", "subject_id", "session", "sequence", "rater", "site", "level", "label")
_FIRST = ("engine", "file", "digest")
_WHY_EXTRACTION = (
    "The features came from a table made elsewhere, or extraction was not run: how they "
    "were measured is not documented here."
)
_WHY_CHECKS = "Nobody has looked for duplicates, mismatched tables or implausible masks."


def section(inputs: Inputs) -> Section:
    """Return the section."""
    return Section("extraction", "Extraction and quality", (*_extraction(inputs), *_checks(inputs)))


def _extraction(inputs: Inputs) -> list[Item]:
    summary = inputs.table("extraction", "summary")
    if summary.empty:
        return [missing("feature extraction", _WHY_EXTRACTION)]
    found = counts(inputs)
    failures = inputs.table("extraction", "failures")
    refused = (
        f" {count(found.refused, 'scan')} could not be used at all, each listed once, whatever it shows."
        if found.refused
        else ""
    )
    items: list[Item] = [
        Text(
            (
                f"{number(found.extracted)} of {count(found.cases, 'case')} (one vertebra in one image) "
                "could be measured; "
                f"{number(found.failed)} failed ({percent(found.failed, found.cases)}).{refused}",
            )
        ),
        listing_table(
            summary,
            "extraction-summary",
            "Extraction by sequence. Cases are vertebrae, and scans that could not be used; extracted "
            "and failed add up to them.",
            _SUMMARY,
        ),
    ]
    if len(failures):
        items.append(_failures(failures))
    else:
        items.append(Text(("No case failed.",)))
    return [*items, *_verification(inputs), *_parameters(inputs), *_diagnostics(inputs)]


def _verification(inputs: Inputs) -> list[Item]:
    found = inputs.spec("extraction").get("verification")
    if not isinstance(found, dict) or not found:
        return []
    return [
        Text(
            (
                f"{count(found['cases'], 'case')}, drawn at random, were measured again with pyradiomics "
                f"itself: {number(found['values'])} values, largest relative difference "
                f"{found['largest']:.1e} "
                f"({found['feature']}).",
            )
        )
    ]


def _failures(failures: pd.DataFrame) -> Table:
    return listing_table(
        failures,
        "extraction-failures",
        "Cases that failed. What was expected, what was found, and what to do.",
        _FAILURES,
    )


def _parameters(inputs: Inputs) -> list[Item]:
    spec = inputs.spec("extraction")
    items: list[Item] = []
    for sequence, settings in sorted(dict(spec.get("parameters") or {}).items()):
        pairs: dict[str, object] = {
            "engine": f"{spec.get('engine', 'not recorded')} {spec.get('engine_version', '')}".strip()
        }
        pairs |= dict(settings) if isinstance(settings, dict) else {"file": settings}
        key = "parameters-" + "".join(sign if sign.isalnum() else "-" for sign in str(sequence)).lower()
        items.append(facts(key, f"Settings of the measurement, {sequence}.", _flat(pairs)))
    return items


def _flat(pairs: dict[str, object], prefix: str = "") -> dict[str, object]:
    flat: dict[str, object] = {}
    for name in sorted(pairs, key=lambda name: (_FIRST.index(name) if name in _FIRST else len(_FIRST), name)):
        value = pairs[name]
        if isinstance(value, dict) and value:
            flat |= _flat(value, "" if name == "settings" else f"{prefix}{name}: ")
        else:
            flat[f"{prefix}{name}"] = value
    return flat


def _diagnostics(inputs: Inputs) -> list[Item]:
    frame = inputs.table("extraction", "diagnostics")
    numbers = [
        name
        for name in frame.columns
        if name not in _IDENTITY and pd.api.types.is_numeric_dtype(frame[name]) and frame[name].notna().any()
    ]
    if not numbers:
        return []
    rows = [_spread(frame, str(name)) for name in numbers]
    shown = printable(pd.DataFrame(rows))
    note = (
        "A minimum far below the median points to a fragment, a maximum far above it to two "
        "vertebrae in one label."
    )
    return [
        Table(
            "diagnostics",
            "Measured regions in numbers. Over all cases; the file has one row per case.",
            shown,
            frame,
            note,
        )
    ]


def _spread(frame: pd.DataFrame, name: str) -> dict[str, object]:
    low, first, middle, third, high = numeric(frame, name).quantile([0, 0.25, 0.5, 0.75, 1])
    return {
        "Quantity": name.replace("_", " "),
        "Minimum": low,
        "1st quartile": first,
        "Median": middle,
        "3rd quartile": third,
        "Maximum": high,
    }


def _checks(inputs: Inputs) -> list[Item]:
    if "checks" not in inputs:
        return [missing("the data checks", _WHY_CHECKS)]
    findings = inputs.table("checks", "findings")
    if findings.empty:
        return [Text(("The data checks found nothing to report.",))]
    rank = (
        column(findings, "severity")
        .astype(str)
        .map(lambda s: _SEVERITIES.index(s) if s in _SEVERITIES else 9)
    )
    ordered = findings.assign(_rank=rank).sort_values(["_rank", "code"], kind="stable").drop(columns="_rank")
    tally = ordered["severity"].astype(str).value_counts()
    words = [count(int(tally[name]), name) for name in _SEVERITIES if name in tally]
    return [
        Text((f"The data checks found {', '.join(words)}.",)),
        _findings(ordered.reset_index(drop=True)),
    ]


def _findings(ordered: pd.DataFrame) -> Table:
    """Show the first cases of each finding; the file has all."""
    shown = printable(ordered, _FINDINGS, {"cases": _first_cases})
    return Table("findings", "Findings of the data checks. Errors first.", shown, data=ordered)


def _first_cases(cases: object) -> str:
    names = str(cases).split("; ") if isinstance(cases, str) else []
    more = f" and {len(names) - _SHOWN_CASES} more" if len(names) > _SHOWN_CASES else ""
    return ", ".join(names[:_SHOWN_CASES]) + more
