"""Direction of the trabeculae: the gradient structure tensor of the trabecular body.

Osteoporosis takes the horizontal trabeculae first, and the vertical ones then stand out as stripes. On
clinical CT single trabeculae are not resolved. The main direction still comes out right; the eigenvalues, and
with them a degree of anisotropy, depend on resolution and noise and are therefore not given, only the
direction and the ratio of vertical to horizontal gradient energy.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from radiomics_vert.signs.nouns import Absent, Box, Value, Vertebra
from radiomics_vert.signs.spine import Spine

COARSEST_MM = 1.5
"""Largest distance between voxels at which stripes of trabeculae can be seen [O]."""
_LEAST_SCALE_MM, _SCALE = 0.6, 0.8  # of the smoothing: mm, and in voxels of the coarsest axis [O]

Floats = npt.NDArray[np.float64]


def structure_tensor(spine: Spine, vertebra: Vertebra) -> Floats:
    """Return the mean outer product of the gradient over the trabecular body, in the axes of the frame.

    The gradient is that of a Gaussian-smoothed image. A voxel has averaged over its own width already, so
    each axis is smoothed by what it lacks to a common resolution; otherwise thick slices would look smooth
    across, which is what is being asked.

    Parameters
    ----------
    spine, vertebra : Spine, Vertebra
        With an image, a frame and a trabecular mask that is not empty.

    Returns
    -------
    ndarray, shape (3, 3)
        Rows and columns to the left, to the back, to the head; squared intensity per square mm.
    """
    image, frame = spine.scan.image, vertebra.frame
    if image is None or frame is None:
        raise ValueError(f"{vertebra.case_id} has no image or no frame")
    spacing = np.array(vertebra.spacing)
    scale = max(_LEAST_SCALE_MM, _SCALE * float(spacing.max()))
    sigma = np.sqrt(scale**2 - spacing**2 / 12) / spacing
    inside = spine.trabecular[vertebra.label]
    tight = _around(inside, np.ceil(4 * sigma).astype(int) + 1)
    mask = inside[tight]
    block = np.asarray(image[vertebra.box][tight], dtype=np.float64)
    gradient = [
        part / spacing[axis] for axis, part in zip((2, 1, 0), _gradient(block, mask, sigma), strict=True)
    ]
    local = frame.axes @ np.stack(gradient)
    return np.asarray(local @ local.T / local.shape[1])


def _gradient(image: Floats, inside: npt.NDArray[np.bool_], sigma: Floats) -> list[Floats]:
    """Return the gradient along x, y, z of the image smoothed within a mask, at its voxels, per voxel.

    A plain Gaussian would take the cortex for a gradient of the marrow. The smoothed image is therefore the
    mean of the marrow alone, weighted by the Gaussian (normalised convolution); this is its derivative.
    """
    # Without the mean, little is left of the weights' own gradient where the mask ends.
    values = np.where(inside, image - image[inside].mean(), 0.0)
    weight = inside.astype(np.float64)

    def smooth(array: Floats, axis: int | None = None) -> Floats:
        order = [int(axis == other) for other in range(3)]
        return np.asarray(ndimage.gaussian_filter(array, sigma, order=order, mode="constant")[inside])

    total, share = smooth(values), smooth(weight)
    return [(smooth(values, axis) - total / share * smooth(weight, axis)) / share for axis in (2, 1, 0)]


def measure_striation(spine: Spine, vertebra: Vertebra) -> dict[str, Value]:
    """Return `gst_vert` and `grad_ratio` of a vertebra, absent where voxels are too large to show them.

    The main direction of the trabeculae is that of the least gradient energy: along a stripe nothing changes.
    """
    coarsest = max(vertebra.spacing)
    # Spacings come out of files as 1.9999... or 2.0001.
    if coarsest > COARSEST_MM * 1.01:
        unseen = Absent("RV338", f"voxels {coarsest:.2g} mm apart show no trabeculae ({COARSEST_MM:g} mm)")
        return {"gst_vert": unseen, "grad_ratio": unseen}
    tensor = structure_tensor(spine, vertebra)
    along = np.linalg.eigh(tensor)[1][:, 0]
    horizontal = (tensor[0, 0] + tensor[1, 1]) / 2
    flat = Absent("RV338", "the marrow has no texture")
    return {
        "gst_vert": float(min(1.0, abs(along[2]))) if np.trace(tensor) > 0 else flat,
        "grad_ratio": float(tensor[2, 2] / horizontal) if horizontal > 0 else flat,
    }


def _around(mask: npt.NDArray[np.bool_], margin: npt.NDArray[np.int_]) -> Box:
    spans = []
    for axis, more in enumerate(margin):
        found = np.flatnonzero(mask.any(axis=tuple(other for other in range(3) if other != axis)))
        spans.append(slice(max(0, int(found[0]) - int(more)), int(found[-1]) + int(more) + 1))
    return spans[0], spans[1], spans[2]
