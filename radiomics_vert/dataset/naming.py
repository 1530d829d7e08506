"""What a feature's name says: sequence, image filter, feature class, feature; and the id of a vertebra."""

from __future__ import annotations

from typing import NamedTuple

import pandas as pd

SEQUENCE_SEPARATOR = "__"
SIGN = "sign"
"""Feature class and family of measured imaging signs, whose columns begin with it."""


class FeatureName(NamedTuple):
    """The parts of a name such as `T1__wavelet-LLH_glcm_Contrast`.

    Parameters
    ----------
    sequence : str
        Empty when the table holds one sequence only or comes from elsewhere.
    filter : str
        `original`, `log-sigma-2-0-mm-3D`, `wavelet-LLH`; empty for a foreign name.
    feature_class : str
        `shape`, `firstorder`, `glcm`, ...; `sign` for an imaging sign; empty for a foreign name.
    feature : str
        The rest.
    """

    sequence: str
    filter: str
    feature_class: str
    feature: str

    @property
    def family(self) -> str:
        """Family for multiplicity: `shape`, `original firstorder`, `wavelet glcm`, ... or `other`."""
        if not self.feature_class:
            return "other"
        if self.feature_class == SIGN:
            return SIGN
        if self.feature_class.startswith("shape"):
            return self.feature_class
        kind = self.filter.split("-", 1)[0]
        return f"{kind} {self.feature_class}"


FEATURE_CLASSES = ("shape", "shape2D", "firstorder", "glcm", "glrlm", "glszm", "gldm", "ngtdm")


def parse_feature(name: str) -> FeatureName:
    """Split a feature name into its parts.

    Examples
    --------
    >>> parse_feature("T1__wavelet-LLH_glcm_Contrast").family
    'wavelet glcm'
    >>> parse_feature("CT__sign_gas_ml")
    FeatureName(sequence='CT', filter='', feature_class='sign', feature='gas_ml')
    >>> parse_feature("age").family
    'other'
    """
    sequence, separator, rest = name.rpartition(SEQUENCE_SEPARATOR)
    if not separator:
        sequence, rest = "", name
    if rest.startswith(f"{SIGN}_"):
        return FeatureName(sequence, "", SIGN, rest.removeprefix(f"{SIGN}_"))
    parts = rest.split("_", 2)
    if len(parts) == 3 and parts[1] in FEATURE_CLASSES:
        return FeatureName(sequence, *parts)
    return FeatureName(sequence, "", "", rest)


def unit_ids(values: pd.DataFrame) -> pd.Series[str]:
    """Return the id of the vertebra of each row: subject, session if any, level (or label)."""
    level = values["level"].where(values["level"] != "", "label" + values["label"].astype(str))
    session = values["session"].where(values["session"] == "", values["session"] + "_")
    return values["subject_id"] + "_" + session + level
