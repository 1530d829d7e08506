"""What the inner folds decide: hyper-parameters and the decision threshold."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from scipy.stats import rankdata
from sklearn.base import BaseEstimator, clone
from sklearn.metrics import roc_curve
from sklearn.pipeline import Pipeline

from radiomics_vert.modeling.models import GridPoint, ModelSpec, pipeline_parameters
from radiomics_vert.modeling.splits import Split

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int_]
ThresholdRule = Literal["youden", "sensitivity"]
Scoring = Literal["log_loss", "auc"]
_Numbered = tuple[int, dict[str, Any]]


@dataclass(frozen=True)
class Choice:
    """The winning grid point and what it predicted in the inner folds.

    Parameters
    ----------
    point : dict
        Hyper-parameters.
    score : float
        Its score in the inner folds: mean log-likelihood or AUC, larger is better.
    probabilities : ndarray, shape (n,)
        Its out-of-fold predictions of the training rows, pooled over the inner folds.
    """

    point: GridPoint
    score: float
    probabilities: FloatArray


def choose_point(
    pipeline: Pipeline,
    spec: ModelSpec,
    points: Sequence[GridPoint],
    X: FloatArray,
    y: IntArray,
    splits: Sequence[Split],
    scoring: Scoring = "log_loss",
) -> Choice:
    """Choose hyper-parameters by their out-of-fold predictions in the inner folds.

    Of equally good points the first, simplest one wins.

    Parameters
    ----------
    pipeline : Pipeline
        Unfitted; it is cloned.
    spec : ModelSpec
        Translates the points.
    points : sequence of dict
        The grid.
    X : ndarray, shape (n, p)
        Training rows of the outer fold.
    y : ndarray of int, shape (n,)
        Their outcome.
    splits : sequence of (train, test)
        Inner folds; every row in one test part.
    scoring : {"log_loss", "auc"}, default "log_loss"
        What counts as good, see :func:`point_scores`.

    Returns
    -------
    Choice
    """
    parameters = [pipeline_parameters(spec, point) for point in points]
    probabilities = np.full((len(points), len(y)), np.nan)
    for train, test in splits:
        probabilities[:, test] = path_probabilities(pipeline, parameters, X[train], y[train], X[test])
    scores = point_scores(probabilities, y, splits, scoring)
    best = int(np.argmax(np.round(scores, 12)))
    return Choice(points[best], float(scores[best]), probabilities[best])


def point_scores(
    probabilities: FloatArray, y: IntArray, splits: Sequence[Split], scoring: Scoring
) -> FloatArray:
    """Score the out-of-fold predictions of every grid point; larger is better.

    Parameters
    ----------
    probabilities : ndarray, shape (points, n)
        Out-of-fold predictions.
    y : ndarray of int, shape (n,)
        Outcome.
    splits : sequence of (train, test)
        Which rows were predicted together.
    scoring : {"log_loss", "auc"}
        `log_loss`: mean log-likelihood (minus the log loss), which rewards calibrated probabilities.
        `auc`: share of concordant pairs of a positive and a negative vertebra of the same fold, all
        folds together; pairs across folds are left out, because the prevalence of the training rows
        shifts the predictions of a whole fold.

    Returns
    -------
    ndarray, shape (points,)
    """
    if scoring == "log_loss":
        safe = np.clip(probabilities, 1e-9, 1 - 1e-9)
        return np.asarray(np.where(y == 1, np.log(safe), np.log1p(-safe)).mean(axis=1))
    wins, pairs = np.zeros(len(probabilities)), 0
    for _, test in splits:
        positive = y[test] == 1
        wins += _concordant_pairs(probabilities[:, test], positive)
        pairs += int(positive.sum()) * int((~positive).sum())
    return wins / pairs


def path_probabilities(
    pipeline: Pipeline,
    parameters: Sequence[Mapping[str, Any]],
    X_train: FloatArray,
    y_train: IntArray,
    X_test: FloatArray,
) -> FloatArray:
    """Fit the pipeline at every grid point and predict, without repeating shared work.

    The points are walked as a tree along the steps: points that agree in the parameters of the first
    steps share the fitted first steps. The last step is refitted in place from point to point, so that
    an estimator with `warm_start` starts from its neighbour on the grid.

    Parameters
    ----------
    pipeline : Pipeline
        Unfitted; its steps are cloned.
    parameters : sequence of mapping
        Pipeline parameters (`select__k`, `model__C`, ...) of each point, all with the same keys.
    X_train, X_test : ndarray
        Rows to fit on and rows to predict.
    y_train : ndarray of int
        Outcome of the training rows.

    Returns
    -------
    ndarray, shape (points, test rows)
        Probability of the positive class.
    """
    out = np.empty((len(parameters), len(X_test)))
    points = [(number, dict(point)) for number, point in enumerate(parameters)]
    _walk(list(pipeline.steps), points, X_train, y_train, X_test, out)
    return out


def choose_threshold(
    y: IntArray, probabilities: FloatArray, rule: ThresholdRule, target_sensitivity: float
) -> float:
    """Choose the probability from which a vertebra is called positive.

    Parameters
    ----------
    y : ndarray of int, shape (n,)
        Outcome, both classes.
    probabilities : ndarray, shape (n,)
        Out-of-fold predictions of the inner folds.
    rule : {"youden", "sensitivity"}
        Largest sensitivity + specificity - 1 (the highest such threshold), or the highest threshold
        with at least the target sensitivity.
    target_sensitivity : float
        For the rule `sensitivity`.

    Returns
    -------
    float
        One of the probabilities; a vertebra with this probability or more is positive.

    Examples
    --------
    >>> choose_threshold(np.array([0, 0, 1, 1]), np.array([0.1, 0.4, 0.3, 0.9]), "sensitivity", 1.0)
    0.3
    """
    fpr, tpr, thresholds = roc_curve(y, probabilities, drop_intermediate=False)
    # The first entry is infinity: nothing is positive.
    fpr, tpr, thresholds = fpr[1:], tpr[1:], thresholds[1:]
    if rule == "sensitivity":
        return float(thresholds[np.argmax(tpr >= target_sensitivity)])
    return float(thresholds[np.argmax(np.round(tpr - fpr, 12))])


def _walk(
    steps: Sequence[tuple[str, BaseEstimator]],
    points: Sequence[_Numbered],
    X_train: FloatArray,
    y_train: IntArray,
    X_test: FloatArray,
    out: FloatArray,
) -> None:
    (name, step), rest = steps[0], steps[1:]
    if not rest:
        _predict_path(name, step, points, X_train, y_train, X_test, out)
        return
    for own, members in _by_own_parameters(name, points):
        fitted = clone(step).set_params(**own)
        prepared = fitted.fit_transform(X_train, y_train)
        _walk(rest, members, prepared, y_train, fitted.transform(X_test), out)


def _predict_path(
    name: str,
    step: BaseEstimator,
    points: Sequence[_Numbered],
    X_train: FloatArray,
    y_train: IntArray,
    X_test: FloatArray,
    out: FloatArray,
) -> None:
    # Otherwise the estimator would copy the rows into this order again at every point.
    train, test = np.ascontiguousarray(X_train), np.ascontiguousarray(X_test)
    estimator = clone(step)
    for number, parameters in points:
        estimator.set_params(**_own_parameters(name, parameters)).fit(train, y_train)
        out[number] = estimator.predict_proba(test)[:, 1]


def _own_parameters(step: str, parameters: Mapping[str, Any]) -> dict[str, Any]:
    prefix = f"{step}__"
    return {key.removeprefix(prefix): value for key, value in parameters.items() if key.startswith(prefix)}


def _by_own_parameters(
    step: str, points: Sequence[_Numbered]
) -> list[tuple[dict[str, Any], list[_Numbered]]]:
    """Group the points that agree in the parameters of this step, in order of appearance."""
    found: list[tuple[dict[str, Any], list[_Numbered]]] = []
    for point in points:
        own = _own_parameters(step, point[1])
        members = next((members for known, members in found if known == own), None)
        if members is None:
            found.append((own, [point]))
        else:
            members.append(point)
    return found


def _concordant_pairs(probabilities: FloatArray, positive: NDArray[np.bool_]) -> FloatArray:
    """Return, per row of predictions, the concordant pairs; ties count one half."""
    n_positive = int(positive.sum())
    ranks = rankdata(probabilities, axis=1)[:, positive]
    return np.asarray(ranks.sum(axis=1) - n_positive * (n_positive + 1) / 2)
