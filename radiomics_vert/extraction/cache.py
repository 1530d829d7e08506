"""The cache of extraction: per case and step, keyed by all that determines the values.

That is the image, the mask, the parameters of the step, the engine, and the regions that intensities are
standardised by.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from math import isnan
from pathlib import Path
from typing import Any

from radiomics_vert.cohort import Case
from radiomics_vert.content_cache import ContentCache
from radiomics_vert.errors import Problem
from radiomics_vert.extraction.engine import COMPUTING, Outcome
from radiomics_vert.extraction.params import Step


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
            "version": COMPUTING,
            "image": self.image,
            "mask": self.mask,
            "parameters": dict(self.parameters),
            "engine": dict(self.engine),
            "reference": self.reference,
        }


@dataclass(frozen=True)
class Cache:
    """Outcomes on disk.

    Parameters
    ----------
    folder : Path
        Made when the first entry is written.
    """

    folder: Path

    @property
    def _entries(self) -> ContentCache:
        return ContentCache(self.folder)

    def load(self, ingredients: Ingredients) -> Outcome | None:
        """Return an outcome, or None when there is no entry that can be read."""
        entry = self._entries.load(ingredients.content())
        if entry is None:
            return None
        try:
            values = {name: _number(value) for name, value in entry["values"]}
            problem = Problem(**entry["problem"]) if entry["problem"] else None
            return Outcome(values, entry["diagnostics"], problem)
        except (ValueError, KeyError, TypeError, AttributeError):
            return None

    def store(self, ingredients: Ingredients, case: Case, step: Step, outcome: Outcome) -> None:
        """Write an outcome, whole or not at all, and note what it was made from."""
        # Pairs, not a mapping: the order of the columns is part of the table's bytes.
        values = [[name, None if isnan(value) else value] for name, value in outcome.values.items()]
        entry = {
            "values": values,
            "diagnostics": dict(outcome.diagnostics),
            "problem": vars(outcome.problem) if outcome.problem else None,
        }
        self._entries.store(ingredients.content(), (case.case_id, step.name), entry)

    def reason(self, ingredients: Ingredients, case: Case, step: Step) -> str:
        """Say why an outcome that could not be loaded is needed."""
        return self._entries.reason(ingredients.content(), (case.case_id, step.name))


def _number(value: float | None) -> float:
    return float("nan") if value is None else float(value)
