"""Masks written here: what each format gives, placed by position."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk
from imaging_grids import on_grid

from mask_files import FRAME, SERIES, edit, write_rtstruct, write_seg, write_series
from radiomics_vert.imaging import (
    Geometry,
    image_reference,
    merge_masks,
    read_geometry,
    read_segmentation,
    require_same_geometry,
)

SHAPE = (9, 8, 7)


def block(z: int, depth: int = 3) -> np.ndarray:
    array = np.zeros(SHAPE, bool)
    array[z : z + depth, 2:6, 1:5] = True
    array[z, 6, 2] = True  # no symmetry that would hide a flip
    return array


def image() -> sitk.Image:
    return on_grid(np.arange(504, dtype=np.int16).reshape(SHAPE))


@pytest.fixture
def series(folder: Path) -> list[Path]:
    """A CT series of the oblique grid in the folder `image`."""
    return write_series(Path("image"), image())


@pytest.mark.parametrize("kind", ["BINARY", "FRACTIONAL", "LABELMAP"])
def test_segments_come_back_as_they_were_written(series: list[Path], kind: str) -> None:
    masks = {"L1": block(5), "L2": block(1)}
    write_seg(Path("s.dcm"), series, [(name, mask.astype(float)) for name, mask in masks.items()], kind=kind)
    grid = read_geometry("image")
    require_same_geometry(Geometry.of(image()), grid, "the series is the volume that was written")
    mask = read_segmentation("s.dcm", grid, reference=image_reference("image", "s.dcm"))
    assert (mask.kind, mask.numbered, mask.named) == ("DICOM-SEG", True, True)
    assert [(segment.number, segment.name) for segment in mask.segments] == [(1, "L1"), (2, "L2")]
    for segment in mask.segments:
        np.testing.assert_array_equal(mask.mask(segment.number).voxels, masks[segment.name])


def test_the_order_of_the_frames_does_not_matter(series: list[Path]) -> None:
    masks = [("L1", block(5).astype(float)), ("L2", block(1).astype(float))]
    write_seg(Path("s.dcm"), series, masks, kind="FRACTIONAL")

    def reverse(dataset: object) -> None:
        groups = dataset.PerFrameFunctionalGroupsSequence
        dataset.PerFrameFunctionalGroupsSequence = type(groups)(list(groups)[::-1])
        dataset.PixelData = dataset.pixel_array[::-1].tobytes()

    edit(Path("s.dcm"), reverse)
    mask = read_segmentation("s.dcm", Geometry.of(image()))
    np.testing.assert_array_equal(mask.mask(1).voxels, block(5))
    np.testing.assert_array_equal(mask.mask(2).voxels, block(1))


def test_overlapping_segments_keep_all_their_voxels(series: list[Path]) -> None:
    write_seg(Path("s.dcm"), series, [("L1", block(3)), ("L2", block(1, 4))])
    mask = read_segmentation("s.dcm", Geometry.of(image()))
    np.testing.assert_array_equal(mask.mask(1).voxels, block(3))
    np.testing.assert_array_equal(mask.mask(2).voxels, block(1, 4))


def test_a_segmentation_lies_right_on_a_reoriented_image(series: list[Path]) -> None:
    write_seg(Path("s.dcm"), series, [("L1", block(3))])
    volume = on_grid(block(3).astype(np.uint8))
    turned = sitk.PermuteAxes(volume, (2, 0, 1))[::-1, :, ::-1]
    voxels = read_segmentation("s.dcm", Geometry.of(turned)).mask(1).voxels
    np.testing.assert_array_equal(voxels, sitk.GetArrayFromImage(turned) == 1)


@pytest.mark.parametrize(
    ("threshold", "kept"), [(0.25, [0.25, 0.5, 0.75]), (0.5, [0.5, 0.75]), (0.51, [0.75])]
)
def test_values_from_the_threshold_up_are_inside(
    series: list[Path], threshold: float, kept: list[float]
) -> None:
    fractions = np.zeros(SHAPE)
    for plane, value in enumerate((0.2, 0.25, 0.5, 0.75)):
        fractions[plane + 2, 2:6, 1:5] = value
    write_seg(Path("s.dcm"), series, [("L1", fractions)], kind="FRACTIONAL")
    mask = read_segmentation("s.dcm", Geometry.of(image()), threshold=threshold)
    np.testing.assert_array_equal(mask.mask(1).voxels, np.isin(fractions, kept))
    (remark,) = mask.remarks
    assert remark.text == (
        f"fractional mask (probability) cut at {threshold:g}: "
        f"values from {threshold * 200:g} of 200 up are inside"
    )


def test_what_an_image_says_about_itself(series: list[Path]) -> None:
    write_rtstruct(Path("r.dcm"), [("L1", [])])
    found = image_reference("image", "r.dcm")
    assert found is not None
    assert (found.frame_of_reference, found.series) == (FRAME, SERIES)
    sitk.WriteImage(image(), "image.nrrd")
    assert image_reference("image.nrrd", "r.dcm") is None
    assert image_reference("image", "image.nrrd") is None


def test_a_mask_of_another_series_in_the_same_frame_is_accepted(series: list[Path]) -> None:
    write_rtstruct(Path("r.dcm"), [("L1", [])], series="9.9.9")
    mask = read_segmentation("r.dcm", Geometry.of(image()), reference=image_reference("image", "r.dcm"))
    assert mask.kind == "RTSTRUCT"


def test_a_folder_with_one_dicom_mask(series: list[Path]) -> None:
    Path("masks").mkdir()
    write_seg(Path("masks/s"), series, [("L1", block(3))])
    mask = read_segmentation("masks", Geometry.of(image()))
    assert mask.kind == "DICOM-SEG"
    np.testing.assert_array_equal(mask.mask(1).voxels, block(3))


def write_slicer(volume: sitk.Image, entries: list[tuple[str, int, int]], name: str = "m.seg.nrrd") -> None:
    for index, (title, value, layer) in enumerate(entries):
        volume.SetMetaData(f"Segment{index}_Name", title)
        volume.SetMetaData(f"Segment{index}_LabelValue", str(value))
        volume.SetMetaData(f"Segment{index}_Layer", str(layer))
        term = "SCT^123037004^Anatomical Structure~SCT^51282000^Vertebra~SCT^1^Second lumbar vertebra"
        volume.SetMetaData(
            f"Segment{index}_Tags", f"Segmentation.Status:done|TerminologyEntry:Context~{term}~^^~|"
        )
    sitk.WriteImage(volume, name)


def test_a_cropped_slicer_segmentation_lies_where_its_header_says(folder: Path) -> None:
    volume = on_grid((block(3) * 4).astype(np.uint8))
    write_slicer(volume[1:6, 2:7, 3:8], [("L1", 4, 0)])
    mask = read_segmentation("m.seg.nrrd", Geometry.of(volume))
    assert (mask.kind, mask.numbered, mask.geometry) == ("Slicer segmentation", True, Geometry.of(volume))
    (segment,) = mask.segments
    assert (segment.number, segment.name, segment.layer) == (4, "L1", 0)
    assert [code.meaning for code in segment.codes] == ["Vertebra", "Second lumbar vertebra"]
    np.testing.assert_array_equal(mask.mask(4).voxels, block(3))


def test_a_slicer_segmentation_may_reach_beyond_the_image_without_voxels(folder: Path) -> None:
    volume = on_grid(block(3).astype(np.uint8))
    write_slicer(sitk.ConstantPad(volume, (2, 0, 1), (0, 3, 0)), [("L1", 1, 0)], "any.nrrd")
    mask = read_segmentation("any.nrrd", Geometry.of(volume))
    assert mask.kind == "Slicer segmentation"
    np.testing.assert_array_equal(mask.mask(1).voxels, block(3))


def test_slicer_layers_overlap(folder: Path) -> None:
    layers = [on_grid(mask.astype(np.uint8)) for mask in (block(3), block(1, 4))]
    write_slicer(sitk.Compose(layers), [("L1", 1, 0), ("L2", 1, 1)])
    mask = read_segmentation("m.seg.nrrd", Geometry.of(layers[0]))
    assert ([segment.number for segment in mask.segments], mask.numbered) == ([1, 2], False)
    np.testing.assert_array_equal(mask.mask(1).voxels, block(3))
    np.testing.assert_array_equal(mask.mask(2).voxels, block(1, 4))


def test_one_file_per_segment_opens_only_what_is_asked_for(folder: Path) -> None:
    Path("parts").mkdir()
    for name, array in (("vertebrae_L2", block(1) * 255), ("vertebrae_L1", block(5))):
        sitk.WriteImage(on_grid(array.astype(np.uint8)), f"parts/{name}.nii.gz")
    Path("parts/colon.nii.gz").write_bytes(b"no image")
    Path("parts/report.json").write_text("{}")
    mask = read_segmentation("parts", Geometry.of(image()))
    assert [segment.name for segment in mask.segments] == ["colon", "vertebrae_L1", "vertebrae_L2"]
    assert (mask.kind, mask.numbered) == ("files", False)
    np.testing.assert_array_equal(mask.mask(2).voxels, block(5))
    np.testing.assert_array_equal(mask.mask(3).voxels, block(1))
    listed = read_segmentation(
        Path("parts/vertebrae_L1.nii.gz"), Geometry.of(image()), further=[Path("parts/vertebrae_L2.nii.gz")]
    )
    assert [segment.name for segment in listed.segments] == ["vertebrae_L1", "vertebrae_L2"]


def test_a_plain_label_map_has_no_names(folder: Path) -> None:
    array = np.where(block(1), 7, 0) + np.where(block(5), 3, 0)
    sitk.WriteImage(on_grid(array.astype(np.uint8)), "m.nii.gz")
    mask = read_segmentation("m.nii.gz", Geometry.of(image()))
    assert [(segment.number, segment.name) for segment in mask.segments] == [(3, ""), (7, "")]
    assert (mask.named, mask.numbered) == (False, True)
    np.testing.assert_array_equal(mask.mask(7).voxels, block(1))
    with pytest.raises(KeyError):
        mask.mask(4)


def test_the_first_mask_keeps_shared_voxels() -> None:
    first, second, third = block(3), block(1, 4), block(7, 2)
    labels, overlaps = merge_masks([(20, first), (70_000, second), (5, third)], SHAPE)
    assert labels.dtype == np.uint32
    np.testing.assert_array_equal(labels == 20, first)
    np.testing.assert_array_equal(labels == 70_000, second & ~first)
    np.testing.assert_array_equal(labels == 5, third)
    (overlap,) = overlaps
    shared = int((first & second).sum())
    assert (overlap.first, overlap.second, overlap.voxels) == (20, 70_000, shared)
    assert overlap.share == pytest.approx(shared / min(first.sum(), second.sum()))


def test_empty_masks_take_no_part() -> None:
    labels, overlaps = merge_masks([(1, np.zeros(SHAPE, bool)), (2, block(3))], SHAPE)
    assert (sorted(np.unique(labels)), overlaps) == ([0, 2], ())
