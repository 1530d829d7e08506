"""A study from its settings to its report: the one place that knows the order of the stages."""

from radiomics_vert.study.demo import prepare_demo
from radiomics_vert.study.deployment import MODEL, predict_table, validate_tables
from radiomics_vert.study.folder import RECORDS, Study, load_results, load_study
from radiomics_vert.study.pair import PairCheck, check_pair
from radiomics_vert.study.plain import TableStudy, analyze_table, table_warnings, validate_table
from radiomics_vert.study.stages import Run, finding_counts, report_folder, result_sentences

__all__ = [
    "MODEL",
    "RECORDS",
    "PairCheck",
    "Run",
    "Study",
    "TableStudy",
    "analyze_table",
    "check_pair",
    "finding_counts",
    "load_results",
    "load_study",
    "predict_table",
    "prepare_demo",
    "report_folder",
    "result_sentences",
    "table_warnings",
    "validate_table",
    "validate_tables",
]
