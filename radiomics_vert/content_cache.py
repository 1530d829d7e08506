"""A cache on disk keyed by content, which can say why something has to be computed again.

An entry's key is the hash of what determines its value. Beside the entries an index keeps, under a name of
the caller's choice, what went into the last value of that name; it serves explanations only.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from radiomics_vert.storage import digest, read_json, write_json

NEVER = "never computed"
Content = Mapping[str, Any]
"""What determines a value: plain values or mappings of them, all of which JSON can hold."""
_UNREADABLE = (OSError, ValueError, KeyError, TypeError, AttributeError)


@dataclass(frozen=True)
class ContentCache:
    """Values on disk.

    Parameters
    ----------
    folder : Path
        Made when the first entry is written.
    """

    folder: Path

    def load(self, content: Content) -> Any | None:
        """Return a value, or None when there is no entry that can be read."""
        try:
            entry = read_json(self._entry(content))
            return entry["value"] if entry["ingredients"] == dict(content) else None
        except _UNREADABLE:
            return None

    def store(self, content: Content, name: Sequence[str], value: Any) -> None:
        """Write a value, whole or not at all, and note under `name` what it was made from."""
        write_json(self._entry(content), {"ingredients": dict(content), "value": value})
        write_json(self._note(name), dict(content))

    def reason(self, content: Content, name: Sequence[str]) -> str:
        """Say why a value that could not be loaded is needed."""
        if self._entry(content).exists():
            return "cache entry cannot be read"
        try:
            return _difference(read_json(self._note(name)), content)
        except FileNotFoundError:
            return NEVER
        except _UNREADABLE:
            return "cache index cannot be read"

    def _entry(self, content: Content) -> Path:
        key = digest(dict(content))
        return self.folder / "entries" / key[:2] / f"{key}.json"

    def _note(self, name: Sequence[str]) -> Path:
        key = digest(list(name))
        return self.folder / "index" / key[:2] / f"{key}.json"


def _difference(last: Content, now: Content) -> str:
    whole = [part for part in now if not isinstance(now[part], Mapping)]
    reasons = [f"{part} changed" for part in whole if last.get(part) != now[part]]
    for part in (part for part in now if part not in whole):
        changes = _changes(last[part], now[part])
        if changes:
            reasons.append(f"{part} changed: {', '.join(changes)}")
    return "; ".join(reasons) or "cache entry is missing"


def _changes(last: Content, now: Content) -> list[str]:
    names = sorted({*last, *now})
    return [
        f"{name} {_shown(last, name)} -> {_shown(now, name)}"
        for name in names
        if last.get(name, ...) != now.get(name, ...)
    ]


def _shown(content: Content, name: str) -> str:
    return str(content[name]) if name in content else "(absent)"
