"""Every vertebra of the real files that can be read: both engines against stock pyradiomics."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest

from radiomics_vert.cohort import Cohort, Scan, read_cohort
from radiomics_vert.extraction import ExtractionParams
from radiomics_vert.extraction.engine import compute_steps
from radiomics_vert.extraction.parity import relative_difference, stock_features
from radiomics_vert.extraction.preparing import read_prepared

_REPORT = "ct_totalsegmentator/spine_report"
_CT = {"image": "ct_totalsegmentator/example_ct.nii.gz", "sequence": "CT"}
with Path(__file__).with_name("data_expectations.csv").open(encoding="utf-8", newline="") as stream:
    READABLE = [
        *(row for row in csv.DictReader(stream) if row["verdict"] != "refused"),
        {**_CT, "mask": f"{_REPORT}/totalseg.nii.gz", "scheme": "totalsegmentator"},
        {
            **_CT,
            "mask": f"{_REPORT}/totalseg_vertebrae_pp_refined.nii.gz",
            "scheme": "totalsegmentator_vertebrae_pp",
        },
    ]
PARAMS = {
    "CT": ExtractionParams.from_mapping({"setting": {"binWidth": 25}}),
    "other": ExtractionParams.from_mapping({"setting": {"binCount": 32}}),
}
VERTEBRAE = 122
"""All of them, phantoms and samples of pyradiomics included, so that none can be left out unseen."""


@pytest.mark.slow
@pytest.mark.data
def test_both_engines_equal_stock_pyradiomics(real_data: Path, tmp_path: Path) -> None:
    cohort = _cohort(real_data, tmp_path / "images.csv")
    assert len(cohort) == len(cohort.cases) == VERTEBRAE
    apart = [found for scan in cohort.scans for found in _apart(cohort, scan)]
    assert len(apart) == VERTEBRAE * 2 * 107
    assert max(apart) < (1e-8,)


def _cohort(real_data: Path, manifest: Path) -> Cohort:
    rows = [
        (
            f"{number}",
            row["sequence"] or "other",
            real_data / row["image"],
            real_data / row["mask"],
            row["scheme"],
        )
        for number, row in enumerate(READABLE)
    ]
    table = pd.DataFrame(rows, columns=["subject_id", "sequence", "image", "mask", "scheme"])
    table.to_csv(manifest, index=False)
    return read_cohort(manifest)


def _apart(cohort: Cohort, scan: Scan) -> Iterator[tuple[float, str, str, str]]:
    """Yield the relative difference of each value of each engine, with what it belongs to."""
    params = PARAMS.get(scan.sequence, PARAMS["other"])
    prepared = read_prepared(scan, params.preprocessing, ())
    for case in (case for case in cohort.cases if case.scan is scan):
        box = prepared.box(case)
        for step in params.steps():
            stock = stock_features(prepared.volumes, case.label, step)
            for engine in ("native", "pyradiomics"):
                chosen = [replace(step, engine=engine)]
                ((_, outcome),) = compute_steps(prepared.volumes, case.label, box, chosen, case.case_id)
                assert outcome.problem is None
                assert list(outcome.values) == list(stock)
                for name, value in stock.items():
                    yield relative_difference(outcome.values[name], value), case.case_id, name, engine
