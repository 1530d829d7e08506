"""Scan -> feature rows."""

from radiomics_vert.extraction.table import IDENTITY, FeatureTable

__all__ = ["IDENTITY", "FeatureTable"]
