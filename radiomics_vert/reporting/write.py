"""Write a report: one self-contained page, beside it tables and figures as files."""

from __future__ import annotations

from pathlib import Path

import jinja2
import pandas as pd
from markupsafe import Markup

from radiomics_vert.reporting.cells import for_spreadsheets
from radiomics_vert.reporting.inlining import inline
from radiomics_vert.reporting.nouns import Figure, Report, Table
from radiomics_vert.reporting.wording import ABSENT, without_paths
from radiomics_vert.storage import atomic, write_table, write_text


def write_report(report: Report, folder: str | Path) -> Path:
    """Write `report.html`, `tables/*.csv` and `figures/*.svg` and `*.png`.

    Parameters
    ----------
    report : Report
        What :func:`~radiomics_vert.reporting.build.build_report` made.
    folder : str or Path
        Made when missing; files of the same names are replaced.

    Returns
    -------
    Path
        The page.
    """
    folder = Path(folder)
    for table in report.tables:
        if table.data is not None:
            write_table(for_spreadsheets(table.data), folder / "tables" / f"{table.key}.csv")
    for figure in report.figures:
        write_text(folder / "figures" / f"{figure.key}.svg", figure.svg)
        with atomic(folder / "figures" / f"{figure.key}.png") as temporary:
            temporary.write_bytes(figure.png)
    page = folder / "report.html"
    write_text(page, render(report))
    return page


def environment() -> jinja2.Environment:
    """Return what reads the templates of this room: values escaped, absent names are errors."""
    templates = jinja2.Environment(
        loader=jinja2.PackageLoader("radiomics_vert.reporting", "templates"),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=jinja2.StrictUndefined,
    )
    templates.filters["clean"] = without_paths
    return templates


def render(report: Report) -> str:
    """Return the page as HTML, all values escaped, nothing loaded from elsewhere."""
    templates = environment()
    numbers = {figure.key: number for number, figure in enumerate(report.figures, start=1)}
    templates.filters |= {
        "headline": lambda text: _split(text)[0],
        "remainder": lambda text: _split(text)[1],
        "cell_class": _cell_class,
        "kind": lambda item: type(item).__name__,
    }
    templates.globals["picture"] = lambda figure: _picture(figure, numbers[figure.key])
    templates.globals["number_of"] = lambda figure: numbers[figure.key]
    templates.globals["rows"] = _rows
    return templates.get_template("report.html.j2").render(report=report) + "\n"


def _picture(figure: Figure, number: int) -> Markup:
    # The SVG is this program's own drawing; matplotlib has escaped every text in it.
    return Markup(inline(figure, number))  # noqa: S704


def _split(caption: str) -> tuple[str, str]:
    """Split a caption after its first sentence, which is its title."""
    head, stop, tail = caption.partition(". ")
    return (head + stop.strip(), tail) if stop else (caption, "")


def _rows(table: Table) -> list[list[str]]:
    return [[str(cell) for cell in row] for row in table.shown.itertuples(index=False)]


def _cell_class(shown: pd.DataFrame, position: int) -> str:
    """Tell how a column is set: numbers to the right, long text wrapped, names in one line."""
    if shown.columns[position] == "Technical name":
        return "code"
    cells = [str(cell) for cell in shown.iloc[:, position]]
    filled = [cell for cell in cells if cell not in ("", ABSENT)]
    if filled and all(cell.lstrip("<> −'")[:1].isdigit() and len(cell) < 34 for cell in filled):
        return "number"
    return "words" if max(map(len, cells), default=0) > 34 else "name"
