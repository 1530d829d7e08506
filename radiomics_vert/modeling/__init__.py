"""Models and their honest validation: every learning step inside the folds, patients kept together."""

from radiomics_vert.modeling.models import (
    FAMILIES,
    ModelFamily,
    ModelSpec,
    Preparation,
    build_pipeline,
)
from radiomics_vert.modeling.preparation import (
    CorrelationFilter,
    NearConstantFilter,
    UnivariateSelector,
)
from radiomics_vert.modeling.spec import ValidationSpec
from radiomics_vert.modeling.splits import grouped_folds, require_grouped_split
from radiomics_vert.modeling.validation import combine, cross_validate

__all__ = [
    "FAMILIES",
    "CorrelationFilter",
    "ModelFamily",
    "ModelSpec",
    "NearConstantFilter",
    "Preparation",
    "UnivariateSelector",
    "ValidationSpec",
    "build_pipeline",
    "combine",
    "cross_validate",
    "grouped_folds",
    "require_grouped_split",
]
