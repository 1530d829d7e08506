"""Coded findings on cohort, features and dataset."""

from radiomics_vert.checks.analysis import check_dataset, check_features, check_validation
from radiomics_vert.checks.cohort import check_cohort
from radiomics_vert.checks.confounding import check_confounding
from radiomics_vert.checks.findings import Finding, findings_result, worst
from radiomics_vert.checks.plan import check_plan, finding_of
from radiomics_vert.checks.quality import check_quality, verdicts, with_outliers

__all__ = [
    "Finding",
    "check_cohort",
    "check_confounding",
    "check_dataset",
    "check_features",
    "check_plan",
    "check_quality",
    "check_validation",
    "finding_of",
    "findings_result",
    "verdicts",
    "with_outliers",
    "worst",
]
