"""Models and their honest validation: every learning step inside the folds, patients kept together."""

from radiomics_vert.modeling.baselines import TAKIGAWA_SIGNS
from radiomics_vert.modeling.bootstrap import optimism
from radiomics_vert.modeling.bundle import load_bundle, save_bundle
from radiomics_vert.modeling.comparison import compare
from radiomics_vert.modeling.decision import at_prevalence, decision_curve
from radiomics_vert.modeling.design import Design, make_design
from radiomics_vert.modeling.explanation import explain
from radiomics_vert.modeling.external import recalibration, validate_external
from radiomics_vert.modeling.feature_sets import (
    Baseline,
    FeatureSet,
    baseline_sets,
    feature_sets,
    negative_control,
    validate_baselines,
)
from radiomics_vert.modeling.final import fit_final
from radiomics_vert.modeling.fitted import FittedModel, feature_unit
from radiomics_vert.modeling.harmonisation import SiteHarmoniser
from radiomics_vert.modeling.models import (
    FAMILIES,
    ModelFamily,
    ModelSpec,
    Preparation,
    build_pipeline,
)
from radiomics_vert.modeling.prediction import predict
from radiomics_vert.modeling.preparation import (
    MIN_REPEATED,
    CorrelationFilter,
    NearConstantFilter,
    ReliabilityFilter,
)
from radiomics_vert.modeling.probe import leakage_probe, permutation_test
from radiomics_vert.modeling.repeats import Repeats, repeated_measurements
from radiomics_vert.modeling.rows import Rows, fit_pipeline, predict_pipeline
from radiomics_vert.modeling.selection import (
    L1Selector,
    MrmrSelector,
    StabilitySelector,
    UnivariateSelector,
)
from radiomics_vert.modeling.shapley import require_package, shapley_values
from radiomics_vert.modeling.spec import ValidationSpec
from radiomics_vert.modeling.splits import grouped_folds, require_grouped_split, site_folds
from radiomics_vert.modeling.subgroup_auc import subgroups
from radiomics_vert.modeling.validation import combine, cross_validate, cross_validate_many

__all__ = [
    "FAMILIES",
    "MIN_REPEATED",
    "TAKIGAWA_SIGNS",
    "Baseline",
    "CorrelationFilter",
    "Design",
    "FeatureSet",
    "FittedModel",
    "L1Selector",
    "ModelFamily",
    "ModelSpec",
    "MrmrSelector",
    "NearConstantFilter",
    "Preparation",
    "ReliabilityFilter",
    "Repeats",
    "Rows",
    "SiteHarmoniser",
    "StabilitySelector",
    "UnivariateSelector",
    "ValidationSpec",
    "at_prevalence",
    "baseline_sets",
    "build_pipeline",
    "combine",
    "compare",
    "cross_validate",
    "cross_validate_many",
    "decision_curve",
    "explain",
    "feature_sets",
    "feature_unit",
    "fit_final",
    "fit_pipeline",
    "grouped_folds",
    "leakage_probe",
    "load_bundle",
    "make_design",
    "negative_control",
    "optimism",
    "permutation_test",
    "predict",
    "predict_pipeline",
    "recalibration",
    "repeated_measurements",
    "require_grouped_split",
    "require_package",
    "save_bundle",
    "shapley_values",
    "site_folds",
    "subgroups",
    "validate_baselines",
    "validate_external",
]
