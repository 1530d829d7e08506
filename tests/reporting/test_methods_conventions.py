"""The methods text on definitions in which pyradiomics and IBSI differ."""

from __future__ import annotations

from dataclasses import asdict, replace

from radiomics_vert.extraction import ExtractionParams
from radiomics_vert.extraction.ibsi import Conventions
from radiomics_vert.reporting.sections.methods import _settings
from radiomics_vert.reporting.sections.methods_conventions import conventions_text

RESAMPLED = {"resampledPixelSpacing": [1, 1, 1], "binCount": None}


def test_every_convention_is_said_on_its_side() -> None:
    plain = conventions_text(asdict(Conventions()), RESAMPLED)
    assert plain.startswith(" Conventions of pyradiomics that depart from IBSI: resampled grid aligned")
    assert plain.count(";") == 5
    assert "kurtosis 3 for a normal distribution" in plain
    ibsi = conventions_text(asdict(Conventions.from_section("ibsi")), RESAMPLED)
    assert ibsi.startswith(" Conventions of IBSI: resampled grid aligned to the centre of the image; masks")
    assert ibsi.count(";") == 5
    assert "pyradiomics" not in ibsi
    mixed = conventions_text(asdict(replace(Conventions(), kurtosis="excess", slices="averaged")), RESAMPLED)
    assert " Conventions of IBSI: excess kurtosis; texture features averaged over slices. Conv" in mixed


def test_what_was_not_used_is_not_said() -> None:
    conventions = asdict(Conventions.from_section("ibsi"))
    assert conventions_text(conventions, {"binCount": 32}) == (
        " Conventions of IBSI: excess kurtosis; axis lengths from the sample covariance."
    )
    assert conventions_text(None, RESAMPLED) == ""


def test_conventions_follow_the_settings() -> None:
    params = ExtractionParams.from_mapping({"conventions": "ibsi"})
    recorded = {"file": "own", "settings": dict(params.settings), "conventions": asdict(params.conventions)}
    text = _settings("CT", recorded)
    assert text.endswith("Conventions of IBSI: grey-level bins from the lower limit of resegmentation, or "
                         "else the minimum of the region; excess kurtosis; axis lengths from the sample "
                         "covariance.")  # fmt: skip
    assert "conventions {" not in text
