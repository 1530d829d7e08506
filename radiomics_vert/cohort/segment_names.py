"""Which segments of a mask are vertebrae, and of which level: by number or by name."""

from __future__ import annotations

from dataclasses import dataclass

from radiomics_vert.cohort.label_ranges import describe_labels
from radiomics_vert.cohort.level_names import matched_level, means_body, mentioned_levels, plain
from radiomics_vert.cohort.levels import Level
from radiomics_vert.cohort.schemes import LabelScheme, load_scheme, scheme_candidates
from radiomics_vert.errors import CohortError, Problem
from radiomics_vert.imaging import Remark, Segment, Segmentation

_NOT_VERTEBRA = ("disc", "disk", "ivd", "rib", "endplate", "canal", "cord")
_SHOWN = 12


@dataclass(frozen=True)
class Selection:
    """The vertebrae among the segments of a mask.

    Parameters
    ----------
    vertebrae : dict of int to (Level or None, tuple of int)
        Case label -> level and segment numbers, from the head down.
    remarks : tuple of Remark
        Named segments that are no vertebra, and names that disagree with the scheme.
    """

    vertebrae: dict[int, tuple[Level | None, tuple[int, ...]]]
    remarks: tuple[Remark, ...] = ()


def reads_names(scheme: LabelScheme, mask: Segmentation) -> bool:
    """Tell whether names decide: the scheme says so, or the mask has no numbers of its own."""
    return bool(scheme.names) or not (mask.numbered or scheme.instances)


def select_vertebrae(scheme: LabelScheme, mask: Segmentation) -> Selection:
    """Return the vertebrae of a mask under a scheme.

    Parameters
    ----------
    scheme : LabelScheme
        Of numbers, of names, or of unnamed instances. Where the mask has no numbers of its own
        (RTSTRUCT, one file per vertebra), names decide under a scheme of numbers, too.
    mask : Segmentation
        Its voxels are not read.

    Returns
    -------
    Selection

    Raises
    ------
    CohortError
        RV108 no vertebra, RV228 a level twice or an ambiguous name, RV235 names and numbers disagree.
    """
    selection = _by_name(scheme, mask) if reads_names(scheme, mask) else _by_number(scheme, mask)
    if not selection.vertebrae:
        raise CohortError(_no_vertebra(scheme, mask))
    return selection


def _by_number(scheme: LabelScheme, mask: Segmentation) -> Selection:
    vertebrae = scheme.split(segment.number for segment in mask.segments)
    if scheme.instances:
        return Selection(vertebrae)
    remarks = []
    for segment in mask.segments:
        said, meant = (
            _level_of(segment, load_scheme("names").names, mask.source),
            scheme.level(segment.number),
        )
        if said is not None and said != meant:
            raise CohortError(_contradiction(scheme, segment, said, meant, mask.source))
        if segment.name and said is None and meant is not None and not _is_generic(segment.name):
            text = f"the segment {segment.name!r} has the number {segment.number}: {meant} under the scheme"
            remarks.append(Remark("RV235", f"{text} {scheme.name!r}"))
    return Selection(vertebrae, tuple(remarks))


def _is_generic(name: str) -> bool:
    """Tell whether a name carries no meaning: `Segment_1`, `Label 20`, `3`."""
    return plain(name).rstrip("0123456789 -.") in ("", "segment", "label", "roi", "mask", "object", "region")


def _by_name(scheme: LabelScheme, mask: Segmentation) -> Selection:
    patterns = scheme.names or load_scheme("names").names
    found = [(segment, _level_of(segment, patterns, mask.source)) for segment in mask.segments]
    bodies = {segment.number for segment, level in found if level and means_body(_meaning(segment))}
    chosen: dict[Level, Segment] = {}
    wants_bodies = scheme.region == "body"
    for segment, level in found:
        if level is None or (segment.number in bodies) != (wants_bodies and bool(bodies)):
            continue
        if level in chosen:
            raise CohortError(_twice(level, chosen[level], segment, mask.source))
        chosen[level] = segment
    for segment, level in found:
        if level and level not in chosen and not wants_bodies:
            raise CohortError(_body_only(scheme, segment, level, mask.source))
    numbers = {segment.number for segment in chosen.values()}
    others = [_meaning(segment) for segment in mask.segments if segment.number not in numbers]
    vertebrae: dict[int, tuple[Level | None, tuple[int, ...]]] = {
        chosen[level].number: (level, (chosen[level].number,)) for level in sorted(chosen)
    }
    return Selection(vertebrae, (Remark("RV232", _listed(others)),) if others else ())


def _meaning(segment: Segment) -> str:
    return segment.name or next((code.meaning for code in segment.codes if code.meaning), "without name")


def _level_of(segment: Segment, patterns: tuple[str, ...], where: str) -> Level | None:
    """Return the level by name and by code; refused when they disagree or cannot be told."""
    try:
        named = matched_level(segment.name, patterns)
        terms = {matched_level(code.meaning, load_scheme("names").names) for code in segment.codes} - {None}
    except ValueError as error:
        raise CohortError(_ambiguous(str(error), where)) from error
    levels = terms | ({named} if named else set())
    if len(levels) > 1:
        shown = ", ".join(sorted(str(level) for level in levels))
        raise CohortError(_ambiguous(f"{segment.name!r}, whose name and codes mean {shown}", where))
    if not levels and _spans_vertebrae(segment.name):
        shown = ", ".join(map(str, mentioned_levels(segment.name)))
        raise CohortError(_ambiguous(f"{segment.name!r}, which could mean {shown}", where))
    return next(iter(levels), None)


def _spans_vertebrae(name: str) -> bool:
    text = plain(name)
    if any(word in text for word in _NOT_VERTEBRA):
        return False
    return "vertebra" in text and len(mentioned_levels(name)) > 1


def _ambiguous(found: str, where: str) -> Problem:
    remedy = "rename the segment after its one level, or give a pattern such as `names: vert_{level}`"
    return Problem("RV228", "names that mean one vertebra each", found, where, remedy)


def _twice(level: Level, first: Segment, second: Segment, where: str) -> Problem:
    return Problem(
        "RV228",
        "one segment for each level",
        f"{level} as {_meaning(first)!r} and as {_meaning(second)!r}",
        where,
        "remove or rename one, or give a pattern that only one matches, such as `names: vert_{level}`",
    )


def _body_only(scheme: LabelScheme, segment: Segment, level: Level, where: str) -> Problem:
    return Problem(
        "RV235",
        f"whole vertebrae, as the scheme {scheme.name!r} says",
        f"{level} only as {_meaning(segment)!r}, a vertebral body",
        where,
        "measure bodies: write `names; region: body` as the scheme",
    )


def _contradiction(
    scheme: LabelScheme, segment: Segment, said: Level, meant: Level | None, where: str
) -> Problem:
    return Problem(
        "RV235",
        f"numbers that mean the same as the names in the mask; {_meaning(segment)!r} is {said}",
        f"number {segment.number}, {meant or 'no vertebra'} under the scheme {scheme.name!r}",
        where,
        "write `names` as the scheme if the names are right; otherwise correct the names in the mask",
    )


def _no_vertebra(scheme: LabelScheme, mask: Segmentation) -> Problem:
    if reads_names(scheme, mask):
        patterns = scheme.names or load_scheme("names").names
        names = [_meaning(segment) for segment in mask.segments]
        return Problem(
            "RV108",
            f"names of vertebrae: {', '.join(patterns[:4])}{', ...' if len(patterns) > 4 else ''}",
            f"segments {_quoted(names)}" if mask.named else f"a {mask.kind} without names",
            mask.source,
            "give a pattern such as `names: vert_{level}` as the scheme"
            if mask.named
            else "name the scheme of the tool that made the mask",
        )
    present = [segment.number for segment in mask.segments]
    wanted = describe_labels(label for labels in scheme.vertebrae.values() for label in labels)
    others = scheme_candidates(present)
    hint = f"; schemes that know all labels of this mask: {', '.join(others)}" if others else ""
    return Problem(
        "RV108",
        f"vertebra labels of the scheme {scheme.name!r}: {wanted or 'any that is not a structure'}",
        f"the labels {describe_labels(present)}",
        mask.source,
        f"name the scheme of the tool that made the mask{hint}",
    )


def _listed(names: list[str]) -> str:
    return f"{len(names)} named segments are no vertebra: {_quoted(names)}"


def _quoted(names: list[str]) -> str:
    return ", ".join(repr(name) for name in names[:_SHOWN]) + (", ..." if len(names) > _SHOWN else "")
