"""Perturbed masks through the same extraction: equal where nothing changes, complete where it does."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
import SimpleITK as sitk
from extraction_scans import MakeCohort, blob, textured, write_scan

from radiomics_vert.cohort import Cohort, read_cohort
from radiomics_vert.errors import SettingsError
from radiomics_vert.extraction import ExtractionParams, extract, perturbed_features, preparing
from radiomics_vert.imaging import perturb, read_label_map
from radiomics_vert.statistics import reliability

SHAPE = (24, 34, 29)
PARAMS = ExtractionParams.from_mapping(
    {
        "imageType": {"Original": {}},
        "featureClass": {
            "shape": ["VoxelVolume", "Sphericity"],
            "firstorder": ["Mean"],
            "glcm": ["Contrast"],
        },
        "setting": {"binWidth": 25, "normalize": True},
    }
)
NAMES = ("original", "grow1", "rotate-2", "contour1")


def labels(thin: bool = False) -> np.ndarray:
    array = np.zeros(SHAPE, np.uint8)
    blob(array, 21, (7, 14, 12), (5, 9, 8))
    if thin:
        array[17:20, 16, 4:20] = 20
    else:
        blob(array, 20, (17, 16, 14), (4, 8, 9))
    return array


@pytest.fixture
def cohort(make_cohort: MakeCohort) -> Cohort:
    extra: dict[str, Any] = {"spacing": (0.9, 1.1, 2.5)}
    return make_cohort(
        ("a", "CT", textured(SHAPE), labels(), extra), ("b", "CT", textured(SHAPE, seed=1), labels(), extra)
    )


def test_the_original_gives_the_values_of_extract(cohort: Cohort):
    plain = extract(cohort, PARAMS)
    found = perturbed_features(cohort, PARAMS, perturbations=NAMES)
    assert found.features == plain.features
    assert len(found.values) == found.n_cases == 4 * len(NAMES)
    original = found.values[found.values["rater"] == "original"].reset_index(drop=True)
    pd.testing.assert_frame_equal(original[plain.features], plain.values[plain.features])
    assert original["case_id"].tolist() == [f"{case}_original" for case in plain.values["case_id"]]
    # Scan by scan, perturbation by perturbation, from the head down.
    assert found.values["subject_id"].tolist() == ["a"] * 8 + ["b"] * 8
    assert found.values["rater"].tolist()[:8] == [name for name in NAMES for _ in range(2)]
    assert found.values["case_id"].is_unique


def test_a_perturbed_mask_gives_the_values_of_that_mask_written_to_a_file(cohort: Cohort, tmp_path):
    folder = tmp_path / "written"
    folder.mkdir()
    scan = cohort.scans[0]
    names = {case.label: case.case_id for case in cohort.cases if case.scan.scan_id == scan.scan_id}
    mask = read_label_map(scan.mask)
    rows = []
    for name in NAMES[1:]:
        sitk.WriteImage(perturb(mask, name, names, seed=3).volume, str(folder / f"{name}.nrrd"))
        rows.append(("a", "CT", str(scan.image), f"{name}.nrrd", name))
    table = pd.DataFrame(rows, columns=["subject_id", "sequence", "image", "mask", "rater"])
    table.to_csv(folder / "images.csv", index=False)
    expected = extract(read_cohort(folder / "images.csv", scheme="verse"), PARAMS)
    found = perturbed_features(cohort, PARAMS, perturbations=NAMES[1:], seed=3)
    ours = found.values[found.values["subject_id"] == "a"].reset_index(drop=True)
    columns = ["rater", "level", *expected.features]
    pd.testing.assert_frame_equal(ours[columns], expected.values[columns])
    digests = found.diagnostics.loc[found.diagnostics["subject_id"] == "a", "mask_digest"].tolist()
    assert digests == expected.diagnostics["mask_digest"].tolist()


def test_workers_do_not_change_the_table_and_the_seed_does(cohort: Cohort):
    one = perturbed_features(cohort, PARAMS, perturbations=NAMES)
    two = perturbed_features(cohort, PARAMS, perturbations=NAMES, n_jobs=3)
    pd.testing.assert_frame_equal(one.values, two.values)
    pd.testing.assert_frame_equal(one.diagnostics, two.diagnostics)
    assert dict(one.provenance.reproducible) == dict(two.provenance.reproducible)
    other = perturbed_features(cohort, PARAMS, perturbations=NAMES, seed=1)
    same = other.values["rater"] != "contour1"
    pd.testing.assert_frame_equal(one.values[same], other.values[same])
    assert not np.allclose(one.values.loc[~same, one.features], other.values.loc[~same, one.features])


def test_images_are_read_once_per_scan(cohort: Cohort, monkeypatch: pytest.MonkeyPatch):
    reads = []
    read = preparing.read_image
    monkeypatch.setattr(
        preparing, "read_image", lambda path, **rest: reads.append(path) or read(path, **rest)
    )
    done = []
    perturbed_features(cohort, PARAMS, perturbations=NAMES, progress=lambda *state: done.append(state))
    assert reads == [scan.image for scan in cohort.scans]
    assert done == [(1, 2), (2, 2)]


def test_a_vertebra_that_vanishes_is_a_failure_and_the_others_stay(make_cohort: MakeCohort):
    cohort = make_cohort(("a", "CT", textured(SHAPE), labels(thin=True), {}))
    found = perturbed_features(cohort, PARAMS, perturbations=("original", "shrink1"))
    assert len(found.values) == 3
    failure = found.failures.iloc[0]
    assert failure[["code", "rater", "level"]].tolist() == ["RV207", "shrink1", "L1"]
    assert "shrink1" in failure["expected"]
    assert found.values["rater"].tolist() == ["original", "original", "shrink1"]


def test_a_scan_that_became_unreadable_fails_in_every_perturbation(cohort: Cohort):
    cohort.scans[0].mask.unlink()
    found = perturbed_features(cohort, PARAMS, perturbations=("original", "grow1"))
    assert found.failures["subject_id"].tolist() == ["a"] * 4
    assert found.failures["rater"].tolist() == ["original", "original", "grow1", "grow1"]
    assert found.values["subject_id"].tolist() == ["b"] * 4


def test_the_rater_stays_before_the_perturbation_and_reliability_takes_the_table(tmp_path):
    rows = []
    for rater in ("anna", "ben"):
        image, mask = write_scan(tmp_path, rater, textured(SHAPE), labels())
        rows.append(("a", "CT", image.name, mask.name, rater))
    table = pd.DataFrame(rows, columns=["subject_id", "sequence", "image", "mask", "rater"])
    table.to_csv(tmp_path / "images.csv", index=False)
    cohort = read_cohort(tmp_path / "images.csv", scheme="verse")
    found = perturbed_features(cohort, PARAMS, perturbations=("original", "grow1"))
    assert found.values["rater"].unique().tolist() == [
        "anna:original",
        "anna:grow1",
        "ben:original",
        "ben:grow1",
    ]
    result = reliability(found, by="perturbation")
    assert result.spec["raters"] == ["original", "grow1"]
    volume = result.frame().set_index("feature").loc["original_shape_VoxelVolume"]
    assert volume["n_targets"] == 4
    assert volume["bias"] > 0
    assert volume["pair"] == "grow1 - original"


@pytest.mark.parametrize("names", [("grow1", "original", "grow1"), (), ("grew",)])
def test_repeated_missing_and_unknown_perturbations_are_refused(cohort: Cohort, names: tuple[str, ...]):
    with pytest.raises(SettingsError, match="RV602"):
        perturbed_features(cohort, PARAMS, perturbations=names)
