"""Vertebral levels: names, anatomical order, regions."""

from __future__ import annotations

import re
from enum import Enum

# Spellings in use: Th12 and D12 (dorsal), and the German BWK 12 / LWK 1 / HWK 7 / SWK 1.
_PREFIXES = {"TH": "T", "D": "T", "BWK": "T", "LWK": "L", "HWK": "C", "SWK": "S"}
_REGIONS = {"C": "cervical", "T": "thoracic", "L": "lumbar", "S": "sacral"}
_PATTERN = re.compile(r"^([A-Z]+)[\s_-]*0*(\d{1,2})$")


class Level(Enum):
    """A vertebral level; levels compare in anatomical order, from the head down.

    T13, L6 and L7 exist in transitional anatomy. `SACRUM` is the whole sacrum, as tools that do not
    separate S1 to S6 label it.

    Examples
    --------
    >>> Level.parse("Th12") < Level.L1
    True
    >>> Level.T12.region
    'thoracic'
    """

    C1 = "C1"
    C2 = "C2"
    C3 = "C3"
    C4 = "C4"
    C5 = "C5"
    C6 = "C6"
    C7 = "C7"
    T1 = "T1"
    T2 = "T2"
    T3 = "T3"
    T4 = "T4"
    T5 = "T5"
    T6 = "T6"
    T7 = "T7"
    T8 = "T8"
    T9 = "T9"
    T10 = "T10"
    T11 = "T11"
    T12 = "T12"
    T13 = "T13"
    L1 = "L1"
    L2 = "L2"
    L3 = "L3"
    L4 = "L4"
    L5 = "L5"
    L6 = "L6"
    L7 = "L7"
    SACRUM = "SACRUM"
    S1 = "S1"
    S2 = "S2"
    S3 = "S3"
    S4 = "S4"
    S5 = "S5"
    S6 = "S6"
    COCCYX = "COCCYX"

    @property
    def order(self) -> int:
        """Position from the head down, 0 for C1."""
        return _ORDER[self]

    @property
    def region(self) -> str:
        """One of `cervical`, `thoracic`, `lumbar`, `sacral`, `coccygeal`."""
        return "coccygeal" if self is Level.COCCYX else _REGIONS[self.value[0]]

    def __lt__(self, other: Level) -> bool:
        return self.order < other.order

    def __le__(self, other: Level) -> bool:
        return self.order <= other.order

    def __gt__(self, other: Level) -> bool:
        return self.order > other.order

    def __ge__(self, other: Level) -> bool:
        return self.order >= other.order

    def __str__(self) -> str:
        return str(self.value)

    @classmethod
    def parse(cls, text: str) -> Level:
        """Return the level that `text` names.

        Parameters
        ----------
        text : str
            `L1`, `l1`, `Th12`, `D12`, `LWK 1`, `sacrum`, ...

        Raises
        ------
        ValueError
            The text names no level.
        """
        name = text.strip().upper()
        match = _PATTERN.match(name)
        if match:
            prefix, number = match.groups()
            name = f"{_PREFIXES.get(prefix, prefix)}{int(number)}"
        try:
            return cls(name)
        except ValueError:
            raise ValueError(
                f"{text!r} is no vertebral level; levels are C1 to COCCYX, such as T12 or L1"
            ) from None


_ORDER = {level: position for position, level in enumerate(Level)}
