"""What forbids to take the results at face value, said where nobody can miss it."""

from __future__ import annotations

from radiomics_vert.reporting.inputs import Inputs
from radiomics_vert.reporting.nouns import Text
from radiomics_vert.reporting.sections.confounding import duplicate_text, trap_text
from radiomics_vert.reporting.sections.leakage import leak_text
from radiomics_vert.reporting.sections.reliability import unit_error_text


def warnings(inputs: Inputs) -> list[str]:
    """Return one sentence or two for each reason not to believe the results.

    Parameters
    ----------
    inputs : Inputs
        Leakage probe, confounding audit, reliability; what is absent does not warn.
    """
    texts = (leak_text(inputs), trap_text(inputs), duplicate_text(inputs), unit_error_text(inputs))
    return [text for text in texts if text]


def alarms(inputs: Inputs) -> list[Text]:
    """Return one box with all warnings, or nothing."""
    found = tuple(warnings(inputs))
    return [Text(found, "warning")] if found else []
