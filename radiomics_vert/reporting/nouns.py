"""What a report is: ordered sections of items, each item a table, a figure or a text."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias

import pandas as pd

TextRole: TypeAlias = Literal[
    "prose", "points", "steps", "terms", "missing", "paste", "alarm", "warning", "link"
]


@dataclass(frozen=True)
class Text:
    """Words.

    Parameters
    ----------
    paragraphs : tuple of str
        Plain text; escaped when rendered. With the role `terms`, each is `term: meaning`.
    role : str
        `prose` paragraphs, `points` a list, `steps` a numbered list, `terms` definitions, `missing` what the
        run did not give and why it matters, `paste` text to copy, `alarm` a statement in a frame,
        `warning` what forbids to take the results at face value, `link` files beside the report, each
        `address: what is there`.
    """

    paragraphs: tuple[str, ...]
    role: TextRole = "prose"


@dataclass(frozen=True)
class Table:
    """A table for the eye, and the same or a longer one for the computer.

    Parameters
    ----------
    key : str
        Identifier in the page, and name of the CSV file.
    caption : str
        What the table shows; the first sentence is its title.
    shown : DataFrame
        The cells as printed.
    data : DataFrame, optional
        The whole table with unrounded numbers, written as `tables/<key>.csv`.
    note : str
        How to read it, below the table.
    facts : bool, default False
        A short list of names and values rather than a grid.
    """

    key: str
    caption: str
    shown: pd.DataFrame
    data: pd.DataFrame | None = None
    note: str = ""
    facts: bool = False


@dataclass(frozen=True)
class Figure:
    """A picture with the words that it needs.

    Parameters
    ----------
    key : str
        Identifier in the page, and name of the SVG and PNG files.
    caption : str
        What is shown; the first sentence is its title.
    judge : str
        How to judge the picture: what a good one looks like, and what would be a warning.
    alt : str
        What a reader who cannot see it needs to know.
    svg : str
        The picture as an SVG document.
    png : bytes
        The same as PNG, 200 dots per inch.
    """

    key: str
    caption: str
    judge: str
    alt: str
    svg: str
    png: bytes


Item: TypeAlias = Text | Table | Figure


@dataclass(frozen=True)
class Section:
    """One heading of the report and what stands below it."""

    key: str
    title: str
    items: tuple[Item, ...]


@dataclass(frozen=True)
class Report:
    """Ordered sections; rendering it recomputes nothing.

    Parameters
    ----------
    title, question : str
        Of the study.
    synthetic : bool
        The data were generated; the page, every printed page and every figure say so.
    sections : tuple of Section
        In the order in which a reviewer reads.
    """

    title: str
    question: str
    synthetic: bool
    sections: tuple[Section, ...]

    @property
    def tables(self) -> tuple[Table, ...]:
        """All tables, in order."""
        return tuple(i for s in self.sections for i in s.items if isinstance(i, Table))

    @property
    def figures(self) -> tuple[Figure, ...]:
        """All figures, in order."""
        return tuple(i for s in self.sections for i in s.items if isinstance(i, Figure))
