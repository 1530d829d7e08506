"""A mask on another grid is refused, and the message says in which way the grids differ."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from imaging_grids import COSINE, OBLIQUE, SINE

from radiomics_vert.errors import ImageError
from radiomics_vert.imaging import Geometry, require_same_geometry

GRID = Geometry((7, 8, 9), (0.5, 1.25, 3.0), (-10.0, 20.0, -300.0), OBLIQUE)
FLIPPED_Z = (1.0, 0.0, 0.0, 0.0, COSINE, SINE, 0.0, SINE, -COSINE)
FLIPPED_XY = (-1.0, 0.0, 0.0, 0.0, -COSINE, -SINE, 0.0, -SINE, COSINE)
STRAIGHT = (1.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 1.0)
PERMUTED = (0.0, 1.0, 0.0, COSINE, 0.0, -SINE, SINE, 0.0, COSINE)
Y_STEP = np.array([0, 1.25 * COSINE, 1.25 * SINE])  # one voxel along y, in millimetres


def moved(offset: np.ndarray) -> Geometry:
    return replace(GRID, origin=tuple(np.array(GRID.origin) + offset))


CAUSES: dict[str, tuple[Geometry, str, str]] = {
    "slice count": (
        replace(GRID, size=(7, 8, 10)),
        "the slice count along z differs, 10 in the mask and 9 in the image (+1); slices were lost or "
        "added, or the mask belongs to another series",
        "put the mask on the image's grid",
    ),
    "cropped": (
        replace(GRID, size=(5, 6, 9)),
        "the mask was drawn on another series, or on a cropped image",
        "put the mask on the image's grid",
    ),
    "permuted": (
        replace(GRID, size=(9, 8, 7)),
        "the axes are in another order; one of the two files was re-oriented",
        "put the mask on the image's grid",
    ),
    "resampled": (
        replace(GRID, size=(7, 10, 27), spacing=(0.5, 1.0, 1.0)),
        "the same field of view with other voxel sizes; the mask was drawn on a resampled image",
        "put the mask on the image's grid",
    ),
    "spacing": (
        replace(GRID, spacing=(0.5, 1.25, 3.3)),
        "different voxel sizes; the header of one file was changed or rounded",
        "put the mask on the image's grid",
    ),
    "one axis flipped": (
        replace(GRID, direction=FLIPPED_Z),
        "flipped axis z; the directions point the opposite way",
        "put the mask on the image's grid",
    ),
    "two axes flipped": (
        replace(GRID, direction=FLIPPED_XY),
        "flipped axes x and y; the directions point the opposite way",
        "put the mask on the image's grid",
    ),
    "axes exchanged": (
        replace(GRID, direction=PERMUTED),
        "the axes are in another order; one of the two files was re-oriented",
        "put the mask on the image's grid",
    ),
    "obliquity lost": (
        replace(GRID, direction=STRAIGHT),
        "the grids are turned against each other by 30.00 degrees; one header lost its obliquity",
        "put the mask on the image's grid",
    ),
    "half a voxel": (
        moved(0.5 * Y_STEP),
        "the mask is shifted by (+0.00, +0.50, +0.00) voxels along x, y, z: half a voxel, one program "
        "counts from the voxel's corner",
        "copy the image's header to the mask",
    ),
    "RAS signs": (
        replace(GRID, origin=(10.0, -20.0, -300.0)),
        "the origin has the signs of RAS instead of LPS",
        "copy the image's header to the mask",
    ),
    "shifted": (
        moved(-2 * Y_STEP),
        "the mask is shifted by (+0.00, -2.00, +0.00) voxels along x, y, z; the origin was lost, or the "
        "mask belongs to another series",
        "copy the image's header to the mask if they overlay voxel by voxel in a viewer; otherwise",
    ),
}


@pytest.mark.parametrize("name", CAUSES)
def test_the_message_names_both_grids_the_cause_and_the_remedy(name: str) -> None:
    mask, cause, remedy = CAUSES[name]
    with pytest.raises(ImageError) as caught:
        require_same_geometry(GRID, mask, "P001_CT")
    (problem,) = caught.value.problems
    assert problem.code == "RV201"
    assert problem.expected == f"the mask on the grid of its image, within 0.01 voxel: {GRID}"
    assert problem.found.startswith(f"{mask}. Likely cause: ")
    assert problem.found.endswith(cause)
    assert problem.where == "P001_CT"
    assert problem.remedy.startswith(remedy)


def test_a_grid_prints_without_negative_zeros() -> None:
    assert str(replace(GRID, origin=(-0.0, 1.0, -0.0001))) == (
        "size (7, 8, 9), spacing (0.5000, 1.2500, 3.0000) mm, origin (0.000, 1.000, 0.000), "
        "direction (1.0000, 0.0000, 0.0000, 0.0000, 0.8660, -0.5000, 0.0000, 0.5000, 0.8660)"
    )


def test_differences_of_header_rounding_are_no_difference() -> None:
    require_same_geometry(GRID, replace(GRID, direction=tuple(c + 2e-6 for c in OBLIQUE)), "x")


def test_the_tolerance_is_in_voxels_of_the_shortest_edge() -> None:
    near = moved(np.array([0.004, 0, 0]))  # 0.008 of the 0.5 mm edge
    require_same_geometry(GRID, near, "x")
    with pytest.raises(ImageError):
        require_same_geometry(GRID, near, "x", tolerance=0.007)
    with pytest.raises(ImageError):
        require_same_geometry(GRID, moved(np.array([0.006, 0, 0])), "x")
