"""Discrimination with several vertebrae per patient: clustered AUC, ROC curve and proportions.

Vertebrae of one patient resemble each other, so each variance here sums contributions within the
patient first and treats the patients, not the vertebrae, as the independent units. Both statistics
and modeling build on this room.
"""

from radiomics_vert.roc.auc import AucEstimate, clustered_auc, clustered_auc_screen
from radiomics_vert.roc.clusters import (
    ProportionEstimate,
    check_labels,
    clustered_proportion,
    clustered_variance,
    patient_draws,
    sum_by_patient,
)
from radiomics_vert.roc.curve import precision_recall_band, roc_band, roc_points
from radiomics_vert.roc.paired import AucDifference, clustered_auc_difference

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
