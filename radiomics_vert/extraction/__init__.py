"""Scan -> feature rows."""

from radiomics_vert.extraction.extracting import extract
from radiomics_vert.extraction.params import (
    ExtractionParams,
    Step,
    builtin_params,
    params_folder,
    read_params,
)
from radiomics_vert.extraction.parity import parity
from radiomics_vert.extraction.perturbed import perturbed_features
from radiomics_vert.extraction.table import IDENTITY, FeatureTable

__all__ = [
    "IDENTITY",
    "ExtractionParams",
    "FeatureTable",
    "Step",
    "builtin_params",
    "extract",
    "params_folder",
    "parity",
    "perturbed_features",
    "read_params",
]
