"""Association of the two classes with categories, with patients as the units."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import brentq
from scipy.stats import chi2, ncx2

from radiomics_vert.roc.clusters import Bools, Floats, sum_by_patient


class CategoryAssociation(NamedTuple):
    """How the classes differ in the shares of the categories.

    Parameters
    ----------
    cramers_v, ci_low, ci_high : float
        0 for none, 1 where the category tells the class.
    statistic, freedom, p_value : float
        Clustered score statistic, its degrees of freedom, and its chi-squared p value.
    largest : int
        Number of the category whose share differs most.
    difference : float
        Its standardised difference (positive minus negative share); NaN where it is infinite because
        each class has one category of its own.
    """

    cramers_v: float
    ci_low: float
    ci_high: float
    statistic: float
    freedom: int
    p_value: float
    largest: int
    difference: float


def associate_categories(
    positive: Bools, codes: NDArray[np.intp], patients: NDArray[np.intp], *, confidence: float = 0.95
) -> CategoryAssociation:
    """Return Cramer's V of class and category with a clustered test and limits.

    The test is the score test of the generalised estimating equations: with u_i the sum over a
    patient's vertebrae of (indicator of the category - its share) (class - share of the class), U = sum
    u_i and S = sum u_i u_i', the statistic U' S^- U is chi-squared with as many degrees of freedom as
    there are categories less one. It exists where a category has one class only, which a Wald test
    does not. The limits invert the noncentral chi-squared distribution, with the number of
    independent units that makes V^2 times it the statistic; for the upper limit a statistic below its
    expectation without association is raised to it. The standardised difference is that of Austin:
    the difference of the shares over the root of their mean variance.

    Parameters
    ----------
    positive : ndarray of bool, shape (n,)
        Class.
    codes : ndarray of int, shape (n,)
        Categories, counted from 0 without gaps; two or more.
    patients : ndarray of int, shape (n,)
        Number of each vertebra's patient.
    confidence : float, default 0.95
        Confidence level of the limits.

    Returns
    -------
    CategoryAssociation
        The limits contain the estimate; the lower one is 0 exactly where p >= (1 - confidence) / 2.

    References
    ----------
    Boos DD (1992). On generalized score tests. The American Statistician 46:327-333.
    doi:10.1080/00031305.1992.10475921

    Smithson M (2003). Confidence Intervals (noncentral inversion). doi:10.4135/9781412983761

    Austin PC (2009). Statistics in Medicine 28:3083-3107. doi:10.1002/sim.3697

    Examples
    --------
    Of 10 positive vertebrae 8 come from site 1, of 10 negative ones 2: V = 0.6.

    >>> positive, site = np.arange(20) < 10, np.repeat([1, 0, 1, 0], [8, 2, 2, 8])
    >>> round(associate_categories(positive, site, np.arange(20)).cramers_v, 3)
    0.6
    """
    indicator = (codes == np.arange(codes.max() + 1)[:, None]).astype(np.float64)
    scores = (indicator - indicator.mean(axis=1, keepdims=True)) * (positive - positive.mean())
    sums = sum_by_patient(scores, patients)
    total, spread = sums.sum(axis=1), sums @ sums.T
    statistic = float(total @ np.linalg.pinv(spread, hermitian=True) @ total)
    freedom = int(np.linalg.matrix_rank(spread, hermitian=True))
    v = _cramers_v(indicator, positive)
    low, high = _limits(v, statistic, freedom, sums.shape[1], confidence)
    differences = _differences(indicator, positive)
    largest = int(np.argmax(np.abs(differences)))
    difference = float(differences[largest]) if np.isfinite(differences[largest]) else np.nan
    p = float(chi2.sf(statistic, freedom)) if freedom else 1.0
    return CategoryAssociation(v, low, high, statistic, freedom, p, largest, difference)


def _cramers_v(indicator: Floats, positive: Bools) -> float:
    """Return the root of chi-squared over n: with two classes, min(rows, columns) - 1 is 1."""
    share = indicator.mean(axis=1)
    of_class = [indicator[:, members].mean(axis=1) for members in (positive, ~positive)]
    weights = (positive.mean(), 1 - positive.mean())
    parts = [
        weight * (np.square(own - share) / share).sum() for own, weight in zip(of_class, weights, strict=True)
    ]
    return float(np.sqrt(min(sum(parts), 1.0)))


def _differences(indicator: Floats, positive: Bools) -> Floats:
    p, q = (indicator[:, members].mean(axis=1) for members in (positive, ~positive))
    spread = np.sqrt((p * (1 - p) + q * (1 - q)) / 2)
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(p == q, 0.0, (p - q) / spread)


def _limits(
    v: float, statistic: float, freedom: int, subjects: int, confidence: float
) -> tuple[float, float]:
    if freedom == 0:
        return 0.0, 1.0
    units = statistic / v**2 if v > 0 and statistic > 0 else float(subjects)
    tail = (1 - confidence) / 2
    low = _noncentrality(statistic, freedom, 1 - tail)
    high = _noncentrality(max(statistic, float(freedom)), freedom, tail)
    return min(float(np.sqrt(low / units)), v), min(max(float(np.sqrt(high / units)), v), 1.0)


def _noncentrality(statistic: float, freedom: int, probability: float) -> float:
    """Return the noncentrality under which a smaller statistic has this probability; 0 for none."""
    if chi2.cdf(statistic, freedom) <= probability:
        return 0.0
    top = 10.0 + 4 * statistic
    while ncx2.cdf(statistic, freedom, top) > probability:
        top *= 2
    return float(brentq(lambda shift: ncx2.cdf(statistic, freedom, shift) - probability, 1e-12, top))
