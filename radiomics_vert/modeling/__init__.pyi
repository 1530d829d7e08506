from .baselines import TAKIGAWA_SIGNS
from .bootstrap import optimism
from .bundle import load_bundle, save_bundle
from .comparison import compare
from .decision import at_prevalence, decision_curve
from .design import Design, make_design
from .explanation import explain
from .external import recalibration, validate_external
from .feature_sets import (
    Baseline,
    FeatureSet,
    baseline_sets,
    feature_sets,
    negative_control,
    validate_baselines,
)
from .final import fit_final
from .fitted import FittedModel, feature_unit
from .harmonisation import SiteHarmoniser
from .models import FAMILIES, ModelFamily, ModelSpec, Preparation, build_pipeline
from .prediction import predict
from .preparation import MIN_REPEATED, CorrelationFilter, NearConstantFilter, ReliabilityFilter
from .probe import leakage_probe, permutation_test
from .repeats import Repeats, repeated_measurements
from .rows import Rows, fit_pipeline, predict_pipeline
from .selection import L1Selector, MrmrSelector, StabilitySelector, UnivariateSelector
from .shapley import require_package, shapley_values
from .spec import ValidationSpec
from .splits import grouped_folds, require_grouped_split, site_folds
from .subgroup_auc import subgroups
from .validation import combine, cross_validate, cross_validate_many

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
