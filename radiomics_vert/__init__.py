"""Radiomics of vertebral fractures: extraction and patient-clustered statistics. Research software."""

__version__ = "0.1.0"
