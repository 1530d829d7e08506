"""Pages of quality control: a picture of every vertebra, and where it lies among the others."""

from radiomics_vert.reporting.quality.nouns import Picture, QualityPages, View
from radiomics_vert.reporting.quality.pages import write_quality_pages
from radiomics_vert.reporting.quality.pictures import IMAGES, draw_picture

__all__ = ["IMAGES", "Picture", "QualityPages", "View", "draw_picture", "write_quality_pages"]
