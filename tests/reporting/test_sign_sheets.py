"""Sign sheets: what is drawn lies where it was measured, and every absence is told."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from radiomics_vert.cohort import Level
from radiomics_vert.reporting.sheets import ScanSheet, SignSheets, draw_sheet, write_sign_sheets
from radiomics_vert.reporting.sheets.pages import LEGEND, LINES
from radiomics_vert.signs import SignScan, measure_spine, prepare_spine
from radiomics_vert.signs.drawing import OVERLAYS, PIXEL_MM, TISSUES, Drawing, draw_vertebra
from radiomics_vert.signs.nouns import Layer

SPACING = (2.0, 1.5, 1.5)
HEIGHT, STEP = 13, 18  # voxels


def made_scan(fractured: int = 3) -> SignScan:
    """Five bodies; one with a replaced corner on the patient's left; a canal behind them."""
    z, y, x = np.meshgrid(np.arange(96), np.arange(44), np.arange(52), indexing="ij")
    inside = ((x - 26) / 14) ** 2 + ((y - 16) / 11) ** 2 <= 1
    labels = np.zeros(z.shape, np.uint8)
    for place in range(5):
        top = 92 - STEP * place
        labels[inside & (z <= top) & (z > top - HEIGHT)] = place + 1
    image = np.where(labels > 0, 300.0, 100.0) + np.random.default_rng(2).normal(0, 6, z.shape)
    image[(labels == fractured) & (x > 28)] -= 120
    canal = ((x - 26) ** 2 + (y - 33) ** 2 <= 36).astype(np.uint8)
    levels = dict(enumerate((Level.L1, Level.L2, Level.L3, Level.L4, Level.L5), start=1))
    return SignScan("s", labels, SPACING, levels, "body", image, layers={"canal": Layer(canal, (1,))})


@pytest.fixture(scope="module")
def spine():
    return prepare_spine(made_scan(), "T1")


@pytest.fixture(scope="module")
def drawn(spine) -> dict[str, Drawing]:
    return {plane.name: plane for plane in draw_vertebra(spine, spine.vertebra(3))}


def kinds(drawing: Drawing, kind: str):
    return [stroke for stroke in drawing.strokes if stroke.kind == kind]


def test_heights_are_drawn_as_long_as_they_were_measured(spine, drawn) -> None:
    heights = kinds(drawn["sagittal"], "height")
    for stroke, measured in zip(heights, spine.heights[3], strict=True):
        length = float(np.hypot(*(stroke.points[1] - stroke.points[0]))) * PIXEL_MM
        assert length == pytest.approx(measured, abs=1e-6)
        assert stroke.label.endswith(f"{measured:.1f}")


def test_lines_lie_on_the_edges_of_the_body(drawn) -> None:
    sagittal = drawn["sagittal"]
    body = next(region for region in sagittal.regions if region.kind == "body")
    corners = np.concatenate(body.polygons)
    superior, inferior = kinds(sagittal, "endplate")
    assert superior.points[:, 1].mean() == pytest.approx(corners[:, 1].min(), abs=3)
    assert inferior.points[:, 1].mean() == pytest.approx(corners[:, 1].max(), abs=3)
    wall = kinds(sagittal, "wall")[0].points
    assert wall[:, 0].mean() == pytest.approx(corners[:, 0].max(), abs=4)  # the back is on the right
    front = kinds(sagittal, "height")[0].points[0, 0]
    assert front < wall[:, 0].mean()


def test_left_of_the_patient_is_on_the_right_of_the_picture(drawn) -> None:
    for name in ("coronal", "axial"):
        plane = drawn[name]
        assert plane.letters[:2] == ("R", "L")
        pieces = next(r for r in plane.regions if r.kind == "replaced").polygons
        replaced = max(pieces, key=np.ptp)  # noise replaces single voxels anywhere
        assert replaced[:, 0].min() > len(plane.pixels) / 2


def test_picture_shows_the_voxels_under_the_lines(drawn) -> None:
    axial = drawn["axial"]
    middle = len(axial.pixels) // 2
    row = axial.pixels[middle - 25]
    assert row[middle - 15] > row[middle + 20] + 40  # the left side is darker
    canal = np.concatenate(next(r for r in axial.regions if r.kind == "canal").polygons)
    body = np.concatenate(next(r for r in axial.regions if r.kind == "body").polygons)
    assert canal[:, 1].mean() > body[:, 1].max()


def test_everything_that_can_be_drawn_is_in_the_legend(drawn) -> None:
    found = {r.kind for d in drawn.values() for r in d.regions} | {
        s.kind for d in drawn.values() for s in d.strokes
    }
    assert found | set(OVERLAYS) | set(TISSUES) <= set(LEGEND)
    assert {s.kind for d in drawn.values() for s in d.strokes} <= set(LINES) <= set(LEGEND)
    assert not {r.kind for d in drawn.values() for r in d.regions} & set(LINES)


def test_vertebra_without_frame_has_no_drawing() -> None:
    scan = made_scan()
    cut = SignScan("s", scan.labels[:86], SPACING, scan.levels, "body", scan.image[:86])
    spine = prepare_spine(cut, "T1")
    assert spine.vertebra(1).frame is None
    assert draw_vertebra(spine, spine.vertebra(1)) == ()


def write(spine, folder: Path, title: str = "A <study>") -> Path:
    signs = measure_spine(spine)
    pictures = {
        v.case_id: draw_sheet(draw_vertebra(spine, v), v.case_id, folder, (0.0, 400.0))
        for v in spine.framed()
    }
    sheet = ScanSheet("s", "T1", signs.values, signs.absences, signs.facts, pictures)
    return write_sign_sheets(SignSheets(title, (sheet,), True, "../../qc"), folder)


def test_pages_tell_values_references_and_absences(spine, tmp_path: Path) -> None:
    index = write(spine, tmp_path).read_text()
    assert "A &lt;study&gt;" in index
    assert 'href="scans/s.html#s_L3"' in index
    page = (tmp_path / "scans" / "s.html").read_text()
    part = page.split('<section class="vertebra" id="s_L3"')[1].split("</section>")[0]
    signs = measure_spine(spine).values.set_index("case_id").loc["s_L3"]
    assert f'Replaced marrow on T1</th><td class="value">{signs.t1_rep_frac:.3f}</td>' in part
    assert "s_L1, s_L2, s_L4, s_L5" in part
    assert part.count("RV332 ") == 1  # signs of other sequences are one reason
    assert "defined on other sequences than T1" in part
    assert "Trabecular HU" in part.split("<details")[1]
    assert 'href="../../../qc/scans/s.html"' in page
    assert "Synthetic data" in page


def test_same_scan_gives_the_same_bytes(spine, tmp_path: Path) -> None:
    written = []
    for name in ("a", "b"):
        write(spine, tmp_path / name)
        files = sorted(path for path in (tmp_path / name).rglob("*") if path.is_file())
        written.append([(path.relative_to(tmp_path / name), path.read_bytes()) for path in files])
    assert written[0] == written[1]
    assert len(written[0]) == 7


def test_absent_level_is_named_by_its_label(spine, tmp_path: Path) -> None:
    signs = measure_spine(spine)
    facts = signs.facts.assign(level="", case_id=[f"s_label{k}" for k in range(1, 6)])
    empty = pd.DataFrame(columns=["case_id", "sign", "code", "reason"])
    sheet = ScanSheet("s", "T1", signs.values.iloc[:0], empty, facts)
    write_sign_sheets(SignSheets("t", (sheet,)), tmp_path)
    assert ">label3<" in (tmp_path / "index.html").read_text()
