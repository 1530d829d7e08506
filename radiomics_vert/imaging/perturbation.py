"""Vertebra contours as another reader might have drawn them: grown, turned, shifted, randomised.

A feature that changes much under such small changes of the mask cannot be trusted in a model. Each
perturbation acts on the mask alone; the image stays as it is.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
import SimpleITK as sitk
from numpy.typing import NDArray
from scipy import ndimage
from scipy.spatial import cKDTree

from radiomics_vert.errors import Problem, SettingsError
from radiomics_vert.imaging.regions import label_regions
from radiomics_vert.imaging.volumes import LabelMap

Mask: TypeAlias = NDArray[np.bool_]

DEFAULT_PERTURBATIONS = (
    *("original", "grow1", "shrink1", "rotate+2", "rotate-2", "shift+0.5", "shift-0.5"),
    *("contour1", "contour2"),
)
"""What `perturbed_features` computes unless told otherwise."""

KINDS = {
    "original": "the mask as it is",
    "grow": "grown by whole voxels within the slice",
    "shrink": "shrunk by whole voxels within the slice",
    "rotate": "turned within the slice about its centroid, in degrees",
    "shift": "moved along each axis, in voxels",
    "contour": "contour redrawn at random along supervoxels; the number tells repeats apart",
}

# Mean volume of a supervoxel, in voxels: about three voxels across, so that the contour moves by one
# to two voxels [our own default].
CELL_VOXELS = 27
# Supervoxels that lie inside (outside) by this share are kept (left out) for certain, the others at
# random with their share (Zwanenburg 2019).
SURELY_IN, SURELY_OUT = 0.90, 0.20

_NAME = re.compile(r"(original)|(grow|shrink|contour)([1-9]\d*)|(rotate|shift)([+-]\d+(?:\.\d+)?)")


@dataclass(frozen=True)
class Perturbation:
    """One way to change a mask.

    Parameters
    ----------
    name : str
        For example `rotate+2`.
    kind : str
        A key of :data:`KINDS`.
    amount : float
        Voxels, degrees, or the number of the repeat; 0 for `original`.
    """

    name: str
    kind: str
    amount: float

    @classmethod
    def parse(cls, name: str) -> Perturbation:
        """Read a name: `original`, `grow1`, `shrink1`, `rotate+2`, `rotate-2`, `shift+0.5`, `contour1`.

        Raises
        ------
        SettingsError
            RV602: the name is none of these.

        Examples
        --------
        >>> Perturbation.parse("rotate-2").amount
        -2.0
        """
        match = _NAME.fullmatch(name)
        if match is None:
            raise SettingsError(
                Problem(
                    "RV602",
                    "original, grow1, shrink1, rotate+2, shift+0.5 or contour1, with any number",
                    repr(name),
                    "perturbations",
                    "correct the name; rotate and shift need a sign, the others a whole number",
                )
            )
        original, counted, count, signed, amount = match.groups()
        return cls(name, original or counted or signed, float(count or amount or 0))


def perturb(
    label_map: LabelMap,
    perturbation: Perturbation | str,
    labels: Mapping[int, str],
    *,
    axis: int | None = None,
    seed: int = 0,
) -> LabelMap:
    """Return a label map in which each of these labels is perturbed on its own.

    A label gains background voxels only: where it would enter a neighbour, the neighbour stays. Of two
    labels that would gain the same voxel, the one that comes first has it. Nothing leaves the grid.

    Parameters
    ----------
    label_map : LabelMap
        Stays as it is.
    perturbation : Perturbation or str
        What to do.
    labels : mapping of int to str
        Labels to perturb, each with a name of the case; the name and `seed` alone fix the random
        choices, so they depend neither on the order nor on the other labels. Labels that do not occur
        are passed over; other labels of the map stay.
    axis : int, optional
        The slice axis, 0, 1, 2 for x, y, z: growing, shrinking and turning stay in the plane across it.
        By default the axis with the largest spacing, and z when all are equal.
    seed : int, default 0
        Of the random choices.

    Returns
    -------
    LabelMap
        On the same grid and of the same type. A label may vanish when it is shrunk.

    References
    ----------
    Zwanenburg A et al. (2019). Assessing robustness of radiomic features by image perturbation.
    Scientific Reports 9:614. doi:10.1038/s41598-018-36938-4
    """
    chosen = Perturbation.parse(perturbation) if isinstance(perturbation, str) else perturbation
    if chosen.kind == "original":
        return label_map
    spacing = np.array(label_map.geometry.spacing)[::-1]
    across = _slice_axis(spacing) if axis is None else 2 - axis
    before = label_map.array()
    after = before.copy()
    for label, region in label_regions(label_map, labels.keys()).items():
        crop = _crop(region.box, before.shape, _margin(chosen, spacing, region.box))
        old = before[crop] == label
        rng = np.random.default_rng(_entropy(seed, chosen.name, labels[label]))
        new = _changed(old, chosen, spacing, across, rng)
        block = after[crop]
        block[old & ~new] = 0
        block[new & (before[crop] == 0) & (block == 0)] = label
    volume = sitk.GetImageFromArray(after)
    volume.CopyInformation(label_map.volume)
    return LabelMap(volume, label_map.source)


def _slice_axis(spacing: NDArray[np.float64]) -> int:
    """Return the position, in the order z, y, x, of the largest spacing; z comes first among equals."""
    return int(np.argmax(spacing > spacing.max() * (1 - 1e-6)))


def _entropy(seed: int, *names: str) -> list[int]:
    digest = hashlib.sha256("\n".join(names).encode()).digest()
    return [seed, *np.frombuffer(digest, dtype="<u4").tolist()]


def _margin(chosen: Perturbation, spacing: NDArray[np.float64], box: tuple[int, ...]) -> NDArray[np.intp]:
    """Return how many voxels around the box, along z, y, x, a perturbation can reach."""
    if chosen.kind == "rotate":
        extent = np.subtract(box[1::2], box[0::2])[::-1] * spacing
        reach = np.linalg.norm(extent) * np.deg2rad(abs(chosen.amount))
        return np.asarray(np.ceil(reach / spacing).astype(int) + 1)
    if chosen.kind == "contour":
        # A cell is about as wide as the edge of a cube of its volume; three edges are ample.
        edge = np.cbrt(CELL_VOXELS * spacing.prod())
        return np.asarray(np.ceil(3 * edge / spacing).astype(int))
    return np.full(3, int(np.ceil(abs(chosen.amount))) + 1)


def _crop(
    box: tuple[int, ...], shape: tuple[int, ...], margin: NDArray[np.intp]
) -> tuple[slice, slice, slice]:
    x0, x1, y0, y1, z0, z1 = box
    starts, stops = np.array((z0, y0, x0)) - margin, np.array((z1, y1, x1)) + margin
    z, y, x = (
        slice(max(int(start), 0), min(int(stop), size))
        for start, stop, size in zip(starts, stops, shape, strict=True)
    )
    return z, y, x


def _changed(
    mask: Mask, chosen: Perturbation, spacing: NDArray[np.float64], across: int, rng: np.random.Generator
) -> Mask:
    if chosen.kind in ("grow", "shrink"):
        return _resized(mask, across, int(chosen.amount), grow=chosen.kind == "grow")
    if chosen.kind == "rotate":
        return _rotated(mask, chosen.amount, spacing, across)
    if chosen.kind == "shift":
        return _shifted(mask, chosen.amount)
    return _redrawn(mask, spacing, rng)


def _resized(mask: Mask, across: int, steps: int, *, grow: bool) -> Mask:
    """Grow or shrink by the four neighbours in the plane; the edge of the grid is not a contour."""
    cross = ndimage.generate_binary_structure(3, 1)
    cross = np.asarray(cross & (np.indices(cross.shape)[across] == 1))
    if grow:
        return np.asarray(ndimage.binary_dilation(mask, cross, iterations=steps))
    return np.asarray(ndimage.binary_erosion(mask, cross, iterations=steps, border_value=1))


def _rotated(mask: Mask, degrees: float, spacing: NDArray[np.float64], across: int) -> Mask:
    """Turn about the centroid, x towards y (or the later axis of the plane), in millimetres."""
    first, second = (axis for axis in range(3) if axis != across)
    cosine, sine = np.cos(np.deg2rad(degrees)), np.sin(np.deg2rad(degrees))
    turn = np.eye(3)
    turn[first, first] = turn[second, second] = cosine
    turn[first, second], turn[second, first] = sine, -sine
    # From a voxel of the result to where it came from: the turn backwards.
    back = np.diag(1 / spacing) @ turn.T @ np.diag(spacing)
    centre = np.array(ndimage.center_of_mass(mask))
    depth = _depth(mask)
    moved = ndimage.affine_transform(depth, back, centre - back @ centre, order=1, mode="nearest")
    return np.asarray(moved > 0)


def _shifted(mask: Mask, voxels: float) -> Mask:
    # A flat face that is moved by exactly half a voxel meets voxel centres on both sides. A little more
    # than half decides both in the direction of the shift, so that the volume stays.
    offset = voxels * (1 + 1e-6)
    depth = _depth(mask)
    return np.asarray(ndimage.shift(depth, np.full(3, offset), order=1, mode="nearest") > 0)


def _depth(mask: Mask) -> NDArray[np.float64]:
    """Return the distance to the contour in voxels, positive inside; the contour lies between voxels."""
    inside = np.pad(mask, 1, mode="edge")
    depth = np.where(
        inside,
        ndimage.distance_transform_edt(inside) - 0.5,
        0.5 - ndimage.distance_transform_edt(~inside),
    )
    return np.asarray(depth[1:-1, 1:-1, 1:-1])


def _redrawn(mask: Mask, spacing: NDArray[np.float64], rng: np.random.Generator) -> Mask:
    """Redraw the contour along cells around random seeds (a Voronoi partition in millimetres).

    One seed lies anywhere in each cube of the volume of a supervoxel, so that cells are of similar
    size. Zwanenburg's supervoxels follow the grey values; these follow none: the contour is as uncertain
    at strong edges as at weak ones, and no parameter needs tuning to CT or MR.
    """
    points = np.argwhere(np.ones(mask.shape, dtype=bool)) * spacing
    edge = np.cbrt(CELL_VOXELS * spacing.prod())
    cubes = np.ceil(mask.shape * spacing / edge).astype(int) + 1
    corners = np.argwhere(np.ones(cubes, dtype=bool)) - 0.5
    seeds = (corners + rng.random(corners.shape) - rng.random(3) / 2) * edge
    cell = cKDTree(seeds).query(points)[1]
    sizes = np.bincount(cell, minlength=len(seeds))
    share = np.bincount(cell, weights=mask.ravel(), minlength=len(seeds)) / np.maximum(sizes, 1)
    drawn = rng.random(len(seeds)) < share
    kept = (share >= SURELY_IN) | ((share >= SURELY_OUT) & drawn)
    return np.asarray(kept[cell].reshape(mask.shape))
