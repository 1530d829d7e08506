"""Numbers and names as a reader expects them: three digits, intervals in words, readable features."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from numbers import Real
from typing import Any

import pandas as pd

from radiomics_vert import phrases
from radiomics_vert.dataset.naming import SIGN, parse_feature
from radiomics_vert.signs.registry import registry

ABSENT = "–"

_CLASSES = {
    "shape": "shape",
    "shape2D": "2-D shape",
    "firstorder": "intensity",
    "glcm": "GLCM",
    "glrlm": "GLRLM",
    "glszm": "GLSZM",
    "gldm": "GLDM",
    "ngtdm": "NGTDM",
    "sign": "sign",
}
_FEATURES = {
    "Imc1": "informational measure of correlation 1",
    "Imc2": "informational measure of correlation 2",
    "Idm": "inverse difference moment",
    "Idmn": "inverse difference moment, normalised",
    "Id": "inverse difference",
    "Idn": "inverse difference, normalised",
    "MCC": "maximal correlation coefficient",
    "10Percentile": "10th percentile",
    "90Percentile": "90th percentile",
}
_CAMEL = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])")
_POSIX_PATH = re.compile(r"(?<![\w./:~])~?/(?:[^/\s,;:'\"()]+/)+")
_WINDOWS_PATH = re.compile(r"(?<!\w)[A-Za-z]:[\\/](?:[^\\/\n,;:'\"()]+[\\/])*|\\\\(?:[^\\\s]+\\)+")


def is_absent(value: Any) -> bool:
    """Tell whether a scalar is None, NaN, NaT or empty text."""
    return bool(pd.api.types.is_scalar(value) and (pd.isna(value) or value == ""))


def number(value: Any, digits: int = 3) -> str:
    """Return a number with three significant digits; whole numbers stay whole.

    Examples
    --------
    >>> number(0.81234), number(2534), number(12345.6), number(0.8), number(float("nan"))
    ('0.812', '2534', '12346', '0.800', '–')
    """
    if is_absent(value):
        return ABSENT
    if isinstance(value, bool):
        return "yes" if value else "no"
    x = float(value)
    if not math.isfinite(x):
        return "infinite" if x > 0 else "minus infinite"
    if x.is_integer() and abs(x) < 1e15:
        return str(int(x)).replace("-", "−")
    rounded = abs(float(f"{x:.{digits - 1}e}"))
    if rounded < 1e-3 or rounded >= 1e7:
        return _power(x, digits)
    text = f"{x:.0f}" if rounded >= 10 ** (digits - 1) else f"{x:#.{digits}g}"
    return text.replace("-", "−")


def _power(x: float, digits: int) -> str:
    mantissa, exponent = f"{x:.{digits - 1}e}".split("e")
    return f"{mantissa}e{int(exponent)}".replace("-", "−")


def fixed(value: Any, decimals: int = 2) -> str:
    """Return a number with a fixed count of decimals (AUC, effect sizes).

    Examples
    --------
    >>> fixed(0.8), fixed(-0.004), fixed(None)
    ('0.80', '0.00', '–')
    """
    if is_absent(value):
        return ABSENT
    text = f"{float(value):.{decimals}f}"
    return text.replace("-", "" if float(text) == 0 else "−")


def interval(estimate: Any, low: Any, high: Any, decimals: int = 2) -> str:
    """Return an estimate with its interval.

    Examples
    --------
    >>> interval(0.812, 0.724, 0.881)
    '0.81 (0.72 to 0.88)'
    >>> interval(0.812, None, None)
    '0.81'
    """
    if is_absent(low) or is_absent(high):
        return fixed(estimate, decimals)
    return f"{fixed(estimate, decimals)} ({fixed(low, decimals)} to {fixed(high, decimals)})"


def p_value(p: Any) -> str:
    """Return a p value: three decimals, two above 0.1, and never zero.

    Examples
    --------
    >>> p_value(0.00002), p_value(0.0123), p_value(0.6), p_value(0.9996)
    ('< 0.001', '0.012', '0.60', '> 0.99')
    """
    if is_absent(p):
        return ABSENT
    x = float(p)
    if x < 0.001:
        return "< 0.001"
    if x > 0.99:
        return "> 0.99"
    return f"{x:.2f}" if x >= 0.0995 else f"{x:.3f}"


def percent(part: float, whole: float) -> str:
    """Return a share, with a decimal below 10 per cent.

    Examples
    --------
    >>> percent(3, 40), percent(30, 40), percent(0, 40), percent(1, 0)
    ('7.5 %', '75 %', '0 %', '–')
    """
    if not whole:
        return ABSENT
    share = 100 * part / whole
    return f"{share:.1f} %" if 0 < share < 9.95 else f"{share:.0f} %"


def count(n: Any, singular: str, plural: str = "") -> str:
    """Return a number with its noun.

    Examples
    --------
    >>> count(1, "patient"), count(2, "vertebra", "vertebrae")
    ('1 patient', '2 vertebrae')
    """
    return phrases.count(n, singular, plural, number)


def listing(names: list[str], most: int = 6) -> str:
    """Return names joined by commas and a final "and", shortened when there are many.

    Examples
    --------
    >>> listing(["CT", "T1", "STIR"]), listing(list("abcd"), most=2)
    ('CT, T1 and STIR', 'a, b and 2 more')
    """
    if len(names) > most:
        return f"{', '.join(names[:most])} and {len(names) - most} more"
    return " and ".join([", ".join(names[:-1]), names[-1]] if len(names) > 1 else names)


def readable(feature: str) -> str:
    """Return a feature name that can be read aloud.

    Examples
    --------
    >>> readable("T1__wavelet-LLH_glcm_JointEntropy")
    'Joint entropy (GLCM, wavelet LLH, T1)'
    >>> readable("original_shape_Sphericity")
    'Sphericity (shape)'
    >>> readable("log-sigma-2-0-mm-3D_firstorder_10Percentile")
    '10th percentile (intensity, LoG 2.0 mm)'
    >>> readable("CT__sign_gas_ml")
    'Gas in the body (sign, CT)'
    >>> readable("volume_ml")
    'volume_ml'
    """
    parts = parse_feature(feature)
    if not parts.feature_class:
        return f"{parts.feature} ({parts.sequence})" if parts.sequence else parts.feature
    origin = [_CLASSES[parts.feature_class], _filter(parts.filter), parts.sequence]
    spoken = sign_label(parts.feature) if parts.feature_class == SIGN else _spoken(parts.feature)
    return f"{spoken} ({', '.join(word for word in origin if word)})"


def sign_label(name: str) -> str:
    """Return the label of an imaging sign; of one that the registry does not have, its name as words.

    Examples
    --------
    >>> sign_label("pw_bulge_mm"), sign_label("my_own_sign")
    ('Posterior wall bulge', 'My own sign')
    """
    known = registry().get(name)
    return known.label if known else _spoken(name)


def family_name(family: str) -> str:
    """Return the name of a feature family for a reader.

    Examples
    --------
    >>> family_name("log firstorder"), family_name("wavelet glcm"), family_name("shape")
    ('LoG, intensity', 'Wavelet, GLCM', 'Shape')
    """
    kind, _, feature_class = family.rpartition(" ")
    words = [{"log": "LoG"}.get(kind, kind), _CLASSES.get(feature_class, feature_class)]
    name = ", ".join(word for word in words if word)
    return name[:1].upper() + name[1:]


def _spoken(name: str) -> str:
    if name in _FEATURES:
        words = _FEATURES[name]
    else:
        split = _CAMEL.split(name.replace("_", " "))
        words = " ".join(word if word.isupper() and len(word) > 1 else word.lower() for word in split)
    return words[:1].upper() + words[1:]


def _filter(name: str) -> str:
    if name == "original":
        return ""
    if name.startswith("log-sigma-"):
        digits = name.removeprefix("log-sigma-").split("-mm")[0]
        return f"LoG {digits.replace('-', '.')} mm"
    return name.replace("-", " ")


def sentence_case(name: str) -> str:
    """Return a column or setting name as words.

    Examples
    --------
    >>> sentence_case("n_features"), sentence_case("level_region"), sentence_case("AUC")
    ('Number of features', 'Level region', 'AUC')
    """
    words = re.sub("^n_", "number_of_", str(name)).replace("_", " ").strip()
    return words[:1].upper() + words[1:]


def without_paths(text: str) -> str:
    """Return text in which absolute paths are cut down to their last part.

    A report travels; the folders of the machine that made it are nobody's business.

    Examples
    --------
    >>> without_paths("no such file: /home/ana/study/ct_01.nii.gz, row 3")
    'no such file: ct_01.nii.gz, row 3'
    >>> without_paths("mg/ml and and/or stay")
    'mg/ml and and/or stay'
    """
    return _WINDOWS_PATH.sub("", _POSIX_PATH.sub("", text))


def plain(value: Any) -> str:
    """Return any setting as one line of text: mappings by name, lists, exact numbers, no absolute path.

    Examples
    --------
    >>> plain({"folds": 5, "grid": {"C": [0.1, 1]}, "weights": None}), plain(None), plain(True), plain(-0.05)
    ('folds: 5; grid (C: 0.1, 1)', '–', 'yes', '−0.05')
    """
    if isinstance(value, Mapping):
        given = {name: part for name, part in value.items() if plain(part) != ABSENT}
        return "; ".join(_pair(name, given[name]) for name in sorted(given, key=str)) or ABSENT
    if isinstance(value, list | tuple):
        return ", ".join(plain(part) for part in value) or ABSENT
    if is_absent(value):
        return ABSENT
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, Real):
        return f"{float(value):.10g}".replace("-", "−")
    return without_paths(str(value))


def _pair(name: object, value: Any) -> str:
    return f"{name} ({plain(value)})" if isinstance(value, Mapping) else f"{name}: {plain(value)}"


def cell(value: Any) -> str:
    """Return the cell of a result table: numbers with three significant digits, the rest as it is.

    Examples
    --------
    >>> cell(0.12345), cell("CT"), cell(float("nan"))
    ('0.123', 'CT', '–')
    """
    measured = isinstance(value, Real) and not isinstance(value, bool)
    return number(value) if measured else plain(value)
