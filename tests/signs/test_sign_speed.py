"""All signs of a whole spine on one core."""

from __future__ import annotations

import time
from pathlib import Path

import pytest
from threadpoolctl import threadpool_limits

from radiomics_vert.cohort import Scan, examine_scan, load_scheme
from radiomics_vert.signs import load_sign_scan, measure_scan
from radiomics_vert.synthetic import whole_spine_ct


@pytest.mark.slow
def test_signs_of_17_vertebrae_take_less_than_10_seconds(tmp_path: Path):
    image, mask = whole_spine_ct(tmp_path)
    cases, refused = examine_scan(Scan("whole", "whole", "CT", image, mask, load_scheme("verse")))
    assert len(cases) == 17
    assert not refused
    scan = load_sign_scan(cases)
    with threadpool_limits(limits=1):
        started = time.process_time()
        found = measure_scan(scan, "CT")
        seconds = time.process_time() - started
    assert found.values["hu_tb"].notna().all()
    assert seconds < 10
