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
from radiomics_vert.extraction.preparing import PreparedScan, compute_case, prepare
from radiomics_vert.extraction.preprocessing import Preprocessing
from radiomics_vert.extraction.quality import measure_quality
from radiomics_vert.feature_table import IDENTITY, FeatureTable

__all__ = [
    "IDENTITY",
    "ExtractionParams",
    "FeatureTable",
    "PreparedScan",
    "Preprocessing",
    "Step",
    "builtin_params",
    "compute_case",
    "extract",
    "measure_quality",
    "params_folder",
    "parity",
    "perturbed_features",
    "prepare",
    "read_params",
]
