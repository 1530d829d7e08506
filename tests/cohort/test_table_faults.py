"""Malformed image and clinical tables: one error with every problem, each with its line."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest

from radiomics_vert.cohort import read_clinical, read_cohort, scheme_names
from radiomics_vert.errors import CohortError, RadiomicsVertError

HEADER = "subject_id,sequence,image,mask,scheme\n"
ROW = "P1,CT,a.nii.gz,a_mask.nii.gz,verse\n"
NAMES = ", ".join(scheme_names())
REPEATED = "remove the row, or tell the scans apart by the column session or rater"
IDENTIFIER = "subject_id of letters A-Z, a-z, digits and single . + - _, with a letter or digit first"


def images(text: str, **options: str) -> Callable[[], object]:
    def read() -> object:
        Path("images.csv").write_text(text, "utf-8")
        return read_cohort("images.csv", **options)

    return read


def encoded(text: str) -> Callable[[], object]:
    def read() -> object:
        Path("images.csv").write_bytes(text.encode("latin-1"))
        return read_cohort("images.csv")

    return read


def clinical(text: str) -> Callable[[], object]:
    def read() -> object:
        Path("clinical.csv").write_text(text, "utf-8")
        return read_clinical("clinical.csv")

    return read


# Each case: what reads it, then code, expected, found, where and remedy.
FAULTS: dict[str, tuple[Callable[[], object], str, str, str, str, str]] = {
    "no image table": (
        lambda: read_cohort("images.csv", scheme="verse"),
        "RV101",
        "a table",
        "no such file",
        "images.csv",
        "correct the path or create the file",
    ),
    "no row": (
        images(HEADER),
        "RV112",
        "a header line and at least one row",
        "5 columns and no row",
        "images.csv",
        "fill in the table",
    ),
    "wrong encoding": (
        encoded(HEADER + "Müller,CT,a.nii.gz,m.nii.gz,verse\n"),
        "RV113",
        "UTF-8 text",
        "byte 0xfc at position 39, not valid UTF-8",
        "images.csv",
        "save the table again with the encoding UTF-8 (Excel: 'CSV UTF-8')",
    ),
    "too many cells": (
        images(HEADER + "P1,CT,a.nii.gz,m.nii.gz,verse,x\n"),
        "RV102",
        "5 cells, as in the header",
        "6 cells",
        "images.csv, line 2",
        "put values that contain the separator in double quotes, or add the missing cells",
    ),
    "missing column": (
        images("subject_id,sequence,image,scheme\nP1,CT,a.nii.gz,verse\n"),
        "RV103",
        "a column 'mask'",
        "the columns subject_id, sequence, image, scheme",
        "images.csv, header",
        "add the column 'mask'",
    ),
    "misspelled column": (
        images("Subject ID,sequence,image,mask,scheme\n" + ROW),
        "RV103",
        "a column 'subject_id'",
        "the columns Subject ID, sequence, image, mask, scheme",
        "images.csv, header",
        "rename 'Subject ID' to 'subject_id'",
    ),
    "repeated row": (
        images(HEADER + ROW + "P2,CT,b.nii.gz,b_mask.nii.gz,verse\n" + ROW),
        "RV104",
        "every row once",
        "P1_CT again, first in line 2",
        "images.csv, line 4",
        REPEATED,
    ),
    "ids that differ in case only": (
        images(HEADER + ROW + "p1,CT,b.nii.gz,b_mask.nii.gz,verse\n"),
        "RV104",
        "every row once",
        "p1_CT again, first in line 2",
        "images.csv, line 3",
        REPEATED,
    ),
    "empty required cell": (
        images(HEADER + "P1,CT,a.nii.gz,,verse\n"),
        "RV105",
        "a value in the column 'mask'",
        "an empty cell",
        "images.csv, line 2",
        "fill in the cell",
    ),
    "slash in an id": (
        images(HEADER + ROW + "hospital/P2,CT,a.nii.gz,a_mask.nii.gz,verse\n"),
        "RV116",
        IDENTIFIER,
        "'hospital/P2'",
        "images.csv, line 3",
        "write it as 'hospital_P2', in all tables alike",
    ),
    "umlaut in an id": (
        images(HEADER + "Mü ller,CT,a.nii.gz,a_mask.nii.gz,verse\n"),
        "RV116",
        IDENTIFIER,
        "'Mü ller'",
        "images.csv, line 2",
        "write it as 'M_ller', in all tables alike",
    ),
    "double underscore in a sequence": (
        images(HEADER + "P1,T1__fs,a.nii.gz,a_mask.nii.gz,verse\n"),
        "RV116",
        "sequence of letters A-Z, a-z, digits and single . + - _, with a letter or digit first",
        "'T1__fs'",
        "images.csv, line 2",
        "write it as 'T1_fs', in all tables alike",
    ),
    "no scheme anywhere": (
        images("subject_id,sequence,image,mask\nP1,CT,a.nii.gz,a_mask.nii.gz\n"),
        "RV107",
        "a label scheme, as the column 'scheme' or for the whole study",
        "none",
        "images.csv, header",
        "name the tool that made the masks, such as totalsegmentator; numbers alone are ambiguous",
    ),
    "no scheme in one row": (
        images(HEADER + ROW + "P2,CT,a.nii.gz,a_mask.nii.gz,\n"),
        "RV107",
        "a label scheme, as the column 'scheme' or for the whole study",
        "none",
        "images.csv, line 3",
        "name the tool that made the masks, such as totalsegmentator; numbers alone are ambiguous",
    ),
    "unknown scheme in a row": (
        images(HEADER + ROW + "P2,CT,a.nii.gz,a_mask.nii.gz,versee\n"),
        "RV107",
        f"one of {NAMES}; a path to a .yaml or .json file; or text such as 'L1=1; L2=2'",
        "'versee'",
        "images.csv, line 3, column scheme",
        "did you mean verse? name the scheme of the tool that made the mask",
    ),
    "unknown scheme for the study": (
        images("subject_id,sequence,image,mask\nP1,CT,a.nii.gz,a_mask.nii.gz\n", scheme="9"),
        "RV107",
        f"one of {NAMES}; a path to a .yaml or .json file; or text such as 'L1=1; L2=2'",
        "'9'",
        "label scheme",
        "name the scheme of the tool that made the mask",
    ),
    "a scheme without single vertebrae": (
        images(HEADER + "P1,T1,a.nii.gz,a_mask.nii.gz,totalsegmentator_mr\n"),
        "RV107",
        "a scheme that gives every vertebra its own label",
        "'totalsegmentator_mr', which names structures but no single vertebra",
        "images.csv, line 2",
        "use a mask with vertebral levels here; a mask of sub-regions belongs into the column subregions",
    ),
    "bodies without a sub-region mask": (
        images(HEADER + ROW, region="body"),
        "RV105",
        "a sub-region mask, because the region is 'body' and the mask holds whole vertebrae",
        "no value for 'subregions'",
        "images.csv, line 2",
        "name the sub-region mask, use a mask of bodies, or measure the region 'vertebra'",
    ),
    "bodies without a label": (
        images(
            "subject_id,sequence,image,mask,subregions,scheme\nP1,CT,a.nii,m.nii,s.nii,totalspineseg\n",
            region="body",
        ),
        "RV107",
        "a scheme that says which sub-region labels are the body",
        "'totalspineseg', which does not",
        "images.csv, line 2",
        "name the scheme of that mask in the column subregions_scheme, such as spineps_subregions",
    ),
    "an unknown region": (
        images(HEADER + ROW, region="bodies"),
        "RV602",
        "vertebra or body",
        "'bodies'",
        "region",
        "choose one of the two",
    ),
    "clinical table without subjects": (
        clinical("patient,level,diagnosis\nP1,L1,OF\n"),
        "RV103",
        "a column 'subject_id'",
        "the columns patient, level, diagnosis",
        "clinical.csv, header",
        "add the column 'subject_id'",
    ),
    "clinical row without a subject": (
        clinical("subject_id,level,diagnosis\nP1,L1,OF\n,L2,OF\n"),
        "RV105",
        "a value in the column 'subject_id'",
        "an empty cell",
        "clinical.csv, line 3",
        "fill in the cell",
    ),
    "unknown level": (
        clinical("subject_id,level,diagnosis\nP1,L1,OF\n\nP1,LV3,OF\n"),
        "RV106",
        "a vertebral level, C1 to COCCYX, such as T12, Th12 or L1",
        "'LV3'",
        "clinical.csv, line 4, column level",
        "correct the level; leave the cell empty for a row about the whole subject",
    ),
    "label that is no number": (
        clinical("subject_id,label,diagnosis\nP1,L1,OF\n"),
        "RV106",
        "a label value of the mask, a whole number",
        "'L1'",
        "clinical.csv, line 2, column label",
        "write the number of the vertebra in the mask",
    ),
    "one vertebra in two spellings": (
        clinical("subject_id,level,diagnosis\nP1,T12,OF\nP2,T12,OF\nP1,Th12,MF\n"),
        "RV104",
        "every row once",
        "P1 T12 again, first in line 2",
        "clinical.csv, line 4",
        "keep one of the rows, or tell them apart by the column level or session",
    ),
}


@pytest.mark.parametrize("name", FAULTS)
def test_a_malformed_table_is_refused_with_its_message(study: Path, name: str) -> None:
    read, code, expected, found, where, remedy = FAULTS[name]
    with pytest.raises(RadiomicsVertError) as caught:
        read()
    (problem,) = caught.value.problems
    assert problem.code == code
    assert problem.expected == expected
    assert problem.found == found
    assert problem.where == where
    assert problem.remedy == remedy


def test_every_problem_of_both_tables_comes_at_once(study: Path) -> None:
    (study / "images.csv").write_text(
        HEADER + ",CT,a.nii.gz,,verse\nP/2,CT,a.nii.gz,m.nii.gz,versee\nP3,CT,a.nii.gz,m.nii.gz,versee\n"
    )
    (study / "clinical.csv").write_text("subject_id,level\nP1,X1\nP1,X2\n")
    with pytest.raises(CohortError) as caught:
        read_cohort("images.csv", "clinical.csv")
    found = [(problem.code, problem.where) for problem in caught.value.problems]
    assert found == [
        ("RV105", "images.csv, line 2"),
        ("RV105", "images.csv, line 2"),
        ("RV116", "images.csv, line 3"),
        ("RV107", "images.csv, line 3, column scheme"),  # once, not again for line 4
        ("RV106", "clinical.csv, line 2, column level"),
        ("RV106", "clinical.csv, line 3, column level"),
    ]


@pytest.mark.parametrize("suffix", [".csv", ".tsv", ".xlsx", ".parquet"])
def test_clinical_tables_in_every_format(study: Path, suffix: str) -> None:
    frame = pd.DataFrame({"subject_id": ["007", "007"], "level": ["th12", None], "age": ["71", "71"]})
    path = study / f"clinical{suffix}"
    if suffix == ".xlsx":
        frame.to_excel(path, index=False)
    elif suffix == ".parquet":
        frame.to_parquet(path, index=False)
    else:
        frame.to_csv(path, index=False, sep="\t" if suffix == ".tsv" else ",")
    table = read_clinical(path)
    assert table["subject_id"].tolist() == ["007", "007"]
    assert table["level"].tolist() == ["T12", ""]
    assert table.index.tolist() == [2, 3]
