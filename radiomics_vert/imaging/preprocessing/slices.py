"""The slice axis of a scan: found in its geometry, never assumed."""

from __future__ import annotations

# Slices are told from pixels by being this much further apart than the wider pixel side [our own
# default]: thick-slice protocols have ratios of 3 to 6, isotropic ones differ by rounding only.
DISTINCT = 1.1
AXES = ("x", "y", "z")


def slice_axis(spacing: tuple[float, ...]) -> int | None:
    """Return the axis along which the slices of a scan are stacked.

    Parameters
    ----------
    spacing : tuple of float
        Millimetres along x, y, z.

    Returns
    -------
    int or None
        The axis with the largest spacing: 0, 1, 2 for x, y, z. None where no axis stands out: two axes
        share the largest spacing, or it exceeds the second largest by less than a tenth (isotropic scans).

    Examples
    --------
    >>> slice_axis((4.4, 0.6, 0.6)), slice_axis((1.0, 1.0, 1.0)), slice_axis((3.0, 3.0, 0.5))
    (0, None, None)
    """
    widest = max(range(3), key=lambda axis: spacing[axis])
    second = max(value for axis, value in enumerate(spacing) if axis != widest)
    return widest if spacing[widest] >= DISTINCT * second else None
