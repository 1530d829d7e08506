"""Strict settings of a study: models, reading, JSON Schema, templates."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
