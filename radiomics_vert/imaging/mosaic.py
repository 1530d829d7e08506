"""Three pictures of one vertebra, as a radiologist looks at it: axial, coronal, sagittal."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import ndimage

from radiomics_vert.imaging.geometry import Geometry
from radiomics_vert.imaging.orientation import end_letters, patient_axes
from radiomics_vert.imaging.regions import used_box
from radiomics_vert.imaging.volumes import Image, LabelMap

# The usual bone window, width 1800 HU around 400 HU.
BONE_WINDOW = (-500.0, 1300.0)
# [O] MR has no units: what is darkest and brightest around the vertebrae (fat, CSF) is cut off.
PERCENTILES = (1.0, 97.0)
# [O] One field of view for all vertebrae makes their pictures comparable; larger ones get more.
FIELD_MM = 100.0
MARGIN_MM = 12.0
FINEST_MM = 0.5
_SAMPLED_VOXELS = 1_000_000
_SAMPLED_EXTENT = 40


@dataclass(frozen=True)
class Plane:
    """One plane through a vertebra, ready to be shown.

    Parameters
    ----------
    name : str
        `axial`, `coronal` or `sagittal`.
    pixels : ndarray of uint8, shape (rows, columns)
        Square pixels; 0 outside the image.
    pixel_mm : float
        Side of a pixel in millimetres.
    outline, others : tuple of ndarray, shape (n, 2)
        Closed polygons around the voxels of this label, and of other labels: columns and rows in pixels
        from the upper left corner of the picture.
    letters : tuple of str
        Where the patient's sides are: left, right, upper and lower edge of the picture.
    """

    name: str
    pixels: np.ndarray
    pixel_mm: float
    outline: tuple[np.ndarray, ...]
    others: tuple[np.ndarray, ...]
    letters: tuple[str, str, str, str]


def display_window(image: np.ndarray, labels: np.ndarray, *, hounsfield: bool) -> tuple[float, float]:
    """Return the grey values that are shown as black and as white.

    Parameters
    ----------
    image, labels : ndarray, shape (z, y, x)
        Voxels and labels of the whole scan, so that all its vertebrae are shown alike.
    hounsfield : bool
        CT: the bone window. Otherwise percentiles 1 and 97 of the box around all labels.
    """
    if hounsfield:
        return BONE_WINDOW
    around = image[used_box(labels)]
    array = around if around.size else image
    step = max(1, round((array.size / _SAMPLED_VOXELS) ** (1 / 3)))
    low, high = np.percentile(array[::step, ::step, ::step], PERCENTILES)
    return float(low), float(high) if high > low else float(low) + 1.0


def mosaic(
    image: Image, labels: LabelMap, label: int, box: tuple[int, ...], window: tuple[float, float]
) -> tuple[Plane, ...]:
    """Return the three planes through the middle of a vertebra.

    The planes are those of the voxel grid, turned to the nearest patient axes and never tilted: what is
    shown are the voxels that are measured. Radiological convention: the patient's right on the left of
    the picture, the front on the left of sagittal planes, the head up.

    Parameters
    ----------
    image, labels : Image, LabelMap
        On one grid.
    label : int
        The vertebra.
    box : tuple of int
        Its bounding box, (x0, x1, y0, y1, z0, z1), upper ends excluded.
    window : tuple of float
        Grey values of black and white.

    Returns
    -------
    tuple of Plane
        Axial, coronal, sagittal.
    """
    geometry = image.geometry
    middle = _middle(labels.array(), label, box, geometry)
    extent = (np.array(box[1::2]) - np.array(box[::2])) * np.array(geometry.spacing)
    field = max(FIELD_MM, float(extent.max()) + 2 * MARGIN_MM)
    pixel = max(FINEST_MM, min(geometry.spacing))
    side = int(np.ceil(field / pixel))
    views = (("axial", 0, 1), ("coronal", 0, 2), ("sagittal", 1, 2))
    cut = _Cut(geometry, middle, pixel, side)
    return tuple(cut.plane(image.array(), labels.array(), label, window, *view) for view in views)


def _middle(array: np.ndarray, label: int, box: tuple[int, ...], geometry: Geometry) -> np.ndarray:
    """Return the voxel (x, y, z) in the middle of the thickest part: the body, not canal or arch."""
    x0, x1, y0, y1, z0, z1 = box
    steps = [max(1, -(-(b - a) // _SAMPLED_EXTENT)) for a, b in ((z0, z1), (y0, y1), (x0, x1))]
    inside = array[z0 : z1 : steps[0], y0 : y1 : steps[1], x0 : x1 : steps[2]] == label
    sampling = [step * side for step, side in zip(steps, geometry.spacing[::-1], strict=True)]
    depth = ndimage.distance_transform_edt(np.pad(inside, 1), sampling)[1:-1, 1:-1, 1:-1]
    core = np.argwhere(depth >= max(depth.max() / 2, np.finfo(float).tiny))
    if not len(core):  # a label so thin that the sampling missed it
        return np.array([(x0 + x1) // 2, (y0 + y1) // 2, (z0 + z1) // 2])
    centre = (core.mean(axis=0) * steps + np.array((z0, y0, x0)))[::-1]
    # Halves are rounded to the left, the back and the head, so that storing an image otherwise moves nothing.
    senses = np.array([sense for _, sense in sorted(patient_axes(geometry))])
    return np.asarray((senses * np.floor(senses * centre + 0.5)).astype(int))


@dataclass(frozen=True)
class _Cut:
    """Where the planes of one vertebra lie, and how fine they are drawn."""

    geometry: Geometry
    middle: np.ndarray
    pixel: float
    side: int

    def plane(
        self,
        image: np.ndarray,
        labels: np.ndarray,
        label: int,
        window: tuple[float, float],
        name: str,
        across: int,
        down: int,
    ) -> Plane:
        """Cut one plane: `across` and `down` are the patient axes along columns and rows."""
        columns = self._line(across, 1)
        rows = self._line(down, 1 if down == 1 else -1)  # the head is up, the back is down
        mask = self._slice(labels, rows, columns)
        grey = _sampled(self._slice(image, rows, columns), rows.places(self), columns.places(self))
        low, high = window
        shown = np.clip((grey - low) * (255.0 / (high - low)), 0, 255)
        left, right = end_letters(self.geometry, across)
        near, far = end_letters(self.geometry, down)
        return Plane(
            name,
            np.rint(np.nan_to_num(shown)).astype(np.uint8),
            self.pixel,
            self._polygons(mask == label, rows, columns),
            self._polygons((mask != label) & (mask != 0), rows, columns),
            (left, right, *((near, far) if down == 1 else (far, near))),
        )

    def _line(self, patient_axis: int, wanted: int) -> _Line:
        axis, sense = patient_axes(self.geometry)[patient_axis]
        flipped = sense != wanted
        size, middle = self.geometry.size[axis], int(self.middle[axis])
        return _Line(axis, flipped, size - 1 - middle if flipped else middle, self.geometry.spacing[axis])

    def _slice(self, array: np.ndarray, rows: _Line, columns: _Line) -> np.ndarray:
        """Return the voxels of the plane, rows and columns as they are shown."""
        third = 3 - rows.axis - columns.axis
        flat = array.take(int(self.middle[third]), axis=2 - third)
        upright = flat if rows.axis > columns.axis else flat.T  # arrays are (z, y, x)
        return np.asarray(upright[:: -1 if rows.flipped else 1, :: -1 if columns.flipped else 1])

    def _polygons(self, mask: np.ndarray, rows: _Line, columns: _Line) -> tuple[np.ndarray, ...]:
        """Return the edges of the voxels of a mask in the plane, in pixels of the picture."""
        spans = [line.visible(self, extent) for line, extent in zip((rows, columns), mask.shape, strict=True)]
        loops = voxel_outlines(mask[tuple(spans)])
        lines = ((columns, spans[1].start), (rows, spans[0].start))
        return tuple(
            np.stack([line.pixels(self, loop[:, k] + first) for k, (line, first) in enumerate(lines)], axis=1)
            for loop in loops
        )


@dataclass(frozen=True)
class _Line:
    """One axis of a picture: the voxel axis along it, and the voxel that lies in its middle."""

    axis: int
    flipped: bool
    middle: int
    spacing: float

    def places(self, cut: _Cut) -> np.ndarray:
        """Return where the middles of the pixels lie, in voxels."""
        steps = np.arange(cut.side) - (cut.side - 1) / 2
        return np.asarray(steps * (cut.pixel / self.spacing) + self.middle)

    def visible(self, cut: _Cut, extent: int) -> slice:
        """Return the voxels that the picture shows, and one more on each side."""
        places = self.places(cut)
        return slice(max(0, int(places[0]) - 2), max(0, min(extent, int(places[-1]) + 3)))

    def pixels(self, cut: _Cut, edges: np.ndarray) -> np.ndarray:
        """Return edges between voxels (0: before the first voxel) as places in the picture."""
        return np.asarray((edges - 0.5 - self.middle) * (self.spacing / cut.pixel) + cut.side / 2)


def _sampled(plane: np.ndarray, rows: np.ndarray, columns: np.ndarray) -> np.ndarray:
    """Interpolate linearly at rows x columns; NaN outside the voxels."""
    values = plane.astype(np.float64)
    for places in (rows, columns):
        last = values.shape[0] - 1
        inner = np.clip(places, 0, last)
        first = np.minimum(inner.astype(int), max(last - 1, 0))
        weight = (inner - first)[:, None]
        values = values[first] * (1 - weight) + values[np.minimum(first + 1, last)] * weight
        values[(places < -0.5) | (places > last + 0.5)] = np.nan
        values = values.T
    return values


def voxel_outlines(mask: np.ndarray) -> list[np.ndarray]:
    """Return the closed outlines of a two-dimensional mask along the edges of its voxels.

    Parameters
    ----------
    mask : ndarray of bool, shape (rows, columns)
        The mask.

    Returns
    -------
    list of ndarray, shape (n, 2)
        Column and row of each corner, clockwise around the mask, counterclockwise around its holes.

    Examples
    --------
    >>> voxel_outlines(np.array([[True, True]]))[0].tolist()
    [[0, 0], [2, 0], [2, 1], [0, 1]]
    """
    inside = np.pad(mask.astype(bool), 1)
    middle = inside[1:-1, 1:-1]
    sides = (  # what lies beyond, and where that side of a voxel begins and ends
        (inside[:-2, 1:-1], (0, 0), (1, 0)),
        (inside[1:-1, 2:], (1, 0), (1, 1)),
        (inside[2:, 1:-1], (1, 1), (0, 1)),
        (inside[1:-1, :-2], (0, 1), (0, 0)),
    )
    following: dict[tuple[int, int], list[tuple[int, int]]] = {}
    for beyond, start, end in sides:
        for row, column in np.argwhere(middle & ~beyond).tolist():
            begin = column + start[0], row + start[1]
            following.setdefault(begin, []).append((column + end[0], row + end[1]))
    loops = []
    while following:
        loops.append(_loop(following))
    return loops


def _loop(following: dict[tuple[int, int], list[tuple[int, int]]]) -> np.ndarray:
    """Take one closed outline out of the sides that are left; corners on a straight line are dropped."""
    first = next(iter(following))
    corners, place = [first], first
    while True:
        ends = following[place]
        place = ends.pop()
        if not ends:
            del following[corners[-1]]
        if place == first:
            break
        corners.append(place)
    points = np.array(corners)
    straight = np.roll(points, 1, axis=0) - points, np.roll(points, -1, axis=0) - points
    turning = straight[0][:, 0] * straight[1][:, 1] != straight[0][:, 1] * straight[1][:, 0]
    return np.asarray(points[turning])
