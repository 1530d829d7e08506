"""One large CT for benchmarks: the thoracic and lumbar spine in a whole trunk."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np

from radiomics_vert.cohort.levels import Level
from radiomics_vert.cohort.schemes import load_scheme
from radiomics_vert.synthetic.anatomy import DISCS, LEVEL_SIZES, intact, stack
from radiomics_vert.synthetic.modalities import CT
from radiomics_vert.synthetic.nouns import Patient
from radiomics_vert.synthetic.rendering import Codes, render
from radiomics_vert.synthetic.scene import Grid, Scene
from radiomics_vert.synthetic.tissue import build_fields
from radiomics_vert.synthetic.writing import SUBREGION_SCHEME, VERTEBRA_SCHEME, write_volume

SPACING = (0.8, 0.8, 1.5)  # mm; common for a reconstructed trunk CT [O]
_STATURE = 0.88  # a small person, so that T1 to L5 fit into 450 mm
_TRUNK = (170.0, 130.0)  # mm, half axes


def whole_spine_ct(
    folder: Path, shape: tuple[int, int, int] = (512, 512, 300), seed: int = 0
) -> tuple[Path, Path]:
    """Write one CT of a whole trunk with all vertebrae that fit, none of them fractured.

    Parameters
    ----------
    folder : Path
        Where to write; made when missing.
    shape : tuple of int, default (512, 512, 300)
        Voxels along x, y, z, of 0.8 x 0.8 x 1.5 mm. 300 slices hold T1 to L5.
    seed : int, default 0
        Of texture and noise.

    Returns
    -------
    image, mask : Path
        `whole_spine_CT.nii.gz` and `whole_spine_CT_mask.nii.gz` (scheme `verse`).
    """
    rng = np.random.default_rng(np.random.SeedSequence(seed, spawn_key=(9,)))
    patient = Patient("whole_spine", 0, False, 60, "F", "A", "none", 0.0, 0.0, 0.0, 0.0, ())
    scene = _scene(shape[2] * SPACING[2], rng)
    extent = np.array([shape[0], shape[1], shape[2]]) * np.array(SPACING)
    points = scene.extent()
    # The spine stands behind the middle of the trunk and in the middle of the slices.
    middle = np.array([0.0, 0.0, (points[:, 2].min() + points[:, 2].max()) / 2])
    grid = Grid(shape, SPACING, np.eye(3), middle - extent / 2)
    codes = Codes(load_scheme(VERTEBRA_SCHEME), load_scheme(SUBREGION_SCHEME))
    voxels, labels, _ = render(scene, CT(patient), grid, codes, rng, _TRUNK)
    image, mask = folder / "whole_spine_CT.nii.gz", folder / "whole_spine_CT_mask.nii.gz"
    write_volume(voxels, grid, image)
    write_volume(labels, grid, mask)
    return image, mask


def _scene(length: float, rng: np.random.Generator) -> Scene:
    """Return as many vertebrae, from L5 upwards, as a scan of `length` mm holds."""
    levels: list[Level] = []
    for level in sorted(LEVEL_SIZES, reverse=True):
        levels.insert(0, level)
        size = sum(LEVEL_SIZES[name].posterior + DISCS[name].height for name in levels) + 20
        if size * _STATURE > length:
            levels.pop(0)
            break
    vertebrae = [
        replace(intact(level, _STATURE), trabecular_hu=float(rng.normal(150.0, 15.0))) for level in levels
    ]
    poses = stack(vertebrae, np.array([0.0, 45.0, 0.0]), [0.0] * len(vertebrae))
    return Scene(vertebrae, poses, [build_fields(vertebra, rng) for vertebra in vertebrae])
