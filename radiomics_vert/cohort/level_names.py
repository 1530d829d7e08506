"""Levels inside names: `vertebrae_L1`, `First lumbar vertebra`, `vert_{level}`."""

from __future__ import annotations

import re
from functools import lru_cache

from radiomics_vert.cohort.levels import Level

PLACEHOLDER = "{level}"
_ORDINALS = (
    "first", "second", "third", "fourth", "fifth", "sixth",
    "seventh", "eighth", "ninth", "tenth", "eleventh", "twelfth", "thirteenth",
)  # fmt: skip
_REGIONS = {"cervical": "C", "thoracic": "T", "dorsal": "T", "lumbar": "L", "sacral": "S"}
_SHORT = r"(?:th|bwk|lwk|hwk|swk|c|t|d|l|s) ?-?0*\d{1,2}"
_REGION = "|".join(_REGIONS)
_WORDS = (
    rf"(?:{'|'.join(_ORDINALS)}|\d{{1,2}}(?:st|nd|rd|th)|\d{{1,2}}\.) (?:{_REGION})|(?:{_REGION}) \d{{1,2}}"
)
_LEVEL = rf"(?:{_SHORT}|{_WORDS})"
_ANYWHERE = re.compile(rf"(?<![a-z0-9]){_LEVEL}(?![a-z0-9])")
_BODY = re.compile(r"(?<![a-z])(body|corpus)(?![a-z])")


def plain(name: str) -> str:
    """Return a name in lower case with single blanks instead of underscores and runs of blanks.

    Examples
    --------
    >>> plain("Vertebrae_L1 ")
    'vertebrae l1'
    """
    return re.sub(r"[\s_]+", " ", name).strip().casefold()


def pattern_fault(pattern: str) -> str:
    """Return what is wrong with a pattern of names, empty when nothing is.

    Examples
    --------
    >>> pattern_fault("vert_{lvl}")
    "no placeholder {level} in 'vert_{lvl}'"
    """
    if pattern.count(PLACEHOLDER) == 0:
        return f"no placeholder {PLACEHOLDER} in {pattern!r}"
    if pattern.count(PLACEHOLDER) > 1:
        return f"more than one placeholder {PLACEHOLDER} in {pattern!r}"
    rest = pattern.replace(PLACEHOLDER, "")
    return f"a brace in {pattern!r} that is no {PLACEHOLDER}" if re.search(r"[{}]", rest) else ""


def matched_level(name: str, patterns: tuple[str, ...]) -> Level | None:
    """Return the level that a name means under patterns, None when it matches none.

    Parameters
    ----------
    name : str
        As the mask spells it.
    patterns : tuple of str
        Whole names with `{level}` once; `*` stands for any text. Upper and lower case, blanks and
        underscores are alike.

    Raises
    ------
    ValueError
        The name could mean several levels.

    Examples
    --------
    >>> matched_level("Vertebra_Th12", ("vertebra {level}",))
    <Level.T12: 'T12'>
    >>> matched_level("First lumbar vertebra", ("{level} vertebra",))
    <Level.L1: 'L1'>
    """
    text = plain(name)
    found = {level for level in (_match(text, pattern) for pattern in patterns) if level}
    mentioned = set(mentioned_levels(name))
    if len(found) > 1 or (found and len(mentioned) > 1):
        shown = ", ".join(str(level) for level in sorted(found | mentioned))
        raise ValueError(f"{name!r} could mean {shown}")
    return next(iter(found), None)


def mentioned_levels(name: str) -> list[Level]:
    """Return the levels that a name mentions anywhere, in its order and without repetition.

    Examples
    --------
    >>> [str(level) for level in mentioned_levels("disc L1/L2")]
    ['L1', 'L2']
    """
    levels = (_parse(match[0]) for match in _ANYWHERE.finditer(plain(name)))
    return list(dict.fromkeys(level for level in levels if level))


def means_body(name: str) -> bool:
    """Tell whether a name speaks of a vertebral body."""
    return bool(_BODY.search(plain(name)))


@lru_cache(maxsize=256)
def _compiled(pattern: str) -> re.Pattern[str]:
    parts = (re.escape(part).replace(r"\*", ".*") for part in plain(pattern).split(PLACEHOLDER))
    return re.compile(f"(?P<level>{_LEVEL})".join(parts))


def _match(text: str, pattern: str) -> Level | None:
    match = _compiled(pattern).fullmatch(text)
    return _parse(match["level"]) if match else None


def _parse(text: str) -> Level | None:
    words = text.split()
    region = next((word for word in words if word in _REGIONS), "")
    if region:
        other = next(word for word in words if word != region)
        number = _ORDINALS.index(other) + 1 if other in _ORDINALS else int(re.sub(r"\D", "", other))
        text = f"{_REGIONS[region]}{number}"
    try:
        return Level.parse(text)
    except ValueError:
        return None
