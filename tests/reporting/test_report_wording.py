"""Numbers, names and cells: hand-written expectations."""

from __future__ import annotations

import doctest
import math

import numpy as np
import pandas as pd
import pytest

from radiomics_vert.reporting import cells, models, wording
from radiomics_vert.reporting.cells import for_spreadsheets
from radiomics_vert.reporting.wording import (
    fixed,
    interval,
    number,
    p_value,
    percent,
    plain,
    readable,
    without_paths,
)


@pytest.mark.parametrize("module", [wording, cells, models])
def test_examples_in_docstrings(module) -> None:
    outcome = doctest.testmod(module)
    assert outcome.attempted > 0
    assert outcome.failed == 0


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.0, "0"),
        (-3, "−3"),
        (0.99951, "1.00"),
        (9.996, "10.0"),
        (123.456, "123"),
        (1234.5, "1234"),
        (0.000123456, "1.23e−4"),
        (-0.01234, "−0.0123"),
        (23456789.5, "2.35e7"),
        (math.inf, "infinite"),
        (np.float64("nan"), "–"),
        (np.int64(7), "7"),
        (pd.NA, "–"),
        (None, "–"),
    ],
)
def test_number_has_three_significant_digits(value, text: str) -> None:
    assert number(value) == text


@pytest.mark.parametrize(
    ("p", "text"),
    [
        (0.0, "< 0.001"),
        (0.00099, "< 0.001"),
        (0.001, "0.001"),
        (0.0496, "0.050"),
        (0.0999, "0.10"),
        (0.25, "0.25"),
        (1.0, "> 0.99"),
        (None, "–"),
    ],
)
def test_p_value(p, text: str) -> None:
    assert p_value(p) == text


def test_intervals_keep_the_sign_and_never_print_minus_zero() -> None:
    assert interval(-0.501, -0.9, -0.1) == "−0.50 (−0.90 to −0.10)"
    assert fixed(-0.0001) == "0.00"
    assert interval(float("nan"), None, None) == "–"


def test_percent() -> None:
    assert [percent(*pair) for pair in ((1, 3), (1, 30), (30, 30), (0, 5), (2, 0))] == [
        "33 %", "3.3 %", "100 %", "0 %", "–",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("name", "text"),
    [
        (
            "STIR__wavelet-HHH_gldm_LargeDependenceHighGrayLevelEmphasis",
            "Large dependence high gray level emphasis (GLDM, wavelet HHH, STIR)",
        ),
        ("original_glcm_MCC", "Maximal correlation coefficient (GLCM)"),
        ("log-sigma-5-0-mm-3D_glcm_Imc1", "Informational measure of correlation 1 (GLCM, LoG 5.0 mm)"),
        ("original_shape_Maximum2DDiameterSlice", "Maximum2 d diameter slice (shape)"),
        ("original_firstorder_RootMeanSquared", "Root mean squared (intensity)"),
        ("CT__bone density", "bone density (CT)"),
    ],
)
def test_readable_feature_names(name: str, text: str) -> None:
    assert readable(name) == text


@pytest.mark.parametrize(
    ("given", "shown"),
    [
        ("/data/study one/ct.nii", "study one/ct.nii"),
        ("see '/a/b/c.csv', line 2", "see 'c.csv', line 2"),
        (r"C:\Users\ana\ct.nii.gz", "ct.nii.gz"),
        (r"\\server\share\ct.nii.gz", "ct.nii.gz"),
        ("~/study/ct.nii", "ct.nii"),
        ("masks/ct.nii", "masks/ct.nii"),
        ("p = 1/3", "p = 1/3"),
    ],
)
def test_absolute_paths_are_cut(given: str, shown: str) -> None:
    assert without_paths(given) == shown


def test_settings_are_exact() -> None:
    assert plain({"seed": 0, "rate": 0.05, "sizes": [1, 2.5]}) == "rate: 0.05; seed: 0; sizes: 1, 2.5"
    assert plain([]) == plain({}) == plain("") == "–"


def test_text_that_a_spreadsheet_would_run_is_neutralised() -> None:
    frame = pd.DataFrame(
        {
            "text": ["=HYPERLINK(1)", "+1+1", "-2+3", "@SUM(A1)", "\tx", "plain", None],
            "number": [-0.5, 1.0, np.nan, 2.0, 3.0, 4.0, 5.0],
            "mixed": ["-0.25", "+3", "-1e-5", "- a", "a=b", "1_000", "-1_0"],
        }
    )
    safe = for_spreadsheets(frame)
    assert safe["text"].tolist()[:6] == ["'=HYPERLINK(1)", "'+1+1", "'-2+3", "'@SUM(A1)", "'\tx", "plain"]
    assert pd.isna(safe["text"].iloc[6])
    pd.testing.assert_series_equal(safe["number"], frame["number"])
    assert safe["mixed"].tolist() == ["-0.25", "+3", "-1e-5", "'- a", "a=b", "1_000", "'-1_0"]
    assert frame["text"].iloc[0] == "=HYPERLINK(1)"


def test_column_heads_are_neutralised_too() -> None:
    safe = for_spreadsheets(pd.DataFrame({"=cmd": [1], "-1": [2], "@x": ["y"]}))
    assert safe.columns.tolist() == ["'=cmd", "-1", "'@x"]


def test_categories_are_neutralised_and_repeated_heads_survive() -> None:
    frame = pd.DataFrame([["=1", "b"]], columns=["x", "x"])
    assert for_spreadsheets(frame).to_numpy().tolist() == [["'=1", "b"]]
