"""The page as a file: well formed, self-contained, safe, the same bytes each time."""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Callable
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import matplotlib as mpl
import pandas as pd
import pytest
from made_study import HOSTILE

from radiomics_vert.reporting import Report, build_report, write_report
from radiomics_vert.reporting.write import render
from radiomics_vert.results import Result

VOID = {"meta", "link", "br", "img", "hr", "input"}
Make = Callable[..., list[Result]]


class Page(HTMLParser):
    """Collects what the tests ask about, and refuses tags that do not close in order."""

    def __init__(self, html: str) -> None:
        super().__init__(convert_charrefs=True)
        self.open: list[str] = []
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.headings: list[int] = []
        self.text: list[str] = []
        self.feed(html)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag in ("h1", "h2", "h3", "h4"):
            self.headings.append(int(tag[1]))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self.open, f"</{tag}> closes nothing"
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if not self.open or self.open[-1] != "style":
            self.text.append(data)

    def of(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.tags if name == tag]


@pytest.fixture(scope="module")
def html(report: Report) -> str:
    return render(report)


@pytest.fixture(scope="module")
def page(html: str) -> Page:
    return Page(html)


def test_every_tag_closes_in_order(page: Page) -> None:
    assert page.open == []


def test_identifiers_are_unique_and_references_resolve(page: Page, html: str) -> None:
    ids = [str(attributes["id"]) for _, attributes in page.tags if "id" in attributes]
    assert len(ids) == len(set(ids))
    inside = {str(a["href"])[1:] for _, a in page.tags if str(a.get("href", "")).startswith("#")}
    labels = {str(a["aria-labelledby"]) for _, a in page.tags if "aria-labelledby" in a}
    clips = set(re.findall(r"url\(#([^)]+)\)", html))
    assert len(inside) > 9
    assert len(clips) > 5
    assert (inside | labels | clips) <= set(ids)


def test_the_page_has_one_main_heading_and_headings_do_not_skip(page: Page) -> None:
    assert page.headings.count(1) == 1
    assert all(later - earlier <= 1 for earlier, later in zip(page.headings, page.headings[1:], strict=False))


def test_landmarks_language_and_skip_link(page: Page) -> None:
    names = [tag for tag, _ in page.tags]
    for landmark in ("header", "nav", "main", "footer"):
        assert names.count(landmark) == 1
    assert page.of("html")[0]["lang"] == "en"
    first_link = page.of("a")[0]
    assert first_link["href"] == "#content"
    assert page.of("main")[0]["id"] == "content"


def test_every_picture_has_role_and_description(page: Page) -> None:
    pictures = page.of("svg")
    assert len(pictures) == 8
    assert all(picture["role"] == "img" for picture in pictures)
    assert all(len(str(picture["aria-label"])) > 40 for picture in pictures)
    assert len({picture["aria-label"] for picture in pictures}) == len(pictures)


def test_every_table_has_a_caption_and_scoped_heads(page: Page) -> None:
    names = [tag for tag, _ in page.tags]
    assert names.count("table") == names.count("caption") > 10
    assert {head["scope"] for head in page.of("th")} == {"col", "row"}


def test_wide_content_scrolls_in_a_box_that_the_keyboard_reaches(page: Page) -> None:
    boxes = [a for a in page.of("div") if a.get("class") == "scroll"]
    names = [tag for tag, _ in page.tags]
    assert len(boxes) == names.count("table") + names.count("svg")
    assert all(box["tabindex"] == "0" and box["role"] == "region" for box in boxes)


def test_nothing_is_loaded_from_elsewhere(page: Page, html: str) -> None:
    names = {tag for tag, _ in page.tags}
    assert not names & {"script", "link", "iframe", "img", "object", "embed"}
    assert not re.search(r"https?://|//[a-z]+\.|@import|@font-face|url\((?!#)", html)


def test_links_to_files_lead_to_files_that_were_written(report: Report, tmp_path: Path) -> None:
    path = write_report(report, tmp_path / "out")
    assert path == tmp_path / "out" / "report.html"
    links = [str(a["href"]) for a in Page(path.read_text("utf-8")).of("a")]
    files = [link for link in links if not link.startswith("#")]
    assert {"tables/features.csv", "figures/roc.svg", "figures/roc.png"} <= set(files)
    assert all((path.parent / link).is_file() for link in files)
    assert (path.parent / "figures" / "roc.png").read_bytes().startswith(b"\x89PNG")


def test_figures_follow_the_colour_scheme_of_the_reader(html: str) -> None:
    pictures = "".join(re.findall(r"<svg.*?</svg>", html, re.DOTALL))
    assert "var(--ink)" in pictures
    assert "var(--s0)" in pictures
    assert not re.search(r"(?:fill|stroke): #", pictures)
    assert "prefers-color-scheme: dark" in html


def test_colours_of_figures_are_defined_by_the_page(html: str) -> None:
    used = set(re.findall(r"var\(--([a-z0-9]+)\)", html))
    assert used <= set(re.findall(r"--([a-z0-9]+):", html))


def test_two_writes_are_byte_identical(report: Report, make_results: Make, tmp_path: Path) -> None:
    folders = [tmp_path / name for name in ("first", "second")]
    write_report(report, folders[0])
    write_report(build_report(make_results()), folders[1])
    contents = [
        {str(path.relative_to(folder)): path.read_bytes() for path in sorted(folder.rglob("*.*"))}
        for folder in folders
    ]
    assert len(contents[0]) > 25
    assert contents[0] == contents[1]


def test_the_users_matplotlib_settings_change_nothing_and_stay(make_results: Make) -> None:
    wanted = ("study", "flow", "checks", "extraction", "table_one", "validation", "values", "provenance")
    results = make_results(without=wanted)
    plain = render(build_report(results))
    with mpl.rc_context({"font.size": 23, "svg.fonttype": "path", "axes.facecolor": "pink"}):
        other = render(build_report(results))
        assert mpl.rcParams["font.size"] == 23
    assert plain == other


def test_neither_date_nor_tool_nor_address_is_in_figures(report: Report) -> None:
    for figure in report.figures:
        assert not re.search(r"<dc:date>|20\d\d-\d\d-\d\d|0x[0-9a-f]{6}", figure.svg)
        assert b"Software" not in figure.png
        assert b"tIME" not in figure.png


def test_hostile_values_are_shown_as_text(make_results: Make) -> None:
    spoilt = [_spoil(result) for result in make_results(without=("validation",))]
    html = render(build_report(spoilt))
    page = Page(html)
    assert page.open == []
    assert "<script" not in html
    assert "&lt;script&gt;" in html
    assert HOSTILE in "".join(page.text)


def _spoil(result: Result) -> Result:
    """Put markup into every text cell and every text of the specification that may hold any."""
    tables = {}
    for name, table in result.tables.items():
        frame = table.copy()
        for column in frame.columns:
            if not pd.api.types.is_numeric_dtype(frame[column]) and column not in ("severity", "class"):
                frame[column] = frame[column].astype(str) + HOSTILE
        tables[name] = frame
    spec = {k: v + HOSTILE if isinstance(v, str) and k != "unit" else v for k, v in result.spec.items()}
    return replace(result, tables=tables, spec=spec)


def test_formulas_of_names_are_not_parsed_in_figures(make_results: Make) -> None:
    results = [
        replace(r, spec={**r.spec, "positive": "a$b_{$", "negative": "_$^"}) if r.kind == "study" else r
        for r in make_results(without=("values", "flow"))
    ]
    forest = next(f for f in build_report(results).figures if f.key == "forest")
    assert "a$b_{$" in forest.svg


def test_no_absolute_path_reaches_the_report(report: Report, tmp_path: Path) -> None:
    folder = write_report(report, tmp_path / "out").parent
    for path in [*folder.rglob("*.html"), *folder.rglob("*.csv"), *folder.rglob("*.svg")]:
        text = path.read_text("utf-8")
        assert "/home/" not in text
        assert str(tmp_path) not in text
    assert "sub-09_T1.nii.gz" in (folder / "report.html").read_text("utf-8")


def test_tables_are_written_whole_with_exact_numbers(
    report: Report, make_results: Make, tmp_path: Path
) -> None:
    results = make_results()
    folder = write_report(report, tmp_path).parent
    written = pd.read_csv(folder / "tables" / "features.csv").set_index("feature")
    given = next(r for r in results if r.kind == "association").frame("features").set_index("feature")
    assert len(written) == len(given) == 186
    pd.testing.assert_series_equal(written["estimate"].sort_index(), given["estimate"].sort_index())


@pytest.mark.parametrize("synthetic", [True, False])
def test_synthetic_is_said_on_screen_on_paper_and_in_every_figure(
    report: Report, make_results: Make, synthetic: bool
) -> None:
    report = report if synthetic else build_report(make_results(synthetic=False))
    html = render(report)
    page = Page(html)
    banner = [a for a in page.of("div") if a.get("class") == "banner"]
    assert bool(banner) is synthetic
    assert ("@top-center" in html) is synthetic
    assert (".strip { display: block; position: fixed" in html) is synthetic
    assert ("[synthetic]" in html) is synthetic
    assert len(report.figures) == 8
    assert all(("SYNTHETIC DATA" in figure.svg) is synthetic for figure in report.figures)
    assert ("synthetic" in " ".join(page.text).lower()) is synthetic


def test_a_large_study_stays_quick_and_light(make_results: Make) -> None:
    html = render(build_report(make_results(copies=54, without=("values", "validation"))))
    assert len(html) < 1_500_000


@pytest.fixture(scope="module")
def chromium() -> str:
    found = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if not found:
        pytest.skip("chromium is not installed: apt-get install chromium")
    return found


@pytest.mark.slow
def test_chromium_prints_synthetic_on_every_page(chromium: str, report: Report, tmp_path: Path) -> None:
    reader = shutil.which("pdftotext")
    if not reader:
        pytest.skip("pdftotext is not installed: apt-get install poppler-utils")
    page = write_report(report, tmp_path / "out")
    printed = tmp_path / "report.pdf"
    flags = ["--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"]
    flags += ["--disable-background-networking", "--disable-component-update", "--disable-sync"]
    flags += [f"--user-data-dir={tmp_path / 'profile'}", "--no-pdf-header-footer"]
    subprocess.run(
        [chromium, *flags, f"--print-to-pdf={printed}", page.as_uri()],
        check=True,
        capture_output=True,
        timeout=120,
    )
    text = subprocess.run([reader, printed, "-"], check=True, capture_output=True, text=True).stdout
    pages = text.rstrip("\f").split("\f")
    assert len(pages) > 5
    assert all("SYNTHETIC DATA" in one for one in pages)


def test_an_empty_report_is_still_a_page() -> None:
    page = Page(render(Report("Empty", "", False, ())))
    assert page.open == []
