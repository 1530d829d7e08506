"""Lytic areas of the trabecular body, found in noise as well.

A lytic area holds soft tissue in place of bone. Single voxels of a noisy image tell the two apart badly, a
neighbourhood does: HU are averaged within the trabecular body over the smallest scale of
:data:`SCALES_MM` at which marrow lies six deviations above soft tissue, so that the value half-way between
both, which is the limit, is three deviations from either. Deviations are those of the references' averaged
HU about their own medians: what noise and texture leave at that scale. Where no scale gives six, the largest
one is used while soft tissue still lies 3.5 deviations below; then the limit is three deviations below the
marrow, and volumes are read too small rather than too large. The specification's 2.5 deviations belong to
single voxels; excursions of averaged noise are larger areas, so that it has to be three.

Marrow is what the references let expect at the level, or the upper quartile of the vertebra's own where that
is lower: neighbours may differ by a half, and a vertebra that is thinner throughout has no lytic area. A body
without marrow of its own, replaced as a whole, is compared with the references alone, whose deviations then
hold the differences between them as well. Where none of this tells lysis from noise it is absent.

Averaging hides what is smaller than it: a ball of radius r keeps half of its contrast at r = 1.5 sigma.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from radiomics_vert.imaging.preprocessing import level_trend, robust_spread
from radiomics_vert.signs.beside import local_mean
from radiomics_vert.signs.components import Components, connected
from radiomics_vert.signs.gas import gas_voxels
from radiomics_vert.signs.marrow import intensities
from radiomics_vert.signs.nouns import Absent, Mask, Vertebra
from radiomics_vert.signs.spine import Spine

SOFT_HU = 40.0
"""What soft tissue in place of bone measures, unenhanced [O]."""
DEVIATIONS, WIDE, LEAST = 3.0, 6.0, 3.5
"""Robust deviations of averaged marrow: of the limit; from soft tissue to marrow where both are told apart
well, and where they still are [O]."""
SCALES_MM = (0.0, 1.0, 1.5, 2.0, 2.5, 3.0)
"""Gaussian sigma of the average; 0 takes the voxels as they are [O]."""
LEAST_MM3 = 100.0
"""Smaller dark areas are vessels, fat or noise [O]."""
OWN = 0.75
"""Quantile of a body's own marrow that is not lytic while less than about two thirds of it are [O]."""
_OF_SCALE = 10.0  # cubed sigmas: noise averaged over a scale makes areas up to this size [O]
_GAS_RIM_MM = 2.0  # around gas, where voxels are mixed with it [O]

Floats = npt.NDArray[np.float64]


class LyticLimit(NamedTuple):
    """Below what a neighbourhood of a vertebra counts as lytic.

    Parameters
    ----------
    hu : float
        The limit.
    sigma : float
        Over how much HU are averaged, mm.
    """

    hu: float
    sigma: float

    @property
    def least_mm3(self) -> float:
        """Least volume of an area."""
        return max(LEAST_MM3, _OF_SCALE * self.sigma**3)


def lytic_areas(spine: Spine, labels: Collection[int]) -> dict[int, Components | Absent]:
    """Return the lytic areas of some bodies: of 0.1 ml or more, and of ten cubed sigmas of the average.

    Voxels must share a face. Gas and the voxels that it is mixed into are left out: a vacuum cleft is a sign
    of its own, and of the other diagnosis [O].

    Parameters
    ----------
    spine : Spine
        With an image.
    labels : collection of int
        Of vertebrae with a frame.

    Returns
    -------
    dict of int to Components or Absent
        By label, in the box of the vertebra; RV333 without marrow in the references, RV338 where lysis cannot
        be told from noise.
    """
    wanted = {*labels, *(other for label in labels for other in spine.references.get(label, ()))}
    marrow = {v.label: _without_gas(spine, v) for v in spine.framed() if v.label in wanted}
    found: dict[int, Components | Absent] = {}
    for sigma in SCALES_MM:
        open_ = [label for label in labels if label not in found]
        if not open_:
            break
        values = {label: _averaged(spine, spine.vertebra(label), marrow[label], sigma) for label in marrow}
        for label in open_:
            limit = _limit(spine, label, values, sigma)
            if limit is None:
                continue
            found[label] = (
                limit
                if isinstance(limit, Absent)
                else _areas(marrow[label], values[label], limit, spine.scan.spacing)
            )
    return found


def _areas(
    inside: Mask, values: Floats, limit: LyticLimit, spacing: tuple[float, float, float]
) -> Components:
    low = inside.copy()
    low[inside] = values < limit.hu
    return connected(low, spacing, least_mm3=limit.least_mm3, neighbours=6)


def _without_gas(spine: Spine, vertebra: Vertebra) -> Mask:
    """Return the trabecular body without gas and the 2 mm that it is mixed into."""
    inside, gas = spine.trabecular[vertebra.label], gas_voxels(spine, vertebra)
    if not gas.any():
        return inside
    far = ndimage.distance_transform_edt(~gas, sampling=vertebra.spacing) > _GAS_RIM_MM
    return np.asarray(inside & far)


def _averaged(spine: Spine, vertebra: Vertebra, inside: Mask, sigma: float) -> Floats:
    """Return HU of a mask, averaged within it, shape (n,)."""
    image = spine.scan.image
    if image is None:
        raise ValueError("lysis needs an image")
    if sigma == 0:
        return intensities(image, vertebra, inside)
    return local_mean(image[vertebra.box], inside, vertebra.spacing, sigma)


def _limit(
    spine: Spine, label: int, values: Mapping[int, Floats], sigma: float
) -> LyticLimit | Absent | None:
    """Return the limit at a scale, why there is none, or None where a larger scale has to be tried."""
    known = [other for other in spine.references.get(label, ()) if len(values.get(other, ()))]
    if not known or label not in spine.places or not len(values[label]):
        return Absent("RV333", "the references have no usable marrow")
    trend = level_trend([spine.places[other] for other in known], [values[other] for other in known])
    between = trend.at(spine.places[label], reach=0)
    apart = np.concatenate([values[other] - np.median(values[other]) for other in known])
    within = robust_spread(apart).width
    own = min(between.centre, float(np.quantile(values[label], OWN)))
    last = sigma == SCALES_MM[-1]
    for centre, width in ((own, within), (between.centre, between.width))[: 2 if last else 1]:
        far = (centre - SOFT_HU) / width if width > 0 else -np.inf
        if far >= (LEAST if last else WIDE):
            return LyticLimit(min((centre + SOFT_HU) / 2, centre - DEVIATIONS * width), sigma)
    if not last:
        return None
    return Absent(
        "RV338",
        f"the image is too noisy or marrow of {own:.0f} HU too thin: averaged over {sigma:g} mm it lies "
        f"{(own - SOFT_HU) / max(within, 1e-9):.1f} deviations above soft tissue, {LEAST:g} are needed",
    )
