"""Discrimination with several vertebrae per patient: clustered AUC, ROC curve and proportions.

Vertebrae of one patient resemble each other, so each variance here sums contributions within the
patient first and treats the patients, not the vertebrae, as the independent units. Both statistics
and modeling build on this room.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
