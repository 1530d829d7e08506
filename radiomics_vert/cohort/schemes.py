"""Label schemes: what the numbers in a mask mean. The schemes are data files; this is their only reader."""

from __future__ import annotations

import difflib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from functools import cache
from importlib import resources
from itertools import pairwise
from pathlib import Path
from typing import Any

import yaml

from radiomics_vert.cohort.levels import Level
from radiomics_vert.cohort.scheme_parsing import (
    SchemeParts,
    is_names_text,
    parse_document,
    parse_inline,
    parse_names,
    parse_nnunet,
)
from radiomics_vert.errors import CohortError, Problem
from radiomics_vert.storage import parse_yaml

_FOLDER = resources.files("radiomics_vert.cohort") / "label_schemes"


@dataclass(frozen=True)
class LabelScheme:
    """What the numbers in a mask mean.

    Parameters
    ----------
    name : str
        How the manifest calls it.
    title, source : str
        Which tools write it, and where its numbers were seen.
    vertebrae : mapping of Level to tuple of int
        Label values of each vertebra, from the head down; the first is the one that cases carry.
    discs, endplates : mapping of Level to tuple of int
        Discs by the vertebra above them; endplates by their vertebra.
    structures : mapping of str to tuple of int
        Further named labels (`canal`, `cord`, `sacrum`, ...), never measured as vertebrae.
    body : tuple of int
        Label values of vertebral bodies in the sub-region mask that goes with this scheme.
    other : tuple of int
        Labels that the tool also writes and that play no part here.
    region : {"vertebra", "body"}
        What a vertebra label covers: the whole vertebra, or its body only.
    instances : bool
        Every label without another meaning is one vertebra of unknown level.
    names : tuple of str
        Patterns such as `vert_{level}`: the mask names its own segments, and its numbers mean nothing.
    """

    name: str
    title: str = ""
    source: str = ""
    vertebrae: Mapping[Level, tuple[int, ...]] = field(default_factory=dict)
    discs: Mapping[Level, tuple[int, ...]] = field(default_factory=dict)
    endplates: Mapping[Level, tuple[int, ...]] = field(default_factory=dict)
    structures: Mapping[str, tuple[int, ...]] = field(default_factory=dict)
    body: tuple[int, ...] = ()
    other: tuple[int, ...] = ()
    region: str = "vertebra"
    instances: bool = False
    names: tuple[str, ...] = ()

    @property
    def separates_vertebrae(self) -> bool:
        """Whether a mask of this scheme tells one vertebra from the next."""
        return self.instances or bool(self.vertebrae) or bool(self.names)

    @property
    def direction(self) -> str:
        """`caudal` when labels grow from head to feet, `cranial` the other way, `none` when unnamed."""
        firsts = [labels[0] for labels in self.vertebrae.values()]
        growing = sum(1 if after > before else -1 for before, after in pairwise(firsts))
        return "none" if growing == 0 else ("caudal" if growing > 0 else "cranial")

    def level(self, label: int) -> Level | None:
        """Return the vertebral level of a label value, None when it names no vertebra."""
        return next((level for level, labels in self.vertebrae.items() if label in labels), None)

    def label(self, level: Level) -> int:
        """Return the label value that a case of this level carries.

        Raises
        ------
        KeyError
            The scheme does not name this level.
        """
        return self.vertebrae[level][0]

    def known(self) -> frozenset[int]:
        """Return every label value that the scheme gives a meaning, sub-regions left out."""
        groups = (self.vertebrae, self.discs, self.endplates, self.structures)
        named = {label for group in groups for labels in group.values() for label in labels}
        return frozenset(named | set(self.other))

    def split(self, labels: Iterable[int]) -> dict[int, tuple[Level | None, tuple[int, ...]]]:
        """Return the vertebrae among label values present in a mask.

        Parameters
        ----------
        labels : iterable of int
            Label values that occur in the mask.

        Returns
        -------
        dict
            Case label -> (level, label values of this vertebra that are present), from the head
            down; unnamed instances come by number, with level None.
        """
        present = sorted(set(labels) - {0})
        if self.instances:
            known = self.known()
            return {label: (None, (label,)) for label in present if label not in known}
        found = {level: tuple(v for v in values if v in present) for level, values in self.vertebrae.items()}
        return {self.label(level): (level, values) for level, values in found.items() if values}


def scheme_names() -> list[str]:
    """Return the names of the schemes that come with the package, sorted."""
    return sorted(
        file.name.removesuffix(".yaml") for file in _FOLDER.iterdir() if file.name.endswith(".yaml")
    )


def load_scheme(name_or_path: str | Path) -> LabelScheme:
    """Return a label scheme by name, from a file, or from text.

    Parameters
    ----------
    name_or_path : str or Path
        A name of :func:`scheme_names`; a path to a YAML file of the same form, or to an nnU-Net
        `dataset.json`; or inline text such as `L1=1; L2=2` or `L1-L5=20-24; body=49,50`, for masks that name
        their segments `names: vert_{level}` or `names; region: body`.

    Returns
    -------
    LabelScheme

    Raises
    ------
    CohortError
        RV107 no such scheme, RV115 the scheme contradicts itself or cannot be read.

    Examples
    --------
    >>> load_scheme("verse").level(20)
    <Level.L1: 'L1'>
    >>> load_scheme("L1=1; L2=2").label(Level.L2)
    2
    """
    text = str(name_or_path).strip()
    if text in scheme_names():
        return _bundled(text)
    if is_names_text(text) and not Path(text).is_file():
        return _names(text)
    if "=" in text and not Path(text).is_file():
        return _build(parse_inline(text))
    if Path(text).suffix.lower() in (".yaml", ".yml", ".json"):
        return _from_file(Path(text))
    raise CohortError(_unknown(text))


def _names(text: str) -> LabelScheme:
    parts = parse_names(text)
    return replace(_build(parts), names=parts["names"] or _bundled("names").names)


@cache
def _bundled(name: str) -> LabelScheme:
    document = yaml.safe_load((_FOLDER / f"{name}.yaml").read_text("utf-8"))
    return _build(parse_document(document, name, f"label_schemes/{name}.yaml"))


def _from_file(path: Path) -> LabelScheme:
    if not path.is_file():
        raise CohortError(
            Problem(
                "RV101",
                "a label scheme file",
                "no such file",
                str(path),
                f"correct the path, or use one of the schemes {', '.join(scheme_names())}",
            )
        )
    is_json = path.suffix.lower() == ".json"
    try:
        content = path.read_text("utf-8-sig")
        document: Any = json.loads(content) if is_json else parse_yaml(content)
    except (yaml.YAMLError, json.JSONDecodeError, UnicodeDecodeError) as error:
        raise CohortError(
            Problem(
                "RV115",
                f"a {'JSON' if is_json else 'YAML'} file in UTF-8",
                " ".join(str(error).split()),
                str(path),
                "mend the syntax at the named place",
            )
        ) from error
    if is_json and isinstance(document, dict) and "labels" in document:
        return _build(parse_nnunet(document["labels"], path.stem, str(path)))
    return _build(parse_document(document, path.stem, str(path)))


def _build(parts: SchemeParts) -> LabelScheme:
    return LabelScheme(**parts)


def _unknown(text: str) -> Problem:
    near = difflib.get_close_matches(text.lower(), scheme_names(), n=1, cutoff=0.5)
    hint = f"did you mean {near[0]}? " if near else ""
    return Problem(
        "RV107",
        f"one of {', '.join(scheme_names())}; a path to a .yaml or .json file; or text such as 'L1=1; L2=2'",
        repr(text),
        "label scheme",
        f"{hint}name the scheme of the tool that made the mask",
    )


def scheme_candidates(labels: Iterable[int], *, ascending: str | None = None) -> list[str]:
    """Return the schemes under which every label present has a meaning and one is a vertebra.

    Parameters
    ----------
    labels : iterable of int
        Label values of a mask.
    ascending : {"caudal", "cranial"}, optional
        Which way the labels grow in the image, when that is known; it rules out half of the schemes.

    Examples
    --------
    >>> scheme_candidates([27, 28, 52, 117])
    ['totalsegmentator']
    """
    present = set(labels) - {0}
    found = []
    for name in scheme_names():
        scheme = _bundled(name)
        fits = not scheme.instances and bool(scheme.split(present)) and present <= scheme.known()
        if fits and ascending in (None, scheme.direction):
            found.append(name)
    return found


def detect_scheme(labels: Iterable[int], *, ascending: str | None = None) -> list[str]:
    """Return the schemes that fit a mask, all of which read its labels in the same way.

    A help to fill in the manifest; nothing in the package calls it to decide for the user.

    Parameters
    ----------
    labels : iterable of int
        Label values of a mask.
    ascending : {"caudal", "cranial"}, optional
        Which way the labels grow in the image, when that is known.

    Returns
    -------
    list of str
        One or more names; where more than one, they name the same levels and the same region.

    Raises
    ------
    CohortError
        RV107: no scheme fits, or those that fit disagree about a level.

    Examples
    --------
    >>> detect_scheme([1, 2, 3, 4, 5, 100, 201, 202])
    ['spider']
    """
    present = sorted(set(labels) - {0})
    names = scheme_candidates(present, ascending=ascending)
    readings = {name: _reading(_bundled(name), present) for name in names}
    if names and len(set(readings.values())) == 1:
        return names
    found = "; ".join(f"{name}: {reading}" for name, reading in readings.items()) or "no scheme that fits"
    raise CohortError(
        Problem(
            "RV107",
            "labels that only one reading fits",
            f"labels {', '.join(map(str, present))} -> {found}",
            "label scheme",
            "name the scheme of the tool that made the mask: the numbers alone do not tell",
        )
    )


def _reading(scheme: LabelScheme, present: list[int]) -> str:
    levels = ", ".join(str(level) for level, _ in scheme.split(present).values())
    return f"{levels} ({'bodies' if scheme.region == 'body' else 'whole vertebrae'})"
