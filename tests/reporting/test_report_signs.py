"""The report's section on imaging signs: what it says follows from the intervals, and nothing else."""

from __future__ import annotations

import dataclasses

import numpy as np
import pandas as pd
import pytest

from radiomics_vert.dataset import Dataset
from radiomics_vert.reporting import build_report, summary_sentences
from radiomics_vert.reporting.figures import signs as drawing
from radiomics_vert.reporting.inputs import Inputs
from radiomics_vert.reporting.sections import signs as section
from radiomics_vert.results import Result
from radiomics_vert.signs import registry
from radiomics_vert.statistics import associate, sign_findings
from radiomics_vert.statistics.signs import AGREEMENTS, agreement

SHIFTS = {  # by sign: how far the metastatic class lies above the other
    "loss_max": 0.0, "lat_angle": 3.0, "gas_ml": -3.0, "pw_bulge_mm": -3.0, "ha_mm": 3.0,
}  # fmt: skip


def made_dataset(
    positive: str = "metastatic", negative: str = "osteoporotic", prefix: str = "", patients: int = 24
) -> Dataset:
    """Three vertebrae in each of some patients; texture beside signs, some values absent."""
    rng = np.random.default_rng(11)
    subjects = np.repeat([f"P{k:02d}" for k in range(patients)], 3)
    y = np.repeat(np.arange(patients) % 2, 3)
    index = pd.Index(
        [
            f"{subject}_{level}"
            for subject, level in zip(subjects, ["T12", "L1", "L2"] * patients, strict=True)
        ]
    )
    columns = {f"{prefix}sign_{name}": rng.normal(size=len(y)) + shift * y for name, shift in SHIFTS.items()}
    columns["original_glcm_Contrast"] = rng.normal(size=len(y))
    X = pd.DataFrame(columns, index=index)
    X.iloc[::5, 1] = np.nan
    X[f"{prefix}sign_trom"] = np.nan
    info = pd.DataFrame(
        {"subject_id": subjects, "session": "", "level": ["T12", "L1", "L2"] * patients, "site": ""},
        index=index,
    )
    empty = pd.DataFrame(columns=["unit", "subject_id", "level", "sequence", "code", "reason"])
    labels = pd.Series(y, index=index)
    groups = pd.Series(subjects, index=index)
    return Dataset(X, labels, groups, pd.DataFrame(index=index), empty, info, "diagnosis", positive, negative)


def on_two_sequences() -> Dataset:
    """The same signs on CT and T1, and two that nothing can be said of: one constant, one in one class."""
    dataset = made_dataset()
    signs = dataset.X.drop(columns="original_glcm_Contrast")
    X = pd.concat([signs.add_prefix("CT__"), signs.add_prefix("T1__")], axis=1)
    X["CT__sign_plana"] = 0.0
    X["CT__sign_gas_linearity"] = np.where(dataset.y == 0, 0.8, np.nan)
    return dataclasses.replace(dataset, X=X)


def with_sides() -> Dataset:
    """Metastatic pedicles lack bone on either side, osteoporotic ones on neither."""
    dataset = made_dataset()
    rng = np.random.default_rng(3)
    side = np.where(np.arange(len(dataset)) // 6 % 2, 1.0, -1.0)
    size = np.abs(np.where(dataset.y == 1, 0.5, 0.0) + rng.normal(0, 0.1, len(dataset)))
    return dataclasses.replace(dataset, X=dataset.X.assign(sign_pedicle_asym=side * size))


ABSENCES = pd.DataFrame(
    [
        ("P00_T12", "trom", "RV339", "no image was given"),
        ("P00_L1", "trom", "RV339", "no image was given"),
        ("P00_L2", "trom", "RV331", "no mask holds: disc"),
        ("P00_T12", "lat_angle", "RV338", "too few points"),
    ],
    columns=["case_id", "sign", "code", "reason"],
)


def findings(dataset: Dataset | None = None, **chosen: object) -> Result:
    dataset = made_dataset(**chosen) if dataset is None else dataset
    rows = [vars(sign) for sign in registry().values()]
    return sign_findings(dataset, associate(dataset), rows, ABSENCES)


@pytest.fixture(scope="module")
def found() -> Result:
    return findings()


def test_one_row_per_measured_sign_in_the_order_of_the_registry(found: Result) -> None:
    table = found.frame("signs")
    assert set(table["name"]) == set(SHIFTS)
    order = [name for name in registry() if name in SHIFTS]
    assert table["name"].tolist() == order
    assert table.set_index("name").loc["lat_angle", ["n", "n_absent"]].tolist() == [57, 15]
    assert table["title"].tolist() == [registry()[name].title for name in order]


def test_agreement_follows_the_seeds_and_the_interval(found: Result) -> None:
    told = found.frame("signs").set_index("name")["agreement"]
    assert registry()["lat_angle"].direction == "metastatic"
    assert registry()["gas_ml"].direction == "osteoporotic"
    assert registry()["pw_bulge_mm"].direction == "metastatic"
    assert told["lat_angle"] == "agrees"
    assert told["gas_ml"] == "agrees"
    assert told["pw_bulge_mm"] == "disagrees"
    assert told["ha_mm"] == "no expectation"


def test_swapped_classes_change_the_auc_but_no_agreement(found: Result) -> None:
    swapped = findings(positive="benign fracture", negative="Malignant")
    told = swapped.frame("signs").set_index("name")
    assert told.loc["lat_angle", "agreement"] == "disagrees"  # the shifted class is now the benign one
    assert told.loc["lat_angle", "expected"] == "Malignant"
    assert told.loc["lat_angle", "auc"] == found.frame("signs").set_index("name").loc["lat_angle", "auc"]


@pytest.mark.parametrize(("positive", "negative"), [("fractured", "intact"), ("metastatic", "healthy")])
def test_nothing_is_expected_of_other_classes(positive: str, negative: str) -> None:
    table = findings(positive=positive, negative=negative).frame("signs")
    assert set(table["agreement"]) == {"no expectation"}
    assert set(table["expected"]) == {""}


@pytest.mark.parametrize(
    ("low", "high", "expected", "told"),
    [
        (0.51, 0.9, True, "agrees"),
        (0.51, 0.9, False, "disagrees"),
        (0.1, 0.49, False, "agrees"),
        (0.1, 0.49, True, "disagrees"),
        (0.5, 0.9, True, "not shown"),
        (0.1, 0.5, False, "not shown"),
        (float("nan"), float("nan"), True, "not tested"),
        (float("nan"), float("nan"), None, "not tested"),
        (0.51, 0.9, None, "no expectation"),
    ],
)
def test_words_of_agreement(low: float, high: float, expected: bool | None, told: str) -> None:
    assert agreement(low, high, expected) == told
    assert told in AGREEMENTS


def test_a_sign_with_a_side_is_screened_by_its_size() -> None:
    dataset = with_sides()
    signed = associate(dataset).frame("features").set_index("feature").loc["sign_pedicle_asym"]
    assert signed["ci_low"] < 0.5 < signed["ci_high"]
    found = findings(dataset)
    row = found.frame("signs").set_index("name").loc["pedicle_asym"]
    assert row["auc"] > 0.95
    assert (row["expected"], row["agreement"]) == ("metastatic", "agrees")
    assert row["direction"] == "none"
    values = found.frame("values")
    assert (values[values["sign"] == "pedicle_asym"]["value"] >= 0).all()
    assert (dataset.X["sign_pedicle_asym"] < 0).any()
    others = found.frame("signs").set_index("name").drop("pedicle_asym")
    plain = findings().frame("signs").set_index("name")
    pd.testing.assert_series_equal(others["auc"], plain["auc"])


def test_published_figures_stand_beside_the_studys_own(found: Result) -> None:
    figures = found.frame("literature")
    suzuki = figures[figures["name"] == "lat_angle"].set_index("measure")
    assert suzuki["published"].to_dict() == {"sensitivity": 0.67, "specificity": 0.74, "auc": 0.769}
    row = found.frame("signs").set_index("name").loc["lat_angle"]
    assert suzuki.loc["auc", ["estimate", "ci_low", "ci_high"]].tolist() == [
        row["auc"],
        row["ci_low"],
        row["ci_high"],
    ]
    assert suzuki["verdict"].to_dict() == {"sensitivity": "lower", "specificity": "agrees", "auc": "higher"}
    assert row["literature"] == (
        "sensitivity lower, specificity agrees (Suzuki 2017); "
        "AUC higher (Suzuki 2017, from its means and SDs)"
    )
    assert found.spec["n_by_verdict"]["higher"] == 1
    assert sum(found.spec["n_by_verdict"].values()) == len(figures)
    assert findings(positive="fractured", negative="intact").frame("literature").empty


def test_p_is_adjusted_over_signs_only(found: Result) -> None:
    table = found.frame("signs")
    worst = table["p_value"].max()
    assert table["p_adjusted"].max() == pytest.approx(worst)
    assert (table["p_adjusted"] >= table["p_value"]).all()
    assert table["p_value"].notna().sum() == len(SHIFTS)


def test_values_and_absences(found: Result) -> None:
    values = found.frame("values")
    assert values.groupby("sign").size()["lat_angle"] == 57
    assert values["value"].notna().all()
    row = values[(values["case_id"] == "P01_L1") & (values["sign"] == "ha_mm")].iloc[0]
    assert (row["subject_id"], row["level"], row["y"]) == ("P01", "L1", 1)
    absences = found.frame("absences")
    assert absences[absences["sign"] == "trom"][["code", "n"]].to_numpy().tolist() == [
        ["RV331", 1],
        ["RV339", 2],
    ]


def test_sequences_are_kept_apart() -> None:
    table = findings(prefix="CT__").frame("signs")
    assert set(table["sequence"]) == {"CT"}
    assert table["feature"].str.startswith("CT__sign_").all()


def spec() -> Result:
    return Result(
        "study",
        {"settings": pd.DataFrame({"setting": ["a"], "value": ["b"]})},
        {"positive": "metastatic", "negative": "osteoporotic", "synthetic": True},
    )


@pytest.mark.usefixtures("no_pictures")
def test_section_says_what_was_expected_and_found(found: Result) -> None:
    whole = build_report([spec(), found])
    keys = [part.key for part in whole.sections]
    assert keys.index("signs") < keys.index("association")
    part = next(part for part in whole.sections if part.key == "signs")
    words = " ".join(p for item in part.items if hasattr(item, "paragraphs") for p in item.paragraphs)
    assert f"5 of the {len(registry())} imaging signs of the registry could be measured." in words
    assert "2 agree with them (Lateral endplate angle and Gas in the body)" in words
    assert "1 disagrees with them (Posterior wall bulge)" in words
    for name in ("lat_angle", "gas_ml", "pw_bulge_mm"):
        sign = registry()[name]
        assert sign.seed in words, name
        assert sign.reference in words, name
        assert sign.caveat in words, name
    assert "A high value was expected in metastatic (S0 l.71): agrees." in words
    table = next(item for item in part.items if getattr(item, "key", "") == "signs")
    assert table.shown["Finding"].tolist() == found.frame("signs")["agreement"].tolist()


def told(found: Result, *heads: str) -> list[str]:
    """The sentences on some signs in the section of a result."""
    items = section.section(Inputs([spec(), found])).items
    points = [p for item in items if getattr(item, "role", "") == "points" for p in item.paragraphs]
    return [next(p for p in points if p.startswith(f"{head}, column ")) for head in heads]


@pytest.mark.usefixtures("no_pictures")
def test_every_sign_has_a_sentence_also_without_a_direction(found: Result) -> None:
    ha, loss = told(found, "Anterior height", "Largest height loss")
    assert "No direction was expected (S0 l.43): it separates, higher in metastatic." in ha
    assert registry()["ha_mm"].reference in ha
    assert "No direction was expected (S0 l.43,71): no difference was shown." in loss
    assert registry()["loss_max"].caveat in loss
    negative = findings(positive="osteoporotic", negative="metastatic")
    study = Result("study", spec().tables, {"positive": "osteoporotic", "negative": "metastatic"})
    items = section.section(Inputs([study, negative])).items
    words = " ".join(p for item in items if hasattr(item, "paragraphs") for p in item.paragraphs)
    assert "it separates, higher in osteoporotic." in words


@pytest.mark.usefixtures("no_pictures")
def test_a_sentence_says_size_where_a_sign_has_a_side() -> None:
    (sentence,) = told(findings(with_sides()), "Pedicle bone asymmetry to either side")
    assert "Here its size, whichever the side: median 0.0" in sentence
    assert "A large one was expected in metastatic (S0 l.19,105): agrees." in sentence
    assert "Uetani 2004, as cited; Takigawa 2017: no verdict (read by eye, no published cut-off)." in sentence
    assert registry()["pedicle_asym"].caveat in sentence


@pytest.mark.usefixtures("no_pictures")
def test_sentences_set_the_study_against_the_literature(found: Result) -> None:
    angle, bulge, gas = told(found, "Lateral endplate angle", "Posterior wall bulge", "Gas in the body")
    assert (
        "Suzuki 2017, 5 deg or more calls metastatic: sensitivity here 0.00 (0.00 to 0.26), published 0.67, "
        "lower; specificity here 1.00 (0.74 to 1.00), published 0.74, agrees. Suzuki 2017, from its means "
        "and SDs, for metastatic: AUC here 0.99 (0.94 to 1.00), published 0.769, higher (binormal"
    ) in angle
    assert "Uetani 2004, as cited; Takigawa 2017: no verdict (read by eye, no published cut-off)." in bulge
    assert "sensitivity here 0.69 (0.53 to 0.82), published none; specificity here" in gas
    assert "published 0.99; not comparable (for osteonecrosis, not for the cause of a fracture)." in gas
    part = section.section(Inputs([spec(), found]))
    assert part.items[0].paragraphs[1] == (
        "4 comparisons with a published sensitivity, specificity or AUC could be made: the study's interval "
        "holds the published figure in 2, lies wholly below it in 1 and wholly above it in 1 (second table)."
    )
    tables = {getattr(item, "key", ""): item for item in part.items}
    shown = tables["signs-literature"].shown
    assert shown["Cut-off"].tolist()[:3] == ["5 deg or more", "5 deg or more", "–"]
    assert shown["Verdict"].tolist()[:3] == ["lower", "agrees", "higher"]
    assert shown["Published"].tolist()[:4] == ["0.67", "0.74", "0.769", "–"]
    assert len(tables["signs-literature"].data) == len(found.frame("literature")) > len(shown)
    assert tables["signs"].shown["Literature"].tolist()[3] == "no verdict"
    # What a reader must see without scrolling stands first.
    first = ["Sign", "Finding", "Expected high in", "AUC (95 % CI)", "q", "Seed", "n", "Literature"]
    assert list(tables["signs"].shown.columns)[: len(first)] == first


@pytest.mark.usefixtures("no_pictures")
def test_methods_say_how_signs_were_judged(found: Result) -> None:
    part = next(p for p in build_report([spec(), found]).sections if p.key == "methods")
    words = " ".join(p for item in part.items if hasattr(item, "paragraphs") for p in item.paragraphs)
    assert f"5 of {len(registry())} predefined imaging signs were measured (5 measurements over all" in words
    assert "was set against it (4 comparisons); cut-offs were those of the sources" in words
    assert "Rao and Scott 1992" in words
    other = findings(positive="fractured", negative="intact")
    assert other.spec["n_by_verdict"]["agrees"] == 0
    part = next(p for p in build_report([spec(), other]).sections if p.key == "methods")
    words = " ".join(p for item in part.items if hasattr(item, "paragraphs") for p in item.paragraphs)
    assert "comparisons" not in words


@pytest.mark.usefixtures("no_pictures")
def test_untested_signs_say_why() -> None:
    (sentence,) = told(findings(on_two_sequences()), "Vertebra plana (CT)")
    assert "Here not tested (RV503: constant: every vertebra has the same value)." in sentence
    assert "A high value was expected in metastatic (S0 l.71): not tested." in sentence


@pytest.mark.usefixtures("no_pictures")
def test_absent_signs_are_listed_with_their_reason(found: Result) -> None:
    part = section.section(Inputs([spec(), found]))
    table = next(item for item in part.items if getattr(item, "key", "") == "signs-absent")
    assert table.shown["Signs"].tolist() == [
        "Marrow signal over references", "Lateral endplate angle", "Marrow signal over references",
    ]  # fmt: skip
    assert table.shown["Why"].str.startswith("RV33").all()
    words = " ".join(p for item in part.items if hasattr(item, "paragraphs") for p in item.paragraphs)
    assert (
        "1 sign of the registry could not be measured on any vertebra: Marrow signal over references."
        in words
    )


def test_the_summary_says_when_signs_are_all_that_was_measured() -> None:
    whole, data = spec(), made_dataset()
    alone = dataclasses.replace(data, X=data.X.drop(columns="original_glcm_Contrast"))
    told = [summary_sentences([whole, associate(each)])[1] for each in (data, alone)]
    assert told[0].startswith("Of 6 features tested one by one")
    assert told[1].startswith("Of 5 imaging signs tested one by one")


@pytest.mark.usefixtures("no_pictures")
def test_signs_are_counted_apart_from_measurements_and_untested_ones_named() -> None:
    found = findings(on_two_sequences())
    table = found.frame("signs").set_index("feature")
    n = {"signs": len(SHIFTS) + 2, "rows": 2 * len(SHIFTS) + 2}
    assert (found.spec["n_signs"], len(table)) == (n["signs"], n["rows"])
    assert found.spec["n_by_agreement"]["not tested"] == 2
    assert table.loc["CT__sign_plana", "agreement"] == "not tested"
    lead = section.section(Inputs([spec(), found])).items[0].paragraphs
    assert lead[0].startswith(
        f"{n['signs']} of the {len(registry())} imaging signs of the registry could be measured, in "
        f"{n['rows']} measurements: a sign that several sequences show is measured on each. Of 8 "
        "measurements the seeds say in which class they are high. 4 agree with them "
        "(Lateral endplate angle (CT and T1) and Gas in the body (CT and T1)). 2 disagree with them "
    )
    assert lead[0].endswith("0 measurements did not show a difference in either direction.")
    assert lead[1] == (
        "2 measurements could not be tested: Vertebra plana (CT) (RV503: constant: every vertebra has the "
        "same value); Elongation of the gas (CT) (RV503: missing in all metastatic vertebrae)."
    )
    table = next(
        i for i in section.section(Inputs([spec(), found])).items if getattr(i, "key", "") == "signs"
    )
    assert table.caption.startswith(f"All {n['signs']} measured signs, in {n['rows']} measurements.")


def test_without_signs_there_is_no_section() -> None:
    assert section.section(Inputs([spec()])).items == ()


@pytest.mark.usefixtures("no_pictures")
def test_other_classes_are_told_that_nothing_was_expected() -> None:
    other = findings(positive="fractured", negative="intact")
    study = Result("study", spec().tables, {"positive": "fractured", "negative": "intact"})
    part = section.section(Inputs([study, other]))
    assert "nothing was expected of any sign" in part.items[0].paragraphs[0]


def test_saved_and_loaded_result_gives_the_same_figure(found: Result, tmp_path) -> None:
    found.save(tmp_path)
    pictures = []
    for result in (found, Result.load(tmp_path, "signs")):
        inputs = Inputs([spec(), result])
        signs = inputs.table("signs", "signs")
        rows = signs[signs["family"] == "endplates"]
        pictures.append(
            drawing.family_figure("endplates", "Endplates", rows, inputs.table("signs", "values"), inputs)
        )
    assert pictures[0] == pictures[1]
    pages = [section.section(Inputs([spec(), r])).items for r in (found, Result.load(tmp_path, "signs"))]
    sentences = [[getattr(item, "paragraphs", ()) for item in page] for page in pages]
    assert sentences[0] == sentences[1]
    assert "SYNTHETIC DATA" in pictures[0].svg
    assert "Lateral endplate" in pictures[0].svg


def test_many_values_become_a_band(found: Result, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(drawing, "MOST_POINTS", 10)
    monkeypatch.setattr(drawing, "_points", lambda *_: pytest.fail("points were drawn"))
    inputs = Inputs([spec(), found])
    signs = inputs.table("signs", "signs")
    rows = signs[signs["family"] == "endplates"]
    figure = drawing.family_figure("endplates", "Endplates", rows, inputs.table("signs", "values"), inputs)
    assert "agrees" in figure.alt
