"""Part the vertebral body from the posterior elements where no mask does.

In the middle of a vertebra the vertebral canal parts the two: going back along the midline, a column of
voxels leaves the body at the posterior wall, crosses the canal, and enters the arch. The ends of these
first runs are the posterior wall; a curve through them, continued to the sides, cuts the pedicles off.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from radiomics_vert.signs.nouns import Mask, Points
from radiomics_vert.signs.surfaces import column_ids, robust_fit

# Lengths in mm, all [O]: the canal is at least 10 mm deep in adults, and about 20 mm wide.
_GAP = 5.0
_HALF_BAND = 6.0
_SHORTEST_BODY = 8.0
_REACH = 7.0  # how far a bulging wall may stand behind the smooth curve
_FRONT = 12.0  # how far the front of a wedged or slanting body may lie behind its foremost part
_FULL = 0.7  # of the depth: a column that crosses the whole body
_AHEAD = 0.6  # of the depth: no process stands out before it
_LEAST_COLUMNS = 8


class _Columns(NamedTuple):
    """Antero-posterior columns of voxels, one row each."""

    z: npt.NDArray[np.float64]
    start: npt.NDArray[np.float64]
    stop: npt.NDArray[np.float64]  # end of the first run
    gap: npt.NDArray[np.bool_]  # another run follows


def body_voxels(local: Points, voxel: npt.NDArray[np.float64]) -> Mask | None:
    """Return which voxels of a whole vertebra belong to its body.

    Parameters
    ----------
    local : ndarray, shape (n, 3)
        Voxel centres x (left), p (back), z (up) in mm from the vertebra's centroid, roughly aligned.
    voxel : ndarray, shape (3,)
        Width of a voxel along x, p, z, mm.

    Returns
    -------
    ndarray of bool, shape (n,), or None
        None where no canal is found: the mask is of a body, or a fragment.
    """
    x, p, z = local.T
    cell = (float(voxel[0]), float(voxel[2]))
    band = np.flatnonzero(np.abs(x) <= max(_HALF_BAND, 0.75 * cell[0]))
    order = band[np.lexsort((p[band], column_ids(x[band], z[band], cell)))]
    if len(order) < _LEAST_COLUMNS:
        return None
    names = column_ids(x[order], z[order], cell)
    columns, run_start = _runs(names, p[order], z[order], max(_GAP, 1.6 * float(voxel[1])))
    wall = _wall(columns, float(voxel[1]))
    if wall is None:
        return None
    low, high = np.quantile(columns.z, (0.05, 0.95))
    curve = np.polyval(wall, np.clip(z, low, high))
    body = p <= curve
    # In the middle the canal itself tells, so that a bulging wall or a fragment stays with the body: a run
    # that begins before the wall is body up to its end. (A depressed endplate parts a column as well.)
    body[order] = (run_start < curve[order]) & (p[order] <= curve[order] + _REACH)
    return _without_wings(body, x, p, voxel)


def _without_wings(
    body: Mask, x: npt.NDArray[np.float64], p: npt.NDArray[np.float64], voxel: npt.NDArray[np.float64]
) -> Mask:
    """Cut off what stands out at the sides behind the middle: transverse processes, broad at L5."""
    front, back = np.quantile(p[body], (0.02, 0.98))
    ahead = body & (p < front + _AHEAD * (back - front))
    left, right = np.quantile(x[ahead], (0.01, 0.99))
    return np.asarray(body & (x >= left - voxel[0] - 1) & (x <= right + voxel[0] + 1))


def _runs(
    names: npt.NDArray[np.int64],
    p: npt.NDArray[np.float64],
    z: npt.NDArray[np.float64],
    gap: float,
) -> tuple[_Columns, npt.NDArray[np.float64]]:
    """Describe the columns of sorted points, and return where the run of each point begins."""
    new = np.concatenate([[True], names[1:] != names[:-1]])
    jump = np.concatenate([[False], (np.diff(p) > gap) & ~new[1:]])
    column, run = np.cumsum(new) - 1, np.cumsum(new | jump) - 1
    begin, run_begin = np.flatnonzero(new), np.flatnonzero(new | jump)
    stop = p[np.concatenate([run_begin[1:], [len(p)]]) - 1]
    first = run[begin]
    several = np.bincount(column[run_begin], minlength=len(begin)) > 1
    return _Columns(z[begin], p[begin], stop[first], several), p[run_begin][run]


def _wall(columns: _Columns, depth: float) -> npt.NDArray[np.float64] | None:
    """Return the posterior wall as a polynomial p(z), highest power first; None without a body or a canal."""
    length = columns.stop - columns.start + depth
    long = length >= _SHORTEST_BODY
    if long.sum() < _LEAST_COLUMNS:
        return None
    # Most columns begin at the front of the body; those below or above it begin in the arch.
    front = float(np.quantile(columns.start[long], 0.3))
    long &= columns.start < front + _FRONT
    if long.sum() < _LEAST_COLUMNS or not (columns.gap & long).any():
        return None
    # A column through a slanting endplate may leave the body there, before the wall.
    used = long & (length >= _FULL * np.quantile(length[long], 0.9))
    z, stop = columns.z[used], columns.stop[used] + depth / 2
    degree = 1 if used.sum() >= _LEAST_COLUMNS and np.ptp(z) > _SHORTEST_BODY else 0
    return robust_fit(np.vander(z, degree + 1), stop, depth)
