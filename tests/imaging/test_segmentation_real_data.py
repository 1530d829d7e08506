"""Masks that no one here made, against independent readings of the same files."""

from __future__ import annotations

import warnings
from pathlib import Path

import highdicom
import numpy as np
import pydicom
import pytest
import SimpleITK as sitk
from scipy.spatial import KDTree

from radiomics_vert.errors import ImageError
from radiomics_vert.imaging import Geometry, image_reference, read_geometry, read_label_map, read_segmentation

pytestmark = pytest.mark.data
DCMQI = "dcmqi_ct3slice_spine"
HIGHDICOM = "dicom_seg_highdicom"
GROUPS = ("PlaneOrientationSequence", "PixelMeasuresSequence", "PlanePositionSequence")


def on_grid_of(grid: Geometry, path: Path) -> np.ndarray:
    """Resample a label map that covers a part of a grid, by position alone."""
    part = sitk.ReadImage(str(path))
    reference = sitk.Image(grid.size, sitk.sitkUInt8)
    reference.SetSpacing(grid.spacing)
    reference.SetOrigin(grid.origin)
    reference.SetDirection(grid.direction)
    return sitk.GetArrayFromImage(sitk.Resample(part, reference, sitk.Transform(), sitk.sitkNearestNeighbor))


def test_a_binary_segment_equals_the_nrrd_of_dcmqi(real_data: Path) -> None:
    files = real_data / DCMQI
    grid = read_geometry(files / "ct-3slice")
    reference = image_reference(files / "ct-3slice", files / "liver.dcm")
    mask = read_segmentation(files / "liver.dcm", grid, reference=reference)
    assert [(segment.number, segment.name) for segment in mask.segments] == [(1, "Liver")]
    assert mask.segments[0].codes[0].value == "T-62000"
    voxels = mask.mask(1).voxels
    assert voxels.sum() > 10_000
    np.testing.assert_array_equal(voxels, on_grid_of(grid, files / "liver_seg.nrrd") > 0)


def test_overlapping_segments_equal_the_nrrds_of_dcmqi(real_data: Path) -> None:
    files = real_data / DCMQI
    grid = read_geometry(files / "ct-3slice")
    mask = read_segmentation(files / "partial_overlaps.dcm", grid)
    assert [segment.name for segment in mask.segments] == [
        "GREEN", "ORANGE", "PURPLE", "LIGHT_BLUE", "DARK_BLUE",
    ]  # fmt: skip
    layers = [on_grid_of(grid, files / f"partial_overlaps-{number}.nrrd") for number in (1, 2, 3)]
    shared = 0
    for segment in mask.segments:
        voxels = mask.mask(segment.number).voxels
        # dcmqi spreads segments over as few files as can hold them; each keeps its number as its value.
        expected = np.logical_or.reduce([layer == segment.number for layer in layers])
        np.testing.assert_array_equal(voxels, expected)
        assert voxels.any()
        shared += int(voxels.sum())
    assert shared > np.logical_or.reduce([mask.mask(number).voxels for number in range(1, 6)]).sum()


@pytest.mark.parametrize("name", ["noppv", "ppv5"])
def test_a_sparse_labelmap_equals_the_nrrd_of_dcmqi(real_data: Path, name: str) -> None:
    files = real_data / DCMQI
    expected = files / f"sparse_labelmap_{name}_seg.nrrd"
    mask = read_segmentation(files / f"sparse-labelmap-{name}.dcm", read_geometry(expected))
    assert [(segment.number, segment.name) for segment in mask.segments] == [(1, "Liver")]
    voxels = mask.mask(1).voxels
    assert voxels.sum() == 630
    np.testing.assert_array_equal(voxels, read_label_map(expected).array() == 1)
    assert voxels.any(axis=(1, 2)).sum() < len(voxels)  # a slice is absent from the file


def volume_of(path: Path) -> tuple[highdicom.Volume, Geometry]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        volume = highdicom.seg.segread(path).get_volume(combine_segments=False, rescale_fractional=True)
    # highdicom's axes are slices, rows, columns; ours are columns, rows, slices.
    direction = np.array(volume.direction)[:, ::-1]
    slices, rows, columns = volume.spatial_shape
    return volume, Geometry(
        (columns, rows, slices),
        tuple(float(step) for step in volume.spacing[::-1]),
        tuple(float(value) for value in volume.position),
        tuple(float(value) for value in direction.ravel()),
    )


@pytest.mark.parametrize(
    ("folder", "name", "voxels"),
    [
        (HIGHDICOM, "seg_image_ct_binary", [None]),
        (HIGHDICOM, "seg_image_ct_binary_fractional", [None]),
        (HIGHDICOM, "seg_image_ct_true_fractional", [None]),
        (HIGHDICOM, "seg_image_ct_binary_overlap", [None, None]),
        (HIGHDICOM, "seg_image_ct_binary_single_frame", [None]),
        (DCMQI, "liver", [None]),
        (DCMQI, "partial_overlaps", [None] * 5),
    ],
)
def test_segments_equal_the_volumes_of_highdicom(
    real_data: Path, folder: str, name: str, voxels: list[None]
) -> None:
    path = real_data / folder / f"{name}.dcm"
    volume, grid = volume_of(path)
    mask = read_segmentation(path, grid)
    assert len(mask.segments) == len(voxels)
    for position, segment in enumerate(mask.segments):
        ours = mask.mask(segment.number).voxels
        assert ours.any()
        np.testing.assert_array_equal(ours, volume.array[..., position] >= 0.5)


def stated_points(path: Path, number: int, threshold: float) -> np.ndarray:
    """Return where the pixels of a segment lie, millimetres, from the plain elements of the file."""
    data = pydicom.dcmread(path)
    shared = data.SharedFunctionalGroupsSequence[0]
    points = []
    largest = int(data.get("MaximumFractionalValue", 1))
    frames = data.pixel_array.reshape(-1, data.Rows, data.Columns)
    for frame, group in zip(frames, data.PerFrameFunctionalGroupsSequence, strict=True):
        if group.SegmentIdentificationSequence[0].ReferencedSegmentNumber != number:
            continue
        found = {name: (group if name in group else shared)[name].value[0] for name in GROUPS}
        cosines = np.array(found["PlaneOrientationSequence"].ImageOrientationPatient, float).reshape(2, 3)
        rows, columns = np.nonzero(frame >= threshold * largest)
        between_rows, between_columns = found["PixelMeasuresSequence"].PixelSpacing
        start = np.array(found["PlanePositionSequence"].ImagePositionPatient, float)
        along = np.stack([columns * float(between_columns), rows * float(between_rows)], axis=1)
        points.append(start + along @ cosines)
    return np.concatenate(points)


@pytest.mark.parametrize(
    ("folder", "name"),
    [
        (HIGHDICOM, "seg_image_ct_binary"),
        (HIGHDICOM, "seg_image_ct_true_fractional"),
        (HIGHDICOM, "seg_image_ct_binary_overlap"),
        (DCMQI, "liver"),
        (DCMQI, "partial_overlaps"),
    ],
)
def test_segments_lie_where_the_plain_elements_say(real_data: Path, folder: str, name: str) -> None:
    """Reading goes through highdicom; this route uses none of it."""
    path = real_data / folder / f"{name}.dcm"
    _, grid = volume_of(path)
    mask = read_segmentation(path, grid)
    direction = np.array(grid.direction).reshape(3, 3)
    for segment in mask.segments:
        voxels = np.argwhere(mask.mask(segment.number).voxels)[:, ::-1] * grid.spacing
        ours = grid.origin + voxels @ direction.T
        expected = stated_points(path, segment.number, 0.5)
        assert len(ours) == len(expected) > 0
        distances, _ = KDTree(expected).query(ours)
        assert distances.max() < 1e-3


@pytest.mark.parametrize("threshold", [0.1, 0.5, 0.9])
def test_a_fractional_mask_is_cut_at_the_stated_threshold(real_data: Path, threshold: float) -> None:
    path = real_data / HIGHDICOM / "seg_image_ct_true_fractional.dcm"
    volume, grid = volume_of(path)
    mask = read_segmentation(path, grid, threshold=threshold)
    np.testing.assert_array_equal(mask.mask(1).voxels, volume.array[..., 0] >= threshold)
    (remark,) = mask.remarks
    assert remark.code == "RV233"
    assert f"cut at {threshold:g}: values from {threshold * 255:g} of 255 up" in remark.text


def test_a_slicer_segmentation_holds_what_slicerio_finds(real_data: Path) -> None:
    files = real_data / "slicerio_ctchest"
    grid = read_geometry(files / "CTChest4.nrrd")
    mask = read_segmentation(files / "Segmentation.seg.nrrd", grid)
    names = [
        "ribs",
        "cervical vertebral column",
        "thoracic vertebral column",
        "lumbar vertebral column",
        "right lung",
        "left lung",
        "tissue",
    ]
    assert [segment.name for segment in mask.segments] == names
    assert [segment.number for segment in mask.segments] == [1, 2, 3, 4, 5, 6, 7]
    raw = sitk.GetArrayFromImage(sitk.ReadImage(str(files / "Segmentation.seg.nrrd")))
    for segment in mask.segments:
        np.testing.assert_array_equal(mask.mask(segment.number).voxels, raw == segment.number)
    meanings = {code.meaning for segment in mask.segments for code in segment.codes}
    assert "Lung" in meanings


def test_overlapping_layers_of_slicer_are_read(real_data: Path) -> None:
    files = real_data / "slicerio_ctchest"
    mask = read_segmentation(
        files / "SegmentationOverlapping.seg.nrrd", read_geometry(files / "CTChest4.nrrd")
    )
    assert mask.segments[7].name == "overlapping sphere"
    assert (mask.segments[7].layer, mask.numbered) == (1, False)
    raw = sitk.GetArrayFromImage(sitk.ReadImage(str(files / "SegmentationOverlapping.seg.nrrd")))
    sphere = mask.mask(8).voxels
    np.testing.assert_array_equal(sphere, raw[..., 1] == 1)
    # Segment7_Extent of the header: 16 64 61 109 16 30, both ends included.
    occupied = [np.flatnonzero(sphere.any(axis=other)) for other in ((0, 1), (0, 2), (1, 2))]
    extent = [(int(found[0]), int(found[-1])) for found in occupied]
    assert extent == [(16, 64), (61, 109), (16, 30)]
    others = np.logical_or.reduce([mask.mask(number).voxels for number in range(1, 8)])
    assert (sphere & others).any()


def test_names_in_the_header_of_totalsegmentator(real_data: Path) -> None:
    path = real_data / "ct_totalsegmentator" / "spine_report" / "totalseg.nii.gz"
    mask = read_segmentation(path, read_geometry(path))
    assert {segment.number: segment.name for segment in mask.segments} == {
        26: "vertebrae_S1",
        27: "vertebrae_L5",
        28: "vertebrae_L4",
        29: "vertebrae_L3",
        30: "vertebrae_L2",
        31: "vertebrae_L1",
        32: "vertebrae_T12",
        33: "vertebrae_T11",
    }
    assert mask.label_map is not None


def test_a_mask_of_another_scanner_is_refused(real_data: Path) -> None:
    image, mask = real_data / DCMQI / "ct-3slice", real_data / HIGHDICOM / "seg_image_ct_binary.dcm"
    grid = read_geometry(image)
    with pytest.raises(ImageError) as caught:
        read_segmentation(mask, grid, reference=image_reference(image, mask))
    assert caught.value.problems[0].code == "RV229"
    with pytest.raises(ImageError) as caught:
        read_segmentation(mask, grid)
    assert caught.value.problems[0].code == "RV201"
