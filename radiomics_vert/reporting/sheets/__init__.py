"""Sign sheets: every vertebra with the lines and voxels from which its signs were measured."""

from radiomics_vert.reporting.sheets.nouns import ScanSheet, SheetPicture, SheetView, SignSheets
from radiomics_vert.reporting.sheets.pages import write_sign_sheets
from radiomics_vert.reporting.sheets.pictures import draw_sheet

__all__ = ["ScanSheet", "SheetPicture", "SheetView", "SignSheets", "draw_sheet", "write_sign_sheets"]
