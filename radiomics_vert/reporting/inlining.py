"""How a figure's SVG becomes a part of the page."""

from __future__ import annotations

import re
from html import escape

from radiomics_vert.reporting.nouns import Figure
from radiomics_vert.reporting.style import INK, MUTED, NEUTRAL, PAPER, RULE, SERIES

# The page gives each colour a variable of its own for light and dark; see templates/style.css.
PAGE_COLOURS = {
    INK: "ink",
    MUTED: "muted",
    RULE: "rule",
    PAPER: "paper",
    NEUTRAL: "neutral",
    **{colour: f"s{index}" for index, colour in enumerate(SERIES)},
}

_PROLOGUE = re.compile(r"^.*?(?=<svg)", re.DOTALL)
_METADATA = re.compile(r"<metadata>.*?</metadata>\s*", re.DOTALL)
_COMMENT = re.compile(r"\s*<!--.*?-->", re.DOTALL)
_ID = re.compile(r' id="([^"]+)"')
_REFERENCE = re.compile(r'(?:xlink:href="#|url\(#)([^")]+)')
_OPENING = re.compile(r"<svg\b[^>]*>")
_VIEWBOX = re.compile(r'viewBox="([^"]+)"')
_FAMILY = re.compile(r"font-family: [^;\"]+(?:; )?")
_STYLE = re.compile(r' style="[^"]*"')
_BARE_GROUP = re.compile(r"<g>((?:(?!</?g[ >]).)*)</g>", re.DOTALL)


def inline(figure: Figure, number: int) -> str:
    """Return a figure's SVG as it stands inside the page.

    Prologue and metadata go, identifiers become unique in the page, fixed colours become variables of
    the page (readable in light and dark), and the picture gets its role and its name.

    Parameters
    ----------
    figure : Figure
        What to show.
    number : int
        Its number in the report, part of every identifier.
    """
    svg = _COMMENT.sub("", _METADATA.sub("", _PROLOGUE.sub("", figure.svg)))
    used = set(_REFERENCE.findall(svg))
    prefix = f"f{number}"
    svg = _ID.sub(lambda m: f' id="{prefix}{m[1]}"' if m[1] in used else "", svg)
    while (flatter := _BARE_GROUP.sub(r"\1", svg)) != svg:
        svg = flatter
    svg = re.sub(r'xlink:href="#', f'href="#{prefix}', svg).replace("url(#", f"url(#{prefix}")
    for colour, name in PAGE_COLOURS.items():
        svg = svg.replace(f": {colour}", f": var(--{name})")
    svg = _FAMILY.sub("", svg)  # the page's own
    svg = _STYLE.sub(lambda m: m[0].replace("; ", ";").replace(": ", ":"), svg)
    box = _VIEWBOX.search(svg)
    head = (
        f'<svg viewBox="{box[1] if box else "0 0 1 1"}" role="img" '
        f'aria-label="{escape(figure.alt)}" focusable="false">'
    )
    return _OPENING.sub(head, svg, count=1).strip()
