"""Pages of quality control: a picture of every vertebra, and where it lies among the others."""

from radiomics_vert.reporting.quality.nouns import Picture, QualityPages
from radiomics_vert.reporting.quality.pages import write_quality_pages
from radiomics_vert.reporting.quality.pictures import draw_picture

__all__ = ["Picture", "QualityPages", "draw_picture", "write_quality_pages"]
