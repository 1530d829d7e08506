"""Subject ids as pseudonyms: the same everywhere, and the id itself nowhere."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from radiomics_vert.cohort import pseudonym, read_cohort, read_secret
from radiomics_vert.errors import CohortError

Write = Callable[..., None]
SECRET = "correct-horse-battery-staple"


def test_a_pseudonym_depends_on_id_and_secret_only() -> None:
    assert pseudonym("P001", b"not a secret, an example") == "S68a80f09d167"
    assert pseudonym("P001", b"another secret, an example") != "S68a80f09d167"
    assert pseudonym("P002", b"not a secret, an example") != "S68a80f09d167"
    assert pseudonym("", b"not a secret, an example") == ""


@pytest.mark.parametrize(("content", "code"), [(None, "RV101"), ("short\n", "RV602")])
def test_a_weak_or_missing_secret_is_refused(tmp_path: Path, content: str | None, code: str) -> None:
    file = tmp_path / "secret.txt"
    if content is not None:
        file.write_text(content, "utf-8")
    with pytest.raises(CohortError, match=code):
        read_secret(file)


def test_image_table_and_clinical_table_still_match(study: Path, write_scan: Write) -> None:
    write_scan("Meyer", [20, 21])
    (study / "secret.txt").write_text(f"{SECRET}\n", "utf-8")
    (study / "images.csv").write_text(
        "subject_id,sequence,image,mask\nMeyer,CT,Meyer.nii.gz,Meyer_mask.nii.gz\n"
        "Schulz,CT,Schulz.nii.gz,Schulz_mask.nii.gz\n",
        "utf-8",
    )
    (study / "clinical.csv").write_text("subject_id,level,diagnosis\nMeyer,L1,a\nWeber,L1,b\n", "utf-8")
    cohort = read_cohort("images.csv", "clinical.csv", scheme="verse", hash_ids="secret.txt")
    known = pseudonym("Meyer", SECRET.encode())
    assert [case.case_id for case in cohort.cases] == [f"{known}_CT_L1", f"{known}_CT_L2"]
    assert cohort.unlabelled == (f"{known}_CT_L2",)
    assert cohort.unmatched_clinical["subject_id"].tolist() == [pseudonym("Weber", SECRET.encode())]
    (refusal,) = cohort.refused
    told = str(refusal.row())
    assert refusal.problem.code == "RV101"
    assert "Schulz" not in told
    assert "the image" in told
