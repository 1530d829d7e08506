"""The radiologist's signs, measured: one entry per sign, one pass per scan."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
