"""One voxel order for all scans: left, posterior, superior, by permutation and flip alone."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import SimpleITK as sitk

from radiomics_vert.imaging.geometry import Geometry
from radiomics_vert.imaging.orientation import patient_axes

Box = tuple[int, int, int, int, int, int]
_SLAB = 8
"""Slices that are moved at a time."""


@dataclass(frozen=True)
class Orientation:
    """How the axes of a file become axes that run to the left, to the back and to the head (LPS).

    Voxels are moved, never interpolated: an oblique image stays oblique, its axes are named after the
    direction that they are closest to.

    Parameters
    ----------
    axes : tuple of int
        For each new axis, the axis of the file (0, 1, 2 for x, y, z) that it is.
    flipped : tuple of bool
        For each new axis, whether it runs against that axis of the file.

    Examples
    --------
    >>> grid = Geometry((7, 8, 9), (1.0, 2.0, 3.0), (0.0, 0.0, 0.0), (0, 0, -1, 1, 0, 0, 0, -1, 0))
    >>> sagittal = Orientation.of(grid)
    >>> sagittal.axes, sagittal.flipped
    ((2, 0, 1), (True, False, True))
    >>> sagittal.box((0, 2, 0, 3, 0, 4), grid.size)
    (5, 9, 0, 2, 5, 8)
    """

    axes: tuple[int, int, int] = (0, 1, 2)
    flipped: tuple[bool, bool, bool] = (False, False, False)

    @classmethod
    def of(cls, geometry: Geometry) -> Orientation:
        """Return the way from a grid to LPS: each axis of the patient takes the nearest axis of the file."""
        (x, along_x), (y, along_y), (z, along_z) = patient_axes(geometry)
        return cls((x, y, z), (along_x < 0, along_y < 0, along_z < 0))

    @property
    def keeps_order(self) -> bool:
        """Whether the file is in LPS order already."""
        return self == Orientation()

    @property
    def keeps_axes(self) -> bool:
        """Whether each axis stays in its place, in its direction or against it."""
        return self.axes == (0, 1, 2)

    def inverse(self) -> Orientation:
        """Return the way back."""
        back = [self.axes.index(axis) for axis in range(3)]
        turned = [self.flipped[place] for place in back]
        return Orientation((back[0], back[1], back[2]), (turned[0], turned[1], turned[2]))

    def spacing(self, spacing: tuple[float, ...]) -> tuple[float, ...]:
        """Return spacings (mm) of the file in the new order."""
        return tuple(spacing[axis] for axis in self.axes)

    def box(self, box: tuple[int, ...], size: tuple[int, ...]) -> Box:
        """Return a bounding box of the file, (x0, x1, y0, y1, z0, z1), upper ends excluded, in the new order.

        Parameters
        ----------
        box : tuple of int
            In voxels of the file.
        size : tuple of int
            Voxels of the file along x, y, z.
        """
        bounds: list[int] = []
        for axis, flipped in zip(self.axes, self.flipped, strict=True):
            start, stop, extent = box[2 * axis], box[2 * axis + 1], size[axis]
            bounds += [extent - stop, extent - start] if flipped else [start, stop]
        x0, x1, y0, y1, z0, z1 = bounds
        return x0, x1, y0, y1, z0, z1

    def apply(self, volume: sitk.Image) -> sitk.Image:
        """Return an image or label map with its voxels in the new order, at the same place in space.

        An image that nobody else holds is not copied where its axes keep their order and only run the other
        way.
        """
        if self.keeps_order:
            return volume
        header = self._header(volume)
        parts = [volume]
        del volume
        turned = self._reversed(parts.pop()) if self.keeps_axes else self._permuted(parts.pop())
        turned.SetSpacing(header.GetSpacing())
        turned.SetOrigin(header.GetOrigin())
        turned.SetDirection(header.GetDirection())
        return turned

    @property
    def _steps(self) -> tuple[slice, ...]:
        """How numpy, which counts the axes from z to x, turns axes around."""
        return tuple(slice(None, None, -1 if flipped else 1) for flipped in reversed(self.flipped))

    def _permuted(self, volume: sitk.Image) -> sitk.Image:
        size = [volume.GetSize()[axis] for axis in self.axes]
        turned = sitk.Image(size, volume.GetPixelID())
        order = [2 - self.axes[2 - axis] for axis in range(3)]
        voxels = sitk.GetArrayViewFromImage(volume).transpose(order)[self._steps]
        # Slab by slab: SimpleITK's own filters take two to four times as long.
        for start in range(0, size[2], _SLAB):
            slab = sitk.GetImageFromArray(np.ascontiguousarray(voxels[start : start + _SLAB]))
            turned[:, :, start : start + slab.GetDepth()] = slab
        return turned

    def _reversed(self, volume: sitk.Image) -> sitk.Image:
        """Turn axes around in place: two slabs that change places are held at a time."""
        turned = sitk.Image(volume)
        del volume  # where the caller does not keep it either, SimpleITK need not copy the voxels
        depth, across = turned.GetSize()[2], self.flipped[2]
        half = (depth + 1) // 2 if across else depth
        for start in range(0, half, _SLAB):
            near = range(start, min(start + _SLAB, half))
            far = range(depth - near.stop, depth - near.start) if across else near
            slabs = [(to.start, self._slab(turned, part)) for to, part in {(near, far), (far, near)}]
            for place, slab in slabs:
                turned[:, :, place : place + slab.GetDepth()] = slab
        return turned

    def _slab(self, volume: sitk.Image, part: range) -> sitk.Image:
        # A view per slab: SimpleITK may give an image other memory when it is written to.
        voxels = sitk.GetArrayViewFromImage(volume)[part.start : part.stop][self._steps]
        slab: sitk.Image = sitk.GetImageFromArray(np.ascontiguousarray(voxels))
        return slab

    def _header(self, volume: sitk.Image) -> sitk.Image:
        """Return an image of one voxel, with spacing, origin and direction of the grid in the new order."""
        header = sitk.Image([1, 1, 1], sitk.sitkUInt8)
        header.SetSpacing(volume.GetSpacing())
        header.SetOrigin(volume.GetOrigin())
        header.SetDirection(volume.GetDirection())
        header = sitk.PermuteAxes(header, list(self.axes))
        size = [volume.GetSize()[axis] for axis in self.axes]
        first = [extent - 1 if flipped else 0 for extent, flipped in zip(size, self.flipped, strict=True)]
        origin = header.TransformIndexToPhysicalPoint(first)
        flipped: sitk.Image = sitk.Flip(header, list(self.flipped))
        flipped.SetOrigin(origin)
        return flipped


def without_position(volume: sitk.Image) -> sitk.Image:
    """Return an image with its first voxel at the origin and its axes along those of space.

    No feature depends on where a patient lies. Where a new grid point falls exactly between two voxels,
    however, the last digit of the position decides which one is taken; without a position, equal voxels
    give equal values.

    Parameters
    ----------
    volume : SimpleITK.Image
        Any image; not changed.
    """
    placed = sitk.Image(volume)
    del volume  # where the caller does not keep it either, SimpleITK need not copy the voxels
    placed.SetOrigin((0.0, 0.0, 0.0))
    placed.SetDirection(np.eye(3).ravel().tolist())
    return placed
