"""A study set against published figures: at their cut-offs, in their direction, clustered by patient."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
import pytest

from radiomics_vert.dataset import Dataset
from radiomics_vert.roc import clustered_auc, clustered_proportion
from radiomics_vert.signs.literature import Published, Share
from radiomics_vert.statistics.literature import (
    LITERATURE_COLUMNS,
    VERDICTS,
    in_short,
    literature_figures,
    verdict,
)

CLASSES = {"metastatic": "tumour", "osteoporotic": "fragility"}
SUZUKI = Published("S 2017", "S", "metastatic", ">=", 5.0, Share(0.67), Share(0.74))


def dataset(positive: str = "tumour") -> Dataset:
    """20 patients with 3 vertebrae each; values on the cut-off itself, and absent ones."""
    rng = np.random.default_rng(5)
    subjects = np.repeat([f"P{k:02d}" for k in range(20)], 3)
    tumour = np.repeat(np.arange(20) % 2, 3)
    index = pd.Index([f"{subject}_{k % 3}" for k, subject in enumerate(subjects)])
    values = np.round(3.0 + 3.0 * tumour + rng.normal(size=60), 0)
    values[::7] = np.nan
    negative = ({*CLASSES.values()} - {positive}).pop()
    y = tumour if positive == "tumour" else 1 - tumour
    return Dataset(
        pd.DataFrame({"CT__sign_lat_angle": values}, index=index),
        pd.Series(y, index=index),
        pd.Series(subjects, index=index),
        pd.DataFrame(index=index),
        pd.DataFrame(columns=["unit", "subject_id", "level", "sequence", "code", "reason"]),
        pd.DataFrame({"subject_id": subjects, "session": "", "level": "L1", "site": ""}, index=index),
        "diagnosis",
        positive,
        negative,
    )


def measured(data: Dataset) -> pd.DataFrame:
    """The row of the sign, as `sign_findings` makes it."""
    values = data.X["CT__sign_lat_angle"].dropna()
    auc = clustered_auc(data.y[values.index], values, data.groups[values.index])
    row = {
        "name": "lat_angle",
        "label": "Lateral endplate angle",
        "sequence": "CT",
        "feature": "CT__sign_lat_angle",
        "unit": "deg",
    }
    return pd.DataFrame([{**row, "auc": auc.estimate, "ci_low": auc.ci_low, "ci_high": auc.ci_high}])


def figures(*entries: Published, positive: str = "tumour", **chosen: object) -> pd.DataFrame:
    data = dataset(positive)
    found = literature_figures(data, measured(data), {"lat_angle": entries}, CLASSES, **chosen)
    assert list(found.columns) == list(LITERATURE_COLUMNS)
    return found


@pytest.mark.parametrize("positive", ["tumour", "fragility"])
@pytest.mark.parametrize(
    ("rule", "holds"),
    [(">=", lambda x: x >= 5), (">", lambda x: x > 5), ("<=", lambda x: x <= 5), ("<", lambda x: x < 5)],
)
def test_shares_at_the_cut_off_are_counted_by_class(positive, rule, holds):
    """The cut-off is met exactly by some values, so that each rule counts differently."""
    data = dataset(positive)
    found = figures(
        Published("S", "S", "metastatic", rule, 5.0, Share(0.67), Share(0.74)), positive=positive
    ).set_index("measure")
    values = data.X["CT__sign_lat_angle"].dropna()
    tumour = data.y[values.index].eq(1 if positive == "tumour" else 0)
    assert (values == 5).sum() > 3
    for measure, members, right in (
        ("sensitivity", tumour, holds(values)),
        ("specificity", ~tumour, ~holds(values)),
    ):
        expected = clustered_proportion(right[members], data.groups[values.index][members])
        told = found.loc[measure, ["estimate", "ci_low", "ci_high"]].astype(float)
        assert told.tolist() == pytest.approx(list(expected))
        assert told["estimate"] == right[members].mean()
        assert found.loc[measure, "n"] == members.sum()
        assert found.loc[measure, "n_subjects"] == 10
    assert set(found["calls"]) == {"tumour"}


@pytest.mark.parametrize("positive", ["tumour", "fragility"])
def test_the_auc_is_that_of_the_called_class(positive):
    data = dataset(positive)
    row = measured(data).iloc[0]
    high = Published("A", "T", "metastatic", ">=", auc=Share(0.9))
    low = Published("B", "T", "osteoporotic", "<", auc=Share(0.9))
    wrong = Published("C", "T", "osteoporotic", ">", auc=Share(0.9))
    found = figures(high, low, wrong, positive=positive)
    own = row["auc"] if positive == "tumour" else 1 - row["auc"]
    assert own > 0.8
    assert found["estimate"].tolist() == pytest.approx([own, own, 1 - own])
    assert (found["ci_low"] < found["estimate"]).all()
    assert (found["ci_high"] > found["estimate"]).all()
    assert found["verdict"].iloc[2] == "lower"


def test_confidence_widens_the_intervals():
    narrow, wide = figures(SUZUKI, confidence=0.5), figures(SUZUKI, confidence=0.99)
    assert (wide["ci_low"] < narrow["ci_low"]).all()


def test_verdicts_and_their_reasons():
    eye = Published(
        "U 2004", "S", "metastatic", sensitivity=Share(0.7), odds_ratio=Share(48), compare="by eye"
    )
    other = Published(
        "P", "S", "osteoporotic", "<=", 4.0, Share(0.9), compare="not comparable", remark="screening"
    )
    pooled = Published(
        "M", "S", "metastatic", sensitivity=Share(0.9), compare="not comparable", remark="pooled"
    )
    half = Published("T", "S", "metastatic", ">=", 5.0, specificity=Share(0.999), remark="of patients")
    found = figures(eye, other, pooled, half)
    told = found[["source", "measure", "verdict", "remark"]].to_numpy().tolist()
    assert told == [
        ["U 2004", "sensitivity", "no verdict", "read by eye, no published cut-off"],
        ["U 2004", "odds_ratio", "no verdict", "read by eye, no published cut-off"],
        ["P", "sensitivity", "not comparable", "screening"],
        ["P", "specificity", "not comparable", "screening"],
        ["M", "sensitivity", "not comparable", "pooled"],
        ["T", "sensitivity", "not comparable", "no figure is known to us"],
        ["T", "specificity", found["verdict"].iloc[-1], "of patients"],
    ]
    assert found["verdict"].iloc[-1] in ("agrees", "lower")
    assert set(found["verdict"]) <= set(VERDICTS)
    # Without a cut-off there is nothing to measure; with one, the study's own figure stands there unjudged.
    assert found["estimate"].notna().tolist() == [False, False, True, True, False, True, True]


@pytest.mark.parametrize(
    ("low", "high", "told"),
    [
        (0.67, 0.9, "agrees"),
        (0.1, 0.67, "agrees"),
        (0.68, 0.9, "higher"),
        (0.1, 0.66, "lower"),
        (math.nan, math.nan, "not tested"),
    ],
)
def test_an_interval_holds_its_limits(low, high, told):
    assert verdict(low, high, 0.67) == told


def test_no_value_in_a_class_is_not_tested():
    data = dataset()
    data.X.loc[data.y == 1, "CT__sign_lat_angle"] = np.nan
    sign = measured(dataset()).assign(auc=np.nan, ci_low=np.nan, ci_high=np.nan)
    found = literature_figures(data, sign, {"lat_angle": (SUZUKI,)}, CLASSES).set_index("measure")
    assert found.loc["sensitivity", ["n", "verdict"]].tolist() == [0, "not tested"]
    assert found.loc["specificity", "n"] > 0


def test_a_source_of_another_sequence_is_left_out():
    stir = Published("R", "S", "metastatic", ">=", 5.0, Share(0.5), sequences=("STIR",))
    assert figures(stir).empty
    data = dataset()
    for sequence in ("STIR", ""):
        sign = measured(data).assign(sequence=sequence)
        assert len(literature_figures(data, sign, {"lat_angle": (stir,)}, CLASSES)) == 2


def test_other_classes_and_signs_without_figures_are_not_compared():
    data = dataset()
    assert literature_figures(data, measured(data), {"lat_angle": (SUZUKI,)}, {}).empty
    assert figures().empty


def test_in_short():
    found = figures(SUZUKI, Published("A 2001", "T", "metastatic", ">=", auc=Share(0.999)))
    told = found.set_index("measure")["verdict"]
    assert in_short(found) == (
        f"sensitivity {told['sensitivity']}, specificity {told['specificity']} (S 2017); "
        f"AUC {told['auc']} (A 2001)"
    )
    eye = Published("U", "S", "metastatic", sensitivity=Share(0.7), compare="by eye")
    assert in_short(figures(eye)) == "no verdict"
    assert in_short(figures()) == ""
