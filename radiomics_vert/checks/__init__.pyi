from .analysis import check_dataset, check_features, check_validation
from .cohort import check_cohort
from .confounding import check_confounding
from .findings import Finding, findings_result, worst
from .plan import check_plan, finding_of
from .quality import check_quality, verdicts, with_outliers

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
