"""Preprocessing within an extraction: references, hardware, voxel order, the cache, and who fails."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import SimpleITK as sitk
from extraction_scans import blob, textured

from radiomics_vert.cohort import Cohort, ReferenceRule, read_cohort, reference_cases
from radiomics_vert.extraction import ExtractionParams, extract, parity, perturbed_features
from radiomics_vert.feature_table import FeatureTable
from radiomics_vert.imaging.preprocessing import robust_spread

SHAPE = (60, 26, 22)
SPACING = (1.1, 0.9, 1.4)
SAGITTAL = (0.0, 0.0, -1.0, 1.0, 0.0, 0.0, 0.0, -1.0, 0.0)
FEW = {"shape": ["MeshVolume"], "firstorder": ["Mean", "Minimum", "Maximum"], "glcm": ["Contrast"]}
LEVELS = {21: "L2", 20: "L1", 19: "T12", 18: "T11"}


def _params(
    preprocessing: dict[str, Any], features: dict[str, Any] | None = FEW, **settings: Any
) -> ExtractionParams:
    content = {
        "featureClass": features,
        "setting": {"binWidth": 0.25, **settings},
        "preprocessing": preprocessing,
    }
    return ExtractionParams.from_mapping({key: value for key, value in content.items() if value})


REFERENCE = _params({"intensity": "reference"})


def _labels(discs: bool = False) -> np.ndarray:
    labels = np.zeros(SHAPE, np.uint8)
    for place, label in enumerate(LEVELS):
        blob(labels, label, (8 + 14 * place, 13, 11), (6, 8, 7))
    if discs:
        blob(labels, 119, (29, 13, 11), (2, 7, 6))
    return labels


def _cohort(
    folder: Path,
    voxels: np.ndarray,
    labels: np.ndarray,
    named: tuple[str, ...] = ("L2",),
    direction: tuple[float, ...] | None = None,
) -> Cohort:
    """Write one MR scan and a clinical table that names some of its levels."""
    folder.mkdir(exist_ok=True)
    for kind, array in (("image", voxels), ("mask", labels)):
        volume = sitk.GetImageFromArray(array)
        volume.SetSpacing(SPACING)
        volume.SetOrigin((3.5, -20.25, 7.0))
        if direction:
            volume.SetDirection(direction)
        sitk.WriteImage(volume, str(folder / f"{kind}.nrrd"))
    pd.DataFrame(
        [("p", "T1", "image.nrrd", "mask.nrrd")], columns=["subject_id", "sequence", "image", "mask"]
    ).to_csv(folder / "images.csv", index=False)
    pd.DataFrame([("p", level, 1) for level in named], columns=["subject_id", "level", "genant"]).to_csv(
        folder / "clinical.csv", index=False
    )
    return read_cohort(folder / "images.csv", folder / "clinical.csv", scheme="verse")


def _only(table: FeatureTable, level: str) -> tuple[pd.Series[Any], pd.Series[Any]]:
    row, facts = (frame.set_index("level").loc[level] for frame in (table.values, table.diagnostics))
    return row, facts


def test_the_reference_is_the_trend_of_the_other_vertebrae_at_the_level_of_the_case(tmp_path: Path) -> None:
    voxels, labels = textured(SHAPE).astype(np.float64), _labels()
    for place, label in enumerate(LEVELS):
        voxels[labels == label] += 100 * (3 - place) - np.median(voxels[labels == label])
    cohort = _cohort(tmp_path / "a", voxels.astype(np.float32), labels)
    row, facts = _only(extract(cohort.labelled(), REFERENCE, references=reference_cases(cohort)), "L2")
    assert (facts["reference"], facts["reference_vertebrae"]) == ("vertebrae", 3)
    # T11, T12, L1 have the medians 0, 100, 200: L2 is expected at 300, where its own median lies.
    assert facts["reference_mu"] == pytest.approx(300, abs=1e-3)
    pooled = [
        voxels[labels == label] - 100 * (3 - place) for place, label in enumerate(LEVELS) if label != 21
    ]
    assert facts["reference_sigma"] == pytest.approx(robust_spread(np.concatenate(pooled)).width, rel=1e-3)
    assert facts["reference_voxels"] == sum((labels == label).sum() for label in LEVELS if label != 21)
    own = (voxels[labels == 21] - facts["reference_mu"]) / facts["reference_sigma"]
    assert row["original_firstorder_Mean"] == pytest.approx(own.mean(), abs=1e-5)


def test_gain_and_offset_of_the_scanner_vanish(tmp_path: Path) -> None:
    voxels = textured(SHAPE).astype(np.float32)
    tables = []
    for name, image in (("a", voxels), ("b", voxels * 3.7 + 55)):
        cohort = _cohort(tmp_path / name, image.astype(np.float32), _labels())
        tables.append(extract(cohort.labelled(), REFERENCE, references=reference_cases(cohort)))
    first, second = (table.values[table.features].to_numpy(float) for table in tables)
    assert np.allclose(first, second, rtol=1e-4)


def test_a_part_of_a_cohort_alone_has_no_reference_and_says_so(tmp_path: Path) -> None:
    cohort = _cohort(tmp_path / "a", textured(SHAPE), _labels())
    table = extract(cohort.labelled(), REFERENCE)
    (failure,) = table.failures.to_dict("records")
    assert (failure["code"], failure["level"]) == ("RV311", "L2")
    for told in ("0 reference vertebrae of 2", "muscle: none", "disc: none", "csf: none"):
        assert told in failure["found"]


def test_another_tissue_of_the_mask_stands_in_and_is_noted(tmp_path: Path) -> None:
    voxels, labels = textured(SHAPE), _labels(discs=True)
    cohort = _cohort(tmp_path / "a", voxels, labels, named=("L2", "L1", "T12"))
    _, facts = _only(extract(cohort.labelled(), REFERENCE, references=reference_cases(cohort)), "L1")
    disc = robust_spread(voxels[labels == 119])
    assert (facts["reference"], facts["reference_vertebrae"]) == ("disc", 0)
    assert facts["reference_mu"] == pytest.approx(disc.centre)
    assert facts["reference_sigma"] == pytest.approx(disc.width)
    assert "RV314" in facts["notes"]
    assert "1 reference vertebrae of 2" in facts["notes"]


def test_zscore_of_the_own_voxels(tmp_path: Path) -> None:
    cohort = _cohort(tmp_path / "a", textured(SHAPE), _labels())
    table = extract(cohort, _params({"intensity": "zscore"}, {"firstorder": ["Mean", "Variance"]}))
    assert np.allclose(table.values["original_firstorder_Mean"], 0, atol=1e-5)
    assert np.allclose(table.values["original_firstorder_Variance"], 1, atol=1e-5)


def test_a_constant_image_has_no_bias_field(tmp_path: Path) -> None:
    cohort = _cohort(tmp_path / "a", np.full(SHAPE, 9, np.int16), _labels())
    table = extract(cohort, _params({"bias_correction": "n4"}))
    assert table.failures["code"].unique().tolist() == ["RV313"]
    assert len(table.failures) == 4


def test_hardware_is_left_out_of_grey_values_but_not_of_shape(tmp_path: Path) -> None:
    voxels, labels = np.clip(textured(SHAPE), 0, 600), _labels()
    plain = _cohort(tmp_path / "plain", voxels, labels)
    spoilt = voxels.copy()
    spoilt[6, 12, 11] = 3000  # L2: a voxel of metal
    spoilt[34:40, 8:18, 6:16] = 2500  # T12: mostly cement
    cohort = _cohort(tmp_path / "metal", spoilt, labels)
    asked = _params({"exclude_above": 1500, "exclude_margin_mm": 2}, binWidth=25)
    table = extract(cohort, asked)
    assert table.failures[["level", "code"]].to_numpy().tolist() == [["T12", "RV312"]]
    row, facts = _only(table, "L2")
    assert row["original_firstorder_Maximum"] <= 600
    grid = np.indices(SHAPE).transpose(1, 2, 3, 0) * np.array(SPACING[::-1])
    near = np.linalg.norm(grid - grid[6, 12, 11], axis=-1) <= 2
    share = (near & (labels == 21)).sum() / (labels == 21).sum()
    assert facts["excluded_share"] == pytest.approx(share)
    assert facts["voxels_resegmented"] == (labels == 21).sum() - (near & (labels == 21)).sum()
    assert facts["clipped_share"] == 0
    assert "RV315" in facts["notes"]
    clean, _ = _only(extract(plain, asked), "L2")
    assert row["original_shape_MeshVolume"] == clean["original_shape_MeshVolume"]
    other, _ = _only(extract(plain, asked), "L1")
    assert _only(table, "L1")[0]["original_glcm_Contrast"] == other["original_glcm_Contrast"]
    resampled, told = _only(
        extract(cohort, _params({"exclude_above": 1500}, resampledPixelSpacing=[1, 1, 1], binWidth=25)), "L2"
    )
    assert resampled["original_firstorder_Maximum"] < 1500
    assert 0 < told["excluded_share"] < 0.1


def test_gas_is_reported_before_resegmentation_removes_it(tmp_path: Path) -> None:
    voxels, labels = np.clip(textured(SHAPE), 0, 600), _labels()
    voxels[6:9, 11:14, 10:13] = -500
    cohort = _cohort(tmp_path / "a", voxels, labels)
    row, facts = _only(
        extract(cohort, _params({"gas_below": -200}, resegmentRange=[-200, 1500], binWidth=25)), "L2"
    )
    assert facts["gas_ml"] == pytest.approx(27 * np.prod(SPACING) / 1000)
    assert row["original_firstorder_Minimum"] >= 0
    assert facts["clipped_share"] == pytest.approx(27 / (labels == 21).sum())


def test_a_changed_reference_computes_grey_values_again_and_says_why(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    cache, voxels, labels = tmp_path / "cache", textured(SHAPE), _labels()

    def run(labels: np.ndarray) -> FeatureTable:
        cohort = _cohort(tmp_path / "a", voxels, labels)
        return extract(cohort.labelled(), REFERENCE, references=reference_cases(cohort), cache=cache)

    first = run(labels)
    assert run(labels).provenance.run["cache"]["hits"] == 2
    changed = labels.copy()
    changed[labels == 19] = 0
    changed[34:38, 10:16, 8:14] = 19
    with caplog.at_level(logging.INFO, "radiomics_vert.extraction"):
        second = run(changed)
    assert second.provenance.run["cache"]["reasons"] == {"reference changed": 1}
    assert "p_T1_L2: compute original: reference changed" in caplog.messages
    assert not second.values.equals(first.values)
    column = "original_shape_MeshVolume"
    assert second.values[column].equals(first.values[column])


def test_perturbed_outlines_share_the_reference_and_the_cache(tmp_path: Path) -> None:
    cohort = _cohort(tmp_path / "a", textured(SHAPE), _labels(), direction=SAGITTAL)
    asked: dict[str, Any] = {
        "references": reference_cases(cohort),
        "perturbations": ("original", "grow1"),
        "cache": tmp_path / "cache",
    }
    measured = cohort.labelled()
    first = perturbed_features(measured, REFERENCE, **asked)
    assert first.diagnostics["reference_mu"].nunique() == 1
    plain = extract(measured, REFERENCE, references=asked["references"])
    assert first.values[plain.features].iloc[0].equals(plain.values[plain.features].iloc[0])
    assert first.diagnostics["mask_digest"].iloc[0] == plain.diagnostics["mask_digest"].iloc[0]
    written = {path: path.stat().st_mtime_ns for path in (tmp_path / "cache").rglob("*.json")}
    second = perturbed_features(measured, REFERENCE, **asked)
    assert second.values.equals(first.values)
    assert {path: path.stat().st_mtime_ns for path in (tmp_path / "cache").rglob("*.json")} == written


def test_the_rule_of_the_clinical_column(tmp_path: Path) -> None:
    cohort = _cohort(tmp_path / "a", textured(SHAPE), _labels(), named=("L2", "L1"))
    found = reference_cases(cohort, ReferenceRule.parse("genant=1.0"))["p_T1"]
    assert [str(case.level) for case in found] == ["L1", "L2"]
    assert [str(case.level) for case in reference_cases(cohort)["p_T1"]] == ["T11", "T12"]


def test_parity_on_standardised_intensities(tmp_path: Path) -> None:
    cohort = _cohort(tmp_path / "a", textured(SHAPE), _labels(), direction=SAGITTAL)
    report = parity(cohort, _params({"intensity": "zscore"}, None, resampledPixelSpacing=[1, 1, 1]), sample=1)
    assert report["largest_relative_difference"].max() < 1e-8
