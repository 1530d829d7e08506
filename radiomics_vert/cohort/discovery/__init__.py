"""Build an image table from folders as other tools leave them: BIDS, TotalSegmentator, or a file pattern."""

from radiomics_vert.cohort.discovery.bids import discover_bids
from radiomics_vert.cohort.discovery.layouts import LAYOUTS, discover, guess_layout
from radiomics_vert.cohort.discovery.nouns import Discovery
from radiomics_vert.cohort.discovery.pattern import discover_pattern
from radiomics_vert.cohort.discovery.totalsegmentator import discover_totalsegmentator

__all__ = [
    "LAYOUTS",
    "Discovery",
    "discover",
    "discover_bids",
    "discover_pattern",
    "discover_totalsegmentator",
    "guess_layout",
]
