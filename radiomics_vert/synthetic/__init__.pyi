from .spec import SyntheticSpec
from .whole_spine import whole_spine_ct
from .writing import is_made, make_cohort

__all__ = [
    "SyntheticSpec",
    "is_made",
    "make_cohort",
    "whole_spine_ct",
]
