from .adjusted import adjust
from .agreement import bland_altman, concordance, repeatability
from .association import associate
from .characteristics import table_one
from .confounding import audit_confounding
from .icc import icc
from .reliability import reliability
from .sample_size import plan_sample_size, sample_size_check
from .signs import sign_findings

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
