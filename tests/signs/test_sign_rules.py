"""Grades, types, trends, patterns and published scores: the arithmetic."""

from __future__ import annotations

import math

import numpy as np
import pytest

from radiomics_vert.cohort import Level
from radiomics_vert.signs.baselines import (
    sins_collapse,
    sins_imaging,
    sins_location,
    t_score,
    t_score_class,
    takigawa_probability,
)
from radiomics_vert.signs.heights import fracture_type, genant_grade
from radiomics_vert.signs.patient import alternation, runs_z
from radiomics_vert.signs.references import (
    Heights,
    Losses,
    choose_references,
    losses_against,
    theil_sen,
)
from radiomics_vert.signs.shapes import angularity


@pytest.mark.parametrize(
    ("findings", "expected"),
    [
        ((0, 0, 0, 0), 0.0067),
        ((1, 0, 0, 0), 0.246),
        ((1, 1, 0, 0), 0.873),
        ((1, 1, 1, 0), 0.993),
        ((0, 0, 0, 1), 0.0003),
    ],
)
def test_takigawa_gives_the_published_arithmetic(findings, expected):
    names = ("posterior_protrusion", "pedicle", "posterior_elements", "band")
    found = takigawa_probability(**{name: bool(value) for name, value in zip(names, findings, strict=True)})
    assert found == pytest.approx(expected, abs=5e-4 if expected > 0.01 else 5e-5)


@pytest.mark.parametrize(
    ("t", "expected"),
    [
        (0.3, "normal"),
        (-1.0, "normal"),
        (-1.0001, "osteopenia"),
        (-2.4999, "osteopenia"),
        (-2.5, "osteoporosis"),
        (-4.0, "osteoporosis"),
    ],
)
def test_t_score_boundaries_are_exact(t, expected):
    assert t_score_class(t, sex="F", age=62, postmenopausal=True) == expected
    assert t_score_class(t, sex="M", age=50) == expected


def test_t_score_applies_to_post_menopausal_women_and_men_from_fifty():
    assert t_score_class(-3, sex="M", age=49.9) == "use the Z-score"
    assert t_score_class(-3, sex="F", age=70) == "use the Z-score"
    assert t_score_class(-3, sex="F", age=45, postmenopausal=True, fragility=True) == "severe osteoporosis"
    assert t_score_class(-2, sex="M", age=80, fragility=True) == "osteopenia"
    with pytest.raises(ValueError, match="sex"):
        t_score_class(-1, sex="X", age=60)
    with pytest.raises(ValueError, match="finite"):
        t_score_class(math.nan, sex="M", age=60)
    assert t_score(0.75, 1.0, 0.1) == pytest.approx(-2.5)
    with pytest.raises(ValueError, match="positive"):
        t_score(1, 1, 0)


def test_sins_points():
    levels = {
        "C2": 3,
        "C4": 2,
        "C7": 3,
        "T2": 3,
        "T3": 1,
        "T10": 1,
        "T11": 3,
        "L1": 3,
        "L2": 2,
        "L5": 3,
        "S1": 3,
        "S2": 0,
    }
    assert {name: sins_location(Level(name)) for name in levels} == levels
    assert [sins_collapse(loss) for loss in (0.0, 0.19, 0.2, 0.5, 0.51)] == [0, 0, 2, 2, 3]
    assert sins_collapse(0.1, 0.51) == 1
    worst = sins_imaging(
        Level.L1, lesion="lytic", alignment="translation", height_loss=0.7, involved_share=1.0,
        posterolateral="bilateral",
    )  # fmt: skip
    assert worst == 15
    with pytest.raises(KeyError):
        sins_imaging(
            Level.L1, lesion="odd", alignment="normal", height_loss=0, involved_share=0, posterolateral="none"
        )


def test_genant_grades_begin_at_their_limits():
    limits = {0.1999: 0, 0.20: 1, 0.2499: 1, 0.25: 2, 0.3999: 2, 0.40: 3, -0.1: 0}
    assert {loss: genant_grade(loss) for loss in limits} == limits


@pytest.mark.parametrize(
    ("losses", "expected"),
    [
        ((0.19, 0.19, 0.19), "none"),
        ((0.30, 0.15, 0.05), "wedge"),
        ((0.35, 0.30, 0.22), "wedge"),
        ((0.30, 0.30, 0.21), "crush"),
        ((0.05, 0.30, 0.02), "biconcave"),
        ((0.02, 0.10, 0.25), "biconcave"),
    ],
)
def test_types_of_fracture(losses, expected):
    assert fracture_type(Losses(*losses)) == expected


def test_theil_sen_ignores_one_wild_point_and_needs_three():
    assert theil_sen([0, 1, 2, 3, 4], [1, 2, 3, 90, 5], 5) == pytest.approx(6)
    assert theil_sen([0, 1], [1, 3], 9) == pytest.approx(2)


def lumbar(*factors: float) -> tuple[dict[int, int], dict[int, Heights]]:
    """Heights that grow by 3 % a level, times a factor each."""
    places = {label: label for label in range(len(factors))}
    heights = {k: Heights(*(f * 20 * 1.03**k for _ in range(3))) for k, f in enumerate(factors)}
    return places, heights


def test_references_are_the_unfractured_ones():
    places, heights = lumbar(1, 1, 0.6, 1, 0.8, 1, 1)
    kept = choose_references(list(places), places, heights)
    assert kept == (0, 1, 3, 5, 6)
    found = losses_against(4, kept, places, heights)
    assert found is not None
    assert found.largest == pytest.approx(0.2, abs=1e-9)


def test_references_lie_within_three_levels():
    places, heights = lumbar(1, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5)
    assert losses_against(6, (0,), places, heights) is None
    assert losses_against(3, (0,), places, heights) is not None


def test_alternation_and_runs():
    assert alternation([True, False, True]) == 1
    assert math.isnan(alternation([True]))
    assert math.isnan(runs_z([True, True]))
    assert runs_z([True, False] * 4) > 2 > -2 > runs_z([True] * 5 + [False] * 5)
    # Wald and Wolfowitz by hand: n1 = 3, n2 = 5, 4 runs: (4 - 4.75) / sqrt(30 * 22 / (64 * 7))
    order = [True, False, False, True, True, False, False, False]
    assert runs_z(order) == pytest.approx((4 - 4.75) / math.sqrt(30 * 22 / (64 * 7)))


def test_angularity_survives_digitisation():
    t = np.linspace(0, 1, 60)
    arc, angle = 4 * 4 * t * (1 - t), 4 * (1 - np.abs(2 * t - 1))
    for step in (0.25, 0.5, 1.0):
        assert angularity(t, np.round(arc / step) * step, step) < -0.3
        assert angularity(t, np.round(angle / step) * step, step) > 0.3
    assert angularity(t[:3], arc[:3], 1.0) is None
    # Through voxels of half its depth an arc and an angle are one.
    assert angularity(t, np.round(arc / 2) * 2, 2.0) is None
