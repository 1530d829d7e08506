"""Paired differences between validated feature sets and models."""

from __future__ import annotations

import itertools
from typing import NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike
from scipy.stats import t as student

from radiomics_vert.errors import AnalysisError, Problem
from radiomics_vert.results import Result
from radiomics_vert.roc import clustered_auc_difference


class CorrectedMean(NamedTuple):
    """Mean over the folds of repeated cross-validation, with limits that allow for shared rows.

    Parameters
    ----------
    estimate, ci_low, ci_high, p_value : float
        The p value is two-sided, for a mean of 0. All but the estimate are NaN with fewer than two
        folds.
    n : int
        Folds.
    """

    estimate: float
    ci_low: float
    ci_high: float
    p_value: float
    n: int


def corrected_resampled_t(values: ArrayLike, test_share: float, confidence: float = 0.95) -> CorrectedMean:
    """Return the corrected resampled t test of Nadeau and Bengio.

    The training parts of the folds overlap, so their results are not independent and the ordinary
    t test finds differences that are not there. The variance of the mean over J folds is taken as
    (1 / J + n_test / n_train) times the variance between folds.

    Parameters
    ----------
    values : array_like, shape (J,)
        One value per fold of every repeat; NaN is left out.
    test_share : float
        n_test / n_train, 0.25 for five folds.
    confidence : float, default 0.95
        Level of the limits.

    Returns
    -------
    CorrectedMean
        Where all folds agree, the limits are the mean itself and p is 1 for a mean of 0, else 0.

    References
    ----------
    Nadeau C, Bengio Y (2003). Inference for the generalization error. Machine Learning 52:239-281.
    doi:10.1023/A:1024068626366

    Examples
    --------
    >>> found = corrected_resampled_t([0.02, 0.04, 0.06], 0.25)
    >>> round(found.estimate, 3), round(found.p_value, 3)
    (0.04, 0.12)
    """
    folds = np.asarray(values, dtype=np.float64)
    folds = folds[~np.isnan(folds)]
    n = len(folds)
    if n < 2:
        return CorrectedMean(float(folds.mean()) if n else np.nan, np.nan, np.nan, np.nan, n)
    mean = float(folds.mean())
    error = float(np.sqrt((1 / n + test_share) * folds.var(ddof=1)))
    if error == 0:
        return CorrectedMean(mean, mean, mean, float(mean == 0), n)
    half = float(student.ppf(0.5 + confidence / 2, n - 1)) * error
    p = float(2 * student.sf(abs(mean) / error, n - 1))
    return CorrectedMean(mean, mean - half, mean + half, p, n)


def compare(result: Result, *, confidence: float = 0.95) -> Result:
    """Compare every pair of feature sets and models of a validation.

    Parameters
    ----------
    result : Result
        Kind `validation`, usually from :func:`~radiomics_vert.modeling.validation.combine`, on the same
        vertebrae and repeats.
    confidence : float, default 0.95
        Level of the intervals.

    Returns
    -------
    Result
        Kind `comparison`, table `differences`: `a, b, estimate, ci_low, ci_high, p_value,
        p_nadeau_bengio, n_repeats, note`. The estimate is AUC of `a` minus AUC of `b` on the pooled
        out-of-fold predictions of a repeat, with the clustered interval and p value of
        :func:`~radiomics_vert.roc.clustered_auc_difference`; each is the median over the repeats. It
        speaks of the predictions at hand. `p_nadeau_bengio` is the corrected resampled t test on the
        AUCs within folds, and allows for the choice of the training rows too; missing where the two
        were not validated on the same folds. Neither is adjusted for the number of pairs.

    Raises
    ------
    AnalysisError
        RV503: fewer than two models, or not the same vertebrae.

    References
    ----------
    Obuchowski NA (1997). Biometrics 53:567-578. doi:10.2307/2533958
    Nadeau C, Bengio Y (2003). Machine Learning 52:239-281. doi:10.1023/A:1024068626366
    """
    models = _models(result)
    if len(models) < 2:
        raise AnalysisError(
            _incomparable("two models or feature sets", f"{len(models)} in the validation", "validation")
        )
    rows = [
        {"a": a, "b": b, **_difference(models[a], models[b], f"{a} and {b}", confidence)}
        for a, b in itertools.combinations(models, 2)
    ]
    spec = {"confidence": confidence, "n_pairs": len(rows), "metric": "auc"}
    return Result("comparison", {"differences": pd.DataFrame(rows)}, spec, result.provenance)


class _Validated(NamedTuple):
    """Predictions and fold AUCs of one feature set and model."""

    predictions: pd.DataFrame
    folds: pd.DataFrame


def _models(result: Result) -> dict[str, _Validated]:
    keys = ["feature_set", "model"]
    folds = dict(list(result.frame("folds").groupby(keys, sort=False)))
    return {
        f"{name[0]}, {name[1]}": _Validated(rows.set_index(["repeat", "unit"]), folds[name])
        for name, rows in result.frame("predictions").groupby(keys, sort=False)
    }


def _difference(a: _Validated, b: _Validated, where: str, confidence: float) -> dict[str, object]:
    if not a.predictions.index.equals(b.predictions.index):
        found = f"{len(a.predictions)} and {len(b.predictions)} predictions of other vertebrae or repeats"
        raise AnalysisError(_incomparable("predictions of the same vertebrae", found, where))
    both = a.predictions.assign(other=b.predictions["probability"])
    each = [
        clustered_auc_difference(
            rows["y"], rows["probability"], rows["other"], rows["subject_id"], confidence=confidence
        )
        for _, rows in both.groupby(level="repeat", sort=True)
    ]
    middle = np.median([(one.estimate, one.ci_low, one.ci_high, one.p_value) for one in each], axis=0)
    note = f"AUC of a minus AUC of b, clustered by patient; median of {len(each)} repeats"
    resampled = np.nan
    if (a.predictions["fold"] == b.predictions["fold"]).all():
        share = (a.folds["n_test"] / a.folds["n_train"]).mean()
        gaps = a.folds["auc"].to_numpy() - b.folds["auc"].to_numpy()
        resampled = corrected_resampled_t(gaps, float(share), confidence).p_value
    else:
        note += "; not on the same folds, so no test over folds"
    return {
        "estimate": middle[0],
        "ci_low": middle[1],
        "ci_high": middle[2],
        "p_value": middle[3],
        "p_nadeau_bengio": resampled,
        "n_repeats": len(each),
        "note": note,
    }


def _incomparable(expected: str, found: str, where: str) -> Problem:
    return Problem("RV503", expected, found, f"comparison of {where}", "validate them on one dataset alike")
