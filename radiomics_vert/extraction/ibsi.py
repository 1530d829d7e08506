"""Conventions in which IBSI and pyradiomics differ: what a parameter file can switch, and how each acts.

IBSI is the Image Biomarker Standardisation Initiative (Zwanenburg et al. 2020, Radiology 295:328,
doi:10.1148/radiol.2020191145). A convention changes a definition, never an engine: both engines take grey
levels, grid and mask from here or from :mod:`radiomics_vert.extraction.grid`, so both support all of them.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, fields
from difflib import get_close_matches
from typing import Any

import numpy as np

from radiomics_vert.errors import Problem
from radiomics_vert.extraction.settings import resamples

_CHOICES: dict[str, tuple[str, str]] = {  # pyradiomics' own first, IBSI's second
    "grid": ("corner", "centre"),
    "mask": ("nearest", "partial_volume"),
    "rounding": ("none", "nearest"),
    "bins": ("zero", "range"),
    "kurtosis": ("plain", "excess"),
    "axes": ("population", "sample"),
}
_SLICES = ("merged", "averaged")
_BASES = ("pyradiomics", "ibsi")
_LENGTHS = ("MajorAxisLength", "MinorAxisLength", "LeastAxisLength")
_PREPARING = ("grid", "mask", "rounding")


@dataclass(frozen=True)
class Conventions:
    """The section `conventions` of a parameter file; the defaults are those of pyradiomics.

    Parameters
    ----------
    grid : {"corner", "centre"}
        Which points of the original and of the resampled image coincide.
    mask : {"nearest", "partial_volume"}
        A resampled mask takes its nearest voxel, or those of which at least half lies inside (linear
        interpolation, threshold 0.5).
    rounding : {"none", "nearest"}
        `nearest`: resampled intensities become whole numbers, as those of CT are.
    bins : {"zero", "range"}
        `zero`: bins of a fixed width start at a multiple of it. `range`: they start at the lower limit of
        `resegmentRange`, or at the region's minimum where there is none (and on filtered images, which
        have other units); a fixed number of bins divides the range by IBSI's formula.
    kurtosis : {"plain", "excess"}
        `excess`: 0 for a normal distribution, 3 less than pyradiomics.
    axes : {"population", "sample"}
        Axis lengths from the variance of voxel positions with the divisor n, or n - 1.
    slices : {"merged", "averaged"}
        Only with `force2D`: one matrix over all slices (IBSI: 2.5D), or features averaged over slices
        (IBSI: 2D). IBSI defines both.

    Examples
    --------
    >>> Conventions.from_section("ibsi").kurtosis
    'excess'
    >>> Conventions.from_section({"base": "ibsi", "rounding": "none"}).rounding
    'none'
    """

    grid: str = "corner"
    mask: str = "nearest"
    rounding: str = "none"
    bins: str = "zero"
    kurtosis: str = "plain"
    axes: str = "population"
    slices: str = "merged"

    @classmethod
    def from_section(cls, section: str | Mapping[str, str] | None) -> Conventions:
        """Complete a section in which :func:`convention_faults` found nothing wrong."""
        given = {"base": section} if isinstance(section, str) else dict(section or {})
        base = _BASES.index(given.pop("base", "pyradiomics"))
        return cls(**{**{key: choices[base] for key, choices in _CHOICES.items()}, **given})

    @property
    def changed(self) -> dict[str, str]:
        """What differs from pyradiomics."""
        return {key: value for key, value in asdict(self).items() if value != getattr(Conventions(), key)}

    def narrowed(self, settings: Mapping[str, Any], image_type: str | None) -> dict[str, Any]:
        """Return what of the conventions a step reads, as plain values; empty for pyradiomics' own.

        Parameters
        ----------
        settings : mapping
            What else the step reads.
        image_type : str or None
            None for shape.
        """
        kept = self.changed
        unread = {"bins", "kurtosis", "slices"} if image_type is None else {"axes"}
        if not resamples(settings):
            unread |= set(_PREPARING)
        if image_type is None and settings.get("resegmentRange") is None:
            unread.add("rounding")
        if not settings["force2D"]:
            unread.add("slices")
        read: dict[str, Any] = {key: value for key, value in kept.items() if key not in unread}
        if "bins" in read:
            read["bin_origin"] = _origin(settings, image_type)
            del read["bins"]
        return read


def _origin(settings: Mapping[str, Any], image_type: str | None) -> float | str:
    limits = settings.get("resegmentRange")
    if limits is None or settings["resegmentMode"] != "absolute" or image_type != "Original":
        return "minimum"
    return float(min(limits)) if settings.get("binCount") is None else "minimum"


def convention_faults(content: Mapping[str, Any], where: str) -> Iterator[Problem]:
    """Yield everything that is wrong in the section `conventions` of a parameter file.

    Parameters
    ----------
    content : mapping
        The whole file.
    where : str
        The file, for the messages.
    """
    section, place = content.get("conventions"), f"{where}, conventions"
    given = {"base": section} if not isinstance(section, Mapping) else section
    choices = {"base": _BASES, **_CHOICES, "slices": _SLICES}
    wrong = False
    for key, value in given.items() if section is not None else ():
        if key not in choices:
            near = get_close_matches(str(key).lower(), choices, n=1, cutoff=0.5)
            remedy = f"did you mean {near[0]!r}?" if near else "remove it"
            yield Problem("RV303", f"one of {', '.join(choices)}", f"the key {key!r}", place, remedy)
            wrong = True
        elif value not in choices[key]:
            expected = f"one of {', '.join(choices[key])}"
            yield Problem("RV303", expected, repr(value), f"{place}, {key}", "correct the value")
            wrong = True
    if not wrong:
        yield from _clashes(Conventions.from_section(section), content, place)


def _clashes(chosen: Conventions, content: Mapping[str, Any], place: str) -> Iterator[Problem]:
    """Yield conventions that other sections leave without sense."""
    settings, before = content.get("setting") or {}, content.get("preprocessing") or {}
    if chosen.slices == "averaged" and not settings.get("force2D"):
        remedy = "set force2D: true, or leave 'slices' out"
        yield Problem("RV303", "force2D beside slices: averaged", "features in 3-D", place, remedy)
    standardised = settings.get("normalize") or before.get("intensity", "none") != "none"
    if chosen.rounding == "nearest" and standardised:
        yield Problem(
            "RV303",
            "intensities in whole units beside rounding: nearest",
            "standardised intensities, which rounding would reduce to a few values",
            place,
            "write conventions: {base: ibsi, rounding: none}; IBSI rounds CT only",
        )


def convention(settings: Mapping[str, Any], name: str) -> Any:
    """Return what the settings of a step say of a convention; None for pyradiomics' own.

    Parameters
    ----------
    settings : mapping
        Of a step.
    name : str
        A field of :class:`Conventions`, or `bin_origin`.
    """
    return (settings.get("conventions") or {}).get(name)


def preparing(settings: Mapping[str, Any]) -> dict[str, Any]:
    """Return the conventions by which image and mask are resampled."""
    return {name: convention(settings, name) for name in _PREPARING}


def grey_levels(inside: np.ndarray, settings: Mapping[str, Any]) -> np.ndarray:
    """Assign numbers from 1 to grey levels by IBSI's formulas for bins of a fixed width or number.

    Parameters
    ----------
    inside : ndarray of float
        Intensities inside the region.
    settings : mapping
        `binWidth` or `binCount`, and the convention `bin_origin`: where the first bin starts, or `minimum`.

    Returns
    -------
    ndarray of int
        In the order of `inside`.

    Examples
    --------
    >>> own = {"conventions": {"bin_origin": -1000.0}, "binWidth": 25}
    >>> grey_levels(np.array([-1000.0, -976.0, -975.0]), own).tolist()
    [1, 1, 2]
    >>> own = {"conventions": {"bin_origin": "minimum"}, "binCount": 4}
    >>> grey_levels(np.array([0.0, 2.0, 8.0]), own).tolist()
    [1, 2, 4]
    """
    values, count = np.asarray(inside, dtype=float), settings.get("binCount")
    low, high = float(values.min()), float(values.max())
    if count is None:
        origin = convention(settings, "bin_origin")
        start = low if origin == "minimum" else origin
        bins = np.floor((values - start) / settings["binWidth"])
    elif low == high:
        bins = np.zeros(values.shape)
    else:
        bins = np.minimum(np.floor(count * (values - low) / (high - low)), count - 1)
    return np.asarray(bins, dtype=int) + 1


def restated(values: Mapping[str, float], settings: Mapping[str, Any], voxels: int) -> dict[str, float]:
    """Return features whose formulas differ by a constant or a factor, in the conventions of a step.

    Parameters
    ----------
    values : mapping of str to float
        As pyradiomics defines them.
    settings : mapping
        Of the step.
    voxels : int
        Voxels of the mask that shape is measured on.
    """
    excess = convention(settings, "kurtosis") == "excess"
    sample = convention(settings, "axes") == "sample" and voxels > 1
    if not (excess or sample):
        return dict(values)
    stretch = np.sqrt(voxels / (voxels - 1)) if sample else 1.0
    found = dict(values)
    for name, value in values.items():
        feature = name.rpartition("_")[2]
        # Where all intensities are equal, both have 0; any other plain kurtosis is 1 at least.
        if excess and feature == "Kurtosis" and value != 0:
            found[name] = value - 3
        elif feature in _LENGTHS:
            found[name] = float(value * stretch)
    return found


assert {*_CHOICES, "slices"} == {field.name for field in fields(Conventions)}
