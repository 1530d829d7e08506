"""Outlines to voxels: our rasteriser against matplotlib's, and RTSTRUCT files written here."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk
from imaging_grids import on_grid
from matplotlib.path import Path as Polygon

from mask_files import Outline, write_rtstruct
from radiomics_vert.imaging import Geometry, read_segmentation
from radiomics_vert.imaging.segmentation.rasterising import combine, rasterise

SHAPE = (21, 8, 7)
SQUARE = np.array([[1.5, 1.5], [4.5, 1.5], [4.5, 5.5], [1.5, 5.5]])


def star(seed: int, centre: tuple[float, float], size: float, corners: int = 40) -> np.ndarray:
    """A closed outline around a centre that no line to the centre crosses twice."""
    generator = np.random.default_rng(seed)
    angles = np.sort(generator.uniform(0, 2 * np.pi, corners))
    radius = size * generator.uniform(0.5, 1, corners)
    return np.stack([centre[0] + radius * np.cos(angles), centre[1] + radius * np.sin(angles)], axis=1)


@pytest.mark.parametrize("seed", range(8))
def test_the_same_pixels_as_matplotlib(seed: int) -> None:
    outline = star(seed, (31.3, 22.7), 20)
    rows, columns = np.mgrid[:47, :63]
    centres = np.stack([columns.ravel(), rows.ravel()], axis=1)
    expected = Polygon(outline, closed=False).contains_points(centres).reshape(rows.shape)
    np.testing.assert_array_equal(rasterise(outline, (47, 63)), expected)
    assert expected.sum() > 300


@pytest.mark.parametrize("seed", range(4))
def test_the_same_pixels_as_the_winding_number(seed: int) -> None:
    outline = star(seed + 50, (14.2, 11.6), 9, corners=11)
    inside = rasterise(outline, (24, 29))
    winding = np.zeros((24, 29))
    for row in range(24):
        for column in range(29):
            angles = np.unwrap(
                np.append(
                    np.arctan2(outline[:, 1] - row, outline[:, 0] - column),
                    np.arctan2(outline[0, 1] - row, outline[0, 0] - column),
                )
            )
            winding[row, column] = round((angles[-1] - angles[0]) / (2 * np.pi))
    np.testing.assert_array_equal(inside, winding != 0)


def test_a_centre_on_the_edge_belongs_to_one_side_only() -> None:
    left = np.array([[1, 1], [3, 1], [3, 4], [1, 4]])
    right = np.add(left, (2, 0))
    below = np.add(left, (0, 3))
    rasters = [rasterise(outline, (9, 8)) for outline in (left, right, below)]
    assert [int(raster.sum()) for raster in rasters] == [6, 6, 6]
    assert not (rasters[0] & rasters[1]).any()
    assert not (rasters[0] & rasters[2]).any()
    np.testing.assert_array_equal(np.argwhere(rasters[0])[[0, -1]], [[1, 1], [3, 2]])


def test_the_order_and_sense_of_the_corners_do_not_matter() -> None:
    outline = star(3, (9.1, 8.4), 7)
    expected = rasterise(outline, (19, 17))
    np.testing.assert_array_equal(rasterise(outline[::-1], (19, 17)), expected)
    np.testing.assert_array_equal(rasterise(np.roll(outline, 5, axis=0), (19, 17)), expected)
    np.testing.assert_array_equal(rasterise(np.repeat(outline, 2, axis=0), (19, 17)), expected)


def test_a_keyhole_equals_a_hole() -> None:
    outer = np.array([[0.5, 0.5], [8.5, 0.5], [8.5, 7.5], [0.5, 7.5]])
    inner = np.array([[3.5, 2.5], [5.5, 2.5], [5.5, 5.5], [3.5, 5.5]])
    keyhole = np.concatenate([outer, outer[:1], inner[::-1][-1:], inner[::-1], outer[:1]])
    hole = combine([rasterise(outer, (9, 10)), rasterise(inner, (9, 10))])
    assert hole is not None
    assert hole.sum() == 8 * 7 - 2 * 3
    np.testing.assert_array_equal(rasterise(keyhole, (9, 10)), hole)


def test_outlines_that_cross_cannot_be_combined() -> None:
    first = rasterise(SQUARE, (9, 8))
    second = rasterise(np.add(SQUARE, (1, 1)), (9, 8))
    assert combine([first, second]) is None
    assert combine([first, first.copy()]) is None
    both = combine([first, second], exclusive=True)
    np.testing.assert_array_equal(both, first ^ second)


def grid() -> Geometry:
    return Geometry.of(on_grid(np.zeros(SHAPE, np.uint8)))


def at(points: np.ndarray, height: float, axis: int = 2) -> np.ndarray:
    """Put corners in voxels of a plane into space, in millimetres."""
    volume = on_grid(np.zeros(SHAPE, np.uint8))
    full = np.insert(np.asarray(points, float), axis, height, axis=1)
    return np.array([volume.TransformContinuousIndexToPhysicalPoint(row.tolist()) for row in full])


def closed(points: np.ndarray, height: float, axis: int = 2) -> Outline:
    return "CLOSED_PLANAR", at(points, height, axis)


def voxels(path: Path, number: int = 1) -> np.ndarray:
    return read_segmentation(path, grid()).mask(number).voxels


def remarks(path: Path, number: int = 1) -> list[str]:
    return [remark.text for remark in read_segmentation(path, grid()).mask(number).remarks]


def test_regions_come_in_the_order_of_the_file(folder: Path) -> None:
    write_rtstruct(
        folder / "s.dcm", [("L1", [closed(SQUARE, 3)]), ("L2", [closed(np.add(SQUARE, (1, 0)), 4)])]
    )
    mask = read_segmentation(folder / "s.dcm", grid())
    assert [(segment.number, segment.name) for segment in mask.segments] == [(1, "L1"), (2, "L2")]
    assert (mask.kind, mask.numbered, mask.geometry) == ("RTSTRUCT", False, grid())
    expected = np.zeros(SHAPE, bool)
    expected[3, 2:6, 2:5] = True
    np.testing.assert_array_equal(mask.mask(1).voxels, expected)
    assert mask.mask(1).remarks == ()
    shifted = np.zeros(SHAPE, bool)
    shifted[4, 2:6, 3:6] = True
    np.testing.assert_array_equal(mask.mask(2).voxels, shifted)


def test_several_outlines_of_a_slice_and_holes(folder: Path) -> None:
    outer = np.array([[-0.4, 0.5], [3.5, 0.5], [3.5, 6.5], [-0.4, 6.5]])
    hole = np.array([[0.5, 2.5], [2.5, 2.5], [2.5, 4.5], [0.5, 4.5]])
    apart = np.array([[4.5, 1.5], [6.4, 1.5], [6.4, 3.5], [4.5, 3.5]])
    outlines = [closed(hole, 5), closed(outer, 5), closed(apart, 5)]
    write_rtstruct(folder / "s.dcm", [("L1", outlines)])
    found = voxels(folder / "s.dcm")
    expected = np.zeros(SHAPE, bool)
    expected[5, 1:7, 0:4] = True
    expected[5, 3:5, 1:3] = False
    expected[5, 2:4, 5:7] = True
    np.testing.assert_array_equal(found, expected)


def test_exclusive_outlines_may_cross(folder: Path) -> None:
    outlines = [("CLOSEDPLANAR_XOR", at(SQUARE, 5)), ("CLOSEDPLANAR_XOR", at(np.add(SQUARE, (1, 0)), 5))]
    write_rtstruct(folder / "s.dcm", [("L1", outlines)])
    assert voxels(folder / "s.dcm").sum() == 8


def test_outlines_beside_a_slice_move_to_the_nearest(folder: Path) -> None:
    write_rtstruct(folder / "s.dcm", [("L1", [closed(SQUARE, 3.3), closed(SQUARE, 4.2)])])
    found = voxels(folder / "s.dcm")
    assert np.flatnonzero(found.any(axis=(1, 2))).tolist() == [3, 4]
    (text,) = remarks(folder / "s.dcm")
    assert text.endswith("2 of 2 outlines lie up to 0.30 slices beside their slice; moved to the nearest one")


def test_empty_slices_between_outlines_are_said(folder: Path) -> None:
    write_rtstruct(folder / "s.dcm", [("L1", [closed(SQUARE, 3), closed(SQUARE, 6)])])
    (text,) = remarks(folder / "s.dcm")
    assert text.endswith("2 slices between the first and the last outline have none and stay empty")


def test_stray_points_beside_outlines_are_said(folder: Path) -> None:
    stray = closed(np.array([[2.0, 2.0]]), 3)
    write_rtstruct(folder / "s.dcm", [("L1", [closed(SQUARE, 3), stray])])
    (text,) = remarks(folder / "s.dcm")
    assert text.endswith("1 outlines of fewer than 3 corners enclose nothing")
    assert voxels(folder / "s.dcm").sum() == 12


@pytest.mark.parametrize(
    ("axis", "expected"), [(0, (slice(2, 6), slice(2, 5), 3)), (1, (slice(2, 6), 3, slice(2, 5)))]
)
def test_outlines_along_another_axis(folder: Path, axis: int, expected: tuple[object, ...]) -> None:
    outlines = [closed(SQUARE, height, axis) for height in (3, 4)]
    write_rtstruct(folder / "s.dcm", [("L1", outlines)])
    found = voxels(folder / "s.dcm")
    assert found.sum() == 24
    assert found[expected].all()


def test_a_region_without_outlines_is_empty(folder: Path) -> None:
    write_rtstruct(folder / "s.dcm", [("L1", []), ("L2", [closed(SQUARE, 4)])])
    assert voxels(folder / "s.dcm").sum() == 0
    assert voxels(folder / "s.dcm", 2).sum() == 12


@pytest.mark.parametrize("seed", range(3))
def test_a_solid_equals_slicewise_matplotlib(folder: Path, seed: int) -> None:
    size = (35, 41, 19)
    volume = sitk.Image(size, sitk.sitkUInt8)
    volume.SetSpacing((0.7, 0.9, 2.5))
    volume.SetOrigin((-100.5, 33.25, 512.0))
    outlines: list[Outline] = []
    expected = np.zeros(size[::-1], bool)
    rows, columns = np.mgrid[: size[1], : size[0]]
    centres = np.stack([columns.ravel(), rows.ravel()], axis=1)
    for height in range(4, 15):
        outline = star(100 * seed + height, (17.3, 20.1), 14)
        expected[height] = Polygon(outline, closed=False).contains_points(centres).reshape(rows.shape)
        full = np.insert(outline, 2, height, axis=1)
        points = [volume.TransformContinuousIndexToPhysicalPoint(row.tolist()) for row in full]
        outlines.append(("CLOSED_PLANAR", np.array(points)))
    write_rtstruct(folder / "s.dcm", [("L1", outlines)])
    found = read_segmentation(folder / "s.dcm", Geometry.of(volume)).mask(1).voxels
    # Equal voxel by voxel: no centre lies on an edge here.
    np.testing.assert_array_equal(found, expected)
