"""The intraclass correlations against psych, the table of Shrout and Fleiss, and simulated truth."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from scipy import stats

from radiomics_vert.errors import AnalysisError
from radiomics_vert.statistics.icc import FORMS, icc, icc_bootstrap, icc_estimate, mean_squares

GOLDEN = json.loads((Path(__file__).parents[1] / "golden" / "icc_psych.json").read_text("utf-8"))
CLASSIC = np.array(
    [[9, 2, 5, 8], [6, 1, 3, 2], [8, 4, 6, 8], [7, 1, 2, 6], [10, 5, 6, 9], [6, 2, 4, 7]], dtype=float
)
T, J = np.arange(1, 13)[:, None], np.arange(1, 4)[None, :]
MADE = (7 * T) % 13 + 0.5 * J + ((5 * T + 11 * J) % 7) / 2
NEGATIVE = (29 * T + 17 * J * T) % 11 + 4.0 * ((T + J) % 3)
TABLES = {"classic": CLASSIC, "made": MADE, "negative": NEGATIVE}


def test_the_published_example_of_shrout_and_fleiss():
    found = icc(CLASSIC[:, :, None])
    printed = [round(float(found[form].estimate[0]), 2) for form in FORMS]
    assert printed == [0.17, 0.29, 0.71, 0.44, 0.62, 0.91]


@pytest.mark.parametrize("name", TABLES)
@pytest.mark.parametrize("form", FORMS)
def test_estimates_limits_and_tests_equal_those_of_psych(name: str, form: str):
    found = icc(TABLES[name][:, :, None])[form]
    ours = [float(part[0]) for part in found]
    assert ours == pytest.approx(GOLDEN[name][form], rel=1e-7)


def test_features_of_one_cube_do_not_touch_each_other():
    # Two features share a cube; the second one has a missing value in a target of the first.
    cube = np.stack([MADE, NEGATIVE, MADE * -1e6 + 3e9], axis=2)
    cube[4, 1, 1] = np.nan
    found = icc(cube)["ICC(2,1)"]
    alone = icc(np.delete(NEGATIVE, 4, axis=0)[:, :, None])["ICC(2,1)"]
    assert found.estimate[0] == pytest.approx(GOLDEN["made"]["ICC(2,1)"][0])
    assert found.estimate[1] == pytest.approx(alone.estimate[0])
    assert found.ci_low[1] == pytest.approx(alone.ci_low[0])
    # A linear change of scale leaves the coefficient as it is.
    assert found.estimate[2] == pytest.approx(found.estimate[0], rel=1e-6)
    assert mean_squares(cube).n.tolist() == [12, 11, 12]


def test_perfect_agreement_is_one_and_nothing_varying_is_undefined():
    same = np.repeat(np.array([1.1, 2.3, 5.7])[:, None], 4, axis=1)
    offset = same + np.array([0.0, 1.0, 2.0, 3.0])
    cube = np.stack([same, np.full_like(same, 0.1), offset], axis=2)
    found = icc(cube)
    for form in FORMS:
        assert [float(part[0]) for part in found[form][:3]] == [1.0, 1.0, 1.0]
        assert found[form].p_value[0] == 0.0
        assert np.isnan([part[1] for part in found[form]]).all()
    # Constant offsets lower agreement (2,1) but not consistency (3,1).
    assert found["ICC(3,1)"].estimate[2] == pytest.approx(1.0)
    assert found["ICC(2,1)"].estimate[2] < 0.85


def test_a_mean_form_without_lower_bound_is_minus_infinity_not_a_flipped_sign():
    rng = np.random.default_rng(3)
    values = rng.normal(size=(3, 4, 400))
    values -= values.mean(axis=1, keepdims=True) * 0.95
    found = icc(values)
    single, mean = found["ICC(2,1)"], found["ICC(2,k)"]
    below = single.ci_low <= -1 / 3
    assert below.any()
    assert np.isneginf(mean.ci_low[below]).all()
    assert (mean.ci_low <= mean.ci_high).all()


@pytest.mark.parametrize("shape", [(6, 4), (6, 1, 2)])
def test_too_few_raters_or_dimensions_are_refused(shape: tuple[int, ...]):
    with pytest.raises(AnalysisError, match="RV503"):
        icc(np.ones(shape))


def test_an_unknown_form_is_refused_by_name():
    with pytest.raises(AnalysisError, match=r"ICC\(4,1\)"):
        icc_estimate(mean_squares(MADE[:, :, None]), "ICC(4,1)")


def test_weights_count_targets_as_often_as_repeating_them_would():
    counts = np.array([0, 2, 1, 3, 0, 1, 1, 1, 0, 2, 1, 1])
    weighted = mean_squares(MADE[:, :, None], counts[None].astype(float))
    repeated = mean_squares(np.repeat(MADE, counts, axis=0)[:, :, None])
    for ours, plain in zip(weighted[:5], repeated[:5], strict=True):
        assert ours.shape == (1, 1)
        assert ours[0, 0] == pytest.approx(plain[0])


def _clustered(rng: np.random.Generator, patients: int, features: int):
    """Four vertebrae per patient, most of their variation between patients; the ICC is 0.8."""
    groups = np.repeat(np.arange(patients), 4)
    patient = rng.normal(size=(patients, features))[groups] * np.sqrt(0.9)
    vertebra = rng.normal(size=(len(groups), features)) * np.sqrt(0.1)
    noise = 0.5 * rng.normal(size=(len(groups), 2, features))
    return (patient + vertebra)[:, None] + noise, groups


def test_the_bootstrap_over_patients_covers_where_the_f_interval_does_not():
    values, groups = _clustered(np.random.default_rng(5), 60, 500)
    low, high = icc_bootstrap(values, groups, "ICC(2,1)", n_bootstrap=400)
    found = icc(values)["ICC(2,1)"]
    by_patient = ((low < 0.8) & (high > 0.8)).mean()
    by_vertebra = ((found.ci_low < 0.8) & (found.ci_high > 0.8)).mean()
    assert by_patient > 0.91
    assert by_vertebra < 0.88


def test_bootstrap_limits_equal_those_of_scipy():
    def coefficient(rows: np.ndarray) -> float:
        return float(icc_estimate(mean_squares(MADE[rows][:, :, None]), "ICC(2,1)")[0])

    ours = icc_bootstrap(MADE[:, :, None], np.arange(12), "ICC(2,1)", n_bootstrap=20000)
    rng = np.random.default_rng(0)
    theirs = stats.bootstrap(
        (np.arange(12),), coefficient, vectorized=False, n_resamples=3000, method="BCa", rng=rng
    ).confidence_interval
    assert [float(limit[0]) for limit in ours] == pytest.approx([theirs.low, theirs.high], abs=0.012)


def test_the_bootstrap_depends_on_its_seed_only():
    values, groups = _clustered(np.random.default_rng(6), 12, 3)
    first = icc_bootstrap(values, groups, "ICC(1,1)", n_bootstrap=200, seed=1)
    alone = icc_bootstrap(values[:, :, 1:2], groups, "ICC(1,1)", n_bootstrap=200, seed=1)
    other = icc_bootstrap(values, groups, "ICC(1,1)", n_bootstrap=200, seed=2)
    assert np.allclose([first[0][1], first[1][1]], [alone[0][0], alone[1][0]])
    assert not np.allclose(first[0], other[0])


def test_the_bootstrap_needs_three_patients():
    low, high = icc_bootstrap(MADE[:, :, None], np.arange(12) % 2, "ICC(2,1)", n_bootstrap=50)
    assert np.isnan([low, high]).all()
