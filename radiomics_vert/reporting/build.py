"""From results to a report: which sections there are, and in which order."""

from __future__ import annotations

from collections.abc import Sequence

from radiomics_vert.checks import Finding, findings_result
from radiomics_vert.reporting.inputs import KINDS, Inputs
from radiomics_vert.reporting.nouns import Report, Section
from radiomics_vert.reporting.quality import section as quality
from radiomics_vert.reporting.sections import (
    acquisition,
    adjusted,
    association,
    cohort,
    comparison,
    confounding,
    explanation,
    external,
    extraction,
    leakage,
    limits,
    methods,
    optimism,
    provenance,
    reliability,
    sample_size,
    shapley,
    signs,
    subgroups,
    summary,
    table_one,
    validation,
)
from radiomics_vert.reporting.wording import without_paths
from radiomics_vert.results import Result

_LOCKED = ("external", "prediction")
_STUDIED = tuple(kind for kind in KINDS if kind not in (*_LOCKED, "study", "provenance"))


def build_report(results: Sequence[Result | Sequence[Finding]]) -> Report:
    """Put the results of a study together as a report, in the order in which a reviewer reads.

    Parameters
    ----------
    results : sequence of Result, or of Finding as the checks return them
        The kinds of :data:`~radiomics_vert.reporting.inputs.KINDS`, a plan of the sample size and
        predictions for new cases, at most one of each. Where one is absent that every report should
        have, its section says so and why it matters; the section on limits names the others. A run that
        only applied a locked model has a short report of that.

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
    sections = _locked_only(inputs) or (
        summary.section(inputs, summary.summary_sentences(known)),
        cohort.section(inputs),
        table_one.section(inputs),
        acquisition.section(inputs),
        quality.section(inputs),
        extraction.section(inputs),
        reliability.section(inputs),
        signs.section(inputs),
        association.section(inputs),
        adjusted.section(inputs),
        validation.section(inputs),
        comparison.section(inputs),
        optimism.section(inputs),
        explanation.section(inputs),
        shapley.section(inputs),
        subgroups.section(inputs),
        external.section(inputs),
        leakage.section(inputs),
        confounding.section(inputs),
        sample_size.section(inputs),
        limits.section(inputs),
        methods.section(inputs),
        provenance.section(inputs),
    )
    question = without_paths(str(inputs.spec("study").get("question") or ""))
    told = tuple(section for section in sections if section.items)
    return Report(without_paths(inputs.title), question, inputs.synthetic, told)


def _locked_only(inputs: Inputs) -> tuple[Section, ...]:
    """Return the few sections of a run that only applied a locked model; empty for any other run."""
    if not any(kind in inputs for kind in _LOCKED) or any(kind in inputs for kind in _STUDIED):
        return ()
    return (summary.locked_section(inputs), external.section(inputs), methods.section(inputs))
