from .loading import load_sign_scan
from .measuring import measure_scan, measure_spine
from .nouns import Absent, Frame, SignScan, Vertebra
from .registry import Sign, registry
from .results import ScanSigns
from .spine import Spine, prepare_spine
from .table import SignTable, measure_signs, sign_column

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
