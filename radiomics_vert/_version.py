"""The version, in one place: package metadata, provenance and reports take it from here."""

__version__ = "0.1.0"
