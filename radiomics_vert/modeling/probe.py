"""Is there anything, and is it honest: permutation test and leakage probe of the whole pipeline."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.stats import t as student

from radiomics_vert import parallel
from radiomics_vert.dataset.nouns import Dataset
from radiomics_vert.modeling.assessment import Discrimination, Study, cross_validated_auc, with_retries
from radiomics_vert.modeling.folds import Plan
from radiomics_vert.modeling.models import ModelSpec
from radiomics_vert.modeling.repeats import Repeats
from radiomics_vert.modeling.spec import ValidationSpec
from radiomics_vert.results import Result

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int_]

PERMUTED, NOISE = "permuted labels", "pure noise"
_MAX_ICC = 0.95
_VERDICTS = {
    "clean": "No sign of leakage: without any real relation the pipeline finds none.",
    "leak": "Leakage: the pipeline reports an AUC above 0.5 where nothing can be found. Do not trust its "
    "results before the cause is known.",
    "pessimistic": "No sign of leakage. The pooled AUC lies below 0.5, which is not a finding: a model that "
    "learned nothing predicts the prevalence of its training rows, and that is lower where the test fold "
    "holds more positives.",
}


def permutation_test(
    dataset: Dataset,
    model: ModelSpec | None = None,
    validation: ValidationSpec | None = None,
    *,
    n_permutations: int = 200,
    seed: int = 0,
    features: Sequence[str] | None = None,
    feature_set: str = "all features",
    with_covariates: bool = False,
    repeats: Repeats | None = None,
    n_jobs: int = 1,
    progress: parallel.Progress | None = None,
) -> Result:
    """Test the whole pipeline against labels permuted between patients.

    Each permutation runs the full nested cross-validation, with folds stratified by the permuted
    labels; see :func:`permute_patients` for how labels move.

    Parameters
    ----------
    dataset, model, validation, features, feature_set, with_covariates, repeats
        As in :func:`~radiomics_vert.modeling.validation.cross_validate`.
    n_permutations : int, default 200
        B; the smallest possible p value is 1 / (1 + B).
    seed : int, default 0
        Seed of the permutations.
    n_jobs : int, default 1
        Workers; results do not depend on it.
    progress : callable, optional
        Called with (done, total) after each permutation.

    Returns
    -------
    Result
        Kind `permutation`. Tables `permutation` (main): `statistic, observed, null_mean, null_low,
        null_high, p_value, n_permutations`, one row for the pooled AUC and one for the AUC within
        folds, medians over repeats; the limits are the 2.5 and 97.5 % of the permutations and
        p = (1 + b) / (1 + B), with b the permutations that reach the observed value. `null`:
        `permutation, auc, auc_within_folds`.

    Raises
    ------
    AnalysisError
        As :func:`~radiomics_vert.modeling.validation.cross_validate`.

    References
    ----------
    Phipson B, Smyth GK (2010). Permutation p-values should never be zero. Statistical Applications in
    Genetics and Molecular Biology 9:39. doi:10.2202/1544-6115.1585
    """
    study = Study(dataset, model, validation, features, with_covariates, repeats)
    tasks: list[int] = list(range(n_permutations + 1))
    observed, *drawn = parallel.run(partial(_permuted, study, seed), tasks, n_jobs=n_jobs, progress=progress)
    null = pd.DataFrame(
        {
            "permutation": tasks[1:],
            "auc": [one.pooled for one in drawn],
            "auc_within_folds": [one.within for one in drawn],
        }
    )
    main = pd.DataFrame(
        [
            _tested("auc", observed.pooled, null["auc"].to_numpy()),
            _tested("auc_within_folds", observed.within, null["auc_within_folds"].to_numpy()),
        ]
    )
    spec = study.spec(
        feature_set, n_permutations=n_permutations, seed=seed, permuted="labels between patients"
    )
    tables = {"permutation": main, "null": null}
    return Result("permutation", tables, spec, study.provenance())


def permute_patients(y: IntArray, groups: NDArray[np.object_], rng: np.random.Generator) -> IntArray:
    """Permute labels between patients and keep the structure within them.

    Every patient receives the labels of another one. A patient with one class only hands on that class,
    whatever the number of vertebrae; so patients of one class stay patients of one class. The labels
    of a patient with both classes go over in random order; they are dealt out again from the start when
    the receiver has more vertebrae, and the rest is left out when it has fewer. The number of patients
    of each kind therefore stays (but for patients with both classes whose labels go to a patient with
    one vertebra); the number of positive vertebrae varies when patients differ in number of vertebrae.
    Any relation between the labels and the number of vertebrae is broken too.

    Parameters
    ----------
    y : ndarray of int, shape (n,)
        Outcome.
    groups : ndarray of str, shape (n,)
        The patient.
    rng : Generator
        Source of the randomness.

    Returns
    -------
    ndarray of int, shape (n,)

    Examples
    --------
    >>> y, groups = np.array([1, 1, 0]), np.array(["a", "a", "b"], dtype=object)
    >>> permute_patients(y, groups, np.random.default_rng(3)).tolist()
    [0, 0, 1]
    """
    patients = np.unique(groups.astype(str), return_inverse=True)[1]
    rows = [np.flatnonzero(patients == number) for number in range(patients.max() + 1)]
    permuted = np.empty_like(y)
    for receiver, giver in enumerate(rng.permutation(len(rows))):
        handed = rng.permutation(y[rows[giver]])
        permuted[rows[receiver]] = np.resize(handed, len(rows[receiver]))
    return permuted


def leakage_probe(
    dataset: Dataset,
    model: ModelSpec | None = None,
    validation: ValidationSpec | None = None,
    *,
    n_probes: int = 10,
    seed: int = 0,
    features: Sequence[str] | None = None,
    feature_set: str = "all features",
    with_covariates: bool = False,
    repeats: Repeats | None = None,
    confidence: float = 0.95,
    n_jobs: int = 1,
    progress: parallel.Progress | None = None,
) -> Result:
    """Run the whole pipeline where there is nothing to find, several times.

    Two kinds of probe: labels permuted between patients (:func:`permute_patients`), and features
    replaced by noise of the same shape in which vertebrae of a patient resemble each other as they do
    in the data (:func:`clustered_noise`).

    Parameters
    ----------
    dataset, model, validation, features, feature_set, with_covariates, repeats
        As in :func:`~radiomics_vert.modeling.validation.cross_validate`.
    n_probes : int, default 10
        Runs of each kind, at least 2. With 3 the interval is very wide, and only a gross leak shows.
    seed : int, default 0
        Seed of the probes.
    confidence : float, default 0.95
        Level of the interval.
    n_jobs : int, default 1
        Workers; results do not depend on it.
    progress : callable, optional
        Called with (done, total) after each run.

    Returns
    -------
    Result
        Kind `leakage_probe`. Tables `probe` (main): `probe, statistic, estimate, ci_low, ci_high,
        covers_half, n_repeats, verdict`: the mean AUC of the runs with a t interval from the spread
        between them, for the pooled AUC as the validation reports it and for the AUC within folds, whose
        expectation on noise is 0.5. The interval of a single run would not do: given one set of noise a
        fixed split may favour one direction, which the patients at hand cannot tell. `runs`: `probe,
        run, auc, auc_within_folds`.

        An interval above 0.5 means leakage (verdict `leak`). One below 0.5 for the pooled AUC alone
        comes from pooling, see :class:`~radiomics_vert.modeling.assessment.Discrimination`; the
        verdict of all rows together is in `spec["verdict"]`, with its meaning in `spec["meaning"]`.

    Raises
    ------
    AnalysisError
        As :func:`~radiomics_vert.modeling.validation.cross_validate`.
    ValueError
        Fewer than 2 probes.
    """
    if n_probes < 2:
        raise ValueError("n_probes must be at least 2: an interval needs a spread between runs")
    study = Study(dataset, model, validation, features, with_covariates, repeats)
    items = [(kind, number) for kind in (PERMUTED, NOISE) for number in range(1, n_probes + 1)]
    found = parallel.run(partial(_probe, study, seed), items, n_jobs=n_jobs, progress=progress)
    runs = pd.DataFrame(
        [(*item, one.pooled, one.within) for item, one in zip(items, found, strict=True)],
        columns=["probe", "run", "auc", "auc_within_folds"],
    )
    rows = [
        {"probe": kind, "statistic": statistic, **_interval(members[statistic].to_numpy(), confidence)}
        for kind, members in runs.groupby("probe", sort=False)
        for statistic in ("auc", "auc_within_folds")
    ]
    probe = pd.DataFrame(rows)
    verdict = overall_verdict(probe)
    spec = study.spec(
        feature_set,
        n_probes=n_probes,
        seed=seed,
        confidence=confidence,
        verdict=verdict,
        meaning=_VERDICTS[verdict],
    )
    tables = {"probe": probe, "runs": runs}
    return Result("leakage_probe", tables, spec, study.provenance())


def overall_verdict(probe: pd.DataFrame) -> str:
    """Return `leak`, `pessimistic` or `clean` for the rows of table `probe` together.

    Parameters
    ----------
    probe : DataFrame
        With the column `verdict`.
    """
    verdicts = set(probe["verdict"])
    return next((name for name in ("leak", "pessimistic") if name in verdicts), "clean")


def clustered_noise(X: FloatArray, groups: NDArray[np.object_], rng: np.random.Generator) -> FloatArray:
    """Return normal noise of the shape of X with its likeness between vertebrae of a patient.

    Parameters
    ----------
    X : ndarray, shape (n, p)
        Features; NaN counts as the feature's mean here.
    groups : ndarray of str, shape (n,)
        The patient.
    rng : Generator
        Source of the randomness.

    Returns
    -------
    ndarray, shape (n, p)
        Independent columns of variance 1; the share of the variance between patients is the ICC(1)
        of the column in X, within 0 and 0.95. Complete.
    """
    patients = np.unique(groups.astype(str), return_inverse=True)[1]
    icc = one_way_icc(X, patients)
    between = rng.normal(size=(patients.max() + 1, X.shape[1]))[patients]
    within = rng.normal(size=X.shape)
    return np.asarray(np.sqrt(icc) * between + np.sqrt(1 - icc) * within)


def one_way_icc(X: FloatArray, patients: NDArray[np.intp]) -> FloatArray:
    """Return the one-way ICC of each column from unequal numbers of vertebrae per patient.

    Parameters
    ----------
    X : ndarray, shape (n, p)
        NaN counts as the column's mean.
    patients : ndarray of int, shape (n,)
        Numbers of the patients, 0 to k - 1.

    Returns
    -------
    ndarray, shape (p,)
        Between 0 and 0.95; 0 for a constant column and with one vertebra per patient.
    """
    sizes = np.bincount(patients).astype(np.float64)
    n, k = len(patients), len(sizes)
    if n == k or k < 2:
        return np.zeros(X.shape[1])
    counts = np.maximum((~np.isnan(X)).sum(axis=0), 1)
    mean = np.nansum(X, axis=0) / counts
    centred = np.where(np.isnan(X), 0.0, X - mean)
    means = np.zeros((k, X.shape[1]))
    np.add.at(means, patients, centred)
    means /= sizes[:, None]
    between = (sizes[:, None] * (means - centred.mean(axis=0)) ** 2).sum(axis=0) / (k - 1)
    within = ((centred - means[patients]) ** 2).sum(axis=0) / (n - k)
    typical = (n - (sizes**2).sum() / n) / (k - 1)
    total = between + (typical - 1) * within
    icc = np.divide(between - within, total, out=np.zeros_like(total), where=total > 0)
    return np.asarray(np.clip(icc, 0.0, _MAX_ICC))


def _permuted(study: Study, seed: int, number: int) -> Discrimination:
    """AUC with permuted labels; number 0 is the study as it is."""
    if number == 0:
        return cross_validated_auc(*study.design())
    y = np.asarray(study.dataset.y, dtype=np.int_)
    groups = study.dataset.groups.astype(str).to_numpy(dtype=object)

    def attempt(rng: np.random.Generator) -> Discrimination:
        return cross_validated_auc(*study.with_labels(permute_patients(y, groups, rng)).design())

    return with_retries(attempt, (seed, number))


def _probe(study: Study, seed: int, item: tuple[str, int]) -> Discrimination:
    kind, number = item
    if kind == PERMUTED:
        return _permuted(study, seed, number)
    plan, tasks = study.design()
    return cross_validated_auc(_with_noise(plan, np.random.default_rng([seed, number, 1])), tasks)


def _with_noise(plan: Plan, rng: np.random.Generator) -> Plan:
    """Replace all columns, covariates too; repeated measurements, if any, agree perfectly."""
    X = clustered_noise(plan.X, plan.groups, rng)
    if plan.repeats is None:
        return replace(plan, X=X)
    again = np.repeat(X[:, None, plan.n_covariates :], plan.repeats.shape[1], axis=1)
    return replace(plan, X=X, repeats=again)


def _tested(name: str, observed: float, null: FloatArray) -> dict[str, Any]:
    low, high = np.quantile(null, [0.025, 0.975])
    # Equal AUCs may differ by rounding.
    reached = int((null >= observed - 1e-12).sum())
    return {
        "statistic": name,
        "observed": observed,
        "null_mean": float(null.mean()),
        "null_low": float(low),
        "null_high": float(high),
        "p_value": (1 + reached) / (1 + len(null)),
        "n_permutations": len(null),
    }


def _interval(values: FloatArray, confidence: float) -> dict[str, Any]:
    mean, n = float(values.mean()), len(values)
    half = float(student.ppf(0.5 + confidence / 2, n - 1) * values.std(ddof=1) / np.sqrt(n))
    low, high = max(mean - half, 0.0), min(mean + half, 1.0)
    verdict = "leak" if low > 0.5 else "pessimistic" if high < 0.5 else "clean"
    return {
        "estimate": mean,
        "ci_low": low,
        "ci_high": high,
        "covers_half": low <= 0.5 <= high,
        "n_repeats": n,
        "verdict": verdict,
    }
