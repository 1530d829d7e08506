"""Every label's box, size, pieces and digest; checked by hand and against ITK."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import SimpleITK as sitk
from imaging_grids import on_grid

from radiomics_vert.imaging import LabelMap, label_regions, present_labels


def label_map(array: np.ndarray) -> LabelMap:
    kind = np.uint32 if array.max() > 65535 else np.uint16
    return LabelMap(on_grid(array.astype(kind)))


def test_regions_by_hand(labels: np.ndarray) -> None:
    regions = label_regions(label_map(labels))
    assert list(regions) == [2, 5]
    # Array slices [1:3, 2:5, 1:5] are z, y, x; the box is x, y, z.
    two, five = regions[2], regions[5]
    assert (two.label, two.voxels, two.box) == (2, 24, (1, 5, 2, 5, 1, 3))
    assert (two.components, two.touches_border) == (1, False)
    assert (five.voxels, five.box) == (3, (1, 3, 1, 8, 6, 9))
    assert (five.components, five.touches_border) == (2, True)


def test_voxels_that_share_a_corner_are_connected() -> None:
    array = np.zeros((7, 8, 9), dtype=np.uint8)
    array[1, 1, 1] = array[2, 2, 2] = 1
    array[4, 4, 4] = array[4, 4, 6] = 3
    regions = label_regions(label_map(array))
    assert (regions[1].components, regions[3].components) == (1, 2)


def test_each_side_of_the_image_is_a_border() -> None:
    for axis, size in enumerate((7, 8, 9)):
        for position in (0, size - 1):
            array = np.zeros((7, 8, 9), dtype=np.uint8)
            place = [3, 3, 3]
            place[axis] = position
            array[tuple(place)] = 1
            assert label_regions(label_map(array))[1].touches_border
            place[axis] = 1 if position == 0 else size - 2
            inner = np.zeros_like(array)
            inner[tuple(place)] = 1
            assert not label_regions(label_map(inner))[1].touches_border


def test_only_the_labels_asked_for(labels: np.ndarray) -> None:
    assert list(label_regions(label_map(labels), [5, 9])) == [5]
    assert present_labels(label_map(labels)) == [2, 5]
    assert label_regions(label_map(np.zeros((7, 8, 9)))) == {}


def test_labels_of_32_bits(labels: np.ndarray) -> None:
    large = label_map(labels.astype(np.int64) * 1_000_000_000 // 5 * 2)
    assert present_labels(large) == [800_000_000, 2_000_000_000]
    small = label_regions(label_map(labels))
    assert label_regions(large)[2_000_000_000].box == small[5].box
    assert label_regions(large)[800_000_000].digest == small[2].digest


def test_the_digest_sees_this_label_and_the_grid_alone(labels: np.ndarray) -> None:
    before = label_regions(label_map(labels))
    other = labels.copy()
    other[8, 6, 2] = 0
    after = label_regions(label_map(other))
    assert after[2].digest == before[2].digest
    assert after[5].digest != before[5].digest
    moved = label_map(labels)
    moved.volume.SetOrigin((0.0, 0.0, 0.0))
    assert label_regions(moved)[2].digest != before[2].digest
    hollow = labels.copy()
    hollow[1, 3, 2] = 0
    assert label_regions(label_map(hollow))[2].digest != before[2].digest
    # The same voxels under another number are the same region: duplicates are found by it.
    renumbered = label_regions(label_map(np.where(labels == 2, 7, labels)))[7]
    assert replace(renumbered, label=2) == before[2]


def test_a_random_mask_agrees_with_itk() -> None:
    array = np.random.default_rng(11).integers(0, 40, (7, 8, 9)).astype(np.uint16)
    array[array > 4] = 0
    mask = label_map(array)
    statistics = sitk.LabelShapeStatisticsImageFilter()
    statistics.Execute(mask.volume)
    regions = label_regions(mask)
    assert sorted(statistics.GetLabels()) == list(regions) == [1, 2, 3, 4]
    for label, region in regions.items():
        x, y, z, width, depth, height = statistics.GetBoundingBox(label)
        assert region.box == (x, x + width, y, y + depth, z, z + height)
        assert region.voxels == statistics.GetNumberOfPixels(label)
        pieces = sitk.ConnectedComponent(mask.volume == label, True)
        assert region.components == sitk.GetArrayFromImage(pieces).max()
