"""Fixtures that more than one room's tests use."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

_DEFAULT_DATA = Path(__file__).resolve().parents[2] / "shared" / "data"


@pytest.fixture(scope="session")
def real_data() -> Path:
    """Folder of the real test files; the test skips with a clear reason where it is absent."""
    folder = Path(os.environ.get("RADIOMICS_VERT_TEST_DATA", _DEFAULT_DATA))
    if not folder.is_dir():
        pytest.skip("real files are absent: set RADIOMICS_VERT_TEST_DATA to their folder")
    return folder
