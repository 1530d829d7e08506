"""How deep voxels of a body lie below its endplates."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from radiomics_vert.signs.nouns import Mask, Vertebra
from radiomics_vert.signs.outline import Outline, U
from radiomics_vert.signs.surfaces import Floats


class Depths(NamedTuple):
    """Distances along the frame's axis, shape (n,), mm; negative beyond an endplate.

    Parameters
    ----------
    superior, inferior : ndarray
        Below the superior, above the inferior endplate.
    """

    superior: Floats
    inferior: Floats

    @property
    def nearer(self) -> Floats:
        """Distance from the nearer endplate."""
        return np.minimum(self.superior, self.inferior)

    @property
    def height(self) -> Floats:
        """Distance between the endplates."""
        return np.asarray(self.superior + self.inferior)


def plate_depths(vertebra: Vertebra, outline: Outline, mask: Mask) -> Depths:
    """Return the depths of a mask's voxels.

    The endplates are their profiles in the middle third, continued sideways with the slope of their planes
    [O].

    Parameters
    ----------
    vertebra : Vertebra
        With a frame.
    outline : Outline
        Of its body.
    mask : ndarray of bool
        In the box of the vertebra.

    Raises
    ------
    ValueError
        The vertebra has no frame.
    """
    frame = vertebra.frame
    if frame is None:
        raise ValueError(f"{vertebra.case_id} has no frame")
    x, p, z = frame.to_local(vertebra.points(mask)).T
    u = frame.u(p)
    return Depths(
        np.interp(u, U, outline.superior) + frame.superior.left * x - z,
        z - np.interp(u, U, outline.inferior) - frame.inferior.left * x,
    )
