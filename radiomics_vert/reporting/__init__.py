"""Results to one report: figures, tables, methods text and a self-contained HTML page.

The only room that imports matplotlib and jinja2. It computes no statistic: every number that it
prints was handed over in a :class:`~radiomics_vert.results.Result`.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
