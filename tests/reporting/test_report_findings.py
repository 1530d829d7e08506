from __future__ import annotations

from radiomics_vert.checks import Finding
from radiomics_vert.reporting import build_report
from radiomics_vert.reporting.write import render


def test_findings_of_the_checks_enter_a_report_as_they_are():
    cases = tuple(f"P{i}_CT_L1" for i in range(9))
    finding = Finding("RV306", "warning", "9 vertebrae reach the border", "use another scan", cases)
    page = render(build_report([[finding]]))
    assert "9 vertebrae reach the border" in page
    assert "P3_CT_L1 and 5 more" in page
    assert "P4_CT_L1" not in page
