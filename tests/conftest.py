"""Fixtures that more than one room's tests use."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests_support import lay_small_study

_DEFAULT_DATA = Path(__file__).resolve().parents[2] / "shared" / "data"


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
    return lay_small_study(tmp_path, small_cohort)
