"""What happens to an image before features are computed: pure functions, each with its units."""

from radiomics_vert.imaging.preprocessing.bias import BiasCorrection, correct_bias
from radiomics_vert.imaging.preprocessing.intensity import (
    MAD_TO_SD,
    AffineMap,
    Spread,
    robust_spread,
    standard_spread,
)
from radiomics_vert.imaging.preprocessing.orientation import Orientation, without_position
from radiomics_vert.imaging.preprocessing.slices import AXES, DISTINCT, slice_axis
from radiomics_vert.imaging.preprocessing.trend import LevelTrend, level_trend
from radiomics_vert.imaging.preprocessing.values import bright_voxels, gas_volume_ml

__all__ = [
    "AXES",
    "DISTINCT",
    "MAD_TO_SD",
    "AffineMap",
    "BiasCorrection",
    "LevelTrend",
    "Orientation",
    "Spread",
    "bright_voxels",
    "correct_bias",
    "gas_volume_ml",
    "level_trend",
    "robust_spread",
    "slice_axis",
    "standard_spread",
    "without_position",
]
