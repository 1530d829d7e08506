"""Which vertebrae are references is a setting of the study."""

from __future__ import annotations

from pathlib import Path

import pytest

from quality_phantoms import write_spines
from radiomics_vert.errors import RadiomicsVertError
from radiomics_vert.study import Run, load_study, stages
from tests_support import SMALL_PARAMETERS, SMALL_STUDY


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    write_spines(tmp_path / "cohort", A={}, B={"shift": 5})
    (tmp_path / "cohort" / "clinical.csv").write_text(
        "subject_id,level,diagnosis,age,sex,genant\n"
        "A,L2,metastatic,70,F,2\nA,L3,metastatic,70,F,0\nB,L2,osteoporotic,72,M,3\n",
        "utf-8",
    )
    (tmp_path / "small.yaml").write_text(SMALL_PARAMETERS, "utf-8")
    return tmp_path


def _run(folder: Path, reference: str) -> Run:
    cohort = "region: vertebra, scheme: verse" + (f", reference: {reference}" if reference else "")
    (folder / "study.yaml").write_text(SMALL_STUDY.replace("region: body", cohort), "utf-8")
    return Run(load_study(folder))


@pytest.mark.parametrize(
    ("rule", "expected"),
    [
        ("", {"A_CT": ["L1", "L4"], "B_CT": ["L1", "L3", "L4"]}),
        ("unlabelled", {"A_CT": ["L1", "L4"], "B_CT": ["L1", "L3", "L4"]}),
        ("genant=0", {"A_CT": ["L3"], "B_CT": []}),
    ],
)
def test_the_rule_reaches_quality_and_extraction(
    folder: Path, monkeypatch: pytest.MonkeyPatch, rule: str, expected: dict[str, list[str]]
) -> None:
    seen = []
    monkeypatch.setattr(stages, "control_quality", lambda *a, **k: seen.append(k["references"]))
    monkeypatch.setattr(stages, "check_cohort", lambda *a: [])

    class StoppedError(Exception):
        """Nothing is to be measured here."""

    def extraction(*a: object, **k: object) -> None:
        seen.append(k["references"])
        raise StoppedError

    monkeypatch.setattr(stages, "extract", extraction)
    with pytest.raises(StoppedError):
        _run(folder, rule).extract()
    assert len(seen) == 2
    for references in seen:
        named = {scan: [str(case.level) for case in cases] for scan, cases in references.items()}
        assert named == expected


@pytest.mark.parametrize(("rule", "code"), [("grade=0", "RV103"), ("fractured", "RV602")])
def test_a_rule_that_cannot_be_followed_is_told_with_the_other_faults(
    folder: Path, rule: str, code: str
) -> None:
    run = _run(folder, rule)
    (folder / "small.yaml").unlink()
    with pytest.raises(RadiomicsVertError) as error:
        run.check()
    assert {problem.code for problem in error.value.problems} >= {code, "RV303"}
