"""The radiologist's signs, measured: one entry per sign, one pass per scan."""

from radiomics_vert.signs.loading import load_sign_scan
from radiomics_vert.signs.measuring import measure_scan, measure_spine
from radiomics_vert.signs.nouns import Absent, Frame, SignScan, Vertebra
from radiomics_vert.signs.registry import Sign, registry
from radiomics_vert.signs.results import ScanSigns
from radiomics_vert.signs.spine import Spine, prepare_spine
from radiomics_vert.signs.table import SignTable, measure_signs, sign_column

__all__ = [
    "Absent",
    "Frame",
    "ScanSigns",
    "Sign",
    "SignScan",
    "SignTable",
    "Spine",
    "Vertebra",
    "load_sign_scan",
    "measure_scan",
    "measure_signs",
    "measure_spine",
    "prepare_spine",
    "registry",
    "sign_column",
]
