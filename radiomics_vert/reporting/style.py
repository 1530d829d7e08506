"""How every figure looks, and how it becomes the same bytes in every run.

Colours are those of Okabe and Ito (2008), which colour-blind readers can tell apart; classes differ
in marker as well, so that a grey print says the same.
"""

from __future__ import annotations

import io
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.figure import Figure as Canvas

from radiomics_vert.reporting.nouns import Figure
from radiomics_vert.reporting.slimming import slim

INK, MUTED, RULE, PAPER = "#1c2126", "#5b6570", "#c9d0d6", "#ffffff"
POSITIVE, NEGATIVE, NEUTRAL = "#d55e00", "#0072b2", "#8a949e"
SERIES = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#b58900", "#56b4e9", "#6f5f4a")
SERIES_LINES = ("-", "--", "-.", ":", (0, (6, 1, 1, 1)), (0, (3, 1)), (0, (1, 2)))
SERIES_MARKERS = ("o", "s", "^", "D", "v", "P", "X")
POSITIVE_MARKER, NEGATIVE_MARKER = "D", "o"
SYNTHETIC_LABEL = "SYNTHETIC DATA"

_RC: dict[Any, Any] = {
    "svg.hashsalt": "radiomics_vert",
    "svg.fonttype": "none",
    "font.family": ["DejaVu Sans"],
    "font.size": 9.0,
    "text.parse_math": False,  # a class called "a$b$" is a name, not a formula
    "text.color": INK,
    "axes.edgecolor": MUTED,
    "axes.labelcolor": INK,
    "axes.linewidth": 0.8,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.titlesize": 9.0,
    "axes.titleweight": "bold",
    "axes.titlelocation": "left",
    "axes.unicode_minus": True,
    "axes.axisbelow": True,
    "grid.color": RULE,
    "grid.linewidth": 0.6,
    "xtick.color": MUTED,
    "ytick.color": MUTED,
    "xtick.labelcolor": INK,
    "ytick.labelcolor": INK,
    "legend.frameon": False,
    "legend.fontsize": 8.5,
    "lines.linewidth": 1.6,
    "figure.facecolor": PAPER,
    "axes.facecolor": PAPER,
    "savefig.facecolor": PAPER,
    "figure.constrained_layout.use": True,
}


@contextmanager
def style() -> Iterator[None]:
    """Draw with this module's settings only, whatever the user's matplotlibrc says."""
    with mpl.rc_context(), warnings.catch_warnings():
        mpl.rcdefaults()
        mpl.rcParams.update(_RC)
        # A script that DejaVu lacks is still text in the SVG; only the PNG shows boxes.
        warnings.filterwarnings("ignore", message="Glyph .* missing from")
        yield


def draw(
    paint: Callable[[Canvas], None],
    *,
    key: str,
    size: tuple[float, float],
    caption: str,
    judge: str,
    alt: str,
    synthetic: bool,
) -> Figure:
    """Paint one figure and keep it as SVG and PNG.

    Parameters
    ----------
    paint : callable
        Draws on an empty canvas.
    key, caption, judge, alt : str
        As in :class:`~radiomics_vert.reporting.nouns.Figure`.
    size : tuple of float
        Width and height, inches.
    synthetic : bool
        Write "SYNTHETIC DATA" into the picture.

    Returns
    -------
    Figure
        The same bytes for the same input.
    """
    svg, png = _picture(paint, size, synthetic)
    return Figure(key, caption, judge, alt, svg, png)


def _picture(
    paint: Callable[[Canvas], None], size: tuple[float, float], synthetic: bool
) -> tuple[str, bytes]:
    """Paint on an empty canvas and return it as SVG and PNG."""
    with style():
        canvas = Canvas(figsize=size)
        if synthetic:
            # A title line of the figure itself: layout keeps it free of axes, and a copied picture keeps it.
            canvas.suptitle(SYNTHETIC_LABEL, x=0.995, ha="right", fontsize=7.5, weight="bold", color=MUTED)
        paint(canvas)
        return _files(canvas)


def _files(canvas: Canvas) -> tuple[str, bytes]:
    """Return a painted canvas as SVG and PNG."""
    svg, png = io.BytesIO(), io.BytesIO()
    nothing = {"Date": None, "Creator": None, "Format": None, "Type": None}
    canvas.savefig(svg, format="svg", metadata=nothing)
    canvas.set_layout_engine("none")  # the layout of the first drawing holds for the second
    canvas.savefig(png, format="png", metadata={"Software": None}, dpi=200)
    return slim(svg.getvalue().decode("utf-8")), png.getvalue()


def bare(axes: Axes) -> None:
    """Remove the left spine and all tick marks; the labels stay."""
    axes.spines["left"].set_visible(False)
    axes.tick_params(length=0)


def beside(axes: Axes, y: float, text: str, points: float = 6, bold: bool = False) -> None:
    """Write to the right of the axes, `points` away from them, at a height in data units."""
    axes.annotate(
        text,
        (1, y),
        xycoords=axes.get_yaxis_transform(),
        xytext=(points, 0),
        textcoords="offset points",
        va="center",
        fontsize=8,
        weight="bold" if bold else "normal",
        annotation_clip=False,
    )
