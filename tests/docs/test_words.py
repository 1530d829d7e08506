"""Links lead somewhere, and nothing of the machine that made this repository stays in it."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest
import yaml

from docs.pages import ROOT
from radiomics_vert import __version__

TEXT = {
    ".md",
    ".py",
    ".yaml",
    ".yml",
    ".toml",
    ".txt",
    ".cfg",
    ".cff",
    ".json",
    ".csv",
    ".html",
    ".j2",
    ".css",
}
LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")
# Written in two parts, so that this file does not find itself.
MACHINE = ["/wo" + "rk/", "/ro" + "ot/", "rv-" + "venv", "/tmp/" + "bash_jobs"]
HOSTS = [
    "pypi" + ".org",
    "python" + "hosted.org",
    "conda" + ".anaconda.org",
    "--index" + "-url",
    "--extra-index" + "-url",
]


def tracked() -> list[Path]:
    done = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=False)
    if done.returncode:
        pytest.skip("not a git checkout")
    return [ROOT / name for name in done.stdout.split("\0") if name and (ROOT / name).is_file()]


def anchors(page: str) -> set[str]:
    headings = re.findall(r"^#+ (.+)$", page, re.MULTILINE)
    slugs = {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}
    return slugs | set(re.findall(r'<a id="([^"]+)"', page))


def dead_links(page: Path) -> list[str]:
    dead = []
    for link in LINK.findall(re.sub(r"```.*?```", "", page.read_text("utf-8"), flags=re.DOTALL)):
        if "://" in link:
            continue
        name, _, anchor = link.partition("#")
        target = page if not name else page.parent / name
        if not target.exists() or (anchor and anchor not in anchors(target.read_text("utf-8"))):
            dead.append(link)
    return dead


def test_links_between_pages_resolve() -> None:
    pages = [path for path in tracked() if path.suffix == ".md"]
    assert len(pages) >= 8
    assert {page.relative_to(ROOT).as_posix(): dead for page in pages if (dead := dead_links(page))} == {}


def test_dead_links_are_noticed(tmp_path: Path) -> None:
    (tmp_path / "b.md").write_text('# Two Words\n<a id="rv101"></a>\n')
    page = tmp_path / "a.md"
    page.write_text(
        "[1](b.md) [2](b.md#two-words) [3](b.md#rv101) [4](c.md) [5](b.md#none) [6](https://x.y/z)"
    )
    assert dead_links(page) == ["c.md", "b.md#none"]


@pytest.mark.parametrize("words", [MACHINE, HOSTS], ids=["machine paths", "registry hosts"])
def test_tracked_text_names_no_machine_and_no_registry(words: list[str]) -> None:
    found = {
        path.relative_to(ROOT).as_posix(): word
        for path in tracked()
        if path.suffix in TEXT or path.name in ("Makefile", "LICENSE")
        for word in words
        if word in path.read_text("utf-8", errors="replace")
    }
    assert found == {}


def test_version_is_the_same_everywhere() -> None:
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text("utf-8"))
    changelog = (ROOT / "CHANGELOG.md").read_text("utf-8")
    assert citation["version"] == __version__
    assert re.findall(r"^## \[([^\]]+)\]", changelog, re.MULTILINE)[0] == __version__
    assert 'dynamic = ["version"]' in (ROOT / "pyproject.toml").read_text("utf-8")


def test_the_files_that_users_fill_in_are_documented() -> None:
    """Every column that the reader of a table knows stands in data/README.md."""
    from radiomics_vert.cohort import clinical, manifest

    page = (ROOT / "data" / "README.md").read_text("utf-8")
    for column in (*manifest.REQUIRED, *manifest.OPTIONAL, *clinical.KEYS):
        assert f"| `{column}` |" in page, column
