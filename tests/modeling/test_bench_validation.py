"""The benchmark of the validation, in its small form: it runs, and tells the time of each stage."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = Path(__file__).resolve().parents[2] / "analysis" / "benchmarks" / "bench_validation.py"


@pytest.mark.slow
def test_the_small_benchmark_tells_the_time_of_each_stage():
    command = [sys.executable, str(SCRIPT), "--small", "--workers", "1"]
    told = subprocess.run(command, capture_output=True, text=True, check=True, timeout=300).stdout
    assert re.search(r"6 outer folds in [\d.]+ s, .*preparation [\d.]+ s, shared by 2 models", told)
    for model in ("elastic_net", "linear_svm"):
        assert re.search(rf"{model}: tuning [\d.]+ s, refitting [\d.]+ s", told)
    assert "60 vertebrae of 32 patients, 40 features, 2 models, 3 x 2 outer and 3 inner folds" in told
