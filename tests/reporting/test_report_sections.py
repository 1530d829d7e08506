"""What the sections say: every number from the tables, and what is missing is said."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from radiomics_vert.errors import ReportError
from radiomics_vert.reporting import Figure, Report, Table, Text, build_report, summary_sentences
from radiomics_vert.reporting.write import render
from radiomics_vert.results import Result

Make = Callable[..., list[Result]]
SECTIONS = [
    "summary",
    "cohort",
    "table-one",
    "acquisition",
    "quality",
    "extraction",
    "reliability",
    "association",
    "validation",
    "leakage",
    "confounding",
    "limits",
    "methods",
    "provenance",
]


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


def table(report: Report, key: str) -> pd.DataFrame:
    return next(table.shown for table in report.tables if table.key == key)


def changed(results: list[Result], kind: str, **changes: object) -> list[Result]:
    return [replace(r, spec={**r.spec, **changes}) if r.kind == kind else r for r in results]


def without_tables(results: list[Result], kind: str, *names: str) -> list[Result]:
    return [
        replace(r, tables={n: t for n, t in r.tables.items() if n not in names}) if r.kind == kind else r
        for r in results
    ]


pytestmark = pytest.mark.usefixtures("no_pictures")
words_only = pytest.mark.usefixtures("no_painting")  # painting takes most of what is left


def test_sections_stand_in_the_order_of_a_reviewer(report: Report) -> None:
    assert [section.key for section in report.sections] == SECTIONS


def test_each_part_is_there(report: Report) -> None:
    assert [figure.key for figure in report.figures] == [
        "flow", "forest", "volcano", "strips", "comparison", "roc", "calibration", "selection",
    ]  # fmt: skip
    keys = {table.key for table in report.tables}
    assert {"cohort-flow", "excluded", "exclusion-reasons", "unmatched-clinical", "unlabelled"} <= keys
    assert {"table-one", "extraction-summary", "extraction-failures", "findings", "features"} <= keys
    assert {"families", "metrics", "validation-settings", "choices", "versions", "hashes"} <= keys


def test_every_figure_tells_how_to_judge_it(report: Report) -> None:
    assert all(len(figure.judge.split()) > 15 for figure in report.figures)
    assert all(figure.caption.count(". ") >= 1 for figure in report.figures)


def test_three_sentences_carry_the_numbers_of_the_tables(make_results: Make) -> None:
    results = make_results()
    who, what, how_well = summary_sentences(results)
    assert "97 vertebrae (39 metastatic, 58 osteoporotic) of 40 synthetic patients" in who
    assert "204 of 210 cases (97 %)" in who
    features = next(r for r in results if r.kind == "association").frame("features")
    assert f"Of {features['estimate'].notna().sum()} features" in what
    assert f" {(features['p_adjusted'] < 0.05).sum()} differed" in what
    best = features.loc[features["p_value"].idxmin()]
    assert f"{best['estimate']:.2f} ({best['ci_low']:.2f} to {best['ci_high']:.2f})" in what
    assert "5-fold cross-validation by patient, repeated 3 times" in how_well
    assert "AUC of 0.81 (0.72 to 0.88)" in how_well
    assert "sensitivity 0.73 (0.58 to 0.85) and specificity 0.75 (0.62 to 0.86)" in how_well
    assert "the best of 3" in how_well


@words_only
def test_a_model_named_beforehand_is_the_one_that_is_told(make_results: Make) -> None:
    results = changed(make_results(), "validation", primary=["covariates", "elastic_net"])
    told = summary_sentences(results)[2]
    assert "Covariates, elastic net" in told
    assert "AUC of 0.57 (0.48 to 0.64)" in told
    assert "best of" not in told
    assert "after seeing" not in words(build_report(results), "validation")


def test_an_auc_below_one_half_is_told_in_its_direction(make_results: Make) -> None:
    results = make_results()
    features = next(r for r in results if r.kind == "association").frame("features")
    features.loc[10, ["estimate", "ci_low", "ci_high", "p_value", "p_adjusted"]] = [
        0.2,
        0.1,
        0.3,
        1e-12,
        1e-10,
    ]
    told = summary_sentences(
        [
            Result(
                "association", {"features": features}, {"positive": "metastatic", "negative": "osteoporotic"}
            )
        ]
    )
    assert "higher in osteoporotic: AUC 0.20 (0.10 to 0.30), or 0.80 with the direction turned" in told[1]
    assert "q < 0.001" in told[1]


def test_summary_of_nothing_has_three_sentences_with_numbers() -> None:
    told = summary_sentences([])
    assert len(told) == 3
    assert all("0 " in sentence for sentence in told)


@pytest.mark.parametrize(
    ("kind", "key", "why"),
    [
        ("flow", "cohort", "who was left out"),
        ("table_one", "table-one", "age, sex"),
        ("extraction", "extraction", "how they were measured"),
        ("checks", "extraction", "duplicates"),
        ("association", "association", "which features differ"),
        ("validation", "validation", "unseen patients"),
        ("values", "association", "influential patients"),
        ("provenance", "provenance", "repeat the analysis"),
    ],
)
def test_a_missing_result_is_said_and_why_it_matters(
    make_results: Make, kind: str, key: str, why: str
) -> None:
    results = make_results(without=(kind,))
    report = build_report(results)
    assert len(summary_sentences(results)) == 3
    assert [section.key for section in report.sections] == SECTIONS
    assert "Not part of this run" in words(report, "limits")
    section = next(section for section in report.sections if section.key == key)
    said = [i.paragraphs[0] for i in section.items if isinstance(i, Text) and i.role == "missing"]
    assert len(said) == 1
    assert said[0].startswith("Not in this run: ")
    assert why in said[0]


@words_only
def test_without_the_study_the_classes_are_named_plainly(make_results: Make) -> None:
    report = build_report(make_results(without=("study", "flow")))
    assert "39 positive, 58 negative" in words(report, "summary")
    assert not report.synthetic
    assert "study description" in words(report, "limits")


def test_no_result_at_all_gives_a_report_of_what_is_missing() -> None:
    report = build_report([])
    assert [section.key for section in report.sections] == SECTIONS
    assert report.figures == ()
    assert not report.synthetic


@pytest.mark.parametrize(
    "names", [("roc",), ("calibration",), ("selection",), ("roc", "calibration", "predictions")]
)
def test_missing_curves_leave_the_rest(make_results: Make, names: tuple[str, ...]) -> None:
    report = build_report(without_tables(make_results(), "validation", *names))
    keys = {figure.key for figure in report.figures}
    assert not keys & set(names)
    assert "comparison" in keys


def test_two_results_of_one_kind_are_refused(make_results: Make) -> None:
    with pytest.raises(ReportError) as caught:
        build_report([*make_results(), make_results()[1]])
    (problem,) = caught.value.problems
    assert problem.code == "RV702"
    assert "flow" in problem.found
    assert problem.remedy


@words_only
def test_kinds_that_the_report_does_not_know_are_ignored(make_results: Make) -> None:
    extra = Result("cohort", {"counts": pd.DataFrame({"n": [1]})})
    assert render(build_report([*make_results(), extra])) == render(build_report(make_results()))


def test_flow_diagram_sums_the_reasons_of_one_step(report: Report) -> None:
    flow = report.figures[0]
    assert "3 left: no usable outcome" in flow.svg
    assert "1 left: both classes recorded" in flow.svg
    assert "82 scans entered" in flow.alt
    assert "Analysed: 97 vertebrae, 40 patients, 39 metastatic, 58 osteoporotic." in flow.alt


def test_everything_left_out_is_listed_with_its_reason(report: Report) -> None:
    assert len(table(report, "excluded")) == 10
    reasons = table(report, "exclusion-reasons")
    assert reasons["Left out"].tolist() == ["6", "4"]
    assert reasons["Reason"].tolist()[0] == "region is too small for texture features"


def test_top_table_is_ordered_and_readable(report: Report) -> None:
    top = table(report, "features")
    assert top["Rank"].tolist() == [str(rank) for rank in range(1, 21)]
    assert top["Technical name"].iloc[0] == "CT__original_ngtdm_Coarseness"
    assert top["Feature"].iloc[0] == "Coarseness (NGTDM, CT)"
    assert top["osteoporotic, median [IQR]"].str.contains(r"^[\d.]+ \[[\d.]+ to [\d.]+\]$").all()


def test_features_without_a_test_stay_out_of_the_ranking_but_in_the_file(report: Report) -> None:
    features = next(table for table in report.tables if table.key == "features")
    assert features.data is not None
    untested = features.data[features.data["estimate"].isna()]
    assert len(untested) == 1
    assert untested["feature"].iloc[0] not in set(features.shown["Technical name"])
    assert "Untested features: 1" in words(report, "limits")


@words_only
def test_features_that_mostly_measure_size_are_counted(make_results: Make) -> None:
    results = make_results()
    features = next(r for r in results if r.kind == "association").frame("features")
    expected = ((features["p_adjusted"] < 0.05) & (features["volume_correlation"].abs() > 0.8)).sum()
    passed = (features["p_adjusted"] < 0.05).sum()
    assert f"{expected} of the {passed} features that passed" in words(build_report(results), "association")


def test_metrics_are_shown_per_model_with_intervals(report: Report) -> None:
    metrics = table(report, "metrics").set_index("Metric")
    assert metrics.columns[0] == "Texture, elastic net"
    assert metrics.loc["AUC", "Covariates, elastic net"] == "0.57 (0.48 to 0.64)"
    assert metrics.loc["Calibration slope", "Texture, elastic net"] == "0.71 (0.42 to 1.00)"
    assert metrics.loc["Calibration intercept", "Texture, elastic net"] == "−0.06 (−0.50 to 0.40)"


def test_terms_are_defined_where_they_first_appear(report: Report) -> None:
    assert "AUC: the chance that a randomly chosen metastatic vertebra" in words(report, "summary")
    assert "false discovery rate is the expected share" in words(report, "summary")
    assert "Calibration slope: how far" in words(report, "validation")


def test_limits_follow_from_the_numbers(report: Report) -> None:
    text = words(report, "limits")
    assert "39 vertebrae in the smaller class and 40 patients" in text
    assert "39 / 182 = 0.214" in text
    assert "40 % of the vertebrae are metastatic" in text
    assert "number is not recorded" in text
    assert "2.4 on average" in text
    assert "6 of 210 cases" in text
    assert "slope is 0.71" in text
    assert "Synthetic data" in text


@words_only
def test_limits_that_do_not_apply_are_not_said(make_results: Make) -> None:
    results = changed(make_results(synthetic=False), "study", sites=["A", "B", "C"])
    results = changed(results, "flow", counts={"metastatic": 300, "osteoporotic": 400}, patients=700)
    text = words(build_report(results), "limits")
    assert "Sites: 3; differences" in text
    assert "Small sample" not in text
    assert "Synthetic" not in text
    assert "on average" not in text


@words_only
def test_methods_are_filled_from_the_run(make_results: Make) -> None:
    text = words(build_report(make_results()), "methods")
    for part in (
        "97 vertebrae of 40 computer-generated patients: 39 metastatic and 58 osteoporotic",
        "pyradiomics-cuda 1.0.4 (CT and T1)",
        "CT: parameters in ct.yaml (sha256 ab12cd34ef56): binWidth 25; interpolator sitkBSpline",
        "T1: parameters in t1.yaml",
        "186 features in 19 families",
        "5-fold nested cross-validation (4 inner folds), repeated 3 times",
        "seed: 20",
        "threshold: youden",
        "numpy 2.4.0",
        "95 % intervals",
    ):
        assert part in text


@words_only
def test_confidence_and_false_discovery_rate_come_from_the_settings(make_results: Make) -> None:
    results = changed(make_results(), "association", confidence=0.9)
    results = changed(results, "study", fdr=0.2)
    html = render(build_report(results))
    assert "90 % interval" in html
    assert "95 %" not in html
    features = next(r for r in results if r.kind == "association").frame("features")
    assert f" {(features['p_adjusted'] < 0.2).sum()} differed" in summary_sentences(results)[1]
    assert "rate of 20 %" in summary_sentences(results)[1]


def test_the_negative_class_is_named_by_the_statistics_when_the_study_leaves_it_open(
    make_results: Make,
) -> None:
    results = changed(make_results(without=("flow",)), "study", negative="")
    results = changed(results, "association", negative="benign", positive="metastatic")
    assert "58 benign" in summary_sentences(results)[0]


@words_only
def test_results_read_back_from_files_give_the_same_report(make_results: Make, tmp_path) -> None:
    results = make_results()
    for result in results:
        result.save(tmp_path)
    loaded = [Result.load(tmp_path, result.kind) for result in results]
    assert render(build_report(loaded)) == render(build_report(results))


def test_a_study_in_which_nothing_was_significant(make_results: Make) -> None:
    features = next(r for r in make_results() if r.kind == "association").frame("features")
    features["p_adjusted"] = 1.0
    results = [Result("association", {"features": features})]
    report = build_report(results)
    assert " 0 differed between the classes" in summary_sentences(results)[1]
    volcano = next(figure for figure in report.figures if figure.key == "volcano")
    assert "0 significantly higher in positive" in volcano.alt


def test_intervals_that_are_not_defined_are_left_out(make_results: Make) -> None:
    features = next(r for r in make_results() if r.kind == "association").frame("features").head(3)
    features[["ci_low", "ci_high", "hedges_g_low", "p_value", "p_adjusted"]] = np.nan
    report = build_report([Result("association", {"features": features})])
    assert not re.search(r"\bnan\b", render(report), re.IGNORECASE)


def test_figures_are_of_the_right_kind(report: Report) -> None:
    assert all(isinstance(figure, Figure) and figure.svg.count("<svg") == 1 for figure in report.figures)


@words_only
def test_acquisition_is_told_by_sequence_with_units(make_results: Make) -> None:
    summary = pd.DataFrame(
        [["CT", "kvp", "kV", 3, 1, "120 (80 to 140)"], ["CT", "manufacturer", "", 4, 0, "A (3), B (1)"]],
        columns=["sequence", "fact", "unit", "n", "missing", "summary"],
    )
    scans = pd.DataFrame({"scan_id": ["P1_CT"], "kvp": ["120"]})
    facts = Result("cohort", {"acquisition_summary": summary, "acquisition_scans": scans})
    report = build_report([*make_results(), facts])
    section = next(section for section in report.sections if section.key == "acquisition")
    (table,) = section.items
    assert isinstance(table, Table)
    assert table.shown["Fact"].tolist() == ["Tube voltage (kV)", "Manufacturer"]
    assert table.shown["Value"].tolist() == ["120 (80 to 140)", "A (3), B (1)"]
    assert table.data is not None
    assert table.data["scan_id"].tolist() == ["P1_CT"]


@words_only
def test_refused_scans_are_told_apart_from_failed_vertebrae(make_results: Make) -> None:
    def told(results: list[Result]) -> tuple[str, ...]:
        report = build_report(results)
        return words(report, "extraction"), words(report, "limits"), " ".join(summary_sentences(results))

    results = make_results()
    extraction, limits, summary = told(results)
    assert "204 of 210 cases" in extraction
    assert "scan could not be used" not in extraction + summary
    assert "6 of 210 cases could not be measured" in limits

    def with_label(failures: pd.DataFrame) -> pd.DataFrame:
        return failures.assign(label=[0, 24])

    refused = [
        replace(r, tables={**r.tables, "failures": with_label(r.frame("failures"))})
        if r.kind == "extraction"
        else r
        for r in results
    ]
    extraction, limits, summary = told(refused)
    assert "204 of 209 cases (one vertebra in one image) could be measured; 5 failed (2.4 %)." in extraction
    assert "1 scan could not be used at all, each listed once, whatever it shows." in extraction
    assert "5 of 209 cases and 1 scan with all its vertebrae could not be measured" in limits
    assert "204 of 209 cases (98 %); 1 scan could not be used" in summary


@words_only
def test_the_icc_is_a_column_where_it_was_measured(make_results: Make) -> None:
    results = make_results()
    assert "ICC" not in table(build_report(results), "features")
    features = next(r for r in results if r.kind == "association").frame("features")
    features["icc"] = np.where(features.index == features["p_value"].idxmin(), 0.876, np.nan)
    known = [
        replace(r, tables={**r.tables, "features": features}) if r.kind == "association" else r
        for r in results
    ]
    assert table(build_report(known), "features")["ICC"].tolist() == ["0.88", *["–"] * 19]
