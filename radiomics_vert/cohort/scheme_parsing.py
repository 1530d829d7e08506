"""From a scheme document (YAML, nnU-Net `dataset.json`, inline text) to checked parts."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any, TypedDict

from radiomics_vert.cohort.label_ranges import assign, expand_labels
from radiomics_vert.cohort.level_names import pattern_fault
from radiomics_vert.cohort.levels import Level
from radiomics_vert.errors import CohortError, Problem, raise_all

REGIONS = ("vertebra", "body")
_KEYS = (
    "name", "title", "source", "region", "instances",
    "vertebrae", "discs", "endplates", "structures", "body", "other", "names",
)  # fmt: skip
_LEVEL_KEY = re.compile(r"^(C|T|TH|L|S)\d+(-(C|T|TH|L|S)\d+)?$|^(SACRUM|COCCYX)$", re.IGNORECASE)
_NAMES_TEXT = re.compile(r"^\s*names\s*($|[:=;])", re.IGNORECASE)
_NAMES_REMEDY = "write a pattern with {level} once, such as `names: vert_{level}`"
_PREFIX = re.compile(r"^vertebra(e|l_body)?[\s_-]*", re.IGNORECASE)


class SchemeParts(TypedDict, total=False):
    """The fields of a `LabelScheme`."""

    name: str
    title: str
    source: str
    region: str
    instances: bool
    vertebrae: dict[Level, tuple[int, ...]]
    discs: dict[Level, tuple[int, ...]]
    endplates: dict[Level, tuple[int, ...]]
    structures: dict[str, tuple[int, ...]]
    body: tuple[int, ...]
    other: tuple[int, ...]
    names: tuple[str, ...]


def parse_document(document: Any, name: str, where: str) -> SchemeParts:
    """Return the checked parts of a scheme document.

    Parameters
    ----------
    document : mapping
        The keys `title, source, region, instances, vertebrae, discs, endplates, structures, body,
        other, names`; only one of `vertebrae`, `instances`, `body` and `names` is required.
    name : str
        Name of the scheme unless the document has one.
    where : str
        The file, for messages.

    Raises
    ------
    CohortError
        RV115, with all problems of the document.
    """
    if not isinstance(document, Mapping):
        found = f"a {type(document).__name__}"
        raise CohortError(_invalid("a mapping with the key 'vertebrae'", found, where))
    problems = [
        _invalid(f"the keys {', '.join(_KEYS)}", f"unknown key {key!r}", where)
        for key in document
        if key not in _KEYS
    ]
    parts: SchemeParts = {
        "name": str(document.get("name", name)),
        "title": " ".join(str(document.get("title", "")).split()),
        "source": " ".join(str(document.get("source", "")).split()),
        "region": str(document.get("region", "vertebra")),
        "instances": document.get("instances", False) is True,
        "vertebrae": dict(sorted(_levels(document, "vertebrae", where, problems).items())),
        "discs": _levels(document, "discs", where, problems),
        "endplates": _levels(document, "endplates", where, problems),
        "structures": _names(document, where, problems),
        "body": _labels(document.get("body", []), f"{where}, body", problems),
        "other": _labels(document.get("other", []), f"{where}, other", problems),
        "names": _patterns(document.get("names", []), f"{where}, names", problems),
    }
    problems.extend(_contradictions(parts, where))
    raise_all(CohortError, problems)
    return parts


def parse_inline(text: str) -> SchemeParts:
    """Return the parts of inline text such as `L1=1; L2=2; canal=61; body=49,50`.

    Keys that look like a level or a range of levels are vertebrae; `body` and `region` mean what they
    mean in a file; every other key is a named structure.

    Raises
    ------
    CohortError
        RV115, with all problems of the text.
    """
    where = f"label scheme {text!r}"
    document: dict[str, Any] = {"vertebrae": {}, "structures": {}}
    problems = []
    for item in filter(None, (part.strip() for part in re.split(r"[;\n]", text))):
        key, separator, value = (part.strip() for part in item.partition("="))
        home = document["vertebrae"] if _LEVEL_KEY.match(key) else document["structures"]
        home = document if key in ("body", "region") else home
        if not separator or not key or not value:
            problems.append(_invalid("NAME=NUMBER, separated by ';'", repr(item), where))
        elif key in home:
            problems.append(_invalid("every name once", f"{key!r} twice", where))
        else:
            home[key] = value
    raise_all(CohortError, problems)
    return parse_document(document, text, where)


def is_names_text(text: str) -> bool:
    """Tell whether inline text is a scheme of names."""
    return bool(_NAMES_TEXT.match(text))


def parse_names(text: str) -> SchemeParts:
    """Return the parts of inline text such as `names: vert_{level} | {level}_corpus; region: body`.

    `names` alone stands for the patterns that come with the package; then `names` in the parts is empty.

    Raises
    ------
    CohortError
        RV115, with all problems of the text.
    """
    where = f"label scheme {text!r}"
    document: dict[str, Any] = {}
    problems = []
    for item in (part.strip() for part in text.split(";")):
        match = re.fullmatch(r"(names|region|body)\s*(?:[:=]\s*(.+))?", item, re.IGNORECASE | re.DOTALL)
        key, value = (match[1].lower(), match[2]) if match else ("", None)
        if not match or (value is None and key != "names"):
            expected = "names[: PATTERN | PATTERN], region: body or body: NUMBERS, separated by ';'"
            problems.append(_invalid(expected, repr(item), where, _NAMES_REMEDY))
        elif key in document:
            problems.append(_invalid("every key once", f"{key!r} twice", where, _NAMES_REMEDY))
        elif key == "names":
            document[key] = [] if value is None else [part.strip() for part in value.split("|")]
        else:
            document[key] = str(value).strip()
    raise_all(CohortError, problems)
    patterns = document["names"]
    parts = parse_document({**document, "names": patterns or ["{level}"]}, text, where)
    return parts if patterns else {**parts, "names": ()}


def parse_nnunet(labels: Any, name: str, where: str) -> SchemeParts:
    """Return the parts of the `labels` of an nnU-Net `dataset.json`, version 1 or 2.

    Names that end in a level (`L1`, `vertebrae_L1`) are vertebrae; all others are structures.

    Raises
    ------
    CohortError
        RV115: the labels are no mapping, or contradict each other.
    """
    if not isinstance(labels, Mapping):
        raise CohortError(_invalid("'labels' as a mapping of names to numbers", repr(labels), where))
    document: dict[str, Any] = {"vertebrae": {}, "structures": {}, "title": "nnU-Net dataset"}
    for key, value in labels.items():
        # Version 1 of nnU-Net wrote {"1": "L1"}, version 2 writes {"L1": 1}.
        title, number = (str(value), key) if str(key).isdigit() else (str(key), value)
        if str(number) == "0":
            continue
        level = _PREFIX.sub("", title)
        home = "vertebrae" if _LEVEL_KEY.match(level) else "structures"
        document[home][level if home == "vertebrae" else title] = number
    return parse_document(document, name, where)


def _levels(
    document: Mapping[str, Any], key: str, where: str, problems: list[Problem]
) -> dict[Level, tuple[int, ...]]:
    found: dict[Level, tuple[int, ...]] = {}
    for levels, labels in _items(document, key, where, problems):
        try:
            assigned = assign(str(levels), labels)
        except ValueError as error:
            remedy = "write lines such as 'L1-L5: 20-24' or 'T13: 28'"
            problems.append(
                _invalid("a level or range of levels and its labels", str(error), f"{where}, {key}", remedy)
            )
            continue
        problems.extend(
            _invalid("every level once", f"{level} twice", f"{where}, {key}")
            for level in assigned
            if level in found
        )
        found.update(assigned)
    return found


def _names(document: Mapping[str, Any], where: str, problems: list[Problem]) -> dict[str, tuple[int, ...]]:
    return {
        str(name): _labels(labels, f"{where}, structures, {name}", problems)
        for name, labels in _items(document, "structures", where, problems)
    }


def _items(
    document: Mapping[str, Any], key: str, where: str, problems: list[Problem]
) -> Iterator[tuple[Any, Any]]:
    group = document.get(key) or {}
    if isinstance(group, Mapping):
        yield from group.items()
    else:
        problems.append(_invalid("a mapping of names to labels", repr(group), f"{where}, {key}"))


def _labels(value: Any, where: str, problems: list[Problem]) -> tuple[int, ...]:
    try:
        return tuple(label for part in expand_labels(value) for label in part)
    except ValueError as error:
        problems.append(_invalid("whole numbers from 1 to 65535", str(error), where))
        return ()


def _patterns(value: Any, where: str, problems: list[Problem]) -> tuple[str, ...]:
    patterns = [value] if isinstance(value, str) else value
    if not isinstance(patterns, list) or not all(isinstance(one, str) for one in patterns):
        problems.append(_invalid("a list of patterns", repr(value), where, _NAMES_REMEDY))
        return ()
    faults = [pattern_fault(pattern) for pattern in patterns]
    problems.extend(
        _invalid("patterns with {level} once", fault, where, _NAMES_REMEDY) for fault in faults if fault
    )
    return tuple(patterns)


def _contradictions(parts: SchemeParts, where: str) -> Iterator[Problem]:
    if parts["region"] not in REGIONS:
        yield _invalid("region: vertebra or body", repr(parts["region"]), where)
    if parts["names"] and (parts["vertebrae"] or parts["instances"]):
        yield _invalid("either names or numbers of vertebrae", "both", where, "remove one of the two")
    meanings = (parts["vertebrae"], parts["instances"], parts["body"], parts["structures"], parts["names"])
    if not any(meanings):
        yield _invalid("at least one label under 'vertebrae'", "none", where)
    if parts["vertebrae"] and parts["instances"]:
        yield _invalid("either named vertebrae or instances", "both", where, "remove one of the two")
    yield from _repeated(parts, where)


def _repeated(parts: SchemeParts, where: str) -> Iterator[Problem]:
    # `body` stands apart: its labels belong to the sub-region mask, which numbers for itself.
    owners: dict[int, str] = {}
    groups: tuple[Mapping[Any, tuple[int, ...]], ...] = (
        parts["vertebrae"],
        {f"disc below {level}": labels for level, labels in parts["discs"].items()},
        {f"endplates of {level}": labels for level, labels in parts["endplates"].items()},
        parts["structures"],
        {"other": parts["other"]},
    )
    for group in groups:
        for owner, labels in group.items():
            for label in labels:
                if label in owners:
                    yield _invalid(
                        "every label once", f"label {label} as {owners[label]} and as {owner}", where
                    )
                owners.setdefault(label, str(owner))


def _invalid(expected: str, found: str, where: str, remedy: str = "") -> Problem:
    return Problem(
        "RV115",
        expected,
        found,
        where,
        remedy or "compare with the schemes in radiomics_vert/cohort/label_schemes",
    )
