"""From the planes of a series to one grid, or to the reasons why there is none.

Planes are ordered by their positions along the normal of the plane. File names, instance numbers,
SliceThickness and SpacingBetweenSlices take no part: all of them are wrong in some archive.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

import numpy as np

from radiomics_vert.errors import ImageError, Problem, raise_all
from radiomics_vert.imaging.dicom.headers import CHOICE_TAGS, Frame
from radiomics_vert.imaging.dicom.series import DERIVED, VOLUME, Series
from radiomics_vert.imaging.geometry import Geometry
from radiomics_vert.phrases import count

# [O] How far a plane may lie from where the regular grid has it, as a fraction of a voxel: along the normal
# of the slice spacing, in the plane of the pixel spacing. Positions rounded to 0.1 mm stay below it; a
# lost slice or a tilt that would shift a texture does not.
TOLERANCE = 0.1
# Cosines written with three decimals are off by 5e-4; axes that are further from a right angle are damaged.
_RIGHT_ANGLE = 2e-3
_SCALE_TAGS = ("RescaleSlope", "RescaleIntercept")
# Below it, every rescaled value is a finite 32-bit float.
_LARGEST_SCALE = 1e12
_SHOWN = 3
_ISOLATE = "export this series again from the archive"


@dataclass(frozen=True)
class Stack:
    """The planes of one volume in spatial order.

    Parameters
    ----------
    frames : tuple of Frame
        From the first plane to the last, along the normal.
    geometry : Geometry
        The grid; its third axis is the normal of the planes.
    where : str
        The folder and the series, for messages.
    """

    frames: tuple[Frame, ...] = field(repr=False)
    geometry: Geometry
    where: str


def stack(series: Series, path: object) -> Stack:
    """Put the planes of a series in order and check that they make one regular grid.

    Parameters
    ----------
    series : Series
        The chosen series.
    path : str or Path
        Where it is, for messages.

    Raises
    ------
    ImageError
        RV210 colour, RV213 no volume by its kind, RV214 no geometry, RV215 missing slices, RV216 uneven
        spacing, RV217 gantry tilt, RV218 several orientations, RV219 several images at one position,
        RV220 several sizes, RV221 a single slice, RV222 no linear scale. Several problems at once are
        reported together where they do not follow from each other.
    """
    frames, where = series.frames, f"{path}, {series.title}"
    _require_volume(series, where)
    raise_all(ImageError, [*_sizes(frames, where), *_scales(frames, where)])
    raise_all(ImageError, _unplaced(frames, where))
    raise_all(ImageError, [*_spacings(frames, where), *_orientations(frames, where)])
    if len(frames) == 1:
        raise ImageError(_single(series, where))
    positions = np.array([frame.numbers("ImagePositionPatient") for frame in frames])
    right, down, normal = _axes(frames[0])
    pixel = _pixel_spacing(frames[0])
    depth = positions @ normal
    order = np.argsort(depth, kind="stable")
    frames, depth, positions = tuple(frames[i] for i in order), depth[order], positions[order]
    raise_all(ImageError, _repeated(frames, depth, TOLERANCE * min(pixel), where))
    raise_all(
        ImageError, [*_gaps(frames, depth, where), *_drift(positions, (right, down, normal), pixel, where)]
    )
    spacing = (depth[-1] - depth[0]) / (len(frames) - 1)
    matrix = np.stack([right, down, normal], axis=1)
    geometry = Geometry(
        (series.columns, series.rows, len(frames)),
        (*pixel, float(spacing)),
        tuple(float(value) for value in positions[0]),
        tuple(float(cosine) for cosine in matrix.ravel()),
    )
    return Stack(frames, geometry, where)


def _require_volume(series: Series, where: str) -> None:
    if series.kind in (VOLUME, DERIVED):
        return
    if series.kind == "colour image":
        raise ImageError(
            Problem(
                "RV210",
                "one grey value per voxel",
                f"a colour image ({series.frames[0].text('PhotometricInterpretation') or 'several samples'})",
                where,
                "choose the original series: colours are a display of measured values, not the values",
            )
        )
    remedies = {
        "localizer": "choose the diagnostic series; a localizer holds single planning planes",
        "secondary capture": "choose the original series; a capture is the picture of a screen",
        "segmentation": "name it as the mask and the CT or MR series as the image",
        "structure set": "name it as the mask and the CT or MR series as the image",
        "mixed": "choose the planes of the volume by a tag, such as ;ImageType=AXIAL, or export them alone",
    }
    raise ImageError(
        Problem(
            "RV213",
            "a series of CT, MR or PET planes",
            f"{'objects of several kinds' if series.kind == 'mixed' else series.kind}",
            where,
            remedies.get(series.kind, "choose the series that holds the images"),
        )
    )


def _single(series: Series, where: str) -> Problem:
    return Problem(
        "RV221",
        "two slices or more, so that their spacing is known",
        "one slice",
        where,
        "name the folder with all files of the series; one slice alone is no volume",
    )


def _names(frames: Iterable[Frame]) -> str:
    """Name a few planes of many."""
    listed = [frame.title for frame in frames]
    return ", ".join(listed[:_SHOWN]) + (f" and {len(listed) - _SHOWN} more" if len(listed) > _SHOWN else "")


def _sizes(frames: Sequence[Frame], where: str) -> list[Problem]:
    sizes = {(frame.text("Rows"), frame.text("Columns")) for frame in frames}
    if any(
        not (rows.isdigit() and columns.isdigit() and int(rows) * int(columns)) for rows, columns in sizes
    ):
        bad = [f for f in frames if not math.prod((*f.numbers("Rows"), *f.numbers("Columns"), 0)[:2])]
        found = f"none in {_names(bad)}: the header ends early or is damaged"
        return [Problem("RV202", "a header with rows and columns", found, where, _ISOLATE)]
    if len(sizes) == 1:
        return []
    text = ", ".join(f"{rows} x {columns}" for rows, columns in sorted(sizes))
    return [
        Problem(
            "RV220", "planes of one size", f"rows x columns {text}", where, _split(frames, ("SeriesNumber",))
        )
    ]


def _scales(frames: Sequence[Frame], where: str) -> list[Problem]:
    """Refuse stored values without one linear rule that turns them into intensities."""
    remedy = "export the original series again, without lookup tables and with its rescale values"
    if any(frame.text("ModalityLUT") for frame in frames):
        return [Problem("RV222", "a rescale slope and intercept", "a modality lookup table", where, remedy)]
    bad = [
        frame
        for frame in frames
        if (frame.text("RescaleSlope") and not any(frame.numbers("RescaleSlope")))
        or (frame.text("RescaleIntercept") and not frame.numbers("RescaleIntercept"))
        or any(abs(number) > _LARGEST_SCALE for tag in _SCALE_TAGS for number in frame.numbers(tag))
    ]
    given = [frame for frame in frames if frame.text("RescaleSlope")]
    if bad or 0 < len(given) < len(frames):
        bad = bad or [frame for frame in frames if not frame.text("RescaleSlope")]
        found = f"a slope of 0, none, or an absurd one in {_names(bad)}"
        return [Problem("RV222", "a rescale slope and intercept", found, where, remedy)]
    for keyword in ("RescaleType", "Units"):
        units = sorted({frame.text(keyword) for frame in frames})
        if len(units) > 1:
            listed = ", ".join(unit or "(none)" for unit in units)
            return [Problem("RV222", "one unit in all slices", f"{keyword} {listed}", where, remedy)]
    return []


def _unplaced(frames: Sequence[Frame], where: str) -> list[Problem]:
    problems = []
    for keyword, length in (("ImagePositionPatient", 3), ("ImageOrientationPatient", 6), ("PixelSpacing", 2)):
        bad = [frame for frame in frames if len(frame.numbers(keyword)) != length]
        if keyword == "PixelSpacing":
            bad += [frame for frame in frames if min((*frame.numbers(keyword), 1.0)) <= 0]
        if bad:
            found = f"{count(len(bad), 'image')} without a usable value, such as {_names(bad)}"
            problems.append(
                Problem(
                    "RV214",
                    f"{keyword} with {length} numbers in every image",
                    found,
                    where,
                    "export the original series again; without positions there are no millimetres",
                )
            )
    skewed = [] if problems else [frame for frame in frames if not _at_right_angles(frame)]
    if skewed:
        problems.append(
            Problem(
                "RV214",
                "ImageOrientationPatient: two unit vectors at right angles",
                f"{count(len(skewed), 'image')} with other vectors, such as {_names(skewed)}",
                where,
                "export the original series again; this header was damaged or edited",
            )
        )
    return problems


def _at_right_angles(frame: Frame) -> bool:
    vectors = np.array(frame.numbers("ImageOrientationPatient")).reshape(2, 3)
    return bool(np.allclose(vectors @ vectors.T, np.eye(2), atol=_RIGHT_ANGLE))


def _pixel_spacing(frame: Frame) -> tuple[float, float]:
    """Return the spacing along x and y: DICOM names the distance of the rows, which is y, first."""
    down, right = frame.numbers("PixelSpacing")
    return right, down


def _axes(frame: Frame) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return the directions of x, y and the normal as orthonormal vectors."""
    right, down = np.array(frame.numbers("ImageOrientationPatient")).reshape(2, 3)
    right = right / np.linalg.norm(right)
    down = down - right * (down @ right)
    down = down / np.linalg.norm(down)
    return right, down, np.cross(right, down)


def _extent(frame: Frame) -> np.ndarray:
    return np.array([*frame.numbers("Columns"), *frame.numbers("Rows")])


def _spacings(frames: Sequence[Frame], where: str) -> list[Problem]:
    spacings = np.array([_pixel_spacing(frame) for frame in frames])
    moved = np.abs(spacings / spacings[0] - 1) * _extent(frames[0])
    if moved.max() <= TOLERANCE:
        return []
    listed = ", ".join(f"{y:g} x {x:g}" for x, y in np.unique(spacings.round(6), axis=0)[:_SHOWN])
    remedy = _split(frames, ("SeriesNumber",))
    return [Problem("RV220", "one pixel spacing in all slices", f"rows x columns {listed} mm", where, remedy)]


def _orientations(frames: Sequence[Frame], where: str) -> list[Problem]:
    """Refuse planes turned against the first one by more than the tolerance at their far corner."""
    cosines = np.array([frame.numbers("ImageOrientationPatient") for frame in frames]).reshape(-1, 2, 3)
    moved = np.linalg.norm(cosines - cosines[0], axis=2) * _extent(frames[0])
    turned = moved.max(axis=1) > TOLERANCE
    if not turned.any():
        return []
    agreement = np.einsum("nij,ij->ni", cosines, cosines[0]).min()
    angle = math.degrees(math.acos(min(1.0, max(-1.0, agreement))))
    other = [frame for frame, turn in zip(frames, turned, strict=True) if turn]
    found = (
        f"{count(len(other), 'image')} of {len(frames)} turned, by up to {angle:.2f} degrees: {_names(other)}"
    )
    remedy = _split(frames, ("SeriesNumber", "StackID", "ImageType", "AcquisitionNumber"))
    return [Problem("RV218", "planes that are parallel to each other", found, where, remedy)]


def _repeated(frames: Sequence[Frame], depth: np.ndarray, apart: float, where: str) -> list[Problem]:
    """Refuse several planes at one depth, and name the tag that tells them apart."""
    steps = np.diff(depth) > apart
    if steps.all():
        return []
    group = np.concatenate([[0], np.cumsum(steps)])
    crowded = int(np.argmax(np.bincount(group)))
    same = [frame for frame, number in zip(frames, group, strict=True) if number == crowded]
    places = int(group[-1]) + 1
    found = f"{len(frames)} images at {count(places, 'position')}, up to {len(same)} at one"
    differing = [tag for tag in CHOICE_TAGS if len({frame.text(tag) for frame in same}) > 1]
    if differing:
        tags = (f"{tag} ({', '.join(_sorted_values(same, tag))})" for tag in differing[:_SHOWN])
        found += f"; they differ in {', '.join(tags)}"
    if places == 1:
        remedy = "choose another series: this one repeats a single slice, so there is no volume to measure"
    elif differing:
        remedy = f"choose one of them: add {_telling(same, differing)} to the choice of the series"
    elif len({frame.text("SOPInstanceUID") for frame in same}) < len(same):
        remedy = f"remove the copies; the same image is there twice, as in {_names(same)}"
    else:
        found += f"; no tag tells them apart, as in {_names(same)}"
        remedy = "export one time point or one repetition alone, and name that folder"
    return [Problem("RV219", "one image at each position", found, where, remedy)]


def _telling(same: Sequence[Frame], differing: Sequence[str]) -> str:
    """Return a choice of tags that leaves one image at a position: the fewest, in order of meaning."""
    for number in range(1, len(differing) + 1):
        for tags in itertools.combinations(differing, number):
            held = [frame for frame in same if all(frame.text(tag) for tag in tags)]
            described = [tuple(frame.text(tag) for tag in tags) for frame in held]
            for one in sorted(held, key=lambda frame: [frame.numbers(tag) for tag in tags]):
                values = tuple(one.text(tag) for tag in tags)
                if described.count(values) == 1:
                    return "".join(f";{tag}={value}" for tag, value in zip(tags, values, strict=True))
    return f";{differing[0]}={next(filter(None, (frame.text(differing[0]) for frame in same)))}"


def _sorted_values(frames: Sequence[Frame], tag: str) -> list[str]:
    """Return the values of a tag in order of their numbers, then of their text."""
    values = {frame.text(tag): frame.numbers(tag) for frame in frames}
    return [text or "(none)" for text in sorted(values, key=lambda text: (values[text], text))]


def _split(frames: Sequence[Frame], tags: Sequence[str]) -> str:
    """Return the remedy for planes that do not belong together."""
    for tag in tags:
        values = _sorted_values(frames, tag)
        if 1 < len(values) <= len(frames) // 2:
            return (
                f"choose one part: add ;{tag}={values[0]} to the choice of the series ({', '.join(values)})"
            )
    return "export the parts of this series separately, and name the folder of one"


def _gaps(frames: Sequence[Frame], depth: np.ndarray, where: str) -> list[Problem]:
    """Refuse missing slices and uneven spacing."""
    gaps = np.diff(depth)
    # Where many slices are lost, the usual gap is no longer the spacing; the smallest one may be.
    whole, step, off = _on_grid(depth, float(np.median(gaps)))
    if off.max() > TOLERANCE:
        whole, step, off = _on_grid(depth, float(gaps.min()))
    if off.max() > TOLERANCE:
        step = (depth[-1] - depth[0]) / len(gaps)
        off = np.abs(depth - depth[0] - np.arange(len(depth)) * step) / step
    if off.max() > TOLERANCE:
        found = (
            f"gaps from {gaps.min():.4g} to {gaps.max():.4g} mm; {_names([frames[int(off.argmax())]])} lies "
            f"{off.max():.2f} slice spacings from its place on a regular grid"
        )
        expected = f"slices at equal distances, within {TOLERANCE:g} of the spacing"
        remedy = (
            f"{_ISOLATE}; if it was acquired like this, resample it to equal distances, and the mask with it"
        )
        return [Problem("RV216", expected, found, where, remedy)]
    lost = int(whole.sum()) + 1 - len(frames)
    if not lost:
        return []
    places = np.flatnonzero(whole > 1)
    between = "; ".join(
        f"{int(whole[i]) - 1} between {frames[i].title} and {frames[i + 1].title} ({gaps[i]:.4g} mm apart)"
        for i in places[:_SHOWN]
    )
    more = f"; and at {count(len(places) - _SHOWN, 'other place')}" if len(places) > _SHOWN else ""
    found = f"{count(lost, 'slice')} missing: {between}{more}"
    expected = f"a slice every {step:.4g} mm"
    return [Problem("RV215", expected, found, where, f"{_ISOLATE}; the copy here is incomplete")]


def _on_grid(depth: np.ndarray, gap: float) -> tuple[np.ndarray, float, np.ndarray]:
    """Fit a regular grid of about `gap`: the steps between the planes, its spacing, distances in spacings."""
    whole = np.maximum(np.rint(np.diff(depth) / gap), 1)
    place = np.concatenate([[0], np.cumsum(whole)])
    step = float(depth[-1] - depth[0]) / float(place[-1])
    return whole, step, np.abs(depth - depth[0] - place * step) / step


def _drift(
    positions: np.ndarray,
    axes: tuple[np.ndarray, np.ndarray, np.ndarray],
    pixel: tuple[float, float],
    where: str,
) -> list[Problem]:
    """Refuse planes that do not lie straight above each other: a tilted gantry, or a moved table."""
    offset = positions - positions[0]
    aside = np.stack([offset @ axes[0], offset @ axes[1]], axis=1)
    if (np.abs(aside) / pixel).max() <= TOLERANCE:
        return []
    depth = offset @ axes[2]
    slope = aside[-1] / depth[-1]
    bent = np.abs(aside - depth[:, None] * slope) / pixel
    angle = math.degrees(math.atan(float(np.linalg.norm(slope))))
    if bent.max() <= TOLERANCE:
        found = f"slices shifted against each other in their plane: a tilt of {angle:.2f} degrees"
        remedy = "convert the series with dcm2niix, which corrects the tilt, and outline on the result"
    else:
        shift = float(np.abs(aside).max())
        found = f"slices shifted in their plane by up to {shift:.4g} mm, not in proportion to their distance"
        remedy = f"{_ISOLATE}; it joins parts that were taken at different places"
    expected = f"slices straight above each other, within {TOLERANCE:g} pixel"
    return [Problem("RV217", expected, found, where, remedy)]
