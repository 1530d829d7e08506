"""Synthetic patients with known truth, for the demo, the tests and the benchmarks.

The pictures are schematic. They carry the signs of osteoporotic and metastatic vertebral fractures at
published frequencies, so that the software can be tried and tested; they are no evidence about patients.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
