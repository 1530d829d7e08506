"""Manifest, clinical table, vertebral levels and label schemes: what becomes a `Cohort`."""

from radiomics_vert.cohort.levels import Level
from radiomics_vert.cohort.nouns import Case, Cohort, Refusal, Scan
from radiomics_vert.cohort.schemes import LabelScheme, detect_scheme, load_scheme, scheme_names

__all__ = [
    "Case",
    "Cohort",
    "LabelScheme",
    "Level",
    "Refusal",
    "Scan",
    "detect_scheme",
    "load_scheme",
    "scheme_names",
]
