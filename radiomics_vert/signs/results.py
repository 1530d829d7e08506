"""What families hand over, and what one scan's measurement is."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TypeAlias

import pandas as pd

from radiomics_vert.signs.nouns import Value

SCAN = 0
"""Key, in place of a label, of signs with one value per scan."""

Measured: TypeAlias = Mapping[int, Mapping[str, Value]]
"""By label (or :data:`SCAN`), signs by name: a number, or why there is none."""


@dataclass(frozen=True, eq=False)
class ScanSigns:
    """The signs of one scan.

    Parameters
    ----------
    values : DataFrame
        One row per vertebra, from the head down: `case_id`, `level`, and a column for every sign of the
        registry; NaN where it is absent.
    absences : DataFrame
        One row per absent value: `case_id`, `sign`, `code`, `reason`.
    facts : DataFrame
        One row per vertebra: `case_id`, where its body comes from, quality of its frame, flags, and the
        case ids of its reference vertebrae.
    """

    values: pd.DataFrame
    absences: pd.DataFrame
    facts: pd.DataFrame
