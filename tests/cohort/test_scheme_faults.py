"""Malformed label schemes: each refused with its exact message."""

from __future__ import annotations

from pathlib import Path

import pytest

from radiomics_vert.cohort import load_scheme, scheme_names
from radiomics_vert.errors import CohortError

COMPARE = "compare with the schemes in radiomics_vert/cohort/label_schemes"
NAMES = ", ".join(scheme_names())

# (text of s.yaml, or None to load `what` itself; what to load; code, expected, found, where, remedy)
FAULTS: dict[str, tuple[str | None, str, str, str, str, str, str]] = {
    "unknown name": (
        None,
        "totalsegmentor",
        "RV107",
        f"one of {NAMES}; a path to a .yaml or .json file; or text such as 'L1=1; L2=2'",
        "'totalsegmentor'",
        "label scheme",
        "did you mean totalsegmentator? name the scheme of the tool that made the mask",
    ),
    "missing file": (
        None,
        "s.yaml",
        "RV101",
        "a label scheme file",
        "no such file",
        "s.yaml",
        f"correct the path, or use one of the schemes {NAMES}",
    ),
    "broken YAML": (
        "vertebrae: {L1: 1",
        "s.yaml",
        "RV115",
        "a YAML file in UTF-8",
        "while parsing a flow mapping ",
        "s.yaml",
        "mend the syntax at the named place",
    ),
    "a list": (
        "- L1\n- L2\n",
        "s.yaml",
        "RV115",
        "a mapping with the key 'vertebrae'",
        "a list",
        "s.yaml",
        COMPARE,
    ),
    "unknown key": (
        "vertebra: {}\nvertebrae: {L1: 1}\n",
        "s.yaml",
        "RV115",
        "the keys name, title, source, region, instances, "
        "vertebrae, discs, endplates, structures, body, other, names",
        "unknown key 'vertebra'",
        "s.yaml",
        COMPARE,
    ),
    "unknown level": (
        "vertebrae: {Q1: 1}\nstructures: {canal: 9}\n",
        "s.yaml",
        "RV115",
        "a level or range of levels and its labels",
        "'Q1' is no vertebral level; levels are C1 to COCCYX, such as T12 or L1",
        "s.yaml, vertebrae",
        "write lines such as 'L1-L5: 20-24' or 'T13: 28'",
    ),
    "ranges of different length": (
        "vertebrae: {L1-L5: 20-25}\nstructures: {canal: 9}\n",
        "s.yaml",
        "RV115",
        "a level or range of levels and its labels",
        "'L1-L5' names 5 levels, but 20-25 gives 6 labels",
        "s.yaml, vertebrae",
        "write lines such as 'L1-L5: 20-24' or 'T13: 28'",
    ),
    "a range across regions": (
        "vertebrae: {T12-L2: 1-3}\nstructures: {canal: 9}\n",
        "s.yaml",
        "RV115",
        "a level or range of levels and its labels",
        "the range 'T12-L2' crosses regions: write one range per region",
        "s.yaml, vertebrae",
        "write lines such as 'L1-L5: 20-24' or 'T13: 28'",
    ),
    "background as a label": (
        "vertebrae: {L1: 1}\nstructures: {air: 0}\n",
        "s.yaml",
        "RV115",
        "whole numbers from 1 to 65535",
        "label 0 lies outside 1 to 65535",
        "s.yaml, structures, air",
        COMPARE,
    ),
    "no number": (
        "vertebrae: {L1: 1}\nbody: corpus\n",
        "s.yaml",
        "RV115",
        "whole numbers from 1 to 65535",
        "'corpus' is no label value",
        "s.yaml, body",
        COMPARE,
    ),
    "one label twice": (
        "vertebrae: {L1: 1, L2: 2}\nstructures: {canal: 2}\n",
        "s.yaml",
        "RV115",
        "every label once",
        "label 2 as L2 and as canal",
        "s.yaml",
        COMPARE,
    ),
    "one level twice": (
        "vertebrae: {L1-L2: 1-2, L2: 5}\n",
        "s.yaml",
        "RV115",
        "every level once",
        "L2 twice",
        "s.yaml, vertebrae",
        COMPARE,
    ),
    "no label at all": (
        "title: empty\n",
        "s.yaml",
        "RV115",
        "at least one label under 'vertebrae'",
        "none",
        "s.yaml",
        COMPARE,
    ),
    "wrong region": (
        "vertebrae: {L1: 1}\nregion: bodies\n",
        "s.yaml",
        "RV115",
        "region: vertebra or body",
        "'bodies'",
        "s.yaml",
        COMPARE,
    ),
    "names and instances": (
        "vertebrae: {L1: 1}\ninstances: true\n",
        "s.yaml",
        "RV115",
        "either named vertebrae or instances",
        "both",
        "s.yaml",
        "remove one of the two",
    ),
    "vertebrae as a list": (
        "vertebrae: [L1, L2]\nstructures: {canal: 9}\n",
        "s.yaml",
        "RV115",
        "a mapping of names to labels",
        "['L1', 'L2']",
        "s.yaml, vertebrae",
        COMPARE,
    ),
    "text without a number": (
        None,
        "L1=1; L2=",
        "RV115",
        "NAME=NUMBER, separated by ';'",
        "'L2='",
        "label scheme 'L1=1; L2='",
        COMPARE,
    ),
    "text with a level twice": (
        None,
        "L1=1; L1=2",
        "RV115",
        "every name once",
        "'L1' twice",
        "label scheme 'L1=1; L1=2'",
        COMPARE,
    ),
}


@pytest.mark.parametrize("name", FAULTS)
def test_a_malformed_scheme_is_refused_with_its_message(study: Path, name: str) -> None:
    text, what, code, expected, found, where, remedy = FAULTS[name]
    if text is not None:
        (study / "s.yaml").write_text(text)
    with pytest.raises(CohortError) as caught:
        load_scheme(what)
    (problem,) = caught.value.problems
    assert (problem.code, problem.expected) == (code, expected)
    # The words of the YAML parser end with positions; only their beginning is ours to promise.
    assert problem.found == found or (found.endswith(" ") and problem.found.startswith(found))
    assert (problem.where, problem.remedy) == (where, remedy)


def test_all_problems_of_a_scheme_come_at_once(study: Path) -> None:
    (study / "s.yaml").write_text("vertebrae: {Q1: 1, L2: x}\nregion: all\n")
    with pytest.raises(CohortError) as caught:
        load_scheme("s.yaml")
    assert len(caught.value.problems) == 4  # unknown level, no number, wrong region, hence no label


def test_nnunet_labels_that_are_no_mapping(study: Path) -> None:
    (study / "dataset.json").write_text('{"labels": ["L1", "L2"]}')
    with pytest.raises(CohortError) as caught:
        load_scheme("dataset.json")
    (problem,) = caught.value.problems
    assert problem.code == "RV115"
    assert problem.expected == "'labels' as a mapping of names to numbers"
    assert problem.found == "['L1', 'L2']"
