"""Validation on radiomics tables that this project did not make."""

from __future__ import annotations

import gzip
from pathlib import Path

import pytest

from radiomics_vert.dataset.nouns import Dataset
from radiomics_vert.dataset.plain import read_dataset
from radiomics_vert.modeling import ModelSpec, ValidationSpec, cross_validate

pytestmark = pytest.mark.data

SPEC = ModelSpec(grid={"k": (5, 10), "l1_ratio": (0.5,), "C": (0.1, 0.5)})
VALIDATION = ValidationSpec(repeats=1, inner_folds=3, n_boot=50)


def _table(folder: Path, name: str, scratch: Path) -> Dataset:
    packed = (folder / "radmlbench" / "datasets" / f"{name}.gz").read_bytes()
    path = scratch / f"{name}.csv"
    path.write_bytes(gzip.decompress(packed))
    return read_dataset(path, outcome="Target", positive="1", group="ID")


def test_table_with_a_row_without_patient(real_data, tmp_path):
    dataset = _table(real_data, "Hosny2018B", tmp_path)
    assert (len(dataset), dataset.n_subjects) == (206, 206)
    assert dataset.audit["code"].tolist().count("RV405") == 1
    result = cross_validate(dataset, SPEC, VALIDATION)
    predictions = result.frame("predictions")
    assert predictions["unit"].tolist() == dataset.X.index.tolist()
    assert predictions["probability"].between(0, 1).all()
    row = result.frame().set_index("metric").loc["auc"]
    assert (row["n"], row["n_subjects"]) == (206, 206)
    assert row["ci_low"] < row["estimate"] < row["ci_high"]


def test_table_with_more_features_than_patients(real_data, tmp_path):
    dataset = _table(real_data, "WORC-Lipo", tmp_path)
    assert dataset.X.shape == (114, 1015)
    result = cross_validate(dataset, SPEC, VALIDATION)
    row = result.frame().set_index("metric").loc["auc"]
    assert row["ci_low"] > 0.5
    assert (result.frame("folds")["n_selected"] <= 10).all()
