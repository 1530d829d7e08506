"""Quality control from files to pages, and the pages in a real browser."""

from __future__ import annotations

import filecmp
import re
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urldefrag

import matplotlib.image
import numpy as np
import pytest
from typer.testing import CliRunner

from browser_support import Browser
from quality_phantoms import SPACING, VOLUME_ML, write_spines
from radiomics_vert.cli import app
from radiomics_vert.cohort import read_cohort
from radiomics_vert.errors import CohortError, SettingsError
from radiomics_vert.extraction import ExtractionParams
from radiomics_vert.study import check_pair
from radiomics_vert.study.quality import control_quality

PARAMS = ExtractionParams.from_mapping(
    {
        "imageType": {"Original": {}},
        "featureClass": {"firstorder": ["Mean"]},
        "setting": {"binWidth": 10, "resegmentRange": [-200, 1500]},
    }
)


@pytest.fixture(scope="module")
def images(tmp_path_factory) -> Path:
    return write_spines(
        tmp_path_factory.mktemp("spines"), A={}, B={"metal": 0.2}, C={"cut": 1}, D={"missing": 21}
    )


@pytest.fixture(scope="module")
def controlled(images, tmp_path_factory):
    cohort = read_cohort(images, scheme="verse")
    folder = tmp_path_factory.mktemp("output")
    return control_quality(cohort, cohort, {"CT": PARAMS}, title="Trial <b>& error</b>", folder=folder)


class Links(HTMLParser):
    """Collects what a page refers to, what can be referred to, and what has a name."""

    def __init__(self) -> None:
        super().__init__()
        self.links: list[str] = []
        self.ids: list[str] = []
        self.unnamed: list[str] = []

    def handle_starttag(self, tag, attrs):
        known = dict(attrs)
        self.links += [known[name] for name in ("href", "src") if known.get(name)]
        self.ids += [known["id"]] if "id" in known else []
        if known.get("role") == "img" and not known.get("aria-label"):
            self.unnamed.append(tag)


def pages(folder: Path) -> dict[Path, Links]:
    found = {}
    for path in sorted(folder.rglob("*.html")):
        found[path] = Links()
        found[path].feed(path.read_text("utf-8"))
    return found


def test_every_scan_has_a_verdict(controlled):
    table = controlled.verdicts.set_index("scan_id")
    assert table["verdict"].to_dict() == {
        "A_CT": "ready with warnings",  # its mask is that of B
        "B_CT": "ready with warnings",
        "D_CT": "ready",
        "C_CT": "refused",
    }
    assert "RV322" in table.loc["B_CT", "codes"]
    assert "RV201" in table.loc["C_CT", "codes"]


def test_all_links_lead_somewhere(controlled):
    folder = controlled.pages.parent
    found = pages(folder)
    assert len(found) == 4
    points = 0
    for path, page in found.items():
        assert len(page.ids) == len(set(page.ids)), path.name
        assert page.unnamed == []
        for link in page.links:
            address, anchor = urldefrag(unquote(link))
            target = (path.parent / address).resolve() if address else path
            assert target.is_file(), link
            assert folder in target.parents
            if anchor:
                assert anchor in found[target].ids, link
                points += 1
    assert points > 40


def test_pages_hold_no_path_and_nothing_from_elsewhere(controlled, images):
    for path in controlled.pages.parent.rglob("*"):
        if path.suffix in (".html", ".csv"):
            text = path.read_text("utf-8")
            assert str(images.parent) not in text, path.name
            assert not re.search(r"https?://|/(tmp|work)/", text), path.name
            assert "<b>& error" not in text, path.name


def test_the_same_bytes_with_other_workers(controlled, images, tmp_path):
    cohort = read_cohort(images, scheme="verse")
    again = control_quality(
        cohort, cohort, {"CT": PARAMS}, title="Trial <b>& error</b>", folder=tmp_path, n_jobs=2
    )
    first, second = controlled.pages.parent, again.pages.parent
    names = sorted(str(path.relative_to(first)) for path in first.rglob("*") if path.is_file())
    assert len(names) == 4 + 1 + 11
    _, different, missing = filecmp.cmpfiles(first, second, names, shallow=False)
    assert (different, missing) == ([], [])


def test_the_picture_has_left_on_the_right(controlled):
    """The stone lies on the patient's left and in front."""
    path = controlled.pages.parent / "images" / "A_CT_L2.png"
    axial = matplotlib.image.imread(path)
    side = len(axial)
    axial = axial[:, :side]
    grey = (900 + 500) / 1800
    stone = np.argwhere(np.abs(axial - grey) < 0.02).mean(axis=0)
    assert stone[1] > side / 2 + 5, "left of the patient is on the right of the picture"
    assert stone[0] < side / 2 - 5, "the front is up"
    text = (controlled.pages.parent / "scans" / "A_CT.html").read_text("utf-8")
    assert "axial: left edge R, upper edge A" in text
    assert "sagittal: left edge A, upper edge H" in text


def test_outlines_enclose_the_voxels_of_the_mask(controlled):
    text = (controlled.pages.parent / "scans" / "A_CT.html").read_text("utf-8")
    section = text[text.index('id="A_CT_L2"') :]
    outline = re.search(r'class="outline" d="([^"]+)"', section)
    points = np.array(re.findall(r"([\d.]+),([\d.]+)", outline[1]), dtype=float)
    width, height = np.ptp(points, axis=0) * SPACING[0]  # the finest spacing is the side of a pixel
    assert (round(width), round(height)) == (24, 26)


def test_only_what_is_measured_is_shown_but_neighbours_are_known(images, tmp_path):
    cohort = read_cohort(images, scheme="verse")
    measured = cohort.only({"A_CT_L2"})
    quality = control_quality(cohort, measured, {"CT": PARAMS}, title="Part", folder=tmp_path)
    assert quality.table["case_id"].tolist() == ["A_CT_L2"]
    assert quality.table["gap_mm"].item() == pytest.approx(35)
    assert [path.name for path in (tmp_path / "qc" / "images").iterdir()] == ["A_CT_L2.png"]
    whole = control_quality(cohort, cohort, None, title="All", folder=tmp_path)
    assert len(list((tmp_path / "qc" / "images").iterdir())) == len(whole.table) == 11
    assert control_quality(cohort, cohort, None, title="None").pages is None


def test_the_record_of_the_report(controlled, tmp_path):
    controlled.result().save(tmp_path)
    assert (tmp_path / "quality_cases.csv").is_file()
    assert controlled.result().spec["pages"] == "qc/index.html"
    assert controlled.result().spec["verdicts"] == {"ready": 1, "ready with warnings": 2, "refused": 1}
    assert {finding.code for finding in controlled.beside_extraction()} >= {"RV322"}


# --- one pair -----------------------------------------------------------------------------------------


def call(images: Path, patient: str, *more: str):
    folder = images.parent
    image, mask = folder / f"{patient}.nii.gz", folder / f"{patient}_mask.nii.gz"
    return CliRunner().invoke(app, ["check", "--image", str(image), "--mask", str(mask), *more])


@pytest.mark.parametrize(
    ("patient", "code", "verdict"), [("A", 0, "ready"), ("B", 1, "RV312"), ("C", 2, "RV201")]
)
def test_a_pair_ends_with_its_verdict(images, patient, code, verdict):
    done = call(images, patient, "--scheme", "verse", "--sequence", "CT")
    assert done.exit_code == code, done.output
    assert verdict in done.output


def test_a_pair_lists_its_vertebrae(images, tmp_path):
    done = call(images, "A", "--scheme", "verse", "--sequence", "CT", "-o", str(tmp_path))
    lines = [line.split() for line in done.output.splitlines()]
    assert ["L1", "2080", f"{VOLUME_ML:.1f}"] in [line[:3] for line in lines]
    assert (tmp_path / "qc" / "scans" / "A.html").is_file()
    call(images, "A", "--scheme", "verse", "--no-pages", "-o", str(tmp_path / "none"))
    assert not (tmp_path / "none").exists()


def test_without_a_scheme_candidates_are_named_and_none_is_taken(images):
    folder = images.parent
    with pytest.raises(CohortError) as error:
        check_pair(folder / "A.nii.gz", folder / "A_mask.nii.gz", None)
    (problem,) = error.value.problems
    assert problem.code == "RV107"
    assert "verse (then it holds L1, L2, L3, L4)" in problem.found
    assert str(folder) not in str(problem)


def test_absent_files_and_half_a_pair(images, tmp_path):
    with pytest.raises(SettingsError) as error:
        check_pair(tmp_path / "no.nii.gz", images, "verse")
    assert error.value.problems[0].code == "RV101"
    for arguments in (["check"], ["check", "--image", str(images)], ["check", "--mask", str(images)]):
        done = CliRunner().invoke(app, arguments)
        assert isinstance(done.exception, SettingsError)


# --- the pages in a browser ---------------------------------------------------------------------------


@pytest.fixture
def browser(tmp_path):
    opened = Browser(tmp_path / "profile")
    yield opened
    opened.close()


def test_a_point_opens_the_page_of_its_vertebra(controlled, browser):
    browser.open(controlled.pages.as_uri())
    link = 'figure.profile a[href="scans/B_CT.html#B_CT_L3"]'
    browser.click(f"{link} > *:not(title)")
    browser.wait("location.pathname.endsWith('/scans/B_CT.html') && document.readyState === 'complete'")
    assert browser.run("location.hash") == "#B_CT_L3"
    shown = "(() => { const b = document.getElementById('B_CT_L3').getBoundingClientRect();"
    browser.wait(f"{shown} return b.top < innerHeight && b.bottom > 0; }})()")
    assert browser.run("document.querySelector('#B_CT_L3').textContent.includes('RV322')")
    loaded = (
        "new Promise(done => { const picture = new Image();"
        " picture.onload = () => done(picture.naturalWidth);"
        " picture.onerror = () => done(0);"
        " picture.src = document.querySelector('#B_CT_L3 image').href.baseVal; })"
    )
    assert browser.run(loaded) > 100, "the picture is there"
    browser.click("#B_CT_L3 a.below")
    browser.wait("location.hash === '#B_CT_L4'")
    browser.press("p")
    browser.wait("location.hash === '#B_CT_L3'")
    browser.click("header a[href='../index.html']")
    browser.wait("location.pathname.endsWith('/index.html')")
    assert browser.errors == []


def test_outlines_can_be_taken_away_with_mouse_and_key(controlled, browser):
    browser.open((controlled.pages.parent / "scans" / "A_CT.html").as_uri())
    display = "getComputedStyle(document.querySelector('#A_CT_L2 .outline')).display"
    assert browser.run(display) == "inline"
    browser.click("#outlines")
    assert browser.run(display) == "none"
    browser.press("o")
    assert browser.run(display) == "inline"


def test_the_table_is_sorted_and_narrowed(controlled, browser):
    browser.open(controlled.pages.as_uri())
    first = "document.querySelector('#vertebrae tbody tr:not([hidden]) th').textContent"
    head = "#vertebrae thead th:nth-child(9) button"
    assert "Median" in browser.run(f"document.querySelector('{head}').textContent")
    browser.click(head)
    table = controlled.table.sort_values("intensity_median", kind="stable")
    assert browser.run(first) == table["case_id"].iloc[0]
    browser.click(head)
    assert browser.run(first) == table["case_id"].iloc[-1]
    browser.click("#flagged")
    expected = int(controlled.table["scan_id"].isin(["A_CT", "B_CT"]).sum())
    assert browser.run("document.getElementById('shown').textContent") == f"{expected} of 11 shown"
    browser.click("#filter")
    for letter in "RV322":
        browser.press(letter)
    assert browser.run("document.getElementById('shown').textContent") == "1 of 11 shown"
    assert browser.errors == []


def test_points_are_reached_by_keyboard(controlled, browser):
    browser.open(controlled.pages.as_uri())
    browser.run("document.querySelector('figure.profile a[href$=\"#D_CT_L4\"]').focus()")
    browser.press("Enter")
    browser.wait("location.hash === '#D_CT_L4'")


def test_dark_pages_stay_readable(controlled, browser):
    browser.open(controlled.pages.as_uri())
    light = browser.run("getComputedStyle(document.body).backgroundColor")
    browser.dark()
    dark = browser.run("getComputedStyle(document.body).backgroundColor")
    assert (light, dark) == ("rgb(255, 255, 255)", "rgb(20, 24, 28)")
    wide = browser.run("document.documentElement.scrollWidth <= innerWidth")
    assert wide, "the page itself does not scroll sideways"
