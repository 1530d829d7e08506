"""Features + clinical table -> `Dataset`: X, y, patients, covariates, and an audit of what was left out."""

from radiomics_vert.dataset.acquisition import ACQUISITION_COVARIATES, case_acquisition
from radiomics_vert.dataset.dxa import T_SCORE_COLUMNS, DxaColumns, t_scores
from radiomics_vert.dataset.merging import DERIVED_COVARIATES, feature_matrix, merge, preview
from radiomics_vert.dataset.naming import FeatureName, parse_feature, unit_ids
from radiomics_vert.dataset.nouns import Dataset
from radiomics_vert.dataset.plain import read_dataset

__all__ = [
    "ACQUISITION_COVARIATES",
    "DERIVED_COVARIATES",
    "T_SCORE_COLUMNS",
    "Dataset",
    "DxaColumns",
    "FeatureName",
    "case_acquisition",
    "feature_matrix",
    "merge",
    "parse_feature",
    "preview",
    "read_dataset",
    "t_scores",
    "unit_ids",
]
