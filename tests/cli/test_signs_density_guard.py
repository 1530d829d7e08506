"""No density from MRI (row 43): HU and mg/cm3 are refused with a code, and no image gives a T-score."""

from __future__ import annotations

import pandas as pd
import pytest
from test_signs_cli import SCHEME, call, lay_scan

from radiomics_vert.signs.registry import SEQUENCES, registry

DENSITY = [name for name, sign in registry().items() if sign.unit in ("HU", "mg/cm3")]


@pytest.mark.parametrize("sequence", SEQUENCES)
def test_no_image_gives_a_t_score(sequence):
    listed = call("--list", "--sequence", sequence).stdout
    assert "t_score" not in listed.lower()
    if sequence != "CT":
        assert not any(f" {name} " in listed for name in DENSITY)


@pytest.mark.parametrize("sequence", ["T1", "STIR"])
def test_density_of_an_mr_image_is_refused_with_a_code(sequence, tmp_path):
    image, mask = lay_scan(tmp_path)
    given = ("--image", image, "--mask", mask, "--scheme", SCHEME, "--sequence", sequence)
    result = call(*given, "--output", tmp_path / "out")
    assert result.exit_code == 0, result.output
    assert "t_score" not in result.stdout.lower()
    assert "t-score" not in result.stdout.lower()
    values = pd.read_csv(tmp_path / "out" / "signs.csv")
    assert not [name for name in values if "t_score" in name]
    assert values[DENSITY].isna().all(axis=None)
    absences = pd.read_csv(tmp_path / "out" / "absences.csv")
    assert set(absences.loc[absences["sign"].isin(DENSITY), "code"]) == {"RV332"}
