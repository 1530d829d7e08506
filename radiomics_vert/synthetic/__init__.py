"""Synthetic patients with known truth, for the demo, the tests and the benchmarks.

The pictures are schematic. They carry the signs of osteoporotic and metastatic vertebral fractures at
published frequencies, so that the software can be tried and tested; they are no evidence about patients.
"""

from radiomics_vert.synthetic.spec import SyntheticSpec
from radiomics_vert.synthetic.whole_spine import whole_spine_ct
from radiomics_vert.synthetic.writing import is_made, make_cohort

__all__ = ["SyntheticSpec", "is_made", "make_cohort", "whole_spine_ct"]
