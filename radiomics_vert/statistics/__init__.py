"""What separates the classes, feature by feature, whom the study describes, and what can be relied on."""

from radiomics_vert.statistics.association import associate
from radiomics_vert.statistics.characteristics import table_one
from radiomics_vert.statistics.reliability import reliability

__all__ = ["associate", "reliability", "table_one"]
