"""An oblique, anisotropic grid, so that swapped axes and lost orientations fail."""

from __future__ import annotations

import numpy as np
import SimpleITK as sitk

# Turned by 30 degrees about x: still orthonormal, but no axis swap goes unnoticed.
COSINE, SINE = 0.8660254037844387, 0.49999999999999994
OBLIQUE = (1.0, 0.0, 0.0, 0.0, COSINE, -SINE, 0.0, SINE, COSINE)


def on_grid(array: np.ndarray) -> sitk.Image:
    """Put an array of shape (z, y, x) on an oblique, anisotropic grid."""
    volume = sitk.GetImageFromArray(array)
    volume.SetSpacing((0.5, 1.25, 3.0))
    volume.SetOrigin((-10.0, 20.0, -300.0))
    volume.SetDirection(OBLIQUE)
    return volume
