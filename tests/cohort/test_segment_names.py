"""Names of segments and what they mean: default patterns, patterns of the study, and what is refused."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from radiomics_vert.cohort import Level, load_scheme
from radiomics_vert.cohort.level_names import matched_level, mentioned_levels, pattern_fault
from radiomics_vert.cohort.segment_names import select_vertebrae
from radiomics_vert.cohort.structures import structure_name
from radiomics_vert.errors import CohortError
from radiomics_vert.imaging import Geometry, Segment, Segmentation
from radiomics_vert.imaging.segmentation import Code, SegmentMask

GRID = Geometry((7, 8, 9), (1.0, 1.0, 1.0), (0.0, 0.0, 0.0), (1.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 1.0))
DEFAULT = load_scheme("names").names


def mask_of(
    *names: str, numbered: bool = True, numbers: tuple[int, ...] = (), meaning: str = ""
) -> Segmentation:
    codes = (Code("SCT", "1", meaning),) if meaning else ()
    chosen = numbers or tuple(range(1, len(names) + 1))
    return Segmentation(
        "DICOM-SEG",
        "s.dcm",
        GRID,
        tuple(Segment(number, name, codes) for number, name in zip(chosen, names, strict=True)),
        numbered,
        lambda number: SegmentMask(np.ones((9, 8, 7), bool)),
    )


@pytest.mark.parametrize(
    ("name", "level"),
    [
        ("vertebrae_L1", "L1"),
        ("L1", "L1"),
        ("l5", "L5"),
        ("L1 vertebra", "L1"),
        ("Vertebra L1", "L1"),
        ("VERTEBRA_Th12", "T12"),
        ("T12 body", "T12"),
        ("D11", "T11"),
        ("LWK 3", "L3"),
        ("vertebral body T07", "T7"),
        ("First lumbar vertebra", "L1"),
        ("Twelfth thoracic vertebra", "T12"),
        ("2nd cervical vertebra", "C2"),
        ("Lumbar 4 vertebra", "L4"),
        ("Bone structure of T12", "T12"),
        ("  vertebrae__S1 ", "S1"),
    ],
)
def test_names_of_vertebrae(name: str, level: str) -> None:
    assert matched_level(name, DEFAULT) is Level(level)


@pytest.mark.parametrize(
    "name",
    [
        "", "sacrum", "rib_left_1", "disc_L1_L2", "L1 rib", "spinal_cord", "Vertebra", "L8", "T14", "XL1",
        "L1x", "vertebrae_L", "lumbar", "Segment_1", "vertebrae_L1_seg", "T1w", "intervertebral disc L4-L5",
    ],
)  # fmt: skip
def test_names_of_other_things(name: str) -> None:
    assert matched_level(name, DEFAULT) is None


@pytest.mark.parametrize(
    ("pattern", "name", "level"),
    [
        ("vert_{level}", "VERT_L3", Level.L3),
        ("vert_{level}", "vert_L3_left", None),
        ("*_{level}_seg", "sub-01_T9_seg", Level.T9),
        ("({level})", "(C7)", Level.C7),
        ("Wirbel {level}", "wirbel  lwk2", Level.L2),
    ],
)
def test_patterns_of_the_study(pattern: str, name: str, level: Level | None) -> None:
    assert matched_level(name, (pattern,)) is level


def test_a_name_of_two_levels_is_not_guessed() -> None:
    with pytest.raises(ValueError, match="'T12 from L1' could mean T12, L1"):
        matched_level("T12 from L1", ("* {level}", "{level} *"))
    assert [str(level) for level in mentioned_levels("disc L5/S1, L5")] == ["L5", "S1"]


@pytest.mark.parametrize(
    ("pattern", "fault"),
    [
        ("vert", "no placeholder {level} in 'vert'"),
        ("{level}{level}", "more than one placeholder {level} in '{level}{level}'"),
        ("{level}_{side}", "a brace in '{level}_{side}' that is no {level}"),
        ("vert_{level}", ""),
    ],
)
def test_faults_of_patterns(pattern: str, fault: str) -> None:
    assert pattern_fault(pattern) == fault


@pytest.mark.parametrize("text", ["names: vert_{level}", "names=vert_{level}", " NAMES : vert_{level} "])
def test_patterns_as_inline_scheme(text: str) -> None:
    scheme = load_scheme(text)
    assert (scheme.names, scheme.region, scheme.separates_vertebrae) == (("vert_{level}",), "vertebra", True)


def test_inline_scheme_of_names_with_further_keys() -> None:
    assert load_scheme("names; region: body").names == DEFAULT
    assert load_scheme("names; region: body").region == "body"
    several = load_scheme("names: a {level} | b {level}; body: 49, 50")
    assert (several.names, several.body) == (("a {level}", "b {level}"), (49, 50))


def test_patterns_in_a_file(tmp_path: Path) -> None:
    (tmp_path / "mine.yaml").write_text("names: ['w {level}']\nregion: body\n")
    scheme = load_scheme(tmp_path / "mine.yaml")
    assert (scheme.names, scheme.region) == (("w {level}",), "body")


@pytest.mark.parametrize(
    ("text", "expected", "found"),
    [
        ("names: vert", "patterns with {level} once", "no placeholder {level} in 'vert'"),
        ("names: {level}; names", "every key once", "'names' twice"),
        ("names: {level}; side: left", "names[: PATTERN | PATTERN], region: body", "'side: left'"),
        ("names: {level}; region", "names[: PATTERN | PATTERN], region: body", "'region'"),
        ("names: {level}; region: arch", "region: vertebra or body", "'arch'"),
        ("names: {level};", "names[: PATTERN | PATTERN], region: body", "''"),
    ],
)
def test_faulty_inline_schemes_of_names(text: str, expected: str, found: str) -> None:
    with pytest.raises(CohortError) as caught:
        load_scheme(text)
    (problem,) = caught.value.problems
    assert problem.code == "RV115"
    assert problem.expected.startswith(expected)
    assert problem.found == found
    assert problem.where.startswith(f"label scheme {text!r}")


def test_names_and_numbers_exclude_each_other(tmp_path: Path) -> None:
    (tmp_path / "mine.yaml").write_text("names: '{level}'\nvertebrae: {L1: 1}\n")
    with pytest.raises(CohortError) as caught:
        load_scheme(tmp_path / "mine.yaml")
    assert caught.value.problems[0].expected == "either names or numbers of vertebrae"


def test_segments_are_chosen_by_name_from_the_head_down() -> None:
    selection = select_vertebrae(load_scheme("names"), mask_of("L2", "spinal_cord", "Vertebra T12", "lung"))
    assert selection.vertebrae == {3: (Level.T12, (3,)), 1: (Level.L2, (1,))}
    (remark,) = selection.remarks
    assert (remark.code, remark.text) == (
        "RV232",
        "2 named segments are no vertebra: 'spinal_cord', 'lung'",
    )


def test_the_meaning_of_a_code_names_a_segment() -> None:
    selection = select_vertebrae(load_scheme("names"), mask_of("Segment_1", meaning="First lumbar vertebra"))
    assert selection.vertebrae == {1: (Level.L1, (1,))}


def test_bodies_are_chosen_where_bodies_are_asked_for() -> None:
    mask = mask_of("L1", "L1 body", "L2", "L2 body")
    assert select_vertebrae(load_scheme("names"), mask).vertebrae == {
        1: (Level.L1, (1,)),
        3: (Level.L2, (3,)),
    }
    bodies = select_vertebrae(load_scheme("names; region: body"), mask)
    assert bodies.vertebrae == {2: (Level.L1, (2,)), 4: (Level.L2, (4,))}
    plain = select_vertebrae(load_scheme("names; region: body"), mask_of("L1", "L2"))
    assert list(plain.vertebrae) == [1, 2]


def test_numbers_decide_under_a_scheme_of_numbers() -> None:
    scheme = load_scheme("L1=4; L2=9; cord=7")
    assert select_vertebrae(scheme, mask_of("a", "b", "c", numbers=(9, 4, 7))).vertebrae == {
        4: (Level.L1, (4,)),
        9: (Level.L2, (9,)),
    }
    agreeing = select_vertebrae(scheme, mask_of("L1", "Segment_9", "cord", numbers=(4, 9, 7)))
    assert agreeing.remarks == ()
    (remark,) = select_vertebrae(scheme, mask_of("colon", numbers=(4,))).remarks
    assert remark.code == "RV235"
    assert remark.text.startswith("the segment 'colon' has the number 4: L1 under the scheme")


def test_names_decide_where_a_mask_has_no_numbers() -> None:
    mask = mask_of("vertebrae_L1", "vertebrae_L2", numbered=False)
    assert list(select_vertebrae(load_scheme("totalsegmentator"), mask).vertebrae) == [1, 2]
    assert select_vertebrae(load_scheme("instances"), mask).vertebrae == {1: (None, (1,)), 2: (None, (2,))}


# By name: (scheme, mask, code, expected, found, remedy)
FAULTS: dict[str, tuple[str, Segmentation, str, str, str, str]] = {
    "a level twice": (
        "names",
        mask_of("L1", "Vertebra L1"),
        "RV228",
        "one segment for each level",
        "L1 as 'L1' and as 'Vertebra L1'",
        "remove or rename one",
    ),
    "name against code": (
        "names",
        mask_of("L1", meaning="Second lumbar vertebra"),
        "RV228",
        "names that mean one vertebra each",
        "'L1', whose name and codes mean L1, L2",
        "rename the segment after its one level",
    ),
    "two vertebrae in one segment": (
        "names",
        mask_of("L3", "vertebrae L1 and L2"),
        "RV228",
        "names that mean one vertebra each",
        "'vertebrae L1 and L2', which could mean L1, L2",
        "rename the segment after its one level",
    ),
    "two levels under a pattern": (
        "names: * {level}",
        mask_of("T12 L1"),
        "RV228",
        "names that mean one vertebra each",
        "'T12 L1' could mean T12, L1",
        "rename the segment after its one level",
    ),
    "only a body": (
        "names",
        mask_of("L1", "L2 body"),
        "RV235",
        "whole vertebrae, as the scheme 'names' says",
        "L2 only as 'L2 body', a vertebral body",
        "measure bodies: write `names; region: body` as the scheme",
    ),
    "another level by number": (
        "L1=1; L2=2",
        mask_of("L2", "L1"),
        "RV235",
        "numbers that mean the same as the names in the mask; 'L2' is L2",
        "number 1, L1 under the scheme 'L1=1; L2=2'",
        "write `names` as the scheme if the names are right",
    ),
    "a vertebra without number": (
        "L1=1; cord=2",
        mask_of("L1", "L2"),
        "RV235",
        "numbers that mean the same as the names in the mask; 'L2' is L2",
        "number 2, no vertebra under the scheme 'L1=1; cord=2'",
        "write `names` as the scheme if the names are right",
    ),
    "no name of a vertebra": (
        "names",
        mask_of("lung", "heart"),
        "RV108",
        "names of vertebrae: {level}, {level} vertebra, ",
        "segments 'lung', 'heart'",
        "give a pattern such as `names: vert_{level}`",
    ),
    "no names at all": (
        "names",
        mask_of("", ""),
        "RV108",
        "names of vertebrae: {level}, ",
        "a DICOM-SEG without names",
        "name the scheme of the tool that made the mask",
    ),
    "no number of a vertebra": (
        "totalsegmentator",
        mask_of("a", "b"),
        "RV108",
        "vertebra labels of the scheme 'totalsegmentator': 26-50",
        "the labels 1-2",
        "name the scheme of the tool that made the mask; schemes that know",
    ),
}


@pytest.mark.parametrize("name", FAULTS)
def test_names_that_are_refused(name: str) -> None:
    scheme, mask, code, expected, found, remedy = FAULTS[name]
    with pytest.raises(CohortError) as caught:
        select_vertebrae(load_scheme(scheme), mask)
    (problem,) = caught.value.problems
    assert (problem.code, problem.where) == (code, "s.dcm")
    assert problem.expected.startswith(expected)
    assert problem.found == found
    assert problem.remedy.startswith(remedy)


@pytest.mark.parametrize(
    ("name", "ours"),
    [
        ("spinal_cord", "cord"),
        ("Spinal Canal", "canal"),
        ("disc_L1_L2", "disc_L1"),
        ("IVD L5-S1", "disc_L5"),
        ("intervertebral_discs", "disc"),
        ("autochthon_left", "autochthon_left"),
        ("Psoas major (right)", "psoas_major_right"),
        ("sacrum", "sacrum"),
    ],
)
def test_structures_have_one_name(name: str, ours: str) -> None:
    assert structure_name(name) == ours
