"""Every scheme file against the numbers of its source, written out one by one."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from radiomics_vert.cohort import Level, detect_scheme, load_scheme, scheme_candidates, scheme_names
from radiomics_vert.errors import CohortError

SEVEN_TWELVE_FIVE = ["C1 C2 C3 C4 C5 C6 C7", "T1 T2 T3 T4 T5 T6 T7 T8 T9 T10 T11 T12", "L1 L2 L3 L4 L5"]
HEAD_DOWN = " ".join(SEVEN_TWELVE_FIVE).split()
FEET_UP = HEAD_DOWN[::-1]


def numbered(names: list[str], first: int) -> dict[str, int]:
    return {name: first + position for position, name in enumerate(names)}


VERTEBRAE: dict[str, dict[str, int]] = {
    "verse": numbered(HEAD_DOWN, 1) | {"T13": 28, "L6": 25, "S2": 29, "S3": 30, "S4": 31, "S5": 32, "S6": 33},
    "spine_segment": numbered(HEAD_DOWN, 1) | {"T13": 28, "L6": 25},
    "totalsegmentator": numbered(FEET_UP, 27) | {"S1": 26},
    "totalsegmentator_vertebrae_mr": numbered(FEET_UP, 2),
    "totalsegmentator_vertebrae_pp": numbered(HEAD_DOWN, 1),
    "totalsegmentator_v1": numbered(FEET_UP, 18),
    "totalspineseg": numbered(HEAD_DOWN[:7], 11)
    | numbered(HEAD_DOWN[7:19], 21)
    | numbered([*HEAD_DOWN[19:], "L6", "L7"], 41),
    "totalspineseg_old": numbered(FEET_UP, 18),
    "spider": numbered(FEET_UP, 1),
    "mrspineseg": {
        "S1": 1,
        "L5": 2,
        "L4": 3,
        "L3": 4,
        "L2": 5,
        "L1": 6,
        "T12": 7,
        "T11": 8,
        "T10": 9,
        "T9": 10,
    },
    "vertebralbodiesct": numbered(HEAD_DOWN[7:19], 1) | numbered([*HEAD_DOWN[19:], "L6"], 13) | {"T13": 21},
    "totalsegmentator_mr": {},
    "totalsegmentator_vertebrae_body": {},
    "spineps_subregions": {},
    "spineps_instances": {},
    "instances": {},
    "names": {},
}
DIRECTIONS = {
    "caudal": [
        "verse",
        "spine_segment",
        "totalsegmentator_vertebrae_pp",
        "totalspineseg",
        "vertebralbodiesct",
    ],
    "cranial": [
        "totalsegmentator",
        "totalsegmentator_vertebrae_mr",
        "totalsegmentator_v1",
        "totalspineseg_old",
        "spider",
        "mrspineseg",
    ],
    "none": [
        "totalsegmentator_mr",
        "totalsegmentator_vertebrae_body",
        "spineps_subregions",
        "spineps_instances",
        "instances",
        "names",
    ],
}
BODIES = {"totalsegmentator_vertebrae_pp", "totalsegmentator_vertebrae_body", "vertebralbodiesct"}
# (scheme, vertebra above the disc, label)
DISCS = [
    ("verse", "T12", 119),
    ("verse", "C2", 102),
    ("verse", "L5", 124),
    ("verse", "T13", 128),
    ("totalspineseg", "C2", 63),
    ("totalspineseg", "C6", 67),
    ("totalspineseg", "C7", 71),
    ("totalspineseg", "T11", 82),
    ("totalspineseg", "T12", 91),
    ("totalspineseg", "L4", 95),
    ("totalspineseg", "L5", 100),
    ("totalspineseg_old", "L5", 202),
    ("totalspineseg_old", "C2", 224),
    ("spider", "L5", 201),
    ("spider", "T12", 206),
    ("mrspineseg", "L5", 11),
    ("mrspineseg", "T9", 19),
]
STRUCTURES = [
    ("verse", "sacrum", 26),
    ("verse", "coccyx", 27),
    ("totalsegmentator", "sacrum", 25),
    ("totalsegmentator", "cord", 79),
    ("totalsegmentator", "autochthon_left", 86),
    ("totalsegmentator", "iliopsoas_right", 89),
    ("totalsegmentator_mr", "sacrum", 18),
    ("totalsegmentator_mr", "vertebrae", 19),
    ("totalsegmentator_mr", "disc", 20),
    ("totalsegmentator_mr", "cord", 21),
    ("totalsegmentator_mr", "autochthon_right", 47),
    ("totalsegmentator_mr", "iliopsoas_left", 48),
    ("totalsegmentator_vertebrae_mr", "sacrum", 1),
    ("totalsegmentator_vertebrae_body", "vertebral_body", 1),
    ("totalsegmentator_vertebrae_body", "disc", 2),
    ("totalsegmentator_v1", "sacrum", 92),
    ("totalspineseg", "cord", 1),
    ("totalspineseg", "canal", 2),
    ("totalspineseg", "sacrum", 50),
    ("totalspineseg_old", "sacrum", 92),
    ("totalspineseg_old", "cord", 200),
    ("totalspineseg_old", "canal", 201),
    ("spider", "canal", 100),
    ("vertebralbodiesct", "sacrum", 19),
    ("spineps_subregions", "arcus", 41),
    ("spineps_subregions", "spinous_process", 42),
    ("spineps_subregions", "costal_process_right", 44),
    ("spineps_subregions", "superior_articular_left", 45),
    ("spineps_subregions", "inferior_articular_right", 48),
    ("spineps_subregions", "corpus_border", 49),
    ("spineps_subregions", "corpus", 50),
    ("spineps_subregions", "dens", 51),
    ("spineps_subregions", "inferior_endplate", 53),
    ("spineps_subregions", "superior_disc", 58),
    ("spineps_subregions", "cord", 60),
    ("spineps_subregions", "canal", 61),
    ("spineps_subregions", "rib_right", 64),
    ("spineps_subregions", "metal", 80),
    ("spineps_subregions", "disc", 100),
    ("spineps_subregions", "sacrum", 26),
]
SUBREGION_BODY = {
    "verse": (49, 50),
    "spineps_subregions": (49, 50),
    "spineps_instances": (49, 50),
    "spine_segment": (2,),
    "totalsegmentator": (1,),
    "totalsegmentator_vertebrae_body": (1,),
}


def test_every_scheme_file_is_checked_here() -> None:
    assert scheme_names() == sorted(VERTEBRAE)


@pytest.mark.parametrize("name", VERTEBRAE)
def test_vertebrae_have_the_numbers_of_the_source(name: str) -> None:
    scheme = load_scheme(name)
    assert {str(level): labels[0] for level, labels in scheme.vertebrae.items()} == VERTEBRAE[name]
    assert list(scheme.vertebrae) == sorted(scheme.vertebrae)
    assert scheme.region == ("body" if name in BODIES else "vertebra")
    assert name in DIRECTIONS[scheme.direction]
    assert scheme.body == SUBREGION_BODY.get(name, ())
    assert scheme.instances == name.endswith("instances")
    assert scheme.title
    assert scheme.source


@pytest.mark.parametrize(("name", "above", "label"), DISCS)
def test_discs_have_the_numbers_of_the_source(name: str, above: str, label: int) -> None:
    assert load_scheme(name).discs[Level(above)] == (label,)


@pytest.mark.parametrize(("name", "structure", "label"), STRUCTURES)
def test_structures_have_the_numbers_of_the_source(name: str, structure: str, label: int) -> None:
    assert load_scheme(name).structures[structure] == (label,)


def test_partly_visible_vertebrae_of_spider_are_the_same_vertebrae() -> None:
    spider = load_scheme("spider")
    assert spider.vertebrae[Level.L5] == (1, 101)
    assert spider.vertebrae[Level.C1] == (24, 124)
    assert spider.level(106) is Level.T12
    assert spider.split([2, 101, 201, 100]) == {2: (Level.L4, (2,)), 1: (Level.L5, (101,))}


def test_endplates_and_ribs_of_verse() -> None:
    verse = load_scheme("verse")
    assert (verse.endplates[Level.T12], verse.endplates[Level.L5]) == ((219,), (224,))
    assert verse.structures["rib"] == (*range(40, 52), 53)


def test_each_scheme_file_names_its_source_in_a_comment() -> None:
    import radiomics_vert.cohort

    folder = Path(radiomics_vert.cohort.__file__).parent / "label_schemes"
    for file in folder.glob("*.yaml"):
        assert file.read_text("utf-8").startswith("# Source: "), file.name


def test_vertebrae_of_a_mask_come_from_the_head_down() -> None:
    found = load_scheme("totalsegmentator").split([0, 27, 33, 31, 79, 5])
    assert list(found.values()) == [(Level.T11, (33,)), (Level.L1, (31,)), (Level.L5, (27,))]


def test_instances_are_all_labels_or_those_that_are_no_structure() -> None:
    assert list(load_scheme("instances").split([0, 7, 3, 119])) == [3, 7, 119]
    assert list(load_scheme("spineps_instances").split([0, 7, 3, 26, 107, 203])) == [3, 7]
    assert load_scheme("instances").split([7]) == {7: (None, (7,))}


def test_a_scheme_as_text() -> None:
    scheme = load_scheme("L1-L2=1-2; Th12 = 3,13; body=49,50; canal=61; region=vertebra")
    assert scheme.vertebrae == {Level.T12: (3, 13), Level.L1: (1,), Level.L2: (2,)}
    assert (scheme.body, scheme.structures) == ((49, 50), {"canal": (61,)})


def test_a_scheme_from_a_yaml_file(tmp_path: Path) -> None:
    file = tmp_path / "mine.yaml"
    file.write_text("title: Mine\nregion: body\nvertebrae:\n  L5-L1: 1-5\n  SACRUM: 9\n")
    scheme = load_scheme(file)
    assert (scheme.name, scheme.title, scheme.region) == ("mine", "Mine", "body")
    assert (scheme.label(Level.L5), scheme.label(Level.L1), scheme.label(Level.SACRUM)) == (1, 5, 9)


@pytest.mark.parametrize(
    "labels",
    [
        {"background": 0, "vertebrae_L1": 1, "L2": 2, "canal": 3},
        {"0": "background", "1": "vertebrae_L1", "2": "L2", "3": "canal"},
    ],
)
def test_a_scheme_from_nnunet(tmp_path: Path, labels: dict[str, object]) -> None:
    file = tmp_path / "dataset.json"
    file.write_text(json.dumps({"labels": labels, "numTraining": 3}))
    scheme = load_scheme(file)
    assert scheme.vertebrae == {Level.L1: (1,), Level.L2: (2,)}
    assert scheme.structures == {"canal": (3,)}


def test_labels_that_only_one_scheme_knows_are_recognised() -> None:
    assert detect_scheme([1, 2, 3, 100, 201, 202]) == ["spider"]
    assert detect_scheme([2, 14, 15, 21, 41, 45, 63, 91], ascending="caudal") == ["totalspineseg"]


def test_schemes_that_read_a_mask_alike_are_all_named() -> None:
    assert detect_scheme([8, 26, 28], ascending="caudal") == ["spine_segment", "verse"]


def test_ambiguous_labels_are_refused() -> None:
    assert {"verse", "totalsegmentator_v1", "totalsegmentator_vertebrae_pp"} <= set(
        scheme_candidates([20, 21, 22, 23, 24])
    )
    with pytest.raises(CohortError) as caught:
        detect_scheme([20, 21, 22, 23, 24])
    (problem,) = caught.value.problems
    assert problem.code == "RV107"
    assert "verse: L1, L2, L3, L4, L5 (whole vertebrae)" in problem.found
    assert "totalsegmentator_v1: T11, T12, L1, L2, L3 (whole vertebrae)" in problem.found
    assert "totalsegmentator_vertebrae_pp: L1, L2, L3, L4, L5 (bodies)" in problem.found


def test_labels_that_no_scheme_knows_are_refused() -> None:
    with pytest.raises(CohortError, match="no scheme that fits"):
        detect_scheme([3, 250, 999])


def test_a_scheme_can_be_handed_to_another_process() -> None:
    import pickle

    scheme = load_scheme("verse")
    assert pickle.loads(pickle.dumps(scheme)) == scheme
