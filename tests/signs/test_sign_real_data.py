"""Real masks: every vertebra of every lumbar MRI exam has a plausible frame, or a flag, or a reason."""

from __future__ import annotations

from pathlib import Path

import pytest

from analysis.simulations.sign_real_data import lumbar_exams
from radiomics_vert.cohort import examine_scan
from radiomics_vert.signs import load_sign_scan, measure_scan


@pytest.mark.data
@pytest.mark.slow
def test_each_vertebra_of_each_exam_is_plausible_or_flagged(real_data: Path):
    exams = good = 0
    for scan in lumbar_exams(real_data):
        cases, refused = examine_scan(scan)
        if refused:
            continue
        found = measure_scan(load_sign_scan(cases), scan.sequence)
        facts = found.facts
        # Doubtful and missing frames say why; the others have the size of a vertebral body.
        assert (facts["flags"][facts["frame"] != "good"].str.len() > 5).all(), scan.subject_id
        # Bodies outlined by hand: an uneven outline is no arch, and turns no frame.
        assert (facts["body_source"] != "separated").all(), scan.subject_id
        clear = facts["frame"] == "good"
        assert clear.mean() > 0.5, scan.subject_id
        sound = facts[clear]
        assert sound["width_mm"].between(20, 70).all(), scan.subject_id
        assert sound["depth_mm"].between(15, 55).all(), scan.subject_id
        assert (sound["visible"] > 0.8).all(), scan.subject_id
        heights = found.values.loc[clear, ["ha_mm", "hm_mm", "hp_mm"]]
        assert heights.stack().between(10, 45).all(), scan.subject_id
        exams, good = exams + 1, good + len(sound)
    assert exams >= 8
    assert good > 50
