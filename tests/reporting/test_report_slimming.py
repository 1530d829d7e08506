"""Figures with fewer bytes and the same picture."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET

import numpy as np
from matplotlib.figure import Figure as Canvas

from radiomics_vert.reporting.inlining import inline
from radiomics_vert.reporting.slimming import slim
from radiomics_vert.reporting.style import SERIES, _files, draw, style

SVG, LINK = "{http://www.w3.org/2000/svg}", "{http://www.w3.org/1999/xlink}href"


def paint(canvas: Canvas) -> None:
    rng = np.random.default_rng(1)
    axes = canvas.add_subplot()
    axes.scatter(rng.normal(size=60), rng.normal(size=60), s=9, lw=0, c=[SERIES[i % 5] for i in range(60)])
    axes.plot(rng.normal(size=30), rng.normal(size=30), "s", ms=4)
    axes.plot(np.linspace(-1, 1, 50), np.linspace(-1, 1, 50) ** 2)
    axes.text(0, 0, "p = 0.12345678")


def full(monkeypatch) -> tuple[str, str]:
    """Return one figure as matplotlib writes it, and slim."""
    with style():
        canvas = Canvas(figsize=(4, 3))
        paint(canvas)
        kept = _files(canvas)[0]
        monkeypatch.setattr("radiomics_vert.reporting.style.slim", lambda svg: svg)
        return _files(canvas)[0], kept


def marks(svg: str) -> list[tuple[float, float, str, str]]:
    """Return place, colour and outline of every mark that a browser would draw."""
    root = ET.fromstring(svg)
    defined = {node.get("id"): node for node in root.iter() if node.get("id")}
    found = []

    def walk(node: ET.Element, given: str) -> None:
        own = node.get("style") or given
        if node.tag == f"{SVG}use":
            path = defined[node.get(LINK)[1:]].get("d").split()
            shape = re.sub(r"[\d.\s-]", "", "".join(path))
            found.append((float(node.get("x")), float(node.get("y")), own, shape))
        for child in node:
            walk(child, own)

    walk(root, "")
    return sorted(found, key=lambda mark: (mark[3], mark[2], round(mark[0]), mark[1]))


def test_every_mark_keeps_place_colour_and_shape(monkeypatch) -> None:
    plain, kept = full(monkeypatch)
    assert len(kept) < 0.7 * len(plain)
    before, after = marks(plain), marks(kept)
    assert len(after) == len(before) > 90
    for (x, y, look, shape), (slim_x, slim_y, slim_look, slim_shape) in zip(before, after, strict=True):
        assert abs(x - slim_x) <= 0.0551  # a hundredth, then a tenth
        assert abs(y - slim_y) <= 0.0551
        assert (look.replace("; stroke-linejoin: miter", ""), shape) == (slim_look, slim_shape)


def test_lines_keep_their_points_and_words_their_digits(monkeypatch) -> None:
    plain, kept = full(monkeypatch)
    for svg in (plain, kept):
        assert "p = 0.12345678" in svg
    curves = [
        max((np.array(re.findall(r"-?[\d.]+", d), float) for d in re.findall(r' d="([^"]*)"', svg)), key=len)
        for svg in (plain, kept)
    ]
    np.testing.assert_allclose(curves[1], curves[0], atol=0.0051)


def test_slimming_twice_changes_nothing(monkeypatch) -> None:
    _, kept = full(monkeypatch)
    assert slim(kept) == kept


def test_the_page_gives_its_own_font_and_unique_names() -> None:
    figure = draw(paint, key="k", size=(4, 3), caption="c", judge="j", alt="a", synthetic=True)
    assert "DejaVu" in figure.svg
    page = inline(figure, 7)
    assert "DejaVu" not in page
    assert "font-size:" in page
    names = re.findall(r' id="([^"]+)"', page)
    assert len(names) == len(set(names)) > 2
    assert {name[:3] for name in names} == {"f7n"}
    assert set(re.findall(r'href="#([^"]+)"|url\(#([^)]+)\)', page)) <= {
        pair for name in names for pair in ((name, ""), ("", name))
    }
    ET.fromstring(page)
