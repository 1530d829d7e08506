from .models import StudySettings
from .reading import json_schema, read_settings
from .scaffold import is_untouched, write_templates

__all__ = [
    "StudySettings",
    "is_untouched",
    "json_schema",
    "read_settings",
    "write_templates",
]
