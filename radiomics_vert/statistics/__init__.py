"""What separates the classes, feature by feature, whom the study describes, and what can be relied on."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
