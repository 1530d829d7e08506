"""What the confounding audit warns of, each rule on both sides."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from radiomics_vert.checks import check_confounding
from radiomics_vert.dataset import Dataset
from radiomics_vert.statistics import audit_confounding

N = 60


@pytest.fixture
def clean() -> Dataset:
    """One vertebra of each of sixty patients at three sites, with twelve features of noise."""
    rng = np.random.default_rng(5)
    unit = pd.Index([f"P{row:02d}_L1" for row in range(N)])
    subject = pd.Series([f"P{row:02d}" for row in range(N)], index=unit)
    site = [("Hill", "Lake", "Moor")[row // 2 % 3] for row in range(N)]
    return Dataset(
        X=pd.DataFrame(rng.normal(size=(N, 12)), index=unit, columns=[f"f{j:02d}" for j in range(12)]),
        y=pd.Series(np.arange(N) % 2, index=unit),
        groups=subject,
        covariates=pd.DataFrame(index=unit),
        audit=pd.DataFrame(),
        info=pd.DataFrame({"subject_id": subject, "session": "", "level": "L1", "site": site}, index=unit),
        outcome="diagnosis",
        positive="metastatic",
        negative="osteoporotic",
    )


def found(dataset: Dataset):
    return check_confounding(audit_confounding(dataset))


def test_a_clean_cohort_has_no_finding(clean):
    assert found(clean) == []


def test_a_value_that_is_missing_in_one_class_is_warned_of(clean):
    gaps = clean.X.copy()
    gaps.loc[clean.X.index[clean.y == 1][:24], "f03"] = np.nan
    gaps.loc[clean.X.index[:9], "f04"] = np.nan
    (finding,) = found(replace(clean, X=gaps))
    assert (finding.code, finding.severity, finding.cases) == ("RV414", "warning", ("f03",))
    assert finding.explanation.startswith("f03 is missing in 80% of metastatic and 0% of osteoporotic:")
    # A sign may be absent by its definition.
    assert found(replace(clean, X=gaps.rename(columns={"f03": "sign_bulge_shape"}))) == []


def test_the_same_features_under_two_patients_are_warned_of(clean):
    copied = clean.X.copy()
    copied.iloc[7] = copied.iloc[3]
    copied.iloc[9] = copied.iloc[5] + 1e-6
    (finding,) = found(replace(clean, X=copied))
    assert (finding.code, finding.cases) == ("RV415", ("P03_L1 = P07_L1", "P05_L1 = P09_L1"))
    assert finding.explanation.startswith("2 pairs of vertebrae of different patients")
    assert "1 of them the same to the last digit; nearest: P03_L1 and P07_L1" in finding.explanation
    own = clean.groups.replace({"P07": "P03", "P09": "P05"})
    assert found(replace(clean, X=copied, groups=own)) == []


def test_a_site_with_one_class_is_warned_of(clean):
    site = clean.info["site"].copy()
    site.iloc[[1, 3, 5]] = "Port"
    (finding,) = found(replace(clean, info=clean.info.assign(site=site)))
    assert (finding.code, finding.cases) == ("RV520", ("Port",))
    assert finding.explanation.startswith("1 of 4 sites with one class (Port: only metastatic")
    site.iloc[0] = "Port"
    assert found(replace(clean, info=clean.info.assign(site=site))) == []
