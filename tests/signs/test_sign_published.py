"""Published scores from measured signs: the tables' arithmetic, and absence where a finding is absent."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from radiomics_vert.cohort import Level
from radiomics_vert.signs.nouns import Absent
from radiomics_vert.signs.published import measure

SOUND = {"pw_bulge_mm": 0.0, "pedicle_trom_min": 1.0, "pe_replaced_frac": 0.0, "band_score": 0.0}
CT = {
    "loss_max": 0.0, "lytic_frac": 0.0, "blastic_frac": 0.0, "pedicle_min_ratio": 1.0, "pedicle_asym": 0.0,
}  # fmt: skip


def scores(level: Level = Level.L1, tilt: float = 0.0, **values: object) -> dict[str, object]:
    quality = SimpleNamespace(tilt_deg=tilt)
    vertebra = SimpleNamespace(label=20, level=level, frame=SimpleNamespace(quality=quality))
    spine = SimpleNamespace(framed=lambda: [vertebra])
    return dict(measure(spine, {"all": {20: {**SOUND, **CT, **values}}})[20])  # type: ignore[arg-type,dict-item]


@pytest.mark.parametrize(
    ("changed", "expected"),
    [
        ({}, 0.007),
        ({"pw_bulge_mm": 2.5}, 0.246),
        ({"pw_bulge_mm": 2.5, "pedicle_trom_min": 0.5}, 0.873),
        ({"pw_bulge_mm": 2.5, "pedicle_trom_min": 0.5, "pe_replaced_frac": 0.4}, 0.993),
        ({"band_score": 0.9}, 0.0003),
        # An angular fragment is retropulsion, a convex wall is protrusion.
        ({"pw_bulge_mm": 4.0, "pw_angularity": 0.8}, 0.007),
        ({"pw_bulge_mm": 4.0, "pw_angularity": -0.5}, 0.246),
    ],
)
def test_takigawa_gives_the_published_values(changed: dict[str, float], expected: float) -> None:
    assert scores(**changed)["takigawa_p"] == pytest.approx(expected, abs=6e-4)


@pytest.mark.parametrize(
    ("changed", "points"),
    [
        ({}, 3),
        ({"level": Level.L3}, 2),
        ({"lytic_frac": 0.2}, 5),
        ({"lytic_frac": 0.2, "blastic_frac": 0.1}, 4),
        ({"loss_max": 0.3}, 5),
        ({"loss_max": 0.6}, 6),
        ({"lytic_frac": 0.7}, 6),
        ({"pedicle_min_ratio": 0.3, "pedicle_asym": 0.5}, 4),
        ({"pedicle_min_ratio": 0.3, "pedicle_asym": 0.0}, 6),
        ({"tilt": 20.0}, 5),
    ],
)
def test_sins_adds_the_points_of_its_parts(changed: dict[str, object], points: int) -> None:
    assert scores(**changed)["sins_imaging"] == points  # type: ignore[arg-type]


def test_a_missing_finding_makes_the_score_absent_and_is_named() -> None:
    found = scores(band_score=Absent("RV332", "not on CT"), lytic_frac=Absent("RV333", "no reference"))
    assert found["takigawa_p"] == Absent("RV338", "it needs band_score, which is absent here: not on CT")
    assert found["sins_imaging"] == Absent("RV338", "it needs lytic_frac, which is absent here: no reference")
