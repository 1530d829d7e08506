"""From a scene to voxels: image, vertebra labels and sub-region labels on one grid."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

import radiomics_vert.synthetic.clefts as clefts
from radiomics_vert.cohort.schemes import LabelScheme
from radiomics_vert.synthetic.anatomy import Pose
from radiomics_vert.synthetic.modalities import BoneSample, Modality
from radiomics_vert.synthetic.nouns import Vertebra
from radiomics_vert.synthetic.scene import (
    DISC,
    MUSCLE,
    NECROSIS,
    SOFT,
    Box,
    Grid,
    Scene,
    Surroundings,
    Tissue,
    body_corners,
    rod_ends,
)
from radiomics_vert.synthetic.shapes import (
    PARTS,
    Field,
    body_distance,
    capsules,
    endplate_maps,
    posterior_distance,
    wall_distance,
)
from radiomics_vert.synthetic.tissue import Fields

_SHELL = 1.1  # mm: apparent thickness of the cortex on clinical scans [O]
_SLAB = 24  # slices whose surroundings are worked out at a time


@dataclass(frozen=True)
class Codes:
    """Label values, taken from the label schemes.

    Parameters
    ----------
    vertebrae : LabelScheme
        Of the vertebra mask: vertebrae and discs.
    subregions : LabelScheme
        Of the sub-region mask: body, arch, processes, disc, canal.
    """

    vertebrae: LabelScheme
    subregions: LabelScheme

    def part(self, name: str) -> int:
        """Return the sub-region label of a structure."""
        return self.subregions.structures[name][0]

    def beside(self, name: str) -> int:
        """Return the label of a tissue in the vertebra mask; 0 where the scheme has none."""
        return self.vertebrae.structures.get(name, (0,))[0]


@dataclass(frozen=True)
class Canvas:
    """Arrays that are painted on, all of one shape (k, j, i).

    Parameters
    ----------
    signal : ndarray of float32
        Noiseless signal.
    labels, parts : ndarray of uint8
        Vertebra and sub-region labels.
    distance : ndarray of float32
        Signed distance to the nearest bone painted so far, mm.
    """

    signal: Field
    labels: npt.NDArray[np.uint8]
    parts: npt.NDArray[np.uint8]
    distance: Field


def field_of_view(scene: Scene, scanner: Modality, tilt: np.ndarray, margin: float = 3.0) -> Grid:
    """Return the grid, trimmed around the spine, of a scan that is tilted against the patient.

    Parameters
    ----------
    scene : Scene
        What to hold.
    scanner : Modality
        Spacing and slice direction.
    tilt : ndarray, shape (3, 3)
        Rotation of the scan axes.
    margin : float, default 3.0
        mm around the bone, at least one voxel.

    Returns
    -------
    Grid
        All bone lies inside it.
    """
    direction = tilt @ scanner.axes
    spacing = np.array(scanner.spacing)
    along = scene.extent() @ direction
    room = np.maximum(margin, 1.5 * spacing)
    low, high = along.min(axis=0) - room, along.max(axis=0) + room
    size = np.ceil((high - low) / spacing).astype(int) + 1
    return Grid((int(size[0]), int(size[1]), int(size[2])), scanner.spacing, direction, direction @ low)


def render(
    scene: Scene,
    scanner: Modality,
    grid: Grid,
    codes: Codes,
    rng: np.random.Generator,
    half_body: tuple[float, float] | None = None,
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Make image and masks of a scene.

    Parameters
    ----------
    scene : Scene
        Vertebrae in space.
    scanner : Modality
        What tissues look like.
    grid : Grid
        Where the voxels are.
    codes : Codes
        Label values.
    rng : numpy.random.Generator
        Noise.
    half_body : tuple of float, optional
        Half axes of the trunk in mm; air outside.

    Returns
    -------
    image : ndarray of int16, shape (k, j, i)
        The acquired image.
    labels, parts : ndarray of uint8, shape (k, j, i)
        Vertebra mask and sub-region mask, drawn at the middle of each slice.
    """
    canvas = _paint(scene, scanner, grid.refined(scanner.refine), codes, half_body)
    signal = canvas.signal
    if scanner.refine > 1:
        signal = signal.reshape(-1, scanner.refine, *signal.shape[1:]).mean(axis=1)
    middle = slice(scanner.refine // 2, None, scanner.refine)
    return scanner.acquire(signal, rng), canvas.labels[middle], canvas.parts[middle]


def _paint(
    scene: Scene, scanner: Modality, grid: Grid, codes: Codes, half_body: tuple[float, float] | None
) -> Canvas:
    parts = np.zeros(grid.shape, np.uint8)
    labels = np.zeros(grid.shape, np.uint8)
    tissue = _surround(scene, grid, parts, codes, half_body)
    for vertebra, pose in zip(scene.vertebrae, scene.poses, strict=True):
        if vertebra.rim:
            _paint_rim(tissue, parts, grid, vertebra, pose)
    for upper in range(len(scene.vertebrae) - 1):
        _paint_disc(tissue, labels, parts, grid, scene, upper, codes)
    labels[tissue == MUSCLE] = codes.beside("muscle")
    labels[(tissue == SOFT) | (tissue == NECROSIS)] = codes.beside("paravertebral")
    canvas = Canvas(scanner.soft()[tissue], labels, parts, np.full(grid.shape, 99.0, np.float32))
    for vertebra, pose, fields in zip(scene.vertebrae, scene.poses, scene.fields, strict=True):
        _paint_posterior(canvas, scanner, grid, vertebra, pose, fields, codes)
        _paint_body(canvas, scanner, grid, vertebra, pose, fields, codes)
    return canvas


def _surround(
    scene: Scene, grid: Grid, parts: np.ndarray, codes: Codes, half_body: tuple[float, float] | None
) -> Tissue:
    around = Surroundings(scene, half_body)
    tissue = np.empty(grid.shape, np.uint8)
    _, rows, columns = grid.shape
    for start in range(0, grid.shape[0], _SLAB):
        box = (slice(start, min(start + _SLAB, grid.shape[0])), slice(0, rows), slice(0, columns))
        tissue[box], canal = around.tissue(grid, box)
        parts[box][canal] = codes.part("canal")
    return tissue


def _paint_rim(tissue: Tissue, parts: np.ndarray, grid: Grid, vertebra: Vertebra, pose: Pose) -> None:
    box = grid.box(pose.to_world(body_corners(vertebra, vertebra.rim + 1)))
    x, y, z = grid.positions(box, pose)
    angle = np.arctan2(y / vertebra.depth, x / vertebra.width)
    if vertebra.rim_side:
        # Row 21: a mass on one side, centred a little behind the flank and reaching the canal's corner.
        middle = 0.25 if vertebra.rim_side > 0 else np.pi - 0.25
        off = np.abs((angle - middle + np.pi) % (2 * np.pi) - np.pi)
        thickness = vertebra.rim * np.clip(1.25 - off / 1.2, 0, 1)
    else:
        thickness = np.where(y < 0.6 * vertebra.depth / 2, vertebra.rim, 0.0)
    thickness *= np.clip(1.3 - np.abs(z) / (max(vertebra.heights) / 2 + 2) * 0.9, 0, 1)
    gap = wall_distance(vertebra, x, y, z)
    mass = (gap > 0) & (gap < thickness)
    tissue[box][mass] = SOFT
    parts[box][mass] = 0
    # Row 24: the middle of a mass dies, away from its rim and from the bone.
    tissue[box][mass & (np.abs(gap - thickness / 2) < vertebra.necrosis * thickness / 2)] = NECROSIS


def _paint_disc(
    tissue: Tissue, labels: np.ndarray, parts: np.ndarray, grid: Grid, scene: Scene, upper: int, codes: Codes
) -> None:
    above, below = scene.vertebrae[upper], scene.vertebrae[upper + 1]
    pose, lower = scene.poses[upper], scene.poses[upper + 1]
    corners = np.vstack([pose.to_world(body_corners(above, 1.0)), lower.to_world(body_corners(below, 1.0))])
    box = grid.box(corners)
    x, y, z = grid.positions(box, pose)
    _, floor = endplate_maps(above, x, y)
    inside = (z < floor) & (wall_distance(above, x, y, z) < 0.5)
    x, y, z = (axis[inside] for axis in grid.positions(box, lower))
    ceiling, _ = endplate_maps(below, x, y)
    inside[inside] = (z > ceiling) & (wall_distance(below, x, y, z) < 0.5)
    tissue[box][inside] = DISC
    labels[box][inside] = codes.vertebrae.discs[above.level][0]
    parts[box][inside] = codes.part("disc")


def _near(canvas: Canvas, box: Box, distance: Field) -> npt.NDArray[np.bool_]:
    return np.asarray((distance < 0.6) & (distance < canvas.distance[box]))


def _apply(canvas: Canvas, box: Box, near: np.ndarray, distance: Field, value: Field) -> None:
    """Blend bone over what is there, by the share of the voxel that lies inside the surface."""
    cover = np.clip(0.5 - distance, 0.0, 1.0)
    signal = canvas.signal[box]
    signal[near] += (value - signal[near]) * cover
    canvas.distance[box][near] = distance


def _paint_body(
    canvas: Canvas,
    scanner: Modality,
    grid: Grid,
    vertebra: Vertebra,
    pose: Pose,
    fields: Fields,
    codes: Codes,
) -> None:
    box = grid.box(pose.to_world(body_corners(vertebra, 2.0)))
    x, y, z = grid.positions(box, pose)
    distance = body_distance(vertebra, x, y, z)
    near = _near(canvas, box, distance)
    points, distance = (x[near], y[near], z[near]), distance[near]
    _apply(canvas, box, near, distance, scanner.bone(_body_sample(vertebra, fields, points, distance)))
    inside = near.copy()
    inside[near] = distance < 0
    canvas.labels[box][inside] = codes.vertebrae.label(vertebra.level)
    border = distance[distance < 0] > -1.5
    canvas.parts[box][inside] = np.where(border, codes.part("corpus_border"), codes.part("corpus"))


def _body_sample(
    vertebra: Vertebra, fields: Fields, points: tuple[Field, ...], distance: Field
) -> BoneSample:
    x, y, z = points
    lytic = fields.sample("lytic", points)
    cortex = np.clip((_SHELL + distance) / 0.8 + 0.5, 0.0, 1.0)
    if vertebra.cortex_destroyed:
        cortex *= 1 - lytic
    top, bottom = endplate_maps(vertebra, x, y)
    # Impaction under the broken endplate; the weaker plate takes more. [O]
    pressed = vertebra.superior_share * np.exp(-(((top - z) / 5) ** 2))
    pressed += (1 - vertebra.superior_share) * np.exp(-(((z - bottom) / 5) ** 2))
    return BoneSample(
        vertebra,
        fields.sample("texture", points),
        fields.sample("marrow", points),
        cortex,
        pressed.astype(np.float32),
        lytic,
        fields.sample("blastic", points),
        fields.sample("dark", points),
        clefts.line(vertebra, top - z),
        clefts.band(vertebra, top - z),
        clefts.fluid(vertebra, x, y, top - z),
        clefts.gas(vertebra, x, y, top - z),
    )


def _paint_posterior(
    canvas: Canvas,
    scanner: Modality,
    grid: Grid,
    vertebra: Vertebra,
    pose: Pose,
    fields: Fields,
    codes: Codes,
) -> None:
    box = grid.box(pose.to_world(rod_ends(vertebra)))
    x, y, z = grid.positions(box, pose)
    distance, part = posterior_distance(vertebra, x, y, z)
    near = _near(canvas, box, distance)
    points, distance = (x[near], y[near], z[near]), distance[near]
    sample = _posterior_sample(vertebra, fields, points, distance, part[near])
    _apply(canvas, box, near, distance, scanner.bone(sample))
    inside = near.copy()
    inside[near] = distance < 0
    canvas.labels[box][inside] = codes.vertebrae.label(vertebra.level)
    names = np.array([codes.part(name) for name in PARTS], np.uint8)
    canvas.parts[box][inside] = names[part[inside]]


def _posterior_sample(
    vertebra: Vertebra, fields: Fields, points: tuple[Field, ...], distance: Field, part: np.ndarray
) -> BoneSample:
    marrow = fields.sample("marrow", points)
    nothing = np.zeros_like(distance)
    involved = _involved(vertebra, points, part, marrow)
    lytic = involved if vertebra.lesion_kind in ("lytic", "mixed") else nothing
    cortex = np.clip((_SHELL + 0.2 + distance) / 0.8 + 0.5, 0.0, 1.0) * (1 - 0.9 * lytic)
    return BoneSample(
        vertebra,
        fields.sample("texture", points),
        marrow,
        cortex.astype(np.float32),
        nothing,
        lytic,
        involved if vertebra.lesion_kind == "blastic" else nothing,
        involved if vertebra.t1_pattern != "none" else nothing,
        nothing,
        nothing,
        nothing,
        nothing,
    )


def _involved(vertebra: Vertebra, points: tuple[Field, ...], part: np.ndarray, marrow: Field) -> Field:
    """Coverage of tumour in the posterior elements: one pedicle (row 19), the arch (row 20)."""
    coverage = np.zeros_like(marrow)
    if vertebra.pedicle_side:
        rod = next(rod for rod in capsules(vertebra) if rod.start[0] * vertebra.pedicle_side > 0)
        middle = (np.array(rod.start) + np.array(rod.stop)) / 2
        gap = np.sqrt(sum((p - c) ** 2 for p, c in zip(points, middle, strict=True)))
        coverage = np.clip((11.0 + 1.5 * marrow - gap) / 2.0, 0.0, 1.0)
    if vertebra.arch:
        # Patchy; the transverse processes are spared. [O]
        spared = [PARTS.index(f"costal_process_{side}") for side in ("left", "right")]
        coverage = np.maximum(coverage, np.where(np.isin(part, spared), 0, np.clip(0.8 + marrow, 0, 1)))
    return np.asarray(coverage, np.float32)
