"""Manifest, clinical table, vertebral levels and label schemes: what becomes a `Cohort`."""

from radiomics_vert.cohort.clinical import read_clinical
from radiomics_vert.cohort.examine import examine_scan, load_vertebrae
from radiomics_vert.cohort.levels import Level
from radiomics_vert.cohort.nouns import Case, Cohort, Refusal, Scan
from radiomics_vert.cohort.reading import duplicate_images, read_cohort
from radiomics_vert.cohort.schemes import (
    LabelScheme,
    detect_scheme,
    load_scheme,
    scheme_candidates,
    scheme_names,
)

__all__ = [
    "Case",
    "Cohort",
    "LabelScheme",
    "Level",
    "Refusal",
    "Scan",
    "detect_scheme",
    "duplicate_images",
    "examine_scan",
    "load_scheme",
    "load_vertebrae",
    "read_clinical",
    "read_cohort",
    "scheme_candidates",
    "scheme_names",
]
