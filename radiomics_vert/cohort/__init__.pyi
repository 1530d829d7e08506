from .acquisition import acquisition_table, fact_name
from .clinical import read_clinical
from .examine import examine_scan
from .levels import Level
from .loading import load_vertebrae, mask_digest
from .nouns import Case, Cohort, Refusal, Scan
from .pseudonyms import pseudonym, read_secret
from .reading import duplicate_images, read_cohort
from .reference import TISSUES, ReferenceRule, reference_cases, spine_position
from .schemes import LabelScheme, detect_scheme, load_scheme, scheme_candidates, scheme_names
from .structures import Structures, load_structures, load_tissue

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
