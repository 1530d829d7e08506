from .build import build_report
from .nouns import Figure, Report, Section, Table, Text
from .sections.summary import summary_sentences
from .write import write_report

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
