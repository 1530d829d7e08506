"""A cache keyed by content, which can say why something was computed again.

An entry's key is the hash of what determines its values: image, mask, parameters of the step,
engine, and the regions that intensities are standardised by.
Beside the entries an index keeps, per case and step, what went into the last computation; it serves
explanations only.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from math import isnan
from pathlib import Path
from typing import Any

from radiomics_vert.cohort import Case
from radiomics_vert.errors import Problem
from radiomics_vert.extraction.engine import Outcome
from radiomics_vert.extraction.params import Step
from radiomics_vert.storage import digest, read_json, write_json

NEVER = "never computed"


@dataclass(frozen=True)
class Ingredients:
    """All that determines the values of one step for one case.

    Parameters
    ----------
    image, mask : str
        Digests of the image file and of the vertebra's own voxels.
    parameters : mapping
        What the step reads.
    engine : mapping
        Engine, its version and its libraries.
    reference : str
        Digest of the regions that the intensities are standardised by; empty where they are not.
    """

    image: str
    mask: str
    parameters: Mapping[str, Any]
    engine: Mapping[str, str]
    reference: str = ""

    @classmethod
    def of(cls, case: Case, step: Step, engine: Mapping[str, str], reference: str = "") -> Ingredients:
        """Return the ingredients of a case and a step; shape does not depend on the reference."""
        used = reference if step.reads_image else ""
        return cls(case.scan.image_digest, case.mask_digest, step.content(), engine, used)

    def content(self) -> dict[str, Any]:
        """Return plain values."""
        return {
            "image": self.image,
            "mask": self.mask,
            "parameters": dict(self.parameters),
            "engine": dict(self.engine),
            "reference": self.reference,
        }

    @property
    def key(self) -> str:
        """The name of the entry."""
        return digest(self.content())


@dataclass(frozen=True)
class Cache:
    """Outcomes on disk.

    Parameters
    ----------
    folder : Path
        Made when the first entry is written.
    """

    folder: Path

    def load(self, ingredients: Ingredients) -> Outcome | None:
        """Return an outcome, or None when there is no entry that can be read."""
        try:
            entry = read_json(self._entry(ingredients.key))
            if entry["ingredients"] != ingredients.content():
                return None
            values = {name: _number(value) for name, value in entry["values"]}
            problem = Problem(**entry["problem"]) if entry["problem"] else None
            return Outcome(values, entry["diagnostics"], problem)
        except (OSError, ValueError, KeyError, TypeError, AttributeError):
            return None

    def store(self, ingredients: Ingredients, case: Case, step: Step, outcome: Outcome) -> None:
        """Write an outcome, whole or not at all, and note what it was made from."""
        # Pairs, not a mapping: the order of the columns is part of the table's bytes.
        values = [[name, None if isnan(value) else value] for name, value in outcome.values.items()]
        entry = {
            "ingredients": ingredients.content(),
            "values": values,
            "diagnostics": dict(outcome.diagnostics),
            "problem": vars(outcome.problem) if outcome.problem else None,
        }
        write_json(self._entry(ingredients.key), entry)
        write_json(self._note(case, step.name), ingredients.content())

    def reason(self, ingredients: Ingredients, case: Case, step: Step) -> str:
        """Say why an outcome that could not be loaded is needed."""
        if self._entry(ingredients.key).exists():
            return "cache entry cannot be read"
        try:
            last = read_json(self._note(case, step.name))
            return _difference(last, ingredients.content())
        except FileNotFoundError:
            return NEVER
        except (OSError, ValueError, KeyError, TypeError, AttributeError):
            return "cache index cannot be read"

    def _entry(self, key: str) -> Path:
        return self.folder / "entries" / key[:2] / f"{key}.json"

    def _note(self, case: Case, step: str) -> Path:
        name = digest([case.case_id, step])
        return self.folder / "index" / name[:2] / f"{name}.json"


def _number(value: float | None) -> float:
    return float("nan") if value is None else float(value)


def _difference(last: Mapping[str, Any], now: Mapping[str, Any]) -> str:
    reasons = [f"{part} changed" for part in ("image", "mask", "reference") if last[part] != now[part]]
    for part in ("parameters", "engine"):
        changes = _changes(last[part], now[part])
        if changes:
            reasons.append(f"{part} changed: {', '.join(changes)}")
    return "; ".join(reasons) or "cache entry is missing"


def _changes(last: Mapping[str, Any], now: Mapping[str, Any]) -> list[str]:
    names = sorted({*last, *now})
    return [
        f"{name} {_shown(last, name)} -> {_shown(now, name)}"
        for name in names
        if last.get(name, ...) != now.get(name, ...)
    ]


def _shown(content: Mapping[str, Any], name: str) -> str:
    return str(content[name]) if name in content else "(absent)"
