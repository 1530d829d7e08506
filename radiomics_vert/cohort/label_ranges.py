"""The compact notation of label schemes: `L1-L6: 20-25`, `L5-L1: [1-5, 101-105]`, `body: 49-50`."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

from radiomics_vert.cohort.levels import Level

MAX_LABEL = 65535
_RANGE = re.compile(r"^\s*(\d+)\s*(?:-\s*(\d+)\s*)?$")


def expand_labels(value: Any) -> list[list[int]]:
    """Return the label values of a number, a range, or a list of these; one inner list per part.

    Parameters
    ----------
    value : int, str or list
        `7`, `"20-25"`, `"1, 101"`, `["1-5", 101]`. A range may run downwards.

    Raises
    ------
    ValueError
        Not a label: labels are whole numbers from 1 to 65535.

    Examples
    --------
    >>> expand_labels(["3-1", 8])
    [[3, 2, 1], [8]]
    """
    parts = value if isinstance(value, list) else str(value).split(",")
    return [_expand(part) for part in parts]


def _expand(part: Any) -> list[int]:
    match = None if isinstance(part, bool) else _RANGE.match(str(part))
    if not match:
        raise ValueError(f"{part!r} is no label value")
    first = int(match[1])
    last = first if match[2] is None else int(match[2])
    if not (1 <= first <= MAX_LABEL and 1 <= last <= MAX_LABEL):
        raise ValueError(f"label {str(part).strip()} lies outside 1 to {MAX_LABEL}")
    step = 1 if last >= first else -1
    return list(range(first, last + step, step))


def expand_levels(text: str) -> list[Level]:
    """Return the levels of `L3`, or of a range within one region such as `T1-T12` or `L5-L1`.

    T13 is no member of a range: it exists in few people, and schemes number it apart.

    Raises
    ------
    ValueError
        An unknown level, or a range across regions.

    Examples
    --------
    >>> [str(level) for level in expand_levels("L2-L1")]
    ['L2', 'L1']
    """
    first, separator, last = text.partition("-")
    if not separator:
        return [Level.parse(text)]
    start, stop = Level.parse(first), Level.parse(last)
    if start.value[0] != stop.value[0] or start.region == "coccygeal":
        raise ValueError(f"the range {text!r} crosses regions: write one range per region")
    step = 1 if stop >= start else -1
    numbers = range(int(start.value[1:]), int(stop.value[1:]) + step, step)
    return [Level(f"{start.value[0]}{number}") for number in numbers]


def assign(levels: str, labels: Any) -> dict[Level, tuple[int, ...]]:
    """Return the label values of each level of one line of a scheme.

    Parameters
    ----------
    levels : str
        A level or a range of levels.
    labels : int, str or list
        For one level, all its label values. For a range, one or more ranges of the same length: the
        first gives the label that a vertebra carries, the others further labels of the same vertebra.

    Raises
    ------
    ValueError
        The two ranges differ in length.

    Examples
    --------
    >>> assign("L2-L1", ["1-2", "101-102"])[Level.L2]
    (1, 101)
    """
    names, parts = expand_levels(levels), expand_labels(labels)
    if len(names) == 1:
        return {names[0]: tuple(label for part in parts for label in part)}
    for part in parts:
        if len(part) != len(names):
            raise ValueError(
                f"{levels!r} names {len(names)} levels, but {part[0]}-{part[-1]} gives {len(part)} labels"
            )
    return {name: tuple(part[position] for part in parts) for position, name in enumerate(names)}


def describe_labels(labels: Iterable[int]) -> str:
    """Return labels in the compact notation, for messages.

    Examples
    --------
    >>> describe_labels([26, 20, 21, 22])
    '20-22, 26'
    """
    runs: list[list[int]] = []
    for label in sorted(set(labels)):
        if runs and label == runs[-1][-1] + 1:
            runs[-1].append(label)
        else:
            runs.append([label])
    return ", ".join(str(run[0]) if len(run) == 1 else f"{run[0]}-{run[-1]}" for run in runs)
