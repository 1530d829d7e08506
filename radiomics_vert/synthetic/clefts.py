"""Flat things inside a fractured body, as coverages: clefts with gas or fluid, the fracture line.

All follow the superior endplate, below which they lie.
"""

from __future__ import annotations

import numpy as np

from radiomics_vert.synthetic.nouns import Vertebra
from radiomics_vert.synthetic.shapes import Field

LINE_MM = 3.0  # thickness of a fracture line and of its band on MRI [O]
_BAND_EDGE_MM = 1.0  # 10-90 % width of the edges of a band [O]


def gas(vertebra: Vertebra, x: Field, y: Field, below: Field) -> Field:
    """Return the coverage of a flat gas cleft (row 35 of the sign table).

    Parameters
    ----------
    vertebra : Vertebra
        Says whether there is one.
    x, y : ndarray of float32
        Local positions, mm.
    below : ndarray of float32
        Depth below the superior endplate, mm.
    """
    if not vertebra.gas:
        return np.zeros_like(below)
    return _cleft(vertebra, x, y, below, 0.33 * min(vertebra.heights), 2.2)


def fluid(vertebra: Vertebra, x: Field, y: Field, below: Field) -> Field:
    """Return the coverage of a flat cleft with fluid near the endplate (row 36); as :func:`gas`."""
    if not vertebra.fluid:
        return np.zeros_like(below)
    return _cleft(vertebra, x, y, below, 5.0, 2.0)


def line(vertebra: Vertebra, below: Field) -> Field:
    """Return the coverage of the fracture line on CT, with edges as wide as its truth says (row 18)."""
    if not vertebra.line:
        return np.zeros_like(below)
    return _plate(vertebra, below, vertebra.line_edge)


def band(vertebra: Vertebra, below: Field) -> Field:
    """Return the coverage of the band of low signal on MRI (row 30)."""
    if not vertebra.band:
        return np.zeros_like(below)
    return _plate(vertebra, below, _BAND_EDGE_MM)


def _cleft(vertebra: Vertebra, x: Field, y: Field, below: Field, depth: float, half: float) -> Field:
    flat = np.sqrt(
        (x / (0.30 * vertebra.width)) ** 2
        + ((y + 0.06 * vertebra.depth) / (0.28 * vertebra.depth)) ** 2
        + ((below - depth) / half) ** 2
    )
    return np.asarray(np.clip((1 - flat) * half + 0.5, 0.0, 1.0), np.float32)


def _plate(vertebra: Vertebra, below: Field, edge: float) -> Field:
    away = np.abs(below - vertebra.line_depth * min(vertebra.heights))
    # The 10-90 % width of a logistic edge is 4.39 times its scale.
    steep = np.clip((LINE_MM / 2 - away) * np.float32(4.39 / edge), -30, 30)
    return np.asarray(1 / (1 + np.exp(-steep)), np.float32)
