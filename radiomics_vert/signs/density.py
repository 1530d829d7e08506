"""Lytic and blastic areas of the trabecular body, and how sharp a fracture line is."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from scipy import ndimage
from scipy.spatial import cKDTree

from radiomics_vert.imaging.preprocessing import robust_spread
from radiomics_vert.signs.borders import sigmoid_widths
from radiomics_vert.signs.components import CORTEX_MM, Components, connected, reaching
from radiomics_vert.signs.endplates import DEPRESSED_MM, depression
from radiomics_vert.signs.heights import GRADES
from radiomics_vert.signs.lysis import lytic_areas
from radiomics_vert.signs.marrow import eroded, intensities
from radiomics_vert.signs.nouns import Absent, Frame, Mask, Value, Vertebra
from radiomics_vert.signs.plates import CONTRAST as PLATE_CONTRAST
from radiomics_vert.signs.plates import dark_plates
from radiomics_vert.signs.results import Measured
from radiomics_vert.signs.spine import Spine

BLASTIC_SD = 3.0
"""Robust standard deviations of the references above which marrow is blastic [O]."""
LEAST_BLASTIC_MM3 = 100.0
"""Smaller dense areas are noise or thick trabeculae, as with lysis [O]."""
IMPACTION_MM = 4.0
"""Dense marrow this close to a fractured endplate is impacted, not blastic [O]."""
COARSEST_MM = 1.5
"""Largest width of a voxel across a line whose edges are measured [O]."""
_LEAST_VOXELS = 30
# A fracture line, all [O]: least second derivative times squared scale, in HU and in robust deviations of
# the marrow; length over the body's width; flatness; profiles; edges; mm of a profile.
_LINE_HU, _LINE_SD = 20.0, 0.5
_LINE_LENGTH, _LINE_FLAT = 0.4, 0.5
_PROFILES, _LEAST_EDGES, _SEEN_MM = 150, 8, 3.0
_PLATE_MARGIN = 2  # voxels by which components of plates are padded
_OUTWARDS = np.arange(-6.0, 6.25, 0.5) + 3.0  # sigmoids are fitted from -6 to 6 mm, lines begin at -3

Floats = npt.NDArray[np.float64]


def blastic_voxels(spine: Spine, vertebra: Vertebra) -> Mask:
    """Return the voxels above the references' median by 3 robust deviations that are not impacted.

    They lie in areas of 0.1 ml or more that reach deeper than 2 mm into the trabecular body [O].
    On a vertebra of Genant grade 1 or more, those within 4 mm of the more depressed endplate are left out; of
    both, where neither is depressed by 1 mm more than the other [O].

    Parameters
    ----------
    spine, vertebra : Spine, Vertebra
        With an image, and references for the vertebra.
    """
    usual = spine.expected[vertebra.label]
    high = _trabecular_between(spine, vertebra, usual.centre + BLASTIC_SD * usual.width, np.inf)
    plates = _fractured_plates(spine, vertebra)
    if high.any() and len(plates):
        distance, _ = cKDTree(plates).query(_local(vertebra, high), distance_upper_bound=IMPACTION_MM)
        high[high] = ~np.isfinite(distance)
    areas = connected(high, vertebra.spacing, least_mm3=LEAST_BLASTIC_MM3, neighbours=6)
    return reaching(areas, eroded(spine.trabecular[vertebra.label], vertebra.spacing, CORTEX_MM))


class _Line(NamedTuple):
    """A plate of marrow: mm along it, 1 where it is dark and -1 where dense, its voxels, its normal."""

    length: float
    sign: float
    voxels: Floats
    normal: Floats


def line_edge_width(spine: Spine, vertebra: Vertebra) -> Value:
    """Return the median 10-90 % width of the edges of the most extended fracture line of a body, mm.

    A line is a plate of marrow, darker (a gap) or denser (impacted) than what lies above and below it, within
    30 degrees of an endplate and at least 0.4 of the body's width long [O]. Profiles run from its middle to
    both sides, and a sigmoid is fitted to each. The width includes the resolution of the image.

    Parameters
    ----------
    spine, vertebra : Spine, Vertebra
        With an image, a frame and trabecular voxels.
    """
    image, frame = spine.scan.image, vertebra.frame
    if image is None or frame is None:
        raise ValueError(f"{vertebra.case_id} has no image or no frame")
    inside = spine.trabecular[vertebra.label]
    block = np.asarray(image[vertebra.box], dtype=np.float64)
    usual = robust_spread(block[inside])
    contrast = max(_LINE_HU, _LINE_SD * usual.width)
    lines: list[_Line] = []
    for sign in (1.0, -1.0):
        # Plates are sought relative to the median, which for this purpose carries the wanted contrast.
        shifted = sign * (block - usual.centre) + contrast / PLATE_CONTRAST
        for plates in dark_plates(shifted, inside, _plate_normals(frame), vertebra.spacing):
            number = _longest(plates, frame.width)
            if number is not None:
                index = np.argwhere(plates.labels == number) + _first(inside) - _PLATE_MARGIN
                length, normal = plates.lengths[number - 1, 0], plates.directions[number - 1, 2]
                lines.append(_Line(float(length), sign, index.astype(np.float64), normal))
    if not lines:
        return Absent("RV338", f"no line of {_LINE_LENGTH:g} of the body's width is seen")
    line = max(lines, key=lambda found: found.length)
    coarse = float(np.abs(line.normal) @ np.array(vertebra.spacing[::-1]))
    if coarse > COARSEST_MM:
        return Absent("RV338", f"voxels {coarse:.2g} mm wide across the line do not show its edges")
    widths = _edge_widths(line.sign * block, inside, line.voxels, line.normal, vertebra.spacing)
    if len(widths) < _LEAST_EDGES:
        return Absent("RV338", f"{len(widths)} profiles across the line look like an edge")
    return float(np.median(widths))


def _plate_normals(frame: Frame) -> Floats:
    normals = [[-plate.left, -plate.back, 1.0] for plate in (frame.superior, frame.inferior)]
    return np.asarray([np.array(n) / np.linalg.norm(n) @ frame.axes for n in normals])


def _first(mask: Mask) -> npt.NDArray[np.int_]:
    return np.array([axis.start for axis in ndimage.find_objects(mask.view(np.int8))[0]])


def _longest(plates: Components, width: float) -> int | None:
    """Return the number of the longest component that is flat and long enough for a fracture line."""
    flat = (plates.lengths[:, 0] >= _LINE_LENGTH * width) & (plates.planarity >= _LINE_FLAT)
    if not flat.any():
        return None
    return int(np.where(flat, plates.lengths[:, 0], 0.0).argmax()) + 1


def _edge_widths(
    image: Floats, inside: Mask, index: Floats, normal: Floats, spacing: tuple[float, float, float]
) -> Floats:
    """Return 10-90 % widths of both edges of a dark line, NaN left out.

    Parameters
    ----------
    image, inside : ndarray, shape of the box
        Intensities, dark in the line; where profiles may run.
    index : ndarray, shape (n, 3)
        Voxels of the line.
    normal : ndarray, shape (3,)
        Of the line, unit vector (x, y, z).
    spacing : tuple of float
        Millimetres along z, y, x.
    """
    chosen = index[np.unique(np.linspace(0, len(index) - 1, _PROFILES).astype(np.intp))]
    step = normal[::-1] / np.array(spacing)
    search = np.arange(-3.0, 3.01, 0.25)
    across = chosen[:, None, :] + search[:, None] * step
    middle = search[_interpolated(image, across).argmin(axis=1)]
    starts = chosen + middle[:, None] * step
    profiles, seen = [], []
    for side in (1.0, -1.0):
        at = starts[:, None, :] + (side * _OUTWARDS)[:, None] * step
        profiles.append(_interpolated(image, at))
        within = ndimage.map_coordinates(inside.astype(np.uint8), at.reshape(-1, 3).T, order=0) > 0
        # A profile ends where it first leaves the marrow.
        left = ~within.reshape(at.shape[:-1]) & (_OUTWARDS >= 0)
        seen.append((np.cumsum(left, axis=1) == 0) & (_OUTWARDS >= 0))
    values, known = np.concatenate(profiles), np.concatenate(seen)
    usable = known.sum(axis=1) * 0.5 >= _SEEN_MM
    if not usable.any():
        return np.zeros(0)
    widths = sigmoid_widths(values[usable], known[usable])
    return np.asarray(widths[np.isfinite(widths)])


def _interpolated(image: Floats, at: Floats) -> Floats:
    values = ndimage.map_coordinates(image, at.reshape(-1, 3).T, order=1, mode="nearest")
    return np.asarray(values.reshape(at.shape[:-1]))


def measure(spine: Spine) -> Measured:
    """Measure lytic and blastic shares and the sharpness of fracture lines of every vertebra."""
    if spine.scan.image is None or spine.sequence != "CT":
        return {}
    found: dict[int, dict[str, Value]] = {}
    lytic = lytic_areas(spine, [vertebra.label for vertebra in spine.framed()])
    for vertebra in spine.framed():
        label, voxels = vertebra.label, int(spine.trabecular[vertebra.label].sum())
        if voxels < _LEAST_VOXELS:
            few = Absent("RV338", f"{voxels} trabecular voxels")
            found[label] = dict.fromkeys((*_AREAS, "line_edge_width_mm"), few)
            continue
        values = _lytic(lytic[label], voxels * float(np.prod(vertebra.spacing)))
        values["blastic_frac"] = _blastic(spine, vertebra, voxels)
        values["line_edge_width_mm"] = line_edge_width(spine, vertebra)
        found[label] = values
    return found


_AREAS = ("lytic_frac", "blastic_frac", "lytic_largest_ml")


def _blastic(spine: Spine, vertebra: Vertebra, voxels: int) -> Value:
    usual = spine.expected.get(vertebra.label)
    if usual is None or not usual.usable:
        return Absent("RV333", "the references have no usable marrow")
    return float(blastic_voxels(spine, vertebra).sum()) / voxels


def _lytic(areas: Components | Absent, volume: float) -> dict[str, Value]:
    if isinstance(areas, Absent):
        return {"lytic_frac": areas, "lytic_largest_ml": areas}
    return {
        "lytic_frac": float(areas.mm3.sum()) / volume,
        "lytic_largest_ml": float(areas.mm3[0]) / 1000 if len(areas) else 0.0,
    }


def _trabecular_between(spine: Spine, vertebra: Vertebra, low: float, high: float) -> Mask:
    """Return the trabecular voxels strictly below `high` and above `low`."""
    image = spine.scan.image
    if image is None:
        raise ValueError("marrow needs an image")
    inside = spine.trabecular[vertebra.label].copy()
    values = intensities(image, vertebra, inside)
    inside[inside] = (values > low) & (values < high)
    return inside


def _fractured_plates(spine: Spine, vertebra: Vertebra) -> Floats:
    """Return the surface points of the fractured endplates in local axes, shape (n, 3)."""
    losses = spine.losses.get(vertebra.label)
    if losses is None or losses.largest < GRADES[0]:
        return np.zeros((0, 3))
    outline = spine.outlines[vertebra.label]
    sides = {"superior": outline.superior_points, "inferior": outline.inferior_points}
    deepest = depression(outline)
    if deepest.lead >= DEPRESSED_MM:
        return sides[deepest.side]
    return np.concatenate(list(sides.values()))


def _local(vertebra: Vertebra, mask: Mask) -> Floats:
    if vertebra.frame is None:
        raise ValueError(f"{vertebra.case_id} has no frame")
    return vertebra.frame.to_local(vertebra.points(mask))
