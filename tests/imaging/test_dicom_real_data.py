"""The verdict on every DICOM folder of the real files."""

from __future__ import annotations

from pathlib import Path

import pytest

from radiomics_vert.errors import ImageError
from radiomics_vert.imaging import list_series, read_geometry, read_image

FAILING = "nasty_dicom/dicom2nifti_failing"
# (folder, choice of the series): codes of the refusal, in order; none when it is read
VERDICTS: dict[tuple[str, str], tuple[str, ...]] = {
    ("dcmqi_ct3slice_spine", ""): (),
    ("dcmqi_ct3slice_spine", "liver"): ("RV213",),
    ("dcmqi_ct3slice_spine/ct-3slice", ""): (),
    ("dcmqi_ct3slice_spine/ct-3slice/01.dcm", ""): ("RV221",),
    ("dcmqi_ct3slice_spine/liver.dcm", ""): ("RV213",),
    ("dcmqi_ct3slice_spine/partial_overlaps.dcm", ""): ("RV213",),
    ("dcmqi_ct3slice_spine/sparse-labelmap-noppv.dcm", ""): ("RV213",),
    ("dicom_seg_highdicom", ""): ("RV215",),
    ("dicom_seg_highdicom", "1"): ("RV221",),
    ("dicom_seg_highdicom", "2"): ("RV212",),
    ("dicom_seg_highdicom/CT2_pydicom", ""): ("RV215",),
    ("dicom_seg_highdicom/ct_image.dcm", ""): ("RV221",),
    ("dicom_seg_highdicom/seg_image_ct_true_fractional.dcm", ""): ("RV213",),
    ("nasty_dicom", ""): ("RV212",),
    ("nasty_dicom", "4"): ("RV212",),
    ("nasty_dicom", "3"): ("RV215", "RV217"),
    ("nasty_dicom", "202"): ("RV220", "RV218"),
    ("nasty_dicom", "202;SeriesNumber=202"): (),
    ("nasty_dicom", "501;SeriesNumber=501"): (),
    (f"{FAILING}/gantrytilting/001", ""): ("RV217",),
    (f"{FAILING}/notavolume/001", ""): ("RV219",),
    (f"{FAILING}/notavolume/001", ";AcquisitionNumber=12"): ("RV221",),
    (f"{FAILING}/slicecount/001", ""): (),
    (f"{FAILING}/sliceincrement/001", ""): ("RV215",),
    (f"{FAILING}/sliceincrement/002", ""): ("RV215", "RV217"),
    (f"{FAILING}/sliceorientation/001", ""): ("RV220", "RV218"),
    ("slicerio_ctchest", ""): ("RV211",),
}


@pytest.mark.data
@pytest.mark.parametrize(("place", "choice"), VERDICTS)
def test_every_real_folder_gets_its_verdict(real_data: Path, place: str, choice: str) -> None:
    codes = VERDICTS[place, choice]
    if not codes:
        assert read_image(real_data / place, series=choice).geometry == read_geometry(
            real_data / place, series=choice
        )
        return
    with pytest.raises(ImageError) as caught:
        read_image(real_data / place, series=choice)
    assert tuple(problem.code for problem in caught.value.problems) == codes


@pytest.mark.data
@pytest.mark.parametrize(
    ("place", "found"),
    [
        ("gantrytilting/001", "slices shifted against each other in their plane: a tilt of 14.00 degrees"),
        (
            "sliceincrement/001",
            "1 slice missing: 1 between IM-0001-0009-0001.dcm and IM-0001-0010-0001.dcm (10 mm apart)",
        ),
        (
            "notavolume/001",
            "4 images at 1 position, up to 4 at one; they differ in AcquisitionNumber (12, 13, 14, 15)",
        ),
        ("sliceorientation/001", "rows x columns 0.32 x 0.32, 0.555556 x 0.555556 mm"),
    ],
)
def test_a_real_fault_is_described(real_data: Path, place: str, found: str) -> None:
    with pytest.raises(ImageError) as caught:
        read_image(real_data / FAILING / place)
    assert caught.value.problems[0].found == found


@pytest.mark.data
def test_real_slices_of_two_orientations_keep_their_positions(real_data: Path) -> None:
    place = real_data / FAILING / "sliceorientation/001"
    # SpacingBetweenSlices in the headers agrees here, though it is not read: 3.3 and 4.4 mm.
    assert read_geometry(place, series=";SeriesNumber=202").spacing == pytest.approx(
        (0.32, 0.32, 3.3), abs=0.01
    )
    assert read_geometry(place, series=";SeriesNumber=501").spacing == pytest.approx(
        (0.556, 0.556, 4.4), abs=0.01
    )


@pytest.mark.data
def test_the_series_of_a_real_folder_are_told_apart(real_data: Path) -> None:
    listed = list_series(real_data / "dcmqi_ct3slice_spine")
    assert [(one.number, one.modality, one.kind, len(one.frames)) for one in listed] == [
        ("1", "SEG", "segmentation", 3),
        ("2", "CT", "volume", 3),
        ("100", "SEG", "segmentation", 7),
        ("300", "SEG", "segmentation", 4),
    ]
