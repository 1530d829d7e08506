"""`Image` and `LabelMap`: two types, so that a mask cannot be smoothed by mistake."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import SimpleITK as sitk

from radiomics_vert.imaging.geometry import Geometry


class _Owner:
    """Keeps a volume alive as long as a numpy view of its voxels: SimpleITK's own views dangle."""

    def __init__(self, volume: sitk.Image) -> None:
        self.volume = volume
        self.__array_interface__ = sitk.GetArrayViewFromImage(volume).__array_interface__


def _view(volume: sitk.Image) -> np.ndarray:
    return np.asarray(_Owner(volume))


@dataclass(frozen=True)
class Image:
    """Intensities on a grid.

    Parameters
    ----------
    volume : SimpleITK.Image
        Three-dimensional, scalar, finite. Never modified.
    source : str
        Where it came from, for messages.
    """

    volume: sitk.Image
    source: str = "in memory"

    @property
    def geometry(self) -> Geometry:
        """The grid."""
        return Geometry.of(self.volume)

    def array(self) -> np.ndarray:
        """Return the voxels as a read-only view, shape (z, y, x)."""
        return _view(self.volume)


@dataclass(frozen=True)
class LabelMap:
    """Whole-number labels on a grid; 0 is background.

    Parameters
    ----------
    volume : SimpleITK.Image
        Three-dimensional, of an unsigned integer type. Never modified.
    source : str
        Where it came from, for messages.
    """

    volume: sitk.Image
    source: str = "in memory"

    @property
    def geometry(self) -> Geometry:
        """The grid."""
        return Geometry.of(self.volume)

    def array(self) -> np.ndarray:
        """Return the labels as a read-only view, shape (z, y, x)."""
        return _view(self.volume)
