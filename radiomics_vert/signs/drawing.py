"""Where the signs of a vertebra were measured, as lines and regions over three planes of its own frame.

The planes are cut along the axes of the frame, not of the voxel grid: there the lines from which heights,
angles and the posterior wall were measured lie in the plane, and nothing is projected. Grey values are
interpolated linearly, masks are not interpolated.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import TypeAlias, TypeVar

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from radiomics_vert.errors import RadiomicsVertError
from radiomics_vert.imaging.mosaic import BONE_WINDOW, display_window, voxel_outlines
from radiomics_vert.signs import density, gas, lysis, pedicles, replacement
from radiomics_vert.signs.components import Components, foci
from radiomics_vert.signs.endplates import lateral_angle
from radiomics_vert.signs.nouns import Absent, Frame, Mask, Points, Vertebra
from radiomics_vert.signs.outline import MIDDLE, NEAR_BACK, NEAR_FRONT, Outline, U
from radiomics_vert.signs.spine import Spine

PIXEL_MM = 0.4
FIELD_MM = 96.0
"""Side of a plane [O]: a lumbar vertebra with canal, arch and the endplates of its neighbours."""
BEHIND_MM = 12.0
"""How far behind the middle of the body the middle of a plane lies [O]: the arch is part of the picture."""
AXIAL_HEIGHT = 0.65
"""Height of the axial plane between the endplates [O]: the upper half, where the pedicles are."""

Floats = npt.NDArray[np.float64]
Number = TypeVar("Number", bound=np.generic)


@dataclass(frozen=True, eq=False)
class Stroke:
    """One line of a drawing.

    Parameters
    ----------
    kind : str
        What it is: `axis`, `plane`, `endplate`, `height`, `wall`, `chord`, `bulge`, `band`.
    points : ndarray, shape (n, 2)
        Column and row in pixels of the plane.
    label : str
        Written beside its middle; empty for none.
    """

    kind: str
    points: Floats
    label: str = ""


@dataclass(frozen=True, eq=False)
class Region:
    """Closed outlines of voxels in a plane.

    Parameters
    ----------
    kind : str
        `body`, `posterior`, `other`, or a key of :data:`OVERLAYS` and :data:`TISSUES`.
    polygons : tuple of ndarray, shape (n, 2)
        Columns and rows in pixels of the plane.
    """

    kind: str
    polygons: tuple[Floats, ...]


@dataclass(frozen=True, eq=False)
class Drawing:
    """One plane through a vertebra with what was measured in it.

    Parameters
    ----------
    name : str
        `sagittal`, `coronal` or `axial`, of the vertebra's frame.
    pixels : ndarray of uint8, shape (rows, columns)
        Grey values; 0 outside the image.
    pixel_mm : float
        Side of a pixel.
    letters : tuple of str
        Sides of the patient at the left, right, upper and lower edge.
    strokes : tuple of Stroke
        Lines.
    regions : tuple of Region
        Outlines of masks and voxels.
    """

    name: str
    pixels: npt.NDArray[np.uint8]
    pixel_mm: float
    letters: tuple[str, str, str, str]
    strokes: tuple[Stroke, ...]
    regions: tuple[Region, ...]


Overlay: TypeAlias = Callable[[Spine, Vertebra], Mask | None]


def _replaced(spine: Spine, vertebra: Vertebra) -> Mask | None:
    image, expected = spine.scan.image, spine.expected.get(vertebra.label)
    if spine.sequence != "T1" or image is None or expected is None:
        return None
    return replacement.below(image[vertebra.box], spine.trabecular[vertebra.label], expected)


def _edema(spine: Spine, vertebra: Vertebra) -> Mask | None:
    image, expected = spine.scan.image, spine.expected.get(vertebra.label)
    if spine.sequence not in ("STIR", "T2") or image is None or expected is None:
        return None
    limit = expected.centre + replacement.DEVIATIONS * expected.width
    return foci(spine.trabecular[vertebra.label] & (image[vertebra.box] > limit), vertebra.spacing).mask


def _gas(spine: Spine, vertebra: Vertebra) -> Mask | None:
    return gas.gas_voxels(spine, vertebra) if spine.sequence == "CT" else None


def _lytic(spine: Spine, vertebra: Vertebra) -> Mask | None:
    known = spine.sequence == "CT" and vertebra.label in spine.expected
    areas = lysis.lytic_areas(spine, [vertebra.label])[vertebra.label] if known else None
    return areas.mask if isinstance(areas, Components) else None


def _blastic(spine: Spine, vertebra: Vertebra) -> Mask | None:
    known = spine.sequence == "CT" and vertebra.label in spine.expected
    return density.blastic_voxels(spine, vertebra) if known else None


def _pedicles(spine: Spine, vertebra: Vertebra) -> Mask | None:
    found = pedicles.pedicle_regions(spine, vertebra)
    if isinstance(found, Absent):
        return None
    inside = np.zeros_like(vertebra.body)
    inside[tuple(found.voxels[found.left + found.right >= 0.5].T)] = True
    return inside


OVERLAYS: Mapping[str, Overlay] = MappingProxyType(
    {
        "replaced": _replaced,
        "edema": _edema,
        "lytic": _lytic,
        "blastic": _blastic,
        "gas": _gas,
        "pedicles": _pedicles,
    }
)
"""Voxels of a vertebra that signs were measured from, by what they are called on the sheet."""
TISSUES: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {"canal": ("canal", "cord", "csf"), "tissue": ("paravertebral",), "disc": ("disc",)}
)
"""Structures of the masks around it: beginnings of the names of their layers."""


def display_range(spine: Spine) -> tuple[float, float]:
    """Return the grey values shown as black and white, the same for all vertebrae of a scan.

    Parameters
    ----------
    spine : Spine
        Shown as quality control shows it; without an image, the bone window.
    """
    if spine.scan.image is None:
        return BONE_WINDOW
    return display_window(spine.scan.image, spine.scan.labels, hounsfield=spine.sequence == "CT")


def draw_vertebra(spine: Spine, vertebra: Vertebra) -> tuple[Drawing, ...]:
    """Return the sagittal, coronal and axial drawing of a vertebra; none without a frame.

    Parameters
    ----------
    spine : Spine
        The scan; without an image the planes are black and the lines stay.
    vertebra : Vertebra
        One of its vertebrae.
    """
    if vertebra.frame is None:
        return ()
    outline = spine.outlines[vertebra.label]
    overlays = _overlays(spine, vertebra)
    return tuple(
        _draw(spine, vertebra, cut, overlays, strokes)
        for cut, strokes in (
            (_cut(vertebra.frame, "sagittal"), _sagittal_strokes(vertebra.frame, outline)),
            (_cut(vertebra.frame, "coronal"), _coronal_strokes(vertebra.frame)),
            (_cut(vertebra.frame, "axial"), _axial_strokes(vertebra.frame)),
        )
    )


@dataclass(frozen=True, eq=False)
class _Cut:
    """A plane of the frame: `across` and `down` are its axes along columns and rows, with their senses."""

    name: str
    middle: Floats
    across: int
    down: int
    upward: bool
    letters: tuple[str, str, str, str]

    @property
    def side(self) -> int:
        return round(FIELD_MM / PIXEL_MM)

    def grid(self) -> Points:
        """Return the local positions of the pixels, shape (rows * columns, 3)."""
        steps = (np.arange(self.side) - (self.side - 1) / 2) * PIXEL_MM
        local = np.tile(self.middle, (self.side, self.side, 1))
        local[..., self.across] += steps
        local[..., self.down] += (-steps if self.upward else steps)[:, None]
        return local.reshape(-1, 3)

    def pixels(self, across: npt.ArrayLike, down: npt.ArrayLike) -> Floats:
        """Return columns and rows, shape (n, 2), of local positions in mm."""
        columns = (np.asarray(across, float) - self.middle[self.across]) / PIXEL_MM + self.side / 2
        sense = -1 if self.upward else 1
        rows = sense * (np.asarray(down, float) - self.middle[self.down]) / PIXEL_MM + self.side / 2
        return np.stack(np.broadcast_arrays(columns, rows), axis=1)


def _cut(frame: Frame, name: str) -> _Cut:
    p = frame.front + frame.depth / 2
    low, high = (float(plane.height(0.0, p)) for plane in (frame.inferior, frame.superior))
    z = (low + high) / 2
    if name == "sagittal":
        return _Cut(name, np.array([0.0, p + BEHIND_MM, z]), 1, 2, True, ("A", "P", "H", "F"))
    if name == "coronal":
        return _Cut(name, np.array([0.0, p, z]), 0, 2, True, ("R", "L", "H", "F"))
    height = low + AXIAL_HEIGHT * (high - low)
    return _Cut(name, np.array([0.0, p + BEHIND_MM, height]), 0, 1, False, ("R", "L", "A", "P"))


def _draw(
    spine: Spine,
    vertebra: Vertebra,
    cut: _Cut,
    overlays: Mapping[str, Mask],
    strokes: Callable[[_Cut], list[Stroke]],
) -> Drawing:
    frame, scan = vertebra.frame, spine.scan
    if frame is None:
        raise ValueError(f"{vertebra.case_id} has no frame")
    index = frame.to_scan(cut.grid())[:, ::-1] / np.array(scan.spacing)
    place = np.rint(index).astype(int)
    labels = _at(scan.labels, place)
    found = {"other": (labels != vertebra.label) & (labels != 0)}
    for kind, names in TISSUES.items():
        layers = [layer for name, layer in sorted(scan.layers.items()) if name.startswith(names)]
        found[kind] = np.zeros(len(place), bool)
        for layer in layers:
            found[kind] |= np.isin(_at(layer.labels, place), layer.values)
    inner = place - np.array([axis.start for axis in vertebra.box])
    masks = {"posterior": vertebra.posterior, "body": vertebra.body, **overlays}
    found |= {kind: _at(mask, inner) for kind, mask in masks.items()}
    shape = (cut.side, cut.side)
    regions = tuple(Region(kind, _polygons(inside.reshape(shape))) for kind, inside in found.items())
    shown = tuple(region for region in regions if region.polygons)
    return Drawing(cut.name, _grey(spine, index, shape), PIXEL_MM, cut.letters, tuple(strokes(cut)), shown)


def _at(array: npt.NDArray[Number], place: npt.NDArray[np.intp]) -> npt.NDArray[Number]:
    """Return the voxels at integer places (z, y, x), shape (n, 3); 0 outside the array."""
    inside = ((place >= 0) & (place < np.array(array.shape))).all(axis=1)
    found = np.zeros(len(place), array.dtype)
    found[inside] = array[tuple(place[inside].T)]
    return found


def _grey(spine: Spine, index: Points, shape: tuple[int, int]) -> npt.NDArray[np.uint8]:
    if spine.scan.image is None:
        return np.zeros(shape, np.uint8)
    low, high = display_range(spine)
    values = np.zeros(len(index), np.float32)
    ndimage.map_coordinates(spine.scan.image, index.T, output=values, order=1, mode="constant", cval=low)
    shown = np.clip((values - low) * (255.0 / (high - low)), 0, 255)
    pixels: npt.NDArray[np.uint8] = np.rint(np.nan_to_num(shown)).astype(np.uint8).reshape(shape)
    return pixels


def _polygons(found: Mask) -> tuple[Floats, ...]:
    return tuple(loop.astype(np.float64) for loop in voxel_outlines(found)) if found.any() else ()


def _overlays(spine: Spine, vertebra: Vertebra) -> dict[str, Mask]:
    """Return the voxels of each overlay; one that cannot be made takes nothing else away."""
    found = {}
    for kind, make in OVERLAYS.items():
        try:
            mask = make(spine, vertebra)
        except (ArithmeticError, LookupError, ValueError, RadiomicsVertError):
            continue  # its sign is absent with the reason on the same sheet
        if mask is not None and mask.any():
            found[kind] = mask
    return found


def _sagittal_strokes(frame: Frame, outline: Outline) -> Callable[[_Cut], list[Stroke]]:
    def strokes(cut: _Cut) -> list[Stroke]:
        p = frame.front + U * frame.depth
        ends = np.array([frame.front, frame.front + frame.depth])
        found = [
            Stroke("plane", cut.pixels(ends, plane.height(0.0, ends)))
            for plane in (frame.superior, frame.inferior)
        ]
        found += [*_axes(frame, cut), *_wall_strokes(outline, cut)]
        found += [Stroke("endplate", cut.pixels(p, z)) for z in (outline.superior, outline.inferior)]
        apart = outline.heights()
        middle = MIDDLE.start + int(apart[MIDDLE].argmin())
        for name, place in (("Ha", NEAR_FRONT), ("Hm", middle), ("Hp", NEAR_BACK)):
            line = cut.pixels([p[place]] * 2, [outline.inferior[place], outline.superior[place]])
            found.append(Stroke("height", line, f"{name} {apart[place]:.1f}"))
        return found

    return strokes


def _wall_strokes(outline: Outline, cut: _Cut) -> list[Stroke]:
    wall, bulge = outline.wall, outline.bulge()
    if wall is None or bulge is None:
        return []
    inner = bulge[2:39]
    place = 2 + int(inner.argmax())
    chord = wall.profile[place] - bulge[place]
    z = [outline.wall_z[place]] * 2
    return [
        Stroke("chord", cut.pixels([wall.lower, wall.upper], outline.wall_z[[0, -1]])),
        Stroke("wall", cut.pixels(wall.profile, outline.wall_z)),
        Stroke("bulge", cut.pixels([chord, wall.profile[place]], z), f"{bulge[place]:+.1f}"),
    ]


def _axes(frame: Frame, cut: _Cut) -> list[Stroke]:
    """Return the axes of the frame in a plane, through the middle of the body."""
    middle = np.array([0.0, frame.front + frame.depth / 2, cut.middle[2]])
    reach = {0: frame.width / 2 + 6, 1: frame.depth / 2 + 6, 2: 22.0}
    strokes = []
    for axis in (cut.across, cut.down):
        ends = np.tile(middle, (2, 1))
        ends[:, axis] += np.array([-reach[axis], reach[axis]])
        strokes.append(Stroke("axis", cut.pixels(ends[:, cut.across], ends[:, cut.down])))
    return strokes


def _coronal_strokes(frame: Frame) -> Callable[[_Cut], list[Stroke]]:
    def strokes(cut: _Cut) -> list[Stroke]:
        x = np.array([-frame.width / 2, frame.width / 2])
        planes = [
            Stroke("plane", cut.pixels(x, plane.height(x, cut.middle[1])))
            for plane in (frame.superior, frame.inferior)
        ]
        label = f"{lateral_angle(frame):.1f}°"
        planes[0] = Stroke("plane", planes[0].points, label)
        return [*_axes(frame, cut), *planes]

    return strokes


def _axial_strokes(frame: Frame) -> Callable[[_Cut], list[Stroke]]:
    def strokes(cut: _Cut) -> list[Stroke]:
        back = frame.front + frame.depth
        half, third = frame.width / 2, frame.width / 6
        edges = [Stroke("edge", cut.pixels([-third, third], [p, p])) for p in (frame.front, back)]
        sides = [Stroke("edge", cut.pixels([x, x], [frame.front, back])) for x in (-half, half)]
        band = [Stroke("band", cut.pixels([x, x], [frame.front, back])) for x in (-third, third)]
        return [*_axes(frame, cut), *edges, *sides, *band]

    return strokes
