from .extracting import extract
from .params import ExtractionParams, Step, builtin_params, params_folder, read_params
from .parity import parity
from .perturbed import perturbed_features
from .preparing import PreparedScan, compute_case, prepare
from .preprocessing import Preprocessing
from .quality import measure_quality

__all__ = [
    "ExtractionParams",
    "PreparedScan",
    "Preprocessing",
    "Step",
    "builtin_params",
    "compute_case",
    "extract",
    "measure_quality",
    "params_folder",
    "parity",
    "perturbed_features",
    "prepare",
    "read_params",
]
