"""Signs of the cortex: what is destroyed, how large the holes are, and whether the pieces fit together.

The wall of a body, from endplate to endplate, is unrolled: rays from its axis find the surface, and samples
lie about 1 mm apart along the outline and 1 mm apart along the axis. HU are averaged along the wall, not
across it, with a Gaussian of 0.7 mm [O]: the largest of several noisy values is high everywhere. At each
sample the largest HU within 2 mm along the surface's normal is taken, which forgives an outline drawn a
little inside or outside the bone. A sample is destroyed where this is below half of the median of the same
sector in the reference vertebrae, and below half of the median of the vertebra's own wall [O]: thin cortex
beside sclerotic neighbours is whole. Where most of a wall is gone its own median says nothing, so that it
does not lower the limit below what soft tissue can reach. On the unrolled wall areas, patches and inscribed
circles are those of a plane.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from radiomics_vert.signs.gas import gas_volume
from radiomics_vert.signs.nouns import Absent, Frame, Mask, Value, Vertebra
from radiomics_vert.signs.references import theil_sen
from radiomics_vert.signs.results import Measured
from radiomics_vert.signs.soft_tissue import THIN_MM, rim_thickness
from radiomics_vert.signs.spine import Spine

MESH_MM = 1.0
NEAR_MM, FRAGMENT_MM = 2.0, 5.0
"""Reach along the normal: of the cortex itself, and of fragments that have moved."""
DESTROYED = 0.5
"""Share of the references' median, and of the own wall's, below which cortex is destroyed."""
SOFT_HU = 100.0
"""The own wall lowers no limit below this: enhanced soft tissue stays under it [O]."""
ALONG_MM = 0.7
"""Gaussian sigma of the average along the wall [O]."""
NARROW_MM = 1.5
"""Inscribed radius up to which a defect is a gap between pieces that fit together."""
SECTORS = ("anterior", "left", "right", "posterior")
LEAST_DEFECT_MM2 = 4.0
"""Smaller patches are noise: three or four samples of the mesh [O]."""
LEAST_SECTOR_MM2 = 20.0  # of a sector that has a share [O]
_FINE = 3  # parts of a mesh width in which inscribed circles are measured [O]
_SLACK_MM = 0.5  # what the steps of the mesh cut off the corners of a round hole [O]
_RIM_MM = 2.0  # of the wall at both endplates, whose own density reaches into it [O]
_ARCH_MM = 3.0  # from posterior elements: no cortex where a pedicle leaves the body [O]
_RAYS, _STEP = 150, 1.0  # directions, and mm along a ray
_SMOOTH = 1.5  # of the surface before normals are taken: rays, rows [O]
_SHORT = 0.75  # of a ray's median length: shorter ones meet an endplate, no wall [O]

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Wall:
    """The unrolled wall of one body; rows along the axis, columns around it (the last beside the first).

    Parameters
    ----------
    density : ndarray, shape (rows, columns)
        Largest HU within 2 mm of the surface; NaN where there is no wall: beyond the endplates, at the
        pedicles, outside the image.
    around : ndarray, shape (rows, columns)
        Largest HU within 5 mm.
    area : ndarray, shape (rows, columns)
        mm2 of each sample.
    sector : ndarray of int, shape (rows, columns)
        Place in :data:`SECTORS`.
    """

    density: Floats
    around: Floats
    area: Floats
    sector: Ints

    @property
    def seen(self) -> Mask:
        """Where there is a sample."""
        return np.isfinite(self.density)


def unroll(spine: Spine, vertebra: Vertebra) -> Wall:
    """Return the unrolled wall of a body with its HU.

    Parameters
    ----------
    spine, vertebra : Spine, Vertebra
        With an image and a frame.

    Raises
    ------
    ValueError
        There is no image, no frame, or no wall.
    """
    frame, image = vertebra.frame, spine.scan.image
    if frame is None or image is None:
        raise ValueError(f"{vertebra.case_id} has no frame or no image")
    angles, heights, radius = _radii(vertebra, frame)
    angles, radius = _evenly(angles, radius)
    surface, normals, area = _surface(frame, angles, heights, radius)
    inside_wall = _between_endplates(radius)
    far = np.arange(-FRAGMENT_MM, FRAGMENT_MM + 0.25, 0.5)
    near = np.abs(far) <= NEAR_MM + 1e-9
    at = surface[..., None, :] + far[:, None] * normals[..., None, :]
    index = _to_index(frame, at.reshape(-1, 3), vertebra.spacing)
    values = _sampled(spine, vertebra, image, index).reshape(at.shape[:-1])
    seen = inside_wall & _sampled_mask(vertebra, frame, surface)
    values = _along_wall(values, seen)
    density = np.where(seen, values[..., near].max(axis=-1), np.nan)
    return Wall(density, values.max(axis=-1), area, _sectors(frame, surface))


def _along_wall(values: Floats, seen: Mask) -> Floats:
    """Average HU of equal depth over neighbouring samples of the wall; -inf where there is none."""
    known = np.isfinite(values) & seen[..., None]
    sigma, mode = (ALONG_MM / MESH_MM, ALONG_MM / MESH_MM, 0.0), ("constant", "wrap", "nearest")
    total, weight = (
        ndimage.gaussian_filter(part, sigma, mode=mode)
        for part in (np.where(known, values, 0.0), known.astype(np.float64))
    )
    return np.asarray(np.where(known, total / np.maximum(weight, 1e-9), -np.inf))


def _radii(vertebra: Vertebra, frame: Frame) -> tuple[Floats, Floats, Floats]:
    """Return angles, heights and distances of the surface from the body's axis, NaN where a ray misses it."""
    local = frame.to_local(vertebra.points(vertebra.body))
    low, high = np.quantile(local[:, 2], (0.001, 0.999))
    heights = np.arange(low - MESH_MM, high + 1.5 * MESH_MM, MESH_MM)
    angles = np.arange(_RAYS) * 2 * np.pi / _RAYS
    middle = frame.front + frame.depth / 2
    reach = float(np.hypot(local[:, 0], local[:, 1] - middle).max()) + 2.0
    steps = np.arange(0.0, reach, _STEP)
    x, p = np.sin(angles)[:, None] * steps, middle - np.cos(angles)[:, None] * steps
    shape = (len(heights), _RAYS, len(steps))
    points = np.stack([np.broadcast_to(a, shape) for a in (x, p, heights[:, None, None])], axis=-1)
    index = _to_index(frame, points.reshape(-1, 3), vertebra.spacing)
    index -= np.array([axis.start for axis in vertebra.box])[:, None]
    share = ndimage.map_coordinates(vertebra.body.astype(np.float32), index, order=1, mode="constant")
    share = share.reshape(shape)
    inside = share >= 0.5
    last = len(steps) - 1 - inside[..., ::-1].argmax(axis=-1)
    outside = np.minimum(last + 1, len(steps) - 1)
    a, b = (np.take_along_axis(share, k[..., None], -1)[..., 0] for k in (last, outside))
    part = np.where(a > b, (a - 0.5) / np.maximum(a - b, 1e-6), 0.0)
    return angles, heights, np.where(inside.any(axis=-1), steps[last] + part * _STEP, np.nan)


def _evenly(angles: Floats, radius: Floats) -> tuple[Floats, Floats]:
    """Choose directions whose surface points are about 1 mm apart along the outline."""
    if not np.isfinite(radius).any(axis=0).all():
        raise ValueError("the body does not surround its axis")
    outline = np.nanmedian(radius, axis=0)
    ring = np.append(angles, 2 * np.pi)
    r = np.append(outline, outline[0])
    x, p = r * np.sin(ring), r * np.cos(ring)
    length = np.concatenate([[0.0], np.cumsum(np.hypot(np.diff(x), np.diff(p)))])
    count = max(16, round(length[-1] / MESH_MM))
    chosen = np.interp(np.arange(count) / count * length[-1], length, ring)
    place = chosen / (2 * np.pi) * len(angles)
    first = np.minimum(place.astype(int), len(angles) - 1)
    second, part = (first + 1) % len(angles), place - first
    a, b = radius[:, first], radius[:, second]
    # Where one neighbour misses the body the other one decides.
    both = a + part * (b - a)
    return chosen, np.where(np.isfinite(both), both, np.where(part < 0.5, a, b))


def _surface(frame: Frame, angles: Floats, heights: Floats, radius: Floats) -> tuple[Floats, Floats, Floats]:
    """Return surface points and outward normals in local axes, and the area of each sample."""
    usual = np.nanmedian(radius, axis=0)
    filled = np.where(np.isfinite(radius), radius, usual)
    smooth = ndimage.gaussian_filter(filled, _SMOOTH, mode=("nearest", "wrap"))
    middle = frame.front + frame.depth / 2

    def points(distance: Floats) -> Floats:
        x, p = distance * np.sin(angles), middle - distance * np.cos(angles)
        return np.stack([x, p, np.broadcast_to(heights[:, None], x.shape)], axis=-1)

    shape = points(smooth)
    around = (np.roll(shape, -1, axis=1) - np.roll(shape, 1, axis=1)) / 2
    upwards = np.gradient(shape, axis=0)
    cross = np.cross(around, upwards)
    area = np.linalg.norm(cross, axis=-1)
    return points(filled), cross / np.maximum(area, 1e-9)[..., None], area


def _between_endplates(radius: Floats) -> Mask:
    """Return where a ray meets the wall, 2 mm or more from its upper and lower end."""
    wall = np.nan_to_num(radius) >= _SHORT * np.nanmedian(radius, axis=0)
    rows = np.arange(len(radius))[:, None]
    low = np.where(wall, rows, len(radius)).min(axis=0)
    high = np.where(wall, rows, -1).max(axis=0)
    margin = _RIM_MM / MESH_MM
    return np.asarray(wall & (rows >= low + margin) & (rows <= high - margin))


def _to_index(frame: Frame, local: Floats, spacing: Sequence[float]) -> Floats:
    """Return voxel coordinates (z, y, x) in the scan, shape (3, n), of local positions."""
    return np.asarray((frame.to_scan(local)[:, ::-1] / np.array(spacing)).T)


def _sampled(spine: Spine, vertebra: Vertebra, image: npt.NDArray[np.floating], index: Floats) -> Floats:
    """Return HU at voxel coordinates; -inf outside the image and in other bones, which are no fragments."""
    low = np.maximum(np.floor(index.min(axis=1)).astype(int) - 1, 0)
    high = np.minimum(np.ceil(index.max(axis=1)).astype(int) + 2, image.shape)
    block = tuple(slice(a, b) for a, b in zip(low, high, strict=True))
    inner = index - low[:, None]
    values = ndimage.map_coordinates(image[block].astype(np.float32), inner, order=1, mode="nearest")
    labels = spine.scan.labels[block]
    others = (labels != 0) & (labels != vertebra.label)
    size = np.array(image.shape)[:, None]
    gone = ((index < 0) | (index > size - 1)).any(axis=0)
    if others.any():
        gone |= ndimage.map_coordinates(others.astype(np.uint8), inner, order=0, mode="nearest") > 0
    return np.where(gone, -np.inf, values.astype(np.float64))


def _sampled_mask(vertebra: Vertebra, frame: Frame, surface: Floats) -> Mask:
    """Return where no posterior element is near and the surface is inside the image."""
    index = _to_index(frame, surface.reshape(-1, 3), vertebra.spacing)
    index -= np.array([axis.start for axis in vertebra.box])[:, None]
    size = np.array(vertebra.mask.shape)[:, None]
    inside = ((index >= 0) & (index <= size - 1)).all(axis=0)
    if vertebra.posterior.any():
        distance = ndimage.distance_transform_edt(~vertebra.posterior, sampling=vertebra.spacing)
        inside &= ndimage.map_coordinates(distance, index, order=1, mode="nearest") > _ARCH_MM
    return np.asarray(inside.reshape(surface.shape[:-1]))


def _sectors(frame: Frame, surface: Floats) -> Ints:
    """Return the sector of each sample: the diagonals of the body's outline part them."""
    across = 2 * surface[..., 0] / frame.width
    along = 2 * frame.u(surface[..., 1]) - 1
    sideways = np.where(across > 0, SECTORS.index("left"), SECTORS.index("right"))
    lengthwise = np.where(along < 0, SECTORS.index("anterior"), SECTORS.index("posterior"))
    return np.asarray(np.where(np.abs(along) >= np.abs(across), lengthwise, sideways))


@dataclass(frozen=True)
class Defects:
    """What is missing of a wall.

    Parameters
    ----------
    largest : float
        Area of the largest patch, mm2; 0 where there is none.
    total, narrow : float
        Area of all patches of 4 mm2 or more, and of their narrow parts, mm2.
    """

    largest: float
    total: float
    narrow: float


def defects(missing: Mask, area: Floats) -> Defects:
    """Describe the patches of destroyed cortex on an unrolled wall.

    A part of a patch is narrow where no circle of more than 1.5 mm radius fits: a hole with fracture lines
    running into it is a hole and narrow lines [O].

    Parameters
    ----------
    missing : ndarray of bool, shape (rows, columns)
        Destroyed samples.
    area : ndarray, shape (rows, columns)
        mm2 of each.

    Examples
    --------
    >>> wall = np.zeros((20, 60), dtype=bool)
    >>> wall[5:15, 20:30] = wall[8, 40:52] = True
    >>> found = defects(wall, np.ones(wall.shape))
    >>> found.largest, found.total, round(found.narrow)
    (100.0, 112.0, 13)
    """
    patches = _patches(missing)
    sizes = np.bincount(patches.ravel(), area.ravel())
    sizes[0] = 0.0
    kept = sizes >= LEAST_DEFECT_MM2
    if not kept.any():
        return Defects(float(sizes.max()), 0.0, 0.0)
    shown = kept[patches]
    return Defects(float(sizes.max()), float(area[shown].sum()), float((area * _narrow_share(shown)).sum()))


def _patches(missing: Mask) -> npt.NDArray[np.int64]:
    """Return numbered patches whose samples touch by sides or corners, also across the seam."""
    wide = np.concatenate([missing[:, -1:], missing], axis=1)
    named = ndimage.label(wide, np.ones((3, 3)))[0].astype(np.int64)
    # The first column repeats the last one: what both are called is one patch.
    for one, other in zip(named[:, 0], named[:, -1], strict=True):
        if one != other:
            named[named == max(one, other)] = min(one, other)
    return np.asarray(named[:, 1:])


def _narrow_share(missing: Mask) -> Floats:
    """Return which share of each missing sample no circle of more than 1.5 mm radius reaches."""
    fine = np.kron(np.pad(missing, ((0, 0), (missing.shape[1],) * 2), mode="wrap"), np.ones((_FINE, _FINE)))
    step = MESH_MM / _FINE
    framed = np.pad(fine, 1)
    core = ndimage.distance_transform_edt(framed, sampling=step) - step / 2 > NARROW_MM
    if core.any():
        framed[ndimage.distance_transform_edt(~core, sampling=step) <= NARROW_MM + _SLACK_MM] = 0
    rest = framed[1:-1, 1:-1].reshape(missing.shape[0], _FINE, -1, _FINE).mean(axis=(1, 3))
    return np.asarray(rest[:, missing.shape[1] : 2 * missing.shape[1]])


def measure(spine: Spine) -> Measured:
    """Measure the cortex of every vertebra that has references."""
    if spine.scan.image is None or spine.sequence != "CT":
        return {}
    walls = {vertebra.label: _unrolled(spine, vertebra) for vertebra in spine.framed()}
    limits = {label: _limits(label, spine, walls) for label in walls}
    areas = {
        label: float(wall.area[wall.seen & (wall.around >= limits[label][wall.sector])].sum())
        for label, wall in walls.items()
        if isinstance(wall, Wall) and np.isfinite(limits[label]).all()
    }
    found: dict[int, dict[str, Value]] = {}
    for vertebra in spine.framed():
        label, wall = vertebra.label, walls[vertebra.label]
        if isinstance(wall, Absent):
            found[label] = dict.fromkeys(_NAMES, wall)
            continue
        if not np.isfinite(limits[label]).all():
            found[label] = dict.fromkeys(_NAMES, Absent("RV333", "the references show too little cortex"))
            continue
        values = _destruction(wall, limits[label])
        values["cort_area_ratio"] = _area_ratio(label, spine, areas)
        values["pseudo_malignant"] = _pseudo_malignant(spine, vertebra, values["cort_destroyed_frac"])
        found[label] = values
    return found


_NAMES = (
    "cort_destroyed_frac",
    *(f"cort_destroyed_{sector}" for sector in SECTORS),
    "largest_defect_mm2",
    "puzzle_index",
    "cort_area_ratio",
    "pseudo_malignant",
)


def _unrolled(spine: Spine, vertebra: Vertebra) -> Wall | Absent:
    """Return the wall of a body; one that cannot be unrolled takes only its own signs away."""
    try:
        return unroll(spine, vertebra)
    except ValueError as error:
        return Absent("RV338", str(error))


def _limits(label: int, spine: Spine, walls: Mapping[int, Wall | Absent]) -> Floats:
    """Return by sector the HU below which cortex counts as destroyed; NaN where the references show none."""
    own, it = np.inf, walls[label]
    if isinstance(it, Wall) and it.seen.any():
        own = DESTROYED * float(np.median(it.density[it.seen]))
    near = [wall for other in spine.references.get(label, ()) if isinstance(wall := walls.get(other), Wall)]
    limits = np.full(len(SECTORS), np.nan)
    for sector in range(len(SECTORS)):
        values = [wall.density[wall.seen & (wall.sector == sector)] for wall in near]
        pooled = np.concatenate(values) if values else np.zeros(0)
        pooled = pooled[np.isfinite(pooled)]
        if len(pooled) * MESH_MM**2 >= LEAST_SECTOR_MM2:
            usual = DESTROYED * float(np.median(pooled))
            limits[sector] = min(usual, max(own, SOFT_HU))
    return limits


def _destruction(wall: Wall, limits: Floats) -> dict[str, Value]:
    seen = wall.seen
    missing = seen & (wall.density < limits[wall.sector])
    values: dict[str, Value] = {"cort_destroyed_frac": _share(missing, seen, wall.area)}
    for place, sector in enumerate(SECTORS):
        own = wall.sector == place
        values[f"cort_destroyed_{sector}"] = _share(missing & own, seen & own, wall.area)
    found = defects(missing, wall.area)
    values["largest_defect_mm2"] = found.largest
    values["puzzle_index"] = (
        min(1.0, found.narrow / found.total)
        if found.total > 0
        else Absent("RV338", f"no defect of {LEAST_DEFECT_MM2:g} mm2 or more")
    )
    return values


def _share(part: Mask, whole: Mask, area: Floats) -> Value:
    total = float(area[whole].sum())
    if total < LEAST_SECTOR_MM2:
        return Absent("RV338", f"{total:.0f} mm2 of the wall are seen")
    return float(area[part].sum()) / total


def _area_ratio(label: int, spine: Spine, areas: Mapping[int, float]) -> Value:
    """Return the cortical area over what the references' areas, followed to this level, let expect."""
    near = [other for other in spine.references.get(label, ()) if areas.get(other, 0.0) > 0]
    if not near or label not in areas:
        return Absent("RV333", "the references show no cortex")
    logs = [np.log(areas[other]) for other in near]
    expected = theil_sen([spine.places[other] for other in near], logs, spine.places[label])
    return areas[label] / float(np.exp(expected))


def _pseudo_malignant(spine: Spine, vertebra: Vertebra, destroyed: Value) -> Value:
    """Return the destroyed share of the cortex where gas or a thin rim speak for osteoporosis all the same.

    0 where neither does: the destruction is then no trap.
    """
    if isinstance(destroyed, Absent):
        return destroyed
    if gas_volume(spine, vertebra) > 0:
        return destroyed
    if not any(name.startswith("paravertebral") for name in spine.scan.layers):
        return Absent("RV331", "no gas, and no mask of paravertebral tissue shows whether the rim is thin")
    rim = rim_thickness(spine, vertebra)
    if isinstance(rim, Absent):
        return rim
    return destroyed if float(rim.max()) < THIN_MM else 0.0
