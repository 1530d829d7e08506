"""Validation on radiomics tables that this project did not make."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest

from radiomics_vert.dataset.nouns import Dataset
from radiomics_vert.modeling import ModelSpec, ValidationSpec, cross_validate

pytestmark = pytest.mark.data

SPEC = ModelSpec(grid={"k": (5, 10), "l1_ratio": (0.5,), "C": (0.1, 0.5)})
VALIDATION = ValidationSpec(repeats=1, inner_folds=3, n_boot=50)


def _table(folder: Path, name: str) -> Dataset:
    raw = pd.read_csv(folder / "radmlbench" / "datasets" / f"{name}.gz", compression="gzip")
    unit = pd.Index([f"row{number}" for number in range(len(raw))])
    raw.index = unit
    subject = raw["ID"].astype(str)
    return Dataset(
        X=raw.drop(columns=["ID", "Target"]),
        y=raw["Target"].astype(int),
        groups=subject,
        covariates=pd.DataFrame(index=unit),
        audit=pd.DataFrame(),
        info=pd.DataFrame({"subject_id": subject}, index=unit),
        outcome="Target",
        positive="1",
        negative="0",
    )


def test_table_with_a_repeated_patient_and_a_missing_value(real_data):
    dataset = _table(real_data, "Hosny2018B")
    assert (len(dataset), dataset.n_subjects, int(dataset.X.isna().sum().sum())) == (207, 206, 1)
    result = cross_validate(dataset, SPEC, VALIDATION)
    predictions = result.frame("predictions")
    assert predictions["probability"].between(0, 1).all()
    assert (predictions.groupby("subject_id")["fold"].nunique() == 1).all()
    row = result.frame().set_index("metric").loc["auc"]
    assert (row["n"], row["n_subjects"]) == (207, 206)
    assert row["ci_low"] < row["estimate"] < row["ci_high"]


def test_table_with_more_features_than_patients(real_data):
    dataset = _table(real_data, "WORC-Lipo")
    assert dataset.X.shape == (114, 1015)
    result = cross_validate(dataset, SPEC, VALIDATION)
    row = result.frame().set_index("metric").loc["auc"]
    assert row["ci_low"] > 0.5
    assert (result.frame("folds")["n_selected"] <= 10).all()
