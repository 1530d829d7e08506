"""Results to one report: figures, tables, methods text and a self-contained HTML page.

The only room that imports matplotlib and jinja2. It computes no statistic: every number that it
prints was handed over in a :class:`~radiomics_vert.results.Result`.
"""

from radiomics_vert.reporting.build import build_report
from radiomics_vert.reporting.nouns import Figure, Report, Section, Table, Text
from radiomics_vert.reporting.sections.summary import summary_sentences
from radiomics_vert.reporting.write import write_report

__all__ = [
    "Figure",
    "Report",
    "Section",
    "Table",
    "Text",
    "build_report",
    "summary_sentences",
    "write_report",
]
