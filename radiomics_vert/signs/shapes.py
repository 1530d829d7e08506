"""Is a depression or a bulge rounded or angled? One index for endplates and posterior walls."""

from __future__ import annotations

import numpy as np

from radiomics_vert.signs.surfaces import Floats, smooth_profile

GRID = np.linspace(0.0, 1.0, 41)
# Where the apex of an angle may lie along the profile. [O]
_APEX = np.linspace(0.2, 0.8, 25)
# Bending length in steps of the grid: evens out the steps of voxels, and hardly rounds an angle. [O]
_STIFFNESS = 2.5


def angularity(position: Floats, value: Floats, voxel: float) -> float:
    """Return whether a profile is a parabola (-1) or two straight lines (+1).

    (SSE of the parabola - SSE of the lines) / (their sum), each fitted by least squares, the lines with the
    best apex between 0.2 and 0.8. The points are smoothed lightly first: the steps of the voxels would
    otherwise drown both.

    Parameters
    ----------
    position : ndarray, shape (n,)
        0 to 1.
    value : ndarray, shape (n,)
        mm.
    voxel : float
        Size of a voxel along the values, mm.

    Returns
    -------
    float
        NaN with fewer than five different positions.

    Examples
    --------
    >>> t = np.linspace(0, 1, 200)
    >>> angularity(t, 4 * t * (1 - t), 0.1) < -0.9 and angularity(t, 4 - abs(8 * t - 4), 0.1) > 0.9
    True
    """
    if len(np.unique(np.round(position, 2))) < 5:
        return float("nan")
    y = smooth_profile(position, value, GRID, _STIFFNESS, voxel)
    parabola = _squares(np.vander(GRID, 3), y)
    lines = min(
        _squares(np.column_stack([np.ones_like(GRID), GRID, np.maximum(GRID - apex, 0)]), y) for apex in _APEX
    )
    total = parabola + lines
    return float((parabola - lines) / total) if total > 0 else float("nan")


def _squares(design: Floats, y: Floats) -> float:
    coefficients = np.linalg.lstsq(design, y, rcond=None)[0]
    return float(((design @ coefficients - y) ** 2).sum())
