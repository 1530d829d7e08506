from __future__ import annotations

import dataclasses

import numpy as np
import pandas as pd
import pytest
from combatlearn import ComBat

from radiomics_vert.errors import AnalysisError
from radiomics_vert.modeling import ModelSpec, Preparation, SiteHarmoniser, ValidationSpec, cross_validate
from radiomics_vert.modeling.harmonisation import harmonisation_columns

QUICK = ValidationSpec(outer_folds=3, inner_folds=2, repeats=1, n_boot=10)
SMALL = {"k": (5,), "l1_ratio": (0.5,), "C": (0.5,)}
COMBAT = ModelSpec(grid=SMALL, preparation=Preparation(harmonise="combat"))


def _two_sites(seed: int = 0, n: int = 60, p: int = 8):
    rng = np.random.default_rng(seed)
    sites = np.where(np.arange(n) % 3 == 0, "A", "B").astype(object)
    X = rng.normal(loc=50, scale=5, size=(n, p))
    X[sites == "B"] = (X[sites == "B"] - 50) * 2.0 + 65
    return X, sites


def test_a_planted_site_effect_goes_in_training_rows_and_in_new_rows_of_the_same_sites():
    X, sites = _two_sites(n=600)
    fitted = SiteHarmoniser().fit(X, sites=sites)
    new, new_sites = _two_sites(seed=1, n=600)
    for values, names in ((X, sites), (new, new_sites)):
        out = fitted.transform(values, sites=names)
        gap = out[names == "A"].mean(axis=0) - out[names == "B"].mean(axis=0)
        ratio = out[names == "B"].std(axis=0) / out[names == "A"].std(axis=0)
        assert np.abs(gap).mean() < 1.6
        assert ratio.mean() == pytest.approx(1.0, abs=0.1)
        before = values[names == "A"].mean(axis=0) - values[names == "B"].mean(axis=0)
        assert np.abs(before).mean() > 12


def _by_hand(X: np.ndarray, sites: np.ndarray, prior_axis: int) -> np.ndarray:
    """Parametric empirical Bayes ComBat, written out; axis 0: priors over sites, 1: over features."""
    names = np.unique(sites)
    n = np.array([(sites == s).sum() for s in names])[:, None]
    means = np.array([X[sites == s].mean(axis=0) for s in names])
    alpha = (n * means).sum(axis=0) / n.sum()
    residual = np.concatenate([X[sites == s] - mean for s, mean in zip(names, means, strict=True)])
    sigma = np.sqrt((residual**2).mean(axis=0))
    Z = [(X[sites == s] - alpha) / sigma for s in names]
    gamma_hat = np.array([z.mean(axis=0) for z in Z])
    delta_hat = np.array([z.var(axis=0, ddof=1) for z in Z])

    def moments(values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        return values.mean(axis=prior_axis, keepdims=True), values.var(axis=prior_axis, ddof=1, keepdims=True)

    (gamma_bar, tau2), (mean, var) = moments(gamma_hat), moments(delta_hat)
    shape, scale = mean**2 / var + 2, mean * (mean**2 / var + 1)
    gamma, delta = gamma_hat, delta_hat
    for _ in range(300):
        gamma = (n * tau2 * gamma_hat + delta * gamma_bar) / (n * tau2 + delta)
        squares = np.array([((z - g) ** 2).sum(axis=0) for z, g in zip(Z, gamma, strict=True)])
        delta = (scale + squares / 2) / (n / 2 + shape - 1)
    out = np.empty_like(X)
    for s, z, g, d in zip(names, Z, gamma, delta, strict=True):
        out[sites == s] = (z - g) / np.sqrt(d) * sigma + alpha
    return out


def test_small_example_equals_the_engine_and_its_formulas_written_out():
    X, sites = _two_sites(seed=2, n=12, p=4)
    out = SiteHarmoniser().fit_transform(X, sites=sites)
    engine = ComBat(pd.Series(sites), method="fortin").fit_transform(pd.DataFrame(X)).to_numpy()
    np.testing.assert_allclose(out, engine, rtol=1e-4)
    np.testing.assert_allclose(out, _by_hand(X, sites, prior_axis=0), rtol=1e-3)
    assert np.abs(out - X).max() > 5


@pytest.mark.parametrize("q", [0, 2])
def test_rows_are_transformed_as_the_engine_would(q):
    X, sites = _two_sites(seed=5, n=40, p=6)
    new, new_sites = _two_sites(seed=6, n=17, p=6)
    sites[::7] = "C"
    rng = np.random.default_rng(7)
    kept, new_kept = (rng.normal(70, 9, size=(len(own), q)) for own in (X, new))
    mean, sd = X.mean(axis=0), X.std(axis=0)
    engine = ComBat(
        pd.Series(sites), continuous_covariates=pd.DataFrame(kept) if q else None, method="fortin"
    ).fit(pd.DataFrame((X - mean) / sd))
    fitted = SiteHarmoniser().fit(X, sites=sites, site_covariates=kept)
    for values, names, own in ((X, sites, kept), (new, new_sites, new_kept)):
        engine.set_params(batch=pd.Series(names), continuous_covariates=pd.DataFrame(own) if q else None)
        expected = engine.transform(pd.DataFrame((values - mean) / sd)).to_numpy() * sd + mean
        np.testing.assert_allclose(
            fitted.transform(values, sites=names, site_covariates=own), expected, rtol=1e-10
        )
    assert all(isinstance(value, np.ndarray | tuple | str | int) for value in vars(fitted).values())


def test_with_many_rows_the_choice_of_the_prior_does_not_matter():
    """The engine takes the priors of a feature over sites, the source those of a site over features."""
    X, sites = _two_sites(seed=3, n=900, p=40)
    out = SiteHarmoniser().fit_transform(X, sites=sites)
    published = _by_hand(X, sites, prior_axis=1)
    assert np.sqrt(np.mean((out - published) ** 2)) < 0.02 * X.std()


def test_units_do_not_matter():
    X, sites = _two_sites()
    tiny = SiteHarmoniser().fit_transform(X * 1e-9, sites=sites)
    np.testing.assert_allclose(tiny * 1e9, SiteHarmoniser().fit_transform(X, sites=sites), rtol=1e-9)


def test_a_protected_difference_stays_and_an_unprotected_one_is_taken_for_the_site():
    rng = np.random.default_rng(3)
    n = 200
    sites = np.where(rng.random(n) < 0.5, "A", "B").astype(object)
    age = rng.normal(70, 8, n) + 8 * (sites == "B")
    X = rng.normal(size=(n, 6)) + 0.25 * (age - 70)[:, None]

    def gap(out: np.ndarray) -> float:
        return float((out[sites == "B"].mean(axis=0) - out[sites == "A"].mean(axis=0)).mean())

    def slope(out: np.ndarray) -> float:
        return float(np.polyfit(age, out.mean(axis=1), 1)[0])

    kept = SiteHarmoniser().fit_transform(X, sites=sites, site_covariates=age[:, None])
    lost = SiteHarmoniser().fit_transform(X, sites=sites)
    assert gap(X) > 1.5
    assert gap(kept) > 1.5
    assert abs(gap(lost)) < 0.4
    assert slope(kept) == pytest.approx(0.25, abs=0.02)
    missing = age.copy()
    missing[:5] = np.nan
    assert np.isfinite(SiteHarmoniser().fit_transform(X, sites=sites, site_covariates=missing[:, None])).all()


def test_one_category_of_a_covariate_in_the_test_rows_is_understood():
    X, sites = _two_sites(n=80)
    male = (np.arange(80) % 2).astype(float)
    X = X + 3 * male[:, None]
    fitted = SiteHarmoniser().fit(X, sites=sites, site_covariates=male[:, None])
    rows = np.flatnonzero(male == 1)
    whole = fitted.transform(X, sites=sites, site_covariates=male[:, None])
    part = fitted.transform(X[rows], sites=sites[rows], site_covariates=male[rows, None])
    np.testing.assert_allclose(part, whole[rows])


def test_rows_of_an_unknown_site_stay_as_they_are_or_are_refused():
    X, sites = _two_sites()
    new = np.array(["C", "B"], dtype=object)
    out = SiteHarmoniser("reference").fit(X, sites=sites).transform(X[:2] + 7, sites=new)
    np.testing.assert_array_equal(out[0], X[0] + 7)
    assert np.abs(out[1] - X[1] - 7).max() > 1
    with pytest.raises(AnalysisError) as error:
        SiteHarmoniser("refuse").fit(X, sites=sites).transform(X[:2], sites=new)
    (problem,) = error.value.problems
    assert (problem.code, problem.found) == ("RV506", "C")
    assert problem.expected == "sites with at least 2 training rows: A, B"


def test_a_site_with_one_training_row_counts_as_unknown_and_one_site_changes_nothing():
    X, sites = _two_sites()
    sites[5] = "C"
    fitted = SiteHarmoniser().fit(X, sites=sites)
    assert fitted.sites_ == ("A", "B")
    np.testing.assert_array_equal(fitted.transform(X, sites=sites)[5], X[5])
    alone = SiteHarmoniser().fit(X, sites=np.full(60, "A", dtype=object))
    np.testing.assert_array_equal(alone.transform(X, sites=sites), X)


def test_protected_columns_are_left_alone_and_the_outcome_is_not_looked_at():
    X, sites = _two_sites()
    out = SiteHarmoniser(n_protected=3).fit_transform(X, sites=sites)
    np.testing.assert_array_equal(out[:, :3], X[:, :3])
    assert np.abs(out[:, 3:] - X[:, 3:]).max() > 5
    labelled = SiteHarmoniser().fit(X, (sites == "A").astype(int), sites=sites)
    np.testing.assert_array_equal(
        labelled.transform(X, sites=sites), SiteHarmoniser().fit_transform(X, sites=sites)
    )


def test_without_sites_it_is_refused():
    X, _ = _two_sites()
    with pytest.raises(AnalysisError) as error:
        SiteHarmoniser().fit(X)
    assert error.value.problems[0].code == "RV105"


@pytest.fixture(scope="module")
def sited(make_dataset):
    dataset = make_dataset(5, patients=36, features=10, shift=1.0)
    patient = np.arange(72) // 2
    site = np.array(["north", "south", "west"])[patient // 2 % 3]
    X = dataset.X + 4.0 * (site == "south")[:, None]
    return dataclasses.replace(dataset, X=X, info=dataset.info.assign(site=site))


def test_harmonisation_works_in_grouped_cross_validation_and_helps(sited):
    # The two strong features drown in the site effect until it is taken away.
    plain = cross_validate(sited, ModelSpec(grid=SMALL), QUICK)
    harmonised = cross_validate(sited, COMBAT, QUICK)
    assert harmonised.frame().loc[0, "estimate"] > plain.frame().loc[0, "estimate"] + 0.02
    run = harmonised.spec["runs"][0]["model"]["preparation"]
    assert (run["harmonise"], run["unseen_site"]) == ("combat", "reference")


def test_a_site_in_the_test_part_only_follows_the_rule(sited):
    site = sited.info["site"].copy()
    site.iloc[:2] = "island"  # one patient: in the test part or in the training part, never in both
    alone = dataclasses.replace(sited, info=sited.info.assign(site=site))
    assert cross_validate(alone, COMBAT, QUICK).frame("predictions")["probability"].notna().all()
    refuse = ModelSpec(grid=SMALL, preparation=Preparation(harmonise="combat", unseen_site="refuse"))
    with pytest.raises(AnalysisError, match="island"):
        cross_validate(alone, refuse, QUICK)


def test_test_rows_change_nothing_that_combat_learned(sited):
    first = cross_validate(sited, COMBAT, QUICK)
    test = first.frame("predictions").query("fold == 1")["unit"]
    X = sited.X.copy()
    X.loc[test] = 1e3
    again = cross_validate(dataclasses.replace(sited, X=X), COMBAT, QUICK)
    learned = ["threshold", "inner_score", "n_selected"]
    assert first.frame("folds").loc[0, learned].tolist() == again.frame("folds").loc[0, learned].tolist()


@pytest.mark.parametrize("name", ["diagnosis", "class_in_other_words"])
def test_the_outcome_as_covariate_is_refused_with_the_reason(sited, name):
    words = np.where(sited.y == 1, "tumour", "bone loss")
    dataset = dataclasses.replace(sited, covariates=sited.covariates.assign(class_in_other_words=words))
    preparation = Preparation(harmonise="combat", harmonise_covariates=("age", name))
    with pytest.raises(AnalysisError) as error:
        cross_validate(dataset, ModelSpec(preparation=preparation), QUICK)
    (problem,) = error.value.problems
    assert problem.code == "RV506"
    assert problem.found.startswith(f"'{name}', which is the outcome")
    assert "outcome of a new patient is not known" in problem.remedy


def test_covariates_reach_combat_as_numbers(sited):
    sites, columns = harmonisation_columns(sited, ["sex", "age"])
    assert sites.tolist() == sited.info["site"].tolist()
    assert columns[:, 0].tolist() == (sited.covariates["sex"] == "male").astype(float).tolist()
    preparation = Preparation(harmonise="combat", harmonise_covariates=("sex", "age"))
    result = cross_validate(sited, ModelSpec(grid=SMALL, preparation=preparation), QUICK)
    assert result.spec["runs"][0]["model"]["preparation"]["harmonise_covariates"] == ["sex", "age"]


def test_unknown_covariate_missing_site_and_single_site_are_refused(sited):
    with pytest.raises(AnalysisError) as error:
        harmonisation_columns(sited, ["field_strength"])
    assert error.value.problems[0].code == "RV103"
    blank = sited.info["site"].copy()
    blank.iloc[3] = " "
    with pytest.raises(AnalysisError) as error:
        harmonisation_columns(dataclasses.replace(sited, info=sited.info.assign(site=blank)), [])
    (problem,) = error.value.problems
    assert (problem.code, problem.found) == ("RV105", "1 of 72 vertebrae without one")
    with pytest.raises(AnalysisError) as error:
        harmonisation_columns(dataclasses.replace(sited, info=sited.info.assign(site="X")), [])
    assert error.value.problems[0].code == "RV506"
