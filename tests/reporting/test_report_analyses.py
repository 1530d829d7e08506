"""What the report says about the analyses beyond the core: each from its tables, alarms where they belong."""

from __future__ import annotations

import re
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from made_analyses import (
    adjusted,
    confounding,
    correlation,
    every_analysis,
    external,
    leakage_probe,
    negative_control,
    reliability,
    sample_size,
)

from radiomics_vert.reporting import Report, Table, Text, build_report, summary_sentences
from radiomics_vert.reporting.figures.correlation import clustered, square
from radiomics_vert.reporting.write import render
from radiomics_vert.results import Result

pytestmark = pytest.mark.usefixtures("no_painting")
SECTIONS = [
    *("summary", "cohort", "table-one", "acquisition", "quality", "extraction", "reliability"),
    *("association", "adjusted", "validation"),
    *("differences", "optimism", "explanation", "subgroups", "external", "leakage", "confounding"),
    *("sample-size", "limits", "methods", "provenance"),
]
FIGURES = [
    *("flow", "icc", "bland-altman", "forest", "volcano", "strips", "correlation", "adjusted", "comparison"),
    *("roc", "calibration", "precision-recall", "decision", "selection", "differences", "instability"),
    *("importance", "subgroups", "external-roc", "external-pr", "external-calibration", "external-decision"),
    *("leakage-probe", "permutation"),
]


@pytest.fixture
def full(full_report: Report) -> Report:
    return full_report


def words(report: Report, key: str) -> str:
    section = next(section for section in report.sections if section.key == key)
    parts: list[str] = []
    for item in section.items:
        if isinstance(item, Text):
            parts += item.paragraphs
        elif isinstance(item, Table):
            parts += [item.caption, item.note]
        else:
            parts += [item.caption, item.judge, item.alt]
    return " ".join(parts)


def warned(report: Report, key: str) -> list[str]:
    section = next(section for section in report.sections if section.key == key)
    return [
        text
        for item in section.items
        if isinstance(item, Text) and item.role == "warning"
        for text in item.paragraphs
    ]


def table(report: Report, key: str) -> pd.DataFrame:
    return next(table.shown for table in report.tables if table.key == key)


def swapped(*others: Result) -> list[Result]:
    kinds = {other.kind: other for other in others}
    return [kinds.get(result.kind, result) for result in every_analysis()]


def test_sections_and_figures_stand_in_the_order_of_a_reviewer(full: Report) -> None:
    assert [section.key for section in full.sections] == SECTIONS
    assert [figure.key for figure in full.figures] == FIGURES


def test_every_figure_tells_how_to_judge_it(full: Report) -> None:
    assert all(len(figure.judge.split()) > 15 for figure in full.figures)
    assert all(figure.caption.count(". ") >= 1 for figure in full.figures)
    assert all(len(figure.alt) > 40 for figure in full.figures)
    assert len({figure.alt for figure in full.figures}) == len(full.figures)


def test_keys_are_unique_because_they_name_files(full: Report) -> None:
    keys = [table.key for table in full.tables]
    assert len(keys) == len(set(keys))


def test_no_missing_number_is_printed_as_such(full: Report) -> None:
    assert not re.search(r"\bnan\b|>None<|&lt;NA&gt;", render(full))


NEW = [result.kind for result in every_analysis()[9:]]


@pytest.mark.parametrize("kind", NEW)
def test_any_analysis_may_be_absent(kind: str) -> None:
    left = [result for result in every_analysis() if result.kind != kind]
    assert len(summary_sentences(left)) == 3
    assert render(build_report(left)).startswith("<!DOCTYPE html>")


@pytest.mark.parametrize("first", [0, 1])
def test_further_tables_may_be_absent(first: int) -> None:
    left = [
        replace(r, tables=dict(list(r.tables.items())[first : first + 1]))
        if r.kind in (*NEW, "validation") and len(r.tables) > 1
        else r
        for r in every_analysis()
    ]
    assert render(build_report(left)).startswith("<!DOCTYPE html>")


@pytest.mark.parametrize(
    ("key", "why"),
    [("reliability", "drew the contour"), ("leakage", "nothing to find"), ("confounding", "scanner")],
)
def test_what_every_study_should_have_is_missed_aloud(make_results, key: str, why: str) -> None:
    report = build_report(make_results())
    assert "Not in this run" in words(report, key)
    assert why in words(report, key)
    absent = words(report, "limits")
    assert "leakage probe, negative control on unfractured vertebrae" in absent
    assert "adjusted" not in [section.key for section in report.sections]


def test_without_a_reason_nothing_warns(full: Report) -> None:
    assert [text for section in SECTIONS for text in warned(full, section)] == []
    assert "Not to be trusted" not in words(full, "limits")


def test_a_failed_probe_is_said_first_and_where_it_was_measured() -> None:
    report = build_report(swapped(leakage_probe(leak=True)))
    (text,) = warned(report, "summary")
    assert "leakage probe failed" in text
    assert "AUC 0.80 (0.74 to 0.86) on pure noise" in text
    assert warned(report, "leakage") == [text]
    assert text in words(report, "limits")
    assert 'its verdict was "leak"' in words(report, "methods")
    assert 'class="warning" role="note"' in render(report)
    assert len(summary_sentences(swapped(leakage_probe(leak=True)))) == 3


def test_a_failed_row_is_enough_when_the_verdict_is_not_recorded() -> None:
    probe = leakage_probe(leak=True)
    report = build_report(swapped(replace(probe, spec={"n_probes": 10})))
    assert "leakage probe failed" in warned(report, "summary")[0]


def test_a_passed_probe_says_so(full: Report) -> None:
    assert words(full, "leakage").startswith("Passed. No sign of leakage.")


def test_trap_twins_and_units_are_warned_of_together() -> None:
    results = swapped(confounding(trap=True, twins=True), reliability(unit_error=True))
    trap, twins, unit = warned(build_report(results), "summary")
    assert "Missing values predict the class in 1 column" in trap
    assert "missing in 51 % of metastatic and 1.7 % of osteoporotic" in trap
    assert "sub-01 and sub-09" in twins
    assert "reader 2 (Mesh volume (shape, CT): 1/1000)" in unit


def test_the_trap_is_explained_beside_its_table() -> None:
    report = build_report(swapped(confounding(trap=True)))
    assert "Why this is a trap" in words(report, "confounding")
    assert "Why this is a trap" not in words(build_report(every_analysis()), "confounding")
    missing = table(report, "missingness")
    assert missing["Flagged"].tolist() == ["yes", "no"]
    assert missing["Missing, metastatic"].tolist() == ["20 (51 %)", "1 (2.6 %)"]


def test_flagged_rows_come_first_in_every_table_of_the_audit(full: Report) -> None:
    assert table(full, "confounders")["Variable"].tolist() == ["Age", "Slice thickness", "Site"]
    assert table(full, "sites")["Site"].tolist() == ["B", "A"]
    assert len(table(full, "size-features")) == 2
    text = words(full, "confounding")
    assert "1 of 3 variables beside the features differ between the classes: Age." in text
    assert "2 of 12 features mainly measure" in text


def test_flags_that_were_read_back_as_text_still_count(tmp_path) -> None:
    confounding(trap=True, twins=True).save(tmp_path)
    loaded = Result.load(tmp_path, "confounding")
    assert len(warned(build_report(swapped(loaded)), "summary")) == 2


def test_adjusted_association_reads_the_preferred_correlation(full: Report) -> None:
    shown = table(full, "adjusted")
    assert not shown.stack().str.contains("9.87").any()
    given = adjusted().frame("gee")
    best = given[given["correlation"] == "independence"].iloc[0]
    expected = f"{best['estimate']:.2f} ({best['ci_low']:.2f} to {best['ci_high']:.2f})"
    assert shown.iloc[0, 1] == expected
    assert shown.iloc[-1, 1] == "not estimable"
    assert shown["Note"].iloc[-1] == "not estimable: one value only"
    text = words(full, "adjusted")
    passed = (given["p_adjusted"] < 0.05)[given["correlation"] == "independence"].sum()
    assert f"8 features were adjusted for age and sex; {passed} keep" in text
    assert "1 odds ratio comes from Firth" in text
    assert "1 feature could not be estimated" in text
    assert "2 vertebrae without one of the covariates" in text


def test_reliability_counts_against_the_threshold_of_the_run(full: Report) -> None:
    estimates = reliability().frame("features")["estimate"]
    above = int((estimates >= 0.8).sum())
    text = words(full, "reliability")
    assert f"{above} of 40 features ({100 * above / 40:.0f} %) have an ICC(2,1) of 0.8 or more" in text
    assert "30 vertebrae of 14 patients were measured repeatedly" in text
    assert f"{40 - above} features of 40 do not reach an ICC of 0.8" in words(full, "limits")
    least = table(full, "reliability")
    assert least.iloc[0, 1] == "–"
    assert "Note" not in least.columns
    assert table(full, "raters")["Unit errors"].tolist() == ["0", "0", "0"]


def test_the_rater_with_a_unit_error_comes_first() -> None:
    raters = table(build_report(swapped(reliability(unit_error=True))), "raters")
    assert raters["Rater"].tolist() == ["reader 2", "reader 1", "reader 3"]
    assert raters["Which"].iloc[0] == "Mesh volume (shape, CT) (1/1000)"


def test_sample_size_is_a_limit_when_it_is_too_small(full: Report) -> None:
    assert "4 of 4 criteria of Riley are not met: 6070 vertebrae would be needed for 182" in words(
        full, "limits"
    )
    assert "Events per candidate variable" not in words(full, "limits")
    assert table(full, "sample-size")["Met"].tolist() == ["no"] * 4
    enough = build_report(swapped(*sample_size(met=True)))
    assert "criteria of Riley are not met" not in words(enough, "limits")
    assert table(enough, "sample-size-plan")["Decides"].tolist() == ["", "yes", "", ""]


def test_optimism_and_instability_become_limits(full: Report) -> None:
    text = words(full, "limits")
    assert "of the apparent AUC of 0.94, 0.12 is optimism; 0.82 is left" in text
    assert "differ by 0.13 on average" in text
    assert table(full, "optimism").iloc[0].tolist()[:6] == [
        "AUC",
        "0.942",
        "0.121",
        "0.821",
        "0.790",
        "0.826",
    ]
    assert "first look" not in words(full, "optimism")


def test_differences_name_the_models_as_the_other_tables_do(full: Report) -> None:
    shown = table(full, "differences")
    assert shown.iloc[0].tolist() == [
        "Covariates, elastic net", "Texture, elastic net", "−0.241 (−0.360 to −0.120)", "< 0.001", "0.004",
    ]  # fmt: skip
    figure = next(figure for figure in full.figures if figure.key == "differences")
    assert "3 differences of AUC; 2 with an interval that excludes zero" in figure.alt


def test_a_permutation_test_tells_its_smallest_p(full: Report) -> None:
    figure = next(figure for figure in full.figures if figure.key == "permutation")
    assert "observed AUC is 0.81, p 0.005" in figure.alt
    assert "1/201" in words(full, "leakage")


def test_a_negative_control_that_is_not_negative_is_a_limit(full: Report) -> None:
    assert "Negative control" not in words(full, "limits")
    text = words(build_report(swapped(negative_control(auc=0.7))), "limits")
    assert "told apart too (AUC 0.70 (0.62 to 0.78))" in text


def test_subgroups_without_enough_cases_make_no_claim(full: Report) -> None:
    shown = table(full, "subgroups")
    assert shown.iloc[:, 2].tolist() == [
        "0.83 (0.70 to 0.91)", "0.79 (0.60 to 0.90)", "0.80 (0.69 to 0.88)", "no claim",
    ]  # fmt: skip
    text = words(full, "subgroups")
    assert "4 subgroups by 2 variables. No claim is made for 1 of them with fewer than 10 vertebrae" in text
    assert "Not recorded in this study: genant grade" in text
    assert "The file has 1 further model too" in text


def test_explanation_counts_the_opposite_directions(full: Report) -> None:
    assert "2 features of 10 point in opposite directions" in words(full, "explanation")
    shown = table(full, "importance")
    assert shown["Used in folds"].iloc[0] == "100 %"
    assert shown["Shuffled together with"].tolist()[1:] == ["–"] * 9
    assert shown["Shuffled together with"].iloc[0] != "–"


def test_external_cohorts_stand_side_by_side_and_replace_the_limit(full: Report) -> None:
    shown = table(full, "external-metrics").set_index("Metric")
    assert shown.loc["AUC", "Hospital North"] == "0.84 (0.74 to 0.91)"
    assert shown.loc["AUC", "Registry"] == "–"
    text = words(full, "limits")
    assert "Hospital South (AUC 0.79 (0.69 to 0.86))" in text
    assert "none is part of this report" not in text
    assert table(full, "recalibration")["Update"].tolist()[:3] == [
        "None (locked)", "New intercept", "New intercept and slope",
    ]  # fmt: skip
    figure = next(figure for figure in full.figures if figure.key == "external-roc")
    assert "Registry" not in figure.alt
    assert "no part in making it" in words(full, "external")


def test_what_was_unusual_in_another_cohort_is_shown(full: Report) -> None:
    shown = table(full, "external-inputs")
    first = shown.iloc[0].to_dict()
    assert first["Cohort"] == "Hospital South"
    assert first["Development data"] == "12 to 340"
    assert (first["Out of range"], first["Beyond the central 98 %"], first["Missing"]) == (
        "40 %",
        "50 %",
        "0 %",
    )
    text = shown[shown["Input"] == "sex"]
    assert text["Development data"].tolist() == ["female, male"] * 2
    assert text["Missing"].tolist() == ["5.0 %"] * 2
    assert len(shown) == 3, "unused inputs, and usual ones, stay out"


def test_patients_and_predictive_values_of_other_cohorts_are_shown(full: Report) -> None:
    values = table(full, "external-predictive-values")
    assert values.iloc[1].tolist() == ["Hospital South", "10 %", "0.31 (0.20 to 0.98)", "0.97 (0.20 to 0.98)"]
    patients = table(full, "external-patients")
    assert patients["Cohort"].tolist() == ["Hospital North"] * 2 + ["Hospital South"] * 2
    assert patients.loc[1, "Mean prediction"] == "–"
    assert patients.loc[0, "Mean prediction"] == "0.81 (0.60 to 0.90)"
    figure = next(figure for figure in full.figures if figure.key == "external-pr")
    assert "guessing: Hospital North 50 %, Hospital South 33 %" in figure.alt
    source = table(full, "external-source").set_index("Item")["Value"]
    assert source["Table of Hospital South"] == "cd" * 32


def test_a_locked_model_alone_makes_a_short_report() -> None:
    report = build_report([external()])
    assert [section.key for section in report.sections] == ["summary", "external", "methods"]
    text = words(report, "summary")
    assert "In Hospital North, the locked model reached an AUC of 0.84 (0.74 to 0.91)." in text
    assert "must not guide the care" in text
    assert "Not in this run" not in render(report)


def test_predictions_alone_make_a_section() -> None:
    left = [result for result in every_analysis() if result.kind != "external"]
    report = build_report(left)
    assert "predicted 2 vertebrae: 1 as metastatic at the locked threshold of 0.553" in words(
        report, "external"
    )
    assert "External validation: none" in words(report, "limits")


def test_later_curves_of_the_validation_are_told(full: Report) -> None:
    values = table(full, "predictive-values")
    assert values.iloc[0].tolist() == [
        "Texture, elastic net",
        "10 %",
        "0.25 (0.15 to 0.40)",
        "0.96 (0.93 to 0.98)",
    ]
    assert table(full, "patients").columns.tolist() == ["Metric", "Highest prediction", "Mean prediction"]
    assert "40 patients" in words(full, "validation")
    calibration = next(figure for figure in full.figures if figure.key == "calibration")
    assert "blue: smooth curve" in calibration.caption
    decision = next(figure for figure in full.figures if figure.key == "decision")
    assert re.search(r"Texture, elastic net: within 0\.\d\d to 0\.99", decision.alt)


def test_methods_name_every_analysis_with_its_numbers(full: Report) -> None:
    text = words(full, "methods")
    for part in (
        "30 vertebrae of 14 patients by the ICC(2,1) with 95 % intervals (bootstrap, 500 samples, seed 3)",
        "a coefficient of at least 0.8 were called reliable",
        "association of 8 features with the class was adjusted for age and sex",
        "200 bootstrap samples of patients (seed 5)",
        "200 permutations of the labels",
        "10 runs each (seed 5)",
        "above 0.7) were shuffled together",
        "at least 10 vertebrae of each class",
        "Hospital North, Hospital South and Registry with its threshold of 0.553",
        "for 182 candidate variables, assuming a Cox-Snell R² of 0.110 (from an AUC of 0.7)",
        "unfractured vertebrae of the patients.",
        "below 0.05, or a Spearman correlation beyond ±0.8",
        "doi:10.1136/bmj.m441",
        "doi:10.1177/0272989X06295361",
    ):
        assert part in text, part


def test_the_methods_of_what_was_not_run_are_not_told(make_results) -> None:
    text = words(build_report(make_results()), "methods")
    for word in ("Firth", "bootstrap", "permutation", "leakage", "Riley", "Vickers"):
        assert word not in text


def test_correlated_features_stand_side_by_side_whatever_the_sign() -> None:
    pairs = correlation()
    matrix = square(pairs)
    names = list(matrix.index)
    assert matrix.loc[names[1], names[3]] == pytest.approx(-0.9)
    order = list(clustered(matrix).index)
    blocks = ["even" if names.index(name) % 2 == 0 else "odd" for name in order]
    assert blocks in (["even"] * 3 + ["odd"] * 3, ["odd"] * 3 + ["even"] * 3)


def test_half_a_correlation_table_is_enough() -> None:
    pairs = correlation()
    half = pairs[pairs["feature_a"] < pairs["feature_b"]]
    whole = square(pairs)
    given = square(half).loc[whole.index, whole.columns]
    pd.testing.assert_frame_equal(given, whole)
    lost = square(pairs.assign(rho=np.nan)).to_numpy()
    assert np.array_equal(lost, np.eye(6))


def test_pictures_with_parts_missing_are_painted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.undo()
    monkeypatch.setattr(
        "radiomics_vert.reporting.style._files", lambda canvas: ("<svg viewBox='0 0 1 1'/>", b"")
    )
    gee = adjusted().frame("gee").tail(1)
    lone = Result("adjusted", {"gee": gee}, {})
    alone = confounding()
    bins = external().frame("calibration")
    others = Result("external", {"metrics": external().frame("metrics"), "calibration": bins}, {})
    report = build_report([alone, lone, others])
    assert {"adjusted", "external-calibration"} <= {figure.key for figure in report.figures}


def test_the_page_of_all_analyses_is_byte_identical(full: Report, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.undo()
    again = build_report(every_analysis())
    assert [figure.png for figure in again.figures] == [figure.png for figure in full.figures]
    assert render(again) == render(full)


def test_the_page_of_all_analyses_stays_light_and_adapts_its_colours(full: Report) -> None:
    html = render(full)
    assert len(html) < 1_200_000
    pictures = "".join(re.findall(r"<svg.*?</svg>", html, re.DOTALL))
    assert not re.search(r"(?:fill|stroke): #", pictures)
    assert "<image" not in pictures
    used = set(re.findall(r"var\(--([a-z0-9-]+)\)", html))
    assert used <= set(re.findall(r"--([a-z0-9-]+):", html))
    ids = re.findall(r' id="([^"]+)"', html)
    assert len(ids) == len(set(ids))


def test_results_read_back_from_files_give_the_same_report(tmp_path) -> None:
    results = every_analysis()
    for result in results:
        result.save(tmp_path)
    loaded = [Result.load(tmp_path, result.kind) for result in results]
    assert render(build_report(loaded)) == render(build_report(results))


def test_hostile_names_in_every_analysis_stay_text() -> None:
    hostile = "<script>alert('x')</script>"
    spoilt = []
    for result in every_analysis():
        tables = {}
        for name, frame in result.tables.items():
            for column in frame.columns:
                if column in (
                    "feature",
                    "cohort",
                    "subgroup",
                    "site",
                    "remark",
                    "note",
                    "rater",
                    "pair",
                    "unit",
                ):
                    frame = frame.assign(**{column: frame[column].astype(str) + hostile})
            tables[name] = frame
        spoilt.append(replace(result, tables=tables))
    html = render(build_report(spoilt))
    assert "<script" not in html
    assert "&lt;script&gt;" in html


def test_an_external_cohort_without_curves_is_told_in_tables_only() -> None:
    bare = Result("external", {"metrics": external().frame("metrics")}, {"model": "elastic_net"})
    report = build_report(swapped(bare))
    assert "AUC: Hospital North 0.84 (0.74 to 0.91)" in words(report, "external")
    assert not [figure for figure in report.figures if figure.key.startswith("external")]
