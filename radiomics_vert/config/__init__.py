"""Strict settings of a study: models, reading, JSON Schema, templates."""

from radiomics_vert.config.models import StudySettings
from radiomics_vert.config.reading import json_schema, read_settings
from radiomics_vert.config.scaffold import is_untouched, write_templates

__all__ = ["StudySettings", "is_untouched", "json_schema", "read_settings", "write_templates"]
