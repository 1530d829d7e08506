"""Masks that must be refused, each with code, expectation, finding, place and remedy."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import spoilt_masks as spoilt
from spoilt_masks import (
    SQUARE,
    at,
    block,
    files,
    header_names,
    label,
    labels,
    named,
    outlines,
    slicer,
    square,
    volume,
)

from radiomics_vert.errors import ImageError
from radiomics_vert.imaging import Geometry, image_reference, read_geometry, read_segmentation
from radiomics_vert.imaging.segmentation import ImageReference

EXPORT = "export the segmentation again from the program that made it"
MEND = "mend the region in the program that drew it and export it again, or bring a label map"
SLICER = "save the segmentation again in 3D Slicer as .seg.nrrd, or export a label map and name its scheme"
NAMES = "write the mask again with its tool, or save it without header extensions and name its scheme"
DICOM = "export the mask again from the program that made it"
BELONGS = "use the mask that was drawn on this series, or name that series in the column 'series'"
GRID = "the mask on the grid of its image, within 0.01 voxel: size (7, 8, 9), "
CLOSED = "closed planar outlines"

# name: (write the mask, code, expected, found, file in `where`, remedy); texts are looked for inside
Fault = tuple[Callable[[], Path], str, str, str, str, str]
FAULTS: dict[str, Fault] = {
    "SEG without segments": (
        spoilt.without_segments,
        "RV226",
        "segments in SegmentSequence",
        "none",
        "s.dcm",
        EXPORT,
    ),
    "SEG with a number twice": (
        spoilt.segment_number_twice,
        "RV228",
        "every segment number once",
        "number 1 twice",
        "s.dcm",
        EXPORT,
    ),
    "SEG segment without category": (
        spoilt.without_category,
        "RV226",
        "a segmentation object that highdicom can open",
        "no element SegmentedPropertyCategoryCodeSequence",
        "s.dcm",
        EXPORT,
    ),
    "SEG segment without name": (
        spoilt.segment_without_name,
        "RV226",
        "a segmentation object that highdicom can open",
        "no element SegmentLabel",
        "s.dcm",
        EXPORT,
    ),
    "SEG of an unknown type": (
        spoilt.unknown_type,
        "RV226",
        "SegmentationType BINARY, FRACTIONAL, LABELMAP",
        "ALPHA",
        "s.dcm",
        EXPORT,
    ),
    "SEG without frames": (
        spoilt.without_groups,
        "RV226",
        "a functional group for each frame",
        "none",
        "s.dcm",
        EXPORT,
    ),
    "SEG with more frames than groups": (
        spoilt.fewer_groups,
        "RV226",
        "5 frames, as the",
        "6",
        "s.dcm",
        EXPORT,
    ),
    "SEG frame without position": (
        spoilt.without_position,
        "RV226",
        "ImagePositionPatient in every frame",
        "none in frame 2",
        "s.dcm",
        EXPORT,
    ),
    "SEG frame twice": (
        spoilt.position_twice,
        "RV226",
        "every slice of a segment once",
        "frames 1 and 2 of the same segment at the same position",
        "s.dcm",
        EXPORT,
    ),
    "SEG frame of no segment": (
        spoilt.undescribed_segment,
        "RV226",
        "a described segment number",
        "number 7 in frame 1",
        "s.dcm",
        EXPORT,
    ),
    "SEG frame without segment": (
        spoilt.frame_without_segment,
        "RV226",
        "a described segment number",
        "none in frame 3",
        "s.dcm",
        EXPORT,
    ),
    "SEG without spacing": (
        spoilt.without_spacing,
        "RV226",
        "pixel spacing and orientation of every frame",
        "none",
        "s.dcm",
        EXPORT,
    ),
    "SEG without largest fraction": (
        spoilt.no_largest_fraction,
        "RV226",
        "MaximumFractionalValue above 0",
        "0",
        "s.dcm",
        EXPORT,
    ),
    "SEG with missing pixels": (
        spoilt.cut_pixels,
        "RV202",
        "pixel data that can be decoded",
        "Error",
        "s.dcm",
        "copy or export",
    ),
    "SEG half a voxel off": (
        spoilt.moved_frames,
        "RV201",
        GRID,
        "half a voxel",
        "s.dcm",
        "copy the image's header",
    ),
    "SEG of other spacing": (
        spoilt.coarser_frames,
        "RV201",
        GRID,
        "different voxel sizes",
        "s.dcm",
        "put the mask on",
    ),
    "SEG above the image": (
        spoilt.frames_above_the_image,
        "RV201",
        GRID,
        "16 pixels of frame ",
        "s.dcm",
        "use the mask that",
    ),
    "SEG of another frame of reference": (
        spoilt.other_frame_of_reference,
        "RV229",
        "a mask in the frame of reference of its image, ....2.826.0.1.1",
        "the frame of reference 1.2.3.4",
        "s.dcm",
        BELONGS,
    ),
    "SEG of another series": (
        spoilt.other_series,
        "RV229",
        "a mask in the series of its image, ....2.826.0.1.2",
        "the series 1.2.3.4.5",
        "s.dcm",
        BELONGS,
    ),
    "an image as mask": (
        spoilt.image_as_mask,
        "RV209",
        "a DICOM segmentation (SEG) or",
        "of the kind CT",
        "000.dcm",
        "name the seg",
    ),
    "text named .dcm": (spoilt.text_as_dicom, "RV226", "a DICOM file", "InvalidDicomError", "s.dcm", DICOM),
    "a folder of two DICOM masks": (
        spoilt.folder_of_two,
        "RV226",
        "one DICOM mask",
        "2 DICOM files, the first a.dcm",
        "masks",
        "name the file",
    ),
    "a region name twice": (
        spoilt.region_twice,
        "RV228",
        "every region name once",
        "the name 'l1' 2 times",
        "r.dcm",
        "rename or merge",
    ),
    "a region number twice": (
        spoilt.region_number_twice,
        "RV228",
        "every region number once",
        "the number '0' 2 times",
        "r.dcm",
        "rename",
    ),
    "no regions": (
        spoilt.without_regions,
        "RV226",
        "regions in StructureSetROISequence",
        "none",
        "r.dcm",
        "export the structure set",
    ),
    "a region without number": (
        spoilt.region_without_number,
        "RV226",
        "a DICOM file",
        "no element ROINumber",
        "r.dcm",
        DICOM,
    ),
    "a missing coordinate": (
        spoilt.missing_coordinate,
        "RV230",
        "three finite numbers",
        "11 in outline 1",
        "region 'L1'",
        MEND,
    ),
    "a wrong count of corners": (
        spoilt.wrong_count,
        "RV230",
        "as many corners",
        "9 announced, 4 stored",
        "region 'L1'",
        MEND,
    ),
    "an open outline": (
        lambda: outlines(square(kind="OPEN_PLANAR")),
        "RV230",
        CLOSED,
        "type OPEN_PLANAR",
        "region 'L1'",
        MEND,
    ),
    "an outline in space": (
        lambda: outlines(square(kind="OPEN_NONPLANAR")),
        "RV230",
        CLOSED,
        "OPEN_NONPLANAR",
        "region 'L1'",
        MEND,
    ),
    "a point": (
        lambda: outlines(("POINT", at(SQUARE[:1], 3))),
        "RV230",
        CLOSED,
        "type POINT",
        "region 'L1'",
        MEND,
    ),
    "an outline of one point": (
        lambda: outlines(("CLOSED_PLANAR", at(SQUARE[:1], 3))),
        "RV230",
        "outlines of 3 corners or more",
        "outlines of fewer corners only",
        "region 'L1'",
        MEND,
    ),
    "an outline across slices": (
        spoilt.tilted,
        "RV230",
        "outlines in planes parallel",
        "an outline that runs through 0.",
        "region 'L1'",
        MEND,
    ),
    "an outline between slices": (
        lambda: outlines(square(3.5)),
        "RV230",
        "outlines within half a slice",
        "at 3.50",
        "region 'L1'",
        MEND,
    ),
    "two planes in one slice": (
        lambda: outlines(square(2.8), square(3.2)),
        "RV230",
        "outlines of one plane in each slice",
        "outlines at 2.80 and 3.20, both nearest to slice 3",
        "region 'L1'",
        MEND,
    ),
    "the same outline twice": (
        lambda: outlines(square(), square()),
        "RV230",
        "outlines apart from each other or one inside the other",
        "in slice 3",
        "region 'L1'",
        MEND,
    ),
    "an outline beside the image": (
        spoilt.beyond_the_image,
        "RV201",
        GRID,
        "leaves the image: voxels x 5.5 to 8.5",
        "region 'L1'",
        "use the",
    ),
    "an outline above the image": (
        lambda: outlines(square(9)),
        "RV201",
        GRID,
        "z 9.0 to 9.0",
        "region 'L1'",
        "use the",
    ),
    "RTSTRUCT of another image": (
        spoilt.rtstruct_of_another_image,
        "RV229",
        "a mask in the frame",
        "9.8.7",
        "r.dcm",
        BELONGS,
    ),
    "Slicer file that is not there": (
        lambda: Path("no.seg.nrrd"),
        "RV101",
        "an image file",
        "no such file",
        "no.seg.nrrd",
        "correct the path",
    ),
    "Slicer without keys": (
        lambda: slicer({}),
        "RV226",
        "keys Segment0_Name, ",
        "none",
        "m.seg.nrrd",
        SLICER,
    ),
    "Slicer without value": (
        spoilt.without_value,
        "RV226",
        "LabelValue of the segment 'L1' as a",
        "none",
        "m.seg.nrrd",
        SLICER,
    ),
    "Slicer with value 0": (
        lambda: slicer(named(0, "L1", "0")),
        "RV226",
        "LabelValue of the",
        "'0'",
        "m.seg.nrrd",
        SLICER,
    ),
    "Slicer with a layer too many": (
        lambda: slicer(named(0, "L1", layer="2")),
        "RV226",
        "from 0 to 0",
        "2",
        "m.seg.nrrd",
        SLICER,
    ),
    "Slicer with a value twice": (
        lambda: slicer(named(0, "L1") | named(1, "L2")),
        "RV226",
        "every segment with its own value",
        "'L1' and 'L2' with the value 1 of layer 0",
        "m.seg.nrrd",
        SLICER,
    ),
    "Slicer with a name twice": (
        lambda: slicer(named(0, "L1") | named(1, "l1", "2")),
        "RV228",
        "every segment once",
        "'l1'",
        "m.seg.nrrd",
        "rename",
    ),
    "Slicer with voxels of no segment": (
        lambda: slicer(named(0, "L1"), block().astype(np.uint8) * 5),
        "RV226",
        "voxels of described segments only in layer 0",
        "the values 5",
        "m.seg.nrrd",
        SLICER,
    ),
    "Slicer off the grid": (
        spoilt.moved_slicer,
        "RV201",
        GRID,
        "shifted by (+0.40, ",
        "m.seg.nrrd",
        "copy the image's header",
    ),
    "Slicer beyond the image": (
        spoilt.larger_slicer,
        "RV201",
        GRID,
        "1 voxels of the segment 'L1' outside",
        "m.seg.nrrd",
        "use the mask",
    ),
    "Slicer cut off": (
        spoilt.cut_slicer,
        "RV202",
        "as many voxels as the header says",
        "fewer, or other ones",
        "m.seg.nrrd",
        "copy or export",
    ),
    "two files of one vertebra": (
        spoilt.two_files_of_one_name,
        "RV228",
        "every segment once",
        "vertebrae_L1.nii.gz and vertebrae_L1.nrrd",
        "parts",
        "remove",
    ),
    "a file of several labels": (
        lambda: files(L1=block() * 2 + np.roll(block(), 3, axis=0)),
        "RV227",
        "0 and one other value",
        "the values 1, 2",
        "L1.nii.gz",
        "name a mask of several labels",
    ),
    "a file of fractions": (
        spoilt.fractions_in_a_file,
        "RV205",
        "whole numbers from 0",
        "0.5",
        "L1.nii.gz",
        "save the mask as a label map",
    ),
    "a file on another grid": (
        spoilt.shifted_file,
        "RV201",
        GRID,
        "half a voxel",
        "vertebrae_L1.nii.gz",
        "copy the image's header",
    ),
    "a folder without masks": (
        spoilt.empty_folder,
        "RV226",
        "a folder with one mask file",
        "1 entries, none of them",
        "parts",
        "name the folder",
    ),
    "broken names in the header": (
        lambda: header_names(labels(label(3, "L1"))[:-9]),
        "RV226",
        "label names",
        "XML that breaks off",
        "m.nii.gz",
        NAMES,
    ),
    "two names of a label": (
        lambda: header_names(labels(label(3, "L1"), label(3, "L2"))),
        "RV226",
        "label names",
        "two names for the label 3: 'L1' and 'L2'",
        "m.nii.gz",
        NAMES,
    ),
    "a name without number": (
        lambda: header_names(labels(label("x", "L1"))),
        "RV226",
        "label names",
        "the label value 'x' of 'L1'",
        "m.nii.gz",
        NAMES,
    ),
    "entities in the header": (
        lambda: header_names(b'<!DOCTYPE a [<!ENTITY b "c">]>' + labels(label(3, "L1"))),
        "RV226",
        "label names",
        "a document type or entity",
        "m.nii.gz",
        NAMES,
    ),
}


def read_all(path: Path, grid: Geometry, reference: ImageReference | None) -> None:
    mask = read_segmentation(path, grid, reference=reference)
    for segment in mask.segments:
        mask.mask(segment.number)


@pytest.mark.parametrize("name", FAULTS)
def test_a_faulty_mask_is_refused(folder: Path, name: str) -> None:
    write, code, expected, found, where, remedy = FAULTS[name]
    path = write()
    grid = Geometry.of(volume())
    reference = None
    if Path("image").is_dir():
        assert read_geometry("image").matches(grid)
        reference = image_reference("image", path)
    with pytest.raises(ImageError) as caught:
        read_all(path, grid, reference)
    (problem,) = caught.value.problems
    assert problem.code == code, problem
    assert expected in problem.expected, problem
    assert found in problem.found, problem
    assert where in problem.where, problem
    assert problem.remedy.startswith(remedy), problem
    assert str(folder) not in str(problem)
