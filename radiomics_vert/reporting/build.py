"""From results to a report: which sections there are, and in which order."""

from __future__ import annotations

from collections.abc import Sequence

from radiomics_vert.checks import Finding, findings_result
from radiomics_vert.reporting.inputs import Inputs
from radiomics_vert.reporting.nouns import Report
from radiomics_vert.reporting.sections import (
    association,
    cohort,
    extraction,
    limits,
    methods,
    provenance,
    summary,
    table_one,
    validation,
)
from radiomics_vert.reporting.wording import without_paths
from radiomics_vert.results import Result


def build_report(results: Sequence[Result | Sequence[Finding]]) -> Report:
    """Put the results of a study together as a report, in the order in which a reviewer reads.

    Parameters
    ----------
    results : sequence of Result, or of Finding as the checks return them
        Kinds `study`, `flow`, `checks`, `extraction`, `table_one`, `association`, `validation`,
        `values`, `provenance`, at most one of each. Where one is absent, its section says so and
        why it matters.

    Returns
    -------
    Report
        Ready to be written; the same results give the same report.

    Raises
    ------
    ReportError
        RV702 when two results have the same kind.
    """
    known = [item if isinstance(item, Result) else findings_result(item) for item in results]
    inputs = Inputs(known)
    sections = (
        summary.section(inputs, summary.summary_sentences(known)),
        cohort.section(inputs),
        table_one.section(inputs),
        extraction.section(inputs),
        association.section(inputs),
        validation.section(inputs),
        limits.section(inputs),
        methods.section(inputs),
        provenance.section(inputs),
    )
    question = without_paths(str(inputs.spec("study").get("question") or ""))
    return Report(without_paths(inputs.title), question, inputs.synthetic, sections)
