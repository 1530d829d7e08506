"""Every case is a row: values, or a failure with code and remedy."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from extraction_scans import MakeCohort, textured

from radiomics_vert.checks import check_features
from radiomics_vert.cohort import Cohort, read_cohort
from radiomics_vert.extraction import ExtractionParams, extract
from radiomics_vert.extraction.plane import slice_axis
from radiomics_vert.feature_table import FeatureTable

SHAPE = (14, 17, 19)
FEW = {"shape": ["MeshVolume"], "firstorder": ["Mean", "Skewness"], "glcm": ["Contrast"]}


def _params(**settings: Any) -> ExtractionParams:
    return ExtractionParams.from_mapping({"featureClass": FEW, "setting": settings})


def _scan(box: tuple[slice, ...], voxels: np.ndarray | None = None, **extra: Any) -> tuple[Any, ...]:
    """Return a scan with L2 as a plain box and L1 as the given one, further up."""
    labels = np.zeros(SHAPE, np.uint8)
    labels[1:6, 4:12, 5:14] = 21
    labels[box] = 20
    return ("p", "CT", textured(SHAPE) if voxels is None else voxels, labels, extra)


def _failure(table: FeatureTable, cohort: Cohort) -> pd.Series[Any]:
    assert len(table.values) + len(table.failures) == len(cohort)
    assert table.values["level"].tolist() == ["L2"]
    (row,) = (row for _, row in table.failures.iterrows())
    assert row["case_id"] == "p_CT_L1"
    assert all(row[part] for part in ("title", "expected", "found", "where", "remedy"))
    return row


UPPER = (slice(8, 13), slice(3, 9), slice(4, 12))


@pytest.mark.parametrize(
    ("box", "settings", "found"),
    [
        ((8, 5, 6), {}, "1 voxel(s), 1 x 1 x 1 in the mask"),
        ((8, slice(3, 9), 6), {}, "6 voxel(s), 1 x 6 x 1 in the mask"),
        ((8, slice(3, 9), slice(4, 8)), {"minimumROIDimensions": 3}, "24 voxel(s), 4 x 6 x 1 in the mask"),
        (UPPER, {"minimumROISize": 300}, "240 voxel(s), 8 x 6 x 5 in the mask"),
    ],
)
def test_too_small(make_cohort: MakeCohort, box: Any, settings: dict[str, Any], found: str) -> None:
    cohort = make_cohort(_scan(box))
    row = _failure(extract(cohort, _params(**settings)), cohort)
    assert (row["code"], row["found"]) == ("RV301", found)


def test_lost_in_resampling(make_cohort: MakeCohort) -> None:
    cohort = make_cohort(_scan((slice(9, 11), slice(3, 5), slice(4, 6))))
    row = _failure(extract(cohort, _params(resampledPixelSpacing=[4, 4, 4])), cohort)
    assert row["code"] == "RV301"
    assert "after resampling" in row["found"]


@pytest.mark.parametrize("engine", ["native", "pyradiomics"])
def test_constant_region_has_values_and_a_note(make_cohort: MakeCohort, engine: str) -> None:
    voxels = textured(SHAPE)
    voxels[UPPER] = 77
    table = extract(make_cohort(_scan(UPPER, voxels)), _params(), engine=engine)
    assert table.failures.empty
    rows = table.values.set_index("level")
    assert rows.loc["L1", ["original_firstorder_Mean", "original_glcm_Contrast"]].tolist() == [77, 0]
    notes = table.diagnostics.set_index("level")["notes"]
    assert notes["L1"] == "RV302 Region has one grey level: 1 grey level in 240 voxels, so no texture"
    assert "RV302" not in notes["L2"]
    (finding,) = (found for found in check_features(table) if found.code == "RV302")
    assert (finding.severity, finding.cases) == ("warning", ("p_CT_L1",))


def test_constant_region_has_no_spread_to_be_standardised_by(make_cohort: MakeCohort) -> None:
    voxels = textured(SHAPE)
    voxels[UPPER] = 77
    content = {"featureClass": FEW, "preprocessing": {"intensity": "zscore"}}
    cohort = make_cohort(_scan(UPPER, voxels))
    row = _failure(extract(cohort, ExtractionParams.from_mapping(content)), cohort)
    assert (row["code"], row["found"]) == ("RV302", "the value 77 in all 240 voxels")


def test_empty_after_resegmentation(make_cohort: MakeCohort) -> None:
    voxels = textured(SHAPE)
    voxels[UPPER] = -900 - np.arange(240).reshape(5, 6, 8) % 7
    cohort = make_cohort(_scan(UPPER, voxels))
    row = _failure(extract(cohort, _params(resegmentRange=[-200, 1500])), cohort)
    assert (row["code"], row["found"]) == ("RV308", "grey values from -906 to -900")
    assert "[-200, 1500]" in row["expected"]


def test_failing_feature_class(make_cohort: MakeCohort, monkeypatch: pytest.MonkeyPatch) -> None:
    cohort = make_cohort(_scan(UPPER))

    def broken(prefix: str, image: Any, *_: Any) -> dict[str, float]:
        if image.GetSize() == (8, 6, 5):
            raise MemoryError("no room\nleft")
        return {f"{prefix}_firstorder_Mean": 1.0}

    monkeypatch.setattr("radiomics_vert.extraction.engine.texture_features", broken)
    row = _failure(extract(cohort, _params(), engine="pyradiomics"), cohort)
    assert (row["code"], row["found"]) == ("RV304", "MemoryError: no room left")


def test_sequence_without_parameters(make_cohort: MakeCohort) -> None:
    ct, t1 = _scan(UPPER), _scan(UPPER)
    cohort = make_cohort(ct, ("p", "T1", *t1[2:]))
    table = extract(cohort, {"CT": _params()})
    assert table.failures["code"].tolist() == ["RV114", "RV114"]
    assert table.failures["sequence"].unique().tolist() == ["T1"]
    assert table.values["sequence"].tolist() == ["CT", "CT"]


def test_refused_scans_are_failures(make_cohort: MakeCohort, tmp_path: Path) -> None:
    make_cohort(_scan(UPPER))
    manifest = tmp_path / "images.csv"
    manifest.write_text(manifest.read_text() + "q,CT,absent.nrrd,p_CT_mask.nrrd\n")
    cohort = read_cohort(manifest, scheme="verse")
    table = extract(cohort, _params())
    assert len(cohort) == 3
    assert table.failures[["case_id", "code"]].values.tolist() == [["q_CT", "RV101"]]


def test_file_that_vanishes_is_a_failure(make_cohort: MakeCohort) -> None:
    cohort = make_cohort(_scan(UPPER))
    cohort.scans[0].image.unlink()
    table = extract(cohort, _params())
    assert table.failures["code"].tolist() == ["RV101", "RV101"]


def test_feature_without_finite_value_keeps_its_case(
    make_cohort: MakeCohort, monkeypatch: pytest.MonkeyPatch
) -> None:
    cohort = make_cohort(_scan(UPPER))
    made = {"original_firstorder_Mean": 1.0, "original_firstorder_Energy": float("inf")}
    monkeypatch.setattr("radiomics_vert.extraction.engine.texture_features", lambda *_: dict(made))
    table = extract(cohort, _params(), engine="pyradiomics")
    assert table.values["original_firstorder_Energy"].isna().all()
    assert table.failures.empty
    assert "RV309 Feature value is not finite: original_firstorder_Energy" in table.diagnostics["notes"][0]


def test_diagnostics(make_cohort: MakeCohort) -> None:
    voxels = textured(SHAPE)
    voxels[9, 4, 5:8] = 3000
    labels = np.zeros(SHAPE, np.uint8)
    labels[1:6, 4:12, 5:14] = 21
    labels[UPPER] = 20
    labels[8, 16, 18] = 20
    cohort = make_cohort(("p", "CT", voxels, labels, {"spacing": (0.5, 0.5, 2.0)}))
    table = extract(cohort, _params(resegmentRange=[-500, 1500], binWidth=100))
    row = table.diagnostics.iloc[0]
    assert (row["voxels"], row["voxels_resampled"], row["voxels_resegmented"]) == (241, 241, 238)
    assert row["clipped_share"] == pytest.approx(3 / 241)
    assert (row["components"], row["touches_border"], row["slice_axis"]) == (2, True, "z")
    assert (row["spacing_x"], row["spacing_y"], row["spacing_z"]) == (0.5, 0.5, 2.0)
    kept = voxels[(labels == 20) & (voxels <= 1500)]
    assert row["grey_levels"] == len(np.unique(kept // 100))
    assert row["notes"].startswith("RV306 Region touches the border of the image: 241 voxels")
    assert "RV307 Region falls apart into several components: 2 components" in row["notes"]
    assert "RV305 Too few or too many grey levels" in row["notes"]
    assert len(row["image_digest"]) == len(row["mask_digest"]) == 64


def test_table_survives_saving(make_cohort: MakeCohort, tmp_path: Path) -> None:
    cohort = make_cohort(_scan((8, 5, 6)))
    table = extract(cohort, _params())
    table.save(tmp_path / "out")
    again = FeatureTable.load(tmp_path / "out")
    assert again.values["original_firstorder_Skewness"].equals(table.values["original_firstorder_Skewness"])
    assert again.failures["code"].tolist() == ["RV301"]


@pytest.mark.parametrize(
    ("spacing", "axis"),
    [
        ((4.4, 0.6, 0.6), 0),
        ((0.6, 4.4, 0.7), 1),
        ((0.6, 0.7, 3.0), 2),
        ((1.0, 1.0, 1.0), None),
        ((0.98, 1.0, 1.05), None),
    ],
)
def test_slice_axis(spacing: tuple[float, ...], axis: int | None) -> None:
    assert slice_axis(spacing) == axis


@pytest.mark.parametrize("axis", [0, 1, 2])
def test_two_dimensional_parameters_follow_the_slice_axis(make_cohort: MakeCohort, axis: int) -> None:
    """The open axis gives what the named axis gives, with the 0 of the spacing in the right place."""
    spacing = [0.8, 0.8, 0.8]
    spacing[axis] = 4.0
    cohort = make_cohort(_scan(UPPER, spacing=spacing))
    named: list[float] = [1, 1, 1]
    named[axis] = 0
    common = {"force2D": True, "binCount": 8}
    found = extract(cohort, _params(**common, resampledPixelSpacing=[1, 1, 0]))
    told = extract(cohort, _params(**common, resampledPixelSpacing=named, force2Ddimension=2 - axis))
    assert found.values.equals(told.values)
    assert found.diagnostics["slice_axis"].unique().tolist() == ["xyz"[axis]]


def test_isotropic_scan_has_no_slice_axis(make_cohort: MakeCohort) -> None:
    cohort = make_cohort(_scan(UPPER))
    table = extract(cohort, _params(force2D=True))
    assert table.failures["code"].tolist() == ["RV303", "RV303"]
    assert "force2Ddimension" in table.failures["remedy"][0]
