"""Linear mixed model with one random intercept per patient, fitted by restricted maximum likelihood."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize_scalar

from radiomics_vert.roc import sum_by_patient
from radiomics_vert.roc.clusters import Floats

_GRID = np.linspace(0.0, 0.999, 25)
_LARGEST = 1 - 1e-7


class MixedFit(NamedTuple):
    """A fitted random-intercept model.

    Parameters
    ----------
    params : ndarray, shape (p,)
        Fixed effects.
    covariance : ndarray, shape (p, p)
        Of the fixed effects, with the variance components taken as known.
    variance_patient, variance_residual : float
        Variance between patients, and between vertebrae of one patient.
    """

    params: Floats
    covariance: Floats
    variance_patient: float
    variance_residual: float

    @property
    def icc(self) -> float:
        """Share of the patients in the variance that the fixed effects leave."""
        return self.variance_patient / (self.variance_patient + self.variance_residual)


def fit_random_intercept(design: Floats, values: Floats, patients: NDArray[np.intp]) -> MixedFit:
    """Fit values = design @ params + patient + residual by restricted maximum likelihood.

    Only the intraclass correlation needs a search: for a given one, fixed effects and residual
    variance have closed forms. An optimum at zero is found as exactly zero.

    Parameters
    ----------
    design : ndarray, shape (n, p)
        With a column of ones; full column rank.
    values : ndarray, shape (n,)
        The response.
    patients : ndarray of int, shape (n,)
        Number of each row's patient.

    Returns
    -------
    MixedFit
        With one row per patient the two variances cannot be told apart; all is then given to the
        residual, and the fixed effects are those of ordinary least squares.

    References
    ----------
    Laird NM, Ware JH (1982). Random-effects models for longitudinal data. Biometrics 38:963-974.
    doi:10.2307/2529876

    Examples
    --------
    >>> design = np.column_stack([np.ones(6), [0, 0, 0, 1, 1, 1]])
    >>> fit = fit_random_intercept(design, np.array([1, 2, 3, 4, 5, 6.0]), np.arange(6))
    >>> fit.params.round(6).tolist(), fit.icc
    ([2.0, 3.0], 0.0)
    """
    moments = _Moments.of(design, values, patients)
    if (moments.sizes == 1).all():
        return moments.fit(0.0)
    criteria = [moments.criterion(icc) for icc in _GRID]
    best = int(np.argmin(criteria))
    around = (_GRID[max(best - 1, 0)], _GRID[best + 1] if best + 1 < len(_GRID) else _LARGEST)
    found = minimize_scalar(moments.criterion, bounds=around, method="bounded", options={"xatol": 1e-10})
    at_zero = moments.criterion(0.0) <= found.fun
    return moments.fit(0.0 if at_zero else float(found.x))


@dataclass(frozen=True)
class _Moments:
    """Sums of squares over all rows and sums within patients: all that the likelihood needs."""

    n: int
    sizes: Floats  # vertebrae per patient
    cross: Floats  # of [design, values] with itself
    sums: Floats  # of [design, values] within patients, one row each

    @classmethod
    def of(cls, design: Floats, values: Floats, patients: NDArray[np.intp]) -> _Moments:
        table = np.column_stack([design, values])
        sizes = sum_by_patient(np.ones(len(values)), patients)
        return cls(len(values), sizes, table.T @ table, sum_by_patient(table.T, patients).T)

    def _weighted(self, icc: float) -> tuple[Floats, Floats, float]:
        """Return information and params, and the residual sum of squares, for residual variance 1."""
        ratio = icc / (1 - icc)
        shrink = ratio / (1 + self.sizes * ratio)
        inner = self.cross - (self.sums * shrink[:, None]).T @ self.sums
        information, target = inner[:-1, :-1], inner[:-1, -1]
        params = np.asarray(np.linalg.solve(information, target), dtype=np.float64)
        return information, params, float(max(inner[-1, -1] - params @ target, 0.0))

    def criterion(self, icc: float) -> float:
        """Minus twice the restricted log-likelihood, without its constant."""
        information, _, rest = self._weighted(icc)
        freedom = self.n - len(information)
        if rest <= 0:
            return np.inf
        determinants = np.log1p(self.sizes * icc / (1 - icc)).sum() + np.linalg.slogdet(information)[1]
        return float(freedom * np.log(rest / freedom) + determinants)

    def fit(self, icc: float) -> MixedFit:
        information, params, rest = self._weighted(icc)
        residual = rest / (self.n - len(params))
        covariance = np.asarray(residual * np.linalg.inv(information), dtype=np.float64)
        return MixedFit(params, covariance, residual * icc / (1 - icc), residual)
