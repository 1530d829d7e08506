"""Shapley values of out-of-fold predictions: what each feature adds to the log odds of a vertebra."""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from importlib.util import find_spec
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.special import expit, logit
from scipy.stats import spearmanr
from sklearn import config_context
from sklearn.base import BaseEstimator
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import Pipeline
from sklearn.utils.metadata_routing import get_routing_for_object
from threadpoolctl import threadpool_limits

from radiomics_vert import parallel
from radiomics_vert.dataset.nouns import Dataset
from radiomics_vert.errors import AnalysisError, Problem
from radiomics_vert.modeling.assessment import Study
from radiomics_vert.modeling.classifiers import CalibratedSVC, PatientOversampler
from radiomics_vert.modeling.folds import FoldTask, Plan
from radiomics_vert.modeling.models import GridPoint, ModelSpec
from radiomics_vert.modeling.refits import refit_fold, validated_folds
from radiomics_vert.modeling.repeats import Repeats
from radiomics_vert.modeling.rows import Rows, predict_pipeline
from radiomics_vert.modeling.spec import ValidationSpec
from radiomics_vert.results import Result
from radiomics_vert.roc import check_labels, patient_draws

FloatArray = NDArray[np.float64]
KIND = "shapley"
TOP = 20
_INDICATOR = "missingindicator_"
_LINEAR = ("elastic_net", "linear_svm", "single_feature")
_CLIP = 1e-9  # of probabilities, so that log odds are finite
_ADDITIVE = 1e-6
_DIRECTED = 0.2  # |Spearman| from which a feature pushes one way [O]


@dataclass(frozen=True)
class Sampling:
    """How models without an exact explainer are explained.

    Parameters
    ----------
    background : int
        Training rows, drawn at random, that stand for "not known" (trees and sampled models).
    n_permutations : int
        Orders of the features that are tried, each forwards and backwards (sampled models).
    seed : int
        Seed of both draws.
    """

    background: int
    n_permutations: int
    seed: int


@dataclass(frozen=True)
class _Fold:
    """What one outer fold explains: rows, their columns' values on the log odds, base, probability."""

    rows: NDArray[np.intp]
    values: FloatArray
    used: NDArray[np.bool_]
    base: float
    probability: FloatArray


def require_package(model: str) -> None:
    """Refuse to explain a model when the package shap is needed and not installed.

    Parameters
    ----------
    model : str
        A key of :data:`~radiomics_vert.modeling.models.FAMILIES`; linear models need no package.

    Raises
    ------
    AnalysisError
        RV514.
    """
    if model not in _LINEAR and find_spec("shap") is None:
        raise AnalysisError(
            Problem(
                "RV514",
                "the package shap",
                "it is not installed",
                f"assessment.shapley, model {model}",
                "pip install 'radiomics-vert[explanation]', or set assessment.shapley to false; linear "
                "models need no package",
            )
        )


def shapley_values(
    dataset: Dataset,
    model: ModelSpec | None,
    validation: ValidationSpec | None,
    result: Result,
    *,
    features: Sequence[str] | None = None,
    feature_set: str = "all features",
    with_covariates: bool = False,
    repeats: Repeats | None = None,
    top: int = TOP,
    background: int = 50,
    n_permutations: int = 10,
    n_boot: int = 1000,
    seed: int = 0,
    confidence: float = 0.95,
    n_jobs: int = 1,
    progress: parallel.Progress | None = None,
) -> Result:
    """Share the log odds of every out-of-fold prediction out among the features.

    Each vertebra of the first repeat is explained by the pipeline of the outer fold that did not see
    its patient. The base is the mean log odds of training rows; the Shapley values of a vertebra and
    the base add up to the log odds of its prediction, which is checked. "Not known" is a value of the
    training rows, drawn apart from the other features (interventional Shapley values).

    Linear models (elastic net, linear support vector machine behind its logistic calibration) are
    explained exactly, by coefficient times distance from the training mean. Gradient boosting is
    explained exactly by TreeExplainer, on its raw score, which is the log odds. All others, the random
    forest among them, whose trees vote on the scale of probabilities so that its log odds are no sum
    over trees, are explained by sampled orders of the features (PermutationExplainer).

    Parameters
    ----------
    dataset, model, validation, features, feature_set, with_covariates, repeats
        As they were given to :func:`~radiomics_vert.modeling.validation.cross_validate`.
    result : Result
        What it returned; the hyper-parameters are read from it.
    top : int, default 20
        Features in the table of single values.
    background : int, default 50
        See :class:`Sampling`; linear models take all training rows.
    n_permutations : int, default 10
        See :class:`Sampling`.
    n_boot : int, default 1000
        Draws of patients for the intervals.
    seed : int, default 0
        Seed of all draws.
    confidence : float, default 0.95
        Level of the intervals.
    n_jobs : int, default 1
        Workers; results do not depend on it.
    progress : callable, optional
        Called with (done, total) after each outer fold.

    Returns
    -------
    Result
        Kind `shapley`. Tables: `summary` (main): `feature, mean_absolute, ci_low, ci_high,
        correlation, direction, frequency` for every feature that a fold uses: mean of the absolute
        values over vertebrae with a percentile interval by bootstrap of patients, the fitted models
        held fixed; Spearman correlation between the feature and its Shapley values, and what it says
        (`higher`: higher values push to the positive class; `lower`; `mixed` below an absolute
        correlation of 0.2); share of the folds that use it. `values`: `unit, subject_id, y, feature, value,
        shapley`, one row per vertebra and feature, for the `top` features. `vertebrae`: `unit,
        subject_id, y, base, others, log_odds, probability`, where `others` sums the features beyond
        `top`: base + values + others = log odds.

    Raises
    ------
    AnalysisError
        RV503: the result comes from other folds. RV514: the package shap is needed and not installed,
        or the values of a vertebra do not add up.

    References
    ----------
    Lundberg SM, Lee SI (2017). A unified approach to interpreting model predictions. NeurIPS 30.
    Lundberg SM et al. (2020). From local explanations to global understanding with explainable AI for
    trees. Nature Machine Intelligence 2:56-67. doi:10.1038/s42256-019-0138-9
    """
    require_package((model or ModelSpec()).name)
    study = Study(dataset, model, validation, features, with_covariates, repeats)
    plan, tasks = study.design()
    items = [item for item in validated_folds(plan, tasks, result, feature_set) if item[0].repeat == 1]
    sampling = Sampling(background, n_permutations, seed)
    folds = parallel.run(partial(_explain_fold, plan, sampling), items, n_jobs=n_jobs, progress=progress)
    rows = np.concatenate([fold.rows for fold in folds])
    order = np.argsort(rows)
    rows, values = rows[order], np.concatenate([fold.values for fold in folds])[order]
    summary = _summary(plan, rows, values, np.mean([fold.used for fold in folds], axis=0))
    summary = _with_intervals(summary, plan, rows, values, n_boot, seed, confidence)
    shown = [plan.columns.index(name) for name in summary["feature"].head(top)]
    base = np.concatenate([np.full(len(fold.rows), fold.base) for fold in folds])[order]
    probability = np.concatenate([fold.probability for fold in folds])[order]
    tables = {
        "summary": summary,
        "values": _long(plan, rows, values, shown),
        "vertebrae": _named(plan, rows).assign(
            base=base,
            others=np.delete(values, shown, axis=1).sum(axis=1),
            log_odds=base + values.sum(axis=1),
            probability=probability,
        ),
    }
    spec = study.spec(
        feature_set,
        scale="log odds",
        explainer=_explainer_name(plan.model),
        background=background,
        n_permutations=n_permutations,
        n_boot=n_boot,
        seed=seed,
        confidence=confidence,
        positive=dataset.positive,
    )
    return Result(KIND, tables, spec, study.provenance())


def _explain_fold(plan: Plan, sampling: Sampling, item: tuple[FoldTask, GridPoint]) -> _Fold:
    task, point = item
    with threadpool_limits(limits=1), config_context(assume_finite=True):
        fitted = refit_fold(plan, task, point)
        train, test = (
            _prepared(fitted, plan.X[rows], plan.rows.take(rows)) for rows in (task.train, task.test)
        )
        rng = np.random.default_rng([sampling.seed, task.repeat, task.fold])
        drawn = rng.permutation(len(train))[: sampling.background]
        parts, base = explained(fitted[-1], train, train[np.sort(drawn)], test, sampling)
        probability = predict_pipeline(fitted, plan.X[task.test], plan.rows.take(task.test))
    _require_additive(parts, base, probability, [plan.units[row] for row in task.test])
    places = _origins(fitted, plan.columns)
    to_columns = np.zeros((len(places), len(plan.columns)))
    to_columns[np.arange(len(places)), places] = 1.0
    values = parts @ to_columns
    used = np.zeros(len(plan.columns), dtype=bool)
    used[places[_weights(fitted[-1], len(places)) != 0]] = True
    return _Fold(np.asarray(task.test), values, used, base, probability)


def explained(
    classifier: BaseEstimator,
    train: FloatArray,
    background: FloatArray,
    test: FloatArray,
    sampling: Sampling,
) -> tuple[FloatArray, float]:
    """Return Shapley values of the log odds of a fitted classifier, and their base.

    Parameters
    ----------
    classifier : estimator
        The last step of a pipeline.
    train, background, test : ndarray, shape (rows, k)
        All prepared training rows (for linear models), some of them (for the others), rows to explain.
    sampling : Sampling
        Orders and seed.

    Returns
    -------
    values : ndarray, shape (test rows, k)
    base : float
    """
    inner = classifier.estimator_ if isinstance(classifier, PatientOversampler) else classifier
    if not train.shape[1]:
        empty = inner.predict_proba(train[:1])[0, 1]
        return np.zeros(test.shape), float(logit(np.clip(empty, _CLIP, 1 - _CLIP)))
    linear = _linear(inner)
    if linear is not None:
        weights, intercept = linear
        mean = train.mean(axis=0)
        return (test - mean) * weights, float(mean @ weights + intercept)
    if isinstance(inner, HistGradientBoostingClassifier):
        return _by_trees(inner, background, test)
    return _by_orders(inner, background, test, sampling)


def _linear(classifier: BaseEstimator) -> tuple[FloatArray, float] | None:
    """Return coefficients and intercept of the log odds; None where they are not linear."""
    if isinstance(classifier, LogisticRegression):
        return np.asarray(classifier.coef_[0]), float(classifier.intercept_[0])
    if isinstance(classifier, CalibratedSVC) and classifier.kernel == "linear":
        # Platt: p = 1 / (1 + exp(a f + b)) with f the score of the machine.
        calibrated = classifier.calibrated_.calibrated_classifiers_[0]
        (sigmoid,), machine = calibrated.calibrators, calibrated.estimator
        weights = -sigmoid.a_ * machine.coef_[0]
        return np.asarray(weights), float(-sigmoid.a_ * machine.intercept_[0] - sigmoid.b_)
    return None


def _by_trees(
    classifier: HistGradientBoostingClassifier, background: FloatArray, test: FloatArray
) -> tuple[FloatArray, float]:
    shap = _package()
    explainer = shap.TreeExplainer(classifier, background, feature_perturbation="interventional")
    values = np.asarray(explainer.shap_values(test, check_additivity=False), dtype=np.float64)
    return values, float(np.ravel(explainer.expected_value)[0])


def _by_orders(
    classifier: BaseEstimator, background: FloatArray, test: FloatArray, sampling: Sampling
) -> tuple[FloatArray, float]:
    shap = _package()

    def log_odds(X: FloatArray) -> FloatArray:
        return np.asarray(logit(np.clip(classifier.predict_proba(X)[:, 1], _CLIP, 1 - _CLIP)))

    masker = shap.maskers.Independent(background, max_samples=len(background))
    evaluations = sampling.n_permutations * (2 * test.shape[1] + 1)
    with _kept_randomness():
        explainer = shap.PermutationExplainer(log_odds, masker, seed=sampling.seed)
        found = explainer(test, max_evals=evaluations, silent=True)
    return np.asarray(found.values, dtype=np.float64), float(np.ravel(found.base_values)[0])


def _package() -> Any:
    """Import shap: only here and now, because it is an extra and takes seconds to load."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # its import touches what other packages are about to drop
        import shap
    return shap


@contextmanager
def _kept_randomness() -> Iterator[None]:
    """Put numpy's global generator back afterwards: shap seeds it and draws from it."""
    state = np.random.get_state()  # noqa: NPY002
    try:
        yield
    finally:
        np.random.set_state(state)  # noqa: NPY002


def _prepared(fitted: Pipeline, X: FloatArray, rows: Rows) -> FloatArray:
    """Return the rows as the classifier sees them."""
    for _, step in fitted.steps[:-1]:
        wanted = rows.wanted_by(step, "transform") if get_routing_for_object(step) else {}
        X = np.asarray(step.transform(X, **wanted), dtype=np.float64)
    return X


def _origins(fitted: Pipeline, columns: Sequence[str]) -> NDArray[np.intp]:
    """Return for each column of the classifier the column that it comes from; flags go to their feature."""
    names = fitted[:-1].get_feature_names_out(columns) if len(fitted) > 1 else np.asarray(columns)
    place = {name: number for number, name in enumerate(columns)}
    return np.array(
        [place.get(str(name), place.get(str(name).removeprefix(_INDICATOR), 0)) for name in names],
        dtype=np.intp,
    )


def _weights(classifier: BaseEstimator, n: int) -> FloatArray:
    return np.asarray(getattr(classifier, "coef_", np.ones((1, n)))[0])


def _require_additive(values: FloatArray, base: float, probability: FloatArray, units: Sequence[str]) -> None:
    gap = np.abs(expit(values.sum(axis=1) + base) - probability)
    if len(gap) and gap.max() > _ADDITIVE:
        raise AnalysisError(
            Problem(
                "RV514",
                f"Shapley values and base that add up to the prediction within {_ADDITIVE:g}",
                f"a distance of {gap.max():.3g}",
                f"explanation of {units[int(gap.argmax())]}",
                "report this as a defect, with the versions of shap and scikit-learn; set assessment.shapley "
                "to false meanwhile",
            )
        )


def _summary(plan: Plan, rows: NDArray[np.intp], values: FloatArray, frequency: FloatArray) -> pd.DataFrame:
    """Features that a fold uses, the largest mean first."""
    used = np.flatnonzero(frequency > 0)
    correlation = [_correlation(plan.X[rows, column], values[:, column]) for column in used]
    table = pd.DataFrame(
        {
            "feature": [plan.columns[column] for column in used],
            "mean_absolute": np.abs(values[:, used]).mean(axis=0),
            "ci_low": np.nan,
            "ci_high": np.nan,
            "correlation": np.array(correlation, dtype=np.float64),
            "direction": [_direction(value) for value in correlation],
            "frequency": frequency[used],
        }
    )
    return table.sort_values(
        ["mean_absolute", "feature"], ascending=[False, True], kind="stable", ignore_index=True
    )


def _with_intervals(
    summary: pd.DataFrame,
    plan: Plan,
    rows: NDArray[np.intp],
    values: FloatArray,
    n_boot: int,
    seed: int,
    confidence: float,
) -> pd.DataFrame:
    """Add percentile limits of the means; patients are drawn with all their vertebrae."""
    positive, patients = check_labels(plan.y[rows], plan.groups[rows], len(rows))
    columns = [plan.columns.index(name) for name in summary["feature"]]
    sums = np.zeros((patients.max() + 1, len(columns)))
    np.add.at(sums, patients, np.abs(values[:, columns]))
    times = patient_draws(positive, patients, n_boot, np.random.default_rng([seed, 0]))
    with threadpool_limits(limits=1):
        means = (times @ sums) / (times @ np.bincount(patients))[:, None]
    low, high = np.quantile(means, [(1 - confidence) / 2, (1 + confidence) / 2], axis=0)
    return summary.assign(ci_low=low, ci_high=high)


def _correlation(feature: FloatArray, values: FloatArray) -> float:
    known = ~np.isnan(feature)
    if not known.any() or np.ptp(feature[known]) == 0 or np.ptp(values[known]) == 0:
        return float("nan")
    return float(spearmanr(feature[known], values[known])[0])


def _direction(correlation: float) -> str:
    if not abs(correlation) >= _DIRECTED:
        return "mixed"
    return "higher" if correlation > 0 else "lower"


def _named(plan: Plan, rows: NDArray[np.intp]) -> pd.DataFrame:
    return pd.DataFrame(
        {
            "unit": [plan.units[row] for row in rows],
            "subject_id": plan.groups[rows],
            "y": plan.y[rows],
        }
    )


def _long(plan: Plan, rows: NDArray[np.intp], values: FloatArray, shown: Sequence[int]) -> pd.DataFrame:
    named = _named(plan, rows)
    parts: list[pd.DataFrame] = [
        named.assign(feature=plan.columns[column], value=plan.X[rows, column], shapley=values[:, column])
        for column in shown
    ]
    if not parts:
        return named.iloc[:0].assign(feature="", value=0.0, shapley=0.0)
    return pd.concat(parts, ignore_index=True)


def _explainer_name(model: ModelSpec) -> str:
    if model.name in _LINEAR:
        return "exact, linear"
    return "exact, trees" if model.name == "hist_gradient_boosting" else "sampled orders of the features"
