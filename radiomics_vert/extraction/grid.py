"""The grid on which features are computed, and blocks of the image on it.

pyradiomics filters and resamples the whole image for every region. Here only the block that a region
needs is made, on the same grid: voxel k of a block is voxel `start + k` of the whole working image.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from typing import Any, Protocol

import numpy as np
import SimpleITK as sitk

import radiomics_vert.extraction.spline as spline
from radiomics_vert.extraction.ibsi import preparing
from radiomics_vert.extraction.settings import resamples

# ITK computes B-spline coefficients with a recursive filter whose memory decays as 0.268 per voxel:
# after 30 voxels 7e-18 is left. 2 more voxels are the support of the cubic spline itself.
SPLINE_MARGIN = 32

# A smaller margin, after which 2e-14 is left, and the share of the largest grey value that this, the rounding
# of places and the slope of a spline can amount to together [O]: a thousand times what was seen on CT.
CERTAIN_MARGIN = 24
UNCERTAIN = 1e-10

# Coefficients are made for a part of a block that needs no more than about this, and handed to ITK, which
# needs a copy of them, in slabs of the second size. [O] The margin of a part costs time.
_BLOCK_BYTES = 32 << 20
_SLAB_BYTES = 8 << 20

_SPLINE = sitk.sitkBSplineResamplerOrder3
_FLOATS = (sitk.sitkFloat32, sitk.sitkFloat64)

TOLERANCE = 1e-6
"""Share of a voxel that rounding errors of a spacing may amount to."""

Span = tuple[np.ndarray, np.ndarray]
"""First and last voxel + 1 along x, y, z."""


class Grid(Protocol):
    """A working image that hands out blocks of itself."""

    @property
    def size(self) -> np.ndarray:
        """Voxels along x, y, z of the whole working image."""

    @property
    def spacing(self) -> np.ndarray:
        """Millimetres along x, y, z."""

    @property
    def frame(self) -> Span:
        """The part whose voxels pyradiomics would load for this region."""

    def image(self, start: np.ndarray, stop: np.ndarray) -> sitk.Image:
        """Return the voxels from `start` to `stop` (excluded), which must lie inside the grid."""

    def mask(self) -> tuple[np.ndarray, np.ndarray]:
        """Return the region as booleans, shape (z, y, x), and the grid index (x, y, z) of its first voxel."""

    def sample(self, voxels: sitk.Image, start: np.ndarray, stop: np.ndarray) -> np.ndarray:
        """Return where a mask of the original grid, or of a part of it, is not 0 (nearest neighbour)."""


@dataclass(frozen=True)
class NativeGrid:
    """The image's own voxels.

    Parameters
    ----------
    volume, labels : SimpleITK.Image
        Image and label map on one grid.
    label : int
        The region's value.
    box : tuple of int
        Bounding box of the region, (x0, x1, y0, y1, z0, z1), upper ends excluded.
    pad : int, optional
        Voxels around the region that pyradiomics would load; None for the whole image.
    """

    volume: sitk.Image
    labels: sitk.Image
    label: int
    box: tuple[int, ...]
    pad: int | None = None

    @property
    def size(self) -> np.ndarray:
        """Voxels along x, y, z."""
        return np.array(self.volume.GetSize())

    @property
    def spacing(self) -> np.ndarray:
        """Millimetres along x, y, z."""
        return np.array(self.volume.GetSpacing())

    @property
    def frame(self) -> Span:
        """The whole image, or the padded box."""
        if self.pad is None:
            return np.zeros(3, int), self.size
        start, stop = np.array(self.box[0::2]), np.array(self.box[1::2])
        return np.maximum(start - self.pad, 0), np.minimum(stop + self.pad, self.size)

    def image(self, start: np.ndarray, stop: np.ndarray) -> sitk.Image:
        """Return the voxels from `start` to `stop` (excluded)."""
        return crop(self.volume, start, stop)

    def mask(self) -> tuple[np.ndarray, np.ndarray]:
        """Return the region as booleans, shape (z, y, x), and the index (x, y, z) of its first voxel."""
        x0, x1, y0, y1, z0, z1 = self.box
        voxels = sitk.GetArrayViewFromImage(self.labels)[z0:z1, y0:y1, x0:x1]
        return voxels == self.label, np.array((x0, y0, z0))

    def sample(self, voxels: sitk.Image, start: np.ndarray, stop: np.ndarray) -> np.ndarray:
        """Return where a mask of the original grid, or of a part of it, is not 0."""
        block = sitk.Resample(
            voxels, self.image(start, stop), sitk.Transform(), sitk.sitkNearestNeighbor, 0.0, sitk.sitkUInt8
        )
        return np.asarray(sitk.GetArrayFromImage(block) != 0)


@dataclass(frozen=True)
class ResampledGrid:
    """The grid on which pyradiomics resamples: aligned to the corner of the whole mask.

    The last three parameters take IBSI's conventions in place of pyradiomics' own.

    Parameters
    ----------
    volume, labels : SimpleITK.Image
        Image and label map.
    label : int
        The region's value.
    box : tuple of int
        Bounding box of the region in `labels`, (x0, x1, y0, y1, z0, z1), upper ends excluded.
    spacing : ndarray, shape (3,)
        New spacing in millimetres along x, y, z.
    pad : int
        Voxels around the region that pyradiomics would resample (its `padDistance`).
    interpolator : str or int
        A SimpleITK interpolator.
    centred : bool
        The centres of both grids coincide, not their corners.
    rounded : bool
        Resampled intensities are rounded to whole numbers.
    partial_volume : bool
        The mask is interpolated linearly, and at least half of a voxel lies inside.
    """

    volume: sitk.Image
    labels: sitk.Image
    label: int
    box: tuple[int, ...]
    spacing: np.ndarray
    pad: int
    interpolator: str | int
    centred: bool = False
    rounded: bool = False
    partial_volume: bool = False

    @property
    def ratio(self) -> np.ndarray:
        """Old spacing / new spacing."""
        return np.asarray(np.array(self.labels.GetSpacing()) / self.spacing)

    @property
    def size(self) -> np.ndarray:
        """Voxels along x, y, z of the whole resampled image."""
        extent = np.array(self.labels.GetSize()) * self.ratio
        # Rounding errors must not add a voxel, which would move a centred grid by half of one.
        return np.asarray(np.ceil(extent - TOLERANCE if self.centred else extent).astype(int))

    @property
    def _first(self) -> np.ndarray:
        """Where the first new voxel lies among the old ones, as an index along x, y, z."""
        old = np.array(self.labels.GetSpacing())
        if self.centred:
            return np.asarray(0.5 * (np.array(self.labels.GetSize()) - 1 - (self.size - 1) / self.ratio))
        # Corners, not centres, of the first old and the first new voxel coincide.
        return np.asarray(0.5 * (self.spacing - old) / old)

    @property
    def frame(self) -> Span:
        """The part that pyradiomics resamples: the region, rounded outwards, and `pad` voxels."""
        lower, upper = np.array(self.box[0::2]), np.array(self.box[1::2])
        if self.centred:
            lower, upper = lower - 0.5 - self._first, upper + 0.5 - self._first
        start = np.floor((lower - 0.5) * self.ratio - self.pad)
        last = np.ceil((upper - 0.5) * self.ratio + self.pad)
        return np.maximum(start, 0).astype(int), np.minimum(last + 1, self.size).astype(int)

    def image(self, start: np.ndarray, stop: np.ndarray) -> sitk.Image:
        """Return the resampled voxels from `start` to `stop` (excluded)."""
        lower, upper = self.frame
        if not ((start >= lower).all() and (stop <= upper).all()):
            return self._intensities(start, stop)
        tight = self._tight
        if tight is not None:
            first = self._inside[1]
            if (start >= first).all() and (stop <= first + tight.GetSize()).all():
                return crop(tight, start - first, stop - first)
        return crop(self._loaded, start - lower, stop - lower)

    @cached_property
    def _tight(self) -> sitk.Image | None:
        """The box of the region with the whole numbers that the frame has; None where that is not certain.

        A spline through fewer voxels, at places that were rounded elsewhere, differs in the last digits.
        Whole numbers cannot differ where no fraction is so close to 0 that those digits decide.
        """
        exact = self.volume.GetPixelID() in _FLOATS or self._meets_voxels()
        if exact or self.rounded or _interpolator(self.interpolator) != sitk.sitkBSpline:
            return None
        inside, start = self._inside
        if not inside.size or not spline.same_bits():
            return None
        stop = start + inside.shape[::-1]
        source = self._deciding(start, stop, CERTAIN_MARGIN)
        voxels = view(self.volume, *source)
        largest = max(-float(voxels.min()), float(voxels.max()))
        found = _stacked(self._splines(source, start, stop, sitk.sitkFloat64))
        values = sitk.GetArrayViewFromImage(found)
        if np.abs(values - np.rint(values)).min() <= UNCERTAIN * largest:
            return None
        return sitk.Cast(found, self.volume.GetPixelID()) if _in_range(values, voxels.dtype) else None

    @cached_property
    def _loaded(self) -> sitk.Image:
        """The frame, resampled as pyradiomics does."""
        if self._meets_voxels() and not self.rounded:
            return self._resample(self.volume, *self.frame, _interpolator(self.interpolator))
        return self._intensities(*self.frame)

    def _intensities(self, start: np.ndarray, stop: np.ndarray) -> sitk.Image:
        # As floating-point numbers: ITK would cut the fraction off, not round, for a whole-number image.
        kind = sitk.sitkFloat64 if self.rounded else self.volume.GetPixelID()
        found = self._interpolated(start, stop, kind)
        if not self.rounded:
            return found
        whole: sitk.Image = sitk.GetImageFromArray(np.rint(sitk.GetArrayViewFromImage(found)))
        whole.CopyInformation(found)
        return whole

    def _interpolated(self, start: np.ndarray, stop: np.ndarray, kind: int) -> sitk.Image:
        interpolator, source = _interpolator(self.interpolator), self.volume
        splines = interpolator == sitk.sitkBSpline
        if splines and spline.same_bits():
            parts = _slabs(start, stop, self._held(start, stop) // _BLOCK_BYTES)
            return _stacked(
                [slab for part in parts for slab in self._splines(self._deciding(*part), *part, kind)]
            )
        # No other interpolator looks at the whole image first, and nothing is copied.
        if splines or kind != source.GetPixelID():
            source = sitk.Cast(crop(source, *self._deciding(start, stop)), kind)
        return self._resample(source, start, stop, interpolator)

    def _deciding(self, start: np.ndarray, stop: np.ndarray, margin: int = SPLINE_MARGIN) -> Span:
        """Return the part of the original image that decides the voxels from `start` to `stop`."""
        shift = self._first if self.centred else np.zeros(3)
        lower = np.floor(start / self.ratio + shift).astype(int) - margin
        upper = np.ceil(stop / self.ratio + shift).astype(int) + margin
        return np.maximum(lower, 0), np.minimum(upper, np.array(self.volume.GetSize()))

    def _meets_voxels(self) -> bool:
        """Tell whether voxels of an image of whole numbers come to lie exactly on original ones.

        The spline then returns a whole number but for rounding, and ITK cuts off its fraction: the last
        bit decides between n and n - 1. Only the very computation of pyradiomics gives its bits.
        """
        if self.volume.GetPixelID() in _FLOATS:
            return False
        centres = ((np.arange(n) + 0.5) / r - 0.5 for n, r in zip(self.size, self.ratio, strict=True))
        return all((np.abs(axis - np.rint(axis)) < 1e-6).any() for axis in centres)

    def mask(self) -> tuple[np.ndarray, np.ndarray]:
        """Return the region as booleans, shape (z, y, x), and the grid index (x, y, z) of its first voxel."""
        return self._inside

    @cached_property
    def _inside(self) -> tuple[np.ndarray, np.ndarray]:
        start, stop = self.frame
        if self.partial_volume:
            share = self._resample(self._membership(), start, stop, sitk.sitkLinear)
            found = sitk.GetArrayFromImage(share) >= 0.5 - TOLERANCE
            tight = tight_box(found)
            return found[tight], start + [axis.start for axis in tight[::-1]]
        # The whole label map is the source, not a crop: on a tie between two voxels the rounding of
        # the coordinates decides, and it must be the rounding that pyradiomics has.
        labels = self._resample(self.labels, start, stop, sitk.sitkNearestNeighbor)
        found = sitk.GetArrayFromImage(labels) == self.label
        tight = tight_box(found)
        return found[tight], start + [axis.start for axis in tight[::-1]]

    def _membership(self) -> sitk.Image:
        """Return 1 inside the region and 0 outside, with a margin of one voxel."""
        size = np.array(self.labels.GetSize())
        lower = np.maximum(np.array(self.box[0::2]) - 1, 0)
        upper = np.minimum(np.array(self.box[1::2]) + 1, size)
        inside: sitk.Image = sitk.Cast(crop(self.labels, lower, upper) == self.label, sitk.sitkFloat64)
        return inside

    def sample(self, voxels: sitk.Image, start: np.ndarray, stop: np.ndarray) -> np.ndarray:
        """Return where a mask of the original grid, or of a part of it, is not 0 (nearest neighbour)."""
        block = self._resample(voxels, start, stop, sitk.sitkNearestNeighbor)
        return np.asarray(sitk.GetArrayFromImage(block) != 0)

    def _resample(
        self,
        source: sitk.Image,
        start: np.ndarray,
        stop: np.ndarray,
        interpolator: int,
        kind: int | None = None,
    ) -> sitk.Image:
        first = self._first + start / self.ratio
        resampler = sitk.ResampleImageFilter()
        resampler.SetOutputSpacing(self.spacing.tolist())
        resampler.SetOutputDirection(self.labels.GetDirection())
        resampler.SetOutputOrigin(self.labels.TransformContinuousIndexToPhysicalPoint(first.tolist()))
        resampler.SetSize((stop - start).tolist())
        resampler.SetOutputPixelType(source.GetPixelID() if kind is None else kind)
        resampler.SetInterpolator(interpolator)
        resampled: sitk.Image = resampler.Execute(source)
        return resampled

    def _held(self, start: np.ndarray, stop: np.ndarray) -> int:
        """Return the bytes of the coefficients that the voxels from `start` to `stop` need at a time."""
        source = self._deciding(start, stop)
        lower, upper = self._support(source, start, stop)
        return int(8 * np.prod((upper - lower)[:2]) * (source[1] - source[0])[2])

    def _splines(self, source: Span, start: np.ndarray, stop: np.ndarray, kind: int) -> list[sitk.Image]:
        """Return B-splines through a part of the image in slabs; ITK would make coefficients of all of it."""
        lower, upper = self._support(source, start, stop)
        kept = slices(lower - source[0], upper - source[0])
        found = spline.coefficients(view(self.volume, *source), kept)
        return [
            self._resample(self._beside(found, (lower, upper), first, last), first, last, _SPLINE, kind)
            for first, last in _slabs(start, stop, found.nbytes // _SLAB_BYTES)
        ]

    def _beside(self, found: np.ndarray, kept: Span, start: np.ndarray, stop: np.ndarray) -> sitk.Image:
        """Return the coefficients that the voxels from `start` to `stop` need, of all that were kept."""
        lower, upper = self._support(kept, start, stop)
        part: sitk.Image = sitk.GetImageFromArray(found[slices(lower - kept[0], upper - kept[0])])
        part.SetSpacing(self.volume.GetSpacing())
        part.SetDirection(self.volume.GetDirection())
        part.SetOrigin(self.volume.TransformIndexToPhysicalPoint(lower.tolist()))
        return part

    def _support(self, source: Span, start: np.ndarray, stop: np.ndarray) -> Span:
        """Return which voxels of a part of the image the voxels from `start` to `stop` are splines of."""
        first, last = (self._first + voxel / self.ratio for voxel in (start, stop - 1))
        ends = [
            self.volume.TransformPhysicalPointToContinuousIndex(
                self.labels.TransformContinuousIndexToPhysicalPoint(place.tolist())
            )
            for place in (first, last)
        ]
        # 2 voxels are the support of the spline; image and labels may differ by a fraction of another.
        lower = np.floor(np.minimum(*ends)).astype(int) - 3
        upper = np.ceil(np.maximum(*ends)).astype(int) + 4
        return np.clip(lower, source[0], source[1] - 1), np.clip(upper, source[0] + 1, source[1])


def make_grid(
    volume: sitk.Image, labels: sitk.Image, label: int, box: tuple[int, ...], settings: Mapping[str, Any]
) -> Grid:
    """Return the grid on which the settings want this region's features.

    Parameters
    ----------
    volume, labels : SimpleITK.Image
        Image and label map of the whole scan.
    label : int
        The region's value in `labels`.
    box : tuple of int
        Its bounding box, (x0, x1, y0, y1, z0, z1), upper ends excluded.
    settings : mapping
        Narrowed settings of a step.
    """
    if not resamples(settings):
        return NativeGrid(volume, labels, label, box)
    old = np.array(labels.GetSpacing())
    wanted = np.array(settings["resampledPixelSpacing"], dtype=float)
    extent = np.array(box[1::2]) - np.array(box[0::2])
    # 0 means "as it is"; a region of one slice cannot be resampled across it.
    spacing = np.where((wanted == 0) | (extent == 1), old, wanted)
    pad = int(settings["padDistance"])
    if np.allclose(np.array(volume.GetSpacing()), spacing):
        return NativeGrid(volume, labels, label, box, pad)
    own = preparing(settings)
    return ResampledGrid(
        volume,
        labels,
        label,
        box,
        spacing,
        pad,
        settings["interpolator"],
        centred=own["grid"] == "centre",
        rounded=own["rounding"] == "nearest",
        partial_volume=own["mask"] == "partial_volume",
    )


def tight_box(mask: np.ndarray) -> tuple[slice, ...]:
    """Return the bounding box of the true voxels; empty slices when there are none."""
    if not mask.any():
        return (slice(0, 0),) * mask.ndim
    spans = []
    for axis in range(mask.ndim):
        used = np.flatnonzero(mask.any(axis=tuple(a for a in range(mask.ndim) if a != axis)))
        spans.append(slice(int(used[0]), int(used[-1]) + 1))
    return tuple(spans)


def _slabs(start: np.ndarray, stop: np.ndarray, further: int) -> Iterator[Span]:
    """Divide a block along z into one slab and so many further ones."""
    edges = np.linspace(start[2], stop[2], min(stop[2] - start[2], 1 + further) + 1).astype(int)
    for first, last in pairwise(edges):
        yield np.array((*start[:2], first)), np.array((*stop[:2], last))


def _stacked(slabs: list[sitk.Image]) -> sitk.Image:
    """Join images along z."""
    if len(slabs) == 1:
        return slabs[0]
    joined: sitk.Image = sitk.GetImageFromArray(
        np.concatenate([sitk.GetArrayViewFromImage(s) for s in slabs])
    )
    joined.SetSpacing(slabs[0].GetSpacing())
    joined.SetDirection(slabs[0].GetDirection())
    joined.SetOrigin(slabs[0].GetOrigin())
    return joined


def _in_range(values: np.ndarray, kind: np.dtype[Any]) -> bool:
    """Tell whether a number type holds the whole part of all values."""
    limits = np.iinfo(kind)
    return bool(values.min() > limits.min and values.max() < limits.max)


def _interpolator(name: str | int) -> int:
    return int(getattr(sitk, name)) if isinstance(name, str) else int(name)


def slices(start: np.ndarray, stop: np.ndarray) -> tuple[slice, slice, slice]:
    """Return slices along z, y, x from indices along x, y, z."""
    x, y, z = (slice(int(first), int(end)) for first, end in zip(start, stop, strict=True))
    return z, y, x


def view(volume: sitk.Image, start: np.ndarray, stop: np.ndarray) -> np.ndarray:
    """Return the voxels from `start` to `stop` (excluded; x, y, z) of an image, which are not copied."""
    return np.asarray(sitk.GetArrayViewFromImage(volume)[slices(start, stop)])


def crop(volume: sitk.Image, start: np.ndarray, stop: np.ndarray) -> sitk.Image:
    """Return the voxels from `start` to `stop` (excluded; x, y, z) as an image of its own."""
    size = [int(extent) for extent in stop - start]
    cropped: sitk.Image = sitk.RegionOfInterest(volume, size, [int(index) for index in start])
    return cropped
