"""Provenance: what made the report, so that it can be made again."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from radiomics_vert.reporting.cells import facts, listing_table, missing
from radiomics_vert.reporting.inputs import Inputs
from radiomics_vert.reporting.nouns import Item, Section, Text

_WHY = "Without versions, hashes and seeds nobody can repeat the analysis."


def section(inputs: Inputs) -> Section:
    """Return the section."""
    spec = inputs.spec("provenance")
    items: list[Item] = []
    if spec:
        pairs: dict[str, Any] = {}
        for name, head in (
            ("package", "radiomics_vert"),
            ("git", "Study folder, git"),
            ("settings_digest", "Settings, sha256"),
            ("seeds", "Seeds"),
        ):
            if spec.get(name):
                pairs[head] = spec[name]
        items = [
            Text(("The same inputs, settings and versions give this report again, byte for byte.",)),
            *([facts("run", "The run.", pairs)] if pairs else []),
            *_mapping(spec, "versions", "Software versions."),
            *_mapping(spec, "hashes", "Input files, sha256."),
        ]
    else:
        items = [missing("provenance", _WHY)]
    settings = inputs.table("study", "settings")
    if len(settings):
        items.append(listing_table(settings, "settings", "Settings of the study that change results."))
    return Section("provenance", "Provenance", tuple(items))


def _mapping(spec: Mapping[str, Any], name: str, caption: str) -> list[Item]:
    values = spec.get(name)
    if not isinstance(values, Mapping) or not values:
        return []
    return [facts(name, caption, {key: values[key] for key in sorted(values)})]
