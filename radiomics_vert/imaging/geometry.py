"""Where the voxels of a grid are in space, and whether two grids are the same."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import SimpleITK as sitk

# NIfTI stores direction cosines as 32-bit floats, so equal grids differ by about 1e-6; a mask that
# was drawn on another grid differs by far more. Fractions of a voxel, because only that moves values.
TOLERANCE_VOXELS = 1e-2


@dataclass(frozen=True)
class Geometry:
    """The grid of an image.

    Parameters
    ----------
    size : tuple of int
        Voxels along x, y, z (SimpleITK order).
    spacing : tuple of float
        Millimetres along x, y, z.
    origin : tuple of float
        Position of the first voxel's centre in millimetres (LPS).
    direction : tuple of float
        Nine direction cosines, row by row.
    """

    size: tuple[int, ...]
    spacing: tuple[float, ...]
    origin: tuple[float, ...]
    direction: tuple[float, ...]

    @classmethod
    def of(cls, image: sitk.Image) -> Geometry:
        """Return the geometry of a SimpleITK image."""
        return cls(image.GetSize(), image.GetSpacing(), image.GetOrigin(), image.GetDirection())

    @property
    def voxel_volume(self) -> float:
        """Volume of one voxel in cubic millimetres."""
        return float(np.prod(self.spacing))

    def corners(self) -> np.ndarray:
        """Return the positions of the eight corner voxels' centres, shape (8, 3), in millimetres."""
        steps = np.indices((2, 2, 2)).reshape(3, -1).T * (np.array(self.size) - 1)
        matrix = np.array(self.direction).reshape(3, 3) * np.array(self.spacing)
        return np.asarray(steps @ matrix.T + np.array(self.origin))

    def matches(self, other: Geometry, tolerance: float = TOLERANCE_VOXELS) -> bool:
        """Tell whether two grids coincide: same size, and no corner apart by more than `tolerance` voxels."""
        if self.size != other.size:
            return False
        apart = np.abs(self.corners() - other.corners()).max()
        return bool(apart <= tolerance * min(self.spacing))

    def __str__(self) -> str:
        def numbers(values: tuple[float, ...], digits: int) -> str:
            return "(" + ", ".join(f"{round(value, digits) + 0.0:.{digits}f}" for value in values) + ")"

        return (
            f"size {self.size}, spacing {numbers(self.spacing, 4)} mm, "
            f"origin {numbers(self.origin, 3)}, direction {numbers(self.direction, 4)}"
        )
