from .auc import AucEstimate, clustered_auc, clustered_auc_screen
from .clusters import (
    ProportionEstimate,
    check_labels,
    clustered_proportion,
    clustered_variance,
    patient_draws,
    sum_by_patient,
)
from .curve import precision_recall_band, roc_band, roc_points
from .paired import AucDifference, clustered_auc_difference

__all__ = [
    "AucDifference",
    "AucEstimate",
    "ProportionEstimate",
    "check_labels",
    "clustered_auc",
    "clustered_auc_difference",
    "clustered_auc_screen",
    "clustered_proportion",
    "clustered_variance",
    "patient_draws",
    "precision_recall_band",
    "roc_band",
    "roc_points",
    "sum_by_patient",
]
