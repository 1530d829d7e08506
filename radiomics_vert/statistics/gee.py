"""Logistic regression by generalised estimating equations, with robust errors for few patients."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
import statsmodels.api as sm
from numpy.typing import NDArray
from scipy.optimize import linprog
from scipy.special import expit
from statsmodels.genmod.cov_struct import Exchangeable

from radiomics_vert.roc.clusters import Floats

CORRELATIONS = ("exchangeable", "independence")
_ITERATIONS = 100
_CERTAIN = 30.0  # log odds; a vertebra fitted beyond it has no variance left to weigh it by


class GeeFit(NamedTuple):
    """A fitted marginal logistic model.

    Parameters
    ----------
    params : ndarray, shape (p,)
        Log odds ratios.
    covariance : ndarray, shape (p, p)
        Robust covariance with the correction of Kauermann and Carroll.
    robust, model_based : ndarray, shape (p, p)
        The plain sandwich, and the covariance that trusts the working correlation.
    working_correlation : float
        Between two vertebrae of one patient; 0 for independence.
    """

    params: Floats
    covariance: Floats
    robust: Floats
    model_based: Floats
    working_correlation: float


def fit_gee(
    design: Floats, y: Floats, patients: NDArray[np.intp], correlation: str = "exchangeable"
) -> GeeFit | None:
    """Fit a logistic GEE and correct its robust covariance for a small number of patients.

    The residuals of patient i enter the sandwich as (I - H_i)^(-1/2) (y_i - mu_i), with H_i = D_i A
    D_i' V_i^-1 and A the model-based covariance (Kauermann and Carroll). The working correlation is the
    mean product of Pearson residuals over all pairs, without a subtraction for the number of
    parameters, as in geepack: the subtraction can turn its sign where few patients have pairs.

    Parameters
    ----------
    design : ndarray, shape (n, p)
        With a column of ones; full column rank.
    y : ndarray, shape (n,)
        0 or 1.
    patients : ndarray of int, shape (n,)
        Number of each row's patient.
    correlation : {"exchangeable", "independence"}
        Working correlation within the patient.

    Returns
    -------
    GeeFit or None
        None where the equations have no solution: no convergence, fitted shares of 0 or 1, or a
        working correlation that no set of vertebrae can have.

    References
    ----------
    Liang K-Y, Zeger SL (1986). Biometrika 73:13-22. doi:10.1093/biomet/73.1.13

    Kauermann G, Carroll RJ (2001). A note on the efficiency of sandwich covariance matrix estimation.
    Journal of the American Statistical Association 96:1387-1396. doi:10.1198/016214501753382309

    Examples
    --------
    >>> design = np.column_stack([np.ones(8), [0, 0, 0, 0, 1, 1, 1, 1]])
    >>> fit = fit_gee(design, np.array([0, 0, 0, 1, 0, 1, 1, 1.0]), np.arange(8), "independence")
    >>> round(float(np.exp(fit.params[1])), 3)
    9.0
    """
    structure, family = Exchangeable(), sm.families.Binomial()
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        # Failure is read from `converged`; statsmodels announces it by several kinds of warning.
        warnings.simplefilter("ignore")
        if correlation == "exchangeable":
            model = sm.GEE(y, design, groups=patients, family=family, cov_struct=structure)
            fit = model.fit(maxiter=_ITERATIONS, ddof_scale=0, cov_type="naive")
        else:  # with independence the equations are those of ordinary logistic regression
            fit = sm.GLM(y, design, family=family).fit(maxiter=_ITERATIONS, tol=1e-12)
    rho = float(structure.dep_params) if correlation == "exchangeable" else 0.0
    if fit is None or not fit.converged or not _possible(rho, patients):
        return None
    params = np.asarray(fit.params, dtype=np.float64)
    # Estimates that ran away to NaN count as converged there; they are within no bound.
    if not np.abs(design @ params).max() <= _CERTAIN:
        return None
    return GeeFit(params, *_covariances(design, y, patients, params, rho), rho)


def _possible(correlation: float, patients: NDArray[np.intp]) -> bool:
    """Whether a matrix with this correlation off the diagonal is positive definite."""
    most = int(np.bincount(patients).max())
    return bool(np.isfinite(correlation)) and correlation < 1 and 1 + (most - 1) * correlation > 0


def _covariances(
    design: Floats, y: Floats, patients: NDArray[np.intp], params: Floats, correlation: float
) -> tuple[Floats, Floats, Floats]:
    """Return corrected, robust and model-based covariance."""
    share = expit(design @ params)
    spread = np.sqrt(share * (1 - share))
    whitened = [
        (root @ (design[rows] * spread[rows, None]), root @ ((y - share)[rows] / spread[rows]))
        for rows, root in _roots(patients, correlation)
    ]
    information = sum((d.T @ d for d, _ in whitened), np.zeros((len(params),) * 2))
    model_based = np.asarray(np.linalg.inv(information), dtype=np.float64)
    plain, corrected = (np.zeros_like(model_based) for _ in range(2))
    for d, residual in whitened:
        # Whitened, H is symmetric, so that its inverse root has an eigenvector form.
        values, vectors = np.linalg.eigh(np.eye(len(d)) - d @ model_based @ d.T)
        inverse_root = (vectors / np.sqrt(np.maximum(values, 1e-10))) @ vectors.T
        for target, part in ((plain, residual), (corrected, inverse_root @ residual)):
            score = d.T @ part
            target += np.outer(score, score)
    robust, small = (model_based @ meat @ model_based for meat in (plain, corrected))
    return small, robust, model_based


def _roots(patients: NDArray[np.intp], correlation: float) -> Iterator[tuple[NDArray[np.intp], Floats]]:
    """Yield the rows of each patient and the symmetric inverse root of their correlation matrix."""
    order = np.argsort(patients, kind="stable")
    starts = np.flatnonzero(np.diff(patients[order], prepend=-1))
    for rows in np.split(order, starts[1:]):
        size = len(rows)
        apart = 1 / np.sqrt(1 - correlation)
        common = 1 / np.sqrt(1 + (size - 1) * correlation)
        yield rows, apart * np.eye(size) + (common - apart) / size


def separates(design: Floats, y: Floats) -> bool:
    """Return whether some combination of the columns separates the classes, wholly or in part.

    Then the maximum likelihood estimate of a logistic regression is infinite. A linear programme
    decides: it looks for a direction that puts no row on the wrong side and some on the right one.

    Parameters
    ----------
    design : ndarray, shape (n, p)
        With a column of ones.
    y : ndarray, shape (n,)
        0 or 1.

    Returns
    -------
    bool

    References
    ----------
    Albert A, Anderson JA (1984). On the existence of maximum likelihood estimates in logistic
    regression models. Biometrika 71:1-10. doi:10.1093/biomet/71.1.1

    Examples
    --------
    >>> design = np.column_stack([np.ones(4), [1, 2, 3, 4]])
    >>> separates(design, np.array([0, 0, 1, 1.0])), separates(design, np.array([0, 1, 0, 1.0]))
    (True, False)
    """
    signed = design * np.where(y == 1, 1.0, -1.0)[:, None]
    found = linprog(-signed.sum(axis=0), A_ub=-signed, b_ub=np.zeros(len(y)), bounds=(-1, 1), method="highs")
    return bool(signed.sum(axis=0) @ found.x > 1e-7 * len(y))
