from __future__ import annotations

import dataclasses

import numpy as np
import pandas as pd
import pytest

from radiomics_vert.errors import AnalysisError
from radiomics_vert.modeling.subgroup_auc import CAUTION, TOO_FEW, subgroup_labels, subgroups
from radiomics_vert.results import Result
from radiomics_vert.roc import clustered_auc


@pytest.fixture(scope="module")
def study(make_dataset):
    """60 patients with two vertebrae; the model works in men only."""
    dataset = make_dataset(0, patients=60)
    rng = np.random.default_rng(0)
    number = np.arange(len(dataset))
    covariates = dataset.covariates.assign(
        sex=np.where(number // 2 % 4 < 2, "male", "female"),
        genant_grade=np.where(number % 20 == 0, np.nan, number % 3 + 1.0),
    )
    levels = ["L1", "T12", "T7", "C2"]
    info = dataset.info.assign(level=[levels[i % 3] if i > 3 else levels[3] for i in number], site="one")
    dataset = dataclasses.replace(dataset, covariates=covariates, info=info)
    men = (covariates["sex"] == "male").to_numpy()
    tables = []
    for repeat in (1, 2, 3):
        probability = 1 / (1 + np.exp(-(3 * dataset.y.to_numpy() * men + rng.normal(size=len(dataset)))))
        tables.append(
            pd.DataFrame(
                {
                    "feature_set": "texture",
                    "model": "elastic_net",
                    "unit": dataset.X.index,
                    "subject_id": dataset.groups.to_numpy(),
                    "y": dataset.y.to_numpy(),
                    "repeat": repeat,
                    "probability": probability,
                }
            )
        )
    return dataset, Result("validation", {"predictions": pd.concat(tables, ignore_index=True)})


def test_auc_within_each_subgroup(study):
    dataset, validated = study
    result = subgroups(validated, dataset, by=("sex",), confidence=0.9)
    assert result.kind == "subgroups"
    table = result.frame("subgroups")
    assert table.columns.tolist() == [
        "feature_set", "model", "variable", "subgroup", "n", "n_positive", "n_negative", "n_subjects",
        "estimate", "ci_low", "ci_high", "note",
    ]  # fmt: skip
    table = table.set_index("subgroup")
    assert table.loc["male", "ci_low"] > 0.8
    assert table.loc["female", "ci_low"] < 0.5 < table.loc["female", "ci_high"]
    assert table.loc["male", ["n", "n_positive", "n_subjects"]].tolist() == [60, 30, 30]
    assert set(table["note"]) == {CAUTION}
    men = dataset.covariates["sex"] == "male"
    each = []
    for _, rows in validated.frame("predictions").groupby("repeat"):
        own = rows[men.loc[rows["unit"]].to_numpy()]
        auc = clustered_auc(own["y"], own["probability"], own["subject_id"], confidence=0.9)
        each.append((auc.estimate, auc.ci_low, auc.ci_high))
    found = table.loc["male", ["estimate", "ci_low", "ci_high"]].astype(float)
    np.testing.assert_allclose(found, np.median(each, axis=0))


def test_all_variables_and_those_that_are_absent(study):
    dataset, validated = study
    result = subgroups(validated, dataset, by=("level_region", "genant_grade", "age", "site", "vendor"))
    names = result.frame()[["variable", "subgroup"]].agg("/".join, axis=1).tolist()
    middle = f"{dataset.covariates['age'].median():.3g}"
    assert names == [
        "level_region/cervical", "level_region/lumbar", "level_region/thoracic",
        "genant_grade/1", "genant_grade/2", "genant_grade/3", "genant_grade/not recorded",
        f"age/below {middle}", f"age/{middle} or more", "site/one",
    ]  # fmt: skip
    assert result.spec["absent"] == ["vendor"]
    assert result.frame().groupby("variable")["n"].sum().unique().tolist() == [120]


@pytest.mark.parametrize(
    ("middle", "cut"),
    [(66.6666, "66.7"), (0.0123449, "0.0123"), (70.0, "70")],
)
def test_the_cut_is_rounded_so_that_a_reader_can_repeat_the_split(study, middle, cut):
    dataset, _ = study
    n = len(dataset)
    spread = (np.arange(n) - (n - 1) / 2) * middle / n
    ages = pd.Series(middle + spread, index=dataset.X.index)
    labels = subgroup_labels(dataclasses.replace(dataset, covariates=ages.to_frame("age")), "age")
    assert set(labels) == {f"below {cut}", f"{cut} or more"}
    assert labels.eq(f"below {cut}").equals(ages < float(cut))


def test_a_cut_that_rounding_would_empty_stays_exact(study):
    dataset, _ = study
    days = pd.Series(20260000.0 + np.arange(len(dataset)), index=dataset.X.index)
    labels = subgroup_labels(dataclasses.replace(dataset, covariates=days.to_frame("day")), "day")
    assert labels.nunique() == 2
    assert (days >= days.median()).equals(labels.str.endswith("or more"))


def test_small_subgroups_get_no_number(study):
    dataset, validated = study
    table = subgroups(validated, dataset, by=("level_region", "genant_grade")).frame().set_index("subgroup")
    for name, n in (("cervical", 4), ("not recorded", 6)):
        assert table.loc[name, "n"] == n
        assert table.loc[name, "note"] == TOO_FEW
        assert table.loc[name, ["estimate", "ci_low", "ci_high"]].isna().all()
    assert table.loc["lumbar", "note"] == CAUTION
    strict = subgroups(validated, dataset, by=("sex",), minimum=31).frame()
    assert (strict["note"] == TOO_FEW).all()


def test_vertebrae_of_few_patients_do_not_count_for_many(study):
    dataset, validated = study
    one = dataset.groups.isin(["P000", "P001", "P002", "P003"]).to_numpy()
    covariates = dataset.covariates.assign(clinic=np.where(one, "small", "large"))
    dataset = dataclasses.replace(dataset, covariates=covariates)
    table = subgroups(validated, dataset, by=("clinic",), minimum=4).frame().set_index("subgroup")
    assert table.loc["small", ["n_positive", "n_negative"]].tolist() == [4, 4]
    assert table.loc["small", "note"] == CAUTION  # two patients per class are half of four
    table = subgroups(validated, dataset, by=("clinic",), minimum=5).frame().set_index("subgroup")
    assert table.loc["small", "note"] == TOO_FEW
    doubled = pd.concat([validated.frame(), validated.frame()])
    table = subgroups(Result("validation", {"predictions": doubled}), dataset, by=("clinic",), minimum=8)
    assert table.frame().set_index("subgroup").loc["small", "note"] == TOO_FEW


def test_truth_values_are_named(study):
    dataset, _ = study
    flags = dataclasses.replace(dataset, covariates=dataset.covariates.assign(contrast=True))
    assert subgroup_labels(flags, "contrast").unique().tolist() == ["True"]
    assert subgroup_labels(flags, "nothing") is None


def test_another_dataset_is_refused(study, make_dataset):
    with pytest.raises(AnalysisError, match="RV503"):
        subgroups(study[1], make_dataset(0, patients=10))
