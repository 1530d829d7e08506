"""Numbers of published studies that the package's own functions must give.

Sensitivities of the 2x2 tables, the Takigawa probabilities and the exact binormal AUCs are tested beside
their functions; here is what needs several vertebrae per patient, a model, or many studies.
"""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from scipy.stats import norm
from statsmodels.stats.meta_analysis import combine_effects

from radiomics_vert.dataset.nouns import Dataset
from radiomics_vert.roc import clustered_auc, clustered_proportion
from radiomics_vert.statistics import adjust, associate

# Mean and standard deviation of the malignant and of the benign vertebrae, and the binormal AUC.
BINORMAL = {
    "fat drop, region 2, Bacher 2021": ((41, 16), (7, 8), 0.971),
    "fat drop, region 1, Bacher 2021": ((43, 13), (13, 13), 0.949),
    "fat fraction map, Bacher 2021": ((35, 14), (18, 14), 0.805),
    "proton density fat fraction, Schmeel": ((23.99, 11.86), (3.48, 3.30), 0.952),
    "lateral angle, Suzuki 2017": ((7.0, 4.5), (3.1, 2.8), 0.769),
}
ANGLE = ((7.0, 4.5), (3.1, 2.8))

# Apparent diffusion coefficients of 12 studies: n, mean, standard deviation of the benign and of the
# malignant fractures (doi:10.1259/bjr.20150384, table 2).
ADC = {
    "Chan 2002": ((31, 1.94, 0.35), (18, 0.82, 0.2)),
    "Zhou 2002": ((12, 0.32, 0.05), (15, 0.19, 0.03)),
    "Maeda 2003": ((20, 1.21, 0.17), (16, 0.92, 0.2)),
    "Tang 2007": ((18, 2.23, 0.21), (27, 1.04, 0.03)),
    "Balliu 2009": ((30, 1.46, 0.64), (15, 0.92, 1.3)),
    "Lu 2013": ((23, 1.75, 0.41), (22, 1.11, 0.33)),
    "Zengxu 2012": ((47, 0.7, 0.2), (100, 0.45, 0.11)),
    "Chunlong 2013": ((21, 1.42, 0.58), (43, 1.46, 0.5)),
    "Jiu-ming 2013": ((30, 1.8, 0.312), (20, 1.3, 0.241)),
    "Yan 2008": ((44, 1.42, 0.26), (31, 0.91, 0.17)),
    "Pozzi 2012": ((10, 0.646, 0.368), (23, 1.241, 0.4)),
    "Geith 2014": ((26, 1.76, 1.84), (20, 1.31, 1.42)),
}


def _dataset(X: pd.DataFrame, y: np.ndarray, positive: str = "malignant") -> Dataset:
    """Return a dataset with one vertebra per patient and no covariate."""
    units = pd.Index([f"P{number:04d}" for number in range(len(y))])
    subjects = pd.Series(units, index=units)
    return Dataset(
        X=X.set_axis(units),
        y=pd.Series(y, index=units),
        groups=subjects,
        covariates=pd.DataFrame(index=units),
        audit=pd.DataFrame(),
        info=pd.DataFrame({"subject_id": subjects, "level": "L1", "site": "", "session": ""}),
        outcome="diagnosis",
        positive=positive,
        negative="other",
    )


def _clustered(classes, patients: int, icc: float = 0.4):
    """Return 1 to 4 vertebrae per patient; each vertebra has the published mean and deviation."""
    rng = np.random.default_rng(20261122)
    groups = np.repeat(np.arange(patients), rng.integers(1, 5, patients))
    y = groups % 2
    own = rng.normal(size=patients)[groups]
    z = np.sqrt(icc) * own + np.sqrt(1 - icc) * rng.normal(size=len(groups))
    mean, sd = (np.where(y == 1, a, b) for a, b in zip(*classes, strict=True))
    return y, mean + sd * z, groups


@pytest.mark.parametrize("name", BINORMAL)
def test_auc_of_published_quantities_with_several_vertebrae_per_patient(name):
    positive, negative, printed = BINORMAL[name]
    truth = norm.cdf((positive[0] - negative[0]) / np.hypot(positive[1], negative[1]))
    assert truth == pytest.approx(printed, abs=5e-4)
    auc = clustered_auc(*_clustered((positive, negative), 6000))
    assert auc.standard_error < 0.006
    assert abs(auc.estimate - truth) < 3.3 * auc.standard_error


def test_sensitivity_and_specificity_of_the_angle_at_5_degrees():
    grid = norm.ppf((np.arange(4000) + 0.5) / 4000)
    for (mean, sd), exceeds, expected in zip(ANGLE, (True, False), (0.672, 0.751), strict=True):
        exact = clustered_proportion(((mean + sd * grid) > 5) == exceeds, np.arange(4000))
        assert exact.estimate == pytest.approx(expected, abs=5e-4)
    y, angle, groups = _clustered(ANGLE, 6000)
    for label, expected in ((1, 0.672), (0, 0.751)):
        rows = y == label
        share = clustered_proportion((angle[rows] > 5) == bool(label), groups[rows], 0.999)
        assert share.ci_low < expected < share.ci_high
        assert share.ci_high - share.ci_low < 0.06


def _sign(malignant: tuple[int, int], benign: tuple[int, int]):
    """Return the row of `adjust` for a sign, from present and all vertebrae of each class."""
    sign = [float(i < hits) for hits, total in (malignant, benign) for i in range(total)]
    y = np.repeat([1, 0], [malignant[1], benign[1]])
    gee = adjust(_dataset(pd.DataFrame({"sign": sign}), y), correlation=["independence"]).frame()
    return gee.iloc[0]


def test_odds_ratio_of_the_2x2_table_of_baur():
    """Two benign fractures show the sign, so the package penalises; three times the table needs none."""
    row = _sign((21, 52), (2, 35))
    assert "Firth" in row["method"]
    # The penalised estimate of a 2x2 table adds one half to each cell.
    assert row["estimate"] == pytest.approx(21.5 * 33.5 / (31.5 * 2.5), rel=1e-4)
    assert row["ci_low"] < 11.18 < row["ci_high"]
    larger = _sign((63, 156), (6, 105))
    assert "Firth" not in larger["method"]
    assert larger["estimate"] == pytest.approx(11.18, abs=5e-3)


def test_an_empty_cell_gives_a_finite_odds_ratio():
    row = _sign((21, 29), (0, 23))  # no benign fracture shows the sign: the raw odds ratio is infinite
    assert row["estimate"] == pytest.approx(21.5 * 23.5 / (8.5 * 0.5), rel=1e-4)
    assert 1 < row["ci_low"] < row["estimate"] < row["ci_high"]


def _study(benign, malignant) -> tuple[float, int]:
    """Return Hedges g of a study from the package, and n - 2, for data with its exact moments."""
    parts = []
    for n, mean, sd in (benign, malignant):
        z = norm.ppf((np.arange(n) + 0.5) / n)
        parts.append(mean + sd * z / z.std(ddof=1))
    y = np.repeat([1, 0], [benign[0], malignant[0]])
    row = associate(_dataset(pd.DataFrame({"ADC": np.concatenate(parts)}), y, "benign")).frame().iloc[0]
    return row["hedges_g"], len(y) - 2


def test_meta_analysis_of_the_apparent_diffusion_coefficient():
    counts = np.array([(benign[0], malignant[0]) for benign, malignant in ADC.values()])
    assert counts.sum(axis=0).tolist() == [312, 350]
    g, freedom = np.array([_study(*study) for study in ADC.values()]).T
    correction = 1 - 3 / (4 * freedom - 1)
    for effect, expected in (
        (g, (1.79, 0.97, 2.62)),
        (g / correction, (1.82, 0.99, 2.66)),  # Cohen d; the paper prints 1.81 (0.98 to 2.64)
    ):
        variance = counts.sum(axis=1) / counts.prod(axis=1) + effect**2 / (2 * counts.sum(axis=1))
        pooled = combine_effects(effect, variance, method_re="dl").summary_frame().loc["random effect"]
        found = (pooled["eff"], pooled["ci_low"], pooled["ci_upp"])
        assert found == pytest.approx(expected, abs=0.0051)
    assert pooled["eff"] / pooled["sd_eff"] == pytest.approx(4.27, abs=0.005)  # as the paper prints it
