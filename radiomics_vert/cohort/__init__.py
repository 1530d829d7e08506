"""Manifest, clinical table, vertebral levels and label schemes: what becomes a `Cohort`."""

from radiomics_vert.cohort.acquisition import acquisition_table, fact_name
from radiomics_vert.cohort.clinical import read_clinical
from radiomics_vert.cohort.examine import examine_scan
from radiomics_vert.cohort.levels import Level
from radiomics_vert.cohort.loading import load_vertebrae, mask_digest
from radiomics_vert.cohort.nouns import Case, Cohort, Refusal, Scan
from radiomics_vert.cohort.pseudonyms import pseudonym, read_secret
from radiomics_vert.cohort.reading import duplicate_images, read_cohort
from radiomics_vert.cohort.reference import (
    TISSUES,
    ReferenceRule,
    reference_cases,
    spine_position,
)
from radiomics_vert.cohort.schemes import (
    LabelScheme,
    detect_scheme,
    load_scheme,
    scheme_candidates,
    scheme_names,
)
from radiomics_vert.cohort.structures import Structures, load_structures, load_tissue

__all__ = [
    "TISSUES",
    "Case",
    "Cohort",
    "LabelScheme",
    "Level",
    "ReferenceRule",
    "Refusal",
    "Scan",
    "Structures",
    "acquisition_table",
    "detect_scheme",
    "duplicate_images",
    "examine_scan",
    "fact_name",
    "load_scheme",
    "load_structures",
    "load_tissue",
    "load_vertebrae",
    "mask_digest",
    "pseudonym",
    "read_clinical",
    "read_cohort",
    "read_secret",
    "reference_cases",
    "scheme_candidates",
    "scheme_names",
    "spine_position",
]
