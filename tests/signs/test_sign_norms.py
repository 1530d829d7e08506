"""Calibration and norm reach the signs from the settings, per patient, or the signs stay absent."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from radiomics_vert import load_study, read_cohort
from radiomics_vert.errors import TableError
from radiomics_vert.signs import measure_signs
from radiomics_vert.signs.bone import HuNorm
from radiomics_vert.signs.norms import patient_tables, read_norm
from radiomics_vert.signs.table import scan_works
from radiomics_vert.study.sign_tables import sign_tables
from tests_support import edit, images_of, use_images

NORM = "sex,age_from,age_to,hu\nF,20,120,200\nM,20,65,210\nM,65,120,190\n"


@pytest.fixture
def norm_file(tmp_path: Path) -> Path:
    path = tmp_path / "norm.csv"
    path.write_text(NORM)
    return path


def test_norm_table_is_read(norm_file):
    assert read_norm(norm_file)[2] == HuNorm("M", 65.0, 120.0, 190.0)


@pytest.mark.parametrize(
    ("old", "new", "code"),
    [
        ("hu\n", "mean\n", "RV103"),
        ("F,20", "X,20", "RV602"),
        ("200", "-1", "RV602"),
        ("65,210", "20,210", "RV602"),
    ],
)
def test_faulty_norm_tables_are_refused(norm_file, old, new, code):
    edit(norm_file, old, new)
    with pytest.raises(TableError, match=code):
        read_norm(norm_file)


def test_a_patient_without_one_age_and_sex_has_no_norm(norm_file):
    clinical = pd.DataFrame(
        {
            "subject_id": ["A", "A", "B", "B", "C", "D"],
            "age": [70, 70, 70, 71, np.nan, 10],
            "sex": ["M", "M", "M", "M", "F", "F"],
        }
    )
    found = patient_tables(clinical, calibration={"slope": 0.8, "intercept": 2.0}, norm=read_norm(norm_file))
    assert [("norm" in found[name]) for name in "ABCD"] == [True, False, False, False]
    assert found["A"]["norm"] == {"hu": 190.0}
    assert all(tables["calibration"] == {"slope": 0.8, "intercept": 2.0} for tables in found.values())
    assert patient_tables(clinical[["subject_id"]], norm=read_norm(norm_file))["A"] == {}


def test_settings_reach_the_signs_and_their_cache_key(small_study: Path):
    (small_study / "norm.csv").write_text(NORM)
    use_images(small_study, images_of(small_study).head(2))
    edit(
        small_study / "study.yaml",
        "signs: {measure: false}",
        "signs: {calibration: {slope: 0.8, intercept: -5}, norm: norm.csv}",
    )
    study = load_study(small_study / "study.yaml")
    tables = sign_tables(study)
    cohort = read_cohort(small_study / "images.csv", small_study / "cohort" / "clinical.csv")
    works = scan_works(cohort, tables=tables)
    assert all(set(work.tables) == {"calibration", "norm"} for work in works)
    plain = scan_works(cohort)
    assert works[0].content() != plain[0].content()
    own = measure_signs(cohort, tables=tables).features.values
    np.testing.assert_allclose(own["sign_vbmd"], 0.8 * own["sign_hu_tb"] - 5, rtol=1e-6)
    hu = own["subject_id"].map({name: found["norm"]["hu"] for name, found in tables.items()})
    np.testing.assert_allclose(own["sign_loss_vs_norm"], 1 - own["sign_hu_tb"] / hu, rtol=1e-6)


def test_without_settings_there_are_no_tables(small_study: Path):
    assert sign_tables(load_study(small_study / "study.yaml")) == {}
