"""Features + clinical table -> `Dataset`: X, y, patients, covariates, and an audit of what was left out."""

from radiomics_vert.dataset.merging import DERIVED_COVARIATES, feature_matrix, merge, preview, unit_ids
from radiomics_vert.dataset.naming import FeatureName, parse_feature
from radiomics_vert.dataset.nouns import Dataset
from radiomics_vert.dataset.plain import read_dataset

__all__ = [
    "DERIVED_COVARIATES",
    "Dataset",
    "FeatureName",
    "feature_matrix",
    "merge",
    "parse_feature",
    "preview",
    "read_dataset",
    "unit_ids",
]
