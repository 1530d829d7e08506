from __future__ import annotations

import gzip

import numpy as np
import pandas as pd
import pytest

from radiomics_vert.dataset import parse_feature, read_dataset
from radiomics_vert.errors import DatasetError, TableError

FRAME = pd.DataFrame(
    {
        "ID": ["a", "a", "b", "c"],
        "level": ["L1", "L2", "L1", "L1"],
        "Target": [0, 1, 1, 0],
        "volume": [1.0, 2.0, np.nan, 4.0],
        "scanner": list("xxyy"),
        "age": [60, 60, 70, 80],
    }
)
ROLES = {"outcome": "Target", "positive": "1", "group": "ID"}


def read(tmp_path, frame=FRAME, **roles):
    frame.to_csv(tmp_path / "t.csv", index=False)
    return read_dataset(tmp_path / "t.csv", **{**ROLES, **roles})


def test_roles_are_kept_apart(tmp_path):
    dataset = read(tmp_path, level="level", covariates=["age"])
    assert list(dataset.X.columns) == ["volume"]
    assert list(dataset.X.index) == ["a_L1", "a_L2", "b_L1", "c_L1"]
    assert list(dataset.y) == [0, 1, 1, 0]
    assert list(dataset.covariates["age"]) == [60, 60, 70, 80]
    assert dataset.n_subjects == 3
    assert (dataset.positive, dataset.negative) == ("Target=1", "Target=0")
    assert dataset.audit.loc[0, ["unit", "code"]].tolist() == ["scanner", "RV404"]


def test_repeated_rows_of_a_patient_stay_together_and_apart_in_name(tmp_path):
    dataset = read(tmp_path, drop=["scanner", "level"])
    assert list(dataset.X.index) == ["a_row1", "a_row2", "b", "c"]
    assert list(dataset.groups) == ["a", "a", "b", "c"]


def test_a_row_without_a_patient_is_left_out_and_listed(tmp_path):
    dataset = read(tmp_path, FRAME.assign(ID=["a", None, "b", "c"]), drop=["scanner", "level"])
    assert list(dataset.X.index) == ["a", "b", "c"]
    assert dataset.audit.iloc[0].tolist() == ["line 3", "", "", "", "RV405", "no patient in 'ID'"]


@pytest.mark.parametrize("positive", ["1", "1.0", 1])
def test_a_class_is_found_however_it_is_spelled(tmp_path, positive):
    assert read(tmp_path, positive=positive).y.sum() == 2


BAD = {
    "no column": (FRAME, {"group": "patient"}, "RV103", "ID, level", "t.csv", "correct the name"),
    "two roles": (FRAME, {"covariates": ["Target"]}, "RV409", "as outcome", "t.csv", "once"),
    "one patient": (FRAME.assign(ID="a"), {}, "RV405", "one value, 'a'", "'ID'", "identifies the patient"),
    "only text": (FRAME[["ID", "Target", "scanner"]], {}, "RV404", "text only", "t.csv", "decimal"),
    "one class": (FRAME.assign(Target=1), {}, "RV402", "only '1' (4", "Target", "other class"),
}


@pytest.mark.parametrize("name", BAD)
def test_faults_are_explained(tmp_path, name):
    frame, roles, code, found, where, remedy = BAD[name]
    with pytest.raises(DatasetError) as error:
        read(tmp_path, frame, **roles)
    (told,) = error.value.problems
    assert told.code == code
    assert told.expected
    assert found in told.found
    assert where in told.where
    assert remedy in told.remedy


def test_a_missing_table_is_told(tmp_path):
    with pytest.raises(TableError):
        read_dataset(tmp_path / "none.csv", **ROLES)


@pytest.mark.data
def test_public_radiomics_tables_read(real_data, tmp_path):
    sizes = {}
    for path in sorted((real_data / "radmlbench" / "datasets").glob("*.gz")):
        table = tmp_path / f"{path.stem}.csv"
        table.write_bytes(gzip.decompress(path.read_bytes()))
        dataset = read_dataset(table, **ROLES)
        sizes[path.stem] = (len(dataset), dataset.n_subjects, len(dataset.audit))
        assert dataset.X.shape[1] > 100
    assert len(sizes) == 9
    assert sizes["Hosny2018B"] == (206, 206, 1), "one row of this table has no ID"


def test_feature_names_are_understood():
    name = parse_feature("T1__log-sigma-2-0-mm-3D_firstorder_90Percentile")
    assert name == ("T1", "log-sigma-2-0-mm-3D", "firstorder", "90Percentile")
    assert name.family == "log firstorder"
    assert parse_feature("original_shape_MeshVolume").family == "shape"
    assert parse_feature("my_own_feature") == ("", "", "", "my_own_feature")
