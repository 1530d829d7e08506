"""GEE and mixed model against geepack, lme4 and numbers by hand."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy.special import expit

from radiomics_vert.statistics.gee import fit_gee
from radiomics_vert.statistics.mixed import fit_random_intercept

GOLDEN = Path(__file__).parents[1] / "golden"


@pytest.fixture(scope="module")
def table():
    return pd.read_csv(GOLDEN / "gee_geepack.csv")


def design_of(table, second):
    return np.column_stack([np.ones(len(table)), table[second], table["age"], table["site"]])


@pytest.mark.parametrize("correlation", ["exchangeable", "independence"])
def test_gee_agrees_with_geepack(table, correlation):
    golden = json.loads((GOLDEN / "gee_geepack.json").read_text())[correlation]
    y = table["y"].to_numpy(float)
    fit = fit_gee(design_of(table, "x"), y, table["patient"].to_numpy(), correlation)
    np.testing.assert_allclose(fit.params, golden["params"], rtol=1e-8, atol=1e-9)
    np.testing.assert_allclose(np.sqrt(np.diag(fit.robust)), golden["robust"], rtol=1e-8)
    np.testing.assert_allclose(np.sqrt(np.diag(fit.model_based)), golden["model_based"], rtol=1e-8)
    assert fit.working_correlation == pytest.approx(golden["alpha"], abs=1e-8)
    # 40 patients: the correction adds a few percent, never takes away
    growth = np.sqrt(np.diag(fit.covariance) / np.diag(fit.robust))
    assert ((growth > 1.01) & (growth < 1.15)).all()


def test_order_of_rows_and_numbers_of_patients_do_not_matter(table):
    y, patients = table["y"].to_numpy(float), table["patient"].to_numpy()
    order = np.random.default_rng(0).permutation(len(y))
    one = fit_gee(design_of(table, "x"), y, patients)
    other = fit_gee(design_of(table, "x")[order], y[order], (39 - patients)[order])
    np.testing.assert_allclose(one.covariance, other.covariance, rtol=1e-8)


def test_correction_of_a_mean_of_independent_values_by_hand():
    # One column of ones, one vertebra per patient: H_i = 1 / n for all, so that the correction
    # multiplies the sandwich 1 / (n p q) by n / (n - 1).
    y = np.array([1.0, 0, 0, 1, 0, 0, 0, 1, 0, 0])
    fit = fit_gee(np.ones((10, 1)), y, np.arange(10), "independence")
    assert fit.params[0] == pytest.approx(np.log(3 / 7))
    assert fit.robust[0, 0] == pytest.approx(1 / 2.1)
    assert fit.covariance[0, 0] == pytest.approx(10 / 9 / 2.1)


def test_correction_within_patients_is_that_of_kauermann_and_carroll(table):
    """(I - H_i)^(-1/2) from its definition: the square root undone by multiplying twice."""
    design, y = design_of(table, "x"), table["y"].to_numpy(float)
    patients = table["patient"].to_numpy()
    fit = fit_gee(design, y, patients, "exchangeable")
    share = expit(design @ fit.params)
    meat = np.zeros((4, 4))
    for patient in range(40):
        rows = patients == patient
        size = rows.sum()
        derivative = design[rows] * (share * (1 - share))[rows, None]
        spread = np.diag(np.sqrt(share * (1 - share))[rows])
        work = np.full((size, size), fit.working_correlation) + (1 - fit.working_correlation) * np.eye(size)
        inverse = np.linalg.inv(spread @ work @ spread)
        leverage = derivative @ fit.model_based @ derivative.T @ inverse
        values, vectors = np.linalg.eig(np.eye(size) - leverage)
        root = (vectors / np.sqrt(values)) @ np.linalg.inv(vectors)
        np.testing.assert_allclose(root @ root @ (np.eye(size) - leverage), np.eye(size), atol=1e-10)
        score = derivative.T @ inverse @ root.real @ (y - share)[rows]
        meat += np.outer(score, score)
    np.testing.assert_allclose(fit.covariance, fit.model_based @ meat @ fit.model_based, rtol=1e-6)


def test_equations_without_a_solution_give_none():
    # Vertebrae of a patient share class and feature nearly: the correlation leaves no solution.
    y = np.repeat([0.0, 1.0], 20)
    x = np.tile([0.0, 1.0, 0.1, 0.9], 10) + 2 * y
    assert fit_gee(np.column_stack([np.ones(40), x]), y, np.repeat(np.arange(10), 4)) is None


def test_estimates_that_run_away_are_no_solution():
    """Twelve vertebrae of nine patients, three covariates: statsmodels calls its NaN converged."""
    sign = [-1.777, 0.541, 0.145, 0.449, 0.72, 0.271, 0.709, -1.319, 0.527, 0.69, -1.759, 0.804]
    age = [-0.95, -0.552, -0.155, 1.304, -0.022, -0.022, 1.171, 1.171, 1.171, -1.083, -0.42, -1.613]
    sex = [1.133, 1.133, -0.809, -0.809, 1.133, 1.133, *[-0.809] * 5, 1.133]
    y = np.array([0.0, 0, 1, 0, 1, 1, 0, 0, 0, 1, 0, 1])
    patients = np.array([0, 1, 2, 3, 4, 4, 5, 5, 5, 6, 7, 8])
    assert fit_gee(np.column_stack([np.ones(12), sign, age, sex]), y, patients) is None


def test_mixed_model_agrees_with_lme4(table):
    golden = json.loads((GOLDEN / "mixed_lme4.json").read_text())["x"]
    fit = fit_random_intercept(design_of(table, "y"), table["x"].to_numpy(), table["patient"].to_numpy())
    np.testing.assert_allclose(fit.params, golden["params"], atol=1e-7)
    np.testing.assert_allclose(np.sqrt(np.diag(fit.covariance)), golden["errors"], rtol=1e-6)
    assert fit.variance_patient == pytest.approx(golden["variance_patient"], rel=1e-5)
    assert fit.variance_residual == pytest.approx(golden["variance_residual"], rel=1e-5)


def test_no_variance_between_patients_is_exactly_zero_as_in_lme4(table):
    golden = json.loads((GOLDEN / "mixed_lme4.json").read_text())["boundary"]
    values = 10 * (np.arange(1, len(table) + 1) % 3) + 0.1 * table["x"].to_numpy()
    design = np.column_stack([np.ones(len(table)), table["y"]])
    fit = fit_random_intercept(design, values, table["patient"].to_numpy())
    assert fit.variance_patient == golden["variance_patient"] == 0
    np.testing.assert_allclose(fit.params, golden["params"], rtol=1e-10)
    np.testing.assert_allclose(np.sqrt(np.diag(fit.covariance)), golden["errors"], rtol=1e-10)


def test_balanced_mixed_model_is_the_analysis_of_variance():
    # Three patients with two vertebrae each, 1 3 | 5 7 | 12 14: mean square within 2, between
    # 2 * (2^2 + 6^2 + 13^2 - 3 * 7^2) / 2 = 62, so that (62 - 2) / 2 = 30 is between patients.
    fit = fit_random_intercept(np.ones((6, 1)), np.array([1.0, 3, 5, 7, 12, 14]), np.repeat([0, 1, 2], 2))
    assert fit.params[0] == pytest.approx(7)
    assert fit.variance_residual == pytest.approx(2, rel=1e-4)
    assert fit.variance_patient == pytest.approx(30, rel=1e-4)
    assert fit.covariance[0, 0] == pytest.approx(62 / 6, rel=1e-4)
    assert fit.icc == pytest.approx(30 / 32, rel=1e-4)
