"""Fixtures that more than one room's tests use."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

_DEFAULT_DATA = Path(__file__).resolve().parents[2] / "shared" / "data"

# Original images and two feature classes: the whole path in seconds.
SMALL_PARAMETERS = """
imageType:
  Original: {}
featureClass:
  firstorder: []
  glcm: [Contrast, Correlation, JointEntropy]
setting:
  binWidth: 25
"""
SMALL_STUDY = """
title: A small synthetic study
question: Does the path hold from images to report?
synthetic: true
cohort: {images: cohort/images.csv, clinical: cohort/clinical.csv, region: body}
outcome: {column: diagnosis, positive: metastatic, negative: osteoporotic}
covariates: [age, sex]
extraction:
  parameters: {CT: small.yaml}
validation: {repeats: 2, outer_folds: 3, inner_folds: 2, seed: 7}
execution: {workers: 1, progress: false}
"""


@pytest.fixture(scope="session")
def real_data() -> Path:
    """Folder of the real test files; the test skips with a clear reason where it is absent."""
    folder = Path(os.environ.get("RADIOMICS_VERT_TEST_DATA", _DEFAULT_DATA))
    if not folder.is_dir():
        pytest.skip("real files are absent: set RADIOMICS_VERT_TEST_DATA to their folder")
    return folder


@pytest.fixture(scope="session")
def small_cohort(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder of a synthetic CT cohort of 14 patients. Tests copy it before they change it."""
    from radiomics_vert.synthetic import SyntheticSpec, make_cohort

    return make_cohort(
        tmp_path_factory.mktemp("synthetic") / "cohort", SyntheticSpec(patients=14, sequences=("CT",))
    )


@pytest.fixture
def small_study(small_cohort: Path, tmp_path: Path) -> Path:
    """Folder of a study on the small cohort, not yet run."""
    (tmp_path / "cohort").symlink_to(small_cohort, target_is_directory=True)
    (tmp_path / "study.yaml").write_text(SMALL_STUDY)
    (tmp_path / "small.yaml").write_text(SMALL_PARAMETERS)
    return tmp_path
