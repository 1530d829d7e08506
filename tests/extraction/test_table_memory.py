"""What a feature table needs in memory while it is made, beside its own numbers."""

from __future__ import annotations

import tracemalloc
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from radiomics_vert.cohort import Case, Cohort, Level, Scan, load_scheme
from radiomics_vert.extraction.assemble import Outcomes, make_table
from radiomics_vert.extraction.engine import Outcome
from radiomics_vert.provenance import Provenance

CASES, FEATURES = 400, 1000
RUN = Provenance({"engine": {"engine": "native"}})


def cohort(cases: int) -> Cohort:
    scheme = load_scheme("verse")
    scans = [
        Scan(f"S{n}_CT", f"S{n}", "CT", Path(f"{n}.nii"), Path(f"{n}_mask.nii"), scheme) for n in range(cases)
    ]
    made = [Case(f"{one.scan_id}_L1", one, Level.L1, 20, 60, (0, 3, 0, 4, 0, 5), "digest") for one in scans]
    return Cohort(tuple(scans), tuple(made))


def computed(number: int) -> Outcome:
    """Return an outcome as a worker hands it over: every text and every number is an object of its own."""
    values = {f"original_feature_{place}": number + place / 3 for place in range(FEATURES)}
    return Outcome(values, {"voxels_resampled": 60 + number, "spacing_x": 0.5})


@pytest.fixture
def traced() -> Iterator[None]:
    tracemalloc.start()
    yield
    tracemalloc.stop()


def test_a_table_needs_two_and_a_half_times_its_numbers_at_most_while_it_is_made(traced: None) -> None:
    many, outcomes = cohort(CASES), Outcomes()
    before, _ = tracemalloc.get_traced_memory()
    tracemalloc.reset_peak()
    for number, case in enumerate(many.cases):
        outcomes.add(case.case_id, "original", computed(number))
    table = make_table(many, {"CT": ["original"]}, outcomes, RUN)
    numbers = 8 * CASES * FEATURES
    # The allocation of the table is counted in full when it is made, beside all outcomes; the operating
    # system counts its pages as they are written, while outcomes are dropped.
    assert tracemalloc.get_traced_memory()[1] - before < 2.5 * numbers
    expected = np.arange(CASES)[:, None] + np.arange(FEATURES) / 3
    np.testing.assert_array_equal(table.values[table.features].to_numpy(), expected)
    assert table.diagnostics["voxels_resampled"].tolist() == [60 + n for n in range(CASES)]


def test_features_that_only_some_sequences_have_are_missing_in_the_others() -> None:
    few, outcomes = cohort(2), Outcomes()
    outcomes.add("S0_CT_L1", "original", Outcome({"a": 1.0, "b": 2.0}))
    outcomes.add("S0_CT_L1", "shape", Outcome({"c": 3.0}))
    outcomes.add("S1_CT_L1", "original", Outcome({"d": 4.0, "a": 5.0}))
    outcomes.add("S1_CT_L1", "shape", Outcome({"c": 6.0}))
    table = make_table(few, {"CT": ["original", "shape"]}, outcomes, RUN)
    assert table.features == ["a", "b", "c", "d"]
    np.testing.assert_array_equal(
        table.values[["a", "b", "c", "d"]], [[1.0, 2.0, 3.0, np.nan], [5.0, np.nan, 6.0, 4.0]]
    )
