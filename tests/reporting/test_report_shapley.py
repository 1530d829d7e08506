"""The section on single vertebrae: made-up Shapley values, drawn and told."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from made_study import every_result

from radiomics_vert.reporting import Table, build_report
from radiomics_vert.reporting.figures.shapley import spread
from radiomics_vert.reporting.write import render
from radiomics_vert.results import Result

NAMES = ["original_shape_MeshVolume", "original_firstorder_Mean", "age"]
SPEC = {
    "feature_set": "texture", "model": {"name": "elastic_net", "title": "Elastic net"}, "n_boot": 7,
    "seed": 5, "explainer": "exact, linear", "confidence": 0.95,
}  # fmt: skip


def shapley(names: list[str]) -> Result:
    rng = np.random.default_rng(0)
    values = pd.concat(
        [
            pd.DataFrame({"unit": [f"P{i}" for i in range(9)], "subject_id": "P", "y": 0, "feature": name,
                          "value": rng.normal(size=9), "shapley": rng.normal(size=9)})
            for name in names
        ] or [pd.DataFrame(columns=["unit", "subject_id", "y", "feature", "value", "shapley"])]
    )  # fmt: skip
    size = np.linspace(0.9, 0.1, len(names))
    summary = pd.DataFrame({"feature": names, "mean_absolute": size, "ci_low": size / 2, "ci_high": 2 * size})
    directions = ["higher", "lower", "mixed"][: len(names)]
    summary = summary.assign(correlation=0.5, direction=directions, frequency=1.0)
    return Result("shapley", {"summary": summary, "values": values, "vertebrae": values.head(1)}, SPEC)


def _sections(names):
    report = build_report([*every_result(), shapley(names)])
    return report, {section.key: section for section in report.sections}


def test_the_section_stands_with_figure_table_and_warning():
    report, sections = _sections(NAMES)
    figure, table, terms = sections["shapley"].items
    assert isinstance(table, Table)
    assert table.shown.iloc[:, 2].tolist() == ["higher values", "lower values", "no clear direction"]
    assert table.shown.iloc[0, 1] == "0.900 (0.450 to 1.800)"
    assert "not causal" in figure.judge
    assert "share the credit" in figure.judge
    assert "9 vertebrae" in figure.alt
    assert "explain this model, not the disease" in terms.paragraphs[1]
    assert "7 bootstrap samples of patients (seed 5)" in render(report)
    assert _sections(NAMES)[1]["shapley"].items[0].svg == figure.svg


def test_without_values_there_is_no_section_and_without_features_a_sentence(no_painting):
    assert "shapley" not in {section.key for section in build_report(every_result()).sections}
    (item,) = _sections([])[1]["shapley"].items
    assert "nothing to explain" in item.paragraphs[0]


@pytest.mark.parametrize("n", [1, 2, 40])
def test_dots_of_one_place_keep_apart(n):
    offsets = spread(np.full(n, 0.3))
    assert len(set(offsets)) == n
    assert np.abs(offsets).max() <= 0.38
