"""The generated pages say what the package does today, and the package keeps what they promise."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from dataclasses import fields
from pathlib import Path
from typing import get_args

import pytest
from pydantic import BaseModel

from docs import generate
from docs.pages import (
    PACKAGE,
    codes_page,
    commands_page,
    level_runs,
    meanings,
    places,
    schemes_page,
    settings_page,
    table,
)
from radiomics_vert.cohort import Level, load_scheme, scheme_names
from radiomics_vert.config import StudySettings
from radiomics_vert.dataset import DxaColumns
from radiomics_vert.errors import CODES


def settings_of(model: type[BaseModel], prefix: str = "") -> Iterator[tuple[str, str, object, str]]:
    for name, field in model.model_fields.items():
        kind = field.annotation
        yield f"{prefix}{name}", name, kind, field.description or ""
        if isinstance(kind, type) and issubclass(kind, BaseModel):
            yield from settings_of(kind, f"{prefix}{name}.")


SETTINGS = list(settings_of(StudySettings))


def attributes_read(paths: list[Path]) -> set[str]:
    trees = [ast.parse(path.read_text("utf-8")) for path in paths]
    return {node.attr for tree in trees for node in ast.walk(tree) if isinstance(node, ast.Attribute)}


def has_one_value(kind: object) -> bool:
    """A setting with one allowed value has nothing to be read: it exists to refuse the others."""
    return len(get_args(kind)) == 1 and isinstance(get_args(kind)[0], str)


def test_generated_files_are_current() -> None:
    assert generate.stale() == [], "run `make docs`"


def test_check_names_what_is_out_of_date_and_write_mends_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(generate, "FILES", {"docs/a.md": lambda: "new\n", "docs/b.md": lambda: "b\n"})
    (tmp_path / "docs").mkdir()
    (tmp_path / "docs" / "a.md").write_text("old\n")
    (tmp_path / "docs" / "b.md").write_text("b\n")
    assert generate.stale(tmp_path) == ["docs/a.md"]
    monkeypatch.setattr(generate, "stale", lambda: ["docs/a.md"])
    assert generate.main(["--check"]) == 1
    assert "docs/a.md" in capsys.readouterr().out
    monkeypatch.setattr(generate, "stale", lambda root: ["docs/a.md"])
    assert generate.write(tmp_path) == ["docs/a.md"]
    assert (tmp_path / "docs" / "a.md").read_text() == "new\n"


def test_check_is_silent_when_all_is_current(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(generate, "stale", list)
    assert generate.main(["--check"]) == 0
    assert capsys.readouterr().out == ""
    assert generate.main(["--chek"]) == 2


@pytest.mark.parametrize(("path", "description"), [(path, text) for path, _, _, text in SETTINGS])
def test_every_setting_is_described(path: str, description: str) -> None:
    assert len(description) > 15, path
    assert description.rstrip().endswith("."), path


@pytest.mark.parametrize(("path", "name", "kind"), [row[:3] for row in SETTINGS])
def test_every_setting_is_read_by_the_study_or_the_command_line(path: str, name: str, kind: object) -> None:
    readers = [*(PACKAGE / "study").glob("*.py"), *(PACKAGE / "cli").glob("*.py")]
    # Settings of DXA are handed over whole: a name that its columns do not know is an error there.
    handed = path in {f"dxa.{field.name}" for field in fields(DxaColumns)}
    assert has_one_value(kind) or handed or name in attributes_read(readers), f"{path} changes nothing"


def test_settings_page_tells_defaults_ranges_and_what_is_hashed() -> None:
    page = settings_page()
    for path, _, kind, _ in SETTINGS:
        if not (isinstance(kind, type) and issubclass(kind, BaseModel)):
            assert f"`{path}`" in page, path
    assert "| `outcome.column` | text | **required** |" in page
    assert "| `validation.repeats` | whole number, at least 1 | `10` |" in page
    assert "| `association.fdr` | number, above 0, below 1 | `0.05` |" in page
    assert "| `cohort.region` | `vertebra`, `body` | `vertebra` |" in page
    execution = page[page.index("## `execution`") :]
    assert "left out of the hash" in execution
    assert page.count("left out of the hash") == 1


def test_every_code_is_explained_and_has_an_anchor() -> None:
    assert set(meanings()) == set(CODES)
    page = codes_page()
    for code, title in CODES.items():
        assert f'<a id="{code.lower()}"></a>\n\n### {code} {title}\n' in page
        assert len(meanings()[code]) > 20, code


@pytest.mark.parametrize("code", CODES)
def test_every_code_is_used(code: str) -> None:
    assert places()[code], f"{code} {CODES[code]} is used nowhere in the package"


def test_no_code_is_used_that_is_not_listed() -> None:
    assert set(places()) == set(CODES)


def test_scheme_page_has_every_scheme_with_its_numbers() -> None:
    page = schemes_page()
    for name in scheme_names():
        assert f"| `{name}` | {load_scheme(name).title} |" in page
    assert "L1–L5 31–27, S1 26 | the whole vertebra" in page  # TotalSegmentator, task total
    assert "L1–L5 20–24 | the body only" in page  # TotalSegmentator, task vertebrae_pp


@pytest.mark.parametrize(
    ("vertebrae", "expected"),
    [
        ({Level.L1: (20,), Level.L2: (21,), Level.L3: (22,)}, "L1–L3 20–22"),
        ({Level.L1: (31,), Level.L2: (30,)}, "L1–L2 31–30"),
        ({Level.T12: (19,), Level.L1: (20,)}, "T12 19, L1 20"),
        ({Level.L1: (1,), Level.L2: (3,), Level.L3: (4,)}, "L1 1, L2–L3 3–4"),
        ({Level.L1: (5, 105), Level.L2: (4, 104)}, "L1–L2 5–4 or 105–104"),
        ({Level.L1: (1,), Level.L2: (2,), Level.L3: (1,)}, "L1–L2 1–2, L3 1"),
    ],
)
def test_runs_of_levels(vertebrae: dict[Level, tuple[int, ...]], expected: str) -> None:
    assert level_runs(vertebrae) == expected


def test_commands_page_has_every_command_with_its_options() -> None:
    page = commands_page()
    named = {
        "init",
        "check",
        "extract",
        "analyze",
        "validate",
        "report",
        "run",
        "demo",
        "schemes",
        "versions",
    }
    assert named <= set(re.findall(r"^## (\w+)$", page, re.MULTILINE))
    assert "radiomics-vert validate [STUDY] [OPTIONS]" in page
    assert "| `--repeats` |   | Repetitions (with --features; 10 unless given). |" in page
    assert "`--workers, -j`" in page


def test_bars_and_line_breaks_in_cells_do_not_break_a_table() -> None:
    assert table(("a", "b"), [("x|y", "two\nlines")]) == "| a | b |\n| --- | --- |\n| x\\|y | two lines |"
