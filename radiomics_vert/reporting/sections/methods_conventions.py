"""What the methods text says of definitions in which pyradiomics and IBSI differ."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

REFERENCE = (
    "Zwanenburg et al. 2020, Radiology 295:328, doi:10.1148/radiol.2020191145 (image biomarker "
    "standardisation initiative, IBSI)"
)
_WORDS = {  # value in pyradiomics' words, in IBSI's words
    "grid": {
        "corner": "resampled grid aligned to the corner of the image",
        "centre": "resampled grid aligned to the centre of the image",
    },
    "mask": {
        "nearest": "masks resampled by nearest neighbours",
        "partial_volume": "masks resampled linearly with a threshold of 0.5",
    },
    "rounding": {
        "none": "no rounding of resampled intensities",
        "nearest": "resampled intensities rounded to whole numbers",
    },
    "bins": {
        "zero": "grey-level bins from multiples of their width",
        "range": "grey-level bins from the lower limit of resegmentation, or else the minimum of the region",
    },
    "kurtosis": {"plain": "kurtosis 3 for a normal distribution", "excess": "excess kurtosis"},
    "axes": {
        "population": "axis lengths from the population covariance",
        "sample": "axis lengths from the sample covariance",
    },
}
_RESAMPLED = ("grid", "mask", "rounding")


def conventions_text(conventions: Any, settings: Any) -> str:
    """Say which definitions were used where pyradiomics and IBSI differ.

    Parameters
    ----------
    conventions : mapping of str to str
        As recorded by the extraction; anything else gives an empty text.
    settings : mapping
        pyradiomics settings: they tell which conventions matter.

    Examples
    --------
    >>> conventions_text({"kurtosis": "excess", "axes": "population"}, {})
    ' Conventions of IBSI: excess kurtosis. Conventions of pyradiomics that depart from IBSI: axis lengths \
from the population covariance.'
    """
    if not isinstance(conventions, Mapping):
        return ""
    known = settings if isinstance(settings, Mapping) else {}
    unread = set() if known.get("resampledPixelSpacing") else set(_RESAMPLED)
    if known.get("binCount") is not None:
        unread.add("bins")
    own: list[str] = []
    standard: list[str] = []
    for name, (plain, _) in _WORDS.items():
        value = str(conventions.get(name, ""))
        if name not in unread and value in _WORDS[name]:
            (own if value == plain else standard).append(_WORDS[name][value])
    if conventions.get("slices") == "averaged":
        standard.append("texture features averaged over slices")
    return _listed("Conventions of IBSI", standard) + _listed(
        "Conventions of pyradiomics that depart from IBSI", own
    )


def _listed(head: str, parts: list[str]) -> str:
    return f" {head}: {'; '.join(parts)}." if parts else ""
