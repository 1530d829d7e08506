"""Whole steps (crop, resegmentation, filter, features) equal stock pyradiomics on the whole image."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import native_oracle as oracle
import pytest
from hypothesis import given

from radiomics_vert.extraction import ExtractionParams
from radiomics_vert.extraction.engine import Volumes, compute_steps
from radiomics_vert.extraction.parity import stock_features

DRAWN: dict[str, Any] = {
    "scan": oracle.scans,
    "filters": oracle.filters,
    "resegmentation": oracle.resegmentations,
    "settings": oracle.settings,
}
Scan = tuple[Volumes, tuple[int, ...]]


@oracle.same_examples(20)
@given(**DRAWN)
def test_native_equals_pyradiomics(
    scan: Scan, filters: dict[str, Any], resegmentation: dict[str, Any], settings: dict[str, Any]
) -> None:
    compare(scan, filters, resegmentation | settings)


@pytest.mark.slow
@oracle.fresh_examples(60)
@given(**DRAWN)
def test_native_equals_pyradiomics_on_scans_that_nobody_has_seen(
    scan: Scan, filters: dict[str, Any], resegmentation: dict[str, Any], settings: dict[str, Any]
) -> None:
    compare(scan, filters, resegmentation | settings)


def compare(scan: Scan, filters: dict[str, Any], settings: dict[str, Any]) -> None:
    """Compare every step; what we refuse (RV301, RV304, RV308), pyradiomics must not compute either."""
    volumes, box = scan
    given = {name: value for name, value in settings.items() if value is not None}
    params = ExtractionParams.from_mapping({"imageType": filters, "setting": given})
    for step, outcome in compute_steps(volumes, 1, box, params.steps(), "drawn"):
        assert step.engine == "native"
        if outcome.problem:
            assert outcome.problem.code in ("RV301", "RV304", "RV308")
            with pytest.raises((ValueError, IndexError, RuntimeError)):
                stock_features(volumes, 1, replace(step, engine="pyradiomics"))
        else:
            oracle.assert_equal(dict(outcome.values), stock_features(volumes, 1, step))
