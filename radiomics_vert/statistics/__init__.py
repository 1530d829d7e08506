"""What separates the classes, feature by feature, whom the study describes, and what can be relied on."""

from radiomics_vert.statistics.adjusted import adjust
from radiomics_vert.statistics.agreement import bland_altman, concordance, repeatability
from radiomics_vert.statistics.association import associate
from radiomics_vert.statistics.characteristics import table_one
from radiomics_vert.statistics.confounding import audit_confounding
from radiomics_vert.statistics.icc import icc
from radiomics_vert.statistics.reliability import reliability
from radiomics_vert.statistics.sample_size import plan_sample_size, sample_size_check
from radiomics_vert.statistics.signs import sign_findings

__all__ = [
    "adjust",
    "associate",
    "audit_confounding",
    "bland_altman",
    "concordance",
    "icc",
    "plan_sample_size",
    "reliability",
    "repeatability",
    "sample_size_check",
    "sign_findings",
    "table_one",
]
