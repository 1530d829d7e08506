"""Gas inside a vertebral body: the vacuum cleft, its volume, shape, depth and direction.

Volume counts all gas. Shape, direction and length are those of the largest piece, because several bubbles in
a row are no cleft. Shape and direction are read as on a lateral picture, in the plane of the axes to the back
and to the head: there a flat cleft is a line, while its two long axes in space are alike [O].
"""

from __future__ import annotations

import numpy as np
from scipy import ndimage

from radiomics_vert.signs.components import connected
from radiomics_vert.signs.depths import plate_depths
from radiomics_vert.signs.marrow import eroded
from radiomics_vert.signs.nouns import Absent, Mask, Value, Vertebra
from radiomics_vert.signs.results import Measured
from radiomics_vert.signs.spine import Spine

GAS_HU = -200.0
"""Voxels below are gas [O]: fat is above -150 HU, and no published threshold was found."""
DEPTH_MM = 1.0
"""Gas this close to the body's surface is not counted: an outline drawn too wide holds disc gas or air."""
LEAST_VOXELS = 4
"""Of a piece of gas [O]."""
ROUND = 0.1  # linearity below which a piece has no direction [O]


def filled_body(spine: Spine, vertebra: Vertebra) -> Mask:
    """Return the body with the holes that a segmentation left where it took gas for air.

    A cleft may open to one side, so holes are filled in space and in the slices that run from head to feet
    (sagittal and coronal). Slices across the axis are not used: there a hollow endplate is a ring around the
    disc. Other vertebrae are never taken in.

    Parameters
    ----------
    spine, vertebra : Spine, Vertebra
        The scan and one of its vertebrae with a frame.

    Returns
    -------
    ndarray of bool
        Of the shape of the vertebra's box.
    """
    body = vertebra.body
    filled = ndimage.binary_fill_holes(body)
    for plane in (np.ones((3, 1, 3), bool), np.ones((3, 3, 1), bool)):
        filled |= ndimage.binary_fill_holes(body, plane)
    new = np.asarray(filled & ~body & (spine.scan.labels[vertebra.box] == 0))
    if not new.any():
        return body
    depths = plate_depths(vertebra, spine.outlines[vertebra.label], new)
    new[new] = depths.nearer > 0
    return np.asarray(body | new)


def gas_voxels(spine: Spine, vertebra: Vertebra) -> Mask:
    """Return the gas of a body, in the box of the vertebra: below -200 HU, deeper than 1 mm.

    Fewer than four voxels that touch each other are noise: images of sharp kernels have such voxels in every
    body [O].
    """
    image = spine.scan.image
    if image is None:
        raise ValueError("gas needs an image")
    gas = np.asarray(image[vertebra.box] < GAS_HU)
    if not gas.any():
        return gas
    body = filled_body(spine, vertebra)
    gas &= body
    # Air beside the spine lies in most boxes; the depths of a body are worth their time where gas is in it.
    if not gas.any():
        return gas
    gas &= eroded(body, vertebra.spacing, DEPTH_MM)
    least = LEAST_VOXELS * float(np.prod(vertebra.spacing))
    return connected(gas, vertebra.spacing, least_mm3=0.999 * least).mask if gas.any() else gas


def gas_volume(spine: Spine, vertebra: Vertebra) -> float:
    """Return the volume of gas in a body, ml; 0 where there is none."""
    return float(gas_voxels(spine, vertebra).sum() * np.prod(vertebra.spacing) / 1000)


def measure(spine: Spine) -> Measured:
    """Measure the gas of every vertebra."""
    if spine.scan.image is None:
        return {}
    return {vertebra.label: _values(spine, vertebra) for vertebra in spine.framed()}


_SHAPE = ("gas_linearity", "gas_depth_rel", "gas_parallel_deg", "gas_span")


def _values(spine: Spine, vertebra: Vertebra) -> dict[str, Value]:
    gas = gas_voxels(spine, vertebra)
    values: dict[str, Value] = {"gas_ml": float(gas.sum() * np.prod(vertebra.spacing) / 1000)}
    largest = connected(gas, vertebra.spacing).labels == 1
    if not largest.any():
        return values | dict.fromkeys(_SHAPE, Absent("RV338", "there is no gas"))
    return values | _describe(spine, vertebra, gas, largest)


def _describe(spine: Spine, vertebra: Vertebra, gas: Mask, largest: Mask) -> dict[str, Value]:
    frame = vertebra.frame
    if frame is None:
        raise ValueError(f"{vertebra.case_id} has no frame")
    depths = plate_depths(vertebra, spine.outlines[vertebra.label], gas)
    depth = float(np.clip(np.median(depths.superior / depths.height), 0, 1))
    local = frame.to_local(vertebra.points(largest))
    # A voxel has a width of its own: without it, a cleft one voxel thick would be infinitely thin.
    width = frame.axes @ np.diag(np.array(vertebra.spacing[::-1]) ** 2 / 12) @ frame.axes.T
    scatter = np.cov(local.T, bias=True) + width
    (small, large), lateral = np.linalg.eigh(scatter[1:, 1:])
    linearity = float(1 - np.sqrt(small / large))
    long = np.linalg.eigh(scatter)[1][:, 2]
    reach = float(np.abs(frame.axes.T @ long) @ np.array(vertebra.spacing[::-1]))
    plate = frame.superior if depth < 0.5 else frame.inferior
    angle = np.degrees(np.arctan2(lateral[1, 1], lateral[0, 1]) - np.arctan(plate.back)) % 180
    return {
        "gas_linearity": linearity,
        "gas_depth_rel": depth,
        "gas_parallel_deg": float(min(angle, 180 - angle))
        if linearity >= ROUND
        else Absent("RV338", "the gas is round and has no direction"),
        "gas_span": float((np.ptp(local @ long) + reach) / frame.width),
    }
