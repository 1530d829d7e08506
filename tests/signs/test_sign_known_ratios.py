"""Takigawa's probability and the ratio of gradients against what their phantoms were drawn with."""

from __future__ import annotations

import pandas as pd
import pytest
import takigawa_cases
import trabeculae_cases
from takigawa_cases import Findings

from radiomics_vert.signs.baselines import takigawa_probability


def test_the_committed_rows_are_all_combinations_and_grids():
    rows = pd.read_csv(takigawa_cases.TABLE)
    every, few = len(takigawa_cases.EVERY), len(takigawa_cases.FEW)
    assert len(rows) == every * (len(takigawa_cases.GRIDS) - 1) + few
    values = {round(takigawa_probability(**findings._asdict()), 5) for findings in takigawa_cases.EVERY}
    assert set(rows["true"]) == values
    # One finding read otherwise is a larger error than the tolerance.
    apart = sorted(takigawa_probability(**findings._asdict()) for findings in takigawa_cases.EVERY)
    assert apart[-1] - apart[0] > 0.9
    assert apart[0] > takigawa_cases.TOLERANCE
    known = pd.read_csv(trabeculae_cases.TABLE)
    ratios = known[known["sign"] == "grad_ratio"]
    assert len(ratios) == len(trabeculae_cases.CASES) * len(trabeculae_cases.GRIDS)
    assert (ratios["true"] - ratios["case"].map(trabeculae_cases.true_ratio)).abs().max() < 1e-3
    along = known[known["sign"] == "gst_vert"]
    assert (along["true"] == along["case"].map(trabeculae_cases.direction)).all()
    assert set(along["true"]) == {0, 1}


@pytest.mark.parametrize("findings", [Findings(True, False, True, False), Findings(False, True, False, True)])
def test_findings_drawn_are_findings_read(findings: Findings):
    value = takigawa_cases.measured(findings, "1.5 mm")["takigawa_p"]
    assert value == pytest.approx(takigawa_probability(**findings._asdict()), abs=takigawa_cases.TOLERANCE)


def test_the_ratio_of_gradients_is_that_of_the_drawn_energies():
    """Cortex three voxels away must not leak into the gradient: it would pull every ratio towards its own."""
    for case in ("upright stripes", "level plates"):
        true = trabeculae_cases.true_ratio(case)
        limit = trabeculae_cases.tolerance(true, trabeculae_cases.GRIDS["1.5 mm"][0])
        assert abs(trabeculae_cases.measured(case, "1.5 mm")["grad_ratio"] - true) < limit


@pytest.mark.parametrize("sign", ["grad_ratio", "gst_vert"])
def test_coarser_voxels_show_no_trabeculae(sign: str):
    assert pd.isna(trabeculae_cases.measured("level plates", "axial 4 mm")[sign])


@pytest.mark.slow
@pytest.mark.parametrize(("module", "atol"), [(takigawa_cases, 1e-5), (trabeculae_cases, 2e-3)])
def test_the_committed_rows_are_what_the_code_measures(module, atol: float):
    committed = pd.read_csv(module.TABLE)
    pd.testing.assert_frame_equal(module.table(), committed, check_dtype=False, rtol=0, atol=atol)
