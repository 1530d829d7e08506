"""Strict settings of a study: models, reading, JSON Schema, templates."""

from radiomics_vert.config.models import StudySettings
from radiomics_vert.config.reading import SCHEMA_NAME, json_schema, read_settings
from radiomics_vert.config.scaffold import write_templates

__all__ = ["SCHEMA_NAME", "StudySettings", "json_schema", "read_settings", "write_templates"]
