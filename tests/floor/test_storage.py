from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from radiomics_vert.errors import TableError
from radiomics_vert.storage import atomic, digest, read_table, write_json, write_table


def write(path, content, encoding="utf-8"):
    path.write_bytes(content.encode(encoding))
    return path


def problem(error):
    (only,) = error.value.problems
    return only


def test_rows_know_their_line_in_the_file(tmp_path):
    path = write(tmp_path / "t.csv", 'a,b\n1,2\n\n"x\ny",3\n,\n5,6\n')
    frame = read_table(path, text=True)
    assert list(frame.index) == [2, 4, 7]
    assert list(frame["b"]) == ["2", "3", "6"]


def test_odd_line_marks_inside_a_cell_are_text(tmp_path):
    path = write(tmp_path / "t.csv", "\na;b\nx\u2028y;2\nz\x0bw;3\n")
    assert list(read_table(path)["b"]) == [2, 3]


def test_text_keeps_leading_zeros_and_numbers_do_not(tmp_path):
    path = write(tmp_path / "t.csv", "id,value\n007,1.5\n")
    assert read_table(path, text=True)["id"].item() == "007"
    assert read_table(path)["value"].item() == 1.5


def test_a_byte_order_mark_and_semicolons_are_understood(tmp_path):
    path = write(tmp_path / "t.csv", "id;value\nP1;2\n", "utf-8-sig")
    assert list(read_table(path).columns) == ["id", "value"]


@pytest.mark.parametrize("suffix", [".csv", ".tsv", ".parquet"])
def test_numbers_come_back_exactly(tmp_path, suffix):
    values = np.array([0.1, 1 / 3, 1e-300, 123456789.123456789, np.nan])
    frame = pd.DataFrame({"name": list("abcde"), "value": values})
    write_table(frame, tmp_path / f"t{suffix}")
    back = read_table(tmp_path / f"t{suffix}").reset_index(drop=True)
    np.testing.assert_array_equal(back["value"].to_numpy(), values)


def test_excel_is_read_as_text(tmp_path):
    pd.DataFrame({"id": ["007", "P2"], "n": [1, 2]}).to_excel(tmp_path / "t.xlsx", index=False)
    frame = read_table(tmp_path / "t.xlsx", text=True)
    assert list(frame["id"]) == ["007", "P2"]
    assert list(frame.index) == [2, 3]


BAD = {
    "missing file": (None, "t.csv", "RV101", "no such file", "t.csv", "correct the path"),
    "other ending": ("a\n1\n", "t.doc", "RV102", "'.doc'", "t.doc", "save the table as CSV"),
    "header only": ("a,b\n", "t.csv", "RV112", "2 columns and no row", "t.csv", "fill in"),
    "empty file": ("", "t.csv", "RV102", "No columns", "t.csv", "data/README.md"),
    "ragged row": ("a,b\n1,2\n1,2,3\n", "t.csv", "RV102", "3 cells", "line 3", "double quotes"),
    "repeated column": ("a,a\n1,2\n", "t.csv", "RV102", "repeated: a", "header", "rename"),
    "not a parquet": ("hello", "t.parquet", "RV102", "Parquet", "t.parquet", "save it again"),
    "not an excel": ("hello", "t.xlsx", "RV102", "File is not a zip", "t.xlsx", "save it again"),
}


@pytest.mark.parametrize("name", BAD)
def test_bad_tables_are_explained(tmp_path, name):
    content, file, code, found, where, remedy = BAD[name]
    if content is not None:
        write(tmp_path / file, content)
    with pytest.raises(TableError) as error:
        read_table(tmp_path / file)
    told = problem(error)
    assert told.code == code
    assert told.expected
    assert found in told.found
    assert where in told.where
    assert remedy in told.remedy


def test_another_encoding_is_named_with_its_place(tmp_path):
    path = write(tmp_path / "t.csv", "id,name\n1,Müller\n", "latin-1")
    with pytest.raises(TableError) as error:
        read_table(path)
    told = problem(error)
    assert told.code == "RV113"
    assert told.expected == "UTF-8 text"
    assert "0xfc at position 11" in told.found
    assert "CSV UTF-8" in told.remedy


def test_a_failed_write_leaves_the_old_file_and_no_rest(tmp_path):
    path = tmp_path / "t.csv"
    path.write_text("old")

    def half_write():
        with atomic(path) as temporary:
            temporary.write_text("half")
            raise RuntimeError

    with pytest.raises(RuntimeError):
        half_write()
    assert path.read_text() == "old"
    assert [p.name for p in tmp_path.iterdir()] == ["t.csv"]


def test_equal_values_are_equal_bytes_and_digests(tmp_path):
    write_json(tmp_path / "a.json", {"b": 1, "a": [1.5, None]})
    write_json(tmp_path / "b.json", {"a": [1.5, None], "b": 1})
    assert (tmp_path / "a.json").read_bytes() == (tmp_path / "b.json").read_bytes()
    assert digest({"b": 1, "a": 2}) == digest({"a": 2, "b": 1}) != digest({"a": 2, "b": 2})
