"""Values equal those of stock pyradiomics on the whole re-oriented image, relative 1e-8."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from extraction_scans import (
    OBLIQUE,
    MakeCohort,
    in_patient_order,
    largest_difference,
    stock,
    textured,
    two_vertebrae,
)

from radiomics_vert.cohort import Cohort
from radiomics_vert.extraction import ExtractionParams, extract, parity
from radiomics_vert.feature_table import IDENTITY

SHAPE = (30, 46, 37)
SPACING = (1.1, 0.9, 1.7)
ALL = {"Original": {}, "LoG": {"sigma": [1.0, 2.5]}, "Wavelet": {}}
POINTWISE = {"Square": {}, "SquareRoot": {}, "Logarithm": {}, "Exponential": {}, "Gradient": {}}


def _ours(cohort: Cohort, content: dict[str, Any]) -> dict[int, dict[str, float]]:
    table = extract(cohort, ExtractionParams.from_mapping(content))
    assert table.failures.empty
    rows = table.values.set_index("label").drop(columns=[name for name in IDENTITY if name != "label"])
    return {int(label): row.to_dict() for label, row in rows.iterrows()}


def _assert_equal(cohort: Cohort, content: dict[str, Any], **settings: Any) -> None:
    scan = cohort.scans[0]
    padded = {**content, "setting": {**content.get("setting", {}), **settings}}
    ours = _ours(cohort, padded)
    assert sorted(ours) == [20, 21]
    image, mask = in_patient_order(scan.image), in_patient_order(scan.mask)
    for label, values in ours.items():
        assert largest_difference(values, stock(image, mask, label, padded)) < 1e-8


@pytest.fixture
def cohort(make_cohort: MakeCohort) -> Cohort:
    extra = {"spacing": SPACING, "direction": OBLIQUE}
    return make_cohort(("a", "CT", textured(SHAPE), two_vertebrae(SHAPE), extra))


def test_filters_without_resampling(cohort: Cohort) -> None:
    _assert_equal(cohort, {"imageType": ALL, "setting": {"binWidth": 20}})


def test_resegmentation_bin_count_and_two_wavelet_levels(cohort: Cohort) -> None:
    settings = {"binCount": 24, "resegmentRange": [60, 300], "distances": [1, 2], "gldm_a": 1}
    wavelet = {"Original": {}, "Wavelet": {"wavelet": "db2", "level": 2, "start_level": 1}}
    _assert_equal(cohort, {"imageType": wavelet, "setting": settings})


def test_resegmented_shape_and_sigma_mode(cohort: Cohort) -> None:
    settings = {"resegmentRange": [-1.5, 1.5], "resegmentMode": "sigma", "resegmentShape": True}
    _assert_equal(cohort, {"setting": settings})


def test_pointwise_filters_scale_with_the_whole_image(cohort: Cohort) -> None:
    _assert_equal(cohort, {"imageType": POINTWISE, "setting": {"binWidth": 10}})


def test_weighting_and_asymmetric_glcm(cohort: Cohort) -> None:
    settings = {"symmetricalGLCM": False, "weightingNorm": "euclidean", "voxelArrayShift": 300}
    _assert_equal(cohort, {"setting": settings})


def test_asymmetric_glcm_keeps_the_correlation_coefficient(cohort: Cohort) -> None:
    _assert_equal(cohort, {"setting": {"symmetricalGLCM": False, "binWidth": 5}})


@pytest.mark.parametrize("axis", [0, 1, 2])
def test_two_dimensions_on_each_axis(cohort: Cohort, axis: int) -> None:
    images = {"Original": {}, "Wavelet": {}}
    _assert_equal(cohort, {"imageType": images, "setting": {"force2D": True, "force2Ddimension": axis}})


def test_filters_with_spline_resampling(cohort: Cohort) -> None:
    # padDistance 200: stock pyradiomics then resamples all of the image, as exact filters need.
    content = {"imageType": ALL, "setting": {"resampledPixelSpacing": [0.93, 1.07, 1.3]}}
    _assert_equal(cohort, content, padDistance=200)


def test_original_pointwise_and_gradient_with_the_usual_padding(cohort: Cohort) -> None:
    images = {"Original": {}, "Square": {}, "Exponential": {}, "Gradient": {}}
    _assert_equal(cohort, {"imageType": images, "setting": {"resampledPixelSpacing": [2, 2, 0]}})


def test_linear_resampling_of_a_normalised_image(cohort: Cohort) -> None:
    settings = {
        "normalize": True,
        "normalizeScale": 100,
        "removeOutliers": 2,
        "interpolator": "sitkLinear",
        "resampledPixelSpacing": [1, 1, 1],
        "binWidth": 10,
    }
    content = {"imageType": {"Original": {}, "Wavelet": {}}, "setting": settings}
    _assert_equal(cohort, content, padDistance=200)  # stock wraps wavelets around what it resamples


def test_resampling_onto_the_original_voxels(make_cohort: MakeCohort) -> None:
    # 3 mm -> 1 mm: every third new voxel is an old one, and ITK cuts off the fraction of n - 1e-13.
    shape = (12, 17, 14)
    labels = np.zeros(shape, np.uint8)
    labels[3:8, 5:11, 4:9] = 21
    labels[9:, 2:6, 8:12] = 20
    cohort = make_cohort(("a", "CT", textured(shape), labels, {"spacing": (3.0, 3.0, 3.0)}))
    images = {"Original": {}, "Wavelet": {}}
    content = {"imageType": images, "setting": {"resampledPixelSpacing": [1, 1, 1]}}
    _assert_equal(cohort, content, padDistance=60)


def test_float_image_with_thin_region(make_cohort: MakeCohort) -> None:
    shape = (9, 20, 23)
    labels = np.zeros(shape, np.uint8)
    labels[7, 5:12, 6:15] = 20
    labels[1:6, 14:18, 3:20] = 21
    cohort = make_cohort(("a", "MR", textured(shape, dtype=np.float32), labels, {"spacing": (0.8, 0.8, 4.0)}))
    _assert_equal(cohort, {"imageType": {"Original": {}, "Wavelet": {}}, "setting": {"binWidth": 15}})
    _assert_equal(cohort, {"setting": {"resampledPixelSpacing": [1, 1, 1]}})


def test_a_sagittal_file_equals_stock_on_the_turned_file(make_cohort: MakeCohort) -> None:
    sagittal = (0.0, 0.0, -1.0, 1.0, 0.0, 0.0, 0.0, -1.0, 0.0)
    extra = {"spacing": (0.8, 0.7, 1.9), "direction": sagittal}
    cohort = make_cohort(("a", "CT", textured(SHAPE), two_vertebrae(SHAPE), extra))
    images = {"Original": {}, "Wavelet": {}}
    _assert_equal(cohort, {"imageType": images, "setting": {"force2D": True, "force2Ddimension": 2}})
    scan, content = cohort.scans[0], {"imageType": images, "preprocessing": {"orientation": "LPS"}}
    of_the_file = stock(scan.image, scan.mask, 21, {"imageType": images})
    assert largest_difference(_ours(cohort, content)[21], of_the_file) > 1e-8


def test_orientation_file_equals_stock_on_the_file_itself(cohort: Cohort) -> None:
    content = {"imageType": {"Original": {}}, "setting": {"resampledPixelSpacing": [2, 2, 0]}}
    ours = _ours(cohort, {**content, "preprocessing": {"orientation": "file"}})
    scan = cohort.scans[0]
    for label, values in ours.items():
        assert largest_difference(values, stock(scan.image, scan.mask, label, content)) < 1e-8


def test_parity_reports_every_case(cohort: Cohort) -> None:
    content = {"imageType": ALL, "setting": {"resampledPixelSpacing": [0.93, 1.07, 1.3]}}
    report = parity(cohort, ExtractionParams.from_mapping(content))
    assert report["case_id"].tolist() == ["a_CT_L1", "a_CT_L2"]
    assert report["values"].tolist() == [14 + 11 * 93] * 2
    assert report["largest_relative_difference"].max() < 1e-8


def test_parity_draws_a_reproducible_sample(cohort: Cohort) -> None:
    params = ExtractionParams.from_mapping({"featureClass": {"firstorder": ["Mean"]}})
    drawn = [parity(cohort, params, sample=1, seed=seed)["case_id"].item() for seed in (0, 0, 1, 2, 3, 4)]
    assert drawn[0] == drawn[1]
    assert set(drawn) == {"a_CT_L1", "a_CT_L2"}
