"""From a scan to its vertebrae: boxes, bodies, frames."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from radiomics_vert.cohort import Level
from radiomics_vert.signs.frame import Axes, fit_frame, start_axes
from radiomics_vert.signs.nouns import Absent, Box, Frame, Mask, Points, SignScan, Vertebra
from radiomics_vert.signs.separation import body_voxels
from radiomics_vert.signs.surfaces import voxel_faces

MARGIN_MM = 6.0  # around the mask, so that surfaces and erosions have room. [O]
_LEAST_NEIGHBOUR = 0.4  # of the median voxel count; less is a fragment. [O]
_LEAST_COMPARED = 2  # neighbours of two levels to each side; the one of two that is wrong is not known. [O]
_REAR = 0.4  # of the posterior elements' depth: spinous process and laminae. [O]
_LEAST_ARCH = 0.05  # share of a whole vertebra below which what lies behind is no arch. [O]
# Where fewer vertebrae of a scan have an arch, one that small is an uneven outline of a body. [O]
_LEAST_WITH_ARCH = 1 / 3
_LEAST_LONE_ARCH = 0.15
_LARGEST_ROTATION_DEG = 20.0  # about the axis, against the neighbours; few degrees in a scoliosis. [O]


@dataclass(frozen=True, eq=False)
class _Part:
    """One label before it has a frame."""

    label: int
    box: Box
    mask: Mask
    centre: npt.NDArray[np.float64]


def measurable(level: Level | None) -> bool:
    """Tell whether a level has a body between two endplates: C3 to the last lumbar level, or unknown."""
    return level is None or Level.C2 < level < Level.SACRUM


def build_vertebrae(scan: SignScan) -> tuple[Vertebra, ...]:
    """Return the vertebrae of a scan with their bodies and frames, from the head down.

    Parameters
    ----------
    scan : SignScan
        Masks of one scan.

    Returns
    -------
    tuple of Vertebra
        One for every label of `scan.levels` that occurs; where no frame could be fitted, `problem` says why.
    """
    parts = _parts(scan)
    whole = _LEAST_NEIGHBOUR * float(np.median([part.mask.sum() for part in parts])) if parts else 0.0
    tangents = [_tangent(parts, k, whole) for k in range(len(parts))]
    found = [_vertebra(scan, part, tangent) for part, tangent in zip(parts, tangents, strict=True)]
    return _compared(_of_one_kind(found, tangents))


def _of_one_kind(vertebrae: Sequence[Vertebra], tangents: Sequence[Axes | None]) -> list[Vertebra]:
    """Take small arches back where hardly any other vertebra of the scan has one."""
    by_shape = [v for v in vertebrae if v.frame is not None and v.body_source in ("separated", "whole")]
    with_arch = sum(vertebra.body_source == "separated" for vertebra in by_shape)
    if with_arch >= _LEAST_WITH_ARCH * len(by_shape):
        return list(vertebrae)
    return [
        _body_alone(vertebra, tangent) if _lone_arch(vertebra) else vertebra
        for vertebra, tangent in zip(vertebrae, tangents, strict=True)
    ]


def _lone_arch(vertebra: Vertebra) -> bool:
    small = vertebra.posterior.sum() < _LEAST_LONE_ARCH * vertebra.mask.sum()
    return vertebra.body_source == "separated" and bool(small)


def _body_alone(vertebra: Vertebra, tangent: Axes | None) -> Vertebra:
    nothing = np.zeros_like(vertebra.mask)
    body = replace(vertebra, body=vertebra.mask, posterior=nothing, body_source="whole", problem=None)
    return _framed(replace(body, frame=None), _upright(body.points(body.mask), _up(tangent)), tangent)


def _up(tangent: Axes | None) -> Axes:
    """Return the direction to the head; the image's own where there are no neighbours."""
    return np.array([0.0, 0.0, 1.0]) if tangent is None else tangent


def _compared(vertebrae: Sequence[Vertebra]) -> tuple[Vertebra, ...]:
    """Flag frames that are rotated about their axis against their neighbours'."""
    known = {k: v.frame for k, v in enumerate(vertebrae) if v.frame is not None}
    compared = list(vertebrae)
    for k, frame in known.items():
        near = [known[other] for other in (k - 2, k - 1, k + 1, k + 2) if other in known]
        if len(near) < _LEAST_COMPARED:
            continue
        turns = sorted(abs(_rotation(frame, other)) for other in near)
        apart = turns[(len(turns) - 1) // 2]  # not the neighbour that may itself be rotated
        if apart > _LARGEST_ROTATION_DEG:
            flags = (*frame.quality.flags, f"rotated by {apart:.0f} degrees against the neighbours")
            turned = replace(frame, quality=replace(frame.quality, flags=flags))
            compared[k] = replace(compared[k], frame=turned)
    return tuple(compared)


def _rotation(frame: Frame, other: Frame) -> float:
    """Return by how many degrees a frame is rotated about its own axis against another one."""
    back = frame.axes @ other.axes[1]
    return float(np.degrees(np.arctan2(back[0], back[1])))


def _parts(scan: SignScan) -> list[_Part]:
    found = ndimage.find_objects(scan.labels)
    parts = []
    for label in scan.levels:
        box = found[label - 1] if label <= len(found) else None
        if box is None:
            continue
        wide = _widen(box, scan.labels.shape, scan.spacing)
        mask = scan.labels[wide] == label
        index = np.argwhere(mask).mean(axis=0) + [axis.start for axis in wide]
        parts.append(_Part(label, wide, mask, (index * np.array(scan.spacing))[::-1]))
    if all(level is None for level in scan.levels.values()):
        parts.sort(key=lambda part: -part.centre[2])
    return parts


def _widen(box: Sequence[slice], shape: tuple[int, ...], spacing: tuple[float, float, float]) -> Box:
    steps = [int(np.ceil(MARGIN_MM / value)) + 1 for value in spacing]
    z, y, x = (
        slice(max(0, axis.start - step), min(size, axis.stop + step))
        for axis, step, size in zip(box, steps, shape, strict=True)
    )
    return z, y, x


def _tangent(parts: Sequence[_Part], position: int, whole: float) -> Axes | None:
    """Return the direction to the head through the neighbours; fragments at the image's edge are left out."""
    upper = next((p for p in reversed(parts[:position]) if p.mask.sum() >= whole), parts[position])
    lower = next((p for p in parts[position + 1 :] if p.mask.sum() >= whole), parts[position])
    span = upper.centre - lower.centre
    length = float(np.linalg.norm(span))
    return span / length if length > 1.0 else None


def _vertebra(scan: SignScan, part: _Part, tangent: Axes | None) -> Vertebra:
    level = scan.levels[part.label]
    vertebra = Vertebra(
        label=part.label,
        case_id=scan.case_id(part.label),
        level=level,
        box=part.box,
        spacing=scan.spacing,
        mask=part.mask,
        body=part.mask,
        posterior=np.zeros_like(part.mask),
        body_source="whole",
    )
    if not measurable(level):
        return replace(vertebra, problem=Absent("RV336", f"{level} is not measured"))
    up = _up(tangent)
    voxels = vertebra.points(part.mask)
    if scan.region == "body":
        return _framed(replace(vertebra, body_source="scheme"), _upright(voxels, up), tangent)
    if scan.body is not None:
        body = part.mask & scan.body[part.box]
        vertebra = replace(vertebra, body=body, posterior=part.mask & ~body, body_source="mask")
        if not body.any():
            return replace(vertebra, problem=Absent("RV331", "the sub-region mask holds no body here"))
        return _framed(vertebra, _towards_arch(vertebra, up), tangent)
    return _separated(vertebra, voxels, up, tangent)


def _separated(vertebra: Vertebra, voxels: Points, up: Axes, tangent: Axes | None) -> Vertebra:
    """Separate the body by geometry, first in rough axes, then in those of its own endplates."""
    axes = start_axes(up)
    for _ in range(2):
        parted = _part_body(vertebra, voxels, axes)
        if parted is None:
            return _framed(vertebra, _upright(voxels, up), tangent)
        frame = _fit(parted, _towards_arch(parted, axes[2]), tangent)
        if isinstance(frame, Absent):
            return replace(parted, problem=frame)
        axes = frame.axes
    final = _part_body(vertebra, voxels, axes)
    if final is None:
        return _framed(vertebra, _upright(voxels, up), tangent)
    final = replace(final, body=_largest(final.body), body_source="separated")
    final = replace(final, posterior=final.mask & ~final.body)
    return _framed(final, _towards_arch(final, axes[2]), tangent)


def _part_body(vertebra: Vertebra, voxels: Points, axes: Axes) -> Vertebra | None:
    """Split the mask in given axes; None when there is no canal or no arch."""
    local = (voxels - voxels.mean(axis=0)) @ axes.T
    size = np.array(vertebra.spacing[::-1])
    inside = body_voxels(local, np.abs(axes) @ size)
    if inside is None or not _LEAST_ARCH < 1 - inside.mean() < 1 - _LEAST_ARCH:
        return None
    body = np.zeros_like(vertebra.mask)
    body[vertebra.mask] = inside
    return replace(vertebra, body=body, posterior=vertebra.mask & ~body)


def _largest(mask: Mask) -> Mask:
    labelled, count = ndimage.label(mask)
    if count < 2:
        return mask
    sizes = np.bincount(labelled.ravel())
    sizes[0] = 0
    return np.asarray(labelled == sizes.argmax())


def _towards_arch(vertebra: Vertebra, up: Axes) -> Axes:
    """Return axes whose back points from the body's centroid to that of the posterior elements."""
    if vertebra.posterior.sum() < _LEAST_ARCH * vertebra.mask.sum():
        return _upright(vertebra.points(vertebra.body), up)
    body = vertebra.points(vertebra.body).mean(axis=0)
    arch = vertebra.points(vertebra.posterior) - body
    axes = start_axes(up, arch.mean(axis=0))
    # Where a mask leaves one side out, the centroid lies aside; the rear has no lateral parts.
    along = arch @ axes[1]
    rear = along >= along.max() - _REAR * (along.max() - along.min())
    return start_axes(up, arch[rear].mean(axis=0))


def _upright(voxels: Points, up: Axes) -> Axes:
    """Return axes of a body without an arch: its back is the image's, turned to the outline's short side.

    Lumbar bodies are wider than deep, which shows a rotated vertebra; a round thoracic outline shows
    nothing, and the image's own direction is kept.
    """
    axes = start_axes(up)
    local = (voxels - voxels.mean(axis=0)) @ axes.T
    spread = np.cov(local[:, :2].T)
    values, vectors = np.linalg.eigh(spread)
    if values[1] < 1.3 * values[0]:
        return axes
    short = vectors[:, 0] if vectors[1, 0] > 0 else -vectors[:, 0]
    if short[1] < np.cos(np.radians(30)):
        return axes
    return start_axes(up, short[0] * axes[0] + short[1] * axes[1])


def _fit(vertebra: Vertebra, axes: Axes, tangent: Axes | None) -> Frame | Absent:
    z, y, x = vertebra.spacing
    surface = voxel_faces(vertebra.body, vertebra.box, vertebra.spacing)
    return fit_frame(surface, vertebra.points(vertebra.body), axes, (x, y, z), tangent=tangent)


def _framed(vertebra: Vertebra, axes: Axes, tangent: Axes | None) -> Vertebra:
    frame = _fit(vertebra, axes, tangent)
    if isinstance(frame, Absent):
        return replace(vertebra, problem=frame)
    return replace(vertebra, frame=frame)
