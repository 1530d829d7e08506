"""Names and order of the vertebral levels."""

from __future__ import annotations

import pytest

from radiomics_vert.cohort import Level


@pytest.mark.parametrize(
    ("text", "level"),
    [
        ("L1", Level.L1),
        (" l1 ", Level.L1),
        ("Th12", Level.T12),
        ("TH 12", Level.T12),
        ("D12", Level.T12),
        ("T04", Level.T4),
        ("LWK 1", Level.L1),
        ("BWK12", Level.T12),
        ("HWK-7", Level.C7),
        ("T13", Level.T13),
        ("L6", Level.L6),
        ("sacrum", Level.SACRUM),
        ("S1", Level.S1),
        ("Coccyx", Level.COCCYX),
    ],
)
def test_spellings(text: str, level: Level) -> None:
    assert Level.parse(text) is level


@pytest.mark.parametrize("text", ["", "C8", "T14", "L8", "L0", "L", "12", "L1-L2", "vertebra"])
def test_no_levels(text: str) -> None:
    with pytest.raises(ValueError, match="is no vertebral level"):
        Level.parse(text)


def test_levels_run_from_the_head_down() -> None:
    spine = [Level.C7, Level.T1, Level.T12, Level.T13, Level.L1, Level.L5, Level.L6, Level.S1, Level.COCCYX]
    assert sorted([*spine[5:], *spine[:5]]) == spine
    assert Level.C1.order == 0
    assert Level.T12 < Level.L1 <= Level.L1 < Level.SACRUM
    assert Level.S2 > Level.S1 >= Level.S1 > Level.L5


def test_regions() -> None:
    regions = [
        level.region for level in (Level.C7, Level.T13, Level.L7, Level.SACRUM, Level.S6, Level.COCCYX)
    ]
    assert regions == ["cervical", "thoracic", "lumbar", "sacral", "sacral", "coccygeal"]
