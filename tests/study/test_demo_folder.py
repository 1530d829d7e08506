"""The demo makes its cohort once, and again when another version has drawn it."""

from __future__ import annotations

from pathlib import Path

import pytest

from radiomics_vert.study import demo


@pytest.fixture
def made(monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    """Stand in for the minute that drawing takes: a cohort is its record."""
    calls: list[Path] = []

    def make(folder: Path, **_: object) -> None:
        calls.append(folder)
        folder.mkdir(exist_ok=True)
        (folder / "made.json").write_text("now", encoding="utf-8")

    def is_made(folder: Path) -> bool:
        file = folder / "made.json"
        return file.is_file() and file.read_text("utf-8") == "now"

    monkeypatch.setattr(demo, "make_cohort", make)
    monkeypatch.setattr(demo, "is_made", is_made)
    return calls


def test_a_cohort_is_kept_until_another_version_would_draw_it(tmp_path: Path, made: list[Path]) -> None:
    folder = tmp_path / "demo"
    demo.prepare_demo(folder)
    demo.prepare_demo(folder)
    assert made == [folder / "cohort"]
    (folder / "cohort" / "made.json").write_text("then", encoding="utf-8")
    demo.prepare_demo(folder)
    assert made == [folder / "cohort"] * 2
