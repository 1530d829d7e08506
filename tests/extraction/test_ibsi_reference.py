"""The phantoms of IBSI against its reference values, by both engines."""

from __future__ import annotations

import io
from pathlib import Path

import ibsi_reference
import pandas as pd
import pytest
from radiomics import getFeatureClasses

DOCUMENT = Path(__file__).resolve().parents[2] / "docs" / "ibsi.md"


def test_every_feature_has_its_code_or_is_known_to_have_none() -> None:
    codes = ibsi_reference.codes()
    assert len(codes) == 102
    assert codes["feature"].is_unique
    assert codes["code"].is_unique
    assert codes["tag"].is_unique
    assert codes["code"].str.fullmatch("[0-9A-Z]{4}").all()
    known = {
        f"{name}_{feature}"
        for name, own in getFeatureClasses().items()
        if name != "shape2D"
        for feature, deprecated in own.getFeatureNames().items()
        if not deprecated
    }
    planar = {f"shape_Maximum2DDiameter{plane}" for plane in ("Slice", "Column", "Row")}
    assert known - set(codes["feature"]) == planar | {"firstorder_TotalEnergy", "glcm_MCC"}
    assert set(codes["feature"]) <= known


def test_the_document_quotes_the_committed_counts() -> None:
    table = pd.read_csv(ibsi_reference.GOLDEN, dtype=str, keep_default_na=False)
    written = DOCUMENT.read_text("utf-8")
    shown = table[table["engine"] == "native"]
    for row in shown.itertuples(index=False):
        cells = (row.case, row.aggregation, row.conventions, row.within, row.within_unrounded)
        assert f"| {' | '.join(cells)} |".replace("|  |", "| |") in written


@pytest.mark.data
@pytest.mark.parametrize("way", sorted(ibsi_reference.AGGREGATIONS))
@pytest.mark.parametrize("engine", ["native", "pyradiomics"])
def test_digital_phantom(real_data: Path, way: str, engine: str) -> None:
    values = ibsi_reference.features(real_data, "digital phantom", way, ibsi_reference.IBSI, engine)
    table = ibsi_reference.compared(real_data, "digital phantom", way, values)
    assert len(table) == 102
    assert table.loc[~table["within"], "feature"].tolist() == []


@pytest.mark.data
@pytest.mark.parametrize("case", ["CT, configuration C", "CT, configuration D"])
@pytest.mark.parametrize("way", ["3D_avg", "3D_comb"])
def test_ct_phantom(real_data: Path, case: str, way: str) -> None:
    found = {
        engine: ibsi_reference.features(real_data, case, way, ibsi_reference.IBSI, engine)
        for engine in ("native", "pyradiomics")
    }
    table = ibsi_reference.compared(real_data, case, way, found["native"])
    assert len(table) == 102
    assert table.loc[~table["within_unrounded"], "feature"].tolist() == []
    assert found["native"] == pytest.approx(found["pyradiomics"], rel=1e-8)


@pytest.mark.data
def test_committed_counts_are_those_of_today(real_data: Path) -> None:
    written = pd.read_csv(ibsi_reference.GOLDEN, dtype=str, keep_default_na=False)
    today = ibsi_reference.counts(real_data).to_csv(index=False)
    again = pd.read_csv(io.StringIO(today), dtype=str, keep_default_na=False)
    pd.testing.assert_frame_equal(again, written)
