"""Fixtures of the extraction tests."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from extraction_scans import MakeCohort, write_scan

from radiomics_vert.cohort import Cohort, read_cohort


@pytest.fixture
def make_cohort(tmp_path: Path) -> MakeCohort:
    """Return a function: scans as (subject, sequence, voxels, labels, keywords of write_scan) -> cohort."""

    def make(*scans: tuple[str, str, np.ndarray, np.ndarray, dict[str, Any]]) -> Cohort:
        rows = []
        for subject, sequence, voxels, labels, extra in scans:
            image, mask = write_scan(tmp_path, f"{subject}_{sequence}", voxels, labels, **extra)
            rows.append((subject, sequence, image.name, mask.name))
        table = pd.DataFrame(rows, columns=["subject_id", "sequence", "image", "mask"])
        table.to_csv(tmp_path / "images.csv", index=False)
        return read_cohort(tmp_path / "images.csv", scheme="verse")

    return make
