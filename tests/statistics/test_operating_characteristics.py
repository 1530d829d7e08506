"""Coverage and error rates on simulated cohorts with several vertebrae per patient (slow)."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.special import ndtri
from scipy.stats import mannwhitneyu

from radiomics_vert.roc import clustered_auc_screen, clustered_proportion
from radiomics_vert.statistics import associate

pytestmark = pytest.mark.slow
COHORTS = 500
N_PATIENTS = 60


@pytest.mark.parametrize("truth", [0.5, 0.75, 0.85])
def test_coverage_of_the_auc_interval(simulate, truth):
    rng = np.random.default_rng(20260101)
    shift = np.sqrt(2) * ndtri(truth)
    clustered, naive = [], []
    for _ in range(COHORTS):
        y, X, groups = simulate(rng, N_PATIENTS, 4, shift)
        for hits, units in ((clustered, groups), (naive, np.arange(len(y)))):
            table = clustered_auc_screen(y, X, units)
            hits.append((table["ci_low"] <= truth) & (truth <= table["ci_high"]))
    assert 0.93 <= np.mean(clustered) <= 0.97
    assert np.mean(naive) < 0.90


def test_type_one_error_and_coverage_of_effect_sizes(simulate, make_dataset):
    rng = np.random.default_rng(20260102)
    rejected, naive, covered = [], [], []
    for _ in range(COHORTS):
        y, X, groups = simulate(rng, N_PATIENTS, 6, 0.0)
        table = associate(make_dataset(X, y, groups)).frame()
        rejected.append(table["p_value"] < 0.05)
        covered.append((table["hedges_g_low"] <= 0) & (table["hedges_g_high"] >= 0))
        naive.append(mannwhitneyu(X[y == 1], X[y == 0]).pvalue < 0.05)
    assert 0.04 <= np.mean(rejected) <= 0.06
    assert 0.93 <= np.mean(covered) <= 0.97
    assert np.mean(naive) > 0.09


def test_coverage_of_the_proportion_interval(simulate):
    rng = np.random.default_rng(20260103)
    covered = []
    for _ in range(4 * COHORTS):
        _, X, groups = simulate(rng, N_PATIENTS, 1, 0.0)
        _, low, high = clustered_proportion(X[:, 0] > ndtri(0.2), groups)  # true share 0.8
        covered.append(low <= 0.8 <= high)
    assert 0.93 <= np.mean(covered) <= 0.97
