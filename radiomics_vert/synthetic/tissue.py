"""What fills one vertebra: trabecular texture, lesions and the low T1 signal, as fields in its own frame.

The fields live on a small grid that moves with the vertebra, so that CT and MRI of a patient show the
same lesion. All random numbers come from the generator that the caller passes.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from scipy import ndimage

from radiomics_vert.synthetic.nouns import Vertebra
from radiomics_vert.synthetic.shapes import Field, body_distance, endplate_maps

STEP = 1.0  # mm between grid points; about the resolution of the scans
_MARGIN = 6.0  # mm around the body


@dataclass(frozen=True)
class Fields:
    """Random fields of one vertebra on a local grid.

    Parameters
    ----------
    centre : tuple of float
        Grid index of the local origin, along x, y, z.
    texture, marrow : ndarray of float32
        Zero mean, unit variance: trabecular density and fat islands of the marrow. They repeat
        periodically, which fills the posterior elements too.
    lytic, blastic, dark : ndarray of float32
        Coverage from 0 to 1 of lytic lesion, blastic lesion, low T1 signal.
    """

    centre: tuple[float, float, float]
    texture: Field
    marrow: Field
    lytic: Field
    blastic: Field
    dark: Field

    def sample(self, name: str, points: Sequence[Field]) -> Field:
        """Return field `name` at local positions (x, y, z) in mm, linearly interpolated."""
        index = np.stack([p / STEP + c for p, c in zip(points, self.centre, strict=True)])
        mode: Literal["grid-wrap", "constant"]
        mode = "grid-wrap" if name in ("texture", "marrow") else "constant"
        field: Field = getattr(self, name)
        values = ndimage.map_coordinates(field, index, order=1, mode=mode)
        return np.asarray(values, np.float32)


def build_fields(vertebra: Vertebra, rng: np.random.Generator) -> Fields:
    """Make the fields of one vertebra.

    Parameters
    ----------
    vertebra : Vertebra
        The truth to follow; lesion and signal fractions are met exactly on the grid.
    rng : numpy.random.Generator
        Used in a fixed order.

    Returns
    -------
    Fields
        On a 1 mm grid around the body.
    """
    half = np.array([vertebra.width, vertebra.depth, max(vertebra.normal_heights)]) / 2 + _MARGIN
    shape = tuple(int(n) for n in 2 * np.ceil(half / STEP) + 1)
    centre = tuple((n - 1) / 2 for n in shape)
    x, y, z = np.meshgrid(
        *[((np.arange(n) - c) * STEP).astype(np.float32) for n, c in zip(shape, centre, strict=True)],
        indexing="ij",
    )
    inside = body_distance(vertebra, x, y, z) < 0
    texture = _noise(shape, (0.9, 0.9, 0.9 * vertebra.striation**2), rng)
    marrow = _noise(shape, (2.0, 2.0, 1.5), rng)
    coarse = _noise(shape, (2.5, 2.5, 2.5), rng)
    lytic, blastic = _lesions(vertebra, (x, y, z), inside, coarse, rng)
    dark = _dark(vertebra, (x, y, z), inside, coarse, np.maximum(lytic, blastic))
    return Fields(
        (centre[0], centre[1], centre[2]),
        texture,
        marrow,
        _coverage(lytic, inside, vertebra.lytic_fraction, vertebra.margin),
        _coverage(blastic, inside, vertebra.blastic_fraction, vertebra.margin),
        dark,
    )


def _noise(shape: tuple[int, ...], sigma: tuple[float, float, float], rng: np.random.Generator) -> Field:
    white = rng.standard_normal(shape, dtype=np.float32)
    smooth = ndimage.gaussian_filter(white, sigma, mode="wrap", truncate=3.0)
    return np.asarray((smooth - smooth.mean()) / smooth.std(), np.float32)


def _lesions(
    vertebra: Vertebra, xyz: Sequence[Field], inside: np.ndarray, coarse: Field, rng: np.random.Generator
) -> tuple[Field, Field]:
    """Depth below the surface of the lesions in mm, up to a constant: spheres with ragged borders."""
    if not vertebra.foci:
        return np.zeros_like(coarse), np.zeros_like(coarse)
    scores = []
    for _ in range(2):
        spheres = [_sphere(vertebra, xyz, rng) for _ in range(vertebra.foci)]
        scores.append(np.maximum.reduce(spheres) + 2.0 * coarse)
    lytic, blastic = scores
    if vertebra.lytic_fraction:
        # Blastic foci lie where there is no lysis, or the fractions would not be met.
        blastic = blastic - 30.0 * _coverage(lytic, inside, vertebra.lytic_fraction, vertebra.margin)
    return lytic, blastic


def _sphere(vertebra: Vertebra, xyz: Sequence[Field], rng: np.random.Generator) -> Field:
    half = np.array([vertebra.width, vertebra.depth, min(vertebra.heights)]) / 2
    # Metastases sit in the back of the body more often than in front, next to the pedicles. [O]
    centre = half * rng.uniform((-0.75, -0.5, -0.7), (0.75, 0.85, 0.7))
    if vertebra.pedicle_side:
        centre[0] = vertebra.pedicle_side * abs(centre[0])
    elif vertebra.lateral_angle:
        # Row 11: the body gives way on the side of the lysis.
        centre[0] = -np.sign(vertebra.lateral_angle) * abs(centre[0])
    gap = sum((axis - c) ** 2 for axis, c in zip(xyz, centre.astype(np.float32), strict=True))
    return np.asarray(rng.uniform(0.0, 5.0) - np.sqrt(gap), np.float32)


def _dark(
    vertebra: Vertebra, xyz: Sequence[Field], inside: np.ndarray, coarse: Field, lesion: Field
) -> Field:
    x, y, z = xyz
    if vertebra.t1_pattern == "band":
        # Rows 25 and 30: a band that follows the broken endplate.
        top, _ = endplate_maps(vertebra, x, y)
        score, margin = z - top + 0.5 * coarse, min(vertebra.margin, 2.5)
    elif vertebra.t1_pattern == "lesion":
        score, margin = lesion, vertebra.margin
    else:
        score, margin = 5.0 * coarse, max(3.0, vertebra.margin)
    return _coverage(score, inside, vertebra.t1_fraction, margin)


def _coverage(score: Field, inside: np.ndarray, fraction: float, margin: float) -> Field:
    """Return where `score` (mm) is highest, so that it covers `fraction` of the body."""
    if fraction <= 0:
        return np.zeros_like(score)
    threshold = np.quantile(score[inside], 1 - fraction)
    # The 10-90 % width of a logistic edge is 4.39 times its scale (formula 9 of the sign features).
    steep = np.clip((score - threshold) * np.float32(4.39 / margin), -30, 30)
    return np.asarray(1 / (1 + np.exp(-steep)), np.float32)
