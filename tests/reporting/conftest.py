"""The made-up study as fixtures."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from made_analyses import every_analysis
from made_study import every_result

from radiomics_vert.reporting import Report, build_report
from radiomics_vert.results import Result


@pytest.fixture
def make_results() -> Callable[..., list[Result]]:
    """All results; `synthetic` and the number of filters can be chosen, kinds left out."""

    def make(*, synthetic: bool = True, copies: int = 1, without: tuple[str, ...] = ()) -> list[Result]:
        return [result for result in every_result(synthetic, copies) if result.kind not in without]

    return make


@pytest.fixture(scope="session")
def report() -> Report:
    """The report of the whole study, with real pictures."""
    return build_report(every_result())


@pytest.fixture(scope="session")
def full_report() -> Report:
    """The report of all analyses, with real pictures."""
    return build_report(every_analysis())


@pytest.fixture
def no_painting(monkeypatch: pytest.MonkeyPatch) -> None:
    """Make no picture at all; captions and tables stay as they are."""
    monkeypatch.setattr(
        "radiomics_vert.reporting.style._picture", lambda *_: ("<svg viewBox='0 0 1 1'/>", b"")
    )


@pytest.fixture
def no_pictures(monkeypatch: pytest.MonkeyPatch) -> None:
    """Paint every figure but do not turn it into files, which takes most of the time."""
    monkeypatch.setattr(
        "radiomics_vert.reporting.style._files", lambda canvas: ("<svg viewBox='0 0 1 1'/>", b"")
    )
