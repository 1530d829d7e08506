"""The drawn truth: who is fractured, how the classes differ, how patients cluster."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
import pytest

from radiomics_vert.cohort.levels import Level
from radiomics_vert.errors import SettingsError
from radiomics_vert.synthetic import SyntheticSpec
from radiomics_vert.synthetic.drawing import draw_patient
from radiomics_vert.synthetic.effects import normal_density

PATIENTS = 400


@pytest.fixture(scope="module")
def truth() -> pd.DataFrame:
    spec = SyntheticSpec(patients=PATIENTS)
    return pd.DataFrame([row for k in range(PATIENTS) for row in draw_patient(spec, k).rows()])


@pytest.fixture(scope="module")
def fractures(truth: pd.DataFrame) -> pd.DataFrame:
    return truth[truth["fractured"]]


def auc(positive: pd.Series, negative: pd.Series) -> float:
    """Share of pairs in which the positive is larger, ties counted half."""
    difference = positive.to_numpy()[:, None] - negative.to_numpy()[None, :]
    return float(((difference > 0) + 0.5 * (difference == 0)).mean())


def test_every_patient_has_one_to_four_fractures_among_intact_neighbours(truth):
    counts = truth.groupby("subject_id")["fractured"].agg(["sum", "size"])
    assert set(counts["sum"]) == {1, 2, 3, 4}
    assert (counts["size"] - counts["sum"]).min() >= 2
    assert 1.3 <= counts["sum"].mean() <= 2.2  # the range of published cohorts


def test_levels_are_consecutive_between_t10_and_l5(truth):
    field = ["T10", "T11", "T12", "L1", "L2", "L3", "L4", "L5"]
    starts = set()
    for _, levels in truth.groupby("subject_id")["level"]:
        first = field.index(levels.iloc[0])
        assert list(levels) == field[first : first + len(levels)]
        starts.add(first)
    assert len(starts) >= 4


def test_shares_of_classes(truth, fractures):
    cancer = truth.groupby("subject_id")["cancer"].first()
    assert cancer.sum() == 0.45 * PATIENTS
    metastatic = fractures["diagnosis"] == "metastatic"
    assert not metastatic[~fractures["cancer"]].any()
    benign = (~metastatic[fractures["cancer"]]).mean()
    assert 0.05 < benign <= 1 / 3  # up to one third of fractures in cancer patients are benign
    assert fractures[metastatic].groupby("subject_id").size().shape[0] == cancer.sum()
    both = fractures.groupby("subject_id")["diagnosis"].nunique() == 2
    assert 0.05 * PATIENTS < both.sum() < 0.3 * PATIENTS


@pytest.mark.parametrize(
    ("sign", "appearance", "published"),
    [
        ("pedicle", "metastatic", 0.80),
        ("pedicle", "osteoporotic", 0.06),
        ("convex", "metastatic", 0.70),
        ("arch", "metastatic", 21 / 29),
        ("mass", "metastatic", 16 / 29),
        ("angled", "metastatic", 13 / 29),
        ("angled", "osteoporotic", 3 / 23),
        ("gas", "osteoporotic", 0.13),
        ("complete", "metastatic", 20 / 27),
        ("fluid", "osteoporotic", 21 / 52 * 0.87),  # where the cleft holds no gas
        ("fluid", "metastatic", 2 / 35),
    ],
)
def test_signs_have_their_published_frequency(fractures, sign, appearance, published):
    shown = fractures[fractures["appearance"] == appearance]
    present = {
        "pedicle": shown["pedicle_side"] != 0,
        "convex": shown["bulge"] > 0,
        "arch": shown["arch"],
        "mass": shown["rim_side"] != 0,
        "angled": shown["angled"],
        "gas": shown["gas"],
        "fluid": shown["fluid"],
        "complete": shown["t1_pattern"] == "complete",
    }[sign]
    # Conspicuity is shared within patients, so twice the binomial error is doubled.
    error = 4 * math.sqrt(published * (1 - published) / len(shown))
    assert abs(present.mean() - published) < error


def test_a_third_of_acute_osteoporotic_fractures_is_dark_all_over(fractures):
    shown = fractures[fractures["appearance"] == "osteoporotic"]
    acute = shown[shown["t1_pattern"] != "none"]
    assert abs((acute["t1_pattern"] == "complete").mean() - 26 / 75) < 0.11


def test_lateral_collapse_follows_suzuki(fractures):
    """Cut at 5 degrees: 71 % of metastatic and 22 % of osteoporotic fractures (Suzuki 2017)."""
    over = fractures.groupby("appearance")["lateral_angle"].agg(lambda angle: (angle.abs() >= 5).mean())
    assert over["metastatic"] == pytest.approx(0.68, abs=0.09)
    assert over["osteoporotic"] == pytest.approx(0.24, abs=0.09)


@pytest.mark.parametrize(
    ("column", "low", "high"),
    [
        ("trabecular_hu", 0.60, 0.82),
        ("t1_fraction", 0.65, 0.85),
        ("lytic_fraction", 0.60, 0.85),
        ("lateral_angle_size", 0.60, 0.82),
        ("age", 0.20, 0.40),
        ("striation", 0.12, 0.35),
    ],
)
def test_classes_differ_in_the_stated_direction_and_overlap(fractures, column, low, high):
    data = fractures.assign(lateral_angle_size=fractures["lateral_angle"].abs())
    metastatic = data["diagnosis"] == "metastatic"
    assert low < auc(data.loc[metastatic, column], data.loc[~metastatic, column]) < high


def test_patients_carry_the_stated_share_of_density_variance(truth):
    """One-way ANOVA estimate of the ICC, age and class taken out."""
    expected = truth["age"].map(normal_density) - 22 * (~truth["cancer"])
    residual = truth["trabecular_hu"] - expected
    groups = residual.groupby(truth["subject_id"])
    size = groups.size()
    between = (size * (groups.mean() - residual.mean()) ** 2).sum() / (len(size) - 1)
    within = ((residual - groups.transform("mean")) ** 2).sum() / (len(truth) - len(size))
    typical = (len(truth) - (size**2).sum() / len(truth)) / (len(size) - 1)
    icc = (between - within) / (between + (typical - 1) * within)
    assert 0.3 < icc < 0.5


def test_icc_of_the_spec_is_obeyed():
    free = SyntheticSpec(icc=0.0)
    tied = SyntheticSpec(icc=1.0)
    for index in range(5):
        assert len({round(v.trabecular_hu, 6) for v in draw_patient(tied, index).vertebrae}) == 1
        assert len({round(v.trabecular_hu, 6) for v in draw_patient(free, index).vertebrae}) > 1


def test_half_atypical_leaves_no_vertebral_sign():
    spec = SyntheticSpec(atypical_share=0.5)
    rows = [row for k in range(PATIENTS) for row in draw_patient(spec, k).rows() if row["fractured"]]
    data = pd.DataFrame(rows)
    metastatic = data["diagnosis"] == "metastatic"
    assert abs(auc(data.loc[metastatic, "t1_fraction"], data.loc[~metastatic, "t1_fraction"]) - 0.5) < 0.06


def test_genant_grade_follows_the_largest_loss(truth):
    losses = np.column_stack(
        [1 - truth[name] / truth[f"normal_{name}"] for name in ("anterior", "middle", "posterior")]
    ).max(axis=1)
    grade = np.select([losses < 0.20 - 1e-9, losses < 0.25, losses < 0.40], [0, 1, 2], 3)
    assert list(grade) == list(truth["genant_grade"])
    assert set(grade[truth["fractured"]]) == {1, 2, 3}


def test_a_patient_does_not_depend_on_the_number_of_patients_but_on_the_seed():
    first = draw_patient(SyntheticSpec(patients=4), 3)
    assert draw_patient(SyntheticSpec(patients=90), 3) == first
    assert draw_patient(SyntheticSpec(patients=4), 2).vertebrae != first.vertebrae
    assert draw_patient(SyntheticSpec(patients=4, seed=1), 3) != first


def test_normal_heights_per_level(truth):
    """Adult bodies: posterior height about 23 mm at T10, 28 mm at L2; L5 is wedged to the back."""
    mean = truth.groupby("level")[["normal_anterior", "normal_posterior", "width"]].mean()
    assert mean.loc["T10", "normal_posterior"] == pytest.approx(23, abs=1.5)
    assert mean.loc["L2", "normal_posterior"] == pytest.approx(28, abs=1.5)
    assert mean.loc["L5", "normal_anterior"] > mean.loc["L5", "normal_posterior"] + 1.5
    assert mean.loc["T11", "normal_anterior"] < mean.loc["T11", "normal_posterior"]
    widths = mean.loc[["T10", "T11", "T12", "L1", "L2", "L3", "L4", "L5"], "width"]
    assert widths.is_monotonic_increasing


@pytest.mark.parametrize(
    ("settings", "name"),
    [
        ({"patients": 0}, "patients"),
        ({"seed": -1}, "seed"),
        ({"sequences": ("CT", "PET")}, "sequences"),
        ({"sequences": ()}, "sequences"),
        ({"malignant_share": 1.2}, "malignant_share"),
        ({"atypical_share": 0.6}, "atypical_share"),
        ({"icc": math.nan}, "icc"),
    ],
)
def test_spec_refuses_what_it_cannot_make(settings, name):
    with pytest.raises(SettingsError) as caught:
        SyntheticSpec(**settings)
    (problem,) = caught.value.problems
    assert problem.code == "RV602"
    assert problem.where == f"SyntheticSpec.{name}"
    assert problem.found == repr(settings[name])


def test_spec_reports_all_problems_at_once():
    with pytest.raises(SettingsError) as caught:
        SyntheticSpec(patients=-3, icc=2.0)
    assert len(caught.value.problems) == 2


def test_rows_carry_levels_as_text(truth):
    assert {Level.parse(name) for name in truth["level"].unique()} >= {Level.T12, Level.L3}
