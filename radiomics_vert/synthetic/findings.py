"""Draw what lies in and beside a fractured vertebra: lines, bands, clefts, necrosis, enhancement."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from radiomics_vert.synthetic.effects import APPEARANCES, ENHANCEMENT, ENHANCEMENT_SPREAD, LINE
from radiomics_vert.synthetic.nouns import Vertebra


def add_findings(vertebrae: Sequence[Vertebra], rng: np.random.Generator) -> tuple[Vertebra, ...]:
    """Draw the findings of a patient's fractured vertebrae.

    Parameters
    ----------
    vertebrae : sequence of Vertebra
        With their appearance and their soft tissue.
    rng : numpy.random.Generator
        Used in a fixed order, the same number of times for every fracture.

    Returns
    -------
    tuple of Vertebra
        In the same order; unfractured ones are left as they are.
    """
    return tuple(_findings(vertebra, rng) if vertebra.fractured else vertebra for vertebra in vertebrae)


def _findings(vertebra: Vertebra, rng: np.random.Generator) -> Vertebra:
    look = APPEARANCES[vertebra.appearance]
    line, band, fluid, dead = rng.random(4)
    depth, edge, share = rng.uniform((0.35, look.line_edge[0], 0.25), (0.50, look.line_edge[1], 0.60))
    stir, gain = rng.normal(*np.transpose([look.stir_ratio, ENHANCEMENT]))
    mass = vertebra.rim_side != 0
    return replace(
        vertebra,
        line=bool(line < LINE),
        line_depth=float(depth),
        line_edge=float(edge),
        band=bool(band < look.band),
        # Gas and fluid fill the same cleft; on these images it holds one of them. [O]
        fluid=bool(fluid < look.fluid) and not vertebra.gas,
        necrosis=float(share) if mass and dead < look.necrosis else 0.0,
        stir_ratio=float(max(1.2, stir)),
        enhancement=float(max(0.2, gain)),
        enhancement_spread=float(rng.uniform(*ENHANCEMENT_SPREAD)),
    )
