"""`audit_confounding`: planted confounders are found, clean data are not accused, traps are named."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest
from scipy.stats import chi2_contingency, ncx2, spearmanr

from radiomics_vert.dataset import Dataset
from radiomics_vert.errors import AnalysisError
from radiomics_vert.results import Result
from radiomics_vert.roc import clustered_auc
from radiomics_vert.statistics import audit_confounding
from radiomics_vert.statistics.contingency import associate_categories

VARIABLES = [
    *("variable", "kind", "n", "n_subjects", "levels", "measure", "estimate", "ci_low", "ci_high"),
    *("largest_category", "standardized_difference", "statistic", "p_value", "p_adjusted"),
    *("flagged", "remark"),
]


@pytest.fixture
def planted(make_dataset, simulate):
    """Site, slice thickness and age go with the class; sex and kVp do not."""
    rng = np.random.default_rng(4)
    y, X, groups = simulate(rng, 70, 12, 0.0)
    label = (np.arange(70) < 35).astype(int)
    thickness = np.where(rng.random(70) < 0.25 + 0.5 * label, 5.0, rng.choice([1.0, 3.0], 70))[groups]
    frame = pd.DataFrame(X, columns=[f"original_glcm_F{i}" for i in range(12)])
    frame["original_shape_MeshVolume"] = 10 + X[:, 0]
    frame["original_gldm_Size"] = np.exp(X[:, 0]) + 0.01 * X[:, 1]
    frame["original_glcm_Blur"] = -(thickness + 0.1 * X[:, 2])
    frame["original_glcm_Holes"] = np.where((y == 1) & (rng.random(len(y)) < 0.6), np.nan, X[:, 3])
    frame["original_glcm_Chance"] = np.where(rng.random(len(y)) < 0.2, np.nan, X[:, 4])
    covariates = pd.DataFrame(
        {
            "age": (65 + 10 * label + rng.normal(0, 7, 70))[groups],
            "sex": rng.choice(["male", "female"], 70)[groups],
        }
    )
    levels = [f"L{number}" for number in rng.integers(1, 6, len(y))]
    dataset = make_dataset(frame, y, groups, covariates=covariates, levels=levels)
    site = np.where(label == 1, rng.choice(["A", "B"], 70, p=[0.8, 0.2]), rng.choice(["B", "C"], 70))[groups]
    info = pd.DataFrame(
        {"site": site, "slice_thickness": thickness, "kvp": rng.choice([100, 120, 140], 70)[groups]},
        index=dataset.X.index,
    )
    return dataset, info


def test_tables_are_as_promised_and_survive_the_disk(planted, tmp_path):
    result = audit_confounding(*planted)
    assert result.kind == "confounding"
    assert list(result.tables) == ["variables", "features", "sites", "missingness", "near_duplicates"]
    assert list(result.frame().columns) == VARIABLES
    assert result.frame()["variable"].tolist() == ["site", "slice_thickness", "kvp", "age", "sex", "level"]
    assert result.frame("features")["feature"].tolist() == list(planted[0].X.columns)
    result.save(tmp_path)
    again = Result.load(tmp_path, "confounding")
    assert [len(table) for table in again.tables.values()] == [len(t) for t in result.tables.values()]
    assert (
        "covariates"
        in json.loads((tmp_path / "confounding.json").read_text())["spec"]["methods"]["covariates_alone"]
    )


def test_planted_confounders_are_flagged_and_others_are_not(planted):
    table = audit_confounding(*planted).frame().set_index("variable")
    assert table["flagged"].to_dict() == {
        "site": True,
        "slice_thickness": True,
        "kvp": False,
        "age": True,
        "sex": False,
        "level": False,
    }
    assert table["kind"].to_dict()["site"] == table["kind"].to_dict()["sex"] == "categories"
    assert table.loc["site", "measure"] == "Cramer's V"
    assert table.loc["site", "largest_category"] == "A"
    assert table.loc["site", "standardized_difference"] > 1
    assert table.loc["site", "remark"].startswith("differs between metastatic and osteoporotic")


def test_a_quantity_gets_the_clustered_auc(planted):
    dataset = planted[0]
    age = audit_confounding(*planted).frame().set_index("variable").loc["age"]
    auc = clustered_auc(dataset.y, dataset.covariates["age"], dataset.groups)
    assert age[["estimate", "ci_low", "ci_high", "p_value"]].tolist() == pytest.approx(
        [auc.estimate, auc.ci_low, auc.ci_high, auc.p_value]
    )


def test_clean_cohorts_are_seldom_accused(make_dataset, simulate):
    rng = np.random.default_rng(9)
    accused = []
    for _ in range(25):
        y, X, groups = simulate(rng, 60, 2, 0.0)
        covariates = pd.DataFrame(
            {
                "age": rng.normal(70, 8, 60)[groups],
                "sex": rng.choice(["male", "female"], 60)[groups],
                "site": rng.choice(["A", "B", "C"], 60)[groups],
                "kvp": rng.choice([100, 120, 140], 60)[groups],
            }
        )
        result = audit_confounding(make_dataset(X, y, groups, covariates=covariates))
        accused.append(result.frame()["flagged"].any())
        assert not result.frame("missingness")["flagged"].any()
    assert np.mean(accused) <= 0.16  # 5 % are expected


def test_features_that_measure_volume_or_thickness(planted):
    dataset, info = planted
    table = audit_confounding(*planted).frame("features").set_index("feature")
    assert table.index[table["flagged"]].tolist() == [
        "original_glcm_F0",
        "original_gldm_Size",
        "original_glcm_Blur",
    ]
    assert table.loc["original_gldm_Size", "remark"] == "mainly measures volume"
    assert table.loc["original_glcm_Blur", "remark"] == "mainly measures slice thickness"
    assert table.loc["original_shape_MeshVolume", "remark"] == "the volume itself"
    blur = spearmanr(dataset.X["original_glcm_Blur"], info["slice_thickness"]).statistic
    assert table.loc["original_glcm_Blur", "thickness_correlation"] == pytest.approx(blur)
    assert audit_confounding(dataset).frame("features")["thickness_correlation"].isna().all()


def test_sites_with_one_class_are_named(planted):
    dataset, info = planted
    sites = audit_confounding(*planted).frame("sites").set_index("site")
    assert sites["one_label"].to_dict() == {"A": True, "B": False, "C": True}
    assert sites.loc["A", "remark"] == "only metastatic: site and class cannot be told apart here"
    assert sites.loc["C", "positive_share"] == 0
    inside = (info["site"] == "B").to_numpy()
    assert sites.loc["B", "n"] == inside.sum()
    assert sites.loc["B", "n_subjects"] == dataset.groups[inside].nunique()
    assert sites.loc["B", "positive_share"] == pytest.approx(dataset.y[inside].mean())


def test_missingness_that_predicts_the_class_is_flagged(planted):
    dataset, _ = planted
    table = audit_confounding(*planted).frame("missingness").set_index("feature")
    assert table.index.tolist() == ["original_glcm_Holes", "original_glcm_Chance"]
    assert table["flagged"].tolist() == [True, False]
    holes = table.loc["original_glcm_Holes"]
    absent = dataset.X["original_glcm_Holes"].isna()
    assert (holes["missing_positive"], holes["missing_negative"]) == (absent.sum(), 0)
    # of two-valued scores the AUC is (1 + difference of the shares) / 2
    assert holes["estimate"] == pytest.approx(0.5 + absent[dataset.y == 1].mean() / 2)
    assert "missing more often in metastatic" in holes["remark"]


def test_missing_covariates_are_looked_at_too(make_dataset, simulate):
    y, X, groups = simulate(np.random.default_rng(2), 40, 2, 0.0)
    covariates = pd.DataFrame({"bmi": np.where(y == 0, np.nan, X[:, 0])})
    result = audit_confounding(make_dataset(X, y, groups, covariates=covariates))
    missing = result.frame("missingness").iloc[0]
    assert (missing["feature"], missing["role"], missing["estimate"]) == ("bmi", "variable", 0.0)
    assert missing["flagged"]
    assert "missing more often in osteoporotic" in missing["remark"]
    variable = result.frame().set_index("variable").loc["bmi"]
    assert variable["remark"] == "known in fewer than two patients of a class"
    assert not variable["flagged"]


def test_variables_that_cannot_be_tested_say_why(make_dataset, simulate):
    y, X, groups = simulate(np.random.default_rng(2), 40, 2, 0.0)
    covariates = pd.DataFrame({"protocol": "spine", "scan": groups.astype(str), "weight": np.nan})
    table = audit_confounding(make_dataset(X, y, groups, covariates=covariates)).frame()
    remarks = table.set_index("variable")["remark"]
    assert "one value only" in remarks["protocol"]
    assert "almost every patient has an own value" in remarks["scan"]
    assert remarks["weight"] == "no value"
    assert table[["estimate", "p_value"]].isna().all(axis=None)


def test_site_codes_and_two_valued_numbers_are_categories(make_dataset, simulate):
    y, X, groups = simulate(np.random.default_rng(2), 40, 2, 0.0)
    covariates = pd.DataFrame(
        {"site": groups % 3, "treated": groups % 2 == 0, "steroid": groups % 2, "kvp": groups % 3}
    )
    table = audit_confounding(make_dataset(X, y, groups, covariates=covariates)).frame()
    kinds = table.set_index("variable")["kind"].to_dict()
    assert kinds["site"] == kinds["treated"] == kinds["steroid"] == "categories"
    assert kinds["kvp"] == "quantity"


def test_info_of_other_units_is_refused(planted):
    dataset, info = planted
    with pytest.raises(AnalysisError, match="RV503"):
        audit_confounding(dataset, info.iloc[1:])
    with pytest.raises(AnalysisError, match="several rows"):
        audit_confounding(dataset, pd.concat([info, info.iloc[:1]]))
    shuffled = audit_confounding(dataset, info.iloc[::-1])
    pd.testing.assert_frame_equal(shuffled.frame(), audit_confounding(dataset, info).frame())


def test_near_duplicates_of_other_patients_only(planted):
    dataset, _ = planted
    X = dataset.X.drop(columns=["original_glcm_Holes", "original_glcm_Chance"]).copy()
    patient = dataset.groups.to_numpy()
    first = np.flatnonzero(patient == "0")[0]
    other = np.flatnonzero(patient == "40")[0]
    again = np.flatnonzero(patient == "50")[0]
    X.iloc[other] = X.iloc[first]
    X.iloc[again] = X.iloc[first] * 1.002
    own = np.flatnonzero(patient == patient[np.argmax(pd.Series(patient).duplicated())])[:2]
    X.iloc[own[1]] = X.iloc[own[0]]
    changed = type(dataset)(**{**dataset.__dict__, "X": X})
    pairs = audit_confounding(changed).frame("near_duplicates")
    found = {frozenset(pair) for pair in zip(pairs["subject_a"], pairs["subject_b"], strict=True)}
    assert {frozenset(("0", "40")), frozenset(("0", "50")), frozenset(("40", "50"))} <= found
    assert pairs["distance"].is_monotonic_increasing
    exact = pairs[pairs["identical"]]
    assert {"0", "40"} in [set(pair) for pair in zip(exact["subject_a"], exact["subject_b"], strict=True)]
    assert (pairs["subject_a"] != pairs["subject_b"]).all()
    assert audit_confounding(dataset).frame("near_duplicates").empty


def test_few_features_cannot_tell_duplicates(make_dataset):
    X = {f"f{i}": [1.0, 1.0, 2.0, 3.0] for i in range(9)}
    dataset = make_dataset(X, [0, 1, 0, 1], list("abcd"))
    assert audit_confounding(dataset).frame("near_duplicates").empty
    assert (
        len(
            audit_confounding(
                make_dataset(X | {"f9": [1.0, 1.0, 2.0, 3.0]}, [0, 1, 0, 1], list("abcd"))
            ).frame("near_duplicates")
        )
        == 1
    )


def test_cramers_v_by_hand():
    # Class by category 12 3 5 | 4 8 8: expected 8 5.5 6.5 in both rows, so that chi-squared is
    # 2 (16 / 8 + 6.25 / 5.5 + 2.25 / 6.5) = 6.965035, and V = sqrt(6.965035 / 40).
    codes = np.repeat([0, 1, 2, 0, 1, 2], [12, 3, 5, 4, 8, 8])
    positive = np.arange(40) < 20
    found = associate_categories(positive, codes, np.arange(40))
    assert found.cramers_v == pytest.approx(np.sqrt(6.965035 / 40), abs=1e-7)
    assert found.freedom == 2
    assert found.largest == 0
    # shares 0.6 and 0.2: 0.4 / sqrt((0.24 + 0.16) / 2)
    assert found.difference == pytest.approx(0.894427, abs=1e-6)
    table = pd.crosstab(positive, codes)
    assert found.cramers_v == pytest.approx(np.sqrt(chi2_contingency(table, correction=False).statistic / 40))


def test_clustered_statistic_by_hand():
    # Four patients of two vertebrae: two positive ones from site 1, a negative one from site 0, a
    # negative one from site 1. (x - 3/4) (y - 1/2) sums to 1/4, 1/4, 3/4, -1/4 within the patients,
    # so that U = 1 and S = 3/4. Vertebrae taken as independent would give 8/3.
    found = associate_categories(
        np.repeat([True, True, False, False], 2), np.repeat([1, 1, 0, 1], 2), np.repeat([0, 1, 2, 3], 2)
    )
    assert found.statistic == pytest.approx(4 / 3)
    assert found.freedom == 1


def test_repeating_every_vertebra_adds_no_evidence():
    rng = np.random.default_rng(3)
    codes, positive = rng.integers(0, 3, 50), rng.random(50) < 0.4
    one = associate_categories(positive, codes, np.arange(50))
    two = associate_categories(np.repeat(positive, 3), np.repeat(codes, 3), np.repeat(np.arange(50), 3))
    np.testing.assert_allclose(two, one, rtol=1e-9, atol=1e-12)


def test_limits_invert_the_noncentral_distribution():
    codes = np.repeat([0, 1, 0, 1], [30, 10, 12, 28])
    found = associate_categories(np.arange(80) < 40, codes, np.arange(80))
    units = found.statistic / found.cramers_v**2
    for limit, tail in ((found.ci_low, 0.975), (found.ci_high, 0.025)):
        assert ncx2.cdf(found.statistic, 1, units * limit**2) == pytest.approx(tail, abs=1e-8)


def test_complete_confounding_has_a_p_value():
    codes = np.repeat([0, 1], 20)
    found = associate_categories(codes == 1, codes, np.arange(40))
    assert found.cramers_v == pytest.approx(1)
    assert found.ci_high == 1
    assert found.statistic == pytest.approx(40)
    assert np.isnan(found.difference)


@pytest.mark.data
def test_strength_that_is_missing_where_fractured_is_flagged(real_data, make_dataset):
    source = pd.read_csv(real_data / "tables" / "dev_verse19_vertebra_table.csv")
    dataset = make_dataset(
        source[["vbmd_phantomless_mg_cc", "vbmd_phantom_mg_cc", "fe_force_kN"]],
        source["fracture"],
        source["patient_id"],
        covariates=source[["sex", "contrast"]],
        levels=source["vertebra"].tolist(),
    )
    result = audit_confounding(dataset)
    missing = result.frame("missingness").set_index("feature")
    assert missing["flagged"].to_dict() == {"vbmd_phantom_mg_cc": False, "fe_force_kN": True}
    trap = missing.loc["fe_force_kN"]
    assert (trap["missing_positive"], trap["missing_negative"]) == (186, 0)
    assert trap["estimate"] == pytest.approx(0.5 + 186 / 189 / 2)
    assert trap["ci_low"] > 0.95
    # fractures gather at the thoracolumbar junction and below
    level = result.frame().set_index("variable").loc["level"]
    assert level["flagged"]
    assert level["estimate"] > 0.55


@pytest.mark.data
def test_subject_exported_under_two_names_is_found(real_data, make_dataset):
    source = pd.read_csv(real_data / "tables" / "dev_vb_features.csv")
    X = source.loc[:, "original_shape_Elongation":].select_dtypes("number")
    dataset = make_dataset(X, np.arange(len(X)) % 2, source["patient_guess"])
    pairs = audit_confounding(dataset).frame("near_duplicates")
    assert len(pairs) == 5
    assert set(pairs["subject_a"]) | set(pairs["subject_b"]) == {"VB3_18", "VB3_19"}
    assert pairs["identical"].all()


@pytest.mark.slow
def test_type_one_error_of_the_category_test(simulate):
    rng = np.random.default_rng(20260301)
    rejected, naive = [], []
    for _ in range(1000):
        y, _, groups = simulate(rng, 40, 1, 0.0)
        codes = rng.integers(0, 3, 40)[groups]
        found = associate_categories(y == 1, np.unique(codes, return_inverse=True)[1], groups)
        rejected.append(found.p_value < 0.05)
        naive.append(chi2_contingency(pd.crosstab(y, codes), correction=False).pvalue < 0.05)
    assert 0.035 <= np.mean(rejected) <= 0.065
    assert np.mean(naive) > 0.15


def test_a_sign_that_is_absent_by_definition_is_told_but_is_no_trap() -> None:
    rng = np.random.default_rng(3)
    n = 40
    y = pd.Series([0, 1] * (n // 2), index=[f"P{i}_L1" for i in range(n)])
    gap = np.where(y == 1, rng.normal(size=n), np.nan)
    X = pd.DataFrame({"sign_pw_pos": gap, "original_glcm_Contrast": gap}, index=y.index)
    info = pd.DataFrame({"subject_id": [f"P{i}" for i in range(n)], "level": "L1", "site": ""}, index=y.index)
    dataset = Dataset(X, y, info["subject_id"], pd.DataFrame(index=y.index), pd.DataFrame(), info,
                      "diagnosis", "b", "a")  # fmt: skip
    table = audit_confounding(dataset).frame("missingness").set_index("feature")
    assert table.loc["sign_pw_pos", "role"] == "sign"
    assert table["flagged"].all()
    assert "by its definition" in table.loc["sign_pw_pos", "remark"]
    assert "do not impute" in table.loc["original_glcm_Contrast", "remark"]
