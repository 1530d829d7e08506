"""Signs of the pedicles and of the posterior elements: bone mass left and right, signal, replacement.

The pedicle region is what of the posterior elements lies within 12 mm behind the posterior wall and in the
upper 60 % of the height. The wall is the straight line through its corners, so that a fragment or a bulge
does not move the region [O]. The height is measured upwards from the lower posterior corner; where the
posterior height has been lost, the expected one counts: a collapsed endplate sinks, the pedicle does not [O].
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from radiomics_vert.imaging.preprocessing import level_trend
from radiomics_vert.signs.beside import (
    frame_of,
    in_image,
    local_mean,
    share_beyond,
    voxel_index,
    voxel_reach,
)
from radiomics_vert.signs.lysis import SOFT_HU
from radiomics_vert.signs.nouns import Absent, Points, Value, Vertebra
from radiomics_vert.signs.references import theil_sen
from radiomics_vert.signs.results import Measured
from radiomics_vert.signs.spine import Spine
from radiomics_vert.signs.surfaces import Floats
from radiomics_vert.signs.tissues import LEAST_VOXELS

BEHIND_MM = 12.0
UPPER_SHARE = 0.6
BONE_HU = 100.0
"""Only what a voxel holds above this counts as bone mass, after the specification."""
REPLACED_DEVIATIONS = 2.0
"""Robust standard deviations below the references' median, after the specification."""
BEYOND_DEVIATIONS = 0.02275
"""Share of normally distributed voxels that lie two deviations or more below their median."""
AVERAGED_MM = 2.0
"""Gaussian sigma of the average within the posterior elements [O]: there cortex and marrow lie side by side.
Single voxels of normal bone spread on CT from fat to cortex, on T1 from fat to the black of cortex, darker
than any tumour; the share of both in a neighbourhood is alike in neighbouring vertebrae."""
# Of the larger region's voxels: less is a side that the mask leaves out, whose signal is looked up. [O]
_LEFT_OUT = 0.25
_LEAST_MM3 = 100.0  # of the larger side: less is no pedicle [O]
_SEEN = 0.95  # share of a side's mirror image that must lie in the image [O]

_MASS = ("pedicle_asym", "pedicle_min_ratio")
_SIGNAL = ("pedicle_trom_min", "pedicle_trom_asym")


class Regions(NamedTuple):
    """The pedicle regions of one vertebra: voxels of its box, and how much of each lies on either side.

    Parameters
    ----------
    voxels : ndarray of int, shape (n, 3)
        In the box of the vertebra, (z, y, x).
    local : ndarray, shape (n, 3)
        Positions in the frame, mm.
    left, right : ndarray, shape (n,)
        Share of each voxel that belongs to the left and to the right region.
    """

    voxels: npt.NDArray[np.intp]
    local: Points
    left: Floats
    right: Floats


def pedicle_regions(spine: Spine, vertebra: Vertebra) -> Regions | Absent:
    """Return the pedicle regions of a vertebra with a frame.

    One side may be empty: then the mask leaves out a pedicle that the other side shows to be in the image.

    Parameters
    ----------
    spine : Spine
        The scan.
    vertebra : Vertebra
        One of its vertebrae, with a frame.

    Returns
    -------
    Regions or Absent
        RV338 without posterior elements behind the wall, RV334 where the image ends beside one of them.
    """
    frame, outline = frame_of(vertebra), spine.outlines[vertebra.label]
    index = np.argwhere(vertebra.posterior)
    start = np.array([axis.start for axis in vertebra.box])
    local = frame.to_local(((index + start) * np.array(vertebra.spacing))[:, ::-1])
    reach = voxel_reach(vertebra)
    bottom = float(outline.wall_z[0])
    height = _height(spine, vertebra.label)
    # From body corner to body corner; without a visible wall, the back of the outline.
    lower = upper = frame.front + frame.depth
    if outline.wall is not None:
        lower, upper = outline.wall.lower, outline.wall.upper
    t = np.clip((local[:, 2] - bottom) / max(float(outline.wall_z[-1]) - bottom, 1.0), 0, 1)
    behind = local[:, 1] - (lower + t * (upper - lower))
    weight = share_beyond(behind, reach[1]) * share_beyond(BEHIND_MM - behind, reach[1])
    above = local[:, 2] - (bottom + (1 - UPPER_SHARE) * height)
    weight = weight * share_beyond(above, reach[2])
    weight = weight * share_beyond(bottom + height - local[:, 2], reach[2])
    leftward = share_beyond(local[:, 0], reach[0])
    used = weight > 0
    left, right = (weight * leftward)[used], (weight * (1 - leftward))[used]
    volume = float(np.prod(vertebra.spacing))
    if max(left.sum(), right.sum()) * volume < _LEAST_MM3:
        return Absent(
            "RV338", f"no posterior elements within {BEHIND_MM:g} mm behind the wall on either side"
        )
    regions = Regions(index[used], local[used], left, right)
    for side in (left, right):
        mirrored = regions.local[side >= 0.5] * (-1, 1, 1)
        if len(mirrored) and in_image(spine.scan, frame, mirrored).mean() < _SEEN:
            return Absent("RV334", "the image ends beside a pedicle")
    return regions


def _height(spine: Spine, label: int) -> float:
    """Return the posterior height, made up for what it has lost, mm."""
    outline = spine.outlines[label]
    height = float(outline.wall_z[-1] - outline.wall_z[0])
    loss = spine.losses[label].posterior if label in spine.losses else 0.0
    return height / (1 - loss) if 0 < loss < 1 else height


def measure(spine: Spine) -> Measured:
    """Measure pedicles and posterior elements of every vertebra: mass on CT, signal on T1."""
    if spine.scan.image is None or spine.sequence not in ("CT", "T1"):
        return {}
    regions = {v.label: pedicle_regions(spine, v) for v in spine.framed() if v.posterior.any()}
    found = _masses(spine, regions) if spine.sequence == "CT" else _signals(spine, regions)
    replaced = _replaced(spine)
    return {label: {**found[label], **replaced.get(label, {})} for label in found}


def _masses(spine: Spine, regions: Mapping[int, Regions | Absent]) -> dict[int, dict[str, Value]]:
    """Return asymmetry and least ratio of the pedicles' bone mass."""
    masses = {
        label: pedicle_masses(spine, spine.vertebra(label), region)
        for label, region in regions.items()
        if isinstance(region, Regions)
    }
    found: dict[int, dict[str, Value]] = {}
    for label, region in regions.items():
        if isinstance(region, Absent):
            found[label] = dict.fromkeys(_MASS, region)
            continue
        left, right = masses[label]
        asymmetry: Value = Absent("RV338", f"no voxel of either pedicle is above {BONE_HU:g} HU")
        if left + right > 0:
            asymmetry = (left - right) / (left + right)
        usual = [other for other in spine.references.get(label, ()) if sum(masses.get(other, (0, 0))) > 0]
        ratio: Value = Absent("RV333", "no reference has pedicles")
        if usual:
            logs = [np.log(sum(masses[other]) / 2) for other in usual]
            expected = theil_sen([spine.places[other] for other in usual], logs, spine.places[label])
            ratio = min(left, right) / float(np.exp(expected))
        found[label] = {"pedicle_asym": asymmetry, "pedicle_min_ratio": ratio}
    return found


def pedicle_masses(spine: Spine, vertebra: Vertebra, regions: Regions) -> tuple[float, float]:
    """Return the bone mass of the left and of the right pedicle: sum of max(HU - 100, 0) dV, HU mm3."""
    image = spine.scan.image
    if image is None:
        raise ValueError("bone mass needs an image")
    excess = np.maximum(image[vertebra.box][tuple(regions.voxels.T)].astype(np.float64) - BONE_HU, 0)
    volume = float(np.prod(vertebra.spacing))
    return float((excess * regions.left).sum() * volume), float((excess * regions.right).sum() * volume)


def _signals(spine: Spine, regions: Mapping[int, Regions | Absent]) -> dict[int, dict[str, Value]]:
    """Return least ratio and asymmetry of the pedicles' signal."""
    voxels = {
        label: _signal(spine, spine.vertebra(label), region)
        for label, region in regions.items()
        if isinstance(region, Regions)
    }
    found: dict[int, dict[str, Value]] = {}
    for label, region in regions.items():
        if isinstance(region, Absent) or min(len(side) for side in voxels[label]) < 1:
            why = region if isinstance(region, Absent) else Absent("RV338", "a pedicle has no voxel")
            found[label] = dict.fromkeys(_SIGNAL, why)
            continue
        left, right = (float(np.median(side)) for side in voxels[label])
        values: dict[str, Value] = {"pedicle_trom_asym": Absent("RV338", "the pedicles have no signal")}
        if left + right > 0:
            values["pedicle_trom_asym"] = (left - right) / (left + right)
        pooled = {
            other: np.concatenate(voxels[other])
            for other in spine.references.get(label, ())
            if other in voxels
        }
        expected = _expected(spine, label, pooled)
        values["pedicle_trom_min"] = Absent("RV333", "no reference has pedicles with signal")
        if expected is not None and expected[0] > 0:
            values["pedicle_trom_min"] = min(left, right) / expected[0]
        found[label] = values
    return found


def _signal(spine: Spine, vertebra: Vertebra, regions: Regions) -> tuple[Floats, Floats]:
    """Return the intensities of the left and of the right pedicle.

    A side that the mask leaves out is looked up at the mirror image of the other one [O]: what was replaced
    is not drawn as bone.
    """
    image = spine.scan.image
    if image is None:
        raise ValueError("signal needs an image")
    inside = image[vertebra.box][tuple(regions.voxels.T)].astype(np.float64)
    sides = [inside[side >= 0.5] for side in (regions.left, regions.right)]
    volumes = (regions.left.sum(), regions.right.sum())
    for this, other, shares in ((0, 1, regions.right), (1, 0, regions.left)):
        if volumes[this] < _LEFT_OUT * volumes[other]:
            mirrored = regions.local[shares >= 0.5] * (-1, 1, 1)
            at = voxel_index(spine.scan, frame_of(vertebra), mirrored).T
            sides[this] = ndimage.map_coordinates(image.astype(np.float64), at, order=1, mode="nearest")
    return sides[0], sides[1]


def _replaced(spine: Spine) -> dict[int, dict[str, Value]]:
    """Return the share of the posterior elements that is darker than those of the references."""
    voxels: dict[int, Floats] = {}
    values: dict[int, dict[str, Value]] = {}
    for vertebra in spine.framed():
        if not vertebra.posterior.any():
            continue
        found = _arch_voxels(spine, vertebra)
        if len(found) < LEAST_VOXELS:
            few = Absent("RV338", f"{len(found)} voxels of posterior elements")
            values[vertebra.label] = {"pe_replaced_frac": few}
        else:
            voxels[vertebra.label] = found
    for label, own in voxels.items():
        usual = {other: voxels[other] for other in spine.references.get(label, ()) if other in voxels}
        limit = _least_usual(spine, label, usual)
        share: Value = Absent("RV333", "no reference has posterior elements")
        if limit is not None:
            share = float((own < limit).mean())
        values[label] = {"pe_replaced_frac": share}
    return values


def _arch_voxels(spine: Spine, vertebra: Vertebra) -> Floats:
    """Return the intensities of the posterior elements, averaged: neighbourhoods are compared, not voxels."""
    image = spine.scan.image
    if image is None:
        raise ValueError("replacement needs an image")
    return local_mean(image[vertebra.box], vertebra.posterior, vertebra.spacing, AVERAGED_MM)


def _least_usual(spine: Spine, label: int, voxels: Mapping[int, Floats]) -> float | None:
    """Return below what a voxel counts as replaced at a level; None without references.

    Two deviations below the centre. Thin processes make the references' voxels skewed, and their median
    absolute deviation then says little about the darker ones: no more of them than of normally distributed
    ones may lie below the limit, in the median reference [O]. On CT the limit is not above the value half-way
    to soft tissue [O]: a process that thick slices cut elsewhere than those of the references holds more
    mixed voxels, and a mixed one is nearer to bone unless bone is gone.
    """
    expected = _expected(spine, label, voxels)
    if expected is None:
        return None
    lows = []
    for other, values in voxels.items():
        usual = _expected(spine, other, voxels)
        if usual is not None:
            lows.append(float(np.quantile(values, BEYOND_DEVIATIONS)) - usual[0])
    limit = expected[0] + min(float(np.median(lows)), -REPLACED_DEVIATIONS * expected[1])
    return min(limit, (expected[0] + SOFT_HU) / 2) if spine.sequence == "CT" else limit


def _expected(spine: Spine, label: int, voxels: Mapping[int, Floats]) -> tuple[float, float] | None:
    """Return centre and width of the references' voxels at a level; None without any."""
    usable = [other for other in voxels if len(voxels[other])]
    if not usable:
        return None
    trend = level_trend([spine.places[other] for other in usable], [voxels[other] for other in usable])
    spread = trend.at(spine.places[label], reach=0)
    return spread.centre, spread.width
