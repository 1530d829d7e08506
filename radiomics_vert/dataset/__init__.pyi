from .acquisition import ACQUISITION_COVARIATES, case_acquisition
from .dxa import T_SCORE_COLUMNS, DxaColumns, t_scores
from .merging import DERIVED_COVARIATES, feature_matrix, merge, preview
from .naming import FeatureName, parse_feature, unit_ids
from .nouns import Dataset
from .plain import read_dataset

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
