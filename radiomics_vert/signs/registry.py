"""The registry of signs: what each one is, where it is defined, and what the seeds expect of it.

The entries are data (`registry.yaml`). Documentation, columns of the sign table, the report's section and
the tests are made from them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from functools import cache
from importlib import resources
from types import MappingProxyType
from typing import Any

import yaml

from radiomics_vert.errors import Problem, SettingsError
from radiomics_vert.signs.literature import DIAGNOSES, Published, parse_published, published_faults

SEQUENCES = (
    "CT", "T1", "T2", "STIR", "T1_CONTRAST", "ADC", "IN_PHASE", "OPPOSED_PHASE", "FAT_FRACTION",
)  # fmt: skip
MASKS = (
    "body", "posterior", "references", "neighbours", "levels", "canal", "cord", "csf", "disc", "muscle",
    "paravertebral", "image", "companion", "calibration", "norm",
)  # fmt: skip
DIRECTIONS = (*DIAGNOSES, "none")
EVIDENCE = {
    "S": "seen in a source",
    "T": "recomputed from a published table",
    "K": "established standard definition",
    "O": "this project's own proposal",
}
SCOPES = ("vertebra", "scan")


@dataclass(frozen=True)
class Sign:
    """One measured sign.

    Parameters
    ----------
    name : str
        Column of the sign table.
    label : str
        Name for a reader: at most 40 characters, no comma, as it stands in lists.
    title : str
        What is measured, in one sentence.
    family : str
        Module that measures it.
    scope : {"vertebra", "scan"}
        `scan`: one value per scan, repeated in the row of each of its vertebrae.
    unit : str
        `mm`, `deg`, `HU`, `ml`, `mm2`, `share`, `ratio`, `grade`, `count`, `flag` (0 or 1), `score`, ...
    low, high : float
        Range that a correct value can have; either may be infinite.
    rows : tuple of int
        Rows of the sign table of the specification.
    sequences : tuple of str
        On which it is defined, of :data:`SEQUENCES`; shape is defined on all.
    needs : tuple of str
        What it needs of :data:`MASKS`.
    direction : {"osteoporotic", "metastatic", "none"}
        Diagnosis for which a *high* value speaks, after the seeds.
    seed : str
        File and lines of the statement, such as `S0 l.19,43`; empty where no seed mentions it.
    reference : str
        Published definition or figure; empty where there is none that is certain.
    caveat : str
        Known translation errors and contradictions; empty where there are none.
    evidence : tuple of str
        Keys of :data:`EVIDENCE`, for the definition and its cut-offs.
    published : tuple of Published
        Published cut-offs and figures, as numbers; empty where none is known.
    sided : {"osteoporotic", "metastatic", ""}
        Of a sign whose value has the sign of a side: the diagnosis for which a large size speaks, whichever
        the side; empty for all others.
    """

    name: str
    label: str
    title: str
    family: str
    scope: str
    unit: str
    low: float
    high: float
    rows: tuple[int, ...]
    sequences: tuple[str, ...]
    needs: tuple[str, ...]
    direction: str
    seed: str
    reference: str
    caveat: str
    evidence: tuple[str, ...]
    published: tuple[Published, ...] = ()
    sided: str = ""

    def holds(self, value: float) -> bool:
        """Tell whether a value lies in the range."""
        return self.low <= value <= self.high


@cache
def registry() -> Mapping[str, Sign]:
    """Return all signs by name, in the order of the file.

    Raises
    ------
    SettingsError
        RV341: an entry is incomplete or contradicts itself.

    Examples
    --------
    >>> registry()["lat_angle"].unit
    'deg'
    """
    file = resources.files("radiomics_vert.signs") / "registry.yaml"
    return parse_registry(yaml.safe_load(file.read_text("utf-8")))


def parse_registry(document: Any) -> Mapping[str, Sign]:
    """Return the signs of a parsed registry file.

    Parameters
    ----------
    document : dict
        `signs`: name -> entry. `all_sequences` in `sequences` stands for all of them.

    Raises
    ------
    SettingsError
        RV341, once for every faulty entry.
    """
    entries = document.get("signs") if isinstance(document, dict) else None
    if not isinstance(entries, dict) or not entries:
        raise SettingsError(_problem("a mapping 'signs' of names to entries", repr(document)[:60], "signs"))
    problems = [
        _problem(expected, found, name)
        for name, entry in entries.items()
        for expected, found in _faults(name, entry)
    ]
    if problems:
        raise SettingsError(*problems)
    return MappingProxyType({name: _sign(name, entry) for name, entry in entries.items()})


def _sign(name: str, entry: Mapping[str, Any]) -> Sign:
    sequences = SEQUENCES if entry["sequences"] == ["all"] else tuple(entry["sequences"])
    low, high = (float(bound) for bound in entry["range"])
    return Sign(
        name=name,
        low=low,
        high=high,
        sequences=sequences,
        rows=tuple(entry["rows"]),
        needs=tuple(entry["needs"]),
        evidence=tuple(entry["evidence"]),
        published=parse_published(entry.get("published", [])),
        sided=entry.get("sided", ""),
        **{key: entry[key] for key in _TEXTS},
    )


_TEXTS = ("label", "title", "family", "scope", "unit", "direction", "seed", "reference", "caveat")
_OPTIONAL = {"published", "sided"}
_KEYS = {field.name for field in fields(Sign)} - {"name", "low", "high"} - _OPTIONAL | {"range"}
_CHOICES = {
    "scope": SCOPES,
    "direction": DIRECTIONS,
}


def _faults(name: str, entry: Any) -> list[tuple[str, str]]:
    """Return what is wrong with an entry, as (expected, found)."""
    if not isinstance(entry, dict) or set(entry) - _OPTIONAL != _KEYS:
        keys = sorted(entry) if isinstance(entry, dict) else entry
        optional = " and ".join(sorted(_OPTIONAL))
        return [(f"exactly the keys {', '.join(sorted(_KEYS))}, perhaps {optional}", str(keys))]
    faults = [
        (f"{key}: one of {', '.join(allowed)}", repr(entry[key]))
        for key, allowed in _CHOICES.items()
        if entry[key] not in allowed
    ]
    known = {"needs": MASKS, "evidence": tuple(EVIDENCE), "sequences": (*SEQUENCES, "all")}
    faults += [
        (f"{key}: some of {', '.join(allowed)}", repr(entry[key]))
        for key, allowed in known.items()
        if not isinstance(entry[key], list) or not set(entry[key]) <= set(allowed)
    ]
    faults += [(f"{key}: text", repr(entry[key])) for key in _TEXTS if not isinstance(entry[key], str)]
    faults += [
        (f"{key}: not empty", "nothing")
        for key in ("label", "title", "family", "unit", "evidence", "sequences")
        if not entry[key]
    ]
    if not name.isidentifier() or name != name.lower():
        faults.append(("a lower-case name that can be a column", repr(name)))
    faults += published_faults(entry.get("published", [])) + _side_faults(entry)
    return faults + _range_faults(entry["range"]) + _row_faults(entry["rows"])


def _side_faults(entry: Mapping[str, Any]) -> list[tuple[str, str]]:
    if "sided" not in entry or (entry["sided"] in DIAGNOSES and entry["direction"] == "none"):
        return []
    return [(f"sided: one of {', '.join(DIAGNOSES)}, with direction none", repr(entry["sided"]))]


def _range_faults(bounds: Any) -> list[tuple[str, str]]:
    numbers = isinstance(bounds, list) and len(bounds) == 2
    numbers = numbers and all(isinstance(bound, (int, float)) for bound in bounds)
    return [] if numbers and bounds[0] < bounds[1] else [("range: [low, high], low below high", repr(bounds))]


def _row_faults(rows: Any) -> list[tuple[str, str]]:
    whole = isinstance(rows, list) and all(isinstance(row, int) and 1 <= row <= 45 for row in rows)
    return [] if whole else [("rows: rows 1 to 45 of the sign table", repr(rows))]


def _problem(expected: str, found: str, name: str) -> Problem:
    return Problem("RV341", expected, found, f"registry.yaml, {name}", "complete or correct the entry")
