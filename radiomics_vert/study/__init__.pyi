from .demo import prepare_demo
from .deployment import MODEL, predict_table, validate_tables
from .folder import RECORDS, Study, load_results, load_study
from .pair import PairCheck, check_pair
from .plain import TableStudy, analyze_table, table_warnings, validate_table
from .sign_scan import ScanMeasured, ScanSource, measure_one
from .stages import Run, finding_counts, report_folder, result_sentences

__all__ = [
    "MODEL",
    "RECORDS",
    "PairCheck",
    "Run",
    "ScanMeasured",
    "ScanSource",
    "Study",
    "TableStudy",
    "analyze_table",
    "check_pair",
    "finding_counts",
    "load_results",
    "load_study",
    "measure_one",
    "predict_table",
    "prepare_demo",
    "report_folder",
    "result_sentences",
    "table_warnings",
    "validate_table",
    "validate_tables",
]
