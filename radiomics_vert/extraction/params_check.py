"""Find what is wrong in the content of a pyradiomics parameter file, all of it at once."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from difflib import get_close_matches
from typing import Any

import pykwalify.core
import pykwalify.errors
from radiomics import getFeatureClasses, getParameterValidationFiles

from radiomics_vert.errors import Problem
from radiomics_vert.extraction.ibsi import convention_faults
from radiomics_vert.extraction.preprocessing import faults
from radiomics_vert.extraction.settings import (
    FEATURE_CLASSES,
    FILTER_SETTINGS,
    FILTERS,
    IGNORED,
    PREPARATION,
    SHARED,
    UNSUITABLE,
)

SECTIONS = ("imageType", "featureClass", "setting", "preprocessing")
KEYS = (*SECTIONS, "conventions")


def check(content: Mapping[str, Any], where: str) -> list[Problem]:
    """Return every fault of a parameter file's content, in file order.

    Parameters
    ----------
    content : mapping
        What the YAML file holds.
    where : str
        The file, for the messages.

    Returns
    -------
    list of Problem
        RV303 each; empty when the content is good.
    """
    problems = [*_keys(content, KEYS, where), *_types(content, where)]
    if problems:
        return problems
    problems = [
        *_keys(content.get("setting") or {}, (*SHARED, *FILTER_SETTINGS, *IGNORED), f"{where}, setting"),
        *_keys(content.get("imageType") or {}, FILTERS, f"{where}, imageType"),
        *_keys(content.get("featureClass") or {}, FEATURE_CLASSES, f"{where}, featureClass"),
        *_own_settings(content, where),
        *_features(content, where),
        *faults(content.get("preprocessing") or {}, content.get("setting") or {}, where),
        *convention_faults(content, where),
    ]
    return problems or [*_schema(content, where), *_consistency(content, where)]


def _problem(expected: str, found: str, where: str, remedy: str) -> Problem:
    return Problem("RV303", expected, found, where, remedy)


def _keys(given: Mapping[str, Any], allowed: Iterable[str], where: str) -> Iterator[Problem]:
    names = sorted(set(allowed))
    for key, value in given.items():
        # A switch that stands on "off" does nothing; example files of pyradiomics carry such lines.
        if key in names or (key in UNSUITABLE and value is False):
            continue
        remedy = UNSUITABLE.get(key) or _nearest(str(key), names)
        yield _problem(f"one of {', '.join(names)}", f"the key {key!r}", where, remedy)


def _nearest(key: str, names: list[str]) -> str:
    folded = {name.lower(): name for name in names}
    close = get_close_matches(key.lower(), folded, n=1, cutoff=0.5)
    return f"did you mean {folded[close[0]]!r}?" if close else "remove it"


def _types(content: Mapping[str, Any], where: str) -> Iterator[Problem]:
    for section in SECTIONS:
        value = content.get(section, {})
        if not isinstance(value, Mapping):
            found = f"{value!r}"
            remedy = f"write entries as 'name: value' below {section}, or remove the section"
            yield _problem("a mapping", found, f"{where}, {section}", remedy)


def _own_settings(content: Mapping[str, Any], where: str) -> Iterator[Problem]:
    """Check settings of single image types; what prepares the image cannot differ between them."""
    for image_type, own in (content.get("imageType") or {}).items():
        place = f"{where}, imageType, {image_type}"
        if not isinstance(own or {}, Mapping):
            yield _problem("settings, or {} for none", repr(own), place, "write {}")
            continue
        allowed = {*SHARED, *FILTERS.get(image_type, {})}
        for key in own or {}:
            if key in PREPARATION or key in {"force2D", "force2Ddimension"}:
                remedy = f"move {key!r} to the section 'setting'"
                found = f"the key {key!r}, which pyradiomics would ignore here"
                yield _problem("settings of the filter and of grey levels", found, place, remedy)
            else:
                yield from _keys({key: own[key]}, allowed, place)


def _features(content: Mapping[str, Any], where: str) -> Iterator[Problem]:
    classes = getFeatureClasses()
    for name, features in (content.get("featureClass") or {}).items():
        if name in FEATURE_CLASSES and isinstance(features, list):
            known = classes[name].getFeatureNames()
            yield from _keys(dict.fromkeys(map(str, features)), known, f"{where}, featureClass, {name}")


def _schema(content: Mapping[str, Any], where: str) -> Iterator[Problem]:
    """Ask pyradiomics' own schema about types and ranges."""
    schema, functions = getParameterValidationFiles()
    with _quiet(logging.getLogger("pykwalify")), warnings.catch_warnings():
        # pykwalify loads its extension files in a way that Python has deprecated.
        warnings.simplefilter("ignore", DeprecationWarning)
        core = pykwalify.core.Core(source_data=_plain(content), schema_files=[schema], extensions=[functions])
        try:
            core.validate(raise_exception=False)
            faults = core.validation_errors_exceptions or []
        except (pykwalify.errors.PyKwalifyException, TypeError, ValueError) as error:
            faults = [error]
    for fault in faults:
        path, value = getattr(fault, "path", ""), getattr(fault, "value", "")
        found = str(getattr(fault, "msg", fault)).replace("{value}", str(value)).replace("{path}", str(path))
        # The schema prints a set, in an order that changes from run to run.
        found = found.split(", possible values")[0]
        remedy = "correct the value; pyradiomics' documentation lists what each setting takes"
        yield _problem("values that pyradiomics accepts", found, f"{where}{path.replace('/', ', ')}", remedy)


def _plain(content: Mapping[str, Any]) -> dict[str, Any]:
    """Leave out what pyradiomics' schema has no word for: empty sections and our own ones."""
    return {
        key: value for key, value in content.items() if value and key not in ("preprocessing", "conventions")
    }


@contextmanager
def _quiet(logger: logging.Logger) -> Iterator[None]:
    before = logger.disabled, {name: logging.getLogger(name).disabled for name in _children(logger)}
    for name in before[1]:
        logging.getLogger(name).disabled = True
    logger.disabled = True
    try:
        yield
    finally:
        logger.disabled = before[0]
        for name, disabled in before[1].items():
            logging.getLogger(name).disabled = disabled


def _children(logger: logging.Logger) -> list[str]:
    prefix = f"{logger.name}."
    return [name for name in logging.Logger.manager.loggerDict if name.startswith(prefix)]


def _consistency(content: Mapping[str, Any], where: str) -> Iterator[Problem]:
    """Check what the schema cannot say: values that only make sense together."""
    settings = content.get("setting") or {}
    place = f"{where}, setting"
    spacing = settings.get("resampledPixelSpacing")
    if spacing is not None and len(spacing) != 3:
        expected = "three spacings in mm (x, y, z); 0 keeps the original one"
        yield _problem(expected, f"{spacing}", f"{place}, resampledPixelSpacing", "write three numbers")
    elif spacing is not None:
        yield from _plane(settings, spacing, place)
    limits = settings.get("resegmentRange")
    if limits is not None and len(limits) not in (1, 2):
        remedy = "write a lower limit, or a lower and an upper one"
        yield _problem("one or two limits", f"{limits}", f"{place}, resegmentRange", remedy)
    log = (content.get("imageType") or {}).get("LoG", "absent")
    if log != "absent" and not ((log or {}).get("sigma") or settings.get("sigma")):
        remedy = "write for example LoG: {sigma: [1.0, 2.0]}"
        yield _problem("sigma, a list of filter widths in mm", "none", f"{where}, imageType, LoG", remedy)


def _plane(settings: Mapping[str, Any], spacing: list[float], where: str) -> Iterator[Problem]:
    """Check the spacing where the slice axis is found per scan: the file can only say 'in-plane a, 0'."""
    if not settings.get("force2D") or settings.get("force2Ddimension") is not None:
        return
    in_plane = [value for value in spacing if value != 0]
    if len(in_plane) != 2 or in_plane[0] != in_plane[1]:
        yield _problem(
            "one 0 (slices stay as they are) and two equal in-plane spacings, because the slice axis "
            "is found for each scan",
            f"{spacing}",
            f"{where}, resampledPixelSpacing",
            "write for example [1, 1, 0], or name the axis with force2Ddimension",
        )
