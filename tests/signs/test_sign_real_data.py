"""Real masks: every vertebra of every lumbar MRI exam has a plausible frame, or a flag, or a reason."""

from __future__ import annotations

from pathlib import Path

import pytest

from radiomics_vert.cohort import Scan, examine_scan, load_scheme
from radiomics_vert.signs import load_sign_scan, measure_scan


@pytest.mark.data
@pytest.mark.slow
def test_each_vertebra_of_each_exam_is_plausible_or_flagged(real_data: Path):
    exams = good = 0
    for image in sorted((real_data / "vb_mri").glob("*/*_image.nii.gz")):
        mask = image.with_name(image.name.replace("_image", "_vertebrae"))
        cases, refused = examine_scan(Scan("x", "x", "T2", image, mask, load_scheme("instances")))
        if refused:
            continue
        found = measure_scan(load_sign_scan(cases), "T2")
        facts = found.facts.set_index("case_id")
        # Doubtful and missing frames say why; the others have the size of a vertebral body.
        assert (facts["flags"][facts["frame"] != "good"].str.len() > 5).all(), image.name
        sound = facts[facts["frame"] == "good"]
        assert sound["width_mm"].between(20, 70).all(), image.name
        assert sound["depth_mm"].between(15, 55).all(), image.name
        assert (sound["visible"] > 0.8).all(), image.name
        exams, good = exams + 1, good + len(sound)
    assert exams >= 8
    assert good > 50
