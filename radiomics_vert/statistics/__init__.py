"""What separates the classes, feature by feature, and whom the study describes."""

from radiomics_vert.statistics.association import associate
from radiomics_vert.statistics.table_one import table_one

__all__ = ["associate", "table_one"]
