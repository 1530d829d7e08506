"""Cohort flow: who entered each step, who left it, and why."""

from __future__ import annotations

import textwrap
from typing import NamedTuple

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure as Canvas
from matplotlib.patches import FancyBboxPatch

from radiomics_vert.reporting.inputs import Inputs, column, numeric, words
from radiomics_vert.reporting.nouns import Figure
from radiomics_vert.reporting.style import INK, MUTED, PAPER, RULE, draw
from radiomics_vert.reporting.wording import number, sentence_case, without_paths

_WIDTH, _LINE, _GAP = 7.2, 0.19, 0.34
_LEFT, _MAIN, _SIDE = 0.1, 3.1, 3.6  # inches: left edge, width of main boxes, left edge of side boxes


class Step(NamedTuple):
    """One step: its name, how many entered, and who left with which reason."""

    name: str
    unit: str
    entered: float
    losses: tuple[tuple[float, str], ...]

    @property
    def remained(self) -> float:
        """How many went on."""
        return self.entered - sum(n for n, _ in self.losses)


def steps(flow: pd.DataFrame) -> list[Step]:
    """Collect the rows of the flow table; neighbours with one step and unit are one step, several reasons."""
    found: list[Step] = []
    rows = zip(
        column(flow, "step").astype(str),
        column(flow, "unit").astype(str),
        numeric(flow, "entered").fillna(0),
        numeric(flow, "left").fillna(0),
        words(flow, "reason"),
        strict=True,
    )
    for name, unit, entered, left, reason in rows:
        losses = ((left, without_paths(reason)),) if left else ()
        if found and (found[-1].name, found[-1].unit) == (name, unit):
            found[-1] = found[-1]._replace(losses=found[-1].losses + losses)
        else:
            found.append(Step(name, unit, entered, losses))
    return found


def flow_diagram(inputs: Inputs, classes: tuple[str, ...]) -> Figure:
    """Draw the flow from the first step to what was analysed.

    Parameters
    ----------
    inputs : Inputs
        With the flow table `step, unit, entered, left, reason`.
    classes : tuple of str
        Lines for the last box, such as "32 metastatic".
    """
    found = steps(inputs.table("flow", "flow"))
    through, analysed = _split(found)
    boxes = [
        [*textwrap.wrap(sentence_case(step.name), 38), f"{number(step.entered)} {step.unit}"]
        for step in through
    ]
    boxes.append(["Analysed", *analysed, *classes])
    sides = [_side_lines(step) for step in through] + [[]]
    heights = [0.2 + _LINE * max(len(a), len(b)) for a, b in zip(boxes, sides, strict=True)]
    total = sum(heights) + _GAP * (len(boxes) - 1) + 0.1

    def paint(canvas: Canvas) -> None:
        axes = canvas.add_subplot()
        axes.set(xlim=(0, _WIDTH), ylim=(total, 0))
        axes.axis("off")
        top = 0.05
        for index, (main, side, height) in enumerate(zip(boxes, sides, heights, strict=True)):
            _box(axes, _LEFT, _MAIN, top, height, main, strong=index == len(boxes) - 1)
            if side:
                _box(axes, _SIDE, _WIDTH - _SIDE - 0.05, top, height, side, dashed=True)
                _arrow(axes, (_LEFT + _MAIN, top + height / 2), (_SIDE, top + height / 2))
            if index < len(boxes) - 1:
                middle = _LEFT + _MAIN / 2
                _arrow(axes, (middle, top + height), (middle, top + height + _GAP))
            top += height + _GAP

    return draw(
        paint,
        key="flow",
        size=(_WIDTH + 0.1, total + (0.35 if inputs.synthetic else 0.1)),
        caption="Cohort flow. Left: what entered each step; right, dashed: what left it, and why.",
        judge=(
            "Compare the numbers that left with the numbers that stayed: losses of more than a few "
            "per cent, or "
            "losses that hit one class more than the other, can bias everything below."
        ),
        alt=_alt(found, analysed, classes),
        synthetic=inputs.synthetic,
    )


def _split(found: list[Step]) -> tuple[list[Step], list[str]]:
    """Tell the steps that lose someone from the end of the flow, which counts what was analysed."""
    last = max((index for index, step in enumerate(found) if step.losses), default=0)
    through, end = found[: last + 1], found[last + 1 :]
    if not end:
        return through, [f"{number(found[-1].remained)} {found[-1].unit}"]
    # Two steps that nobody left say the same twice.
    return through, list(dict.fromkeys(f"{number(step.entered)} {step.unit}" for step in end))


def _alt(found: list[Step], analysed: list[str], classes: tuple[str, ...]) -> str:
    losses = [f"{number(n)} {step.unit}: {reason}" for step in found for n, reason in step.losses]
    return (
        f"Flow diagram. {number(found[0].entered)} {found[0].unit} entered. Left on the way: "
        f"{'; '.join(losses) or 'none'}. Analysed: {', '.join([*analysed, *classes])}."
    )


def _side_lines(step: Step) -> list[str]:
    lines: list[str] = []
    for left, reason in step.losses:
        lines += textwrap.wrap(
            f"{number(left)} left: {reason or 'no reason given'}", 46, subsequent_indent="   "
        )
    return lines


def _box(
    axes: Axes,
    left: float,
    width: float,
    top: float,
    height: float,
    lines: list[str],
    *,
    strong: bool = False,
    dashed: bool = False,
) -> None:
    axes.add_patch(
        FancyBboxPatch(
            (left, top),
            width,
            height,
            boxstyle="round,pad=0,rounding_size=0.06",
            facecolor=PAPER,
            edgecolor=INK if strong else (MUTED if not dashed else RULE),
            linewidth=1.6 if strong else 0.9,
            linestyle="--" if dashed else "-",
        )
    )
    for index, line in enumerate(lines):
        y = top + height / 2 + _LINE * (index - (len(lines) - 1) / 2)
        bold = not dashed and index == 0
        x, ha = (left + 0.1, "left") if dashed else (left + width / 2, "center")
        axes.text(
            x, y, line, ha=ha, va="center", fontsize=8.5, weight="bold" if bold else "normal",
            color=MUTED if dashed else INK,
        )  # fmt: skip


def _arrow(axes: Axes, start: tuple[float, float], end: tuple[float, float]) -> None:
    axes.annotate(
        "",
        xy=end,
        xytext=start,
        arrowprops={"arrowstyle": "-|>", "color": MUTED, "lw": 0.9, "shrinkA": 0, "shrinkB": 0},
    )
